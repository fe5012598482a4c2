/*
 * Follows the job that a run moves to, from the queue to the proof that it
 * has resumed. Only looks; what the job does is its own (handoff.h), but for
 * one thing: a job that began from an earlier step is cancelled.
 */
#ifndef RELAY_MOVE_FOLLOW_H
#define RELAY_MOVE_FOLLOW_H

#include "commit.h"
#include "journal.h"
#include "logwatch.h"
#include "target.h"

enum follow_end {
    FOLLOW_ERROR = -1,
    FOLLOW_PROVED,   /* its step has passed k, or its output says so */
    FOLLOW_COMPLETE, /* the run is complete: there is nothing to train */
    FOLLOW_BACK,     /* it began from an earlier step, and was stopped */
    FOLLOW_ENDED,    /* it ended without proof */
    FOLLOW_LEFT      /* a signal ended us: the job goes on */
};

struct follow_options {
    void (*say)(void *arg, const char *text); /* a line of progress */
    /* Between two looks; may be NULL. pending: the job has not begun. */
    void (*meanwhile)(void *arg, bool pending);
    void *arg;
};

struct follow_result {
    struct target_job job;
    enum journal_state journal; /* where the handoff stands */
    int64_t step;      /* k, that was taken; -1 */
    int64_t proved;    /* the step that proves it, or that it went back to */
    struct commit_numbers numbers;
    char why[1200];    /* of BACK and ENDED: the job's own words */
};

/* Follows target until one of the ends. ERROR: err; the job goes on. */
enum follow_end follow_target(struct run *run, const struct target *target,
                              const struct follow_options *opt,
                              struct follow_result *result,
                              struct relay_error *err);

/* Where the output of a job that is being followed begins to be the
 * training's: behind the last line of ours. 0 for a file that has none. */
int64_t follow_output_from(const char *path);

#endif
