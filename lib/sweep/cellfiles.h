/* The files in a cell's directory that tell of an attempt. */
#ifndef RELAY_SWEEP_CELLFILES_H
#define RELAY_SWEEP_CELLFILES_H

#include <stdbool.h>

#include "error.h"

#define CELL_LOG "stdout.log"
#define CELL_SUMMARY "summary.json"

#define CELLFILES_NAME 160

/* What the two files are called after they were set aside; "": there was
 * none. */
struct cellfiles_kept {
    char log[CELLFILES_NAME];
    char summary[CELLFILES_NAME];
};

/* Renames <dir>/name to name.bak-<time of UTC, as 20261122T151200Z>, never
 * over another file. A missing one is fine. 0 or -1 (EX_IOERR). */
int cellfiles_set_aside(const char *dir, const char *name,
                        struct relay_error *err);

/* The same of stdout.log and summary.json, both or none: what --force does
 * before a cell is run again. */
int cellfiles_back_up(const char *dir, struct relay_error *err);

/* The same, and *kept says how to undo it. */
int cellfiles_keep(const char *dir, struct cellfiles_kept *kept,
                   struct relay_error *err);
void cellfiles_put_back(const char *dir, const struct cellfiles_kept *kept);

/* Before a cell is run again after an attempt that was judged, which says
 * nothing of the next: backs up both when redone (a person said so), else sets
 * aside a summary that judges. 0 or -1. */
int cellfiles_clear(const char *dir, bool redone, struct relay_error *err);

/* Does <dir>/summary.json have an "ok", true or not? */
bool cellfiles_summary_judges(const char *dir);

#endif
