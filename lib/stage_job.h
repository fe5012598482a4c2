/* What the parts of stage-in share; for stage_*.c alone. */
#ifndef RELAY_STAGE_JOB_H
#define RELAY_STAGE_JOB_H

#include "stage.h"

/* Writes job_dir/{resolved.json,env,verdict}, the verdict last. Nothing
 * without a job_dir. 0 or -1. */
int stage_write_job_dir(struct run *run, const char *verdict, const char *env,
                        size_t len, struct relay_error *err);

/* The same for a run that has no key (yet): without resolved.json. */
int stage_write_verdict(struct run *run, const char *verdict, const char *env,
                        size_t len, struct relay_error *err);

/* A step that begins on another node than the one whose step was the gate,
 * and was not started from that: when this very job holds the run, what was
 * decided there is taken over, and run goes on under that nonce. 1 it is so
 * (verdict and environment are in job_dir), 0 not, -1. */
int stage_adopt(struct run *run, char **env, size_t *env_len,
                struct relay_error *err);

/* Does the sbatch that runs us chain this job to others? */
bool stage_is_chained(void);

/* The directory that the sbatch (or srun, salloc) that runs us was told by
 * --chdir; false: none. What its script says is not seen. */
bool stage_chdir(char *dir, size_t size);

#endif
