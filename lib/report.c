#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cause.h"
#include "clock.h"
#include "file.h"
#include "history.h"
#include "jsonfile.h"
#include "key.h"
#include "liveness.h"
#include "series.h"

enum { QUEUE_DEADLINE_MS = 5000 };

/* ---- who is seen where ------------------------------------------------ */

static enum seen seen_job(const struct job_entry *job)
{
    if (job == NULL)
        return SEEN_GONE;
    return strcmp(job->state, "PENDING") == 0 ? SEEN_PENDING : SEEN_RUNNING;
}

enum seen report_seen_process(const struct owner *own)
{
    struct job_facts none;
    char why[256];

    memset(&none, 0, sizeof(none));
    none.processes = -1;
    none.requeue = -1;
    switch (liveness_judge(own, NULL, &none, why, sizeof(why))) {
    case ALIVE_YES:
        return SEEN_RUNNING;
    case ALIVE_DEAD:
        return SEEN_DEAD;
    case ALIVE_UNKNOWN:
        break;
    }
    return SEEN_UNKNOWN;
}

static enum seen seen_owner(const struct owner *own, const char *cluster,
                            const struct job_list *jobs)
{
    if (own->cluster[0] == '\0')
        return SEEN_NOBODY;
    if (strcmp(own->cluster, cluster) != 0)
        return SEEN_UNKNOWN;
    if (own->job_id[0] != '\0')
        return jobs->answered ? seen_job(jobs_find(jobs, own->job_id))
                              : SEEN_UNKNOWN;
    return report_seen_process(own);
}

/* ---- our records ------------------------------------------------------ */

/* Is there a handoff journal? One look at the names costs less, on a network
 * file system, than asking for each record of a series that is not there. */
static bool has_journal(int relayfd)
{
    DIR *dir = file_list(relayfd);
    struct dirent *ent;
    bool found = false;

    if (dir == NULL)
        return true; /* let who reads it say what is wrong */
    while (!found && (ent = readdir(dir)) != NULL)
        found = strncmp(ent->d_name, "handoff.", 8) == 0;
    closedir(dir);
    return found;
}

static int read_journal(int relayfd, char *kind, size_t size,
                        struct relay_error *err)
{
    struct series_record rec;

    if (!has_journal(relayfd))
        return 0;
    if (series_last(relayfd, "handoff", &rec, err) != 0)
        return -1;
    if (rec.gen > 0)
        snprintf(kind, size, "%s", json_str(rec.body, "kind", ""));
    series_free(&rec);
    return 0;
}

/* The cause of a release: in the record, else found later by a reader. */
static int read_cause(int relayfd, struct report *r, struct relay_error *err)
{
    struct json_object *events = NULL;

    snprintf(r->cause, sizeof(r->cause), "%s",
             cause_recorded(&r->lease, NULL));
    if (strcmp(r->cause, CAUSE_UNRESOLVED) != 0)
        return 0;
    events = history_read(relayfd, err);
    if (events == NULL)
        return -1;
    snprintf(r->cause, sizeof(r->cause), "%s",
             cause_recorded(&r->lease, events));
    json_object_put(events);
    return 0;
}

/* A run without a state has its name in our records alone. */
static void take_key(struct report *r)
{
    const char *key = json_str(r->lease.body, "key", NULL);
    const char *name;

    if (key == NULL || key_check(key, NULL) != 0)
        return;
    if (r->key == NULL)
        r->key = strdup(key);
    name = key_run_name(key);
    if (r->name == NULL && name != NULL)
        r->name = strdup(name);
}

/* The journal says something here unless somebody runs: a claim that is
 * running needs no second look, which keeps a listing short. */
static int read_records(int relayfd, struct report *r,
                        struct relay_error *err)
{
    if (lease_read(relayfd, &r->lease, err) != 0)
        return -1;
    r->records = true;
    take_key(r);
    if ((!lease_held(&r->lease) || r->lease.moving) &&
        read_journal(relayfd, r->journal, sizeof(r->journal), err) != 0)
        return -1;
    if (r->lease.kind == LEASE_RELEASE)
        return read_cause(relayfd, r, err);
    return 0;
}

static int open_records(int rootfd, struct report *r, struct relay_error *err)
{
    char path[64];
    int relayfd;
    int status;

    snprintf(path, sizeof(path), ".relay/%s", r->hash);
    relayfd = rootfd < 0 ? -1
                         : openat(rootfd, path, O_RDONLY | O_DIRECTORY |
                                                    O_NOFOLLOW | O_CLOEXEC);
    if (relayfd < 0)
        return 0; /* none, or another user's: then nothing is known of it */
    status = read_records(relayfd, r, err);
    close(relayfd);
    return status == 0 ? 0 : relay_fail_in(err, "%s", path);
}

/* ---- one run ---------------------------------------------------------- */

static void take_entry(const struct run_entry *entry, struct report *r)
{
    memset(r, 0, sizeof(*r));
    snprintf(r->hash, sizeof(r->hash), "%s", entry->hash);
    r->name = entry->name != NULL ? strdup(entry->name) : NULL;
    r->key = entry->key != NULL ? strdup(entry->key) : NULL;
    r->step = entry->step;
    r->saved = entry->mtime;
    r->completed = entry->completed;
    r->stub = entry->stub;
    snprintf(r->moved_to, sizeof(r->moved_to), "%s", entry->moved_to);
    r->lease.step = -1;
}

static void describe_job(const struct job_entry *job, const char *cluster,
                         char *text, size_t size)
{
    snprintf(text, size, "job %s on %s (by its name)", job->id, cluster);
}

void report_judge(struct report *r, const char *cluster,
                  const struct job_list *jobs)
{
    const struct job_entry *named =
        r->name != NULL ? jobs_named(jobs, r->name) : NULL;
    struct owner fenced;
    struct report_facts f = {
        .lease = r->lease.kind,
        .moving = r->lease.moving,
        .in_flight = strcmp(r->journal, "STOPPING") == 0 ||
                     strcmp(r->journal, "SOURCE_STOPPED") == 0,
        .has_state = r->saved != 0,
        .stub = r->stub,
        .completed = r->completed,
        .cause = r->cause,
    };

    memset(&fenced, 0, sizeof(fenced));
    f.named = named != NULL ? seen_job(named) : SEEN_NOBODY;
    if (lease_held(&r->lease)) {
        f.owner = seen_owner(&r->lease.owner, cluster, jobs);
        owner_describe(&r->lease.owner, r->owner, sizeof(r->owner));
    } else if (r->lease.kind == LEASE_FENCE) {
        owner_from_json(json_get(r->lease.body, "fenced"), "", &fenced);
        f.fenced = seen_owner(&fenced, cluster, jobs);
        f.fence_young = clock_wall() - r->lease.time < REPORT_FENCE_YOUNG_S;
        snprintf(r->moved_to, sizeof(r->moved_to), "%s", r->lease.moved_to);
        if (fenced.cluster[0] != '\0' && !r->stub)
            owner_describe(&fenced, r->owner, sizeof(r->owner));
    } else if (named != NULL) {
        describe_job(named, cluster, r->owner, sizeof(r->owner));
    }
    r->state = report_state(&f);
}

void report_one(int rootfd, const struct run_entry *entry, const char *cluster,
                const struct job_list *jobs, struct report *report)
{
    struct relay_error err = {0};

    take_entry(entry, report);
    if (open_records(rootfd, report, &err) == 0) {
        report_judge(report, cluster, jobs);
        return;
    }
    report->state = RUN_UNKNOWN;
    snprintf(report->trouble, sizeof(report->trouble), "%.299s", err.text);
}

void report_free(struct report *report)
{
    free(report->name);
    free(report->key);
    lease_free(&report->lease);
    memset(report, 0, sizeof(*report));
}

/* ---- all runs --------------------------------------------------------- */

/* The hashes that .relay has directories for, sorted. */
struct recorded {
    struct recorded_hash {
        char hash[41];
        bool listed; /* it has a state directory too */
    } *names;
    size_t n;
};

static int by_hash(const void *a, const void *b)
{
    return strcmp(((const struct recorded_hash *)a)->hash,
                  ((const struct recorded_hash *)b)->hash);
}

static int read_names(DIR *dir, struct recorded *rec)
{
    struct recorded_hash *grown;
    struct dirent *ent;
    size_t room = 0;

    while ((ent = readdir(dir)) != NULL) {
        if (!key_is_hash(ent->d_name))
            continue;
        if (rec->n == room) {
            room = room == 0 ? 256 : room * 2;
            grown = realloc(rec->names, room * sizeof(*grown));
            if (grown == NULL)
                return -1;
            rec->names = grown;
        }
        grown = &rec->names[rec->n++];
        grown->listed = false;
        snprintf(grown->hash, sizeof(grown->hash), "%.40s", ent->d_name);
    }
    if (rec->n > 0)
        qsort(rec->names, rec->n, sizeof(*rec->names), by_hash);
    return 0;
}

static int find_recorded(int rootfd, struct recorded *rec,
                         struct relay_error *err)
{
    int fd = openat(rootfd, ".relay", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    int status;

    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return 0; /* no records of ours */
    }
    status = read_names(dir, rec);
    closedir(dir);
    return status == 0 ? 0 : relay_fail(err, EX_OSERR, "out of memory");
}

static bool is_recorded(struct recorded *rec, const char *hash)
{
    struct recorded_hash want = {.listed = false};
    struct recorded_hash *found;

    if (rec->n == 0)
        return false;
    snprintf(want.hash, sizeof(want.hash), "%s", hash);
    found = bsearch(&want, rec->names, rec->n, sizeof(want), by_hash);
    if (found != NULL)
        found->listed = true;
    return found != NULL;
}

/* Runs with a state directory, as runs_list found them. */
static void report_listed(int rootfd, const struct run_list *runs,
                          const char *cluster, const struct job_list *jobs,
                          struct recorded *rec, struct report_list *list)
{
    size_t i;

    for (i = 0; i < runs->n; i++) {
        bool has = is_recorded(rec, runs->runs[i].hash);

        report_one(has ? rootfd : -1, &runs->runs[i], cluster, jobs,
                   &list->reports[list->n++]);
    }
}

/* Runs that have records here and no state: a handoff to here that has not
 * got so far or was cut off, or a job that waits for its first checkpoint. */
static void report_recorded(int rootfd, const char *cluster,
                            const struct job_list *jobs,
                            const struct recorded *rec,
                            struct report_list *list)
{
    struct run_entry entry;
    struct report *r;
    size_t i;

    for (i = 0; i < rec->n; i++) {
        if (rec->names[i].listed)
            continue;
        memset(&entry, 0, sizeof(entry));
        entry.step = -1;
        memcpy(entry.hash, rec->names[i].hash, sizeof(entry.hash));
        r = &list->reports[list->n++];
        report_one(rootfd, &entry, cluster, jobs, r);
        if (r->lease.kind == LEASE_NONE && r->journal[0] == '\0' &&
            r->trouble[0] == '\0')
            report_free(&list->reports[--list->n]);
    }
}

/* By name; runs that have none come last. */
static int by_name(const void *a, const void *b)
{
    const struct report *x = a;
    const struct report *y = b;
    int order;

    if (x->name == NULL || y->name == NULL)
        order = (x->name == NULL) - (y->name == NULL);
    else
        order = strcmp(x->name, y->name);
    return order != 0 ? order : strcmp(x->hash, y->hash);
}

static int report_below(int rootfd, const struct run_list *runs,
                        const char *cluster, struct report_list *list,
                        struct relay_error *err)
{
    struct recorded rec = {0};
    struct job_list jobs = {0};
    int status = find_recorded(rootfd, &rec, err);

    if (status == 0) {
        list->reports = calloc(runs->n + rec.n + 1, sizeof(*list->reports));
        if (list->reports == NULL)
            status = relay_fail(err, EX_OSERR, "out of memory");
    }
    if (status == 0 && runs->n + rec.n > 0)
        jobs_list(&jobs, QUEUE_DEADLINE_MS);
    list->queue_answered = jobs.answered;
    if (status == 0) {
        report_listed(rootfd, runs, cluster, &jobs, &rec, list);
        report_recorded(rootfd, cluster, &jobs, &rec, list);
        qsort(list->reports, list->n, sizeof(*list->reports), by_name);
    }
    jobs_free(&jobs);
    free(rec.names);
    return status;
}

int report_all(const char *root, const char *cluster, struct report_list *list,
               struct relay_error *err)
{
    struct run_list runs;
    int rootfd;
    int status;

    memset(list, 0, sizeof(*list));
    rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (rootfd < 0 && errno == ENOENT)
        return 0;
    if (rootfd < 0)
        return relay_fail_errno(err, EX_NOINPUT, "%s", root);
    status = runs_list(root, &runs, err);
    if (status == 0) {
        status = report_below(rootfd, &runs, cluster, list, err);
        runs_free(&runs);
    }
    close(rootfd);
    if (status != 0)
        report_list_free(list);
    return status;
}

void report_list_free(struct report_list *list)
{
    size_t i;

    for (i = 0; i < list->n; i++)
        report_free(&list->reports[i]);
    free(list->reports);
    memset(list, 0, sizeof(*list));
}

/* ---- JSON ------------------------------------------------------------- */

static void add_text(struct json_object *obj, const char *name,
                     const char *text)
{
    json_add_str(obj, name,
                 text != NULL && text[0] != '\0' ? text : NULL);
}

static void add_number(struct json_object *obj, const char *name,
                       int64_t value, int64_t none)
{
    json_object_object_add(obj, name,
                           value == none ? NULL
                                         : json_object_new_int64(value));
}

struct json_object *report_json(const struct report *r)
{
    struct json_object *obj = json_object_new_object();

    if (obj == NULL)
        return NULL;
    add_text(obj, "hash", r->hash);
    add_text(obj, "name", r->name);
    add_text(obj, "key", r->key);
    add_text(obj, "state", run_state_name(r->state));
    add_number(obj, "step", r->step, -1);
    add_number(obj, "saved", r->saved, 0);
    json_add_bool(obj, "completed", r->completed);
    add_text(obj, "owner", r->owner);
    add_text(obj, "lease", r->lease.kind == LEASE_NONE
                               ? NULL
                               : lease_kind_name(r->lease.kind));
    add_number(obj, "generation", r->lease.gen, 0);
    add_number(obj, "term", r->lease.term, 0);
    add_text(obj, "cause", r->cause);
    add_text(obj, "journal", r->journal);
    add_text(obj, "moved_to", r->moved_to);
    return obj;
}
