/* The environments that the helper is given. libc only. */
#ifndef RELAY_SPANK_ENVIRONMENT_H
#define RELAY_SPANK_ENVIRONMENT_H

#include "become.h"

#define HELPER_PATH_VARIABLE "PATH=/usr/local/bin:/usr/bin:/bin"

/* A short list: HOME, USER, LOGNAME and SHELL of the user, a fixed PATH,
 * LANG=C, and the SLURM_* of from. Freed with environment_free; NULL when
 * out of memory. */
char **environment_short(const struct relay_user *user, char *const *from);

/* The job's own environment with the fixed PATH and without LD_*. Freed with
 * environment_free; NULL when out of memory. */
char **environment_of_job(char *const *job);

void environment_free(char **env);

/* The value of name in env, or NULL. */
const char *environment_get(char *const *env, const char *name);

#endif
