/*
 * Does the training use another key than the flag's? Then nothing is written
 * in our directory while a neighbour's changes.
 */
#ifndef RELAY_WRONGKEY_H
#define RELAY_WRONGKEY_H

#include <stdbool.h>
#include <stdint.h>

#include "run.h"

struct wrongkey {
    int64_t began;  /* clock_ms */
    int64_t looked; /* clock_ms: at the neighbours */
    int64_t saved;  /* mtime of our meta at the first look */
    int64_t server; /* file server's time at the beginning */
    bool begun;
    bool over;      /* it was said, or our own directory was written */
};

void wrongkey_begin(struct wrongkey *w, struct run *run);

/* saved: the mtime of our meta now (0 for none). Says it once, when nothing
 * was written since the beginning for three of the run's intervals (15 min at
 * first) and a neighbour changes. True when it was said now. */
bool wrongkey_look(struct wrongkey *w, struct run *run, int64_t saved);

/* A run beside ours whose meta is newer than since (file server's time) and
 * that nobody has the lease of: hash (41 bytes) and name (may be ""). */
bool wrongkey_neighbour(const struct run *run, int64_t since, char *hash,
                        char *name, size_t name_size);

#endif
