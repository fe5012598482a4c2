#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(struct text *t, size_t more)
{
    size_t room = t->room != 0 ? t->room : 128;
    char *s;

    if (t->failed || more > SIZE_MAX / 4 - t->len) {
        t->failed = true;
        return false;
    }
    while (room < t->len + more + 1)
        room *= 2;
    if (room == t->room)
        return true;
    s = realloc(t->s, room);
    if (s == NULL) {
        t->failed = true;
        return false;
    }
    t->s = s;
    t->room = room;
    return true;
}

void text_add_len(struct text *t, const char *s, size_t len)
{
    if (!make_room(t, len))
        return;
    memcpy(t->s + t->len, s, len);
    t->len += len;
    t->s[t->len] = '\0';
}

void text_add(struct text *t, const char *s)
{
    text_add_len(t, s, strlen(s));
}

void text_add_char(struct text *t, char c)
{
    text_add_len(t, &c, 1);
}

void text_add_int(struct text *t, int64_t n)
{
    char digits[24];
    char *at = digits + sizeof(digits);
    uint64_t left = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left != 0);
    if (n < 0)
        *--at = '-';
    text_add_len(t, at, (size_t)(digits + sizeof(digits) - at));
}

void text_printf(struct text *t, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !make_room(t, (size_t)n)) {
        t->failed = true;
        return;
    }
    va_start(ap, fmt);
    vsnprintf(t->s + t->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    t->len += (size_t)n;
}

void text_clear(struct text *t)
{
    t->len = 0;
    if (t->s != NULL)
        t->s[0] = '\0';
}

void text_free(struct text *t)
{
    free(t->s);
    memset(t, 0, sizeof(*t));
}

const char *text_str(const struct text *t)
{
    return t->s != NULL ? t->s : "";
}
