#include "batchlines.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "text.h"

static const char magic[] = "#SBATCH";

struct line {
    const char *name; /* of the script */
    int number;
    const char *at;
    const char *end;
};

static int open_quote(const struct line *line, char quote,
                      struct relay_error *err)
{
    return relay_fail(err, EX_DATAERR, "%.200s, line %d: a %c that nothing "
                                       "closes", line->name, line->number,
                      quote);
}

/* The next word of the line into word; line->at is set behind it. -1 for a
 * quote that is open at the end. */
static int next_word(struct line *line, struct text *word,
                     struct relay_error *err)
{
    char quote = '\0';
    bool escaped = false;

    text_clear(word);
    while (line->at < line->end && isspace((unsigned char)*line->at))
        line->at++;
    for (; line->at < line->end; line->at++) {
        char c = *line->at;

        if (escaped) {
            text_add_char(word, c);
            escaped = false;
        } else if (c == '\\') {
            escaped = true;
        } else if (quote != '\0' && c == quote) {
            quote = '\0';
        } else if (quote == '\0' && (c == '"' || c == '\'')) {
            quote = c;
        } else if (quote == '\0' && c == '#') {
            line->at = line->end; /* a comment up to the end */
            break;
        } else if (quote == '\0' && isspace((unsigned char)c)) {
            break;
        } else {
            text_add_char(word, c);
        }
    }
    return quote == '\0' ? 0 : open_quote(line, quote, err);
}

static int read_line(struct line *line, struct words *out,
                     struct relay_error *err)
{
    struct text word = {0};
    int rc = next_word(line, &word, err);

    /* For sbatch an empty word, also a quoted one, is the line's end. */
    while (rc == 0 && word.len > 0) {
        if (word.s[0] == ':' || strcmp(word.s, "hetjob") == 0 ||
            strcmp(word.s, "packjob") == 0)
            rc = relay_fail(err, EX_DATAERR,
                            "%.200s, line %d: this is a heterogeneous job "
                            "(%.20s), which cannot be moved",
                            line->name, line->number, word.s);
        if (rc == 0)
            rc = words_add(out, word.s, err);
        if (rc == 0)
            rc = next_word(line, &word, err);
    }
    if (rc == 0 && word.failed)
        rc = relay_fail(err, EX_OSERR, "out of memory");
    text_free(&word);
    return rc;
}

/* True for a line with something other than blanks before a #. */
static bool is_command(const char *line, const char *end)
{
    while (line < end && isspace((unsigned char)*line))
        line++;
    return line < end && *line != '#';
}

int batchlines_read(const char *text, const char *name, struct words *out,
                    struct relay_error *err)
{
    struct line line = {.name = name};

    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        line.number++;
        line.at = text;
        line.end = text + len;
        if (is_command(line.at, line.end))
            break;
        if (strncmp(text, magic, sizeof(magic) - 1) == 0) {
            line.at += sizeof(magic) - 1;
            if (read_line(&line, out, err) != 0)
                return -1;
        }
        text += len + (text[len] == '\n');
    }
    return 0;
}
