/*
 * W&B as a reader of what is finished and alive, and as the place where two
 * clusters claim one cell (doc/tracker.md). A tracker that cannot be asked is
 * never a lost run: every call gives EX_UNAVAILABLE or EX_TEMPFAIL then
 * (tracker_unreachable), and callers make a warning of it.
 *
 * No function is for two threads at once. Every wait ends when
 * process_cancelled() says so (EX_TEMPFAIL).
 */
#ifndef RELAY_TRACKER_H
#define RELAY_TRACKER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "error.h"

struct tracker; /* one project of one server */

struct tracker_options {
    enum tracker_wish wish; /* config: tracker */
    const char *entity;     /* NULL: WANDB_ENTITY, settings, else the key's
                               own default */
    const char *project;    /* NULL: WANDB_PROJECT, settings, else W&B's
                               "uncategorized" */
    const char *workdir;    /* where ./wandb/settings is; NULL: "." */
    int64_t budget_s;       /* of one call: all tries and waits; 0: as long
                               as W&B's own client tries (20 times) */
    /* Told before each wait of a second or more ("W&B asks for a pause of
     * 30 s"); NULL: nobody. */
    void (*say)(void *arg, const char *line);
    void *say_arg;
    /* Waits instead of the clock, which is moved on by ms; NULL: real time.
     * For tests. */
    void (*wait)(void *arg, int64_t ms);
    void *wait_arg;
};

/* Finds credentials and settings; asks nobody yet. 0: *t is open, for
 * tracker_close. 1: *t is NULL, the tracker is not used, err->text (code 0)
 * says why: switched off, W&B is offline or disabled here, or `auto` and no
 * key for the server. -1: EX_CONFIG (settings, or `wandb` and no key),
 * EX_OSERR. */
int tracker_open(const struct tracker_options *o, struct tracker **t,
                 struct relay_error *err);
void tracker_close(struct tracker *t);

/* "team/project at api.wandb.ai", for messages. */
const char *tracker_where(const struct tracker *t);

/* True when err says that the tracker could not be asked just now
 * (unreachable, too slow, rate limit, out of budget, interrupted): a warning.
 * False: the key was refused (EX_NOPERM), the reply makes no sense
 * (EX_DATAERR), a setting is wrong. */
bool tracker_unreachable(const struct relay_error *err);

/* --- what runs there are -------------------------------------------------- */

/* ALIVE: running, pending, preempting. DEAD: finished, failed, killed,
 * preempted. UNKNOWN: crashed (W&B heard nothing for five minutes, which a
 * lost network or a run that logs offline does too: ask the cluster in the
 * claim), null, and every state that is not known here. UNKNOWN counts as
 * alive unless somebody else proves the contrary. */
enum tracker_life { TRACKER_UNKNOWN, TRACKER_ALIVE, TRACKER_DEAD };

enum tracker_life tracker_life_of(const char *state); /* may be NULL */
const char *tracker_life_name(enum tracker_life life);

struct tracker_run {
    bool exists;      /* false: absent; then only id is set */
    char *id;         /* what WANDB_RUN_ID says */
    char *storage_id; /* opaque; NULL unknown */
    char *name;       /* display name, not unique; NULL */
    char *state;      /* as the server has it; NULL */
    enum tracker_life life;
    bool finished;    /* state is "finished": it ended with exit 0 */
    char *group;      /* NULL */
    char **tags;
    size_t ntags;
    /* Of the claim tag; NULL for all three when it has none. */
    char *cluster;
    char *job;
    char *nonce;      /* its first 16 digits */
    int64_t age;      /* seconds since it was made and */
    int64_t quiet;    /* since its last heartbeat, both by the server's own
                         clock; -1 unknown (a bare claim has no heartbeat) */
    int64_t history;  /* lines logged; -1 unknown */
};

struct tracker_runs {
    struct tracker_run *runs;
    size_t n;
    bool project;   /* false: no such project, or not visible to this key */
    bool read_only; /* this key cannot claim there */
    bool whole;     /* false: the server's count and what it listed differ
                       also after reading again: some may be missing */
};

void tracker_runs_free(struct tracker_runs *runs); /* all zero is fine */

/* The runs of these ids (all different): runs->runs[i] is ids[i], for all n.
 * One request for each 500 (a listing, `$in`). The absence that a job is to be
 * started on is confirmed by tracker_exact, or by tracker_claim, which does.
 * 0 or -1. */
int tracker_states(struct tracker *t, const char *const *ids, size_t n,
                   struct tracker_runs *runs, struct relay_error *err);

/* The same by exact id, which no shifting page can hide: one request for
 * each 100. runs->whole is true. 0 or -1. */
int tracker_exact(struct tracker *t, const char *const *ids, size_t n,
                  struct tracker_runs *runs, struct relay_error *err);

/* All runs of a group, oldest first. 0 or -1. */
int tracker_group(struct tracker *t, const char *group,
                  struct tracker_runs *runs, struct relay_error *err);

/* How many finished runs have this display name. runs has the first five of
 * them; *count may be larger, and runs->project false means none for want of
 * the project. One request. 0 or -1. */
int tracker_finished(struct tracker *t, const char *name, int64_t *count,
                     struct tracker_runs *runs, struct relay_error *err);

/* --- claims --------------------------------------------------------------- */

struct tracker_claimant {
    const char *cluster; /* with job 35 characters at most (a tag has 64) */
    const char *job;     /* "4711" or "4711_7" */
    const char *nonce;   /* of file_nonce; kept by the caller before the
                            claim, so that a lost reply is not a lost claim */
    const char *group;   /* NULL: none */
    const char *name;    /* display name; NULL: W&B makes one */
    struct json_object *config; /* {"lr": 0.1, ...} unwrapped; NULL: none */
};

enum tracker_claimed {
    TRACKER_CLAIMED,   /* ours: start it with WANDB_RUN_ID=id
                          WANDB_RESUME=allow */
    TRACKER_HELD,      /* the run is there and not ours: see held (a finished
                          or dead one is held, too) */
    TRACKER_TOMBSTONE, /* it was deleted in W&B: the id can never be used
                          again; skip the cell and say so */
    TRACKER_UNSURE     /* the reply was lost and reading back did not settle
                          it: not ours now; ask again later with the same
                          nonce */
};

struct tracker_claim {
    enum tracker_claimed outcome;
    struct tracker_runs held; /* HELD, UNSURE: one run or none */
    bool orphan;  /* HELD, UNSURE: pending, nobody's tag, older than ten
                     minutes: its claimant died between its two calls;
                     tracker_fail, then tracker_retake */
    char why[400]; /* a sentence without a full stop: who holds it, ... */
};

/* Claims the run of that id ([A-Za-z0-9_-], 64 at most): at most one claimant
 * of all clusters gets CLAIMED, and the same nonce gets it again. 0 and
 * *claim (free with tracker_claim_free), or -1: nothing was claimed. */
int tracker_claim(struct tracker *t, const char *id,
                  const struct tracker_claimant *who,
                  struct tracker_claim *claim, struct relay_error *err);

/* Claims a run that is there, whose claimant is known to be dead (failed,
 * crashed or preempted in W&B). Of several that retake at once one gets it by
 * the server's own refusal of the second transition to pending; unlike
 * tracker_claim this rests on a rule of the server that is documented and not
 * proven under load: let only the cluster that found the death retake. */
int tracker_retake(struct tracker *t, const char *id,
                   const struct tracker_claimant *who,
                   struct tracker_claim *claim, struct relay_error *err);

void tracker_claim_free(struct tracker_claim *claim);

/* Records that the claimant of a run is dead: state failed, if it is pending
 * or running and its claim tag has this nonce (NULL: whoever's, also
 * nobody's). 0: it is dead now, or crashed, which W&B cannot make failed, or
 * is not there; *done (may be NULL) is false when there was nothing to do.
 * -1: EX_NOPERM when it is another's claim, EX_UNAVAILABLE also when this
 * server cannot change states. */
int tracker_fail(struct tracker *t, const char *id, const char *nonce,
                 bool *done, struct relay_error *err);

/* The claim tag, "slurmclaim:CLUSTER/JOB/NONCE16": to be put into WANDB_TAGS
 * of a job that sets tags of its own, which would replace it. 0, or -1 with
 * EX_CONFIG when it does not fit. */
int tracker_tag(const struct tracker_claimant *who, char tag[65],
                struct relay_error *err);

#endif
