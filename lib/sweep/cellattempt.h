/*
 * One attempt at a cell by a job: what an earlier one left is judged, or taken
 * out of the way, before it; run_metadata.json tells of it, as for the workers
 * of `ssweep run`, which may have the cell next.
 */
#ifndef RELAY_SWEEP_CELLATTEMPT_H
#define RELAY_SWEEP_CELLATTEMPT_H

#include "cellrun.h"

/* Before stage-in, with the claim: fills in run->cell.dir and c->last. 1 the
 * cell is to be run; 0 it is done (or refuted) by what an attempt left that
 * nobody could judge any more: that is recorded, why says it; -1. */
int cellattempt_prepare(struct run *run, struct cellrun *c, char *why,
                        size_t why_size, struct relay_error *err);

/* How often a person had the cell begun anew, as cellenv_make takes it. */
int cellattempt_redone(const struct run *run, const struct cellrun *c);

/* The body is about to run, with env. 0 or -1. */
int cellattempt_begin(struct run *run, const struct cellrun *c,
                      const struct cellenv *env, struct relay_error *err);

/* A cell's last attempt was not judged rightly: it was stopped, by that cause.
 * Never fails. */
void cellattempt_resolve(const struct cellrun *c, uint64_t index,
                         const char *cause);

/* It has ended so. Never fails: it is for people. */
void cellattempt_end(const struct run *run, int status,
                     const struct queue_end *end);

#endif
