/*
 * Auto-sync: a copy of the state on another cluster (or in a directory), for
 * a later handoff to start from. It goes to .relay/<hash>/mirror/<cluster>/
 * there, never into a live directory.
 */
#ifndef RELAY_SYNC_H
#define RELAY_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run.h"

/* Copies to `to` (a directory when it holds a '/', else a cluster), within
 * deadline_s seconds (0: no limit). Records the outcome in the history (sync,
 * to, ok). 0 or -1. */
int sync_push(struct run *run, const char *to, int64_t deadline_s,
              struct relay_error *err);

/* Is a sync pending: the last one failed, and the state and lease have not
 * moved on since? Then *to (64) says where to. */
bool sync_pending(struct run *run, char *to, size_t size);

#endif
