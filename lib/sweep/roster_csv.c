/* A CSV as a roster: a row is a cell. Of a row only its place is kept. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "csv.h"
#include "roster_kind.h"

#define NO_COLUMN SIZE_MAX

struct csv_at {
    uint32_t offset;
    uint32_t line;
};

struct csv_roster {
    struct csv_row head; /* the names */
    size_t run_id;       /* column, or NO_COLUMN */
    struct csv_at *rows;
    size_t n;
    size_t room;
    struct csv_row row; /* scratch: the row that was asked for last */
    uint64_t at;        /* its index; UINT64_MAX: none */
};

/* ---- the names ----------------------------------------------------------- */

static int check_name(const struct roster *r, const struct csv_row *head,
                      size_t i, struct relay_error *err)
{
    const struct csv_field *field = &head->fields[i];
    const char *name = csv_text(head, i);
    size_t j;

    if (field->len == 0)
        return relay_fail(err, EX_DATAERR, "%s:%d:%d: column %zu has no name",
                          r->path, field->line, field->column, i + 1);
    if (strchr(name, ';') != NULL || strchr(name, '\t') != NULL)
        return relay_fail(err, EX_DATAERR,
                          "%s:%d:%d: \"%.100s\" is one column: separate "
                          "them by commas", r->path, field->line,
                          field->column, name);
    if (name[0] == '-' || strpbrk(name, "= \t\r\n\"'") != NULL)
        return relay_fail(err, EX_DATAERR,
                          "%s:%d:%d: \"%.100s\" cannot be the name of a "
                          "parameter (the first row names the columns)",
                          r->path, field->line, field->column, name);
    for (j = 0; j < i; j++) {
        if (strcmp(csv_text(head, j), name) == 0)
            return relay_fail(err, EX_DATAERR,
                              "%s:%d:%d: column %zu has the name of column "
                              "%zu: %.100s", r->path, field->line,
                              field->column, i + 1, j + 1, name);
    }
    return 0;
}

static int read_head(struct roster *r, struct csv_place *place,
                     struct relay_error *err)
{
    struct csv_roster *c = r->data;
    int rc = csv_next(r->text, r->len, r->path, place, &c->head, err);
    size_t i;

    if (rc < 0)
        return -1;
    if (rc == 0)
        return relay_fail(err, EX_DATAERR,
                          "%s: empty: the first row names the columns",
                          r->path);
    for (i = 0; i < c->head.n; i++) {
        if (check_name(r, &c->head, i, err) != 0)
            return -1;
        if (strcmp(csv_text(&c->head, i), "run_id") == 0)
            c->run_id = i;
    }
    r->info.has_run_id = c->run_id != NO_COLUMN;
    return 0;
}

static void check_excluded(const struct roster *r, struct lint *lint)
{
    const struct csv_roster *c = r->data;
    size_t i, j;

    for (i = 0; i < r->lines.nexclude; i++) {
        for (j = 0; j < c->head.n; j++) {
            if (strcmp(r->lines.exclude[i], csv_text(&c->head, j)) == 0)
                break;
        }
        if (j == c->head.n)
            lint_add(lint, r->path, 0, 0,
                     "#RELAY exclude %s: there is no such column",
                     r->lines.exclude[i]);
    }
}

/* ---- the rows ------------------------------------------------------------ */

static int check_row(const struct roster *r, const struct csv_row *row,
                     struct relay_error *err)
{
    const struct csv_roster *c = r->data;
    const char *id;

    if (row->n != c->head.n)
        return relay_fail(err, EX_DATAERR,
                          "%s:%d: %zu field%s, and the first row names %zu "
                          "columns", r->path, row->line, row->n,
                          row->n == 1 ? "" : "s", c->head.n);
    if (c->run_id == NO_COLUMN)
        return 0;
    id = csv_text(row, c->run_id);
    if (!id_valid(id, row->fields[c->run_id].len))
        return relay_fail(err, EX_DATAERR,
                          "%s:%d:%d: run_id \"%.140s\" is not of A-Z a-z 0-9 "
                          ". _ - (beginning with a letter or digit, %d "
                          "characters at most)", r->path,
                          row->fields[c->run_id].line,
                          row->fields[c->run_id].column, id, CELL_ID_MAX);
    return 0;
}

static int keep_row(struct csv_roster *c, const struct csv_row *row,
                    struct relay_error *err)
{
    if (c->n == c->room) {
        size_t room = c->room != 0 ? c->room * 2 : 256;
        struct csv_at *rows = realloc(c->rows, room * sizeof(*rows));

        if (rows == NULL)
            return relay_fail(err, EX_OSERR, "out of memory");
        c->rows = rows;
        c->room = room;
    }
    c->rows[c->n++] = (struct csv_at){(uint32_t)row->begin,
                                      (uint32_t)row->line};
    return 0;
}

static int csv_open(struct roster *r, struct lint *lint,
                    struct relay_error *err)
{
    struct csv_roster *c = calloc(1, sizeof(*c));
    struct csv_place place = {.line = 1};
    int rc;

    if (c == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    r->data = c;
    c->run_id = NO_COLUMN;
    c->at = UINT64_MAX;
    if (read_head(r, &place, err) != 0)
        return -1;
    while ((rc = csv_next(r->text, r->len, r->path, &place, &c->row,
                          err)) == 1) {
        if (check_row(r, &c->row, err) != 0 ||
            keep_row(c, &c->row, err) != 0)
            return -1;
    }
    check_excluded(r, lint);
    if (r->text[r->len - 1] != '\n')
        lint_add(lint, r->path, place.line - 1, 0,
                 "the last row has no line break: what is appended to it "
                 "becomes part of it");
    return rc;
}

static void csv_close(struct roster *r)
{
    struct csv_roster *c = r->data;

    if (c == NULL)
        return;
    csv_row_free(&c->head);
    csv_row_free(&c->row);
    free(c->rows);
    free(c);
}

static uint64_t csv_size(const struct roster *r)
{
    return ((const struct csv_roster *)r->data)->n;
}

static int csv_line(const struct roster *r, uint64_t index)
{
    return (int)((const struct csv_roster *)r->data)->rows[index].line;
}

/* The row of a cell, read again; NULL on error. */
static const struct csv_row *row_of(const struct roster *r, uint64_t index,
                                    struct relay_error *err)
{
    struct csv_roster *c = r->data;
    struct csv_place place = {.at = c->rows[index].offset,
                              .line = (int)c->rows[index].line};

    if (c->at == index)
        return &c->row;
    c->at = UINT64_MAX;
    if (csv_next(r->text, r->len, r->path, &place, &c->row, err) != 1)
        return NULL;
    c->at = index;
    return &c->row;
}

/* ---- cells --------------------------------------------------------------- */

static int field_value(const struct roster *r, const struct csv_row *row,
                       size_t i, struct value *v, struct relay_error *err)
{
    const struct csv_field *field = &row->fields[i];
    const char *text = csv_text(row, i);

    (void)r;
    if (value_parse_literal(text, field->len, v, NULL) != 0 &&
        value_set_str(v, text, field->len, err) != 0)
        return -1;
    v->line = field->line;
    v->column = field->column;
    return 0;
}

/* The parameters; skip(): not those. */
static int fill(const struct roster *r, uint64_t index, struct value *params,
                bool (*skip)(const struct roster *r, const char *name),
                struct relay_error *err)
{
    const struct csv_roster *c = r->data;
    const struct csv_row *row = row_of(r, index, err);
    size_t i;

    *params = (struct value){.kind = VALUE_DICT};
    for (i = 0; row != NULL && i < row->n; i++) {
        struct value v = {0};

        if (i == c->run_id || row->fields[i].len == 0 ||
            (skip != NULL && skip(r, csv_text(&c->head, i))))
            continue;
        if (field_value(r, row, i, &v, err) != 0 ||
            value_put(params, csv_text(&c->head, i), &v, err) != 0) {
            value_free(params);
            return -1;
        }
    }
    return row != NULL ? 0 : -1;
}

static int csv_params(const struct roster *r, uint64_t index,
                      struct value *params, struct relay_error *err)
{
    return fill(r, index, params, NULL, err);
}

static bool not_in_id(const struct roster *r, const char *name)
{
    return id_excluded(&r->lines, name);
}

/* Takes the member of that key out of a dict. */
static void take_out(struct value *dict, const char *key)
{
    size_t i;

    for (i = 0; i < dict->n; i++) {
        if (strcmp(dict->keys[i], key) != 0)
            continue;
        free(dict->keys[i]);
        value_free(&dict->items[i]);
        dict->n--;
        memmove(&dict->keys[i], &dict->keys[i + 1],
                (dict->n - i) * sizeof(*dict->keys));
        memmove(&dict->items[i], &dict->items[i + 1],
                (dict->n - i) * sizeof(*dict->items));
        return;
    }
}

static int csv_id(const struct roster *r, uint64_t index,
                  char id[CELL_ID_MAX + 1], struct relay_error *err)
{
    const struct csv_roster *c = r->data;
    struct value params = {0};
    bool seeded;
    int64_t seed = 0;
    int rc;

    if (c->run_id != NO_COLUMN) {
        const struct csv_row *row = row_of(r, index, err);

        if (row == NULL)
            return -1;
        memcpy(id, csv_text(row, c->run_id),
               row->fields[c->run_id].len + 1); /* checked when loaded */
        return 0;
    }
    if (fill(r, index, &params, not_in_id, err) != 0)
        return -1;
    seeded = id_seed(value_get(&params, id_seed_name(&r->lines)), &seed);
    if (seeded)
        take_out(&params, id_seed_name(&r->lines));
    text_clear(&r->maker->text);
    value_canonical(&params, true, &r->maker->text);
    rc = id_maker_hash(r->maker, seeded ? &seed : NULL, id, err);
    value_free(&params);
    return rc;
}

/* --NAME=TEXT, in the order of the columns. A number stays as it is written:
 * 1e-4 does not become 0.0001. */
static int csv_args(const struct roster *r, const struct cell *cell,
                    struct words *args, struct relay_error *err)
{
    const struct csv_roster *c = r->data;
    const struct csv_row *row = row_of(r, cell->index, err);
    struct text word = {0};
    int rc = row != NULL ? 0 : -1;
    size_t i;

    for (i = 0; rc == 0 && i < row->n; i++) {
        struct value v = {0};

        if (i == c->run_id || row->fields[i].len == 0)
            continue;
        text_clear(&word);
        text_printf(&word, "--%s=", csv_text(&c->head, i));
        rc = field_value(r, row, i, &v, err);
        if (v.kind == VALUE_INT || v.kind == VALUE_FLOAT)
            text_add(&word, csv_text(row, i));
        else if (rc == 0)
            value_str(&v, &word);
        value_free(&v);
        if (rc == 0 && word.failed)
            rc = relay_fail(err, EX_OSERR, "out of memory");
        if (rc == 0)
            rc = words_add(args, text_str(&word), err);
    }
    text_free(&word);
    return rc;
}

const struct roster_kind_ops roster_csv = {
    .open = csv_open,
    .close = csv_close,
    .size = csv_size,
    .id = csv_id,
    .params = csv_params,
    .args = csv_args,
    .line = csv_line,
};
