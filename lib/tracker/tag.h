/* The claim tag of a run: who claimed it. */
#ifndef RELAY_TRACKER_TAG_H
#define RELAY_TRACKER_TAG_H

#include <json-c/json.h>
#include <stdbool.h>

#include "tracker/tracker.h"

/* Fills cluster, job and nonce of run from the last claim tag among its tags;
 * 0 or -1 (memory). */
int tag_read(struct tracker_run *run);

/* Is the claim of run that of this nonce (of any length)? */
bool tag_is_of(const struct tracker_run *run, const char *nonce);

/* The tags of run (NULL: none) with claim tag TAG in the place of what it has;
 * NULL: out of memory. */
struct json_object *tag_replace(const struct tracker_run *run,
                                const char *tag);

#endif
