/* Scalars of relay.yaml: text to value. Each says why in *why on failure. */
#ifndef RELAY_CONFIG_VALUE_H
#define RELAY_CONFIG_VALUE_H

#include <stdint.h>

/* "90", "120s", "30m", "2h", "1d", "1h30m" to seconds; at most ten years.
 * 0 or -1. */
int value_duration(const char *text, int64_t *seconds, const char **why);

/* A number of things: 0 to a million. 0 or -1. */
int value_count(const char *text, int *count, const char **why);

/* A positive finite factor. 0 or -1. */
int value_factor(const char *text, double *factor, const char **why);

/* USR1 or SIGUSR1 to *name "USR1" (static), none to NULL. 0 or -1. */
int value_signal(const char *text, const char **name, const char **why);

/* A host or user@host that no program can take for an option. 0 or -1. */
int value_host(const char *text, const char **why);

/* A cluster's name: [A-Za-z0-9][A-Za-z0-9._-]*. 0 or -1. */
int value_name(const char *text, const char **why);

/* An extended regular expression with exactly one group. 0 or -1. */
int value_regex(const char *text, const char **why);

#endif
