/* ssweep status: how far a sweep is. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "jsonfile.h"
#include "ssweep_session.h"

enum {
    ROWS = 40,        /* of the table, without --all */
    JSON_ROWS = 1000, /* of --json, without --all */
    BAR = 40,
    WHY_MAX = 64,     /* of a sentence, in the table */
    WATCH = 10        /* seconds */
};

/* A cell of which there is more to say than "waiting" or "done". */
struct row {
    uint64_t index;
    enum cell_state state;
};

struct status {
    struct session s;
    struct board_counts counts;
    struct row *rows;
    size_t n;
    size_t room;
    bool all;
    bool json;
};

/* --- gathering ----------------------------------------------------------- */

static int add_row(void *arg, const struct board_note *note,
                   enum cell_state state)
{
    struct status *st = arg;
    size_t room = st->room == 0 ? 256 : st->room * 2;
    struct row *more;

    if (state == CELL_DONE || (state == CELL_WAITING && note->failures == 0))
        return 0;
    if (st->n == st->room) {
        more = realloc(st->rows, room * sizeof(*more));
        if (more == NULL)
            return -1;
        st->rows = more;
        st->room = room;
    }
    st->rows[st->n++] = (struct row){.index = note->index, .state = state};
    return 0;
}

/* Who runs first, then who waits for a person. */
static int rank(enum cell_state state)
{
    static const int ranks[CELL_STATES] = {
        [CELL_RUNNING] = 0,     [CELL_QUARANTINED] = 1, [CELL_FAILED] = 2,
        [CELL_UNPROVEN] = 3, [CELL_PARTIAL] = 4,     [CELL_WAITING] = 5};

    return ranks[state];
}

static int by_rank(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    if (x->state != y->state)
        return rank(x->state) < rank(y->state) ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static int gather(struct status *st, struct relay_error *err)
{
    st->n = 0;
    queue_counts(st->s.queue, &st->counts);
    if (queue_each_note(st->s.queue, add_row, st) != 0)
        return relay_fail(err, EX_OSERR, "out of memory");
    if (st->n > 1)
        qsort(st->rows, st->n, sizeof(*st->rows), by_rank);
    return 0;
}

/* What a row says, looked up for the few that are printed. */
struct detail {
    char id[CELL_ID_MAX + 1];
    struct board_note note;
    int64_t step; /* of the record or, if later, of its directory; -1 */
    int64_t age;  /* seconds since the last record; -1 */
    char owner[300];
    bool abandoned; /* that owner has ended */
};

static int64_t live_step(const struct session *s, uint64_t index)
{
    struct session_cell c;
    int64_t step = -1;

    if (session_cell(s, index, &c, NULL) == 0)
        step = outcome_step(c.dir, c.state_dir);
    session_cell_free(&c);
    return step;
}

static int detail_of(const struct status *st, const struct row *row,
                     struct detail *d, struct relay_error *err)
{
    const struct board_note *note = queue_note(st->s.queue, row->index);
    struct owner own;
    int64_t step;

    memset(d, 0, sizeof(*d));
    d->step = d->age = -1;
    if (roster_id(st->s.sweep.roster, row->index, d->id, err) != 0)
        return -1;
    if (note == NULL)
        return 0;
    d->note = *note;
    d->step = note->step;
    if (note->time > 0) /* another host's clock: never below 0 */
        d->age = clock_wall() > note->time ? clock_wall() - note->time : 0;
    if (row->state == CELL_RUNNING &&
        queue_writer(st->s.queue, note->writer, &own))
        owner_describe(&own, d->owner, sizeof(d->owner));
    d->abandoned = queue_abandoned(st->s.queue, note);
    if (row->state == CELL_RUNNING || row->state == CELL_PARTIAL) {
        step = live_step(&st->s, row->index);
        d->step = step > d->step ? step : d->step;
    }
    return 0;
}

/* --- for people ---------------------------------------------------------- */

static const char *color_of(enum cell_state state)
{
    switch (state) {
    case CELL_RUNNING:
        return "36";
    case CELL_DONE:
        return "32";
    case CELL_FAILED:
    case CELL_QUARANTINED:
        return "31";
    case CELL_UNPROVEN:
        return "33";
    case CELL_WAITING:
    case CELL_PARTIAL:
    case CELL_STATES:
        break;
    }
    return NULL;
}

static double percent(const struct board_counts *counts, int state)
{
    if (counts->cells == 0)
        return 0;
    return 100.0 * (double)counts->of[state] / (double)counts->cells;
}

static void print_bar(const struct board_counts *counts)
{
    int full = (int)(percent(counts, CELL_DONE) * BAR / 100.0);
    int i;

    printf("[");
    for (i = 0; i < BAR; i++)
        printf("%s", i < full ? "#" : "-");
    printf("] %.1f%%\n", percent(counts, CELL_DONE));
}

static void print_left(const struct board_counts *counts)
{
    int64_t eta = session_eta(counts);
    char span[32], each[32], text[200];

    if (eta == 0) {
        cli_field("left", "nothing");
    } else if (eta < 0) {
        cli_field("left", counts->of[CELL_RUNNING] == 0
                              ? "nobody works on it"
                              : "not known before a cell is done");
    } else {
        clock_span(eta, span, sizeof(span));
        clock_span((int64_t)counts->seconds, each, sizeof(each));
        snprintf(text, sizeof(text),
                 "about %s (%" PRIu64 " running, %s a cell)", span,
                 counts->of[CELL_RUNNING], each);
        cli_field("left", text);
    }
}

static int print_counts(const struct status *st)
{
    static const char *const heads[] = {"STATE", "CELLS", "%", NULL};
    const struct board_counts *counts = &st->counts;
    struct cli_table table;
    char text[64];
    int i, code;

    cli_field("sweep", st->s.sweep.name);
    cli_field("directory", st->s.sweep.path);
    snprintf(text, sizeof(text),
             counts->withdrawn > 0
                 ? "%" PRIu64 " (%" PRIu64 " lines are none: comments)"
                 : "%" PRIu64, counts->cells, counts->withdrawn);
    cli_field("cells", text);
    print_left(counts);
    if (cli_color(stdout))
        print_bar(counts);
    printf("\n");
    cli_table_init(&table, heads, "lrr");
    for (i = 0; i < CELL_STATES; i++) {
        if (counts->of[i] == 0 && i != CELL_DONE && i != CELL_WAITING)
            continue;
        cli_table_add(&table, cell_state_name(i), color_of(i));
        snprintf(text, sizeof(text), "%" PRIu64, counts->of[i]);
        cli_table_add(&table, text, NULL);
        snprintf(text, sizeof(text), "%.1f", percent(counts, i));
        cli_table_add(&table, text, NULL);
    }
    code = cli_table_print(&table, stdout);
    cli_table_free(&table);
    return code;
}

static void add_cells(struct cli_table *table, const struct row *row,
                      const struct detail *d)
{
    char text[400];

    snprintf(text, sizeof(text), "%" PRIu64, row->index);
    cli_table_add(table, text, NULL);
    cli_table_add(table, d->id, NULL);
    cli_table_add(table, cell_state_name(row->state), color_of(row->state));
    snprintf(text, sizeof(text), d->step < 0 ? "-" : "%" PRId64, d->step);
    cli_table_add(table, text, NULL);
    if (d->age >= 0)
        clock_span(d->age, text, sizeof(text));
    cli_table_add(table, d->age >= 0 ? text : "-", NULL);
    if (row->state == CELL_RUNNING)
        snprintf(text, sizeof(text), "%s%s", d->owner,
                 d->abandoned ? ", which has ended" : "");
    else
        snprintf(text, sizeof(text), "%s%s%.*s%s", d->note.cause,
                 d->note.why[0] != '\0' ? ": " : "", WHY_MAX, d->note.why,
                 strlen(d->note.why) > WHY_MAX ? "..." : "");
    cli_table_add(table, text, NULL);
}

static int print_rows(const struct status *st, struct relay_error *err)
{
    static const char *const heads[] = {"INDEX", "ID",  "STATE",        "STEP",
                                        "AGE",   "OWNER OR CAUSE", NULL};
    size_t n = st->all || st->n < ROWS ? st->n : ROWS;
    struct cli_table table;
    struct detail d;
    size_t i;
    int rc = 0;

    if (n == 0)
        return 0;
    cli_table_init(&table, heads, "rllrrl");
    for (i = 0; rc == 0 && i < n; i++) {
        rc = detail_of(st, &st->rows[i], &d, err);
        if (rc == 0)
            add_cells(&table, &st->rows[i], &d);
    }
    printf("\n");
    if (rc == 0 && cli_table_print(&table, stdout) != 0)
        rc = relay_fail(err, EX_OSERR, "out of memory");
    cli_table_free(&table);
    if (st->n > n)
        printf("... and %zu more: --all\n", st->n - n);
    return rc;
}

/* --- JSON ---------------------------------------------------------------- */

static void add_number(struct json_object *obj, const char *name, int64_t n)
{
    json_object_object_add(obj, name, n < 0 ? NULL : json_object_new_int64(n));
}

static struct json_object *row_json(const struct row *row,
                                    const struct detail *d)
{
    struct json_object *obj = json_object_new_object();

    json_add_int(obj, "index", (int64_t)row->index);
    json_add_str(obj, "id", d->id);
    json_add_str(obj, "state", cell_state_name(row->state));
    json_add_int(obj, "gen", d->note.gen);
    add_number(obj, "step", d->step);
    add_number(obj, "began", d->note.began > 0 ? d->note.began : -1);
    add_number(obj, "time", d->note.time > 0 ? d->note.time : -1);
    add_number(obj, "age", d->age);
    json_add_int(obj, "failures", d->note.failures);
    json_add_str(obj, "owner", d->owner[0] != '\0' ? d->owner : NULL);
    json_add_bool(obj, "abandoned", d->abandoned);
    json_add_str(obj, "cause", d->note.cause[0] != '\0' ? d->note.cause
                                                        : NULL);
    json_add_str(obj, "why", d->note.why[0] != '\0' ? d->note.why : NULL);
    return obj;
}

static struct json_object *head_json(const struct status *st)
{
    const struct board_counts *counts = &st->counts;
    struct json_object *obj = json_object_new_object();
    struct json_object *of = json_object_new_object();
    int i;

    json_add_str(obj, "sweep", st->s.sweep.name);
    json_add_str(obj, "directory", st->s.sweep.path);
    json_add_str(obj, "source", st->s.sweep.source);
    json_add_int(obj, "created", st->s.sweep.created);
    json_add_int(obj, "cells", (int64_t)counts->cells);
    json_add_int(obj, "withdrawn", (int64_t)counts->withdrawn);
    for (i = 0; i < CELL_STATES; i++)
        json_add_int(of, cell_state_name(i), (int64_t)counts->of[i]);
    json_object_object_add(obj, "counts", of);
    json_add_int(obj, "left", (int64_t)session_left(counts));
    json_object_object_add(obj, "mean_seconds",
                           counts->seconds > 0
                               ? json_object_new_double(counts->seconds)
                               : NULL);
    add_number(obj, "eta_seconds", session_eta(counts));
    return obj;
}

static int print_json(const struct status *st, bool one_line,
                      struct relay_error *err)
{
    size_t n = st->all || st->n < JSON_ROWS ? st->n : JSON_ROWS;
    struct json_object *obj = head_json(st);
    struct json_object *array = json_object_new_array();
    struct detail d;
    size_t i;

    for (i = 0; i < n; i++) {
        if (detail_of(st, &st->rows[i], &d, err) != 0) {
            json_object_put(array);
            json_object_put(obj);
            return -1;
        }
        json_object_array_add(array, row_json(&st->rows[i], &d));
    }
    json_object_object_add(obj, "noted", array);
    json_add_int(obj, "more", (int64_t)(st->n - n));
    if (!one_line)
        return cli_json(obj);
    printf("%s\n", json_object_to_json_string_ext(
                       obj, JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(obj);
    return 0;
}

/* --- watching ------------------------------------------------------------ */

static int draw(const struct status *st, bool watched,
                struct relay_error *err)
{
    char line[300];
    char when[32];

    if (st->json)
        return print_json(st, watched, err);
    if (watched && isatty(STDOUT_FILENO) != 1) {
        clock_iso(clock_wall(), when, sizeof(when));
        session_line(&st->counts, line, sizeof(line));
        printf("%s %s\n", when, line);
        return 0;
    }
    if (watched)
        printf("\033[H\033[2J");
    return print_counts(st) != 0 ? relay_fail(err, EX_OSERR, "out of memory")
                                 : print_rows(st, err);
}

static int watch(struct status *st, int64_t seconds, struct relay_error *err)
{
    struct board_counts before = {0};
    bool first = true;
    bool redraws = isatty(STDOUT_FILENO) == 1;

    for (;;) {
        if (gather(st, err) != 0)
            return -1;
        if ((first || redraws ||
             memcmp(before.of, st->counts.of, sizeof(before.of)) != 0) &&
            draw(st, true, err) != 0)
            return -1;
        if (fflush(stdout) != 0)
            return relay_fail_errno(err, EX_IOERR, "writing the output");
        if (session_left(&st->counts) == 0)
            return 0;
        before = st->counts;
        first = false;
        clock_sleep_ms(seconds * 1000);
        if (session_look(&st->s, err) != 0)
            return -1;
    }
}

/* SECONDS of --watch=SECONDS; -1 when it is none. */
static int64_t watch_seconds(const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (text[0] == '\0')
        return WATCH;
    return *end == '\0' && n > 0 && n <= 86400 ? n : -1;
}

static int status(struct status *st, const char *interval,
                  struct relay_error *err)
{
    int64_t seconds = interval != NULL ? watch_seconds(interval) : 0;

    if (seconds < 0)
        return relay_fail(err, EX_USAGE, "--watch=%s: 1 to 86400 seconds",
                          interval);
    if (session_look(&st->s, err) != 0)
        return -1;
    if (interval != NULL)
        return watch(st, seconds, err);
    return gather(st, err) != 0 ? -1 : draw(st, false, err);
}

int ssweep_status(int argc, char **argv)
{
    struct session_how how = {0};
    struct status st = {0};
    const char *interval = NULL;
    const struct cli_option options[] = {
        {"json", '\0', CLI_FLAG, &st.json, NULL, "print an object"},
        {"watch", '\0', CLI_OPT, &interval, "SECONDS",
         "again and again until nothing is left (default: 10 s)"},
        {"all", '\0', CLI_FLAG, &st.all, NULL,
         "every cell that is not just waiting or done"},
        OUT_ROOT_OPTION(how),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SSWEEP, "status", "[OPTION]... SWEEP",
        "Counts the cells by state, says how long the rest takes, and lists\n"
        "the cells that run or wait for somebody.",
        options, 1, 1};
    struct relay_error err = {0};
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    how.sweep = args[0];
    if (session_open(&how, &st.s, &err) != 0 ||
        status(&st, interval, &err) != 0)
        code = cli_fail(SSWEEP, &err);
    session_close(&st.s);
    free(st.rows);
    return code;
}
