/* The watcher: a child of slurmstepd's beside the body, as the user. */
#ifndef RELAY_SPANK_WATCH_H
#define RELAY_SPANK_WATCH_H

#include "context.h"

/* Makes the pipe whose end tells the watcher to end. Before the tasks, so
 * that it is slurmstepd's own, whatever process the later hooks run in
 * (SlurmdParameters=contain_spank). On failure there is no watcher. */
void watch_prepare(struct relay_step *step);

/* Starts the watcher; one at a time for a job on this node. 0 or -1. */
int watch_start(struct relay_context *context, spank_t sp,
                struct relay_error *err);

/* Closes the pipe. */
void watch_end(struct relay_step *step);

#endif
