/* ssweep cells: the cells of a sweep, or of a file of which there is none. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "ssweep_source.h"

enum { TELL_EVERY = 8192, LOOK_AHEAD = 1000, NO_LIMIT = 0 };

/* How a listing is printed. */
struct listing {
    const struct roster *roster;
    bool json;
    int index_width;
    int id_width;
    size_t columns; /* of the terminal; NO_LIMIT: none */
    bool tell;      /* how far it is: stdout is no terminal */
};

/* ---- a line -------------------------------------------------------------- */

static void json_line(const struct cell *cell, struct text *line)
{
    text_printf(line, "{\"index\":%" PRIu64 ",\"id\":\"%s\",\"params\":",
                cell->index, cell->id);
    value_json(&cell->params, line);
    text_add(line, "}");
}

/* Cuts a line of UTF-8 to the columns of the terminal. */
static void cut(struct text *line, size_t columns)
{
    size_t wide = 0, at, keep = 0;

    for (at = 0; at < line->len; at++) {
        if (((unsigned char)line->s[at] & 0xc0) == 0x80)
            continue;
        if (wide + 3 == columns)
            keep = at;
        if (wide++ == columns) {
            line->len = keep;
            text_add(line, "...");
            return;
        }
    }
}

static void clean(struct text *line)
{
    size_t i;

    for (i = 0; i < line->len; i++) {
        unsigned char c = (unsigned char)line->s[i];

        if (c < ' ' || c == 0x7f)
            line->s[i] = '?';
    }
}

static int human_line(const struct listing *l, const struct cell *cell,
                      struct text *line, struct relay_error *err)
{
    struct words args = {0};
    size_t i;

    text_printf(line, "%*" PRIu64 "  %-*s ", l->index_width, cell->index,
                l->id_width, cell->id);
    if (roster_args(l->roster, cell, &args, err) != 0) {
        words_free(&args);
        return -1;
    }
    for (i = 0; i < args.n; i++)
        text_printf(line, " %s", args.word[i]);
    words_free(&args);
    clean(line);
    if (l->columns != NO_LIMIT)
        cut(line, l->columns);
    return 0;
}

static int print_cell(const struct listing *l, uint64_t index,
                      struct text *line, struct relay_error *err)
{
    struct cell cell;
    int rc = roster_cell(l->roster, index, &cell, err);

    text_clear(line);
    if (rc == 0 && l->json)
        json_line(&cell, line);
    else if (rc == 0)
        rc = human_line(l, &cell, line, err);
    cell_free(&cell);
    if (rc == 0 && line->failed)
        rc = relay_fail(err, EX_OSERR, "out of memory");
    if (rc == 0 && puts(line->s) == EOF)
        rc = relay_fail_errno(err, EX_IOERR, "writing the output");
    return rc;
}

/* ---- the listing --------------------------------------------------------- */

static int digits_of(uint64_t n)
{
    int digits = 1;

    for (; n >= 10; n /= 10)
        digits++;
    return digits;
}

/* Widths: of all indices, and of the ids of the first cells. */
static void measure(struct listing *l)
{
    uint64_t size = roster_size(l->roster);
    struct winsize window;
    uint64_t i;

    l->index_width = digits_of(size > 0 ? size - 1 : 0);
    if (l->index_width < 5)
        l->index_width = 5; /* INDEX */
    for (i = 0; i < size && i < LOOK_AHEAD; i++) {
        char id[CELL_ID_MAX + 1];

        if (roster_id(l->roster, i, id, NULL) == 0 &&
            (int)strlen(id) > l->id_width)
            l->id_width = (int)strlen(id);
    }
    if (isatty(STDOUT_FILENO) == 1 &&
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 20)
        l->columns = window.ws_col;
}

static int print_all(struct listing *l, struct relay_error *err)
{
    uint64_t size = roster_size(l->roster);
    struct text line = {0};
    uint64_t i;
    int rc = 0;

    if (!l->json) {
        measure(l);
        printf("%*s  %-*s  %s\n", l->index_width, "INDEX", l->id_width, "ID",
               "ARGUMENTS");
    }
    l->tell = isatty(STDOUT_FILENO) != 1 && size > TELL_EVERY;
    for (i = 0; i < size && rc == 0; i++) {
        if (!roster_withdrawn(l->roster, i))
            rc = print_cell(l, i, &line, err);
        if (l->tell && i % TELL_EVERY == TELL_EVERY - 1)
            ssweep_progress(NULL, i, size);
    }
    if (l->tell)
        ssweep_progress(NULL, size, size);
    text_free(&line);
    return rc;
}

/* ---- what is listed ------------------------------------------------------ */

/* Would a sweep of this file be refused? Of a grid no two cells are one
 * unless parameters are left out of the id. */
static int check_ids(const struct roster *roster, const char *path,
                     struct relay_error *err)
{
    const struct roster_info *info = roster_info(roster);
    struct id_progress progress = {ssweep_progress, NULL};
    struct id_index ids = {0};
    int rc;

    if (info->kind == ROSTER_WANDB && info->lines->nexclude == 0)
        return 0;
    rc = id_index_make(roster, path, &progress, &ids, err);
    id_index_free(&ids);
    return rc;
}

static int list_sweep(const char *path, struct listing *l,
                      struct relay_error *err)
{
    struct sweep sweep;
    int rc = sweep_open(path, &sweep, err);

    l->roster = sweep.roster;
    if (rc == 0)
        rc = print_all(l, err);
    sweep_close(&sweep);
    return rc;
}

static int list_file(const char *path, const struct roster_options *opt,
                     struct listing *l, struct relay_error *err)
{
    struct roster *roster = NULL;
    struct lint lint = {0};
    int rc = roster_load(path, opt, NULL, 0, &roster, &lint, err);

    ssweep_warn(&lint);
    if (rc == 0)
        rc = check_ids(roster, path, err);
    l->roster = roster;
    if (rc == 0)
        rc = print_all(l, err);
    roster_free(roster);
    return rc;
}

int ssweep_cells(int argc, char **argv)
{
    struct source_args source = SOURCE_ARGS_INIT;
    struct listing listing = {.id_width = 2};
    const struct cli_option options[] = {
        {"json", '\0', CLI_FLAG, &listing.json, NULL,
         "print an object a line: index, id, params"},
        SOURCE_OPTIONS(source),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SSWEEP, "cells", "[OPTION]... SWEEP|FILE",
        "Lists the cells of a sweep, or those that a sweep of FILE would\n"
        "have; nothing is made. Lines of a queue file that are commented out\n"
        "or skipped are left out. How a file is read (--epochs, ...) is\n"
        "settled when a sweep is made of it.",
        options, 1, 1};
    struct relay_error err = {0};
    char **args;
    int nargs, code, rc;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0 ||
        (code = source_args_take(&source)) != 0)
        return code;
    rc = sweep_is(args[0])
             ? list_sweep(args[0], &listing, &err)
             : list_file(args[0], &source.options, &listing, &err);
    return rc == 0 ? 0 : cli_fail(SSWEEP, &err);
}
