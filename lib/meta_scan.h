/*
 * Where things stand in a JSON text: the spans of the members of its
 * top-level object. Accepts what Python's json accepts (NaN and Infinity
 * too), looks at no value closer than it must.
 */
#ifndef RELAY_META_SCAN_H
#define RELAY_META_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

/* A part of the text: [begin, end). */
struct span {
    size_t begin;
    size_t end;
};

struct member {
    struct span key;   /* with its quotes */
    struct span value; /* without white space around it */
};

struct scan {
    const char *text;
    size_t len;
    struct span object;     /* with its braces */
    struct member *members; /* in their order; duplicates are all here */
    size_t n;
};

/* Scans the whole text; name is for messages. 0, or -1 with EX_DATAERR and
 * NAME:LINE:COLUMN. Free with scan_free. text must outlive scan. */
int scan_text(const char *text, size_t len, const char *name,
              struct scan *scan, struct relay_error *err);
void scan_free(struct scan *scan);

/* The member NAME, the last one of duplicates (as Python has it), or NULL. */
const struct member *scan_find(const struct scan *scan, const char *name);

/* True when the member's key is NAME, escapes in it decoded. */
bool scan_key_is(const struct scan *scan, const struct member *m,
                 const char *name);

/* Decodes a value that is a string: malloc'd, *len may be NULL. Lone
 * \udc80 to \udcff become the byte they stand for (Python's surrogateescape).
 * NULL when it is no string, or out of memory. */
char *scan_string(const struct scan *scan, struct span value, size_t *len);

#endif
