/*
 * Every process that a child left behind, those that moved to their own
 * session included. libc only.
 *
 * While this process is a child subreaper, an orphan below it becomes its
 * child, so that a walk over /proc by parent finds all of them.
 */
#ifndef RELAY_SPANK_DESCENDANTS_H
#define RELAY_SPANK_DESCENDANTS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

struct descendants {
    pid_t *before; /* children that were there first: other plugins' */
    size_t before_count;
    int was_subreaper;
};

/* Makes this process a child subreaper and remembers the children that it
 * has. Returns 0 or -1 with EX_OSERR. */
int descendants_begin(struct descendants *d, struct relay_error *err);

/* Kills and reaps what has come below this process since, until nothing is
 * left or until (clock_ms) has passed. Restores the subreaper attribute and
 * frees d. Returns 0, or -1 with EX_OSERR when something is still there (a
 * process in an uninterruptible sleep). */
int descendants_end(struct descendants *d, int64_t until,
                    struct relay_error *err);

#endif
