/* Expressions of `#RELAY cost`: how many hours a cell takes. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "relayline_int.h"
#include "text.h"

#define MAX_DEPTH 64 /* of brackets */

/* An expression while it is computed. */
struct sum {
    const char *at;
    const char *end;
    const struct value *params; /* NULL: only the form matters */
    int depth;
    bool unknown;      /* a name is missing or no number */
    const char *wrong; /* what is wrong at at; NULL: nothing */
};

static double terms(struct sum *s);

static char peek(struct sum *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t'))
        s->at++;
    return s->at < s->end ? *s->at : '\0';
}

static bool in_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.';
}

/* Numbers are in hours: a unit behind one says another. */
static double unit(struct sum *s)
{
    static const struct {
        char letter;
        double hours;
    } units[] = {{'s', 1.0 / 3600}, {'m', 1.0 / 60}, {'h', 1}, {'d', 24}};
    size_t i;

    if (s->at == s->end || !isalpha((unsigned char)*s->at))
        return 1;
    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (*s->at == units[i].letter &&
            (s->at + 1 == s->end || !in_name(s->at[1]))) {
            s->at++;
            return units[i].hours;
        }
    s->wrong = "a unit is s, m, h or d";
    return 0;
}

static size_t count_digits(const char *at, const char *end)
{
    const char *from = at;

    while (at < end && isdigit((unsigned char)*at))
        at++;
    return (size_t)(at - from);
}

static double number(struct sum *s)
{
    const char *from = s->at;
    char text[64];
    size_t len, more;

    s->at += count_digits(s->at, s->end);
    if (s->at < s->end && *s->at == '.')
        s->at += 1 + count_digits(s->at + 1, s->end);
    if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
        more = s->at + 1 < s->end && (s->at[1] == '-' || s->at[1] == '+')
                   ? 2 : 1;
        len = count_digits(s->at + more, s->end);
        if (len > 0)
            s->at += more + len;
    }
    len = (size_t)(s->at - from);
    if (len >= sizeof(text) || (len == 1 && *from == '.')) {
        s->wrong = "that is no number";
        return 0;
    }
    memcpy(text, from, len);
    text[len] = '\0';
    return strtod(text, NULL) * unit(s);
}

/* The parameter of that name: "a.b" is one called so, else b within a. */
static const struct value *find(const struct value *params, const char *name)
{
    const struct value *v = value_get(params, name);
    const char *dot = name;
    const struct value *inner;
    char key[256];

    while (v == NULL && (dot = strchr(dot, '.')) != NULL) {
        if ((size_t)(dot - name) < sizeof(key)) {
            memcpy(key, name, (size_t)(dot - name));
            key[dot - name] = '\0';
            inner = value_get(params, key);
            v = inner != NULL ? find(inner, dot + 1) : NULL;
        }
        dot++;
    }
    return v;
}

static bool value_number(const struct value *v, double *number)
{
    struct value read = {0};
    bool is = true;

    if (v == NULL)
        return false;
    if (v->kind == VALUE_INT)
        *number = v->text != NULL ? strtod(v->text, NULL) : (double)v->i;
    else if (v->kind == VALUE_FLOAT)
        *number = v->f;
    else if (v->kind == VALUE_STR && /* 1e-4 in YAML is a text */
             value_parse_literal(v->text, strlen(v->text), &read, NULL) == 0)
        is = read.kind != VALUE_STR && value_number(&read, number);
    else
        is = false;
    value_free(&read);
    return is;
}

static double name(struct sum *s)
{
    const char *from = s->at;
    char text[256];
    double result = 1;

    while (s->at < s->end && in_name(*s->at))
        s->at++;
    if ((size_t)(s->at - from) >= sizeof(text)) {
        s->wrong = "that name is too long";
        return 0;
    }
    if (s->params == NULL)
        return 1;
    memcpy(text, from, (size_t)(s->at - from));
    text[s->at - from] = '\0';
    if (!value_number(find(s->params, text), &result))
        s->unknown = true;
    return result;
}

static double factor(struct sum *s)
{
    double result = 0;
    char c = peek(s);

    if (s->depth++ >= MAX_DEPTH) {
        s->wrong = "it is nested too deeply";
    } else if (c == '(') {
        s->at++;
        result = terms(s);
        if (s->wrong == NULL && peek(s) != ')')
            s->wrong = "expected )";
        else if (s->wrong == NULL)
            s->at++;
    } else if (c == '-') {
        s->at++;
        result = -factor(s);
    } else if (isdigit((unsigned char)c) || c == '.') {
        result = number(s);
    } else if (isalpha((unsigned char)c) || c == '_') {
        result = name(s);
    } else {
        s->wrong = "expected a number, a name or (";
    }
    s->depth--;
    return result;
}

static double factors(struct sum *s)
{
    double result = factor(s);
    char c;

    while (s->wrong == NULL && ((c = peek(s)) == '*' || c == '/')) {
        s->at++;
        if (c == '*')
            result *= factor(s);
        else
            result /= factor(s);
    }
    return result;
}

static double terms(struct sum *s)
{
    double result = factors(s);
    char c;

    while (s->wrong == NULL && ((c = peek(s)) == '+' || c == '-')) {
        s->at++;
        if (c == '+')
            result += factors(s);
        else
            result -= factors(s);
    }
    return result;
}

int relayline_cost_form(struct relay_cursor *c)
{
    struct sum s = {.at = c->at, .end = c->end};

    (void)terms(&s); /* only its form matters yet */
    if (s.wrong != NULL)
        return relayline_fail(c, s.at, "cost: %s, as in: cost "
                              "2.5h*width/256", s.wrong);
    while (s.at > c->at && (s.at[-1] == ' ' || s.at[-1] == '\t'))
        s.at--;
    c->at = s.at;
    return 0;
}

double relaylines_cost(const char *expression, const struct value *params)
{
    struct sum s = {.at = expression,
                    .end = expression + strlen(expression),
                    .params = params};
    double hours = terms(&s);

    if (s.wrong != NULL || s.unknown || !isfinite(hours) || hours < 0)
        return -1;
    return hours;
}
