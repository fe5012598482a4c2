/*
 * YAML as PyYAML's safe_load reads it, which is YAML 1.1 with its surprises:
 * 1e-4 is a string, 010 is 8, 12:30 is 750, yes is true. W&B reads sweep
 * files so; we must see the same cells.
 */
#ifndef RELAY_SWEEP_YAML11_H
#define RELAY_SWEEP_YAML11_H

#include <stdbool.h>

#include "lint.h"
#include "value.h"

struct yaml11_options {
    bool floats; /* 1e-4 and its like are numbers (--yaml-floats) */
};

/* Loads one document into v (every value with its line and column); anchors,
 * aliases, merge keys (<<) and the tags !!float !!int !!str !!bool !!null
 * are understood. Traps go to lint. An empty document is None. 0, or -1 with
 * EX_DATAERR and NAME:LINE:COLUMN. */
int yaml11_load(const char *text, size_t len, const char *name,
                const struct yaml11_options *opt, struct value *v,
                struct lint *lint, struct relay_error *err);

#endif
