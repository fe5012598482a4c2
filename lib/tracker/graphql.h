/* GraphQL over http.h: tries, waits, and what the server says is wrong. */
#ifndef RELAY_TRACKER_GRAPHQL_H
#define RELAY_TRACKER_GRAPHQL_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "tracker/http.h"
#include "tracker/tracker_int.h"

struct gql_call {
    const char *operation;         /* as W&B's own client names it */
    const char *query;
    struct json_object *variables; /* the caller's */
    /* A change that must not be made twice: tried again only when the server
     * cannot have carried it out. */
    bool once;
    int64_t timeout_ms; /* of one try, at least; 0: the usual */
    /* Asked after a try that was too much for the server (time-out, 5xx, an
     * error about the question): makes variables smaller and returns true, or
     * false: it is as small as it gets. NULL: never. */
    bool (*smaller)(void *arg);
    void *arg;
};

enum gql_end {
    GQL_DATA,    /* data, and no errors */
    GQL_REFUSED, /* an answer that is no success: status, text */
    GQL_LOST,    /* no answer that can be read, or a failure inside the
                    server: it may have been carried out */
    GQL_UNSENT   /* it was not carried out */
};

struct gql_reply {
    enum gql_end end;
    long status;
    struct json_object *data; /* of the last answer; NULL */
    char text[400]; /* what the server says is wrong: one line, without key */
    int64_t now;    /* the server's clock; -1 */
    int tries;
};

/* 0: GQL_DATA. -1: err says what and where (codes as in tracker.h); reply
 * has the last answer. Free reply in both cases. */
int graphql(struct tracker *t, const struct gql_call *call,
            struct gql_reply *reply, struct relay_error *err);
void gql_reply_free(struct gql_reply *reply);

/* The messages of an error body, parted by "; ", into text ("" when the body
 * is none): {"error": "a"}, {"error": {"message": "a"}}, {"errors": ["a",
 * {"message": "b"}]}. Control characters become blanks. */
void gql_error_text(struct json_object *body, char *text, size_t size);

/* Shall a request with this end be tried again, and after how many
 * milliseconds at least (attempt counts from 0, spread is 0 to 1)? */
bool gql_try_again(const struct http_reply *reply, bool once);
int64_t gql_backoff(const struct http_reply *reply, int attempt,
                    double spread);

#endif
