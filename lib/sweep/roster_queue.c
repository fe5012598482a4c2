/* A queue file as a roster: index is the number of the line, from 0, so that
 * it stays when a line is commented out or others are appended. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "queuefile.h"
#include "roster_kind.h"

struct queue_roster {
    uint32_t *lines; /* offsets */
    size_t n;
    size_t room;
};

static const struct queue_roster *data_of(const struct roster *r)
{
    return r->data;
}

static int keep_line(struct queue_roster *q, size_t at,
                     struct relay_error *err)
{
    if (q->n == q->room) {
        size_t room = q->room != 0 ? q->room * 2 : 256;
        uint32_t *lines = realloc(q->lines, room * sizeof(*lines));

        if (lines == NULL)
            return relay_fail(err, EX_OSERR, "out of memory");
        q->lines = lines;
        q->room = room;
    }
    q->lines[q->n++] = (uint32_t)at;
    return 0;
}

/* Takes line index apart again. */
static int line_of(const struct roster *r, uint64_t index,
                   struct queue_line *line, struct relay_error *err)
{
    size_t at = data_of(r)->lines[index];
    size_t end;

    (void)queue_line_end(r->text, r->len, at, &end);
    return queue_line_parse(r->text + at, end - at, r->path, (int)index + 1,
                            line, err);
}

static int check_line(const struct roster *r, uint64_t index,
                      struct relay_error *err)
{
    struct queue_line line;
    const char *name;
    size_t len;

    if (line_of(r, index, &line, err) != 0)
        return -1;
    if (line.n == 0)
        return 0;
    name = queue_line_name(&line, &len);
    if (id_valid(name, len))
        return 0;
    return relay_fail(err, EX_DATAERR,
                      "%s:%d:%d: the file's name `%.*s` is the name of the "
                      "cell, and is not of A-Z a-z 0-9 . _ - (beginning with "
                      "a letter or digit, %d characters at most)", r->path,
                      (int)index + 1,
                      (int)(name - (r->text + data_of(r)->lines[index])) + 1,
                      (int)(len < 140 ? len : 140), name, CELL_ID_MAX);
}

static int queue_open_file(struct roster *r, struct lint *lint,
                           struct relay_error *err)
{
    struct queue_roster *q = calloc(1, sizeof(*q));
    const char *dot = strrchr(r->path, '.');
    size_t at = 0;
    size_t end;

    if (dot != NULL && strcasecmp(dot, ".tsv") == 0) {
        free(q);
        return relay_fail(err, EX_DATAERR, "%s: a table is read as CSV: "
                          "separate its columns by commas and call it .csv",
                          r->path);
    }
    if (q == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    r->data = q;
    if (r->len >= 3 && memcmp(r->text, "\xef\xbb\xbf", 3) == 0)
        at = 3;
    while (at < r->len) {
        if (keep_line(q, at, err) != 0 ||
            check_line(r, q->n - 1, err) != 0)
            return -1;
        at = queue_line_end(r->text, r->len, at, &end);
    }
    if (r->len > 0 && r->text[r->len - 1] != '\n')
        lint_add(lint, r->path, (int)q->n, 0,
                 "the last line has no line break: what is appended to it "
                 "becomes part of it");
    if (r->opt.start_index > 0 && (uint64_t)r->opt.start_index >= q->n)
        lint_add(lint, r->path, 0, 0,
                 "--start-index %" PRId64 " skips all of its %zu lines",
                 r->opt.start_index, q->n);
    return 0;
}

static void queue_close_file(struct roster *r)
{
    struct queue_roster *q = r->data;

    if (q == NULL)
        return;
    free(q->lines);
    free(q);
}

static uint64_t queue_size(const struct roster *r)
{
    return data_of(r)->n;
}

static int queue_line_number(const struct roster *r, uint64_t index)
{
    (void)r;
    return (int)index + 1;
}

static bool queue_withdrawn(const struct roster *r, uint64_t index)
{
    struct queue_line line;

    if (r->opt.start_index > 0 && index < (uint64_t)r->opt.start_index)
        return true;
    return line_of(r, index, &line, NULL) != 0 || line.n == 0;
}

/* A line that is no cell has no id. */
static int queue_id(const struct roster *r, uint64_t index,
                    char id[CELL_ID_MAX + 1], struct relay_error *err)
{
    struct queue_line line;
    const char *name;
    size_t len;

    id[0] = '\0';
    if (line_of(r, index, &line, err) != 0)
        return -1;
    if (line.n == 0)
        return 0;
    name = queue_line_name(&line, &len);
    memcpy(id, name, len); /* checked when loaded */
    id[len] = '\0';
    return 0;
}

static int64_t epochs_of(const struct roster *r, const struct queue_line *line)
{
    int64_t epochs = 0;
    size_t i;

    if (line->n < QUEUE_WORDS)
        return r->opt.epochs > 0 ? r->opt.epochs : QUEUE_EPOCHS;
    for (i = 0; i < line->len[2]; i++)
        epochs = epochs * 10 + (line->word[2][i] - '0');
    return epochs;
}

static int queue_params(const struct roster *r, uint64_t index,
                        struct value *params, struct relay_error *err)
{
    static const char *const names[] = {"cfg", "task"};
    struct queue_line line;
    struct value v;
    size_t i;

    *params = (struct value){.kind = VALUE_DICT};
    if (line_of(r, index, &line, err) != 0)
        return -1;
    if (line.n == 0)
        return 0;
    for (i = 0; i < 2; i++) {
        memset(&v, 0, sizeof(v));
        if (value_set_str(&v, line.word[i], line.len[i], err) != 0 ||
            value_put(params, names[i], &v, err) != 0)
            return -1;
    }
    memset(&v, 0, sizeof(v));
    value_set_int(&v, epochs_of(r, &line));
    return value_put(params, "epochs", &v, err);
}

static int queue_args(const struct roster *r, const struct cell *cell,
                      struct words *args, struct relay_error *err)
{
    struct queue_line line;
    struct text text = {0};
    size_t i;
    int rc = line_of(r, cell->index, &line, err);

    for (i = 0; rc == 0 && i < 2 && line.n > 0; i++) {
        text_clear(&text);
        text_add_len(&text, line.word[i], line.len[i]);
        rc = text.failed ? relay_fail(err, EX_OSERR, "out of memory")
                         : words_add(args, text_str(&text), err);
    }
    if (rc == 0 && line.n > 0) {
        text_clear(&text);
        text_add_int(&text, epochs_of(r, &line));
        rc = text.failed ? relay_fail(err, EX_OSERR, "out of memory")
                         : words_add(args, text_str(&text), err);
    }
    text_free(&text);
    return rc;
}

const struct roster_kind_ops roster_queue = {
    .open = queue_open_file,
    .close = queue_close_file,
    .size = queue_size,
    .id = queue_id,
    .params = queue_params,
    .args = queue_args,
    .withdrawn = queue_withdrawn,
    .line = queue_line_number,
};
