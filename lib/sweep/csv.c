#include "csv.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* A record while it is read. */
struct reader {
    const char *text;
    size_t len;
    const char *name;
    size_t at;
    size_t bol; /* where the line begins, for columns */
    int line;
    struct csv_row *row;
    struct relay_error *err;
};

static int column_of(const struct reader *r, size_t at)
{
    return (int)(at - r->bol) + 1;
}

static bool at_break(const struct reader *r, size_t at)
{
    return at >= r->len || r->text[at] == '\n' ||
           (r->text[at] == '\r' &&
            (at + 1 >= r->len || r->text[at + 1] == '\n'));
}

static void skip_line(struct reader *r)
{
    const char *end = memchr(r->text + r->at, '\n', r->len - r->at);

    r->at = end != NULL ? (size_t)(end - r->text) + 1 : r->len;
    r->bol = r->at;
    r->line++;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Goes to the next line that is a record; false at the end. */
static bool find_record(struct reader *r)
{
    while (r->at < r->len) {
        size_t at = r->at;

        while (at < r->len && blank(r->text[at]))
            at++;
        if (!at_break(r, at) && r->text[r->at] != '#')
            return true;
        skip_line(r);
    }
    return false;
}

/* NULL out of memory. */
static struct csv_field *add_field(struct reader *r)
{
    struct csv_field *field;
    struct csv_row *row = r->row;

    if (row->n == row->room) {
        size_t room = row->room != 0 ? row->room * 2 : 16;
        struct csv_field *fields = realloc(row->fields,
                                           room * sizeof(*fields));

        if (fields == NULL) {
            relay_fail(r->err, EX_OSERR, "out of memory");
            return NULL;
        }
        row->fields = fields;
        row->room = room;
    }
    field = &row->fields[row->n++];
    *field = (struct csv_field){.at = row->text.len, .line = r->line,
                                .column = column_of(r, r->at)};
    return field;
}

/* r->at is behind the opening quote. */
static int read_quoted(struct reader *r, const struct csv_field *field)
{
    struct text *out = &r->row->text;

    while (r->at < r->len) {
        char c = r->text[r->at++];

        if (c == '"' && (r->at >= r->len || r->text[r->at] != '"')) {
            while (r->at < r->len && blank(r->text[r->at]))
                r->at++;
            if (at_break(r, r->at) || r->text[r->at] == ',')
                return 0;
            return relay_fail(r->err, EX_DATAERR,
                              "%s:%d:%d: text behind a closing quote; a quote "
                              "inside a quoted field is written twice",
                              r->name, r->line, column_of(r, r->at));
        }
        if (c == '"')
            r->at++;
        if (c == '\n') {
            r->line++;
            r->bol = r->at;
        }
        text_add_char(out, c);
    }
    return relay_fail(r->err, EX_DATAERR,
                      "%s:%d:%d: a quoted field is not closed", r->name,
                      field->line, field->column);
}

static void read_plain(struct reader *r)
{
    size_t begin = r->at;
    size_t end;

    while (!at_break(r, r->at) && r->text[r->at] != ',')
        r->at++;
    for (end = r->at; end > begin && blank(r->text[end - 1]); end--)
        continue;
    text_add_len(&r->row->text, r->text + begin, end - begin);
}

static int read_field(struct reader *r)
{
    struct csv_field *field;

    while (r->at < r->len && blank(r->text[r->at]))
        r->at++;
    field = add_field(r);
    if (field == NULL)
        return -1;
    if (r->at < r->len && r->text[r->at] == '"') {
        r->at++;
        if (read_quoted(r, field) != 0)
            return -1;
    } else {
        read_plain(r);
    }
    field->len = r->row->text.len - field->at;
    text_add_char(&r->row->text, '\0');
    return 0;
}

static int read_record(struct reader *r)
{
    for (;;) {
        if (read_field(r) != 0)
            return -1;
        if (r->at >= r->len || r->text[r->at] != ',')
            break;
        r->at++;
    }
    skip_line(r);
    if (r->row->text.failed)
        return relay_fail(r->err, EX_OSERR, "out of memory");
    return 1;
}

int csv_next(const char *text, size_t len, const char *name,
             struct csv_place *place, struct csv_row *row,
             struct relay_error *err)
{
    struct reader r = {.text = text, .len = len, .name = name,
                       .at = place->at, .bol = place->at,
                       .line = place->line, .row = row, .err = err};
    int rc = 0;

    if (r.at == 0 && len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        r.at = r.bol = 3;
    row->n = 0;
    text_clear(&row->text);
    if (find_record(&r)) {
        row->begin = r.at;
        row->line = r.line;
        rc = read_record(&r);
    }
    place->at = r.at;
    place->line = r.line;
    return rc;
}

const char *csv_text(const struct csv_row *row, size_t field)
{
    return row->text.s + row->fields[field].at;
}

void csv_row_free(struct csv_row *row)
{
    free(row->fields);
    text_free(&row->text);
    memset(row, 0, sizeof(*row));
}

size_t csv_whole(const char *text, size_t len)
{
    bool quoted = false, comment = false;
    size_t whole = 0;
    size_t i;

    for (i = 0; i < len; i++) {
        if (i == whole && !quoted)
            comment = text[i] == '#';
        if (text[i] == '"' && !comment)
            quoted = !quoted;
        if (text[i] == '\n' && !quoted)
            whole = i + 1;
    }
    return whole;
}
