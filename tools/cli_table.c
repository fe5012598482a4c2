/* Tables for people (cli.h). */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli.h"

enum { GAP = 2, MAX_COLS = 16, CELL_MAX = 600 };

struct cli_cell {
    char *text;
    const char *color; /* a constant of the caller's, or NULL */
};

/* Columns that text takes: code points of its UTF-8. */
static size_t width(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

void cli_table_init(struct cli_table *table, const char *const *heads,
                    const char *align)
{
    memset(table, 0, sizeof(*table));
    table->heads = heads;
    table->align = align;
    while (heads[table->cols] != NULL && table->cols < MAX_COLS)
        table->cols++;
}

static int make_room(struct cli_table *table)
{
    size_t room = table->room == 0 ? 64 : table->room * 2;
    struct cli_cell *cells;

    if (table->n < table->room)
        return 0;
    cells = realloc(table->cells, room * sizeof(*cells));
    if (cells == NULL)
        return -1;
    table->cells = cells;
    table->room = room;
    return 0;
}

void cli_table_add(struct cli_table *table, const char *text,
                   const char *color)
{
    char clean[CELL_MAX];
    char *p;

    cli_clean(text, clean, sizeof(clean));
    for (p = clean; *p != '\0'; p++) {
        if (*p == '\n')
            *p = ' ';
    }
    if (table->broken || make_room(table) != 0 ||
        (p = strdup(clean)) == NULL) {
        table->broken = true;
        return;
    }
    table->cells[table->n++] = (struct cli_cell){.text = p, .color = color};
}

static void print_cell(const struct cli_table *table, size_t col,
                       const char *text, const char *color, size_t wide,
                       FILE *stream)
{
    size_t pad = wide - width(text);
    bool right = table->align[col] == 'r';
    bool last = col + 1 == table->cols;

    if (right)
        fprintf(stream, "%*s", (int)pad, "");
    if (color != NULL)
        fprintf(stream, "\033[%sm%s\033[0m", color, text);
    else
        fputs(text, stream);
    if (last)
        fputc('\n', stream);
    else
        fprintf(stream, "%*s", (int)(right ? 0 : pad) + GAP, "");
}

int cli_table_print(const struct cli_table *table, FILE *stream)
{
    size_t wide[MAX_COLS];
    bool color = cli_color(stream);
    size_t i, w;

    if (table->broken)
        return EX_OSERR;
    for (i = 0; i < table->cols; i++)
        wide[i] = width(table->heads[i]);
    for (i = 0; i < table->n; i++) {
        w = width(table->cells[i].text);
        if (w > wide[i % table->cols])
            wide[i % table->cols] = w;
    }
    for (i = 0; i < table->cols; i++)
        print_cell(table, i, table->heads[i], color ? "1" : NULL, wide[i],
                   stream);
    for (i = 0; i < table->n; i++)
        print_cell(table, i % table->cols, table->cells[i].text,
                   color ? table->cells[i].color : NULL,
                   wide[i % table->cols], stream);
    return 0;
}

void cli_table_free(struct cli_table *table)
{
    size_t i;

    for (i = 0; i < table->n; i++)
        free(table->cells[i].text);
    free(table->cells);
    memset(table, 0, sizeof(*table));
}
