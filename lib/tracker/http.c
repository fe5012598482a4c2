#include "http.h"

#include <curl/curl.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "clock.h"
#include "process.h"

#define MAX_REPLY ((size_t)64 << 20)
enum { CONNECT_MS = 15000 };

struct http {
    CURL *curl;
    struct curl_slist *headers;
    struct text url;
    struct http_reply *reply; /* of the request under way */
    bool too_much;
};

/* --- the head ------------------------------------------------------------- */

/* A number of seconds that is not negative, and nothing behind it; -1. */
static double number(const char *s)
{
    char *end = NULL;
    double n = strtod(s, &end);

    while (end != NULL && isspace((unsigned char)*end))
        end++;
    return end != s && *end == '\0' && isfinite(n) && n >= 0 ? n : -1;
}

/* Is this line the header NAME? Its value, or NULL. */
static const char *value_of(const char *line, const char *name)
{
    size_t len = strlen(name);

    if (strncasecmp(line, name, len) != 0 || line[len] != ':')
        return NULL;
    line += len + 1;
    while (*line == ' ' || *line == '\t')
        line++;
    return line;
}

static double seconds_until(const char *text, int64_t now)
{
    double seconds = number(text);
    time_t when;

    if (seconds >= 0)
        return seconds;
    when = curl_getdate(text, NULL);
    return when == (time_t)-1 ? -1 : when > now ? (double)(when - now) : 0;
}

void http_head_line(const char *line, size_t len, int64_t now,
                    struct http_reply *reply)
{
    char text[256];
    const char *value;

    if (len >= sizeof(text))
        return; /* none of ours is so long */
    memcpy(text, line, len);
    text[len] = '\0';
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    if (strncmp(text, "HTTP/", 5) == 0) { /* 100, or what a proxy said */
        reply->retry_after = reply->remaining = reply->reset = -1;
        reply->date = -1;
    } else if ((value = value_of(text, "Date")) != NULL) {
        reply->date = (int64_t)curl_getdate(value, NULL);
    } else if ((value = value_of(text, "RateLimit-Remaining")) != NULL) {
        reply->remaining = number(value);
    } else if ((value = value_of(text, "RateLimit-Reset")) != NULL) {
        reply->reset = number(value);
    } else if ((value = value_of(text, "Retry-After")) != NULL) {
        bool first = reply->retry_after < 0 && !isnan(reply->retry_after);

        reply->retry_after =
            first ? seconds_until(value,
                                  reply->date >= 0 ? reply->date : now)
                  : (double)NAN;
    }
}

/* --- one request ---------------------------------------------------------- */

static size_t on_head(char *line, size_t size, size_t n, void *arg)
{
    struct http *http = arg;

    http_head_line(line, size * n, clock_wall(), http->reply);
    return size * n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct http *http = arg;

    if (http->reply->body.len + size * n > MAX_REPLY) {
        http->too_much = true;
        return 0;
    }
    text_add_len(&http->reply->body, data, size * n);
    return http->reply->body.failed ? 0 : size * n;
}

static int on_progress(void *arg, curl_off_t total, curl_off_t now,
                       curl_off_t up_total, curl_off_t up_now)
{
    (void)arg;
    (void)total;
    (void)now;
    (void)up_total;
    (void)up_now;
    return process_cancelled() != 0;
}

static enum http_end end_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return HTTP_ANSWERED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
        return HTTP_UNSENT;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        return HTTP_BARRED;
    case CURLE_ABORTED_BY_CALLBACK:
        return HTTP_CANCELLED;
    default:
        return HTTP_LOST;
    }
}

/* Control characters are legal nowhere in JSON but between its parts; W&B
 * lets some through inside strings, and one of them must not hide a listing. */
static void tame(struct text *body)
{
    size_t i;

    for (i = 0; i < body->len; i++) {
        if ((unsigned char)body->s[i] < ' ')
            body->s[i] = ' ';
    }
}

void http_post(struct http *http, const char *body, size_t len,
               int64_t timeout_ms, struct http_reply *reply)
{
    CURL *curl = http->curl;
    CURLcode code;

    memset(reply, 0, sizeof(*reply));
    reply->retry_after = reply->remaining = reply->reset = -1;
    reply->date = -1;
    http->reply = reply;
    http->too_much = false;
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)len);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    code = curl_easy_perform(curl);
    http->reply = NULL;
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, NULL);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->status);
    reply->end = code != CURLE_OK && process_cancelled() != 0 ? HTTP_CANCELLED
                                                              : end_of(code);
    if (isnan(reply->retry_after))
        reply->retry_after = -1;
    tame(&reply->body);
    snprintf(reply->why, sizeof(reply->why), "%s",
             http->too_much ? "the reply is larger than 64 MiB"
                            : curl_easy_strerror(code));
}

void http_reply_free(struct http_reply *reply)
{
    text_free(&reply->body);
}

/* --- the handle ----------------------------------------------------------- */

static int add_header(struct http *http, const char *name, const char *value)
{
    struct text line = {0};
    struct curl_slist *more;

    if (value == NULL || value[0] == '\0' || strpbrk(value, "\r\n") != NULL)
        return 0;
    text_printf(&line, "%s: %s", name, value);
    more = curl_slist_append(http->headers, text_str(&line));
    text_free(&line);
    if (more == NULL)
        return -1;
    http->headers = more;
    return 0;
}

static int add_headers(struct http *http, const struct tracker_settings *s)
{
    struct curl_slist *more = curl_slist_append(http->headers, "Expect:");

    if (more == NULL)
        return -1;
    http->headers = more;
    return add_header(http, "Content-Type", "application/json") != 0 ||
                   add_header(http, "X-WANDB-USERNAME", s->username) != 0 ||
                   add_header(http, "X-WANDB-USER-EMAIL", s->email) != 0
               ? -1
               : 0;
}

static void only_http(CURL *curl)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS,
                     (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* The names that Python's and Go's clients read, too. */
static void trust(CURL *curl)
{
    const char *bundle = getenv("REQUESTS_CA_BUNDLE");

    if (bundle == NULL || bundle[0] == '\0')
        bundle = getenv("SSL_CERT_FILE");
    if (bundle != NULL && bundle[0] != '\0')
        curl_easy_setopt(curl, CURLOPT_CAINFO, bundle);
}

static bool set_up(struct http *http, const struct tracker_settings *s)
{
    CURL *curl = http->curl;

    text_printf(&http->url, "%s/graphql", s->base_url);
    if (add_headers(http, s) != 0 || http->url.failed)
        return false;
    only_http(curl);
    trust(curl);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "slurm-relay/" RELAY_VERSION);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, http->headers);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, http);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    return curl_easy_setopt(curl, CURLOPT_URL, http->url.s) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_USERNAME, "api") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PASSWORD, s->key) == CURLE_OK;
}

int http_open(const struct tracker_settings *s, struct http **http,
              struct relay_error *err)
{
    struct http *h = calloc(1, sizeof(*h));

    *http = NULL;
    if (h == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(h);
        return relay_fail(err, EX_OSERR, "libcurl cannot be set up");
    }
    h->curl = curl_easy_init();
    if (h->curl == NULL || !set_up(h, s)) {
        http_close(h);
        return relay_fail(err, EX_OSERR, "libcurl cannot be set up");
    }
    *http = h;
    return 0;
}

void http_close(struct http *http)
{
    if (http == NULL)
        return;
    if (http->curl != NULL)
        curl_easy_cleanup(http->curl);
    curl_slist_free_all(http->headers);
    curl_global_cleanup();
    text_free(&http->url);
    free(http);
}
