/*
 * A W&B sweep file, taken apart and checked by the rules of W&B's own schema:
 * what it calls an error is one, what it only complains about is a warning.
 */
#ifndef RELAY_SWEEP_WANDB_H
#define RELAY_SWEEP_WANDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lint.h"
#include "relayline.h"
#include "value.h"

enum wandb_method { WANDB_GRID, WANDB_RANDOM };

/* The kinds of W&B's schema, in its order. */
enum wandb_kind {
    WANDB_Q_BETA,
    WANDB_BETA,
    WANDB_CATEGORICAL,
    WANDB_CATEGORICAL_P,
    WANDB_INT_UNIFORM,
    WANDB_UNIFORM,
    WANDB_LOG_NORMAL,
    WANDB_LOG_UNIFORM,
    WANDB_INV_LOG_UNIFORM,
    WANDB_NORMAL,
    WANDB_Q_LOG_NORMAL,
    WANDB_Q_LOG_UNIFORM,
    WANDB_Q_NORMAL,
    WANDB_Q_UNIFORM,
    WANDB_CONSTANT,
    WANDB_INV_LOG_UNIFORM_VALUES,
    WANDB_LOG_UNIFORM_VALUES,
    WANDB_Q_LOG_UNIFORM_VALUES
};

/* A leaf: one parameter. Leaves are in the order of the grid: depth first,
 * each level's keys sorted by code points; the last varies fastest. */
struct wandb_leaf {
    char **path; /* keys from the top, depth of them */
    size_t depth;
    char *name; /* the path joined by dots */
    enum wandb_kind kind;
    struct value values;        /* list, of a categorical; value of a constant
                                   (any kind) */
    double *probabilities;      /* as many as values; or NULL */
    struct value min, max, q;   /* as written: int or float */
    double mu, sigma, a, b;
    int line, column;
};

struct wandb_sweep {
    enum wandb_method method;
    struct wandb_leaf *leaves;
    size_t nleaves;
    int64_t run_cap; /* 0: none */
    char *name;      /* of these the absent ones are NULL */
    char *project;
    char *entity;
    char *program;
    struct value command; /* list; an empty one: W&B's default */
};

/* Parses text (as yaml11_load). Returns 0; -1 with EX_DATAERR and
 * FILE:LINE:COLUMN for what W&B refuses, and for bayes and custom, which are
 * not ours. Grid checks (only discrete kinds) are made here too. */
int wandb_parse(const char *text, size_t len, const char *name, bool floats,
                struct wandb_sweep *sweep, struct lint *lint,
                struct relay_error *err);

void wandb_free(struct wandb_sweep *sweep);

#endif
