#include "meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "meta_scan.h"

/* The text with the span cut replaced by put; NULL out of memory. */
static char *replace(const char *text, size_t len, struct span cut,
                     const char *put, size_t put_len, size_t *out_len)
{
    size_t total = len - (cut.end - cut.begin) + put_len;
    char *out = malloc(total + 1);

    if (out == NULL)
        return NULL;
    memcpy(out, text, cut.begin);
    memcpy(out + cut.begin, put, put_len);
    memcpy(out + cut.begin + put_len, text + cut.end, len - cut.end);
    out[total] = '\0';
    *out_len = total;
    return out;
}

/* Behind the last member, set apart from it as that is from its neighbour. */
static char *append(const struct scan *scan, const char *name,
                    const char *value, size_t *out_len)
{
    char *key = meta_quote(name);
    struct span at = {scan->object.begin + 1, scan->object.begin + 1};
    size_t gap_len = 0;
    const char *gap = "";
    const char *comma = "";
    char *put = NULL;
    char *out = NULL;
    int n;

    if (scan->n > 0) {
        const struct member *last = &scan->members[scan->n - 1];
        size_t from = last->key.begin;

        while (strchr(" \t\r\n", scan->text[from - 1]) != NULL)
            from--;
        gap = scan->text + from;
        gap_len = last->key.begin - from;
        comma = ",";
        at.begin = at.end = last->value.end;
    }
    if (key != NULL) {
        size_t room = strlen(key) + strlen(value) + gap_len + 8;

        put = malloc(room);
        if (put != NULL) {
            n = snprintf(put, room, "%s%.*s%s: %s", comma, (int)gap_len, gap,
                         key, value);
            out = replace(scan->text, scan->len, at, put, (size_t)n, out_len);
        }
    }
    free(put);
    free(key);
    return out;
}

char *meta_splice(const char *text, size_t len, const char *name,
                  const char *json_value, size_t *out_len,
                  struct relay_error *err)
{
    struct scan scan;
    const struct member *m;
    char *out;

    if (scan_text(text, len, META_FILE, &scan, err) != 0)
        return NULL;
    m = scan_find(&scan, name);
    if (m != NULL)
        out = replace(text, len, m->value, json_value, strlen(json_value),
                      out_len);
    else
        out = append(&scan, name, json_value, out_len);
    scan_free(&scan);
    if (out == NULL)
        relay_fail(err, EX_OSERR, "%s: out of memory", META_FILE);
    return out;
}

/* What goes when member i goes: with the comma before it when a member stays
 * before it, else with the comma behind it. */
static struct span with_comma(const struct scan *scan, size_t i, bool first)
{
    struct span cut = {scan->members[i].key.begin,
                       scan->members[i].value.end};

    if (!first)
        cut.begin = scan->members[i - 1].value.end;
    else if (i + 1 < scan->n)
        cut.end = scan->members[i + 1].key.begin;
    return cut;
}

char *meta_remove(const char *text, size_t len, const char *name,
                  size_t *out_len, struct relay_error *err)
{
    struct scan scan;
    bool first = true; /* no member has stayed yet */
    size_t pos = 0, used = 0, i;
    char *out;

    if (scan_text(text, len, META_FILE, &scan, err) != 0)
        return NULL;
    out = malloc(len + 1);
    for (i = 0; out != NULL && i < scan.n; i++) {
        struct span cut;

        if (!scan_key_is(&scan, &scan.members[i], name)) {
            first = false;
            continue;
        }
        cut = with_comma(&scan, i, first);
        memcpy(out + used, text + pos, cut.begin - pos);
        used += cut.begin - pos;
        pos = cut.end;
    }
    scan_free(&scan);
    if (out == NULL) {
        relay_fail(err, EX_OSERR, "%s: out of memory", META_FILE);
        return NULL;
    }
    memcpy(out + used, text + pos, len - pos);
    *out_len = used + len - pos;
    out[*out_len] = '\0';
    return out;
}

/* Decodes one character of UTF-8 at p; *len is how many bytes it has. A byte
 * that begins no valid character is 0xdc00 + byte, as Python has it. */
static unsigned get_utf8(const unsigned char *p, size_t *len)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    unsigned code = p[0];
    size_t i;

    *len = 1;
    if (p[0] < 0x80)
        return code;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0xdc00U + p[0];
    code = p[0] & (0x7fU >> n);
    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0xdc00U + p[0];
        code = (code << 6) | (p[i] & 0x3fU);
    }
    if (code < least[n] || code > 0x10ffff ||
        (code >= 0xd800 && code < 0xe000))
        return 0xdc00U + p[0];
    *len = n;
    return code;
}

char *meta_quote(const char *value)
{
    const unsigned char *p = (const unsigned char *)value;
    size_t room = strlen(value) * 6 + 3; /* \uXXXX for every byte */
    char *out = malloc(room);
    size_t used = 0;

    if (out == NULL)
        return NULL;
    out[used++] = '"';
    while (*p != '\0') {
        size_t len = 1;
        unsigned code = get_utf8(p, &len);

        p += len;
        if (code == '"' || code == '\\')
            out[used++] = '\\';
        if (code >= 0x20 && code < 0x7f) {
            out[used++] = (char)code;
        } else if (code < 0x10000) {
            used += (size_t)snprintf(out + used, room - used, "\\u%04x", code);
        } else {
            used += (size_t)snprintf(out + used, room - used, "\\u%04x\\u%04x",
                                     0xd800 + ((code - 0x10000) >> 10),
                                     0xdc00 + ((code - 0x10000) & 0x3ff));
        }
    }
    out[used++] = '"';
    out[used] = '\0';
    return out;
}
