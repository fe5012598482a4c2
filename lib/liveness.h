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

/* What was found of a job (one job id, or one array member). A requeue keeps
 * the job id and gives a new submit time: each is a run. state, submit, start
 * and end are squeue's, that is of the present run; sacct_* and nodes are of
 * the run that was asked about. */
struct job_facts {
    bool squeue_answered;
    bool in_squeue;
    bool invalid_id;  /* squeue: Invalid job id specified */
    int64_t members;  /* the id is an array's: how many of it squeue shows */
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
    int64_t sacct_submit;
    int64_t later_submit; /* sacct: a later run's, 0 for none */
    char raw[16];         /* SLURM_JOB_ID in the job */
    char nodes[512];      /* of its allocation */
    bool nodes_known;     /* nodes is right, also when it is "" (never ran) */
    char bad_node[300];   /* a node that cannot be trusted and why; "" */
    char host[256];       /* that looked */
    int processes;        /* of that run, on that host; -1: not looked for */
    int64_t process;      /* the pid of one of them, 0 for none */
    char fingerprint[80]; /* of the state directory, "absent" when there is
                             none, "" when not asked */
};

/* Looks the latest run of a job up on peer. job_id as in struct owner; nonce
 * may be ""; state_dir (absolute on the peer) may be NULL. Returns 0 or as
 * peer_script; EX_TEMPFAIL when Slurm itself did not answer. */
int liveness_facts(const struct peer *peer, const char *job_id,
                   const char *nonce, const char *state_dir,
                   struct job_facts *facts, struct relay_error *err);

/* The same for the very run that own is (its submit time). */
int liveness_look(const struct peer *peer, const struct owner *own,
                  const char *state_dir, struct job_facts *facts,
                  struct relay_error *err);

/* Judges an owner by facts (and, when this is its host, by its pid).
 * before, when not NULL, are facts of an earlier look: dead needs the same
 * fingerprint in both (when facts have one) and, of an id that only squeue
 * can tell about, its rejection in both. why gets the evidence, a sentence.
 * No I/O but /proc. */
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

/* The same; between two looks meanwhile(arg) is called. */
enum alive liveness_of_meanwhile(const struct peer *peer,
                                 const struct owner *own,
                                 const char *state_dir,
                                 void (*meanwhile)(void *arg), void *arg,
                                 struct job_facts *facts, char *why,
                                 size_t why_size);

/* True for states after which a job does not run again by itself. */
bool liveness_terminal(const char *state);

/* Our own job's submit time by squeue, 0 when it cannot be had. */
int64_t liveness_submit_time(const char *job_id);

/* Asks squeue who the job with own's job_raw is, and sets job_id and submit.
 * A job that was submitted from an array's member inherits SLURM_ARRAY_* and
 * would be taken for that member by its environment. false, and nothing is
 * set, when squeue cannot tell. */
bool liveness_self(struct owner *own);

#endif
