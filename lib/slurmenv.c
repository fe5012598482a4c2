#include "slurmenv.h"

#include <stdio.h>
#include <stdlib.h>

const char *slurmenv(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

void slurmenv_job_id(char *id, size_t size)
{
    const char *job = slurmenv("SLURM_JOB_ID");
    const char *array = slurmenv("SLURM_ARRAY_JOB_ID");
    const char *task = slurmenv("SLURM_ARRAY_TASK_ID");

    id[0] = '\0';
    if (array != NULL && task != NULL)
        snprintf(id, size, "%s_%s", array, task);
    else if (job != NULL)
        snprintf(id, size, "%s", job);
}
