/*
 * The plan of a move: what a look at the source, at this cluster and at the
 * submission says about it, with every gate judged. Nothing is changed.
 */
#ifndef RELAY_MOVE_PLAN_H
#define RELAY_MOVE_PLAN_H

#include "gates.h"
#include "handoff.h"
#include "overview.h"
#include "request.h"
#include "run.h"
#include "slots.h"

/* What a person said; strings stay the caller's. */
struct plan_options {
    const char *from;      /* CLUSTER or CLUSTER:JOB */
    const char *profile;   /* --to; NULL */
    char *const *sbatch;   /* sbatch's arguments, the script among them */
    int nsbatch;
    int64_t total;         /* --total-steps; -1 */
    double rate_there;     /* steps a second; < 0 not said */
    double rate_here;
    bool no_tracker;
    bool override[GATES];
};

struct plan {
    const struct plan_options *opt;
    struct run *run;
    struct handoff h;       /* with the look at the source */
    struct overview there;
    struct overview here;
    const struct overview_run *seen; /* the run there, or NULL */
    const struct overview_job *job;  /* that runs it there, or NULL */
    char **args;            /* sbatch's arguments without ours */
    int nargs;
    struct request request;
    struct gate_facts facts;
    struct gate_estimate estimate;
    struct gate_result results[GATES];
    size_t in_the_way;      /* gates that stand in the way */
    /* What facts points to. */
    char gpu_here[64];
    char why_gpu[400];      /* why gpu_here is not known */
    struct slots slots;     /* here */
    char tracker_why[400];
    char twin[400];
    char git_here[64];      /* commit of the working directory, "" */
    int64_t stays_files;    /* of run_dir, that are not copied; -1 unknown */
    int64_t stays_bytes;
    int64_t kept_here;      /* bytes of a state here that a publish keeps */
};

/* Makes the plan for an open run (run->from_cluster is set); there is what
 * overview_look said of the source, taken over by the plan. 0, or -1 as
 * handoff_plan, with EX_USAGE for a submission that cannot be a run's (several
 * tasks of an array). plan_free in both cases. */
int plan_make(struct run *run, const struct plan_options *opt,
              struct overview *there, struct plan *plan,
              struct relay_error *err);
void plan_free(struct plan *plan);

/* As `shandoff --json` prints it (shandoff(1) lists the members). */
struct json_object *plan_json(const struct plan *plan);

/* The source's task of an array, that the target's becomes; "". */
const char *plan_task(const struct plan *plan);

/* The plan's copy ahead, in staging-<nonce>, offered to the job that will
 * hold the lease. seconds is what it took. 0; 1 when nothing is copied ahead
 * (one file system; a checkpoint that is being written all the time, which was
 * said); -1. */
int plan_stage(struct plan *plan, double *seconds, struct relay_error *err);

/* Another one, of what the source has saved since, in the place of the one
 * that is on offer, under another nonce of the run. 0; 1 when the job has taken
 * that, or as above; -1, and the old one stays. */
int plan_stage_again(struct plan *plan, struct relay_error *err);

#endif
