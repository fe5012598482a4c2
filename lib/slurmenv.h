/* What Slurm tells a job by its environment. */
#ifndef RELAY_SLURMENV_H
#define RELAY_SLURMENV_H

#include <stdbool.h>
#include <stddef.h>

/* A variable, NULL when it is unset or empty. */
const char *slurmenv(const char *name);

/* The name that Slurm's commands know this job by: ID, or ID_TASK for one of
 * an array (the last task's raw id is the whole array's). "" outside. */
void slurmenv_job_id(char *id, size_t size);

#endif
