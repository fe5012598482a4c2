/*
 * The commands of relay-job, also used by `sresume run`: check, stage-in,
 * watch, stage-out. All run as the job's user.
 */
#ifndef RELAY_STAGE_H
#define RELAY_STAGE_H

#include "run.h"

/* What stage-in decided. */
enum stage_verdict {
    STAGE_RUN,  /* run the body */
    STAGE_DONE, /* the run is complete: end with 0, no body */
    STAGE_REFUSED
};

/* Submission: refuses what would be refused later anyway, else says one line
 * on stderr. No network, no waiting. 0 fine, -1 refuse. */
int stage_check(struct run *run, struct relay_error *err);

/* Stage-in to the end: gate, handoff, state. Writes job_dir/{resolved.json,
 * env,verdict} when there is a job_dir. *env (malloc'd, NUL-separated, an
 * empty string at the end; NULL on refusal) is what the body gets. On -1 err
 * says why, the verdict file holds err->code. */
int stage_in(struct run *run, enum stage_verdict *verdict, char **env,
             size_t *env_len, struct relay_error *err);

/* The prolog's part: cheap checks; copies ahead where network is allowed. */
int stage_prolog(struct run *run, struct relay_error *err);

/* Tasks on other nodes: waits for the gate's verdict on the shared file
 * system, then as stage_in. */
int stage_follow(struct run *run, enum stage_verdict *verdict, char **env,
                 size_t *env_len, struct relay_error *err);

/* Watches the body until lifefd reads EOF (or, lifefd < 0, until cancelled).
 * Reads job_dir/resolved.json, or is given the run by `sresume run`. */
int stage_watch(struct run *run, int lifefd, struct relay_error *err);

/* After the body: ended-record, restore of a lost state, auto-sync within
 * deadline_s. status: raw wait status, -1 when unknown. */
int stage_out(struct run *run, int status, int64_t deadline_s,
              struct relay_error *err);

#endif
