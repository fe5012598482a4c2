/*
 * What a cell's program finds in its environment: ours, and what the W&B SDK
 * reads, so that scripts written for `wandb agent` run unchanged and resume
 * (design section 8; WANDB_SWEEP_ID stays unset: with it wandb.init drops
 * the run's identity).
 */
#ifndef RELAY_SWEEP_CELLENV_H
#define RELAY_SWEEP_CELLENV_H

#include "command.h"
#include "queue.h"
#include "sweep.h"

/* How the environment is wanted. All zero is the default. */
struct cellenv_options {
    const char *group;   /* WANDB_RUN_GROUP; NULL: the sweep's name */
    bool no_wandb;       /* WANDB_MODE=disabled */
    bool offline;        /* WANDB_MODE=offline (--wandb-buffer) */
    const char *cluster; /* for WANDB_TAGS; NULL: none */
    const char *resume_root; /* absolute; NULL: no RELAY_RESUME_* */
};

/* Names and values of a cell: RELAY_SWEEP, RELAY_CELL_ID, RELAY_CELL_INDEX,
 * RELAY_CELL_ARGS, RELAY_CELL_JSON, RELAY_RUN_DIR, RELAY_RESUME_KEY and _HASH
 * and _DIR, WANDB_SWEEP_PARAM_PATH, WANDB_RUN_ID, WANDB_RESUME=allow,
 * WANDB_RUN_GROUP, WANDB_TAGS, WANDB_PROJECT, WANDB_ENTITY, WANDB_DIR. set
 * holds NAME=VALUE words, unset names that must go where set has none
 * (WANDB_SWEEP_ID; RELAY_RESUME_* of a job that has an identity of its own).
 * WANDB_PROJECT and _ENTITY are set where the source gives them; else the
 * user's own stay. RELAY_SET names all of it and what it named before. */
struct cellenv {
    char *dir; /* the cell's directory, absolute, made */
    struct words set;
    struct words unset;
};

/* Makes the cell's directory with .relay/params.json and
 * .relay/wandb-params.yaml in it, and the environment. retry is the number
 * that a redone run's id gets ("-r2") because W&B does not take a deleted id
 * again; 0: none. 0 or -1; cellenv_free in all cases. */
int cellenv_make(const struct sweep *sweep, const struct cell *cell,
                 const char *out_root, const struct cellenv_options *opt,
                 int retry, struct cellenv *env, struct relay_error *err);
void cellenv_free(struct cellenv *env);

/* base with env applied: a NULL-terminated array to free with
 * words_free. 0 or -1. */
int cellenv_apply(const struct cellenv *env, char *const *base,
                  struct words *out, struct relay_error *err);

#endif
