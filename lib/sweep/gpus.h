/* The GPUs of this job on this node, and which of them are one worker's. */
#ifndef RELAY_SWEEP_GPUS_H
#define RELAY_SWEEP_GPUS_H

#include <stdint.h>

#include "command.h"
#include "text.h"

/* Reads a list as CUDA_VISIBLE_DEVICES has it: indices, GPU-UUIDs, MIG names,
 * commas between; a -1 ends it, as CUDA itself reads it. NULL, "" and
 * NoDevFiles are none. name is for messages. Adds to out. 0, or -1 with
 * EX_USAGE for what is no device or stands there twice. */
int gpus_parse(const char *text, const char *name, struct words *out,
               struct relay_error *err);

/* Where this process stands among the tasks of an srun step on its node, by
 * SLURM_LOCALID, SLURM_NODEID and SLURM_STEP_TASKS_PER_NODE. Outside a step,
 * and in the batch script, it is 0 of 1. */
void gpus_local_task(int64_t *task, int64_t *tasks);

/* The number of tasks on node index of a Slurm list such as "4(x2),1"; 0 when
 * it has none. */
int64_t gpus_tasks_on(const char *list, int64_t node);

/* Keeps of all what is the share of task (of tasks): every tasks-th device,
 * so that the shares are disjoint; with fewer devices than tasks one each. 0
 * or -1. */
int gpus_share(const struct words *all, int64_t task, int64_t tasks,
               struct words *share, struct relay_error *err);

/* CUDA_VISIBLE_DEVICES of a slot: per devices of all, from slot * per on and
 * around; NULL when there are none. malloc'd. */
char *gpus_of_slot(const struct words *all, int64_t slot, int64_t per);

#endif
