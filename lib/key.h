/*
 * The identity of a run: ENTITY/PROJECT/RUN_NAME (two slashes split it, the
 * rest is the run name) or 40 hex digits. libc only: the plugin uses it too.
 */
#ifndef RELAY_KEY_H
#define RELAY_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

#define KEY_MAX 512
#define KEY_HASH_LEN 40

/* Checks the form: non-empty parts, no control characters, no part "." or
 * "..", no leading '-' or '/', at most KEY_MAX bytes, UTF-8 taken as it is.
 * Of Slurm's patterns %a, %A and %% are allowed (expanded in the job), any
 * other % is refused. Returns 0, or -1 with EX_USAGE. */
int key_check(const char *key, struct relay_error *err);

/* True for 40 lower- or upper-case hex digits. */
bool key_is_hash(const char *key);

/* The run name inside a checked key (a pointer into it); NULL for a hash. */
const char *key_run_name(const char *key);

/* Expands %a (array task id), %A (array job id) and %% of key into out.
 * array_job and array_task may be NULL: then %A and %a are refused with
 * EX_USAGE. Returns 0 or -1. */
int key_expand(const char *key, const char *array_job, const char *array_task,
               char *out, size_t size, struct relay_error *err);

/* The same for the values of other options: no control characters, and no
 * other pattern than those; then their expansion. option is for messages. */
int key_check_patterns(const char *option, const char *text,
                       struct relay_error *err);
int key_expand_patterns(const char *option, const char *text,
                        const char *array_job, const char *array_task,
                        char *out, size_t size, struct relay_error *err);

/* Checks a handoff source: CLUSTER or CLUSTER:JOBID, where CLUSTER is
 * [A-Za-z0-9][A-Za-z0-9._-]* and JOBID digits or digits_digits (an array
 * member). Copies the parts (jobid is "" when there is none). Returns 0, or
 * -1 with EX_USAGE. */
int key_check_handoff(const char *value, char *cluster, size_t cluster_size,
                      char *jobid, size_t jobid_size,
                      struct relay_error *err);

#endif
