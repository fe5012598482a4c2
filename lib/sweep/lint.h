/* Warnings about a source: what is probably not meant. */
#ifndef RELAY_SWEEP_LINT_H
#define RELAY_SWEEP_LINT_H

#include <stddef.h>

struct lint_warning {
    char *text; /* FILE:LINE:COLUMN: what, and what to write instead */
};

/* All zero is an empty list. */
struct lint {
    struct lint_warning *warnings;
    size_t n;
};

/* Adds "NAME:LINE:COLUMN: ..." (without the numbers that are 0). lint may be
 * NULL; out of memory loses the warning and nothing else. */
void lint_add(struct lint *lint, const char *name, int line, int column,
              const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Moves all of from behind those of to (which may be NULL). */
void lint_move(struct lint *from, struct lint *to);

void lint_free(struct lint *lint);

#endif
