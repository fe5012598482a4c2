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

/* Records in the history how a sync went; one that could not even be tried is
 * pending, like one that failed. */
void sync_record(struct run *run, const char *to, bool ok);

/* Is there a state that could be copied? A stub is none. */
bool sync_has_state(const struct run *run);

/* Is a sync pending: the last one failed, no newer job has begun, and the
 * state is still here? Then *to (64) says where to. */
bool sync_pending(struct run *run, char *to, size_t size);

#endif
