/*
 * Is an owner alive, dead or unknown? (doc/protocol.md, section 5.) Evidence
 * is gathered on the owner's own cluster by one script, evidence.sh, here or
 * over ssh, and judged here. Unknown is never taken over.
 */
#ifndef RELAY_LIVENESS_H
#define RELAY_LIVENESS_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "owner.h"
#include "peer.h"

enum alive { ALIVE_YES, ALIVE_DEAD, ALIVE_UNKNOWN };

/* What was found of a job (one job id, or one array member). */
struct job_facts {
    bool squeue_answered;
    bool in_squeue;
    bool invalid_id;  /* squeue: Invalid job id specified */
    bool completing;
    char state[32];   /* squeue's, else sacct's: RUNNING, CANCELLED, ... */
    char name[128];
    char user[64];
    char partition[64];
    char workdir[1024];
    char script[1024]; /* command of the job */
    char stdout_path[1024];
    char comment[256];
    int64_t submit;   /* 0: unknown */
    int64_t start;
    int64_t end;
    int64_t restarts;
    int requeue;      /* 1, 0, -1 unknown */
    bool sacct_answered;
    bool in_sacct;
    char sacct_state[32];
    char nodes[512];      /* of its allocation */
    char bad_node[300];   /* a node that cannot be trusted and why; "" */
    int processes;        /* of that job, on the host that looked; -1 */
    char fingerprint[80]; /* of the state directory, "" when not asked */
};

/* Looks a job up on peer. job_id as in struct owner; nonce may be "";
 * state_dir (absolute on the peer) may be NULL. Returns 0 or as peer_script;
 * EX_TEMPFAIL when Slurm itself did not answer. */
int liveness_facts(const struct peer *peer, const char *job_id,
                   const char *nonce, const char *state_dir,
                   struct job_facts *facts, struct relay_error *err);

/* Judges an owner by facts (and, when this is its host, by its pid).
 * before, when not NULL, are facts of an earlier look: dead needs the same
 * fingerprint in both. why gets the evidence, a sentence. No I/O but /proc. */
enum alive liveness_judge(const struct owner *own,
                          const struct job_facts *before,
                          const struct job_facts *facts, char *why,
                          size_t why_size);

/* Both together: gathers and judges, twice where two looks are needed (at
 * least 2 s apart when the job is terminal; 60 s apart for an id that squeue
 * does not know and sacct cannot tell). Owners outside Slurm are judged by
 * pid on this host. An unreachable peer is ALIVE_UNKNOWN with the reason. */
enum alive liveness_of(const struct peer *peer, const struct owner *own,
                       const char *state_dir, struct job_facts *facts,
                       char *why, size_t why_size);

/* True for states after which a job does not run again by itself. */
bool liveness_terminal(const char *state);

/* Our own job's submit time by squeue, 0 when it cannot be had. */
int64_t liveness_submit_time(const char *job_id);

#endif
