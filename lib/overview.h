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

struct overview_job {
    char id[32];        /* 4711, or 4711_7 */
    char task[16];      /* "7" of an array's member, "" */
    char state[24];     /* RUNNING, PENDING, ... */
    char reason[64];    /* of a pending one */
    char *name;
    char partition[64];
    char *comment;
    char *script;       /* command of the job, "" */
    char *workdir;
    char *node;         /* first node of its allocation, "" */
    char gpu[64];       /* type of its GPUs as Gres has it; "" unknown */
    int gpus;           /* 0 for none; -1 unknown */
    int64_t limit_left; /* seconds until its time limit, -1 unknown */
};

struct overview_run {
    char hash[41];
    char *name; /* NULL: unknown */
    char *key;  /* ENTITY/PROJECT/NAME, NULL: unknown */
    int64_t step;     /* -1 */
    int64_t age;      /* seconds since the checkpoint, by the clock there;
                         -1 no meta */
    bool completed;
    bool stub;
    char moved_to[64];
    enum lease_kind lease; /* of the last record; LEASE_NONE */
    int64_t gen, term;
    char owner_job[32];    /* of a claim or reinstate, "" */
    const struct overview_job *job; /* that runs or waits for it, or NULL */
    double rate;      /* steps a second by its own progress; < 0 unknown */
    int64_t interval; /* seconds between checkpoints, 0 unknown */
    int64_t total;    /* steps: meta, else the log's `step: N/TOTAL`; -1 */
    bool stale;       /* running, and no checkpoint for three intervals */
};

struct overview {
    char cluster[64];
    bool answered;   /* else why */
    char why[400];
    char root[1024]; /* resume_root there, absolute */
    bool slurm;      /* squeue answered */
    struct overview_run *runs;
    size_t n;
    struct overview_job *jobs;
    size_t njobs;
};

struct overview_want {
    const char *pattern; /* fnmatch of name, key or hash; NULL: all */
    int64_t deadline_ms;
};

/* One look. A cluster that does not answer is 0 with answered == false; -1 is
 * for configuration and memory. Free with overview_free in both cases. */
int overview_look(const struct config *cfg, const char *cluster,
                  const struct overview_want *want, struct overview *o,
                  struct relay_error *err);
void overview_free(struct overview *o);

#endif
