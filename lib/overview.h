/*
 * What a cluster has, by one script there (one ssh): every run below its
 * resume_root with step, age, rate and owner, and the user's jobs in the
 * queue. For listings and for finding what is to be moved; it decides nothing.
 */
#ifndef RELAY_OVERVIEW_H
#define RELAY_OVERVIEW_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "error.h"
#include "lease.h"
#include "peer.h"
#include "state.h"

struct overview_job {
    char id[32];     /* 4711, or 4711_7 */
    char task[16];   /* "7" of an array's member, "" */
    char state[24];  /* RUNNING, PENDING, ... */
    char reason[64]; /* of a pending one */
    char *name;
    char partition[64]; /* of a pending one it may be a list */
    char *comment;
    char *script; /* command of the job with its arguments, "" */
    char *workdir;
    char *node;         /* first node of its allocation, "" */
    char gpu[64];       /* type of its GPUs as Gres has it; "" unknown */
    int gpus;           /* of the whole job; 0 for none; -1 unknown */
    int nodes;          /* 0 unknown */
    int restarts;       /* -1 unknown */
    int64_t limit_left; /* seconds until its time limit, -1 unknown or none */
    int64_t start;      /* by the clock there; 0 not yet */
    /* By its output, of one that runs: the first and the last `step N/TOTAL`
     * of it, and when it was last written; -1 unknown. */
    int64_t log_first, log_step, log_total, log_time;
};

/* Is the copy of a run the one that counts? */
enum overview_copy {
    OVERVIEW_ALONE,         /* no other cluster that answered has it */
    OVERVIEW_AUTHORITATIVE, /* of several */
    OVERVIEW_OTHER,
    OVERVIEW_UNCLEAR /* of several, and it cannot be told */
};

struct overview_run {
    char hash[41];
    char *name;   /* NULL: unknown */
    char *key;    /* ENTITY/PROJECT/NAME, NULL: unknown */
    int64_t step; /* -1 */
    int64_t age;  /* seconds since the checkpoint, by the clock there;
                     -1 no meta */
    bool completed;
    bool stub;
    char moved_to[64];     /* of a stub or a fence */
    int64_t moved_term;    /* of a stub, 0 */
    enum lease_kind lease; /* of the last record; LEASE_NONE */
    int64_t gen, term;
    bool moving;            /* a claim made for a handoff that goes on */
    char owner_job[32];     /* of a claim or reinstate, "" */
    char owner_cluster[64]; /* the same */
    char owner[160];        /* who holds it or shall run it, for people */
    char journal[24];       /* last state of a handoff to there, "" */
    char cause[24];         /* of a release, "" */
    const struct overview_job *job; /* that runs or waits for it, or NULL */
    enum run_state state;
    double rate;      /* steps a second by its own progress; < 0 unknown */
    bool rate_by_log; /* by its output, the start of the job included: a
                         lower bound */
    int64_t interval; /* seconds between checkpoints, 0 unknown */
    int64_t total;    /* steps: meta, else the log's `step N/TOTAL`; -1 */
    bool stale;       /* running for three intervals without a checkpoint */
    enum overview_copy copy; /* set by overview_pair */
    char trouble[300];       /* what of it cannot be read */
};

/* The nodes of a partition that have the same GPUs. */
struct overview_partition {
    char name[64];
    bool usual;   /* the one that a job gets without -p */
    char gpu[64]; /* type, "" for none or untyped */
    int gpus;     /* of a node */
    int nodes;
};

struct overview {
    char cluster[64];
    bool local;    /* this cluster */
    bool answered; /* else why */
    char why[400];
    char root[1024]; /* resume_root there, absolute */
    int64_t now;     /* by the clock there */
    bool slurm;      /* squeue answered, else slurm_why */
    char slurm_why[300];
    struct overview_run *runs; /* by name; those without one last */
    size_t n;
    struct overview_job *jobs;
    size_t njobs;
    struct overview_partition *partitions; /* all that the user sees */
    size_t npartitions;
};

struct overview_want {
    const char *pattern; /* fnmatch of name, key or hash; NULL: all */
    const char *root;    /* this cluster's resume_root, absolute; NULL: the
                            configured one */
    int64_t deadline_ms;
};

/* One look. A cluster that does not answer is 0 with answered == false; -1 is
 * for configuration and memory. Free with overview_free in both cases. */
int overview_look(const struct config *cfg, const char *cluster,
                  const struct overview_want *want, struct overview *o,
                  struct relay_error *err);
void overview_free(struct overview *o);

/* A look at every configured cluster, all at once: this one first, the others
 * in the configuration's order, without those that are not reached by ssh.
 * What is wrong with one is its why; -1 is for memory. *list and its elements
 * are the caller's (overview_free_all) in both cases. */
int overview_look_all(const struct config *cfg,
                      const struct overview_want *want, struct overview **list,
                      size_t *n, struct relay_error *err);
void overview_free_all(struct overview *list, size_t n);

/* What overview_look does with the script's reply; o->cluster and o->local
 * are set. 0, or -1 out of memory. */
int overview_take(struct overview *o, const struct peer_reply *reply,
                  const char *pattern, struct relay_error *err);

/* Sets copy of each run that several clusters have: by stubs and fences, then
 * by term, then who runs it, then step. */
void overview_pair(struct overview *list, size_t n);

/* Seconds until the last step at its rate, -1 unknown or not running. */
int64_t overview_eta(const struct overview_run *run);

/* A run elsewhere that a move to this cluster would bring on. */
struct overview_hint {
    const struct overview *from;
    const struct overview_run *run;
    char why[640];
};

/* Those, by facts alone that are certain: a slot is free here (max_gpus, or
 * nobody of the user's waits), the speed of both GPUs is configured and, for
 * one that runs, the rest of it takes longer than the break-even. *hints to
 * free; how many in *n. 0, or -1 out of memory. */
int overview_hints(const struct config *cfg, const struct overview *list,
                   size_t n, struct overview_hint **hints, size_t *count,
                   struct relay_error *err);

/* Jobs of o that are in the queue of that partition (NULL: any), by GPUs:
 * what they hold or ask for; jobs of an unknown number count as one. */
int64_t overview_gpus_in(const struct overview *o, const char *partition);

#endif
