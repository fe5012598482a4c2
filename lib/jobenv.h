/*
 * What the body gets: NUL-separated records, NAME=VALUE to set, NAME to
 * unset, and RELAY_SET, the names of what was set.
 */
#ifndef RELAY_JOBENV_H
#define RELAY_JOBENV_H

#include <stddef.h>

#include "run.h"
#include "sweep/cellenv.h"

/* Builds the environment of design section 4. run_dir may be NULL; cell (may
 * be NULL) is what a cell of a sweep gets besides, its directory in place of
 * run_dir. Returns malloc'd records (*len bytes), or NULL out of memory. */
char *jobenv_make(const struct run *run, const char *run_dir,
                  const struct cellenv *cell, size_t *len);

/* The value of a variable in such records, or NULL. */
const char *jobenv_get(const char *env, size_t len, const char *name);

/* The gate's verdict and environment for the tasks on other nodes
 * (gatefile.h): in the run's records, in the sweep for a cell. 0 or -1. */
int jobenv_publish(const struct run *run, int code, const char *env,
                   size_t len, struct relay_error *err);

/* Takes it away: of an earlier step that was refused, or when the job is over.
 * It may not be there. */
void jobenv_withdraw(const struct run *run);

/* Is it there? As gatefile_read. */
int jobenv_look(const struct run *run, int *code, char **env, size_t *len,
                struct relay_error *err);

/* Waits for that file until cancelled. 0 and *code, *env (malloc'd), *len;
 * -1 with EX_TEMPFAIL when cancelled. */
int jobenv_wait(const struct run *run, int *code, char **env, size_t *len,
                struct relay_error *err);

#endif
