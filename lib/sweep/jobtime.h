/* How long the job that we are in may still run. */
#ifndef RELAY_SWEEP_JOBTIME_H
#define RELAY_SWEEP_JOBTIME_H

#include <stdbool.h>
#include <stdint.h>

#define JOBTIME_UNLIMITED INT64_MAX

struct jobtime {
    int64_t until; /* on clock_ms; JOBTIME_UNLIMITED: no end is known */
    int64_t asked; /* squeue, on clock_ms; 0: never */
};

/* By SLURM_JOB_END_TIME, else by squeue; outside a job there is no end. */
void jobtime_begin(struct jobtime *time);

/* Seconds that are left. */
int64_t jobtime_left(const struct jobtime *time);

/* Asks squeue, at most once a minute: somebody may have given the job more
 * time. */
void jobtime_ask(struct jobtime *time);

/* Seconds between Slurm's TERM and its KILL here (KillWait); -1 when that is
 * not to be had within 2 s. Asks also when we were told to end. */
int64_t jobtime_kill_wait(void);

/* Seconds of squeue's %L: "MM:SS", "HH:MM:SS", "D-HH:MM:SS";
 * JOBTIME_UNLIMITED for "UNLIMITED"; -1 for all else ("INVALID"). */
int64_t jobtime_parse(const char *text);

#endif
