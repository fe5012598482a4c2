/*
 * How did a cell end? By evidence (design section 7): its completion contract
 * where the source or the configuration has one, else summary.json's ok and
 * resume_meta.json's completed; what the process exited with is not enough.
 */
#ifndef RELAY_SWEEP_OUTCOME_H
#define RELAY_SWEEP_OUTCOME_H

#include "board.h"
#include "error.h"

struct outcome_facts {
    const char *dir;       /* the cell's directory, absolute */
    const char *state_dir; /* <resume_root>/<hash>; NULL: none */
    const char *log;       /* its stdout.log; NULL: unknown */
    char *const *checks;   /* the contract; n of them, 0: none */
    size_t n;
    int status;            /* raw wait status; -1: unknown (verify) */
    const char *stopped;   /* why we ended it ("cancelled", "preempted",
                              "timeout"); NULL: it ended by itself */
    bool deep;             /* read whole files: `loads` */
};

struct outcome {
    enum cell_state state; /* DONE, UNPROVEN, FAILED or PARTIAL */
    char cause[24];        /* completed, exited, failed, preempted, ... */
    char why[300];         /* the check that failed, and the last line of the
                              log that looks like an error */
    int64_t step;          /* -1 */
    bool counts;           /* against the retries */
    bool refuted;          /* ok or completed says false: waits for a person */
};

/* Judges. Never fails: what cannot be read is not proof. */
void outcome_judge(const struct outcome_facts *facts, struct outcome *out);

/* The last step that dir (or state_dir) knows: resume_meta.json, else -1. */
int64_t outcome_step(const char *dir, const char *state_dir);

#endif
