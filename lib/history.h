/* history/<nonce>.jsonl of a run (doc/protocol.md, section 9). */
#ifndef RELAY_HISTORY_H
#define RELAY_HISTORY_H

#include <json-c/json.h>
#include <stdint.h>

#include "error.h"

/* Appends {"format":1,"time":..,"event":event} and extra's members (may be
 * NULL, not consumed). relayfd is <resume_root>/.relay/<hash>. 0 or -1. */
int history_add(int relayfd, const char *nonce, const char *event,
                struct json_object *extra, struct relay_error *err);

/* Every event of every writer, sorted by time: a JSON array to put. NULL on
 * error; no history is an empty array. */
struct json_object *history_read(int relayfd, struct relay_error *err);

/* The same of one writer alone. */
struct json_object *history_read_of(int relayfd, const char *nonce,
                                    struct relay_error *err);

/* Seconds between this run's checkpoints: median over progress events of
 * distinct steps; 0 when fewer than two are known. */
int64_t history_interval(struct json_object *events);

/* Steps a second of this run while it trained, over its progress events; the
 * pauses between jobs do not count. 0 when fewer than two are known. */
double history_rate(struct json_object *events);

#endif
