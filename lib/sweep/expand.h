/*
 * The cells of a W&B sweep, computed one by one: the grid as W&B's own code
 * lists it, with its deduplication, or random cells by seed. Memory does not
 * grow with the number of cells, but where equal cells must be found: eight
 * bytes a cell then, with `when` and for random cells of lists alone (equal
 * draws are one cell: W&B would run it twice). run_cap ends a grid, too.
 */
#ifndef RELAY_SWEEP_EXPAND_H
#define RELAY_SWEEP_EXPAND_H

#include <stdint.h>

#include "relayline.h"
#include "value.h"
#include "wandb.h"

struct expand; /* opaque */

/* Prepares; sweep, lines and name (the file's, for messages) stay the
 * caller's and must live as long. 0, or -1 with EX_DATAERR (a zip of
 * different lengths, a `when` of an unknown parameter or in a circle, random
 * without seed or run_cap, more than 2^32 cells). */
int expand_open(const struct wandb_sweep *sweep,
                const struct relay_lines *lines, const char *name,
                struct expand **out, struct relay_error *err);
void expand_close(struct expand *expand);

uint64_t expand_size(const struct expand *expand);

/* The parameters of cell index: a dict, nested as the file nests, keys of
 * each level sorted by code points. Free with value_free. 0 or -1. */
int expand_cell(const struct expand *expand, uint64_t index,
                struct value *params, struct relay_error *err);

/* The same without making values: appends value_canonical of the dict that
 * expand_cell would give, without the top-level keys that drop() is true of.
 * Made to be called a million times a second. 0 or -1. */
int expand_canonical(const struct expand *expand, uint64_t index,
                     bool (*drop)(void *arg, const char *key), void *arg,
                     struct text *out, struct relay_error *err);

/* The parameter of that top-level name in cell index; NULL when it has none.
 * It belongs to the sweep, or it is computed into *room (what was there is
 * not freed), which the caller frees in all cases. */
const struct value *expand_value(const struct expand *expand, uint64_t index,
                                 const char *name, struct value *room);

#endif
