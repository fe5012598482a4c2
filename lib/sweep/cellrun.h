/*
 * A cell of a sweep as the run of a job: its sweep and queue opened in the
 * job's name, claimed once for each run of the job (the claim is found again
 * by the run's nonce), ended once.
 */
#ifndef RELAY_SWEEP_CELLRUN_H
#define RELAY_SWEEP_CELLRUN_H

#include "cellenv.h"
#include "metadata.h"
#include "outcome.h"
#include "queue.h"
#include "run.h"
#include "sweep.h"

struct cellrun {
    struct sweep sweep;
    struct queue *queue;
    struct cell cell; /* the claimed one */
    struct metadata_last last; /* of its earlier attempts (cellattempt.h) */
};

/* Opens the sweep at path (relative to our own directory) and, with change,
 * its queue for run->self and run->nonce; fills in run->cell's sweep and fd.
 * 0; -1 with EX_USAGE (no sweep is there), EX_DATAERR, EX_CONFIG,
 * EX_CANTCREAT. cellrun_close in all cases. */
int cellrun_open(struct run *run, const char *path, bool change,
                 struct cellrun *c, struct relay_error *err);
void cellrun_close(struct cellrun *c);

/* Opens it again in the process that watches, or ends, what run->cell says.
 * 0 or -1. */
int cellrun_reopen(const struct run *run, struct cellrun *c,
                   struct relay_error *err);

/* Finds the index of a cell by what the user typed behind the ':'. 0; -1
 * with EX_USAGE. */
int cellrun_find(const struct cellrun *c, const char *which, uint64_t *index,
                 struct relay_error *err);

/* Claims that cell, or, for "", the next one: the one that an earlier run of
 * this job had is the first. Fills in run->cell and c->cell. 1 claimed; 0
 * there is nothing to run, why says that in a sentence; -1 as queue_next and
 * queue_claim_cell. A job that is ending and has a cell for us is waited for,
 * a minute at most. */
int cellrun_claim(struct run *run, struct cellrun *c, const char *which,
                  char *why, size_t why_size, struct relay_error *err);

/* Judges it by evidence (outcome.h) and the raw wait status of its body, -1:
 * unknown. With ran, a signal of a kind that Slurm sends too, and an unknown
 * status, do not say why it ended: cause "unresolved", at no cost. */
void cellrun_judge(const struct run *run, struct cellrun *c, int status,
                   bool ran, struct outcome *out);

/* Notes down that outcome. A claim that is another's by now is left alone. 0
 * or -1. */
int cellrun_record(struct run *run, struct cellrun *c, int status,
                   const struct outcome *out, struct relay_error *err);

/* Both, of what has run. */
int cellrun_end(struct run *run, struct cellrun *c, int status,
                struct relay_error *err);

/* Of what has not run: given back with that cause. */
int cellrun_give_back(struct run *run, struct cellrun *c, const char *cause,
                      const char *why, struct relay_error *err);

/* Of what only a person can put right: held back. */
int cellrun_hold(struct run *run, struct cellrun *c, const char *why,
                 struct relay_error *err);

/* "12 cells wait, 3 run, 40 of 55 are done" of the sweep. */
void cellrun_counts(const struct cellrun *c, char *text, size_t size);

#endif
