/* sresume list --all-clusters: the runs of every configured cluster. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "jsonfile.h"
#include "overview.h"
#include "sresume.h"

/* What there is to show. */
struct view {
    struct overview *list;
    size_t n;
    const struct list_options *opt;
    struct row {
        const struct overview *o;
        const struct overview_run *run;
    } * rows;
    size_t nrows;
    struct overview_hint *hints;
    size_t nhints;
};

/* --- rows ---------------------------------------------------------------- */

static int copy_order(enum overview_copy copy)
{
    return copy == OVERVIEW_AUTHORITATIVE ? 0 : 1;
}

/* Copies of one run stand together, the one that counts first; runs of one
 * name do, too. */
static int by_name(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    const char *xn = x->run->name, *yn = y->run->name;
    int order;

    if (xn == NULL || yn == NULL)
        order = (xn == NULL) - (yn == NULL);
    else
        order = strcmp(xn, yn);
    if (order == 0)
        order = strcmp(x->run->hash, y->run->hash);
    if (order == 0)
        order = copy_order(x->run->copy) - copy_order(y->run->copy);
    return order != 0 ? order : strcmp(x->o->cluster, y->o->cluster);
}

static int make_rows(struct view *v, struct relay_error *err)
{
    const char *state = v->opt->state;
    size_t i, k, room = 1;

    for (i = 0; i < v->n; i++)
        room += v->list[i].n;
    v->rows = calloc(room, sizeof(*v->rows));
    if (v->rows == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    for (i = 0; i < v->n; i++) {
        for (k = 0; k < v->list[i].n; k++) {
            const struct overview_run *run = &v->list[i].runs[k];

            if (state == NULL || strcmp(state, run_state_name(run->state)) == 0)
                v->rows[v->nrows++] = (struct row){&v->list[i], run};
        }
    }
    qsort(v->rows, v->nrows, sizeof(*v->rows), by_name);
    return 0;
}

/* --- the table ----------------------------------------------------------- */

/* "12.0/s", "3.5/min", "2.0/h"; a lower bound begins with '>'. */
static void rate_text(const struct overview_run *run, char *text, size_t size)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"s", 1}, {"min", 60}, {"h", 3600}};
    const char *mark = run->rate_by_log ? ">" : "";
    size_t i = 0;

    if (run->rate < 0) {
        snprintf(text, size, "-");
        return;
    }
    while (i < 2 && run->rate * units[i].seconds < 1)
        i++;
    snprintf(text, size, "%s%.1f/%s", mark, run->rate * units[i].seconds,
             units[i].unit);
}

static void span_text(int64_t seconds, char *text, size_t size)
{
    if (seconds < 0)
        snprintf(text, size, "-");
    else
        clock_span(seconds, text, size);
}

static void cluster_text(const struct row *row, char *text, size_t size)
{
    const char *mark = "";

    if (row->run->copy == OVERVIEW_AUTHORITATIVE)
        mark = " (authoritative)";
    if (row->run->copy == OVERVIEW_UNCLEAR)
        mark = " (unclear)";
    snprintf(text, size, "%s%s", row->o->cluster, mark);
}

static void owner_text(const struct overview_run *run, char *text, size_t size)
{
    const struct overview_job *job = run->job;

    if (run->state == RUN_MOVED ||
        (run->owner[0] == '\0' && run->moved_to[0] != '\0'))
        snprintf(text, size, "on %s", run->moved_to);
    else if (job != NULL && job->reason[0] != '\0')
        snprintf(text, size, "job %s (%s)", job->id, job->reason);
    else if (job != NULL)
        snprintf(text, size, "job %s", job->id);
    else if (run->owner[0] == '\0' && run->cause[0] != '\0' &&
             (run->state == RUN_ENDED || run->state == RUN_FAILED))
        snprintf(text, size, "(%s)", run->cause);
    else
        snprintf(text, size, "%s", run->owner);
}

static void add_row(struct cli_table *table, const struct row *row)
{
    const struct overview_run *run = row->run;
    char text[256];

    cli_table_add(table, run->name != NULL ? run->name : run->hash, NULL);
    cluster_text(row, text, sizeof(text));
    cli_table_add(table, text, NULL);
    snprintf(text, sizeof(text), run->step < 0 ? "-" : "%" PRId64, run->step);
    cli_table_add(table, text, NULL);
    span_text(run->age, text, sizeof(text));
    cli_table_add(table, text, NULL);
    rate_text(run, text, sizeof(text));
    cli_table_add(table, text, NULL);
    span_text(overview_eta(run), text, sizeof(text));
    cli_table_add(table, text, NULL);
    snprintf(text, sizeof(text), "%s%s",
             run->state == RUN_STRANDED ? "STRANDED"
                                        : run_state_name(run->state),
             run->stale ? ", stale" : "");
    cli_table_add(table, text,
                  run->stale ? "33" : sresume_state_color(run->state));
    owner_text(run, text, sizeof(text));
    cli_table_add(table, text, NULL);
}

/* The command of a hint; the key as a shell reads it, else the hash. */
static char *hint_command(const struct overview_hint *hint)
{
    const char *key = hint->run->key != NULL ? hint->run->key : hint->run->hash;
    bool plain = key[strspn(key, "abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789._-/=+,@:")] == '\0';
    char *word = plain ? strdup(key) : peer_quote(key);
    char *text = NULL;

    if (word == NULL ||
        asprintf(&text, "shandoff %s --from %s%s", word, hint->from->cluster,
                 hint->run->state == RUN_QUEUED ? " --override=running" : "") <
            0)
        text = NULL;
    free(word);
    return text;
}

static void print_hints(const struct view *v)
{
    char clean[1024];
    size_t i;

    if (v->nhints > 0)
        printf("\nEach of these would gain by a move to here:\n");
    for (i = 0; i < v->nhints; i++) {
        char *command = hint_command(&v->hints[i]);

        if (command == NULL)
            continue;
        cli_clean(command, clean, sizeof(clean));
        printf("  %s  # ", clean);
        cli_clean(v->hints[i].why, clean, sizeof(clean));
        printf("%s\n", clean);
        free(command);
    }
}

static int print_table(const struct view *v)
{
    static const char *const heads[] = {"NAME",  "CLUSTER", "STEP",
                                        "AGE",   "RATE",    "ETA",
                                        "STATE", "OWNER",   NULL};
    struct cli_table table;
    size_t i;
    int code;

    cli_table_init(&table, heads, "llrrrrll");
    for (i = 0; i < v->nrows; i++)
        add_row(&table, &v->rows[i]);
    code = cli_table_print(&table, stdout);
    cli_table_free(&table);
    print_hints(v);
    return code;
}

/* --- JSON ---------------------------------------------------------------- */

static void add_text(struct json_object *obj, const char *name,
                     const char *text)
{
    json_add_str(obj, name, text != NULL && text[0] != '\0' ? text : NULL);
}

static void add_number(struct json_object *obj, const char *name, int64_t value,
                       int64_t none)
{
    json_object_object_add(obj, name,
                           value == none ? NULL : json_object_new_int64(value));
}

static const char *copy_name(enum overview_copy copy)
{
    switch (copy) {
    case OVERVIEW_AUTHORITATIVE:
        return "authoritative";
    case OVERVIEW_OTHER:
        return "other";
    case OVERVIEW_UNCLEAR:
        return "unclear";
    case OVERVIEW_ALONE:
        break;
    }
    return "only";
}

static struct json_object *run_json(const struct row *row)
{
    const struct overview_run *run = row->run;
    struct json_object *obj = json_object_new_object();

    add_text(obj, "cluster", row->o->cluster);
    add_text(obj, "hash", run->hash);
    add_text(obj, "name", run->name);
    add_text(obj, "key", run->key);
    add_text(obj, "copy", copy_name(run->copy));
    add_text(obj, "state", run_state_name(run->state));
    json_add_bool(obj, "stale", run->stale);
    add_number(obj, "step", run->step, -1);
    add_number(obj, "total", run->total, -1);
    add_number(obj, "age", run->age, -1);
    add_number(obj, "interval", run->interval, 0);
    json_object_object_add(
        obj, "rate", run->rate < 0 ? NULL : json_object_new_double(run->rate));
    add_text(obj, "rate_from",
             run->rate < 0      ? NULL
             : run->rate_by_log ? "output"
                                : "history");
    add_number(obj, "eta", overview_eta(run), -1);
    json_add_bool(obj, "completed", run->completed);
    add_text(obj, "owner", run->owner);
    add_text(obj, "job", run->job != NULL ? run->job->id : NULL);
    add_text(obj, "job_state", run->job != NULL ? run->job->state : NULL);
    add_text(obj, "gpu", run->job != NULL ? run->job->gpu : NULL);
    add_number(obj, "gpus", run->job != NULL ? run->job->gpus : -1, -1);
    add_text(obj, "lease",
             run->lease == LEASE_NONE ? NULL : lease_kind_name(run->lease));
    add_number(obj, "generation", run->gen, 0);
    add_number(obj, "term", run->term, 0);
    add_text(obj, "cause", run->cause);
    add_text(obj, "journal", run->journal);
    add_text(obj, "moved_to", run->moved_to);
    return obj;
}

static struct json_object *cluster_json(const struct overview *o)
{
    struct json_object *obj = json_object_new_object();

    add_text(obj, "cluster", o->cluster);
    json_add_bool(obj, "answered", o->answered);
    add_text(obj, "why", o->why);
    add_text(obj, "root", o->root);
    json_add_bool(obj, "queue_answered", o->slurm);
    return obj;
}

static struct json_object *hint_json(const struct overview_hint *hint)
{
    struct json_object *obj = json_object_new_object();
    char *command = hint_command(hint);

    add_text(obj, "key", hint->run->key);
    add_text(obj, "from", hint->from->cluster);
    add_text(obj, "command", command);
    add_text(obj, "why", hint->why);
    free(command);
    return obj;
}

static int print_json(const struct view *v)
{
    struct json_object *doc = json_object_new_object();
    struct json_object *clusters = json_object_new_array();
    struct json_object *runs = json_object_new_array();
    struct json_object *hints = json_object_new_array();
    size_t i;

    for (i = 0; i < v->n; i++)
        json_object_array_add(clusters, cluster_json(&v->list[i]));
    for (i = 0; i < v->nrows; i++)
        json_object_array_add(runs, run_json(&v->rows[i]));
    for (i = 0; i < v->nhints; i++)
        json_object_array_add(hints, hint_json(&v->hints[i]));
    json_object_object_add(doc, "clusters", clusters);
    json_object_object_add(doc, "runs", runs);
    json_object_object_add(doc, "hints", hints);
    return cli_json(doc);
}

/* --- what is wrong ------------------------------------------------------- */

static void complain(const char *cluster, const char *text)
{
    struct relay_error err = {0};
    bool named = strncmp(text, cluster, strlen(cluster)) == 0;

    relay_fail(&err, EX_UNAVAILABLE, "%s%s%s", named ? "" : cluster,
               named ? "" : ": ", text);
    (void)cli_fail(SRESUME, &err); /* the listing goes on */
}

static void print_trouble(const struct view *v)
{
    size_t i, k, stranded = 0;
    char text[700];

    for (i = 0; i < v->n; i++) {
        const struct overview *o = &v->list[i];

        if (!o->answered) {
            complain(o->cluster, o->why);
            continue;
        }
        if (!o->slurm && o->n > 0) {
            snprintf(text, sizeof(text),
                     "squeue did not answer: who is "
                     "running there is not known: %s",
                     o->slurm_why);
            complain(o->cluster, text);
        }
        for (k = 0; k < o->n; k++) {
            stranded += o->runs[k].state == RUN_STRANDED;
            if (o->runs[k].trouble[0] != '\0')
                complain(o->cluster, o->runs[k].trouble);
        }
    }
    if (stranded > 0)
        fprintf(stderr,
                SRESUME ": %zu STRANDED: a handoff stopped the source "
                        "and nobody runs; '" SRESUME
                        " explain NAME' on that cluster says what to "
                        "type\n",
                stranded);
}

int sresume_list_all(const struct config *cfg, const char *root,
                     const struct list_options *opt)
{
    struct overview_want want = {.pattern = opt->pattern, .root = root};
    struct view v = {.opt = opt};
    struct relay_error err = {0};
    int code;

    if (overview_look_all(cfg, &want, &v.list, &v.n, &err) == 0) {
        overview_pair(v.list, v.n);
        if (make_rows(&v, &err) == 0)
            (void)overview_hints(cfg, v.list, v.n, &v.hints, &v.nhints, &err);
    }
    if (err.code != 0) {
        code = cli_fail(SRESUME, &err);
    } else {
        code = opt->json ? print_json(&v) : print_table(&v);
        fflush(stdout);
        print_trouble(&v);
    }
    free(v.hints);
    free(v.rows);
    overview_free_all(v.list, v.n);
    return code;
}
