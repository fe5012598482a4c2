/*
 * Reading runs. Pages are cut by offset, so that a run that comes or goes
 * between two of them shifts the rest: oldest first, filters of what does not
 * change, no run twice, and read again until the server's count and what it
 * listed agree. What must not be missed is asked for by its id.
 */
#include "read.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "jsonfile.h"
#include "tracker/graphql.h"
#include "tracker/reply.h"

#define FIELDS \
    "id name displayName state heartbeatAt createdAt group tags " \
    "historyLineCount"

#define RUNS_QUERY \
    "query Runs($project: String!, $entity: String!, $cursor: String, " \
    "$perPage: Int = 50, $order: String, $filters: JSONString) { " \
    "project(name: $project, entityName: $entity) { " \
    "runCount(filters: $filters) readOnly " \
    "runs(filters: $filters, after: $cursor, first: $perPage, order: $order) " \
    "{ edges { node { " FIELDS " } cursor } " \
    "pageInfo { endCursor hasNextPage } } } }"

enum {
    PAGE = 500,
    SMALLEST_PAGE = 25,
    ROUNDS = 3,
    EXACT = 100, /* ids in one request */
    SHOWN = 5    /* finished runs of one name */
};

struct listing {
    struct tracker *t;
    struct json_object *variables;
    int64_t per_page;
    struct tracker_runs runs;
    struct json_object *index; /* their ids */
};

static int no_memory(struct relay_error *err)
{
    return relay_fail(err, EX_OSERR, "out of memory");
}

/* --- pages ---------------------------------------------------------------- */

static bool smaller_page(void *arg)
{
    struct listing *l = arg;

    if (l->per_page <= SMALLEST_PAGE)
        return false;
    l->per_page = l->per_page / 2 > SMALLEST_PAGE ? l->per_page / 2
                                                  : SMALLEST_PAGE;
    json_add_int(l->variables, "perPage", l->per_page);
    return true;
}

/* filters is put. */
static struct json_object *listing_variables(const struct tracker *t,
                                             struct json_object *filters,
                                             int64_t per_page)
{
    struct json_object *variables = tracker_variables(t);

    json_add_str(variables, "filters",
                 json_object_to_json_string_ext(
                     filters, JSON_C_TO_STRING_PLAIN |
                                  JSON_C_TO_STRING_NOSLASHESCAPE));
    json_add_str(variables, "order", "+created_at");
    json_add_int(variables, "perPage", per_page);
    json_object_put(filters);
    return variables;
}

static int ask_page(struct listing *l, const char *cursor, struct page *page,
                    struct relay_error *err)
{
    struct gql_call call = {.operation = "Runs",
                            .query = RUNS_QUERY,
                            .variables = l->variables,
                            .smaller = smaller_page,
                            .arg = l};
    struct gql_reply reply;
    int rc;

    memset(page, 0, sizeof(*page));
    json_add_str(l->variables, "cursor", cursor);
    rc = graphql(l->t, &call, &reply, err);
    if (rc == 0 && reply_page(reply.data, reply.now, page) != 0)
        rc = no_memory(err);
    gql_reply_free(&reply);
    return rc;
}

/* Moves the runs of more behind those that are there, no run twice. */
static int merge(struct listing *l, struct tracker_runs *more)
{
    size_t i;

    for (i = 0; i < more->n; i++) {
        if (json_get(l->index, more->runs[i].id) != NULL)
            continue;
        json_add_bool(l->index, more->runs[i].id, true);
        if (runs_add(&l->runs, &more->runs[i]) != 0)
            return -1;
    }
    return 0;
}

/* From the first page to the last. *agree: count and list do. */
static int read_round(struct listing *l, bool *agree, struct relay_error *err)
{
    int64_t count = -1;
    char *cursor = NULL;
    struct page page;
    bool more = true;
    size_t before;
    int rc = 0;

    *agree = true;
    while (rc == 0 && more) {
        before = l->runs.n;
        rc = ask_page(l, cursor, &page, err);
        if (rc == 0 && merge(l, &page.runs) != 0)
            rc = no_memory(err);
        *agree = *agree && page.runs.whole &&
                 (cursor == NULL || page.count == count);
        more = page.more && l->runs.n > before;
        count = page.count;
        l->runs.project = page.runs.project;
        l->runs.read_only = page.runs.read_only;
        free(cursor);
        cursor = page.cursor;
        page.cursor = NULL;
        page_free(&page);
    }
    free(cursor);
    *agree = *agree && (count < 0 || count == (int64_t)l->runs.n);
    return rc;
}

/* Rounds until one agrees with itself, which is then the answer; else all
 * that any of them had. */
static int read_rounds(struct listing *l, struct relay_error *err)
{
    struct tracker_runs before = {0};
    bool agree = false;
    int rc = 0;
    int i;

    for (i = 0; i < ROUNDS && rc == 0 && !agree; i++) {
        json_object_put(l->index);
        l->index = json_object_new_object();
        tracker_runs_free(&before);
        before = l->runs;
        memset(&l->runs, 0, sizeof(l->runs));
        rc = read_round(l, &agree, err);
        if (rc == 0 && !agree && merge(l, &before) != 0)
            rc = no_memory(err);
    }
    tracker_runs_free(&before);
    l->runs.whole = agree;
    return rc;
}

/* All runs of a filter, which is put. 0 or -1; runs is to be freed. */
static int list_runs(struct tracker *t, struct json_object *filters,
                     struct tracker_runs *runs, struct relay_error *err)
{
    struct listing l = {.t = t,
                        .per_page = PAGE,
                        .variables = listing_variables(t, filters, PAGE)};
    int rc = read_rounds(&l, err);

    json_object_put(l.variables);
    json_object_put(l.index);
    *runs = l.runs;
    return rc;
}

/* --- by exact id ---------------------------------------------------------- */

static void exact_query(size_t n, struct text *query)
{
    size_t i;

    text_add(query, "query Run($project: String!, $entity: String!");
    for (i = 0; i < n; i++)
        text_printf(query, ", $n%zu: String!", i);
    text_add(query, ") { project(name: $project, entityName: $entity) { "
                    "readOnly");
    for (i = 0; i < n; i++)
        text_printf(query, " r%zu: run(name: $n%zu) { ...RunFragment }", i, i);
    text_add(query, " } } fragment RunFragment on Run { " FIELDS " }");
}

static int take_exact(struct json_object *project, int64_t now,
                      const char *const *ids, size_t n,
                      struct tracker_runs *runs)
{
    size_t i;

    for (i = 0; i < n; i++) {
        struct tracker_run run = {0};
        struct json_object *node;
        char name[24];

        snprintf(name, sizeof(name), "r%zu", i);
        node = json_get(project, name);
        if (json_str(node, "name", NULL) == NULL ||
            strcmp(json_str(node, "name", ""), ids[i]) != 0)
            run.id = strdup(ids[i]);
        else if (reply_run(node, now, &run) != 0)
            return -1;
        if (run.id == NULL || runs_add(runs, &run) != 0) {
            run_free(&run);
            return -1;
        }
    }
    return 0;
}

static int ask_exact(struct tracker *t, const char *const *ids, size_t n,
                     struct tracker_runs *runs, struct relay_error *err)
{
    struct gql_call call = {.operation = "Run",
                            .variables = tracker_variables(t)};
    struct text query = {0};
    struct gql_reply reply;
    struct json_object *project;
    char name[24];
    size_t i;
    int rc;

    exact_query(n, &query);
    for (i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "n%zu", i);
        json_add_str(call.variables, name, ids[i]);
    }
    call.query = text_str(&query);
    rc = query.failed ? no_memory(err) : graphql(t, &call, &reply, err);
    if (!query.failed) {
        project = json_get(reply.data, "project");
        runs->project = project != NULL;
        runs->read_only = json_flag(project, "readOnly", false);
        if (rc == 0 && take_exact(project, reply.now, ids, n, runs) != 0)
            rc = no_memory(err);
        gql_reply_free(&reply);
    }
    json_object_put(call.variables);
    text_free(&query);
    return rc;
}

int read_exact(struct tracker *t, const char *const *ids, size_t n,
               struct tracker_runs *runs, struct relay_error *err)
{
    size_t i;

    memset(runs, 0, sizeof(*runs));
    runs->project = true;
    runs->whole = true;
    for (i = 0; i < n; i += EXACT) {
        if (ask_exact(t, ids + i, n - i < EXACT ? n - i : EXACT, runs, err) !=
            0)
            return -1;
    }
    return 0;
}

int tracker_exact(struct tracker *t, const char *const *ids, size_t n,
                  struct tracker_runs *runs, struct relay_error *err)
{
    memset(runs, 0, sizeof(*runs));
    if (tracker_begin(t, err) == 0 && read_exact(t, ids, n, runs, err) == 0)
        return 0;
    tracker_runs_free(runs);
    return -1;
}

/* --- the questions -------------------------------------------------------- */

/* {name: {op: value}}; value is put into it. */
static struct json_object *filter(const char *name, const char *op,
                                  struct json_object *value)
{
    struct json_object *outer = json_object_new_object();
    struct json_object *inner = json_object_new_object();

    json_object_object_add(inner, op, value);
    json_object_object_add(outer, name, inner);
    return outer;
}

/* The runs of ids, in their order, out of what was listed; what the listing
 * may have missed is asked for. */
static int arrange(struct tracker *t, const char *const *ids, size_t n,
                   struct tracker_runs *listed, struct tracker_runs *runs,
                   struct relay_error *err)
{
    size_t i;

    for (i = 0; i < n; i++) {
        struct tracker_run *found = runs_find(listed, ids[i]);
        struct tracker_runs exact = {0};
        struct tracker_run run = {0};
        int rc = 0;

        if (found == NULL && !listed->whole && listed->project) {
            rc = read_exact(t, &ids[i], 1, &exact, err);
            found = rc == 0 ? &exact.runs[0] : NULL;
        }
        if (found != NULL) {
            run = *found;
            memset(found, 0, sizeof(*found));
        } else {
            run.id = strdup(ids[i]);
        }
        if (rc == 0 && (run.id == NULL || runs_add(runs, &run) != 0))
            rc = no_memory(err);
        run_free(&run);
        tracker_runs_free(&exact);
        if (rc != 0)
            return -1;
    }
    return 0;
}

static int states_of(struct tracker *t, const char *const *ids, size_t n,
                     struct tracker_runs *runs, struct relay_error *err)
{
    struct json_object *list = json_object_new_array();
    struct tracker_runs listed = {0};
    size_t i;
    int rc;

    for (i = 0; i < n; i++)
        json_object_array_add(list, json_object_new_string(ids[i]));
    rc = list_runs(t, filter("name", "$in", list), &listed, err);
    if (rc == 0)
        rc = arrange(t, ids, n, &listed, runs, err);
    runs->project = listed.project;
    runs->read_only = listed.read_only;
    tracker_runs_free(&listed);
    return rc;
}

int tracker_states(struct tracker *t, const char *const *ids, size_t n,
                   struct tracker_runs *runs, struct relay_error *err)
{
    size_t i;
    int rc;

    memset(runs, 0, sizeof(*runs));
    runs->project = true;
    rc = tracker_begin(t, err);
    for (i = 0; i < n && rc == 0; i += PAGE)
        rc = states_of(t, ids + i, n - i < PAGE ? n - i : PAGE, runs, err);
    if (rc != 0)
        tracker_runs_free(runs);
    else
        runs->whole = true;
    return rc;
}

int tracker_group(struct tracker *t, const char *group,
                  struct tracker_runs *runs, struct relay_error *err)
{
    memset(runs, 0, sizeof(*runs));
    if (tracker_begin(t, err) == 0 &&
        list_runs(t, filter("group", "$eq", json_object_new_string(group)),
                  runs, err) == 0)
        return 0;
    tracker_runs_free(runs);
    return -1;
}

static struct json_object *finished_filter(const char *name)
{
    struct json_object *both = json_object_new_array();
    struct json_object *all = json_object_new_object();

    json_object_array_add(
        both, filter("displayName", "$eq", json_object_new_string(name)));
    json_object_array_add(
        both, filter("state", "$eq", json_object_new_string("finished")));
    json_object_object_add(all, "$and", both);
    return all;
}

/* They are few: one page has the count and the first. */
int tracker_finished(struct tracker *t, const char *name, int64_t *count,
                     struct tracker_runs *runs, struct relay_error *err)
{
    struct listing l = {.t = t, .per_page = SHOWN};
    struct page page;
    int rc;

    memset(runs, 0, sizeof(*runs));
    *count = 0;
    if (tracker_begin(t, err) != 0)
        return -1;
    l.variables = listing_variables(t, finished_filter(name), SHOWN);
    rc = ask_page(&l, NULL, &page, err);
    if (rc == 0) {
        *runs = page.runs;
        memset(&page.runs, 0, sizeof(page.runs));
        *count = page.count >= 0 ? page.count : (int64_t)runs->n;
        runs->whole = *count == (int64_t)runs->n;
    }
    page_free(&page);
    json_object_put(l.variables);
    return rc;
}
