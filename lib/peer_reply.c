#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One item of a reply: a line, or a section with its bytes. */
struct item {
    const char *name;
    size_t name_len;
    const char *value;
    size_t len;
    bool section;
};

/* @NAME<TAB>LENGTH\n<bytes>\n: sets value to the bytes. False when the reply
 * ends before they do. */
static bool take_section(const struct peer_reply *reply, size_t *pos,
                         struct item *item)
{
    char *end;
    long long len;

    errno = 0;
    len = strtoll(item->value, &end, 10);
    if (errno != 0 || len < 0 || end != item->value + item->len ||
        end == item->value ||
        (unsigned long long)len > reply->len - *pos)
        return false;
    item->section = true;
    item->name++;
    item->name_len--;
    item->value = reply->out + *pos;
    item->len = (size_t)len;
    *pos += item->len;
    if (*pos < reply->len && reply->out[*pos] == '\n')
        (*pos)++;
    return true;
}

/* The next item; lines without a tab are skipped. */
static bool next_item(const struct peer_reply *reply, size_t *pos,
                      struct item *item)
{
    while (*pos < reply->len) {
        const char *line = reply->out + *pos;
        const char *end = memchr(line, '\n', reply->len - *pos);
        const char *tab;
        size_t len = end != NULL ? (size_t)(end - line) : reply->len - *pos;

        *pos += len + (end != NULL);
        tab = memchr(line, '\t', len);
        if (tab == NULL)
            continue;
        item->name = line;
        item->name_len = (size_t)(tab - line);
        item->value = tab + 1;
        item->len = len - item->name_len - 1;
        item->section = false;
        if (line[0] == '@')
            return take_section(reply, pos, item);
        return true;
    }
    return false;
}

static bool is_named(const struct item *item, const char *name)
{
    return strlen(name) == item->name_len &&
           memcmp(item->name, name, item->name_len) == 0;
}

bool peer_value(const struct peer_reply *reply, const char *name, char *text,
                size_t size)
{
    struct item item;
    size_t pos = 0;

    while (next_item(reply, &pos, &item)) {
        size_t len = item.len;

        if (item.section || !is_named(&item, name))
            continue;
        if (len >= size)
            len = size - 1;
        memcpy(text, item.value, len);
        text[len] = '\0';
        return true;
    }
    return false;
}

int64_t peer_int(const struct peer_reply *reply, const char *name,
                 int64_t otherwise)
{
    char text[32], *end;
    long long value;

    if (!peer_value(reply, name, text, sizeof(text)))
        return otherwise;
    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        return otherwise;
    return value;
}

const char *peer_section(const struct peer_reply *reply, const char *name,
                         size_t *len)
{
    struct item item;
    size_t pos = 0;

    while (next_item(reply, &pos, &item)) {
        if (!item.section || !is_named(&item, name))
            continue;
        *len = item.len;
        return item.value;
    }
    return NULL;
}

void peer_each(const struct peer_reply *reply, const char *name,
               void (*each)(void *arg, const char *value, size_t len),
               void *arg)
{
    struct item item;
    size_t pos = 0;

    while (next_item(reply, &pos, &item))
        if (is_named(&item, name))
            each(arg, item.value, item.len);
}

void peer_reply_free(struct peer_reply *reply)
{
    free(reply->out);
    free(reply->err);
    memset(reply, 0, sizeof(*reply));
}

char *peer_quote(const char *text)
{
    size_t quotes = 0, len = strlen(text), i;
    char *quoted, *to;

    for (i = 0; i < len; i++)
        quotes += text[i] == '\'';
    quoted = malloc(len + quotes * 3 + 3);
    if (quoted == NULL)
        return NULL;
    to = quoted;
    *to++ = '\'';
    for (i = 0; i < len; i++) {
        if (text[i] == '\'') {
            memcpy(to, "'\\''", 4);
            to += 4;
        } else {
            *to++ = text[i];
        }
    }
    *to++ = '\'';
    *to = '\0';
    return quoted;
}
