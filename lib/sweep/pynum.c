#include "pynum.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define LIMB 1000000000u /* of a number in base a billion */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 10;
    return 99;
}

static int check_digits(const char *digits, size_t len, unsigned base,
                        struct relay_error *err)
{
    size_t i;

    if (len == 0)
        return relay_fail(err, EX_DATAERR, "a number without digits");
    for (i = 0; i < len; i++)
        if ((unsigned)digit_of(digits[i]) >= base)
            return relay_fail(err, EX_DATAERR,
                              "\"%.*s\" is no number in base %u",
                              len > 60 ? 60 : (int)len, digits, base);
    return 0;
}

/* limbs times base plus digit; the least limb is the first. */
static size_t times_plus(uint32_t *limbs, size_t n, unsigned base,
                         unsigned digit)
{
    uint64_t carry = digit;
    size_t i;

    for (i = 0; i < n; i++) {
        carry += (uint64_t)limbs[i] * base;
        limbs[i] = (uint32_t)(carry % LIMB);
        carry /= LIMB;
    }
    if (carry != 0)
        limbs[n++] = (uint32_t)carry;
    return n;
}

static char *limbs_text(const uint32_t *limbs, size_t n, bool negative)
{
    size_t room = n * 9 + 2, len;
    char *text = malloc(room);

    if (text == NULL)
        return NULL;
    len = (size_t)snprintf(text, room, "%s%u", negative ? "-" : "",
                           limbs[n - 1]);
    while (--n > 0)
        len += (size_t)snprintf(text + len, room - len, "%09u", limbs[n - 1]);
    return text;
}

static int big_int(const char *digits, size_t len, unsigned base,
                   bool negative, struct value *v, struct relay_error *err)
{
    uint32_t *limbs;
    size_t i, n = 0;
    char *text;

    while (len > 1 && digits[0] == '0') {
        digits++;
        len--;
    }
    if (len > PYNUM_DIGITS)
        return relay_fail(err, EX_DATAERR, "a number of more than %d digits",
                          PYNUM_DIGITS);
    limbs = malloc((len + 1) * sizeof(*limbs));
    if (limbs == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    for (i = 0; i < len; i++)
        n = times_plus(limbs, n, base, (unsigned)digit_of(digits[i]));
    text = n > 0 ? limbs_text(limbs, n, negative) : strdup("0");
    free(limbs);
    if (text == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    if (strlen(text) > PYNUM_DIGITS) {
        free(text);
        return relay_fail(err, EX_DATAERR, "a number of more than %d digits",
                          PYNUM_DIGITS);
    }
    memset(v, 0, sizeof(*v));
    v->kind = VALUE_INT;
    v->text = text;
    return 0;
}

int pynum_int(const char *digits, size_t len, unsigned base, bool negative,
              struct value *v, struct relay_error *err)
{
    const uint64_t most = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t n = 0;
    size_t i;

    if (check_digits(digits, len, base, err) != 0)
        return -1;
    for (i = 0; i < len; i++) {
        unsigned digit = (unsigned)digit_of(digits[i]);

        if (n > (most - digit) / base)
            return big_int(digits, len, base, negative, v, err);
        n = n * base + digit;
    }
    value_set_int(v, negative ? (int64_t)(0 - n) : (int64_t)n);
    return 0;
}

/* Nothing here sets LC_NUMERIC, so strtod knows the point. */
int pynum_float(const char *text, double *f, struct relay_error *err)
{
    char *end = NULL;

    *f = strtod(text, &end);
    if (end == text || *end != '\0')
        return relay_fail(err, EX_DATAERR, "\"%.60s\" is no number", text);
    return 0;
}
