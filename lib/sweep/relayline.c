#include "relayline.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "relayline_int.h"

#define MARK "#RELAY"

/* A piece of text: names are cut out of the source without copies. */
struct span {
    const char *s;
    size_t len;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

int relayline_fail(const struct relay_cursor *c, const char *at,
                   const char *fmt, ...)
{
    char what[sizeof(c->err->text)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return relay_fail(c->err, EX_DATAERR, "%s:%d:%d: %s", c->name, c->line,
                      (int)(at - c->start) + 1, what);
}

static int no_memory(const struct relay_cursor *c)
{
    return relay_fail(c->err, EX_OSERR, "out of memory");
}

static void skip_blanks(struct relay_cursor *c)
{
    while (c->at < c->end && is_blank(*c->at))
        c->at++;
}

/* The next word, up to a blank or one of stop; false at the end. A word in
 * double quotes may hold blanks. */
static bool next_word(struct relay_cursor *c, const char *stop,
                      struct span *word)
{
    const char *close;

    skip_blanks(c);
    word->s = c->at;
    if (c->at < c->end && *c->at == '"') {
        close = memchr(c->at + 1, '"', (size_t)(c->end - c->at - 1));
        if (close != NULL) {
            *word = (struct span){c->at + 1, (size_t)(close - c->at - 1)};
            c->at = close + 1;
            return true;
        }
    }
    while (c->at < c->end && !is_blank(*c->at) &&
           strchr(stop, *c->at) == NULL)
        c->at++;
    word->len = (size_t)(c->at - word->s);
    return word->len > 0;
}

static bool span_is(struct span word, const char *text)
{
    return word.len == strlen(text) && memcmp(word.s, text, word.len) == 0;
}

/* Adds a copy of a word to an array of strings. */
static int add_string(const struct relay_cursor *c, char ***strings,
                      size_t *n, struct span word)
{
    char **more = reallocarray(*strings, *n + 1, sizeof(*more));

    if (more == NULL)
        return no_memory(c);
    *strings = more;
    more[*n] = strndup(word.s, word.len);
    return more[*n] != NULL ? (*n += 1, 0) : no_memory(c);
}

/* Names up to the end of the line, by blanks and commas. */
static int parse_names(struct relay_cursor *c, char ***names, size_t *n)
{
    struct span word;

    for (;;) {
        while (c->at < c->end && (is_blank(*c->at) || *c->at == ','))
            c->at++;
        if (!next_word(c, ",", &word))
            return 0;
        if (add_string(c, names, n, word) != 0)
            return -1;
    }
}

static int parse_exclude(struct relay_cursor *c)
{
    size_t before = c->lines->nexclude;
    const char *at = c->at;

    if (parse_names(c, &c->lines->exclude, &c->lines->nexclude) != 0)
        return -1;
    if (c->lines->nexclude == before)
        return relayline_fail(c, at, "exclude needs names of parameters");
    return 0;
}

static int parse_zip(struct relay_cursor *c)
{
    struct relay_lines *lines = c->lines;
    const char *at = c->at;
    struct relay_zip *more;
    size_t i, k;

    more = reallocarray(lines->zips, lines->nzips + 1, sizeof(*more));
    if (more == NULL)
        return no_memory(c);
    lines->zips = more;
    more += lines->nzips++;
    *more = (struct relay_zip){.line = c->line};
    if (parse_names(c, &more->params, &more->n) != 0)
        return -1;
    if (more->n < 2)
        return relayline_fail(c, at, "zip needs two names of parameters or "
                              "more, as in: zip lr,warmup");
    for (i = 0; i < more->n; i++)
        for (k = 0; k < i; k++)
            if (strcmp(more->params[i], more->params[k]) == 0)
                return relayline_fail(c, at, "zip names %s twice",
                                      more->params[i]);
    return 0;
}

/* What the file itself says: true is no Python literal, but it is YAML. */
static bool parse_yaml_word(struct span word, struct value *value)
{
    memset(value, 0, sizeof(*value));
    if (span_is(word, "true") || span_is(word, "false"))
        value_set_bool(value, span_is(word, "true"));
    else if (!span_is(word, "null") && !span_is(word, "~"))
        return false;
    return true;
}

static int parse_condition_value(struct relay_cursor *c, struct value *value)
{
    size_t len = (size_t)(c->end - c->at);

    if (len == 0)
        return relayline_fail(c, c->at, "what it is to be compared with is "
                              "missing, as in: when opt.nadam: optimizer == "
                              "nadam");
    if (value_parse_literal(c->at, len, value, NULL) == 0 ||
        parse_yaml_word((struct span){c->at, len}, value))
        return 0;
    if (value_set_str(value, c->at, len, c->err) != 0)
        return relay_fail_in(c->err, "%s:%d:%d", c->name, c->line,
                             (int)(c->at - c->start) + 1);
    return 0;
}

/* PARAM: OTHER == VALUE, up to the end of the line. */
static int parse_when(struct relay_cursor *c)
{
    static const char form[] =
        "write when PARAM: OTHER == VALUE (or !=)";
    struct relay_lines *lines = c->lines;
    struct span param, other;
    struct relay_when *when;

    when = reallocarray(lines->whens, lines->nwhens + 1, sizeof(*when));
    if (when == NULL)
        return no_memory(c);
    lines->whens = when;
    when += lines->nwhens;
    *when = (struct relay_when){.line = c->line};
    if (!next_word(c, ":", &param) || param.len == 0)
        return relayline_fail(c, c->at, "%s", form);
    skip_blanks(c);
    if (c->at == c->end || *c->at != ':')
        return relayline_fail(c, c->at, "%s", form);
    c->at++;
    if (!next_word(c, "=!", &other) || other.len == 0)
        return relayline_fail(c, c->at, "%s", form);
    skip_blanks(c);
    if (c->end - c->at < 2 || c->at[1] != '=' ||
        (c->at[0] != '=' && c->at[0] != '!'))
        return relayline_fail(c, c->at, "%s", form);
    lines->nwhens++;
    when->not_equal = c->at[0] == '!';
    c->at += 2;
    skip_blanks(c);
    when->param = strndup(param.s, param.len);
    when->other = strndup(other.s, other.len);
    if (when->param == NULL || when->other == NULL)
        return no_memory(c);
    if (parse_condition_value(c, &when->value) != 0)
        return -1;
    c->at = c->end;
    return 0;
}

/* A whole number behind a word. */
static int parse_number(struct relay_cursor *c, const char *word,
                        int64_t least, int64_t most, int64_t *number)
{
    struct span digits;
    char text[32];
    char *end;

    if (!next_word(c, "", &digits))
        return relayline_fail(c, c->at, "%s needs a whole number", word);
    if (digits.len < sizeof(text)) {
        memcpy(text, digits.s, digits.len);
        text[digits.len] = '\0';
        errno = 0;
        *number = strtoll(text, &end, 10);
        if (end != text && *end == '\0' && errno == 0 && *number >= least &&
            *number <= most)
            return 0;
    }
    return relayline_fail(c, digits.s, "%.*s is no number for %s: a whole "
                          "one%s is expected", (int)digits.len, digits.s,
                          word, least == 0 ? " from 0" : "");
}

static int parse_seed(struct relay_cursor *c)
{
    if (c->lines->has_seed)
        return relayline_fail(c, c->at, "seed is given twice");
    c->lines->has_seed = true;
    return parse_number(c, "seed", INT64_MIN, INT64_MAX, &c->lines->seed);
}

static int parse_retries(struct relay_cursor *c)
{
    int64_t number = 0;

    if (c->lines->retries >= 0)
        return relayline_fail(c, c->at, "retries is given twice");
    if (parse_number(c, "retries", 0, 1000000, &number) != 0)
        return -1;
    c->lines->retries = (int)number;
    return 0;
}

/* One word that is kept as it is. */
static int parse_word(struct relay_cursor *c, const char *what, char **to)
{
    struct span word;

    if (*to != NULL)
        return relayline_fail(c, c->at, "%s is given twice", what);
    if (!next_word(c, "", &word) || word.len == 0)
        return relayline_fail(c, c->at, "%s needs a word behind it", what);
    *to = strndup(word.s, word.len);
    return *to != NULL ? 0 : no_memory(c);
}

static int parse_out(struct relay_cursor *c)
{
    return parse_word(c, "out", &c->lines->out);
}

static int parse_seed_name(struct relay_cursor *c)
{
    return parse_word(c, "seed-name", &c->lines->seed_name);
}

static int parse_config(struct relay_cursor *c)
{
    struct relay_lines *lines = c->lines;
    struct relay_config_file *config;

    config = reallocarray(lines->configs, lines->nconfigs + 1,
                          sizeof(*config));
    if (config == NULL)
        return no_memory(c);
    lines->configs = config;
    config += lines->nconfigs++;
    *config = (struct relay_config_file){.line = c->line};
    return parse_word(c, "config", &config->path);
}

static int parse_cost(struct relay_cursor *c)
{
    const char *from;

    if (c->lines->cost != NULL)
        return relayline_fail(c, c->at, "cost is given twice");
    skip_blanks(c);
    from = c->at;
    if (relayline_cost_form(c) != 0)
        return -1;
    c->lines->cost = strndup(from, (size_t)(c->at - from));
    return c->lines->cost != NULL ? 0 : no_memory(c);
}

/* What may stand behind #RELAY, several on a line; those that take the rest
 * of it end it. */
static const struct {
    const char *name;
    int (*parse)(struct relay_cursor *c);
} words[] = {
    {"config", parse_config}, {"cost", parse_cost},
    {"done", relayline_done}, {"exclude", parse_exclude},
    {"out", parse_out},       {"retries", parse_retries},
    {"seed", parse_seed},     {"seed-name", parse_seed_name},
    {"when", parse_when},     {"zip", parse_zip},
};

static int parse_words(struct relay_cursor *c)
{
    struct span word;
    size_t i;

    while (next_word(c, "", &word)) {
        for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            if (span_is(word, words[i].name))
                break;
        if (i == sizeof(words) / sizeof(words[0]))
            return relayline_fail(c, word.s, "unknown word %.*s behind "
                                  MARK ": config, cost, done, exclude, out, "
                                  "retries, seed, seed-name, when and zip "
                                  "are known", (int)word.len, word.s);
        if (words[i].parse(c) != 0)
            return -1;
    }
    return 0;
}

/* A comment inside the line begins as in YAML: with a # behind a blank. */
static const char *line_end(const char *from, const char *end)
{
    const char *at;

    for (at = from; at < end; at++)
        if (*at == '#' && is_blank(at[-1]))
            break;
    while (at > from && (is_blank(at[-1]) || at[-1] == '\r'))
        at--;
    return at;
}

static int parse_line(struct relay_cursor *c, const char *end)
{
    const char *at = c->start;
    size_t len;

    while (at < end && is_blank(*at))
        at++;
    len = (size_t)(end - at);
    if (len < strlen(MARK) ||
        memcmp(at, MARK, strlen(MARK)) != 0)
        return 0;
    if (memchr(at, '\0', len) != NULL)
        return relayline_fail(c, at, "a NUL character");
    at += strlen(MARK);
    if (at < end && !is_blank(*at) && *at != '\r')
        return 0; /* another word */
    c->at = at;
    c->end = line_end(at, end);
    return parse_words(c);
}

void relaylines_init(struct relay_lines *lines)
{
    memset(lines, 0, sizeof(*lines));
    lines->retries = -1;
}

int relaylines_parse(const char *text, size_t len, const char *name,
                     struct relay_lines *lines, struct relay_error *err)
{
    struct relay_cursor c = {.name = name, .lines = lines, .err = err};
    const char *stop = text + len;
    const char *end;

    c.start = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3
                                                               : text;
    while (c.start < stop) {
        end = memchr(c.start, '\n', (size_t)(stop - c.start));
        if (end == NULL)
            end = stop;
        c.line++;
        if (parse_line(&c, end) != 0)
            return -1;
        c.start = end + 1;
    }
    return 0;
}

static void free_strings(char **strings, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        free(strings[i]);
    free(strings);
}

void relaylines_free(struct relay_lines *lines)
{
    size_t i;

    free_strings(lines->exclude, lines->nexclude);
    free_strings(lines->done, lines->ndone);
    for (i = 0; i < lines->nzips; i++)
        free_strings(lines->zips[i].params, lines->zips[i].n);
    free(lines->zips);
    for (i = 0; i < lines->nwhens; i++) {
        free(lines->whens[i].param);
        free(lines->whens[i].other);
        value_free(&lines->whens[i].value);
    }
    free(lines->whens);
    for (i = 0; i < lines->nconfigs; i++)
        free(lines->configs[i].path);
    free(lines->configs);
    free(lines->cost);
    free(lines->out);
    free(lines->seed_name);
    relaylines_init(lines);
}
