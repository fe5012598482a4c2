/* What a scalar of YAML 1.1 is, by the rules of PyYAML's safe_load. */
#ifndef RELAY_SWEEP_YAML11_SCALAR_H
#define RELAY_SWEEP_YAML11_SCALAR_H

#include "text.h"
#include "value.h"

enum scalar_type {
    SCALAR_STR,
    SCALAR_NULL,
    SCALAR_BOOL,
    SCALAR_INT,
    SCALAR_FLOAT,
    SCALAR_DATE,
    SCALAR_MERGE, /* << */
    SCALAR_VALUE  /* = */
};

/* What a plain scalar without a tag is: resolver.py of PyYAML 6. */
enum scalar_type scalar_resolve(const char *text);

/* Does YAML 1.1 read a string that everybody else reads as a float: 1e-4,
 * 3.0e6, -.5? */
bool scalar_is_lost_float(const char *text);

/* The same number as YAML 1.1 reads it: 1.0e-4, 3.0e+6, -0.5. */
void scalar_spell_float(const char *text, struct text *out);

/* The value of a scalar of that type, also when an explicit tag says so of a
 * text that would not resolve to it: constructor.py. 0; -1 with EX_DATAERR
 * and what is wrong, without a place. */
int scalar_make(enum scalar_type type, const char *text, size_t len,
                struct value *v, struct relay_error *err);

/* str() of the date or datetime; in yaml11_date.c. */
bool scalar_is_date(const char *text);
int scalar_make_date(const char *text, struct value *v,
                     struct relay_error *err);

#endif
