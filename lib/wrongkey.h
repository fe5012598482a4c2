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
    int64_t began;    /* clock_ms */
    int64_t saved;    /* mtime of our meta when last seen to change */
    int64_t since_ms; /* when that was */
    int64_t server;   /* file server's time at the beginning */
    bool said;
};

void wrongkey_begin(struct wrongkey *w, struct run *run);

/* saved: the mtime of our meta now (0 for none). Says it once, when nothing
 * was written for three of the run's intervals (15 min at first) and a
 * neighbouring meta is newer than our beginning. True when it was said now. */
bool wrongkey_look(struct wrongkey *w, struct run *run, int64_t saved);

#endif
