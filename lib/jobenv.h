/* What the body gets: NUL-separated NAME=VALUE records and RELAY_SET. */
#ifndef RELAY_JOBENV_H
#define RELAY_JOBENV_H

#include <stddef.h>

#include "run.h"

/* Builds the environment of design section 4. run_dir may be NULL. Returns
 * malloc'd records (*len bytes), or NULL out of memory. */
char *jobenv_make(const struct run *run, const char *run_dir, size_t *len);

/* The gate's verdict and environment for the tasks on other nodes:
 * .relay/<hash>/gate/<cluster>-<jobid>-<restart>. code: 0 run, -2 done, else
 * an exit code. 0 or -1. */
int jobenv_publish(const struct run *run, int code, const char *env,
                   size_t len, struct relay_error *err);

/* Takes it away: of an earlier step that was refused, or when the job is over.
 * It may not be there. */
void jobenv_withdraw(const struct run *run);

/* Waits for that file until cancelled. 0 and *code, *env (malloc'd), *len;
 * -1 with EX_TEMPFAIL when cancelled. */
int jobenv_wait(const struct run *run, int *code, char **env, size_t *len,
                struct relay_error *err);

#endif
