#define _GNU_SOURCE 1
#include "reply.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "jsonfile.h"
#include "tracker/tag.h"

enum { MAX_TAGS = 1000 };

char *tame_copy(const char *s)
{
    char *copy = s != NULL ? strdup(s) : NULL;
    char *c;

    for (c = copy; c != NULL && *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    }
    return copy;
}

/* "+02:00", "-0530", "Z", ".123456Z" */
static int64_t offset_of(const char *s)
{
    int sign, hours, minutes;

    while (*s == '.' || (*s >= '0' && *s <= '9'))
        s++;
    if (*s != '+' && *s != '-')
        return 0;
    sign = *s == '-' ? -1 : 1;
    if (sscanf(s + 1, "%2d:%2d", &hours, &minutes) != 2 &&
        sscanf(s + 1, "%2d%2d", &hours, &minutes) != 2)
        return 0;
    return sign * ((int64_t)hours * 3600 + (int64_t)minutes * 60);
}

int64_t reply_time(const char *text)
{
    struct tm tm = {0};
    const char *rest;
    int64_t when;

    if (text == NULL)
        return -1;
    rest = strptime(text, "%Y-%m-%d", &tm);
    if (rest == NULL)
        return -1;
    if (*rest == 'T' || *rest == ' ') {
        rest = strptime(rest + 1, "%H:%M:%S", &tm);
        if (rest == NULL)
            return -1;
    }
    when = (int64_t)timegm(&tm) - offset_of(rest);
    return when >= 0 ? when : -1;
}

/* By the server's clock; never negative but for -1. */
static int64_t seconds_since(struct json_object *node, const char *name,
                             int64_t now)
{
    int64_t when = reply_time(json_str(node, name, NULL));

    if (when < 0 || now < 0)
        return -1;
    return now > when ? now - when : 0;
}

static int put_tags(struct json_object *tags, struct tracker_run *run)
{
    size_t n, i;

    if (!json_object_is_type(tags, json_type_array))
        return 0;
    n = json_object_array_length(tags);
    n = n < MAX_TAGS ? n : MAX_TAGS;
    run->tags = calloc(n + 1, sizeof(*run->tags));
    if (run->tags == NULL)
        return -1;
    for (i = 0; i < n; i++) {
        struct json_object *tag = json_object_array_get_idx(tags, i);
        char *copy;

        if (!json_object_is_type(tag, json_type_string))
            continue;
        copy = tame_copy(json_object_get_string(tag));
        if (copy == NULL)
            return -1;
        run->tags[run->ntags++] = copy;
    }
    return tag_read(run);
}

static int put_text(struct json_object *node, const char *name, char **slot)
{
    const char *value = json_str(node, name, NULL);

    *slot = tame_copy(value);
    return value == NULL || *slot != NULL ? 0 : -1;
}

int reply_run(struct json_object *node, int64_t now, struct tracker_run *run)
{
    memset(run, 0, sizeof(*run));
    run->exists = true;
    if (put_text(node, "name", &run->id) != 0 || run->id == NULL ||
        put_text(node, "id", &run->storage_id) != 0 ||
        put_text(node, "displayName", &run->name) != 0 ||
        put_text(node, "state", &run->state) != 0 ||
        put_text(node, "group", &run->group) != 0 ||
        put_tags(json_get(node, "tags"), run) != 0) {
        run_free(run);
        return -1;
    }
    run->life = tracker_life_of(run->state);
    run->finished = run->state != NULL && strcmp(run->state, "finished") == 0;
    run->age = seconds_since(node, "createdAt", now);
    run->quiet = seconds_since(node, "heartbeatAt", now);
    run->history = json_int(node, "historyLineCount", -1);
    return 0;
}

void run_free(struct tracker_run *run)
{
    size_t i;

    for (i = 0; i < run->ntags; i++)
        free(run->tags[i]);
    free(run->tags);
    free(run->id);
    free(run->storage_id);
    free(run->name);
    free(run->state);
    free(run->group);
    free(run->cluster);
    free(run->job);
    free(run->nonce);
    memset(run, 0, sizeof(*run));
}

void tracker_runs_free(struct tracker_runs *runs)
{
    size_t i;

    for (i = 0; i < runs->n; i++)
        run_free(&runs->runs[i]);
    free(runs->runs);
    memset(runs, 0, sizeof(*runs));
}

struct tracker_run *runs_find(const struct tracker_runs *runs, const char *id)
{
    size_t i;

    for (i = 0; i < runs->n; i++) {
        if (runs->runs[i].id != NULL && strcmp(runs->runs[i].id, id) == 0)
            return &runs->runs[i];
    }
    return NULL;
}

int runs_add(struct tracker_runs *runs, struct tracker_run *run)
{
    struct tracker_run *more;

    if ((runs->n & (runs->n - 1)) == 0) { /* 0, 1, 2, 4, 8, ... */
        size_t room = runs->n > 0 ? runs->n * 2 : 1;

        more = realloc(runs->runs, room * sizeof(*more));
        if (more == NULL)
            return -1;
        runs->runs = more;
    }
    runs->runs[runs->n++] = *run;
    memset(run, 0, sizeof(*run));
    return 0;
}

static int read_edges(struct json_object *edges, int64_t now,
                      struct page *page)
{
    size_t n, i;

    if (!json_object_is_type(edges, json_type_array)) {
        page->runs.whole = false;
        return 0;
    }
    n = json_object_array_length(edges);
    for (i = 0; i < n; i++) {
        struct json_object *edge = json_object_array_get_idx(edges, i);
        struct json_object *node = json_get(edge, "node");
        struct tracker_run run;

        if (json_str(node, "name", NULL) == NULL) {
            page->runs.whole = false;
        } else if (reply_run(node, now, &run) != 0 ||
                   runs_add(&page->runs, &run) != 0) {
            run_free(&run);
            return -1;
        }
    }
    return 0;
}

int reply_page(struct json_object *data, int64_t now, struct page *page)
{
    struct json_object *project = json_get(data, "project");
    struct json_object *runs = json_get(project, "runs");
    struct json_object *info = json_get(runs, "pageInfo");

    memset(page, 0, sizeof(*page));
    page->runs.whole = true;
    page->runs.project = json_object_is_type(project, json_type_object);
    page->runs.read_only = json_flag(project, "readOnly", false);
    page->count = json_int(project, "runCount", -1);
    if (!page->runs.project)
        return 0;
    if (read_edges(json_get(runs, "edges"), now, page) != 0)
        return -1;
    if (!json_flag(info, "hasNextPage", false) ||
        json_str(info, "endCursor", NULL) == NULL)
        return 0;
    page->more = true;
    page->cursor = strdup(json_str(info, "endCursor", ""));
    return page->cursor != NULL ? 0 : -1;
}

void page_free(struct page *page)
{
    tracker_runs_free(&page->runs);
    free(page->cursor);
    page->cursor = NULL;
}

const char *reply_upsert(struct json_object *data, bool *inserted)
{
    struct json_object *upsert = json_get(data, "upsertBucket");

    *inserted = json_flag(upsert, "inserted", false);
    return json_str(json_get(upsert, "bucket"), "id", NULL);
}

bool reply_says_deleted(const char *text)
{
    return strstr(text, "previously created and deleted") != NULL;
}

bool reply_says_duplicate(const char *text)
{
    return strstr(text, "Duplicate entry") != NULL;
}

static const struct {
    const char *state;
    enum tracker_life life;
} states[] = {
    {"running", TRACKER_ALIVE}, {"pending", TRACKER_ALIVE},
    {"preempting", TRACKER_ALIVE}, {"finished", TRACKER_DEAD},
    {"failed", TRACKER_DEAD}, {"killed", TRACKER_DEAD},
    {"preempted", TRACKER_DEAD}, {"crashed", TRACKER_UNKNOWN},
};

enum tracker_life tracker_life_of(const char *state)
{
    size_t i;

    for (i = 0; state != NULL && i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(states[i].state, state) == 0)
            return states[i].life;
    }
    return TRACKER_UNKNOWN;
}

const char *tracker_life_name(enum tracker_life life)
{
    return life == TRACKER_ALIVE  ? "alive"
           : life == TRACKER_DEAD ? "dead"
                                  : "unknown";
}
