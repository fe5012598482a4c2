/* Numbers as Python reads them, for YAML and for literals. */
#ifndef RELAY_SWEEP_PYNUM_H
#define RELAY_SWEEP_PYNUM_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "value.h"

/* Python's limit on the digits of an int in text (sys.int_info). */
#define PYNUM_DIGITS 4300

/* The int of digits in base 2 to 36 without sign or "_", of any size. 0 or
 * -1: no digits, one that the base does not have, or too many. */
int pynum_int(const char *digits, size_t len, unsigned base, bool negative,
              struct value *v, struct relay_error *err);

/* The double of a decimal text, all of it. 0 or -1. */
int pynum_float(const char *text, double *f, struct relay_error *err);

#endif
