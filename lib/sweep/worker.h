/*
 * A worker of a sweep: claims cell after cell and runs each as a child of its
 * own, one at a time in each slot, until nothing is left or the time left is
 * too short (what `ssweep run` does).
 */
#ifndef RELAY_SWEEP_WORKER_H
#define RELAY_SWEEP_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "error.h"
#include "lint.h"
#include "sweep.h"

#define WORKER_GRACE_S 25 /* where Slurm does not say its KillWait, 30 s by
                             default: its KILL must not come before we have
                             given the cells back */

struct worker_options {
    const char *source;       /* a sweep, or the file to make one of */
    char *const *command;     /* behind --; NULL: the source's own */
    const char *workdir;      /* NULL: the present one */
    const char *out_root;     /* NULL: as configured */
    const char *group;        /* NULL: the sweep's name */
    const char *cluster;      /* NULL: as configured */
    const char *cuda_devices; /* NULL: $CUDA_VISIBLE_DEVICES */
    struct roster_options read; /* how FILE is to be read; 0: not said */
    bool start_said;          /* read.start_index was, even if 0 */
    int64_t slots;            /* 0: one for each GPU, else 1 */
    int64_t gpus_per_cell;    /* 0: 1 */
    int64_t shard_index;
    int64_t shard_count;      /* 0: no shards */
    int64_t max_cells;        /* 0: no limit */
    int64_t min_time;         /* seconds; 0: by what is known */
    int64_t grace;            /* seconds from TERM to KILL; 0: Slurm's KillWait
                                 less what we need ourselves */
    bool no_wandb;
    bool wandb_buffer;
    bool allow_behind;
    bool tracker_claim;    /* claim each cell in the tracker, too */
    bool tracker_optional; /* go on when it cannot be asked all the same */
    bool no_tracker;       /* do not ask it */
    bool no_peers; /* do not ask whether another cluster runs the same */
    bool dry_run;
    FILE *out; /* what happens, a line each */
    void (*warn)(struct lint *lint); /* of a source that was read; it frees */
};

/* Works. Returns the exit code:
 *   0    nothing is left to claim, or max_cells were run
 *   65   nothing is left of the cells that are known, but the source has
 *        what could not be taken in (EX_DATAERR)
 *   70   the first minute failed three times in a row
 *   75   cells are left and the time is too short for them
 *   78   the checkout is behind (EX_CONFIG)
 *   128 + n  signal n asked us to end; what ran was given back
 * or -1 and err with its code. Installs process_catch_signals, and handlers
 * of USR1 and USR2. */
int worker_run(const struct worker_options *opt, struct relay_error *err);

/* The words that run a cell: command (what stands behind --; NULL: none) in
 * the place of interpreter and program, then the cell's arguments; or all of
 * it by the source. json_path is where the parameters are as JSON. 0, or -1
 * with EX_USAGE for a source that names no program. */
int worker_words(const struct sweep *sweep, const struct cell *cell,
                 char *const *command, const char *json_path,
                 struct words *argv, struct relay_error *err);

#endif
