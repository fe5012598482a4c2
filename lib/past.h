/*
 * How the user's jobs of the last weeks ended, as sacct has it, and how long
 * Slurm waits for a job that it has told to end: what an interval between
 * checkpoints is made of.
 */
#ifndef RELAY_PAST_H
#define RELAY_PAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "error.h"

/* One run of one job: a requeued job has several. */
struct past_job {
    char id[32]; /* 4711, or 4711_7 */
    char partition[64];
    char state[24];  /* first word of Slurm's */
    int64_t elapsed; /* seconds of it in the window */
};

struct past_partition {
    char name[64];
    int64_t grace;  /* GraceTime, seconds */
    bool preempted; /* its jobs can be preempted */
};

struct past {
    struct past_job *jobs;
    size_t n;
    struct past_partition *partitions;
    size_t npartitions;
    int64_t kill_wait; /* seconds; -1 unknown */
};

struct past_sum {
    int64_t jobs;     /* runs that began */
    int64_t exposure; /* seconds of all of them */
    int64_t failures; /* that were interrupted: the two below */
    int64_t preempted;
    int64_t broken;   /* node failures and what Slurm counts with them */
    int64_t censored; /* that ended otherwise, or have not */
};

/* Parses sacct's lines JobID|Partition|State|ElapsedRaw; lines of another
 * form are left out. past is all zero before. 0, or -1 out of memory. */
int past_parse(const char *text, size_t len, struct past *past);

/* The sums of one partition (a job that may use several counts for each);
 * NULL: of all. What has not run counts for nothing. */
void past_sum(const struct past *past, const char *partition,
              struct past_sum *sum);

/* The partition that the last run of that job was in, or NULL. */
const char *past_partition_of(const struct past *past, const char *job_id);

/* Settings of that partition, or NULL. */
const struct past_partition *past_settings(const struct past *past,
                                           const char *partition);

/* Asks this cluster for the last `seconds`. 0, or -1 with EX_UNAVAILABLE when
 * there is no Slurm or no accounting. past_free in both cases. */
int past_ask(const struct config *cfg, int64_t seconds, struct past *past,
             struct relay_error *err);
void past_free(struct past *past);

#endif
