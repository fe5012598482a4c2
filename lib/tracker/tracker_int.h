/* What the files of lib/tracker share. */
#ifndef RELAY_TRACKER_INT_H
#define RELAY_TRACKER_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tracker/http.h"
#include "tracker/settings.h"
#include "tracker/tracker.h"

struct tracker {
    struct tracker_options o; /* its texts are not kept */
    struct tracker_settings s;
    struct http *http;
    struct text where;
    int64_t moved_ms;   /* by which o.wait has moved the clock */
    int64_t deadline;   /* of the call under way; 0: none */
    int64_t not_before; /* the server's quota is used up until then */
};

/* Monotonic milliseconds, with what o.wait has skipped. */
int64_t tracker_clock(const struct tracker *t);

/* At the begin of each call of tracker.h: its budget starts, and the entity
 * is asked for if none was given. 0 or -1. */
int tracker_begin(struct tracker *t, struct relay_error *err);

/* {"project": ..., "entity": ...} for a query; NULL: out of memory. */
struct json_object *tracker_variables(const struct tracker *t);

#endif
