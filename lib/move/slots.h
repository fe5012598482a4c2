/*
 * Free slots here: what this user's jobs take in a partition and in a QOS,
 * against the limits of relay.yaml and of accounting; and who gets them. No
 * I/O.
 */
#ifndef RELAY_MOVE_SLOTS_H
#define RELAY_MOVE_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The output of squeue -h -a -r --me -O SLOTS_SQUEUE: -r has a line for each
 * task of an array. tres-alloc is also what a pending job asks for, but has
 * GPUs only where AccountingStorageTRES does. */
#define SLOTS_SQUEUE                                                          \
    "jobarrayid:|,state:|,partition:|,qos:|,numnodes:|,numtasks:|,"          \
    "tres-alloc:|,tres-per-job:|,tres-per-node:|,tres-per-socket:|,"         \
    "tres-per-task:"

/* The output of sacctmgr -nP show qos format=SLOTS_QOS. */
#define SLOTS_QOS "name,maxjobspu,maxsubmitpu,maxtrespu"

struct slot_use {
    int64_t jobs; /* running and pending; -1 unknown */
    int64_t gpus; /* of those; -1 unknown */
};

/* What the jobs of squeue's text take in a partition (a list: any of them) and
 * in a QOS; NULL or "": in any. */
void slots_use(const char *squeue, const char *partition, const char *qos,
               struct slot_use *use);

struct slot_limit {
    int64_t now;    /* -1 unknown */
    int64_t max;    /* -1: no limit */
    char whose[96]; /* "max_gpus", "MaxTRESPU of QOS hi" */
};

struct slots {
    struct slot_limit jobs;
    struct slot_limit gpus;
    char why[400]; /* what could not be found out, "" */
};

/* No limits. */
void slots_init(struct slots *s);

/* Another limit (-1: none) and what counts against it: kept when it leaves
 * less room than the one that is there, or when its use is not known. */
void slots_limit(struct slot_limit *limit, int64_t now, int64_t max,
                 const char *whose);

/* The limits of max_jobs and max_gpus as relay.yaml has them (0: none). */
void slots_configured(struct slots *s, const struct slot_use *use,
                      int max_jobs, int max_gpus);

/* The limits of a QOS by sacctmgr's text. false when it is not in there. */
bool slots_of_qos(struct slots *s, const struct slot_use *use,
                  const char *sacctmgr, const char *qos);

/* How many more fit: INT64_MAX without a limit and where the use is not
 * known (that is for a gate to say), never negative. */
int64_t slots_room(const struct slot_limit *limit);

struct slot_candidate {
    int64_t gain; /* seconds */
    bool known;   /* that gain; unknown ones come last */
    int gpus;     /* that it needs; -1 unknown counts as 1 */
    bool goes;    /* the answer */
};

/* Who goes now: at most max of them (0: no such limit), by who gains most, as
 * slots allow; one that needs more GPUs than are left lets smaller ones
 * behind it go. Of equals the first. 0, or -1 out of memory. */
int slots_share(struct slot_candidate *candidates, size_t n,
                const struct slots *s, size_t max);

#endif
