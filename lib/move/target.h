/*
 * The job that a run moves to: what was submitted for it, kept beside the
 * run's records, so that whoever types the same command again follows the same
 * job and submits no second one.
 */
#ifndef RELAY_MOVE_TARGET_H
#define RELAY_MOVE_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "run.h"

struct target {
    char job_id[32];    /* "4712", or "4712_7"; "" : nothing was submitted */
    char source[64];    /* cluster that the run is brought from */
    char comment[256];  /* that the job was given, and the user's highest job */
    int64_t after;      /* id before it: find it when we were killed between
                           sbatch's answer and our own record */
    int64_t journal;    /* the journal's generation then: what the job did to
                           the run comes after it */
    int64_t submitted;  /* wall clock of this host, 0 */
};

/* What squeue, else sacct, says of a job here. */
struct target_job {
    bool answered;     /* else nothing below is known */
    bool known;        /* Slurm knows the job */
    bool over;         /* it has ended, and runs no more */
    char state[32];    /* PENDING, RUNNING, COMPLETED, ... */
    char reason[64];   /* of a pending one, "" */
    char starts[32];   /* when Slurm expects to begin it, "" */
    char output[1024]; /* path of what it prints, "" */
    char exit[16];     /* CODE:SIGNAL of one that is over, "" unknown */
    int64_t elapsed;   /* seconds it has run, -1 unknown */
};

/* Reads <resume_root>/.relay/<hash>/target.json. No file, or one of another
 * cluster on the same file system, is 0 and an empty job_id. 0 or -1. */
int target_read(const struct run *run, struct target *target,
                struct relay_error *err);

/* Writes it. 0 or -1. */
int target_write(const struct run *run, const struct target *target,
                 struct relay_error *err);

/* The highest id of the user's jobs in the queue here, 0 for none. 0 or -1. */
int target_newest(int64_t *id, struct relay_error *err);

/* The user's job in the queue here with the target's comment and a higher id
 * than after: into job_id. 1 found, 0 none, -1 (also when it is not the only
 * one). */
int target_find(struct target *target, struct relay_error *err);

/* Is there a job that was submitted for the run before, to bring it from that
 * cluster (NULL: from any), and that waits or runs? 1, then target is that
 * job; 0; -1 when it cannot be told. */
int target_before(const struct run *run, const char *source,
                  struct target *target, struct relay_error *err);

/* Has the job written into the run's journal? Then giving the run back is for
 * handoff_abort, and what the journal says is this job's doing. */
bool target_has_begun(const struct run *run, const struct target *target);

/* Asks Slurm about the job. Never fails: look at answered. */
void target_look(const char *job_id, struct target_job *job);

/* scancel. 0, or -1 with Slurm's words. */
int target_cancel(const char *job_id, struct relay_error *err);

#endif
