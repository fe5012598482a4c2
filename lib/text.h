/* A text that grows. Errors are kept in it: look once, at the end. */
#ifndef RELAY_TEXT_H
#define RELAY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is an empty text. s is NULL until something was added; afterwards
 * there is a NUL behind it. */
struct text {
    char *s;
    size_t len;
    size_t room;
    bool failed; /* out of memory: what was added is incomplete */
};

void text_add(struct text *t, const char *s);
void text_add_len(struct text *t, const char *s, size_t len);
void text_add_char(struct text *t, char c);
void text_add_int(struct text *t, int64_t n);
void text_printf(struct text *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Empties it and keeps the room. */
void text_clear(struct text *t);
void text_free(struct text *t);

/* What is in it, never NULL ("" for an empty one). */
const char *text_str(const struct text *t);

#endif
