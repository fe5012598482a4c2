/* The regular expressions of PyYAML's resolver.py, by hand. */
#include <string.h>

#include "yaml11_scalar.h"

#define DIGITS "0123456789"

static const char *skip_sign(const char *p)
{
    return *p == '-' || *p == '+' ? p + 1 : p;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* [set]+ up to the end. */
static bool all_of(const char *p, const char *set)
{
    return *p != '\0' && p[strspn(p, set)] == '\0';
}

static bool one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

/* (?::[0-5]?[0-9])+ ; NULL: not here. */
static const char *skip_sixties(const char *p)
{
    if (*p != ':')
        return NULL;
    while (*p == ':') {
        p++;
        if (*p >= '0' && *p <= '5' && is_digit(p[1]))
            p++;
        if (!is_digit(*p))
            return NULL;
        p++;
    }
    return p;
}

/* (?:[eE][-+][0-9]+)? up to the end; the sign may be left out when loose. */
static bool is_exponent(const char *p, bool loose)
{
    if (*p == '\0')
        return true;
    if (*p != 'e' && *p != 'E')
        return false;
    p++;
    if (*p == '-' || *p == '+')
        p++;
    else if (!loose)
        return false;
    return all_of(p, DIGITS);
}

static bool is_float(const char *text)
{
    static const char *const infinities[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};
    const char *p = skip_sign(text);
    const char *q;

    if (one_of(p, infinities) || one_of(text, nans))
        return true;
    if (text[0] == '.' && is_digit(text[1]))
        return is_exponent(text + 1 + strspn(text + 1, DIGITS "_"), false);
    if (!is_digit(*p))
        return false;
    p += strspn(p, DIGITS "_");
    if (*p == '.')
        return is_exponent(p + 1 + strspn(p + 1, DIGITS "_"), false);
    q = skip_sixties(p);
    return q != NULL && *q == '.' &&
           (q[1] == '\0' || all_of(q + 1, DIGITS "_"));
}

static bool is_int(const char *text)
{
    const char *p = skip_sign(text);

    if (*p == '0' && p[1] == '\0')
        return true;
    if (*p == '0' && p[1] == 'b')
        return all_of(p + 2, "01_");
    if (*p == '0' && p[1] == 'x')
        return all_of(p + 2, DIGITS "abcdefABCDEF_");
    if (*p == '0')
        return all_of(p + 1, "01234567_");
    if (!is_digit(*p))
        return false;
    p += strspn(p, DIGITS "_");
    if (*p == '\0')
        return true;
    p = skip_sixties(p);
    return p != NULL && *p == '\0';
}

enum scalar_type scalar_resolve(const char *text)
{
    static const char *const bools[] = {
        "yes", "Yes", "YES", "no", "No", "NO", "true", "True", "TRUE",
        "false", "False", "FALSE", "on", "On", "ON", "off", "Off", "OFF",
        NULL};
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};

    if (one_of(text, nulls))
        return SCALAR_NULL;
    if (one_of(text, bools))
        return SCALAR_BOOL;
    if (strcmp(text, "<<") == 0)
        return SCALAR_MERGE;
    if (strcmp(text, "=") == 0)
        return SCALAR_VALUE;
    if (is_float(text))
        return SCALAR_FLOAT;
    if (is_int(text))
        return SCALAR_INT;
    return scalar_is_date(text) ? SCALAR_DATE : SCALAR_STR;
}

bool scalar_is_lost_float(const char *text)
{
    const char *p = skip_sign(text);
    size_t before = strspn(p, DIGITS "_");

    if (scalar_resolve(text) != SCALAR_STR || *p == '_')
        return false;
    p += before;
    if (*p == '.') {
        p++;
        if (before == 0 && !is_digit(*p))
            return false;
        p += strspn(p, DIGITS "_");
    } else if (before == 0 || *p == '\0') {
        return false; /* 08: of digits alone */
    }
    return is_exponent(p, true);
}

void scalar_spell_float(const char *text, struct text *out)
{
    const char *p = skip_sign(text);
    size_t n = strspn(p, DIGITS "_");

    text_add_len(out, text, (size_t)(p - text));
    if (n == 0)
        text_add_char(out, '0');
    text_add_len(out, p, n);
    p += n;
    text_add_char(out, '.');
    if (*p == '.')
        p++;
    n = strspn(p, DIGITS "_");
    text_add_len(out, n > 0 ? p : "0", n > 0 ? n : 1);
    p += n;
    if (*p == '\0')
        return;
    text_add_char(out, *p++);
    if (is_digit(*p))
        text_add_char(out, '+');
    text_add(out, p);
}
