/*
 * A series: generations of one record, dense, +1 each, made by link(2) and
 * never removed (doc/protocol.md, section 2). Leases and the handoff journal
 * are series, and sweep claims will be.
 */
#ifndef RELAY_SERIES_H
#define RELAY_SERIES_H

#include <json-c/json.h>
#include <stdint.h>

#include "error.h"

struct series_record {
    int64_t gen;              /* 0: the series is empty */
    struct json_object *body; /* NULL when empty; put by series_free */
};

/* Reads the last record of SERIES in dirfd. A listing is only the hint where
 * to begin; then names are probed upwards. A record that cannot be parsed is
 * EX_DATAERR. Returns 0 or -1; free with series_free. */
int series_last(int dirfd, const char *series, struct series_record *rec,
                struct relay_error *err);

/* Reads generation gen. 0, or -1 (EX_NOINPUT when there is none). */
int series_read(int dirfd, const char *series, int64_t gen,
                struct series_record *rec, struct relay_error *err);

void series_free(struct series_record *rec);

/* Links body as generation gen. Fills in format, series, gen, seq and time;
 * the caller has set kind, nonce, owner and the rest. Returns 1 when
 * the record is ours now, 0 when another's stands there, -1 on an error
 * (then nothing is known: read again). body stays the caller's. */
int series_link(int dirfd, const char *series, int64_t gen,
                struct json_object *body, struct relay_error *err);

#endif
