/* In a task of a step, as the user, just before it becomes the body. */
#ifndef RELAY_SPANK_TASK_H
#define RELAY_SPANK_TASK_H

#include "context.h"

/* The value of task_enter that lets the body run. */
#define TASK_GO_ON (-1)

/* The gate: one task of the job runs stage-in to its end, the others wait for
 * its verdict. Then the environment that stage-in left is set. Returns
 * TASK_GO_ON, or the exit code that the task must end with at once: it has
 * been said why. To return an error to Slurm instead would let the body run
 * where the plugin is optional. */
int task_enter(struct relay_context *context, spank_t sp);

#endif
