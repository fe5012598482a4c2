/*
 * In slurmstepd, as root, around the tasks of a step. What is wrong with a
 * job is only noted here and said by its tasks (task.h): a failure of these
 * hooks would drain the node.
 */
#ifndef RELAY_SPANK_STEP_H
#define RELAY_SPANK_STEP_H

#include "context.h"

/* Before any task: removes the options from the job's environment, so that a
 * submission from inside the job does not inherit its identity; finds the
 * marker, or writes it where the prolog did not run. */
void step_begin(struct relay_context *context, spank_t sp);

/* After a task was started: starts the watcher beside the first one. */
void step_started(struct relay_context *context, spank_t sp);

/* After a task has ended: records the wait status; with the last one ends
 * the watcher. */
void step_task_ended(struct relay_context *context, spank_t sp);

/* After the last task, and when none was started. */
void step_end(struct relay_context *context);

#endif
