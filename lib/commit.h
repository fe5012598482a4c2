/*
 * COMMITTED: the handed-over run has passed the step that was taken, or is
 * complete at it. Written by the watcher, else stage-out, else the next
 * stage-in; and the three numbers of every handoff.
 */
#ifndef RELAY_COMMIT_H
#define RELAY_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "run.h"

struct commit_numbers {
    int64_t gap;        /* seconds in which no GPU trained; -1 unknown */
    int64_t recomputed; /* steps trained twice; -1 unknown */
    int64_t regain;     /* seconds until the source's step; -1 not yet */
};

/* Links COMMITTED when the journal is at PUBLISHED and the state here has
 * passed it. 1 linked now, 0 nothing to do, -1 error. */
int commit_if_passed(struct run *run, struct commit_numbers *numbers,
                     struct relay_error *err);

/* The numbers as far as they are known by now, of a handoff whose state is in
 * place here; all -1 otherwise. 0 or -1. */
int commit_count(const struct run *run, struct commit_numbers *numbers,
                 struct relay_error *err);

/* Tells the user that the handoff is committed, and its numbers. */
void commit_say(const struct run *run, const struct commit_numbers *numbers);

enum { COMMIT_NOT_YET = -1, COMMIT_OVER = -2 };

/* After COMMITTED: has the source's step been reached again? Returns the
 * seconds since the source was stopped (once: it is recorded in the history
 * as "regained"); COMMIT_NOT_YET, also before COMMITTED; COMMIT_OVER when it
 * is recorded, or there was no handoff. */
int64_t commit_regained(struct run *run, int64_t step);

/* One look at the source's stub. 1 untouched, 0 written to (why), -1. */
int commit_check_stub(struct run *run, char *why, size_t size,
                      struct relay_error *err);

#endif
