/*
 * The handoff journal of the target: series "handoff" (doc/protocol.md,
 * section 4). Its last record says where a handoff stands, so that any later
 * attempt goes on from there.
 */
#ifndef RELAY_JOURNAL_H
#define RELAY_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "owner.h"
#include "run.h"
#include "series.h"

enum journal_state {
    JOURNAL_NONE,
    JOURNAL_OPEN,
    JOURNAL_STAGED,
    JOURNAL_STOPPING,
    JOURNAL_SOURCE_STOPPED,
    JOURNAL_PUBLISHED,
    JOURNAL_COMMITTED,
    JOURNAL_ABORTED
};

struct journal {
    int64_t gen;
    enum journal_state state;
    int64_t term;          /* of the handoff */
    int64_t step;          /* k: the step that was taken, -1 */
    int64_t source_step;   /* the source's when it was planned, -1 */
    char nonce[33];        /* of the run that wrote the last record */
    char opened_by[33];    /* of the run that stopped the source: names its
                              fence and result file; "" before STOPPING */
    char job_id[32];       /* the target job that wrote it */
    char source[64];       /* cluster */
    char source_root[1024]; /* its resume_root there, absolute */
    char source_hash[41];
    bool shared;           /* one file system */
    struct owner source_job; /* what was stopped; job_id "" for nothing */
    int64_t stopping_at;   /* target's clock, 0 before STOPPING */
    struct json_object *body; /* of the last record, or NULL */
};

/* Reads where it stands. 0 or -1. Free with journal_free. */
int journal_read(const struct run *run, struct journal *j,
                 struct relay_error *err);
void journal_free(struct journal *j);

/* Links the next state. Members that later states need are carried over from
 * j; extra (may be NULL, not consumed) is added. On success j is re-read.
 * 0; -1 with EX_TEMPFAIL when another writer was first. */
int journal_next(const struct run *run, struct journal *j,
                 enum journal_state state, struct json_object *extra,
                 struct relay_error *err);

/* A handoff that is neither committed nor aborted. */
bool journal_open(const struct journal *j);

/* True from STOPPING to SOURCE_STOPPED: the source is fenced, and nothing is
 * in place here yet. */
bool journal_in_flight(const struct journal *j);

/* Links ABORTED after OPEN or STAGED: the source was not touched. Nothing
 * for another state. 0 or -1. */
int journal_give_up(const struct run *run, const char *why,
                    struct relay_error *err);

/* Did this very job (any run of it) consume a handoff already? Then a
 * requeue resumes its own state and never steals the run back. */
bool journal_consumed(const struct run *run);

const char *journal_state_name(enum journal_state state);

#endif
