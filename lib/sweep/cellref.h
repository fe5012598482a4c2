/*
 * The value of --sweep-cell, SWEEP[:CELL]: a sweep's directory and, where it
 * is to be one cell, which. libc only: the plugin uses it too.
 */
#ifndef RELAY_SWEEP_CELLREF_H
#define RELAY_SWEEP_CELLREF_H

#include <stdbool.h>

#include "error.h"

#define CELLREF_MAX 512

struct cellref {
    char sweep[CELLREF_MAX + 1]; /* as given: it may be relative */
    char cell[CELLREF_MAX + 1];  /* an id, its beginning or "#INDEX"; "": any */
};

/* Checks the form. What stands behind the last ':' is the cell unless there
 * is a '/' in it: an id, "#INDEX" or "%a", which is the cell whose index is
 * the array task's. Of Slurm's patterns %a, %A and %% are taken in both parts
 * (expanded in the job), any other % is refused, as are control characters, a
 * leading '-' and more than CELLREF_MAX bytes. 0, or -1 with EX_USAGE. */
int cellref_check(const char *value, struct relay_error *err);

/* Is one cell meant? */
bool cellref_names_cell(const char *value);

/* Does it say something else in each task of an array (%a, %A)? */
bool cellref_is_of_array(const char *value);

/* Checks and takes apart, with the patterns expanded; array_job and
 * array_task may be NULL, then %A and %a are refused. 0, or -1 EX_USAGE. */
int cellref_parse(const char *value, const char *array_job,
                  const char *array_task, struct cellref *ref,
                  struct relay_error *err);

#endif
