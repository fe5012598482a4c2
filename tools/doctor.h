/*
 * What sresume doctor finds: one line for each check, and what to do about
 * those that are not well. One file for each group of checks.
 */
#ifndef RELAY_DOCTOR_H
#define RELAY_DOCTOR_H

#include <stddef.h>

#include "config.h"
#include "sresume.h"

enum finding_status { FINDING_OK, FINDING_INFO, FINDING_WARN, FINDING_FAIL };

struct finding {
    enum finding_status status;
    const char *check; /* "plugin", "ssh", ...: stable, for --json */
    char text[1200];
};

struct findings {
    struct finding *list;
    size_t n;
    bool broken; /* out of memory */
};

/* Adds a line. */
void finding(struct findings *f, enum finding_status status,
             const char *check, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* `scontrol show config`, kept as text; NULL members when there is none. */
struct slurm_config {
    char *text;
};

/* Value of a line "NAME = VALUE", copied; false when absent. */
bool slurm_value(const struct slurm_config *slurm, const char *name,
                 char *value, size_t size);

/* Seconds of such a line; otherwise when absent or not set (65534). */
long slurm_seconds(const struct slurm_config *slurm, const char *name,
                   long otherwise);

/* doctor_slurm.c: Slurm's own settings, its commands and accounting. */
void doctor_slurm(struct findings *f, struct slurm_config *slurm);
/* doctor_plugin.c: relay.so and its arguments in the plug stack. */
void doctor_plugin(struct findings *f, const struct slurm_config *slurm);
/* The Slurm release a plugin is built for ("22.05"), by its ELF symbol
 * plugin_version. 0, or -1 with what is wrong with the file. */
int doctor_plugin_release(const char *path, char *release, size_t size,
                          struct relay_error *err);

#endif
