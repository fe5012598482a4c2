#include "meta_scan.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define MAX_DEPTH 512

struct cursor {
    const char *text;
    size_t len;
    size_t pos;
    const char *wrong; /* what was wrong at pos; NULL: nothing */
};

static int wrong(struct cursor *c, const char *what)
{
    if (c->wrong == NULL)
        c->wrong = what;
    return -1;
}

static int peek(const struct cursor *c)
{
    return c->pos < c->len ? (unsigned char)c->text[c->pos] : -1;
}

static void skip_space(struct cursor *c)
{
    while (c->pos < c->len && strchr(" \t\r\n", c->text[c->pos]) != NULL &&
           c->text[c->pos] != '\0')
        c->pos++;
}

static bool is_hex(int ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f') ||
           (ch >= 'A' && ch <= 'F');
}

static int skip_escape(struct cursor *c)
{
    int i;

    c->pos++;
    if (peek(c) < 0 || strchr("\"\\/bfnrtu", peek(c)) == NULL ||
        peek(c) == '\0')
        return wrong(c, "an escape that JSON does not have");
    if (c->text[c->pos++] != 'u')
        return 0;
    for (i = 0; i < 4; i++, c->pos++) {
        if (!is_hex(peek(c)))
            return wrong(c, "\\u needs four hex digits");
    }
    return 0;
}

static int skip_string(struct cursor *c)
{
    if (peek(c) != '"')
        return wrong(c, "a string was expected");
    c->pos++;
    while (peek(c) != '"') {
        if (peek(c) < 0)
            return wrong(c, "the text ends inside a string");
        if (peek(c) < 0x20)
            return wrong(c, "a control character inside a string");
        if (peek(c) != '\\')
            c->pos++;
        else if (skip_escape(c) != 0)
            return -1;
    }
    c->pos++;
    return 0;
}

static bool skip_word(struct cursor *c, const char *word)
{
    size_t n = strlen(word);

    if (c->len - c->pos < n || memcmp(c->text + c->pos, word, n) != 0)
        return false;
    c->pos += n;
    return true;
}

static size_t skip_digits(struct cursor *c)
{
    size_t from = c->pos;

    while (peek(c) >= '0' && peek(c) <= '9')
        c->pos++;
    return c->pos - from;
}

static int skip_number(struct cursor *c)
{
    if (peek(c) == '-')
        c->pos++;
    if (skip_word(c, "Infinity"))
        return 0;
    if (peek(c) == '0')
        c->pos++;
    else if (skip_digits(c) == 0)
        return wrong(c, "a value was expected");
    if (peek(c) == '.') {
        c->pos++;
        if (skip_digits(c) == 0)
            return wrong(c, "a digit was expected");
    }
    if (peek(c) == 'e' || peek(c) == 'E') {
        c->pos++;
        if (peek(c) == '+' || peek(c) == '-')
            c->pos++;
        if (skip_digits(c) == 0)
            return wrong(c, "a digit was expected");
    }
    return 0;
}

static int skip_value(struct cursor *c, int depth);

/* The key and the colon of a member, white space behind them too. */
static int skip_key(struct cursor *c, struct span *key)
{
    skip_space(c);
    key->begin = c->pos;
    if (skip_string(c) != 0)
        return -1;
    key->end = c->pos;
    skip_space(c);
    if (peek(c) != ':')
        return wrong(c, "':' was expected");
    c->pos++;
    skip_space(c);
    return 0;
}

/* After an element: 1 when another follows, 0 at the end, -1. */
static int skip_comma(struct cursor *c, char end)
{
    int ch;

    skip_space(c);
    ch = peek(c);
    if (ch != ',' && ch != end)
        return wrong(c, ch < 0 ? "the text ends too early"
                               : end == '}' ? "',' or '}' was expected"
                                            : "',' or ']' was expected");
    c->pos++;
    return ch == ',';
}

/* An object or array, from its opening bracket on. */
static int skip_nested(struct cursor *c, int depth)
{
    char end = c->text[c->pos] == '{' ? '}' : ']';
    struct span key;
    int more = 1;

    if (depth >= MAX_DEPTH)
        return wrong(c, "nested too deeply");
    c->pos++;
    skip_space(c);
    if (peek(c) == end) {
        c->pos++;
        return 0;
    }
    while (more > 0) {
        if (end == '}' && skip_key(c, &key) != 0)
            return -1;
        skip_space(c);
        if (skip_value(c, depth + 1) != 0)
            return -1;
        more = skip_comma(c, end);
    }
    return more;
}

static int skip_value(struct cursor *c, int depth)
{
    switch (peek(c)) {
    case '{':
    case '[':
        return skip_nested(c, depth);
    case '"':
        return skip_string(c);
    case 't':
        return skip_word(c, "true") ? 0 : wrong(c, "a value was expected");
    case 'f':
        return skip_word(c, "false") ? 0 : wrong(c, "a value was expected");
    case 'n':
        return skip_word(c, "null") ? 0 : wrong(c, "a value was expected");
    case 'N':
        return skip_word(c, "NaN") ? 0 : wrong(c, "a value was expected");
    case -1:
        return wrong(c, "the text ends too early");
    default:
        return skip_number(c);
    }
}

static int add_member(struct scan *scan, const struct member *m)
{
    if ((scan->n & (scan->n - 1)) == 0) { /* full at each power of two */
        size_t room = scan->n == 0 ? 1 : scan->n * 2;
        struct member *more = realloc(scan->members, room * sizeof(*more));

        if (more == NULL)
            return -1;
        scan->members = more;
    }
    scan->members[scan->n++] = *m;
    return 0;
}

static int scan_object(struct cursor *c, struct scan *scan)
{
    struct member m;
    int more = 1;

    skip_space(c);
    scan->object.begin = c->pos;
    if (peek(c) != '{')
        return wrong(c, peek(c) < 0 ? "the text is empty"
                                    : "an object ({...}) was expected");
    c->pos++;
    skip_space(c);
    if (peek(c) == '}') {
        c->pos++;
        more = 0;
    }
    while (more > 0) {
        if (skip_key(c, &m.key) != 0)
            return -1;
        m.value.begin = c->pos;
        if (skip_value(c, 1) != 0)
            return -1;
        m.value.end = c->pos;
        if (add_member(scan, &m) != 0)
            return wrong(c, "out of memory");
        more = skip_comma(c, '}');
    }
    if (more < 0)
        return -1;
    scan->object.end = c->pos;
    skip_space(c);
    if (c->pos != c->len)
        return wrong(c, "something stands behind the object");
    return 0;
}

int scan_text(const char *text, size_t len, const char *name,
              struct scan *scan, struct relay_error *err)
{
    struct cursor c = {.text = text, .len = len};
    size_t line = 1, column = 1, i;

    memset(scan, 0, sizeof(*scan));
    scan->text = text;
    scan->len = len;
    if (scan_object(&c, scan) == 0)
        return 0;
    scan_free(scan);
    for (i = 0; i < c.pos; i++) {
        column = text[i] == '\n' ? 1 : column + 1;
        line += text[i] == '\n';
    }
    return relay_fail(err, EX_DATAERR, "%s:%zu:%zu: not JSON: %s", name, line,
                      column, c.wrong != NULL ? c.wrong : "unreadable");
}

void scan_free(struct scan *scan)
{
    free(scan->members);
    scan->members = NULL;
    scan->n = 0;
}

/* The value of four hex digits that the scanner has seen to be such. */
static unsigned hex4(const char *p)
{
    unsigned value = 0;
    int i;

    for (i = 0; i < 4; i++) {
        unsigned ch = (unsigned char)p[i];

        value = value * 16 + (ch <= '9' ? ch - '0' : (ch | 0x20) - 'a' + 10);
    }
    return value;
}

static size_t put_utf8(unsigned code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | (code >> 6));
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | (code >> 12));
        out[1] = (char)(0x80 | ((code >> 6) & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | (code >> 18));
    out[1] = (char)(0x80 | ((code >> 12) & 0x3f));
    out[2] = (char)(0x80 | ((code >> 6) & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* Decodes \uXXXX at *p (which points behind the u); never longer than what
 * it stands for. */
static size_t decode_unicode(const char **p, const char *end, char *out)
{
    unsigned code = hex4(*p);

    *p += 4;
    if (code >= 0xd800 && code < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' &&
        (*p)[1] == 'u') {
        unsigned low = hex4(*p + 2);

        if (low >= 0xdc00 && low < 0xe000) {
            *p += 6;
            return put_utf8(0x10000 + ((code - 0xd800) << 10) +
                                (low - 0xdc00), out);
        }
    }
    if (code >= 0xdc80 && code <= 0xdcff) {
        out[0] = (char)(code - 0xdc00);
        return 1;
    }
    if (code >= 0xd800 && code < 0xe000)
        code = 0xfffd; /* half of a pair stands for nothing */
    return put_utf8(code, out);
}

char *scan_string(const struct scan *scan, struct span value, size_t *len)
{
    static const char names[] = "bfnrt";
    static const char bytes[] = "\b\f\n\r\t";
    const char *p = scan->text + value.begin + 1;
    const char *end = scan->text + value.end - 1;
    size_t used = 0;
    char *out;

    if (scan->text[value.begin] != '"')
        return NULL;
    out = malloc(value.end - value.begin);
    while (out != NULL && p < end) {
        const char *name;

        if (*p != '\\') {
            out[used++] = *p++;
            continue;
        }
        p++;
        if (*p == 'u') {
            p++;
            used += decode_unicode(&p, end, out + used);
            continue;
        }
        name = strchr(names, *p);
        out[used++] = name != NULL ? bytes[name - names] : *p;
        p++;
    }
    if (out != NULL)
        out[used] = '\0';
    if (len != NULL)
        *len = used;
    return out;
}

bool scan_key_is(const struct scan *scan, const struct member *m,
                 const char *name)
{
    const char *raw = scan->text + m->key.begin + 1;
    size_t raw_len = m->key.end - m->key.begin - 2;
    size_t len = 0;
    bool same;
    char *key;

    if (memchr(raw, '\\', raw_len) == NULL)
        return raw_len == strlen(name) && memcmp(raw, name, raw_len) == 0;
    key = scan_string(scan, m->key, &len);
    same = key != NULL && len == strlen(name) && memcmp(key, name, len) == 0;
    free(key);
    return same;
}

const struct member *scan_find(const struct scan *scan, const char *name)
{
    size_t i;

    for (i = scan->n; i > 0; i--) {
        if (scan_key_is(scan, &scan->members[i - 1], name))
            return &scan->members[i - 1];
    }
    return NULL;
}
