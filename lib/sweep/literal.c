/* Python literals, as ast.literal_eval reads them. */
#include "value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "pynum.h"
#include "pytext.h"

#define DEPTH_MAX 100

struct source {
    const char *p;
    const char *end;
    int depth; /* of brackets: within them a line break is a blank */
    struct relay_error *err;
};

static int parse_value(struct source *src, struct value *v);

static int no_literal(struct source *src)
{
    return relay_fail(src->err, EX_DATAERR, "not a Python literal");
}

static int no_memory(struct source *src)
{
    return relay_fail(src->err, EX_OSERR, "out of memory");
}

static char peek(const struct source *src)
{
    return src->p < src->end ? *src->p : '\0';
}

static bool starts_with(const struct source *src, const char *text)
{
    size_t len = strlen(text);

    return (size_t)(src->end - src->p) >= len &&
           memcmp(src->p, text, len) == 0;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static void skip_blanks(struct source *src)
{
    while (src->p < src->end) {
        char c = *src->p;

        if (c == '#') {
            while (src->p < src->end && *src->p != '\n')
                src->p++;
        } else if (c == ' ' || c == '\t' || c == '\f' ||
                   (src->depth > 0 && (c == '\n' || c == '\r'))) {
            src->p++;
        } else if (starts_with(src, "\\\n") && src->p + 2 < src->end) {
            src->p += 2;
        } else {
            return;
        }
    }
}

/* --- numbers -------------------------------------------------------------- */

/* Digits with single underscores between them, added without those. */
static bool take_digits(struct source *src, bool (*is_digit)(char),
                        struct text *out)
{
    size_t before = out->len;

    while (is_digit(peek(src)) ||
           (peek(src) == '_' && out->len > before && src->p + 1 < src->end &&
            is_digit(src->p[1]))) {
        if (*src->p != '_')
            text_add_char(out, *src->p);
        src->p++;
    }
    return out->len > before;
}

static bool is_decimal(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return isxdigit((unsigned char)c) != 0;
}

static bool take_exponent(struct source *src, struct text *out)
{
    text_add_char(out, 'e');
    src->p++;
    if (peek(src) == '+' || peek(src) == '-')
        text_add_char(out, *src->p++);
    return take_digits(src, is_decimal, out);
}

static int parse_based(struct source *src, unsigned base, bool negative,
                       struct text *digits, struct value *v)
{
    src->p += 2;
    if (peek(src) == '_')
        src->p++;
    if (!take_digits(src, is_hex, digits) || is_word(peek(src)))
        return no_literal(src);
    return pynum_int(text_str(digits), digits->len, base, negative, v,
                     src->err);
}

static int parse_decimal(struct source *src, bool negative,
                         struct text *digits, struct value *v)
{
    bool whole = take_digits(src, is_decimal, digits), real = false;
    double f;

    if (peek(src) == '.') {
        text_add_char(digits, *src->p++);
        real = true;
        if (!take_digits(src, is_decimal, digits) && !whole)
            return no_literal(src);
    }
    if (peek(src) == 'e' || peek(src) == 'E') {
        real = true;
        if (!take_exponent(src, digits))
            return no_literal(src);
    }
    if (is_word(peek(src)) || digits->failed)
        return no_literal(src);
    if (!real) {
        const char *s = text_str(digits);

        if (s[0] == '0' && strspn(s, "0") != digits->len)
            return no_literal(src); /* 010 is an error in Python 3 */
        return pynum_int(s, digits->len, 10, negative, v, src->err);
    }
    if (pynum_float(text_str(digits), &f, src->err) != 0)
        return -1;
    value_set_float(v, negative ? -f : f);
    return 0;
}

static int parse_number(struct source *src, bool negative, struct value *v)
{
    struct text digits = {0};
    char second = src->p + 1 < src->end ? src->p[1] : '\0';
    unsigned base = 10;
    int rc;

    if (peek(src) == '0' && (second == 'x' || second == 'X'))
        base = 16;
    else if (peek(src) == '0' && (second == 'o' || second == 'O'))
        base = 8;
    else if (peek(src) == '0' && (second == 'b' || second == 'B'))
        base = 2;
    rc = base == 10 ? parse_decimal(src, negative, &digits, v)
                    : parse_based(src, base, negative, &digits, v);
    text_free(&digits);
    return rc;
}

static int parse_signed(struct source *src, struct value *v)
{
    bool negative = *src->p == '-';

    src->p++;
    skip_blanks(src);
    if (!is_decimal(peek(src)) && peek(src) != '.')
        return no_literal(src);
    return parse_number(src, negative, v);
}

/* --- strings -------------------------------------------------------------- */

static int add_code(struct source *src, size_t digits, struct text *out)
{
    uint32_t c = 0;

    while (digits-- > 0) {
        char d = peek(src);

        if (!is_hex(d))
            return no_literal(src);
        c = c * 16 + (uint32_t)(is_decimal(d) ? d - '0'
                                              : (d | 0x20) - 'a' + 10);
        src->p++;
    }
    if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return no_literal(src);
    pytext_add(out, c);
    return 0;
}

static int add_octal(struct source *src, struct text *out)
{
    uint32_t c = 0;
    int i;

    for (i = 0; i < 3 && peek(src) >= '0' && peek(src) <= '7'; i++)
        c = c * 8 + (uint32_t)(*src->p++ - '0');
    if (c == 0)
        return no_literal(src);
    pytext_add(out, c);
    return 0;
}

/* Behind the backslash. */
static int add_escape(struct source *src, struct text *out)
{
    static const char letters[] = "\\'\"abfnrtv";
    static const char meant[] = "\\'\"\a\b\f\n\r\t\v";
    char c = peek(src);
    const char *at = c != '\0' ? strchr(letters, c) : NULL;

    if (at != NULL) {
        text_add_char(out, meant[at - letters]);
        src->p++;
        return 0;
    }
    if (c >= '0' && c <= '7')
        return add_octal(src, out);
    if (c == 'x' || c == 'u' || c == 'U') {
        src->p++;
        return add_code(src, c == 'x' ? 2 : c == 'u' ? 4 : 8, out);
    }
    if (c == '\n') {
        src->p++;
        return 0;
    }
    if (c == 'N' || c == '\0')
        return no_literal(src);
    text_add_char(out, '\\'); /* an unknown one stays as it is */
    return 0;
}

static int add_char(struct source *src, struct text *out)
{
    const char *start = src->p;
    uint32_t c = pytext_next(&src->p);

    if (c >= 0xdc80 && c <= 0xdcff)
        return no_literal(src); /* no UTF-8 */
    text_add_len(out, start, (size_t)(src->p - start));
    return 0;
}

static int parse_quoted(struct source *src, bool raw, struct text *out)
{
    char quote[4] = {*src->p, *src->p, *src->p, '\0'};
    bool triple = starts_with(src, quote);

    if (!triple)
        quote[1] = '\0';
    src->p += triple ? 3 : 1;
    while (!starts_with(src, quote)) {
        char c = peek(src);

        if (c == '\0' || c == '\r' || (c == '\n' && !triple))
            return no_literal(src);
        if (c == '\\' && !raw) {
            src->p++;
            if (add_escape(src, out) != 0)
                return -1;
            continue;
        }
        if (c == '\\' && src->p + 1 < src->end) {
            if (src->p[1] == '\r')
                return no_literal(src);
            text_add_char(out, *src->p++);
        }
        if (src->p >= src->end || add_char(src, out) != 0)
            return no_literal(src);
    }
    src->p += triple ? 3 : 1;
    return 0;
}

/* Is a string here? Then *prefix is the length of its r or u. */
static bool at_string(const struct source *src, size_t *prefix)
{
    const char *p = src->p;

    *prefix = p < src->end && strchr("rRuU", *p) != NULL && *p != '\0';
    p += *prefix;
    return p < src->end && (*p == '\'' || *p == '"');
}

/* One string, or several with blanks between, which are one. */
static int parse_string(struct source *src, struct value *v)
{
    struct text out = {0};
    size_t prefix;
    int rc = 0;

    while (rc == 0 && at_string(src, &prefix)) {
        bool raw = prefix > 0 && (*src->p | 0x20) == 'r';

        src->p += prefix;
        rc = parse_quoted(src, raw, &out);
        if (rc == 0)
            skip_blanks(src);
    }
    if (rc == 0 && out.failed)
        rc = no_memory(src);
    if (rc == 0)
        rc = value_set_str(v, text_str(&out), out.len, src->err);
    text_free(&out);
    return rc;
}

/* --- what is made of them ------------------------------------------------- */

/* Values with commas between them until close; *comma: one was seen. */
static int parse_items(struct source *src, char close, struct value *v,
                       bool *comma)
{
    struct value item = {0};

    skip_blanks(src);
    while (peek(src) != close) {
        if (parse_value(src, &item) != 0)
            return -1;
        if (value_append(v, &item, src->err) != 0)
            return -1;
        skip_blanks(src);
        if (peek(src) == ',') {
            *comma = true;
            src->p++;
            skip_blanks(src);
        } else if (peek(src) != close) {
            return no_literal(src);
        }
    }
    return src->p < src->end || close == '\0' ? 0 : no_literal(src);
}

static int parse_list(struct source *src, struct value *v)
{
    bool comma = false;

    v->kind = VALUE_LIST;
    return parse_items(src, ']', v, &comma);
}

/* What of one value without a comma is the value itself. */
static void undo_tuple(struct value *v, bool comma)
{
    struct value item;

    v->flag = true;
    if (v->n != 1 || comma)
        return;
    item = v->items[0];
    memset(&v->items[0], 0, sizeof(v->items[0]));
    value_free(v);
    *v = item;
}

static int parse_parens(struct source *src, struct value *v)
{
    bool comma = false;

    v->kind = VALUE_LIST;
    if (parse_items(src, ')', v, &comma) != 0)
        return -1;
    undo_tuple(v, comma);
    return 0;
}

static int parse_member(struct source *src, struct value *v)
{
    struct value key = {0}, item = {0};
    int rc = -1;

    if (parse_value(src, &key) != 0)
        return -1;
    skip_blanks(src);
    if (key.kind != VALUE_STR || peek(src) != ':') {
        no_literal(src);
    } else {
        src->p++;
        rc = parse_value(src, &item);
        if (rc == 0)
            rc = value_put(v, key.text, &item, src->err);
    }
    value_free(&key);
    return rc;
}

static int parse_dict(struct source *src, struct value *v)
{
    v->kind = VALUE_DICT;
    skip_blanks(src);
    while (peek(src) != '}') {
        if (parse_member(src, v) != 0)
            return -1;
        skip_blanks(src);
        if (peek(src) == ',') {
            src->p++;
            skip_blanks(src);
        } else if (peek(src) != '}') {
            return no_literal(src);
        }
    }
    return 0;
}

static int parse_bracket(struct source *src, struct value *v)
{
    char open = *src->p++;
    int rc;

    if (++src->depth > DEPTH_MAX)
        return no_literal(src);
    if (open == '[')
        rc = parse_list(src, v);
    else if (open == '(')
        rc = parse_parens(src, v);
    else
        rc = parse_dict(src, v);
    src->depth--;
    if (rc == 0)
        src->p++; /* the closing one */
    return rc;
}

static int parse_name(struct source *src, struct value *v)
{
    static const char *const names[] = {"None", "True", "False"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!starts_with(src, names[i]))
            continue;
        src->p += strlen(names[i]);
        if (is_word(peek(src)))
            return no_literal(src);
        if (i > 0)
            value_set_bool(v, i == 1);
        return 0;
    }
    return no_literal(src);
}

/* v is None before, and None again when it fails. */
static int parse_value(struct source *src, struct value *v)
{
    size_t prefix;
    int rc;
    char c;

    skip_blanks(src);
    c = peek(src);
    if (c == '+' || c == '-')
        rc = parse_signed(src, v);
    else if (is_decimal(c) || c == '.')
        rc = parse_number(src, false, v);
    else if (c == '[' || c == '(' || c == '{')
        rc = parse_bracket(src, v);
    else if (at_string(src, &prefix))
        rc = parse_string(src, v);
    else
        rc = parse_name(src, v);
    if (rc != 0)
        value_free(v);
    return rc;
}

static void skip_lines(struct source *src)
{
    src->depth = 1;
    skip_blanks(src);
    src->depth = 0;
}

/* Several values with commas between them are a tuple, without brackets. */
static int parse_top(struct source *src, struct value *v)
{
    struct value item = {0};
    bool comma = false;

    v->kind = VALUE_LIST;
    do {
        if (parse_value(src, &item) != 0 ||
            value_append(v, &item, src->err) != 0)
            return -1;
        skip_blanks(src);
        if (peek(src) != ',')
            break;
        comma = true;
        src->p++;
        skip_blanks(src);
    } while (src->p < src->end && *src->p != '\n');
    undo_tuple(v, comma);
    skip_lines(src);
    return src->p == src->end ? 0 : no_literal(src);
}

int value_parse_literal(const char *text, size_t len, struct value *v,
                        struct relay_error *err)
{
    struct source src = {.err = err};
    char *copy;
    int rc;

    memset(v, 0, sizeof(*v));
    if (memchr(text, '\0', len) != NULL)
        return no_literal(&src);
    copy = strndup(text, len);
    if (copy == NULL)
        return no_memory(&src);
    src.p = copy;
    src.end = copy + len;
    rc = parse_top(&src, v);
    if (rc != 0)
        value_free(v);
    free(copy);
    return rc;
}
