/* Between the parts of the reader of W&B sweep files. */
#ifndef RELAY_SWEEP_WANDB_INT_H
#define RELAY_SWEEP_WANDB_INT_H

#include "wandb.h"

#define WANDB_MAX_DEPTH 64    /* of nested parameters */
#define WANDB_MAX_LEAVES 4096 /* the odometer stands on the stack */

/* A sweep file while it is read. */
struct wandb_reader {
    const char *text;
    size_t len;
    const char *name;
    struct wandb_sweep *sweep;
    struct lint *lint;
    struct relay_error *err;
};

/* One parameter while it is read. */
struct wandb_param {
    const struct value *dict; /* what stands behind its name */
    char *path[WANDB_MAX_DEPTH];
    size_t depth;
    const char *name; /* the path joined by dots */
    int line, column; /* of its name */
};

/* Line and column of a key, found in the text before its value. */
void wandb_key_place(const struct wandb_reader *r, const char *key,
                     const struct value *item, int *line, int *column);

/* Fails with NAME:LINE:COLUMN; returns -1. */
int wandb_fail(const struct wandb_reader *r, int line, int column,
               const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Int or float, not bool; its value into *number (may be NULL). */
bool wandb_number(const struct value *v, double *number);

/* Finds the kind of a parameter and adds a leaf; or fails, and says why no
 * kind fits. 0 or -1. */
int wandb_param_read(struct wandb_reader *r, struct wandb_param *p);

/* Says why no kind fits; returns -1. */
int wandb_param_explain(struct wandb_reader *r, const struct wandb_param *p);

/* Checks metric, early_terminate, scheduler and what else has no effect
 * here: only warnings come of it. */
void wandb_check_rest(struct wandb_reader *r, const struct value *top);

/* --- the schema of a parameter ------------------------------------------- */

enum wandb_key {
    KEY_DISTRIBUTION, KEY_VALUES, KEY_VALUE, KEY_PROBABILITIES, KEY_MIN,
    KEY_MAX, KEY_Q, KEY_MU, KEY_SIGMA, KEY_A, KEY_B, WANDB_KEYS
};

struct wandb_schema {
    enum wandb_kind kind;
    const char *distribution;
    bool named;        /* distribution must be given */
    unsigned allowed;  /* bits of enum wandb_key, besides distribution */
    unsigned required;
    bool above_zero;   /* min > 0 */
    const char *instead; /* of a deprecated one */
};

extern const struct wandb_schema wandb_schemas[];
extern const size_t wandb_nschemas;
extern const char *const wandb_key_names[WANDB_KEYS];

/* The key of that name, or WANDB_KEYS. */
enum wandb_key wandb_key_of(const char *name);

/* What is wrong with the value of a key of a schema, or NULL. */
const char *wandb_key_wrong(const struct wandb_schema *schema,
                            enum wandb_key key, const struct value *v);

#endif
