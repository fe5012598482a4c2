/* Values as text: str, repr, JSON and the text that ids are made of. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pytext.h"
#include "value.h"

static void add_int(const struct value *v, struct text *out)
{
    if (v->text != NULL)
        text_add(out, v->text);
    else
        text_add_int(out, v->i);
}

static void repr_list(const struct value *v, struct text *out)
{
    size_t i;

    text_add_char(out, v->flag ? '(' : '[');
    for (i = 0; i < v->n; i++) {
        if (i > 0)
            text_add_len(out, ", ", 2);
        value_repr(&v->items[i], out);
    }
    if (v->flag && v->n == 1)
        text_add_char(out, ',');
    text_add_char(out, v->flag ? ')' : ']');
}

static void repr_dict(const struct value *v, struct text *out)
{
    size_t i;

    text_add_char(out, '{');
    for (i = 0; i < v->n; i++) {
        if (i > 0)
            text_add_len(out, ", ", 2);
        pytext_repr(v->keys[i], out);
        text_add_len(out, ": ", 2);
        value_repr(&v->items[i], out);
    }
    text_add_char(out, '}');
}

void value_repr(const struct value *v, struct text *out)
{
    switch (v->kind) {
    case VALUE_NONE:
        text_add(out, "None");
        break;
    case VALUE_BOOL:
        text_add(out, v->flag ? "True" : "False");
        break;
    case VALUE_INT:
        add_int(v, out);
        break;
    case VALUE_FLOAT:
        value_float_repr(v->f, out);
        break;
    case VALUE_STR:
        pytext_repr(v->text, out);
        break;
    case VALUE_DATE:
        pytext_date_repr(v->text, out);
        break;
    case VALUE_LIST:
        repr_list(v, out);
        break;
    case VALUE_DICT:
        repr_dict(v, out);
        break;
    }
}

void value_str(const struct value *v, struct text *out)
{
    if (v->kind == VALUE_STR || v->kind == VALUE_DATE)
        text_add(out, v->text);
    else
        value_repr(v, out);
}

static void json_float(double f, struct text *out)
{
    if (isnan(f))
        text_add(out, "NaN");
    else if (isinf(f))
        text_add(out, f < 0 ? "-Infinity" : "Infinity");
    else
        value_float_repr(f, out);
}

static void json_list(const struct value *v, struct text *out)
{
    size_t i;

    text_add_char(out, '[');
    for (i = 0; i < v->n; i++) {
        if (i > 0)
            text_add_len(out, ", ", 2);
        value_json(&v->items[i], out);
    }
    text_add_char(out, ']');
}

static void json_dict(const struct value *v, struct text *out)
{
    size_t i;

    text_add_char(out, '{');
    for (i = 0; i < v->n; i++) {
        if (i > 0)
            text_add_len(out, ", ", 2);
        pytext_json(v->keys[i], out);
        text_add_len(out, ": ", 2);
        value_json(&v->items[i], out);
    }
    text_add_char(out, '}');
}

void value_json(const struct value *v, struct text *out)
{
    switch (v->kind) {
    case VALUE_NONE:
        text_add(out, "null");
        break;
    case VALUE_BOOL:
        text_add(out, v->flag ? "true" : "false");
        break;
    case VALUE_INT:
        add_int(v, out);
        break;
    case VALUE_FLOAT:
        json_float(v->f, out);
        break;
    case VALUE_STR:
    case VALUE_DATE:
        pytext_json(v->text, out);
        break;
    case VALUE_LIST:
        json_list(v, out);
        break;
    case VALUE_DICT:
        json_dict(v, out);
        break;
    }
}

static void canonical_float(double f, bool top, struct text *out)
{
    if (!top || f != nearbyint(f) || isinf(f))
        json_float(f, out);
    else if (fabs(f) < 9e18)
        text_add_int(out, (int64_t)f);
    else
        text_printf(out, "%.0f", f); /* int(f): all its digits */
}

static void canonical_list(const struct value *v, struct text *out)
{
    size_t i;

    text_add_char(out, v->flag ? '(' : '[');
    for (i = 0; i < v->n; i++) {
        if (i > 0)
            text_add_char(out, ',');
        value_canonical(&v->items[i], false, out);
    }
    text_add_char(out, v->flag ? ')' : ']');
}

struct member {
    const char *key;
    const struct value *item;
};

static int compare_members(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->key,
                  ((const struct member *)b)->key);
}

static void canonical_members(const struct member *members, size_t n,
                              bool top, struct text *out)
{
    size_t i;

    text_add_char(out, '{');
    for (i = 0; i < n; i++) {
        const struct value *item = members[i].item;

        if (i > 0)
            text_add_char(out, ',');
        pytext_json(members[i].key, out);
        text_add_char(out, ':');
        value_canonical(item, top && item->kind == VALUE_FLOAT, out);
    }
    text_add_char(out, '}');
}

/* The bytes of UTF-8 sort as its code points do. */
static void canonical_dict(const struct value *v, bool top, struct text *out)
{
    struct member few[32];
    struct member *members = few;
    size_t i;
    bool sorted = true;

    if (v->n > sizeof(few) / sizeof(few[0])) {
        members = reallocarray(NULL, v->n, sizeof(*members));
        if (members == NULL) {
            out->failed = true;
            return;
        }
    }
    for (i = 0; i < v->n; i++) {
        members[i].key = v->keys[i];
        members[i].item = &v->items[i];
        sorted = sorted && (i == 0 || strcmp(v->keys[i - 1], v->keys[i]) < 0);
    }
    if (!sorted)
        qsort(members, v->n, sizeof(*members), compare_members);
    canonical_members(members, v->n, top, out);
    if (members != few)
        free(members);
}

void value_canonical(const struct value *v, bool top, struct text *out)
{
    switch (v->kind) {
    case VALUE_FLOAT:
        canonical_float(v->f, top, out);
        break;
    case VALUE_DATE: /* not the string of the same letters */
        text_add(out, "date");
        pytext_json(v->text, out);
        break;
    case VALUE_LIST:
        canonical_list(v, out);
        break;
    case VALUE_DICT:
        canonical_dict(v, top, out);
        break;
    default:
        value_json(v, out);
        break;
    }
}
