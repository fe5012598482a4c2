/*
 * stage-in, watch and stage-out of a job with --sweep-cell: which cell it
 * runs, under which key, and what becomes of it. The rest is as for any run.
 */
#ifndef RELAY_STAGE_CELL_H
#define RELAY_STAGE_CELL_H

#include "stage.h"
#include "sweep/cellenv.h"
#include "sweep/cellrun.h"

/* Submission: the sweep must be there, and a named cell one that can be run;
 * else says one line on stderr. No waiting, no network. run is opened here.
 * 0 fine, -1 refuse; run_close in both cases. */
int stage_cell_check(const struct run_options *opt, struct run *run,
                     struct relay_error *err);

/* stage_in for the cell that opt->sweep_cell says: claims it and goes through
 * stage_in under its key. run is opened here. STAGE_DONE also where there is
 * no cell for this job. As stage_in; run_close in both cases. */
int stage_cell_in(const struct run_options *opt, struct run *run,
                  enum stage_verdict *verdict, char **env, size_t *env_len,
                  struct relay_error *err);

/* stage_follow for it: the verdict is found in the sweep. */
int stage_cell_follow(const struct run_options *opt, struct run *run,
                      enum stage_verdict *verdict, char **env,
                      size_t *env_len, struct relay_error *err);

/* Finds out why the jobs of unproven and failed cells ended, where the epilog
 * could not tell; what Slurm has ended waits again. For three seconds at most. */
void stage_cell_resolve(const struct run_options *opt, const struct run *run,
                        struct cellrun *c);

/* Is there a cell (that one; NULL: any) that it would make wait again? */
bool stage_cell_will_wait(const struct run_options *opt,
                          const struct run *run, struct cellrun *c,
                          const uint64_t *which);

/* What the cell's program gets besides; makes its directory. 0 or -1;
 * cellenv_free in both cases. */
int stage_cell_env(struct run *run, struct cellenv *env,
                   struct relay_error *err);

/* stage-in refuses the job that has claimed a cell, with err. Nothing for a
 * run that is no cell. */
void stage_cell_refused(struct run *run, const struct relay_error *err);

/* The same after the job: records how the cell ended. let_go: there was a
 * body. */
void stage_cell_out(struct run *run, int status, bool let_go);

#endif
