/*
 * How did a cell end? By evidence (design section 7): its completion contract
 * where the source or the configuration has one, else summary.json's ok and
 * resume_meta.json's completed; what the process exited with is not enough.
 */
#ifndef RELAY_SWEEP_OUTCOME_H
#define RELAY_SWEEP_OUTCOME_H

#include "board.h"
#include "error.h"
#include "queue.h"

struct outcome_facts {
    const char *dir;       /* the cell's directory, absolute */
    const char *state_dir; /* <resume_root>/<hash>; NULL: none */
    const char *log;       /* its stdout.log; NULL: unknown */
    int64_t log_from;      /* where this attempt begins in it; 0 */
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
    bool refuted;          /* ok or completed says false: waits for a person,
                              so end it as QUARANTINED (outcome_end_state) */
};

/* Judges. Never fails: what cannot be read is not proof.
 *   DONE      exit 0 and the contract is met; without a contract, proof: ok or
 *             completed is true and neither says the opposite. With status -1
 *             the evidence alone.
 *   FAILED    another exit, or the contract is not met; or refuted
 *   UNPROVEN  exit 0 and no proof, without a contract
 *   PARTIAL   stopped by us, or by TERM, INT or HUP (also as exit 128 + n)
 * An attempt that was stopped is not refuted: it could not do better. */
void outcome_judge(const struct outcome_facts *facts, struct outcome *out);

/* The state to record for it: QUARANTINED for what is refuted. */
enum cell_state outcome_end_state(const struct outcome *out);

/* The end to record for it, but for the seconds. What it points to is out's. */
struct queue_end outcome_end(const struct outcome *out);

/* The last step that dir (or state_dir) knows: resume_meta.json, else -1. */
int64_t outcome_step(const char *dir, const char *state_dir);

#endif
