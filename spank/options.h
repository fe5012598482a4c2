/*
 * The options of sbatch, srun and salloc, as one table. libc only: what is
 * here knows nothing of spank.h.
 */
#ifndef RELAY_SPANK_OPTIONS_H
#define RELAY_SPANK_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

enum relay_option {
    OPTION_RESUME_KEY,
    OPTION_HANDOFF_FROM,
    OPTION_SWEEP_CELL,
    OPTION_COUNT
};

#define OPTION_VALUE_MAX 512
#define OPTION_REASON_MAX 400

/* What was asked for. A value is either good, or "" with the reason why it
 * was refused; never both. */
struct relay_options {
    char value[OPTION_COUNT][OPTION_VALUE_MAX + 1];
    char refused[OPTION_COUNT][OPTION_REASON_MAX];
};

/* "resume-key", "KEY" and a sentence for --help. */
const char *option_name(enum relay_option which);
const char *option_arginfo(enum relay_option which);
const char *option_usage(enum relay_option which);

/* PREFIX and the option's name with '_' for '-' into text: with upper set
 * "SBATCH_RESUME_KEY", else "_SLURM_SPANK_OPTION_relay_resume_key". */
void option_variable(enum relay_option which, const char *prefix, bool upper,
                     char *text, size_t size);

/* Checks a value and stores it; the last one wins. On a bad one stores the
 * reason instead and returns -1 with EX_USAGE. */
int options_set(struct relay_options *options, enum relay_option which,
                const char *value, struct relay_error *err);

/* True when any option was given, good or bad. */
bool options_given(const struct relay_options *options);

/* The name of the first one that was given; "" when none was. */
const char *options_first(const struct relay_options *options);

/* Checks the options against each other, and repeats what options_set said
 * of a bad value. Returns 0, or -1 with EX_USAGE. */
int options_check(const struct relay_options *options,
                  struct relay_error *err);

#endif
