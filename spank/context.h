/*
 * All that the plugin remembers, one struct, owned by dispatch.c. Slurm loads
 * the plugin afresh in sbatch, srun, every slurmstepd and every prolog and
 * epilog: what is here never travels between those.
 */
#ifndef RELAY_SPANK_CONTEXT_H
#define RELAY_SPANK_CONTEXT_H

/* slurm/spank.h of 22.05 uses their types without including them. */
#include <stdint.h>
#include <sys/types.h>

#include <slurm/spank.h>

#include "args.h"
#include "error.h"
#include "marker.h"
#include "options.h"

#define JOB_DIR_MAX (ARGS_PATH_MAX + MARKER_NAME_MAX + 8)

/* One step on one node, in slurmstepd and its tasks. */
struct relay_step {
    uint32_t jobid;
    uint32_t stepid;
    uint32_t nodeid; /* within the step */
    uid_t uid;
    gid_t gid;
    char name[MARKER_NAME_MAX]; /* of the marker */
    char job_dir[JOB_DIR_MAX];  /* RUNDIR/NAME/user */
    bool marked;                /* the job uses an option */
    bool leading;               /* has the gate, the watcher, the status */
    struct marker marker;
    /* Why the job must not go on: always, or when it has not begun yet. */
    struct relay_error refused;
    struct relay_error blocked;
    pid_t stepd;
    int life[2];         /* the watcher ends when [1] is closed */
    uint32_t tasks_left; /* of this node */
    int status;          /* the first bad one of those that ended, or 0 */
};

struct relay_context {
    struct relay_args args;
    struct relay_error inert; /* code 0: the arguments are good */
    struct relay_options options;
    struct spank_option table[OPTION_COUNT]; /* Slurm keeps pointers to it */
    struct relay_step step;
};

#endif
