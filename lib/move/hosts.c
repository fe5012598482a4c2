#include "hosts.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MOST INT64_C(10000000)

/* Behind the bracket that closes the group at text ('['), or NULL. */
static const char *group_end(const char *text)
{
    const char *end = text + strcspn(text + 1, "[]") + 1;

    return *end == ']' ? end + 1 : NULL;
}

/* The length of one host expression of a list. */
static size_t expression(const char *text)
{
    const char *at = text;

    while (*at != '\0' && *at != ',') {
        const char *end = *at == '[' ? group_end(at) : NULL;

        at = end != NULL ? end : at + 1;
    }
    return (size_t)(at - text);
}

static size_t digits(const char *text)
{
    size_t n = 0;

    while (isdigit((unsigned char)text[n]))
        n++;
    return n;
}

/* One "7", "007" or "1-16" of a group; low == high for the first. false when
 * it is neither. */
struct range {
    int64_t low;
    int64_t high;
    size_t width; /* of low: numbers are padded with zeros to it */
    size_t longest; /* the width of high */
};

static bool read_range(const char *text, size_t len, struct range *r)
{
    size_t low = digits(text);
    size_t high = low < len && text[low] == '-' ? digits(text + low + 1) : 0;

    if (low == 0 || low > 15 || high > 15)
        return false;
    r->width = r->longest = low;
    r->low = r->high = strtoll(text, NULL, 10);
    if (low == len)
        return true;
    if (high == 0 || low + 1 + high != len)
        return false;
    r->longest = high > low ? high : low;
    r->high = strtoll(text + low + 1, NULL, 10);
    return r->high >= r->low;
}

/* Is the number of len digits one of the range, written as the range writes
 * it? */
static bool in_range(const struct range *r, const char *number, size_t len)
{
    char copy[20];
    int64_t n;

    if (len < r->width || len > r->longest || len >= sizeof(copy) ||
        (len > r->width && number[0] == '0'))
        return false;
    memcpy(copy, number, len);
    copy[len] = '\0';
    n = strtoll(copy, NULL, 10);
    return n >= r->low && n <= r->high;
}

static bool match(const char *at, const char *end, const char *host);

/* host begins with a number of the group at at, and goes on as behind it. */
static bool match_group(const char *at, const char *end, const char *host)
{
    const char *close = group_end(at);
    const char *p = at + 1;
    size_t most = digits(host);

    if (close == NULL)
        return false;
    while (p < close - 1) {
        size_t len = strcspn(p, ",]");
        struct range r;
        size_t n;

        if (read_range(p, len, &r)) {
            for (n = r.width; n <= most && n <= r.longest; n++) {
                if (in_range(&r, host, n) && match(close, end, host + n))
                    return true;
            }
        } else if (strncmp(p, host, len) == 0 && len > 0 &&
                   match(close, end, host + len)) {
            return true;
        }
        p += len + 1;
    }
    return false;
}

static bool match(const char *at, const char *end, const char *host)
{
    while (at < end) {
        if (*at == '[')
            return match_group(at, end, host);
        if (*at != *host)
            return false;
        at++;
        host++;
    }
    return *host == '\0';
}

bool hosts_have(const char *list, const char *host)
{
    while (*list != '\0') {
        size_t len = expression(list);

        if (len > 0 && match(list, list + len, host))
            return true;
        list += len + (list[len] == ',');
    }
    return false;
}

/* How many names one expression is; -1. */
static int64_t count_one(const char *at, const char *end)
{
    int64_t count = 1;

    for (; at < end; at++) {
        const char *close;
        int64_t sum = 0;
        const char *p = at + 1;

        if (*at != '[')
            continue;
        close = group_end(at);
        if (close == NULL)
            return -1;
        while (p < close) {
            size_t len = strcspn(p, ",]");
            struct range r = {0};

            if (len == 0)
                return -1;
            sum += read_range(p, len, &r) ? r.high - r.low + 1 : 1;
            if (sum > MOST)
                sum = MOST;
            p += len + 1;
        }
        count = count * sum < MOST ? count * sum : MOST;
        at = close - 1;
    }
    return count;
}

int64_t hosts_count(const char *list)
{
    int64_t count = 0;

    while (*list != '\0') {
        size_t len = expression(list);
        int64_t n = len > 0 ? count_one(list, list + len) : 0;

        if (n < 0)
            return -1;
        count = count + n < MOST ? count + n : MOST;
        list += len + (list[len] == ',');
    }
    return count;
}
