/*
 * How long the training takes to write a checkpoint, by its files alone: when
 * the first of them was made and the last was written. Nobody else saw it.
 */
#ifndef RELAY_SAVETIME_H
#define RELAY_SAVETIME_H

#include <stdint.h>

#include "run.h"

enum savetime_kind {
    SAVETIME_UNKNOWN,
    SAVETIME_WHOLE,   /* from the birth of the first file: the training writes
                         a new file and renames it */
    SAVETIME_AT_LEAST /* from the last write of the first file: files that are
                         written in place, or a file system without births */
};

struct savetime {
    enum savetime_kind kind;
    double seconds; /* the longest of those seen */
    int seen;       /* checkpoints that could be measured so */
};

/* Looks at the state of the run and at those that are kept of it. interval is
 * what lies between two checkpoints, 0 when it is not known: then only what
 * is certain without it is said. */
void savetime_look(const struct run *run, int64_t interval,
                   struct savetime *save);

#endif
