#include "pytext.h"

#include <stdio.h>
#include <string.h>

/* How many bytes follow the first one of a character; -1: it is none. */
static int follow(unsigned char first)
{
    if (first >= 0xc2 && first <= 0xdf)
        return 1;
    if (first >= 0xe0 && first <= 0xef)
        return 2;
    if (first >= 0xf0 && first <= 0xf4)
        return 3;
    return -1;
}

uint32_t pytext_next(const char **p)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char *s = (const unsigned char *)*p;
    int n = follow(s[0]);
    uint32_t c;
    int i;

    *p += 1;
    if (s[0] < 0x80)
        return s[0];
    if (n < 0)
        return 0xdc00u + s[0];
    c = s[0] & (0x3fu >> n);
    for (i = 1; i <= n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0xdc00u + s[0];
        c = c << 6 | (s[i] & 0x3fu);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0xdc00u + s[0];
    *p += n;
    return c;
}

void pytext_add(struct text *out, uint32_t c)
{
    if (c >= 0xdc80 && c <= 0xdcff) {
        text_add_char(out, (char)(unsigned char)(c - 0xdc00));
    } else if (c < 0x80) {
        text_add_char(out, (char)c);
    } else if (c < 0x800) {
        text_add_char(out, (char)(0xc0 | c >> 6));
        text_add_char(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        text_add_char(out, (char)(0xe0 | c >> 12));
        text_add_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
        text_add_char(out, (char)(0x80 | (c & 0x3f)));
    } else {
        text_add_char(out, (char)(0xf0 | c >> 18));
        text_add_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
        text_add_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
        text_add_char(out, (char)(0x80 | (c & 0x3f)));
    }
}

static void add_hex(uint32_t c, struct text *out)
{
    if (c < 0x100)
        text_printf(out, "\\x%02x", c);
    else if (c < 0x10000)
        text_printf(out, "\\u%04x", c);
    else
        text_printf(out, "\\U%08x", c);
}

static void add_escape(uint32_t c, char quote, struct text *out)
{
    static const char escaped[] = "\t\n\r\\";
    static const char letters[] = "tnr\\";
    const char *at = c != 0 && c < 0x80 ? strchr(escaped, (char)c) : NULL;

    if (at != NULL || c == (unsigned char)quote) {
        text_add_char(out, '\\');
        text_add_char(out, at != NULL ? letters[at - escaped] : quote);
    } else {
        add_hex(c, out);
    }
}

void pytext_repr(const char *s, struct text *out)
{
    char quote = strchr(s, '\'') != NULL && strchr(s, '"') == NULL ? '"' : '\'';
    const char *run = s;

    text_add_char(out, quote);
    while (*s != '\0') {
        const char *at = s;
        uint32_t c = pytext_next(&s);

        if (pytext_printable(c) && c != (unsigned char)quote && c != '\\')
            continue;
        text_add_len(out, run, (size_t)(at - run));
        run = s;
        add_escape(c, quote, out);
    }
    text_add_len(out, run, (size_t)(s - run));
    text_add_char(out, quote);
}

static void add_json_escape(uint32_t c, struct text *out)
{
    static const char escaped[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *at = c != 0 && c < 0x80 ? strchr(escaped, (char)c) : NULL;

    if (at != NULL) {
        text_add_char(out, '\\');
        text_add_char(out, letters[at - escaped]);
    } else if (c >= 0x10000) {
        text_printf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                    0xdc00 + ((c - 0x10000) & 0x3ff));
    } else {
        text_printf(out, "\\u%04x", c);
    }
}

void pytext_json(const char *s, struct text *out)
{
    const char *run = s;

    text_add_char(out, '"');
    while (*s != '\0') {
        const char *at = s;
        uint32_t c;

        if (*s >= ' ' && *s <= '~' && *s != '"' && *s != '\\') {
            s++;
            continue;
        }
        c = pytext_next(&s);
        text_add_len(out, run, (size_t)(at - run));
        run = s;
        add_json_escape(c, out);
    }
    text_add_len(out, run, (size_t)(s - run));
    text_add_char(out, '"');
}

static void add_zone(const char *zone, struct text *out)
{
    int hours = 0, minutes = 0, seconds;

    if (sscanf(zone + 1, "%2d:%2d", &hours, &minutes) < 1)
        return;
    seconds = (hours * 60 + minutes) * 60;
    text_add(out, ", tzinfo=datetime.timezone");
    if (seconds == 0)
        text_add(out, ".utc");
    else if (*zone == '+')
        text_printf(out, "(datetime.timedelta(seconds=%d))", seconds);
    else
        text_printf(out, "(datetime.timedelta(days=-1, seconds=%d))",
                    86400 - seconds);
}

void pytext_date_repr(const char *s, struct text *out)
{
    int year = 0, month = 0, day = 0, hour, minute, second, micro = 0;
    int used = 0;

    (void)sscanf(s, "%4d-%2d-%2d", &year, &month, &day);
    if (strlen(s) <= 10) {
        text_printf(out, "datetime.date(%d, %d, %d)", year, month, day);
        return;
    }
    if (sscanf(s + 10, " %2d:%2d:%2d%n", &hour, &minute, &second, &used) != 3)
        return;
    s += 10 + used;
    if (*s == '.' && sscanf(s, ".%6d%n", &micro, &used) == 1)
        s += used;
    text_printf(out, "datetime.datetime(%d, %d, %d, %d, %d", year, month, day,
                hour, minute);
    if (second != 0 || micro != 0)
        text_printf(out, ", %d", second);
    if (micro != 0)
        text_printf(out, ", %d", micro);
    if (*s == '+' || *s == '-')
        add_zone(s, out);
    text_add_char(out, ')');
}
