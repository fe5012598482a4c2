/* Strings as Python writes them. */
#ifndef RELAY_SWEEP_PYTEXT_H
#define RELAY_SWEEP_PYTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

/* Would repr write it as it is? */
bool pytext_printable(uint32_t c);

/* The next code point of UTF-8; a byte that is none is U+DC00 plus the byte,
 * as Python's surrogateescape has it. *p must not be at the NUL. */
uint32_t pytext_next(const char **p);

/* Appends the UTF-8 of c; a lone surrogate in the same scheme. */
void pytext_add(struct text *out, uint32_t c);

/* repr(s): quotes of Python's choice, and escapes. */
void pytext_repr(const char *s, struct text *out);

/* json.dumps(s): in ASCII. */
void pytext_json(const char *s, struct text *out);

/* repr() of the date or datetime whose str() is s. */
void pytext_date_repr(const char *s, struct text *out);

#endif
