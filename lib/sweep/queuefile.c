#include "queuefile.h"

#include <string.h>
#include <sysexits.h>

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

size_t queue_line_end(const char *text, size_t len, size_t at, size_t *end)
{
    const char *nl = memchr(text + at, '\n', len - at);

    *end = nl != NULL ? (size_t)(nl - text) : len;
    return nl != NULL ? *end + 1 : len;
}

/* An int of decimal digits, as the wrapper that reads it takes it. */
static bool number(const char *word, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (word[i] < '0' || word[i] > '9')
            return false;
    }
    return len > 0 && len <= 9;
}

static int check_words(const struct queue_line *out, const char *text,
                       const char *name, int line, struct relay_error *err)
{
    if (out->n == 1)
        return relay_fail(err, EX_DATAERR,
                          "%s:%d:%d: `%.*s` has no task; a line is "
                          "`cfg task [epochs]`", name, line,
                          (int)(out->word[0] - text) + 1, (int)out->len[0],
                          out->word[0]);
    if (out->n == QUEUE_WORDS && !number(out->word[2], out->len[2]))
        return relay_fail(err, EX_DATAERR,
                          "%s:%d:%d: epochs `%.*s` is not a number; a line is "
                          "`cfg task [epochs]`", name, line,
                          (int)(out->word[2] - text) + 1, (int)out->len[2],
                          out->word[2]);
    return 0;
}

int queue_line_parse(const char *text, size_t len, const char *name, int line,
                     struct queue_line *out, struct relay_error *err)
{
    size_t at = 0;

    memset(out, 0, sizeof(*out));
    for (;;) {
        size_t begin;

        while (at < len && blank(text[at]))
            at++;
        if (at == len || text[at] == '#')
            break; /* the rest is a comment */
        begin = at;
        while (at < len && !blank(text[at]))
            at++;
        if (out->n == QUEUE_WORDS)
            return relay_fail(err, EX_DATAERR,
                              "%s:%d:%zu: `%.*s` is one word too many; a line "
                              "is `cfg task [epochs]`", name, line, begin + 1,
                              (int)(at - begin), text + begin);
        out->word[out->n] = text + begin;
        out->len[out->n++] = at - begin;
    }
    return check_words(out, text, name, line, err);
}

const char *queue_line_name(const struct queue_line *line, size_t *len)
{
    static const char *const endings[] = {".yaml", ".yml", ".toml", ".json",
                                          ".py"};
    const char *name = line->word[0];
    size_t n = line->len[0];
    size_t i;

    for (i = n; i > 0; i--) {
        if (name[i - 1] == '/') {
            name += i;
            n -= i;
            break;
        }
    }
    for (i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t end = strlen(endings[i]);

        if (n > end && memcmp(name + n - end, endings[i], end) == 0) {
            n -= end;
            break;
        }
    }
    *len = n;
    return name;
}
