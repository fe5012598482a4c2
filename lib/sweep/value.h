/*
 * Values as Python has them: what a sweep file's parameters are, and what a
 * program gets as its arguments. 1, 1.0, true and "1" are four values.
 */
#ifndef RELAY_SWEEP_VALUE_H
#define RELAY_SWEEP_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "text.h"

enum value_kind {
    VALUE_NONE,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_FLOAT,
    VALUE_STR,
    VALUE_DATE, /* of YAML: text is its str() */
    VALUE_LIST, /* a tuple, when flag: (1, 2) */
    VALUE_DICT  /* keys[i] is the key of items[i], in the file's order */
};

struct value {
    enum value_kind kind;
    bool flag;
    int64_t i;
    double f;
    char *text;          /* of a str or date; of an int that does not fit into
                            i its decimal digits, else NULL */
    struct value *items; /* of a list or dict */
    char **keys;
    size_t n;
    int line; /* where it stands in its file, from 1; 0: nowhere */
    int column;
};

/* All zero is None. value_free frees what is inside and makes it None. */
void value_free(struct value *v);

/* A deep copy; 0 or -1 (out of memory, EX_OSERR). */
int value_copy(const struct value *from, struct value *to,
               struct relay_error *err);

/* Makers: 0 or -1. The old content of v is not freed. A string with a NUL in
 * it is EX_DATAERR: no argument or environment can hold it. */
int value_set_str(struct value *v, const char *text, size_t len,
                  struct relay_error *err);
void value_set_int(struct value *v, int64_t i);
void value_set_float(struct value *v, double f);
void value_set_bool(struct value *v, bool flag);

/* Adds to a list, or to a dict (replacing an equal key in its place: the
 * last one wins); None becomes a list or dict. item moves into v, also on
 * -1. */
int value_append(struct value *v, struct value *item, struct relay_error *err);
int value_put(struct value *v, const char *key, struct value *item,
              struct relay_error *err);

/* The member of that key, or NULL (also when v is no dict). */
struct value *value_get(const struct value *v, const char *key);

/* Python's str(v) and repr(v), appended: True, None, 1e-05,
 * {'lr': 0.001, 's': "it's"}. Dicts in their own order. */
void value_str(const struct value *v, struct text *out);
void value_repr(const struct value *v, struct text *out);

/* Python's json.dumps(v): ", " and ": ", ASCII-escaped, NaN and Infinity. A
 * date is its text as a string, and a byte that is no UTF-8 is \udcXX, as
 * surrogateescape has it. */
void value_json(const struct value *v, struct text *out);

/* One text for values that W&B's deduplication holds equal, different texts
 * for different ones: canonical JSON, dict keys sorted by code points, no
 * blanks. top: v is one parameter's value, or the dict of all parameters; a
 * float that is integral there (v itself or a direct member, nothing deeper)
 * is an int. For a parameter's value that is a dict top must be false: there
 * {'a': 1.0} is not {'a': 1}. For JSON types it is what
 * json.dumps(v, sort_keys=True, separators=(',', ':')) says; a tuple is (..),
 * a date is date"..". Ids are made of it, so it never changes. */
void value_canonical(const struct value *v, bool top, struct text *out);

/* Python's repr of a double, appended: shortest digits that round-trip. */
void value_float_repr(double f, struct text *out);

/* A Python literal (False, 1e-3, 'x', [1, 2], {'a': 1}, (1,)), all of text,
 * as ast.literal_eval takes it. What has no kind here is none: bytes, sets,
 * complex numbers, dict keys that are not strings, a lone surrogate, more
 * than 100 levels. Returns 0; -1 with EX_DATAERR when it is none: then v is
 * None, and the caller takes the text as a string, as Python programs do. */
int value_parse_literal(const char *text, size_t len, struct value *v,
                        struct relay_error *err);

#endif
