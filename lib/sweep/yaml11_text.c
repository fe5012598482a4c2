#include "yaml11_text.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS_MAX 1000
#define BOM "\xef\xbb\xbf"

int yaml11_text_set(struct yaml11_text *t, const char *text, size_t len)
{
    memset(t, 0, sizeof(*t));
    t->s = malloc(len + 1);
    if (t->s == NULL)
        return -1;
    memcpy(t->s, text, len);
    t->s[len] = '\0';
    t->len = len;
    return 0;
}

void yaml11_text_free(struct yaml11_text *t)
{
    free(t->s);
    free(t->blanks);
    memset(t, 0, sizeof(*t));
}

/* Over one character of UTF-8; libyaml has counted characters, and a byte
 * order mark is none. */
static void step(const struct yaml11_text *t, size_t *byte, yaml_mark_t *mark)
{
    if (*byte == 0 && t->len >= 3 && memcmp(t->s, BOM, 3) == 0)
        *byte = 3;
    else {
        mark->index++;
        mark->column++;
        if (t->s[*byte] == '\n') {
            mark->line++;
            mark->column = 0;
        }
        (*byte)++;
        while (*byte < t->len && ((unsigned char)t->s[*byte] & 0xc0) == 0x80)
            (*byte)++;
    }
}

/* The byte of that index of characters. */
static size_t byte_of(const struct yaml11_text *t, size_t index)
{
    yaml_mark_t mark = {0};
    size_t byte = 0;

    while (byte < t->len && mark.index < index)
        step(t, &byte, &mark);
    return byte;
}

bool yaml11_text_mend(struct yaml11_text *t, const yaml_parser_t *parser)
{
    yaml_mark_t *more;
    size_t colon;
    char *s;

    if (parser->error != YAML_SCANNER_ERROR || parser->problem == NULL ||
        strcmp(parser->problem, "found unexpected ':'") != 0 ||
        t->nblanks >= BLANKS_MAX)
        return false;
    colon = byte_of(t, parser->problem_mark.index);
    if (colon + 1 >= t->len || t->s[colon] != ':' ||
        strchr(",[]{}", t->s[colon + 1]) == NULL)
        return false;
    s = realloc(t->s, t->len + 2);
    if (s == NULL)
        return false;
    t->s = s;
    more = reallocarray(t->blanks, t->nblanks + 1, sizeof(*more));
    if (more == NULL)
        return false;
    t->blanks = more;
    more[t->nblanks] = parser->problem_mark;
    more[t->nblanks++].column++;
    memmove(s + colon + 2, s + colon + 1, t->len - colon);
    s[colon + 1] = ' ';
    t->len++;
    return true;
}

void yaml11_text_place(const struct yaml11_text *t, yaml_mark_t mark,
                       int *line, int *column)
{
    size_t added = 0, i;

    for (i = 0; i < t->nblanks; i++)
        added += t->blanks[i].line == mark.line &&
                 t->blanks[i].column <= mark.column;
    *line = mark.line < INT_MAX ? (int)mark.line + 1 : 0;
    *column = mark.column < INT_MAX ? (int)(mark.column - added) + 1 : 0;
}

void yaml11_tabs_look(struct yaml11_tabs *tabs, const struct yaml11_text *t,
                      size_t upto, struct lint *lint, const char *name)
{
    char before = tabs->byte > 0 ? t->s[tabs->byte - 1] : '\n';

    while (tabs->byte < t->len && tabs->mark.index < upto) {
        char c = t->s[tabs->byte];

        if (c == '\n')
            tabs->comment = false;
        else if (c == '#' && strchr(" \t\n", before) != NULL)
            tabs->comment = true;
        else if (c == '\t' && !tabs->comment && !tabs->told) {
            int line, column;

            tabs->told = true;
            yaml11_text_place(t, tabs->mark, &line, &column);
            lint_add(lint, name, line, column,
                     "a tab outside quotes: PyYAML, so W&B, refuses this "
                     "file; write blanks");
        }
        before = c;
        step(t, &tabs->byte, &tabs->mark);
    }
}

void yaml11_tabs_skip(struct yaml11_tabs *tabs, const struct yaml11_text *t,
                      size_t upto)
{
    while (tabs->byte < t->len && tabs->mark.index < upto)
        step(t, &tabs->byte, &tabs->mark);
    tabs->comment = false;
}
