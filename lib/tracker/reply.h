/* W&B's answers, read. Pure: a JSON object in, structs out; whatever the
 * object is, nothing is trusted. */
#ifndef RELAY_TRACKER_REPLY_H
#define RELAY_TRACKER_REPLY_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "tracker/tracker.h"

/* "2026-03-24T01:00:00Z", also with a fraction, an offset, without Z (then
 * UTC), or the day alone: seconds since the epoch; -1. */
int64_t reply_time(const char *text);

/* A node of a listing, or what run(name:) gives. now is the server's clock
 * (-1 unknown). 0; -1: memory is out or it has no name (run is all zero). */
int reply_run(struct json_object *node, int64_t now, struct tracker_run *run);

/* One page of a listing: data of the Runs query. */
struct page {
    struct tracker_runs runs; /* whole: nothing of the page was unreadable */
    int64_t count;            /* runCount; -1 */
    bool more;                /* hasNextPage, and cursor is not NULL */
    char *cursor;
};

/* 0 or -1 (memory). Free with page_free in both cases. */
int reply_page(struct json_object *data, int64_t now, struct page *page);
void page_free(struct page *page);

/* What upsertBucket gives: its bucket's storage id (NULL: none), and whether
 * it was inserted (null, absent and false are all false). */
const char *reply_upsert(struct json_object *data, bool *inserted);

/* The 409 of an id that was deleted, and of one that is there. */
bool reply_says_deleted(const char *text);
bool reply_says_duplicate(const char *text);

void run_free(struct tracker_run *run);

/* Adds run, which becomes zero, at the end. 0 or -1. */
int runs_add(struct tracker_runs *runs, struct tracker_run *run);

/* NULL: none of that id. */
struct tracker_run *runs_find(const struct tracker_runs *runs, const char *id);

/* malloc'd, control characters made blanks; NULL for NULL. */
char *tame_copy(const char *s);

#endif
