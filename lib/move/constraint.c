#include "constraint.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define MAX_DEPTH 16

struct reading {
    const char *at;
    const char *features;
    int depth;
};

static bool has_feature(const char *features, const char *name, size_t len)
{
    while (*features != '\0') {
        size_t n = strcspn(features, ",");

        if (n == len && strncmp(features, name, len) == 0)
            return true;
        features += n + (features[n] == ',');
    }
    return false;
}

static int expression(struct reading *r, char close);

/* A name, or an expression in brackets. */
static int operand(struct reading *r)
{
    size_t len = strcspn(r->at, "&|()[]*,! \t");
    const char *name = r->at;
    char open = *r->at;

    if (open == '(' || open == '[') {
        r->at++;
        return expression(r, open == '(' ? ')' : ']');
    }
    if (len == 0)
        return -1;
    r->at += len;
    return has_feature(r->features, name, len);
}

/* Up to close, which is passed. */
static int expression(struct reading *r, char close)
{
    int fits;

    if (++r->depth > MAX_DEPTH)
        return -1;
    fits = operand(r);
    while (fits >= 0 && (*r->at == '&' || *r->at == '|')) {
        bool both = *r->at++ == '&';
        int other = operand(r);

        if (other < 0)
            return -1;
        fits = both ? fits && other : fits || other;
    }
    r->depth--;
    if (fits < 0 || *r->at != close)
        return -1;
    if (close != '\0')
        r->at++;
    return fits;
}

int constraint_fits(const char *constraint, const char *features)
{
    struct reading r = {constraint, features, 0};

    return constraint[0] == '\0' ? 1 : expression(&r, '\0');
}
