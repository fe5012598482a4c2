#include "environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWN_VARIABLES 6

static size_t count(char *const *env)
{
    size_t n;

    for (n = 0; env != NULL && env[n] != NULL; n++)
        ;
    return n;
}

static int begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Appends a copy of "NAME=" and value; env has room. 0 or -1. */
static int add(char **env, size_t *n, const char *name, const char *value)
{
    size_t size = strlen(name) + strlen(value) + 1;
    char *text = malloc(size);

    if (text == NULL)
        return -1;
    snprintf(text, size, "%s%s", name, value);
    env[(*n)++] = text;
    return 0;
}

char **environment_short(const struct relay_user *user, char *const *from)
{
    char **env = calloc(count(from) + OWN_VARIABLES + 1, sizeof(*env));
    size_t n = 0, i;

    if (env == NULL)
        return NULL;
    if (add(env, &n, "HOME=", user->home) != 0 ||
        add(env, &n, "USER=", user->name) != 0 ||
        add(env, &n, "LOGNAME=", user->name) != 0 ||
        add(env, &n, "SHELL=", user->shell) != 0 ||
        add(env, &n, HELPER_PATH_VARIABLE, "") != 0 ||
        add(env, &n, "LANG=C", "") != 0) {
        environment_free(env);
        return NULL;
    }
    for (i = 0; from != NULL && from[i] != NULL; i++)
        if (begins(from[i], "SLURM_") && add(env, &n, from[i], "") != 0) {
            environment_free(env);
            return NULL;
        }
    return env;
}

char **environment_of_job(char *const *job)
{
    char **env = calloc(count(job) + 2, sizeof(*env));
    size_t n = 0, i;

    if (env == NULL || add(env, &n, HELPER_PATH_VARIABLE, "") != 0) {
        environment_free(env);
        return NULL;
    }
    for (i = 0; job != NULL && job[i] != NULL; i++)
        if (!begins(job[i], "LD_") && !begins(job[i], "PATH=") &&
            add(env, &n, job[i], "") != 0) {
            environment_free(env);
            return NULL;
        }
    return env;
}

void environment_free(char **env)
{
    size_t i;

    for (i = 0; env != NULL && env[i] != NULL; i++)
        free(env[i]);
    free(env);
}

const char *environment_get(char *const *env, const char *name)
{
    size_t len = strlen(name), i;

    for (i = 0; env != NULL && env[i] != NULL; i++)
        if (strncmp(env[i], name, len) == 0 && env[i][len] == '=')
            return env[i] + len + 1;
    return NULL;
}
