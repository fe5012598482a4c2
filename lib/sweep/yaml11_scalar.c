/* The constructors of PyYAML's constructor.py. */
#include "yaml11_scalar.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "pynum.h"

/* Without underscores and, as int() and float() take it, blanks around. To
 * free; NULL: out of memory. */
static char *plain_number(const char *text)
{
    char *copy = strdup(text);
    char *to = copy;
    size_t len;

    if (copy == NULL)
        return NULL;
    for (; *text != '\0'; text++)
        if (*text != '_')
            *to++ = *text;
    *to = '\0';
    len = strlen(copy);
    while (len > 0 && isspace((unsigned char)copy[len - 1]))
        copy[--len] = '\0';
    memmove(copy, copy + strspn(copy, " \t\n\r\f\v"),
            len + 1 - strspn(copy, " \t\n\r\f\v"));
    return copy;
}

static int no_number(const char *text, const char *what,
                     struct relay_error *err)
{
    return relay_fail(err, EX_DATAERR, "\"%.60s\" is not %s", text, what);
}

/* int(text, base) of Python. */
static int python_int(const char *p, unsigned base, bool negative,
                      struct value *v, struct relay_error *err)
{
    if (*p == '-' || *p == '+')
        negative ^= *p++ == '-';
    if (base == 8 && strncasecmp(p, "0o", 2) == 0)
        p += 2;
    return pynum_int(p, strlen(p), base, negative, v, err);
}

static int make_sixties(const char *p, bool negative, struct value *v,
                        struct relay_error *err)
{
    int64_t sum = 0;

    for (;;) {
        size_t len = strcspn(p, ":");
        struct value part = {0};

        if (pynum_int(p, len, 10, false, &part, err) != 0)
            return -1;
        if (part.text != NULL || __builtin_mul_overflow(sum, 60, &sum) ||
            __builtin_add_overflow(sum, part.i, &sum)) {
            value_free(&part);
            return relay_fail(err, EX_DATAERR, "a number in base 60 that is "
                              "too large");
        }
        if (p[len] == '\0')
            break;
        p += len + 1;
    }
    value_set_int(v, negative ? -sum : sum);
    return 0;
}

static int make_int(const char *text, struct value *v, struct relay_error *err)
{
    char *copy = plain_number(text);
    bool negative;
    const char *p;
    int rc;

    if (copy == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    negative = copy[0] == '-';
    p = copy + (copy[0] == '-' || copy[0] == '+');
    if (strcmp(p, "0") == 0)
        rc = python_int(p, 10, negative, v, NULL);
    else if (strncmp(p, "0b", 2) == 0)
        rc = python_int(p + 2, 2, negative, v, NULL);
    else if (strncmp(p, "0x", 2) == 0)
        rc = python_int(p + 2, 16, negative, v, NULL);
    else if (p[0] == '0')
        rc = python_int(p, 8, negative, v, NULL);
    else if (strchr(p, ':') != NULL)
        rc = make_sixties(p, negative, v, NULL);
    else
        rc = python_int(p, 10, negative, v, NULL);
    free(copy);
    return rc == 0 ? 0 : no_number(text, "an int of YAML 1.1", err);
}

/* float(text) of Python: no hexadecimal, which strtod would take. */
static int python_float(const char *text, double *f)
{
    if (strpbrk(text, "xXpP(") != NULL || isspace((unsigned char)text[0]))
        return -1;
    return pynum_float(text, f, NULL);
}

/* As the constructor adds: from the last part, in doubles. */
static int sum_sixties(char *text, double *sum)
{
    double base = 1, part;
    char *colon;

    *sum = 0;
    do {
        colon = strrchr(text, ':');
        if (python_float(colon != NULL ? colon + 1 : text, &part) != 0)
            return -1;
        *sum += part * base;
        base *= 60;
        if (colon != NULL)
            *colon = '\0';
    } while (colon != NULL);
    return 0;
}

static int make_float(const char *text, struct value *v,
                      struct relay_error *err)
{
    char *copy = plain_number(text);
    bool negative;
    double f = 0;
    int rc = 0;
    char *p;

    if (copy == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    negative = copy[0] == '-';
    p = copy + (copy[0] == '-' || copy[0] == '+');
    if (strcasecmp(p, ".inf") == 0)
        f = INFINITY;
    else if (strcasecmp(p, ".nan") == 0)
        f = NAN;
    else if (strchr(p, ':') != NULL)
        rc = sum_sixties(p, &f);
    else
        rc = python_float(p, &f);
    free(copy);
    if (rc != 0)
        return no_number(text, "a float", err);
    value_set_float(v, negative ? -f : f);
    return 0;
}

static int make_bool(const char *text, struct value *v,
                     struct relay_error *err)
{
    static const char *const words[] = {"no",  "yes", "false",
                                        "true", "off", "on"};
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(text, words[i]) == 0) {
            value_set_bool(v, i % 2 == 1);
            return 0;
        }
    return no_number(text, "a bool of YAML 1.1 (true, false)", err);
}

int scalar_make(enum scalar_type type, const char *text, size_t len,
                struct value *v, struct relay_error *err)
{
    memset(v, 0, sizeof(*v));
    if (strlen(text) != len)
        type = SCALAR_STR; /* which refuses the NUL */
    switch (type) {
    case SCALAR_NULL:
        return 0;
    case SCALAR_BOOL:
        return make_bool(text, v, err);
    case SCALAR_INT:
        return make_int(text, v, err);
    case SCALAR_FLOAT:
        return make_float(text, v, err);
    case SCALAR_DATE:
        return scalar_make_date(text, v, err);
    case SCALAR_VALUE:
        return relay_fail(err, EX_DATAERR, "a plain = has no value in "
                          "YAML 1.1; write \"=\"");
    case SCALAR_MERGE:
        return relay_fail(err, EX_DATAERR, "<< is for keys; write \"<<\" for "
                          "the string");
    case SCALAR_STR:
        break;
    }
    return value_set_str(v, text, len, err);
}
