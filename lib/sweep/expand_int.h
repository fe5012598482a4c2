/*
 * Between the parts of expand. A cell is described by one slot per leaf: the
 * index of its value, of a drawn number its bits. A grid's cells are the
 * digits of an odometer over axes; an axis is a leaf, or leaves zipped.
 */
#ifndef RELAY_SWEEP_EXPAND_INT_H
#define RELAY_SWEEP_EXPAND_INT_H

#include "expand.h"
#include "wandb_int.h"

#define EXPAND_MAX ((uint64_t)1 << 32) /* cells, and values of a leaf */
#define EXPAND_NONE SIZE_MAX

struct expand_leaf {
    const struct wandb_leaf *leaf;
    size_t axis;     /* of a grid; EXPAND_NONE: a constant */
    size_t leader;   /* leaf whose draw it takes: itself, or of its zip */
    uint64_t n;      /* values, before deduplication; 0: a continuum */
    size_t shared;   /* keys of the path in common with the leaf before */
    uint64_t stream; /* of its draws */
    char **opening;  /* per level but the last: ,"key":{ */
    char *key;       /* ,"key": of the last level */
    char *pieces;    /* ,"key":VALUE of each value; NULL: made when asked */
    size_t *ends;    /* of the pieces */
    uint32_t *first; /* of each value the first that is equal to it: only
                        where a zip and a condition need it */
    size_t conditions, nconditions; /* from and how many */
};

struct expand_axis {
    size_t *leaves;
    size_t nleaves;
    uint32_t size;
    uint32_t *pick; /* digit to index of the value; NULL: the same */
};

/* leaf exists only where other == value (or !=). */
struct expand_condition {
    size_t leaf;
    size_t other;
    bool not_equal;
    const struct value *value;
    struct text canonical; /* of value */
    bool loose;            /* no value is equal: compare what they say */
    bool *holds;           /* per value of other; NULL: compare each time */
};

struct expand_cell {
    uint64_t slot[WANDB_MAX_LEAVES];
    bool absent[WANDB_MAX_LEAVES]; /* set only where there are conditions */
};

struct expand {
    const struct wandb_sweep *sweep;
    const struct relay_lines *lines;
    const char *name;
    struct expand_leaf *leaves;
    size_t nleaves;
    struct expand_axis *axes;
    size_t naxes;
    struct expand_condition *conditions; /* by leaf */
    size_t nconditions;
    size_t *order; /* of the leaves with conditions, so that what one is
                      compared with comes first */
    size_t norder;
    uint64_t product; /* combinations, or draws */
    uint64_t *picked; /* cells as numbers of combinations; NULL: the same */
    uint64_t size;
};

/* The value of a leaf in a slot: one of the file's, or computed into *room
 * (nothing to free in it). */
const struct value *expand_leaf_value(const struct expand_leaf *leaf,
                                      uint64_t slot, struct value *room);

/* What deduplication compares: W&B's hash of a value, as a text. */
void expand_hashed(const struct value *v, struct text *out);

/* Fills the slots of combination or draw number position, and absent. */
void expand_fill(const struct expand *e, uint64_t position,
                 struct expand_cell *cell);

/* Appends the canonical text of a cell. */
void expand_write(const struct expand *e, const struct expand_cell *cell,
                  bool (*drop)(void *arg, const char *key), void *arg,
                  struct text *out);

/* Values, axes and tables of the leaves. 0 or -1. */
int expand_prepare_leaves(struct expand *e, struct relay_error *err);
int expand_prepare_axes(struct expand *e, struct relay_error *err);
int expand_prepare_draws(struct expand *e, struct relay_error *err);

/* The slot of a leaf in draw number index. */
uint64_t expand_draw(const struct expand_leaf *leaf, uint64_t index);

/* Conditions: prepares them, says which leaves are absent, and picks the
 * cells that are left when equal ones are one. 0 or -1. */
int expand_prepare_conditions(struct expand *e, struct relay_error *err);
void expand_conditions(const struct expand *e, struct expand_cell *cell);
int expand_pick_combinations(struct expand *e, struct relay_error *err);
int expand_pick_draws(struct expand *e, struct relay_error *err);

/* A hash of bytes, for tables. */
size_t expand_hash(const char *s, size_t len);

/* For i < n: first[i] = the least j whose values in all those leaves are
 * equal to those of i. 0 or -1. */
int expand_firsts(const struct expand *e, const size_t *leaves,
                  size_t nleaves, uint32_t n, uint32_t *first,
                  struct relay_error *err);

/* The leaf of that name; EXPAND_NONE and an error at #RELAY line `line` when
 * there is none or more than one. */
size_t expand_find_leaf(const struct expand *e, const char *name,
                        const char *word, int line, struct relay_error *err);

#endif
