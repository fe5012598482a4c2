#include "cellyaml.h"

#include <math.h>
#include <string.h>

/* --- strings ------------------------------------------------------------- */

/* Decodes one character of UTF-8; *len is its length, 1 for a byte that is
 * none (then -1 is returned). */
static long decode(const char *s, size_t *len)
{
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    static const long least[] = {0, 0x80, 0x800, 0x10000};
    unsigned char c = (unsigned char)*s;
    size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    long code = c - lead[more];
    size_t i;

    *len = 1;
    if (c < 0x80)
        return c;
    if (more == 0)
        return -1;
    for (i = 1; i <= more; i++) {
        if (((unsigned char)s[i] & 0xc0) != 0x80)
            return -1;
        code = code << 6 | ((unsigned char)s[i] & 0x3f);
    }
    if (code < least[more] || code > 0x10ffff ||
        (code >= 0xd800 && code < 0xe000))
        return -1;
    *len = more + 1;
    return code;
}

/* May it stand in a double-quoted scalar as it is? YAML folds the line
 * breaks of Unicode, and takes no control characters. */
static bool plain(long code)
{
    return code >= 0x20 && code != '"' && code != '\\' &&
           !(code >= 0x7f && code < 0xa0) && code != 0x2028 &&
           code != 0x2029 && code != 0xfeff && code != 0xfffe &&
           code != 0xffff;
}

static void add_string(const char *s, struct text *out)
{
    size_t len;

    text_add_char(out, '"');
    for (; *s != '\0'; s += len) {
        long code = decode(s, &len);

        if (code >= 0 && plain(code))
            text_add_len(out, s, len);
        else if (code < 0)
            text_add(out, "\xef\xbf\xbd"); /* U+FFFD: YAML is Unicode */
        else if (code == '"' || code == '\\')
            text_printf(out, "\\%c", (int)code);
        else
            text_printf(out, "\\u%04lx", (unsigned long)code);
    }
    text_add_char(out, '"');
}

/* --- values -------------------------------------------------------------- */

static void add_float(double f, struct text *out)
{
    struct text digits = {0};
    const char *s;
    const char *e;

    if (isnan(f) || isinf(f)) {
        text_add(out, isnan(f) ? ".nan" : f > 0 ? ".inf" : "-.inf");
        return;
    }
    value_float_repr(f, &digits);
    s = text_str(&digits);
    e = strchr(s, 'e');
    /* A float of YAML 1.1 has a point. */
    if (e != NULL && strchr(s, '.') == NULL) {
        text_add_len(out, s, (size_t)(e - s));
        text_add(out, ".0");
        text_add(out, e);
    } else {
        text_add(out, s);
    }
    out->failed = out->failed || digits.failed;
    text_free(&digits);
}

static void add_value(const struct value *v, struct text *out)
{
    size_t i;

    switch (v->kind) {
    case VALUE_NONE:
        text_add(out, "null");
        break;
    case VALUE_BOOL:
        text_add(out, v->flag ? "true" : "false");
        break;
    case VALUE_INT:
        if (v->text != NULL)
            text_add(out, v->text);
        else
            text_add_int(out, v->i);
        break;
    case VALUE_FLOAT:
        add_float(v->f, out);
        break;
    case VALUE_STR:
    case VALUE_DATE:
        add_string(v->text != NULL ? v->text : "", out);
        break;
    case VALUE_LIST:
        text_add_char(out, '[');
        for (i = 0; i < v->n; i++) {
            text_add(out, i > 0 ? ", " : "");
            add_value(&v->items[i], out);
        }
        text_add_char(out, ']');
        break;
    case VALUE_DICT:
        text_add_char(out, '{');
        for (i = 0; i < v->n; i++) {
            text_add(out, i > 0 ? ", " : "");
            add_string(v->keys[i], out);
            text_add(out, ": ");
            add_value(&v->items[i], out);
        }
        text_add_char(out, '}');
        break;
    }
}

void cellyaml_params(const struct value *params, struct text *out)
{
    size_t i;

    text_add(out, "wandb_version: 1\n");
    for (i = 0; i < params->n; i++) {
        text_add_char(out, '\n');
        add_string(params->keys[i], out);
        text_add(out, ":\n  value: ");
        add_value(&params->items[i], out);
        text_add_char(out, '\n');
    }
}
