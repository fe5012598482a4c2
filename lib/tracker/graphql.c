#include "graphql.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#include "clock.h"
#include "jsonfile.h"
#include "process.h"

enum {
    MAX_TRIES = 21, /* one and W&B's 20 */
    TRY_MS = 30000,
    FIRST_WAIT_MS = 2000,
    LONGEST_WAIT_MS = 60000,
    LEAST_TRY_MS = 1000 /* with less than this left nothing is asked */
};

/* --- what the server says is wrong ---------------------------------------- */

static void add_message(char *text, size_t size, const char *message)
{
    size_t used = strlen(text);

    if (message == NULL || used + 1 >= size)
        return;
    snprintf(text + used, size - used, "%s%s", used > 0 ? "; " : "", message);
    for (; text[used] != '\0'; used++) {
        if ((unsigned char)text[used] < ' ' || text[used] == 0x7f)
            text[used] = ' ';
    }
}

/* "text", or {"message": "text"}. */
static const char *message_of(struct json_object *error)
{
    return json_object_is_type(error, json_type_string)
               ? json_object_get_string(error)
               : json_str(error, "message", NULL);
}

void gql_error_text(struct json_object *body, char *text, size_t size)
{
    struct json_object *errors = json_get(body, "errors");
    size_t i;

    text[0] = '\0';
    add_message(text, size, message_of(json_get(body, "error")));
    if (!json_object_is_type(errors, json_type_array))
        return;
    for (i = 0; i < json_object_array_length(errors); i++)
        add_message(text, size,
                    message_of(json_object_array_get_idx(errors, i)));
}

/* A server may repeat what it was sent. */
static void hide_key(const struct tracker *t, char *text)
{
    size_t len = strlen(t->s.key);
    char *at;

    while ((at = strstr(text, t->s.key)) != NULL) {
        memmove(at + 3, at + len, strlen(at + len) + 1);
        memcpy(at, "***", 3);
    }
}

/* --- again? --------------------------------------------------------------- */

static bool is_final(long status)
{
    static const short codes[] = {400, 401, 403, 404, 409, 410, 413, 422, 501};
    size_t i;

    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (status == codes[i])
            return true;
    }
    return status >= 200 && status < 400;
}

bool gql_try_again(const struct http_reply *reply, bool once)
{
    switch (reply->end) {
    case HTTP_UNSENT:
        return true;
    case HTTP_LOST:
        return !once;
    case HTTP_ANSWERED:
        /* Too many requests: refused before anything was done. */
        return reply->status == 429 || (!once && !is_final(reply->status));
    default:
        return false;
    }
}

int64_t gql_backoff(const struct http_reply *reply, int attempt, double spread)
{
    double ms = FIRST_WAIT_MS;
    int i;

    if (reply->end == HTTP_ANSWERED && reply->retry_after >= 0)
        ms = reply->retry_after * 1000;
    else if (reply->end == HTTP_ANSWERED && reply->status == 429 &&
             reply->remaining >= 0 && reply->reset >= 0)
        ms = reply->reset * 1000;
    else {
        for (i = 0; i < attempt && ms < LONGEST_WAIT_MS; i++)
            ms *= 2;
        ms *= 1 + spread * 0.25;
        if (ms > LONGEST_WAIT_MS)
            ms = LONGEST_WAIT_MS;
    }
    return ms < (double)INT_MAX ? (int64_t)ms + 1 : INT_MAX;
}

static double random_part(void)
{
    uint16_t n = 0;

    if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != (ssize_t)sizeof(n))
        return 0.5;
    return n / 65536.0;
}

/* --- waiting -------------------------------------------------------------- */

static int interrupted(const struct tracker *t, struct relay_error *err)
{
    return relay_fail(err, EX_TEMPFAIL, "W&B (%s): interrupted", t->s.host);
}

static int sleep_until(struct tracker *t, int64_t until,
                       struct relay_error *err)
{
    int64_t left;

    while ((left = until - tracker_clock(t)) > 0) {
        if (process_cancelled() != 0)
            return interrupted(t, err);
        if (t->o.wait != NULL) {
            t->o.wait(t->o.wait_arg, left);
            t->moved_ms += left;
        } else {
            clock_sleep_ms(left < 500 ? left : 500);
        }
    }
    return 0;
}

/* why is a sentence without a full stop; code is for when there is no time. */
static int wait_until(struct tracker *t, int64_t until, const char *why,
                      int code, struct relay_error *err)
{
    int64_t ms = until - tracker_clock(t);
    char line[700], span[32];

    if (ms <= 0)
        return 0;
    clock_span((ms + 999) / 1000, span, sizeof(span));
    if (t->deadline > 0 && until + LEAST_TRY_MS > t->deadline)
        return relay_fail(err, code, "%s; asking again makes sense in %s, "
                                     "which is longer than there is time", why,
                          span);
    snprintf(line, sizeof(line), "%s; again in %s", why, span);
    if (ms >= 1000 && t->o.say != NULL)
        t->o.say(t->o.say_arg, line);
    return sleep_until(t, until, err);
}

/* --- one try -------------------------------------------------------------- */

static int64_t try_time(const struct tracker *t, const struct gql_call *call)
{
    int64_t ms = t->s.timeout_ms > 0 ? t->s.timeout_ms : TRY_MS;
    int64_t left = t->deadline - tracker_clock(t);

    if (ms < call->timeout_ms)
        ms = call->timeout_ms;
    if (call->once)
        left /= 2; /* for finding out what came of it */
    if (t->deadline > 0 && ms > left)
        ms = left;
    return ms > 0 ? ms : 1;
}

static struct json_object *body_of(const struct gql_call *call)
{
    struct json_object *body = json_object_new_object();

    json_add_str(body, "query", call->query);
    json_object_object_add(body, "variables",
                           json_object_get(call->variables));
    json_add_str(body, "operationName", call->operation);
    return body;
}

/* Also without a message that can be read; [] is none. */
static bool has_errors(struct json_object *root)
{
    struct json_object *errors = json_get(root, "errors");

    return errors != NULL && (!json_object_is_type(errors, json_type_array) ||
                              json_object_array_length(errors) > 0);
}

static bool is_servers_failure(long status)
{
    return status == 408 || (status >= 500 && status != 501);
}

static enum gql_end end_of(const struct http_reply *http, bool well)
{
    if (http->end == HTTP_UNSENT || http->end == HTTP_BARRED)
        return GQL_UNSENT;
    if (http->end != HTTP_ANSWERED || is_servers_failure(http->status))
        return GQL_LOST;
    return http->status == 200 && well ? GQL_DATA : GQL_REFUSED;
}

/* 200 that is no JSON object is some proxy's page: as good as no answer. */
static void understand(const struct tracker *t, struct http_reply *http,
                       struct gql_reply *reply)
{
    struct json_object *root = NULL;
    bool failed;

    gql_reply_free(reply);
    reply->text[0] = '\0';
    reply->status = http->end == HTTP_ANSWERED ? http->status : 0;
    reply->now = http->date;
    if (http->end == HTTP_ANSWERED)
        root = json_parse(text_str(&http->body), http->body.len, "", NULL);
    if (http->end == HTTP_ANSWERED && http->status == 200 &&
        !json_object_is_type(root, json_type_object)) {
        http->end = HTTP_LOST;
        snprintf(http->why, sizeof(http->why), "its answer is not JSON (is "
                                               "this a proxy's?)");
    }
    gql_error_text(root, reply->text, sizeof(reply->text));
    hide_key(t, reply->text);
    failed = reply->text[0] != '\0' || has_errors(root);
    reply->data = json_object_get(json_get(root, "data"));
    reply->end = end_of(http, !failed && reply->data != NULL);
    json_object_put(root);
}

/* The quota, which a success can use up, too. */
static void note_quota(struct tracker *t, const struct http_reply *http)
{
    if (http->end == HTTP_ANSWERED && http->remaining >= 0 &&
        http->remaining < 1 && http->reset > 0 && http->reset < INT_MAX / 1000)
        t->not_before = tracker_clock(t) + (int64_t)(http->reset * 1000);
}

static void try_once(struct tracker *t, const struct gql_call *call,
                     struct http_reply *http, struct gql_reply *reply)
{
    struct json_object *body = body_of(call);
    const char *text = json_object_to_json_string_ext(
        body, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

    http_post(t->http, text, strlen(text), try_time(t, call), http);
    json_object_put(body);
    note_quota(t, http);
    understand(t, http, reply);
    reply->tries++;
}

/* --- what came of it ------------------------------------------------------ */

static void describe(const struct tracker *t, const struct http_reply *http,
                     const struct gql_reply *reply, char *why, size_t size)
{
    const char *colon = reply->text[0] != '\0' ? ": " : "";

    if (http->end != HTTP_ANSWERED)
        snprintf(why, size, "W&B (%s) cannot be asked: %s", t->s.host,
                 http->why);
    else if (http->status == 429)
        snprintf(why, size, "W&B (%s) has had too many requests%s%s",
                 t->s.host, colon, reply->text);
    else if (http->status == 200)
        snprintf(why, size, "W&B (%s) answers with an error%s%s", t->s.host,
                 colon, reply->text);
    else
        snprintf(why, size, "W&B (%s) answers with %ld%s%s", t->s.host,
                 http->status, colon, reply->text);
}

static int give_up(const struct tracker *t, const struct http_reply *http,
                   const char *why, struct relay_error *err)
{
    long status = http->status;

    if (http->end == HTTP_CANCELLED)
        return interrupted(t, err);
    if (http->end != HTTP_ANSWERED)
        return relay_fail(err, EX_UNAVAILABLE, "%s", why);
    if (status == 429)
        return relay_fail(err, EX_TEMPFAIL, "%s", why);
    if (status == 401 || status == 403)
        return relay_fail(err, EX_NOPERM, "%s; the key of %s is not good for "
                                          "that", why, t->s.key_from);
    if (status == 404 || (status >= 300 && status < 400))
        return relay_fail(err, EX_CONFIG, "%s; is %s the address of its API?",
                          why, t->s.base_url);
    return relay_fail(err, is_servers_failure(status) ? EX_UNAVAILABLE
                                                      : EX_DATAERR, "%s", why);
}

static bool was_too_much(const struct http_reply *http,
                         const struct gql_reply *reply)
{
    return http->end == HTTP_LOST ||
           (http->end == HTTP_ANSWERED &&
            (is_servers_failure(http->status) || http->status == 413 ||
             (http->status == 200 && reply->end == GQL_REFUSED)));
}

/* 1: again; 0: it is well; -1: give up. */
static int judge(struct tracker *t, const struct gql_call *call,
                 const struct http_reply *http, struct gql_reply *reply,
                 struct relay_error *err)
{
    int64_t ms = gql_backoff(http, reply->tries - 1, random_part());
    bool again = gql_try_again(http, call->once);
    char why[640];

    if (reply->end == GQL_DATA)
        return 0;
    describe(t, http, reply, why, sizeof(why));
    if (was_too_much(http, reply) && call->smaller != NULL &&
        call->smaller(call->arg))
        again = true;
    if (!again || reply->tries >= MAX_TRIES)
        return give_up(t, http, why, err);
    return wait_until(t, tracker_clock(t) + ms, why,
                      http->end == HTTP_ANSWERED && http->status == 429
                          ? EX_TEMPFAIL
                          : EX_UNAVAILABLE, err) == 0
               ? 1
               : -1;
}

int graphql(struct tracker *t, const struct gql_call *call,
            struct gql_reply *reply, struct relay_error *err)
{
    struct http_reply http;
    char why[200];
    int rc = 1;

    memset(reply, 0, sizeof(*reply));
    reply->end = GQL_UNSENT;
    reply->now = -1;
    snprintf(why, sizeof(why), "W&B (%s) has no quota left for this key",
             t->s.host);
    while (rc == 1) {
        if (process_cancelled() != 0)
            return interrupted(t, err);
        if (wait_until(t, t->not_before, why, EX_TEMPFAIL, err) != 0)
            return -1;
        try_once(t, call, &http, reply);
        rc = judge(t, call, &http, reply, err);
        http_reply_free(&http);
    }
    return rc;
}

void gql_reply_free(struct gql_reply *reply)
{
    json_object_put(reply->data);
    reply->data = NULL;
}
