/* The runs of a cluster as runs.sh shows them (overview_int.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "history.h"
#include "jsonfile.h"
#include "key.h"
#include "meta.h"
#include "overview_int.h"
#include "text.h"

#define RECORDS ".relay/"

/* --- files --------------------------------------------------------------- */

int overview_each_file(const char *section, size_t len,
                       int (*each)(void *arg, const char *path, size_t path_len,
                                   const char *text, size_t len),
                       void *arg)
{
    const char *at = section, *end = section + len;
    const char *path = NULL;
    struct text text = {0};
    size_t path_len = 0;
    int rc = 0;

    while (rc == 0 && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *colon;
        size_t n;

        if (stop == NULL)
            stop = end;
        colon = memchr(at, ':', (size_t)(stop - at));
        n = colon != NULL ? (size_t)(colon - at) : 0;
        if (colon != NULL &&
            (path == NULL || n != path_len || memcmp(at, path, n) != 0)) {
            if (path != NULL)
                rc = each(arg, path, path_len, text_str(&text), text.len);
            text_clear(&text);
            path = at;
            path_len = n;
        }
        if (colon != NULL) {
            text_add_len(&text, colon + 1, (size_t)(stop - colon - 1));
            text_add_char(&text, '\n');
        }
        at = stop + 1;
    }
    if (rc == 0 && path != NULL)
        rc = each(arg, path, path_len, text_str(&text), text.len);
    rc = text.failed ? -1 : rc;
    text_free(&text);
    return rc;
}

/* The hash in a path that begins with skip; false when it has none. */
static bool hash_in(const char *path, size_t len, const char *skip,
                    char hash[41])
{
    size_t n = strlen(skip);

    if (len < n + 41 || memcmp(path, skip, n) != 0 || path[n + 40] != '/')
        return false;
    memcpy(hash, path + n, 40);
    hash[40] = '\0';
    return strspn(hash, "0123456789abcdef") == 40;
}

/* --- which runs there are ------------------------------------------------ */

struct found {
    struct overview *o;
    size_t room;
    bool failed;
};

static struct overview_run *add_run(struct found *found, const char *hash)
{
    struct overview *o = found->o;
    struct overview_run *run;

    if (o->n == found->room) {
        size_t room = found->room * 2 + 64;

        run = realloc(o->runs, room * sizeof(*run));
        if (run == NULL) {
            found->failed = true;
            return NULL;
        }
        o->runs = run;
        found->room = room;
    }
    run = &o->runs[o->n++];
    memset(run, 0, sizeof(*run));
    snprintf(run->hash, sizeof(run->hash), "%.40s", hash);
    run->step = run->age = run->total = -1;
    run->rate = -1;
    return run;
}

/* MTIME SIZE HASH/resume_meta.json */
static void take_meta_line(struct found *found, const char *line, size_t len)
{
    struct overview_run *run;
    long long mtime, size;
    char text[128], path[81], hash[41];

    snprintf(text, sizeof(text), "%.*s", (int)(len < 127 ? len : 127), line);
    if (sscanf(text, "%18lld %18lld %80s", &mtime, &size, path) != 3 ||
        !hash_in(path, strlen(path), "", hash))
        return;
    run = add_run(found, hash);
    if (run == NULL)
        return;
    /* Until its text has come. */
    snprintf(run->trouble, sizeof(run->trouble),
             "%s/" META_FILE " cannot be read", hash);
    run->age = found->o->now > mtime ? found->o->now - mtime : 0;
}

static int by_hash(const void *a, const void *b)
{
    return strcmp(((const struct overview_run *)a)->hash,
                  ((const struct overview_run *)b)->hash);
}

struct overview_run *overview_run_find(const struct overview *o,
                                       const char *hash)
{
    struct overview_run want;

    if (o->n == 0)
        return NULL;
    snprintf(want.hash, sizeof(want.hash), "%s", hash);
    return bsearch(&want, o->runs, o->n, sizeof(want), by_hash);
}

static int add_recorded(void *arg, const char *path, size_t path_len,
                        const char *text, size_t len)
{
    struct found *found = arg;
    char hash[41];

    (void)text;
    (void)len;
    if (hash_in(path, path_len, RECORDS, hash))
        add_run(found, hash);
    return found->failed ? -1 : 0;
}

/* One of each hash, the one with a meta; sorted. */
static void sort_runs(struct overview *o)
{
    size_t i, n = 0;

    if (o->n == 0)
        return;
    qsort(o->runs, o->n, sizeof(*o->runs), by_hash);
    for (i = 0; i < o->n; i++) {
        if (n > 0 && strcmp(o->runs[n - 1].hash, o->runs[i].hash) == 0) {
            if (o->runs[i].age >= 0)
                o->runs[n - 1] = o->runs[i];
            continue;
        }
        o->runs[n++] = o->runs[i];
    }
    o->n = n;
}

static int find_runs(struct overview *o, const struct peer_reply *reply)
{
    struct found found = {.o = o};
    size_t len;
    const char *at = peer_section(reply, "metas", &len);
    const char *end = at != NULL ? at + len : NULL;

    while (at != NULL && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));

        if (stop == NULL)
            stop = end;
        take_meta_line(&found, at, (size_t)(stop - at));
        at = stop + 1;
    }
    at = peer_section(reply, "records", &len);
    if (found.failed ||
        (at != NULL && overview_each_file(at, len, add_recorded, &found) != 0))
        return -1;
    sort_runs(o);
    return 0;
}

/* --- metas --------------------------------------------------------------- */

static int copy_names(struct overview_run *run, const struct meta *meta)
{
    const char *name = meta_name(meta);
    char hash[41];

    if (name == NULL)
        return 0;
    run->name = strdup(name);
    if (run->name == NULL)
        return -1;
    if (meta->entity == NULL || meta->project == NULL)
        return 0;
    if (asprintf(&run->key, "%s/%s/%s", meta->entity, meta->project, name) <
        0) {
        run->key = NULL;
        return -1;
    }
    /* A key that does not hash to its directory is not the run's. */
    if (digest_key(run->key, hash, NULL) != 0 || strcmp(hash, run->hash) != 0) {
        free(run->key);
        run->key = NULL;
    }
    return 0;
}

static int take_meta(void *arg, const char *path, size_t path_len,
                     const char *text, size_t len)
{
    struct overview_run *run;
    struct relay_error err = {0};
    struct meta meta;
    char hash[41], where[64];
    int rc;

    if (!hash_in(path, path_len, "", hash) ||
        (run = overview_run_find(arg, hash)) == NULL || run->name != NULL)
        return 0;
    snprintf(where, sizeof(where), "%s/" META_FILE, hash);
    if (meta_parse(text, len, where, &meta, &err) != 0) {
        snprintf(run->trouble, sizeof(run->trouble), "%.299s", err.text);
        return 0;
    }
    run->trouble[0] = '\0';
    run->step = meta.step;
    run->total = meta.total;
    run->completed = meta.completed;
    run->stub = meta.moved_to != NULL;
    if (run->stub) {
        snprintf(run->moved_to, sizeof(run->moved_to), "%s", meta.moved_to);
        run->moved_term = meta.moved_term;
    }
    rc = copy_names(run, &meta);
    meta_free(&meta);
    return rc;
}

/* --- records ------------------------------------------------------------- */

struct taking {
    struct overview *o;
    struct overview_lease *leases;
};

/* A run without a state, or whose meta does not say, has its name in our
 * records. */
static int take_key(struct overview_run *run, struct json_object *body)
{
    const char *key = json_str(body, "key", NULL);
    const char *name;
    char hash[41];

    if (key == NULL || key_check(key, NULL) != 0 ||
        digest_key(key, hash, NULL) != 0 || strcmp(hash, run->hash) != 0)
        return 0;
    name = key_run_name(key);
    if (run->key == NULL && name != NULL && (run->key = strdup(key)) == NULL)
        return -1;
    if (run->name == NULL && name != NULL && (run->name = strdup(name)) == NULL)
        return -1;
    return 0;
}

static int take_lease(struct overview_run *run, struct json_object *body,
                      int64_t gen, struct overview_lease *lease,
                      struct relay_error *err)
{
    if (lease->lease.kind != LEASE_NONE)
        return 0;
    if (lease_of_record(body, gen, &lease->lease, err) != 0) {
        snprintf(run->trouble, sizeof(run->trouble), "%s: %.250s", run->hash,
                 err->text);
        return 0;
    }
    run->lease = lease->lease.kind;
    run->gen = gen;
    run->term = lease->lease.term;
    run->moving = lease->lease.moving;
    if (run->lease == LEASE_FENCE) {
        owner_from_json(json_get(body, "fenced"), "", &lease->fenced);
        snprintf(run->moved_to, sizeof(run->moved_to), "%s",
                 lease->lease.moved_to);
    }
    if (run->lease == LEASE_RELEASE)
        snprintf(run->cause, sizeof(run->cause), "%s",
                 json_str(body, "cause", ""));
    if (lease_held(&lease->lease)) {
        snprintf(run->owner_job, sizeof(run->owner_job), "%s",
                 lease->lease.owner.job_id);
        snprintf(run->owner_cluster, sizeof(run->owner_cluster), "%s",
                 lease->lease.owner.cluster);
        owner_describe(&lease->lease.owner, run->owner, sizeof(run->owner));
    }
    return take_key(run, body);
}

/* .relay/HASH/SERIES.GEN */
static int take_record(void *arg, const char *path, size_t path_len,
                       const char *text, size_t len)
{
    struct taking *taking = arg;
    struct relay_error err = {0};
    struct overview_run *run;
    struct json_object *body;
    char hash[41], where[96];
    const char *series = path + sizeof(RECORDS) - 1 + 41;
    long long gen;
    int rc = 0;

    if (!hash_in(path, path_len, RECORDS, hash) ||
        (run = overview_run_find(taking->o, hash)) == NULL)
        return 0;
    snprintf(where, sizeof(where), "%.*s", (int)(path_len < 95 ? path_len : 95),
             path);
    body = json_parse(text, len, where, &err);
    if (body == NULL || json_check_format(body, where, &err) != 0)
        snprintf(run->trouble, sizeof(run->trouble), "%.299s", err.text);
    else if (sscanf(where + (series - path), "run.%18lld", &gen) == 1)
        rc = take_lease(run, body, gen, &taking->leases[run - taking->o->runs],
                        &err);
    else
        snprintf(run->journal, sizeof(run->journal), "%s",
                 json_str(body, "kind", ""));
    if (body != NULL)
        json_object_put(body);
    return rc;
}

int overview_take_runs(struct overview *o, const struct peer_reply *reply,
                       struct overview_lease **leases)
{
    struct taking taking = {.o = o};
    const char *section;
    size_t len;

    *leases = NULL;
    if (find_runs(o, reply) != 0)
        return -1;
    *leases = taking.leases = calloc(o->n + 1, sizeof(**leases));
    if (taking.leases == NULL)
        return -1;
    section = peer_section(reply, "texts", &len);
    if (section != NULL && overview_each_file(section, len, take_meta, o) != 0)
        return -1;
    section = peer_section(reply, "records", &len);
    if (section != NULL &&
        overview_each_file(section, len, take_record, &taking) != 0)
        return -1;
    return 0;
}

void overview_leases_free(struct overview_lease *leases, size_t n)
{
    size_t i;

    for (i = 0; leases != NULL && i < n; i++)
        lease_free(&leases[i].lease);
    free(leases);
}

/* --- progress ------------------------------------------------------------ */

/* The checkpoint's own time. */
static int64_t time_of(struct json_object *event)
{
    return json_int(event, "time", 0) - json_int(event, "age", 0);
}

/* A checkpoint that makes sense: another cluster's numbers are not trusted. */
static bool is_progress(struct json_object *event)
{
    static const int64_t most = INT64_C(1) << 60;
    int64_t time = json_int(event, "time", -1);
    int64_t age = json_int(event, "age", 0);
    int64_t step = json_int(event, "step", -1);

    return strcmp(json_str(event, "event", ""), "progress") == 0 && time >= 0 &&
           time < most && age >= 0 && age < most && step >= 0;
}

/* Lines of one writer: its first checkpoint, then its last ones. */
static struct json_object *parse_events(const char *text, size_t len)
{
    struct json_object *events = json_object_new_array();
    const char *at = text, *end = text + len;

    while (events != NULL && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        struct json_object *event;

        if (stop == NULL)
            stop = end;
        event = json_parse(at, (size_t)(stop - at), "a line", NULL);
        if (event != NULL && is_progress(event))
            json_object_array_add(events, event);
        else if (event != NULL)
            json_object_put(event);
        at = stop + 1;
    }
    return events;
}

static void measure(struct overview_run *run, struct json_object *events)
{
    size_t n = json_object_array_length(events);
    struct json_object *first = json_object_array_get_idx(events, 0);
    struct json_object *last = json_object_array_get_idx(events, n - 1);
    int64_t steps = json_int(last, "step", 0) - json_int(first, "step", 0);
    int64_t seconds = time_of(last) - time_of(first);

    run->rate = -1;
    run->interval = 0;
    if (steps > 0 && seconds > 0)
        run->rate = (double)steps / (double)seconds;
    /* The first one stands apart from the last ones, which follow. */
    if (n > 2)
        json_object_array_del_idx(events, 0, 1);
    run->interval = history_interval(events);
}

/* .relay/HASH/history/NONCE.jsonl. The writer that holds the lease, else the
 * newest, which comes first. */
static int take_progress(void *arg, const char *path, size_t path_len,
                         const char *text, size_t len)
{
    struct taking *taking = arg;
    struct overview_run *run;
    struct json_object *events;
    const char *nonce;
    char hash[41];
    size_t at = sizeof(RECORDS) - 1 + 40 + sizeof("/history/") - 1;
    bool owner;

    if (!hash_in(path, path_len, RECORDS, hash) ||
        (run = overview_run_find(taking->o, hash)) == NULL)
        return 0;
    nonce = taking->leases[run - taking->o->runs].lease.owner.nonce;
    owner = nonce[0] != '\0' && path_len > at + strlen(nonce) &&
            memcmp(path + at, nonce, strlen(nonce)) == 0;
    if (!owner && (run->rate >= 0 || run->interval > 0))
        return 0;
    events = parse_events(text, len);
    if (events == NULL)
        return -1;
    if (json_object_array_length(events) > 0)
        measure(run, events);
    json_object_put(events);
    return 0;
}

int overview_take_progress(struct overview *o, const struct peer_reply *reply,
                           const struct overview_lease *leases)
{
    struct taking taking = {.o = o, .leases = (struct overview_lease *)leases};
    size_t len;
    const char *section = peer_section(reply, "progress", &len);

    return section == NULL
               ? 0
               : overview_each_file(section, len, take_progress, &taking);
}
