/*
 * One POST to one address, with libcurl: the key goes to that host alone
 * (nothing is redirected), proxies are those of the environment (https_proxy,
 * ALL_PROXY, NO_PROXY), nothing is printed.
 */
#ifndef RELAY_TRACKER_HTTP_H
#define RELAY_TRACKER_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "text.h"
#include "tracker/settings.h"

struct http;

enum http_end {
    HTTP_ANSWERED, /* see status */
    HTTP_UNSENT,   /* no connection: the server has not seen it */
    HTTP_LOST,     /* sent, perhaps; no answer, or only a part of one */
    HTTP_BARRED,   /* a certificate or an address that will not do: no
                      sense in trying again */
    HTTP_CANCELLED /* process_cancelled() */
};

struct http_reply {
    enum http_end end;
    long status;
    struct text body;
    double retry_after; /* seconds; -1: not said, or said twice */
    double remaining;   /* RateLimit-Remaining and -Reset; -1 */
    double reset;
    int64_t date; /* the server's clock; -1 */
    char why[256]; /* unless ANSWERED */
};

/* The URL is base_url/graphql. 0 or -1. */
int http_open(const struct tracker_settings *s, struct http **http,
              struct relay_error *err);
void http_close(struct http *http);

/* Free the reply with http_reply_free. */
void http_post(struct http *http, const char *body, size_t len,
               int64_t timeout_ms, struct http_reply *reply);
void http_reply_free(struct http_reply *reply);

/* One line of a reply's head into reply: what a caller needs of it. now is
 * the clock for a Retry-After that is a date and no Date came before. */
void http_head_line(const char *line, size_t len, int64_t now,
                    struct http_reply *reply);

#endif
