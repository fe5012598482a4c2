/* One look at a cluster (overview.h): asking, and putting together. */
#include "overview.h"

#include <fnmatch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "digest.h"
#include "overview_int.h"
#include "remote_scripts.h"
#include "report.h"

enum { DEADLINE_MS = 15000 };

/* --- which job is whose -------------------------------------------------- */

/* Its comment is the run's key, or its name or comment the run's name. */
static bool is_called(const struct overview_job *job,
                      const struct overview_run *run)
{
    if (run->name != NULL && (strcmp(job->name, run->name) == 0 ||
                              strcmp(job->comment, run->name) == 0))
        return true;
    return run->key != NULL && (strcmp(job->comment, run->key) == 0 ||
                                strcmp(job->name, run->key) == 0);
}

static const struct overview_job *owner_of(const struct overview *o,
                                           const struct overview_run *run)
{
    if (run->owner_job[0] == '\0' ||
        (run->owner_cluster[0] != '\0' &&
         strcmp(run->owner_cluster, o->cluster) != 0))
        return NULL;
    return overview_job_find(o, run->owner_job);
}

/* A job in the order of the names it goes by. */
struct called {
    const char *name;
    const struct overview_job *job;
};

static int by_called(const void *a, const void *b)
{
    return strcmp(((const struct called *)a)->name,
                  ((const struct called *)b)->name);
}

static size_t list_called(const struct overview *o, const bool *taken,
                          struct called *called)
{
    size_t i, n = 0;

    for (i = 0; i < o->njobs; i++) {
        const struct overview_job *job = &o->jobs[i];

        if (taken[i])
            continue;
        called[n++] = (struct called){job->name, job};
        if (job->comment[0] != '\0' && strcmp(job->comment, job->name) != 0)
            called[n++] = (struct called){job->comment, job};
    }
    if (n > 0)
        qsort(called, n, sizeof(*called), by_called);
    return n;
}

/* The one job that is called name: NULL for none, and *many for several. */
static const struct overview_job *
only_called(const struct called *called, size_t n, const char *name, bool *many)
{
    struct called want = {name, NULL};
    struct called *hit =
        name != NULL && n > 0
            ? bsearch(&want, called, n, sizeof(want), by_called)
            : NULL;
    size_t at;

    if (hit == NULL)
        return NULL;
    at = (size_t)(hit - called);
    if ((at > 0 && strcmp(called[at - 1].name, name) == 0) ||
        (at + 1 < n && strcmp(called[at + 1].name, name) == 0)) {
        *many = true;
        return NULL;
    }
    return hit->job;
}

/* Runs that no lease gives a job to, by the one job called like them; a job
 * that two runs could have is nobody's. */
static void match_names(struct overview *o, const struct called *called,
                        size_t n, struct overview_run **has)
{
    size_t i;

    for (i = 0; i < o->n; i++) {
        struct overview_run *run = &o->runs[i];
        const struct overview_job *named, *keyed;
        struct overview_run **slot;
        bool many = false;

        if (run->job != NULL || run->stub || run->owner_job[0] != '\0')
            continue;
        named = only_called(called, n, run->name, &many);
        keyed = only_called(called, n, run->key, &many);
        if (many || (named != NULL && keyed != NULL && named != keyed) ||
            (named == NULL && keyed == NULL))
            continue;
        run->job = keyed != NULL ? keyed : named;
        slot = &has[run->job - o->jobs];
        if (*slot != NULL && is_called(run->job, *slot))
            run->job = (*slot)->job = NULL;
        else
            *slot = run;
    }
}

static int match_jobs(struct overview *o)
{
    bool *taken = calloc(o->njobs + 1, sizeof(*taken));
    struct called *called = calloc(o->njobs * 2 + 1, sizeof(*called));
    struct overview_run **has = calloc(o->njobs + 1, sizeof(*has));
    int rc = taken != NULL && called != NULL && has != NULL ? 0 : -1;
    size_t i;

    for (i = 0; rc == 0 && i < o->n; i++) {
        o->runs[i].job = owner_of(o, &o->runs[i]);
        if (o->runs[i].job != NULL)
            taken[o->runs[i].job - o->jobs] = true;
    }
    if (rc == 0)
        match_names(o, called, list_called(o, taken, called), has);
    free(taken);
    free(called);
    free(has);
    return rc;
}

/* --- states -------------------------------------------------------------- */

static enum seen seen_job(const struct overview_job *job)
{
    if (job == NULL)
        return SEEN_GONE;
    return strcmp(job->state, "PENDING") == 0 ? SEEN_PENDING : SEEN_RUNNING;
}

static enum seen seen_owner(const struct overview *o, const struct owner *own)
{
    if (own->cluster[0] == '\0')
        return SEEN_NOBODY;
    if (strcmp(own->cluster, o->cluster) != 0)
        return SEEN_UNKNOWN;
    if (own->job_id[0] != '\0')
        return o->slurm ? seen_job(overview_job_find(o, own->job_id))
                        : SEEN_UNKNOWN;
    return o->local ? report_seen_process(own) : SEEN_UNKNOWN;
}

static void judge(const struct overview *o, struct overview_run *run,
                  const struct overview_lease *lease)
{
    struct report_facts f = {
        .lease = run->lease,
        .moving = run->moving,
        .in_flight = strcmp(run->journal, "STOPPING") == 0 ||
                     strcmp(run->journal, "SOURCE_STOPPED") == 0,
        .has_state = run->age >= 0,
        .stub = run->stub,
        .completed = run->completed,
        .cause = run->cause,
        .named = SEEN_NOBODY,
    };

    if (lease_held(&lease->lease)) {
        f.owner = seen_owner(o, &lease->lease.owner);
    } else if (run->lease == LEASE_FENCE) {
        f.fenced = seen_owner(o, &lease->fenced);
        f.fence_young = lease->lease.time > 0 &&
                        o->now - lease->lease.time < REPORT_FENCE_YOUNG_S;
    } else if (run->job != NULL) {
        f.named = seen_job(run->job);
        snprintf(run->owner, sizeof(run->owner), "job %s on %s (by its name)",
                 run->job->id, o->cluster);
    }
    run->state = report_state(&f);
    /* Of a record that cannot be read nothing follows. */
    if (run->trouble[0] != '\0')
        run->state = RUN_UNKNOWN;
}

static bool is_running(const struct overview_run *run)
{
    return run->job != NULL && strcmp(run->job->state, "RUNNING") == 0;
}

/* The output's rate counts from the job's start: it is never too fast, unless
 * the job was restarted, which may have left another run's lines there. */
static void measure_by_log(struct overview_run *run)
{
    const struct overview_job *job = run->job;

    if (run->total < 0)
        run->total = job->log_total;
    if (run->rate >= 0 || job->restarts != 0 || job->log_first < 0 ||
        job->log_step <= job->log_first || job->log_time <= job->start)
        return;
    run->rate = (double)(job->log_step - job->log_first) /
                (double)(job->log_time - job->start);
    run->rate_by_log = true;
}

/* A job that has just begun goes on from an old checkpoint. */
static bool is_stale(const struct overview_run *run, int64_t now)
{
    int64_t age = run->age;

    if (run->job->start > 0 && now - run->job->start < age)
        age = now - run->job->start;
    return run->interval > 0 && age > 3 * run->interval;
}

void overview_judge(struct overview *o, const struct overview_lease *leases)
{
    size_t i;

    for (i = 0; i < o->n; i++) {
        struct overview_run *run = &o->runs[i];

        judge(o, run, &leases[i]);
        if (!is_running(run))
            continue;
        measure_by_log(run);
        run->stale = is_stale(run, o->now);
    }
}

int64_t overview_eta(const struct overview_run *run)
{
    int64_t step = run->step;
    double seconds;

    if (!is_running(run) || run->rate <= 0 || run->total < 0)
        return -1;
    /* The output is ahead of the checkpoint. */
    if (run->job->log_step > step && run->job->log_step <= run->total)
        step = run->job->log_step;
    if (step < 0)
        return -1;
    if (step >= run->total)
        return 0;
    seconds = (double)(run->total - step) / run->rate;
    return seconds < 1e15 ? (int64_t)seconds : -1;
}

/* --- putting together ---------------------------------------------------- */

static bool fits(const struct overview_run *run, const char *pattern)
{
    if (run->age < 0 && run->lease == LEASE_NONE && run->journal[0] == '\0' &&
        run->trouble[0] == '\0')
        return false;
    if (pattern == NULL)
        return true;
    return fnmatch(pattern, run->name != NULL ? run->name : "", 0) == 0 ||
           (run->key != NULL && fnmatch(pattern, run->key, 0) == 0) ||
           fnmatch(pattern, run->hash, 0) == 0;
}

static int by_name(const void *a, const void *b)
{
    const struct overview_run *x = a, *y = b;
    int order;

    if (x->name == NULL || y->name == NULL)
        order = (x->name == NULL) - (y->name == NULL);
    else
        order = strcmp(x->name, y->name);
    return order != 0 ? order : strcmp(x->hash, y->hash);
}

static void choose(struct overview *o, const char *pattern)
{
    size_t i, n = 0;

    for (i = 0; i < o->n; i++) {
        if (fits(&o->runs[i], pattern)) {
            o->runs[n++] = o->runs[i];
            continue;
        }
        free(o->runs[i].name);
        free(o->runs[i].key);
    }
    o->n = n;
    if (n > 0)
        qsort(o->runs, n, sizeof(*o->runs), by_name);
}

int overview_take(struct overview *o, const struct peer_reply *reply,
                  const char *pattern, struct relay_error *err)
{
    struct overview_lease *leases = NULL;
    char root[sizeof(o->root)] = "";
    size_t n = 0;
    int rc = 0;

    o->now = peer_int(reply, "now", 0);
    if (o->now < 0)
        o->now = 0;
    peer_value(reply, "root", root, sizeof(root));
    snprintf(o->root, sizeof(o->root), "%s", root);
    o->answered = !peer_value(reply, "problem", o->why, sizeof(o->why));
    if (overview_take_jobs(o, reply) != 0 ||
        overview_take_runs(o, reply, &leases) != 0 ||
        overview_take_progress(o, reply, leases) != 0 || match_jobs(o) != 0) {
        rc = relay_fail(err, EX_OSERR, "out of memory");
    } else {
        overview_judge(o, leases);
        n = o->n;
        choose(o, pattern);
    }
    overview_leases_free(leases, rc == 0 ? n : o->n);
    return rc;
}

/* --- asking -------------------------------------------------------------- */

/* The longest part of the pattern that a run's meta or records hold as it is,
 * whatever else fits; "" when there is none: JSON may spell other characters
 * in another way, and the hash is in no file. */
static void literal_of(const char *pattern, char *literal, size_t size)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const char *best = "";
    size_t len = 0;

    literal[0] = '\0';
    if (pattern == NULL || strpbrk(pattern, "[\\") != NULL)
        return;
    while (*pattern != '\0') {
        size_t n = strspn(pattern, plain);

        if (n > len && strspn(pattern, "0123456789abcdef") < n) {
            best = pattern;
            len = n;
        }
        pattern += n > 0 ? n : 1;
    }
    if (len < size)
        snprintf(literal, size, "%.*s", (int)len, best);
}

static char *root_there(const struct peer *peer,
                        const struct overview_want *want,
                        struct relay_error *err)
{
    const struct config_names names = {0};
    char *root;

    if (peer->local && want->root != NULL) {
        root = strdup(want->root);
        if (root == NULL)
            relay_fail(err, EX_OSERR, "out of memory");
        return root;
    }
    if (peer->cluster == NULL || peer->cluster->resume_root == NULL) {
        relay_fail(err, EX_CONFIG, "clusters.%s.resume_root is not configured",
                   peer->name);
        return NULL;
    }
    return config_path_for_peer(peer->cluster->resume_root, &names, err);
}

/* 0 with a reply; -1 with why there is none. */
static int ask(const struct config *cfg, const char *cluster,
               const struct overview_want *want, struct peer_reply *reply,
               struct relay_error *err)
{
    int64_t deadline = want->deadline_ms > 0 ? want->deadline_ms : DEADLINE_MS;
    char literal[256], dir[4096];
    const char *args[] = {NULL, dir, literal, NULL};
    struct peer peer;
    char *root;
    int rc;

    if (peer_open(cfg, cluster, &peer, err) != 0 ||
        (root = root_there(&peer, want, err)) == NULL)
        return -1;
    if (getcwd(dir, sizeof(dir)) == NULL)
        snprintf(dir, sizeof(dir), "/");
    literal_of(want->pattern, literal, sizeof(literal));
    args[0] = root;
    rc = peer_script(&peer, remote_runs, args, deadline, reply, err);
    free(root);
    if (rc == 0 && reply->exit_code != 0) {
        rc = relay_fail(err, EX_UNAVAILABLE,
                        "%s: listing the runs failed there (%d): %s", cluster,
                        reply->exit_code, reply->err);
        peer_reply_free(reply);
    }
    return rc;
}

int overview_look(const struct config *cfg, const char *cluster,
                  const struct overview_want *want, struct overview *o,
                  struct relay_error *err)
{
    struct peer_reply reply = {0};
    struct relay_error why = {0};
    int rc;

    memset(o, 0, sizeof(*o));
    snprintf(o->cluster, sizeof(o->cluster), "%s", cluster);
    o->local = cfg->cluster != NULL && strcmp(cfg->cluster, cluster) == 0;
    if (ask(cfg, cluster, want, &reply, &why) != 0) {
        snprintf(o->why, sizeof(o->why), "%.399s", why.text);
        if (why.code != EX_CONFIG && why.code != EX_OSERR)
            return 0;
        return relay_fail(err, why.code, "%s", why.text);
    }
    rc = overview_take(o, &reply, want->pattern, err);
    peer_reply_free(&reply);
    return rc;
}

/* --- all of them --------------------------------------------------------- */

struct looking {
    pthread_t thread;
    bool started;
    const struct config *cfg;
    const char *cluster;
    const struct overview_want *want;
    struct overview *o;
    struct relay_error err;
    int rc;
};

static void *look_at_one(void *arg)
{
    struct looking *l = arg;

    l->rc = overview_look(l->cfg, l->cluster, l->want, l->o, &l->err);
    return NULL;
}

static size_t list_clusters(const struct config *cfg,
                            const struct overview_want *want,
                            struct looking *looks, struct overview *list)
{
    size_t i, n = 0;

    if (cfg->cluster != NULL)
        looks[n++].cluster = cfg->cluster;
    for (i = 0; i < cfg->nclusters; i++) {
        const struct config_cluster *c = &cfg->clusters[i];

        if ((cfg->cluster == NULL || strcmp(c->name, cfg->cluster) != 0) &&
            c->ssh != NULL && c->reach != REACH_NONE)
            looks[n++].cluster = c->name;
    }
    for (i = 0; i < n; i++) {
        looks[i].cfg = cfg;
        looks[i].want = want;
        looks[i].o = &list[i];
    }
    return n;
}

int overview_look_all(const struct config *cfg,
                      const struct overview_want *want, struct overview **list,
                      size_t *n, struct relay_error *err)
{
    struct looking *looks = calloc(cfg->nclusters + 1, sizeof(*looks));
    int rc = 0;
    size_t i;

    *n = 0;
    *list = calloc(cfg->nclusters + 1, sizeof(**list));
    if (looks == NULL || *list == NULL) {
        free(looks);
        return relay_fail(err, EX_OSERR, "out of memory");
    }
    *n = list_clusters(cfg, want, looks, *list);
    for (i = 1; i < *n; i++)
        looks[i].started =
            pthread_create(&looks[i].thread, NULL, look_at_one, &looks[i]) == 0;
    for (i = 0; i < *n; i++) {
        if (!looks[i].started)
            look_at_one(&looks[i]);
    }
    for (i = 0; i < *n; i++) {
        if (looks[i].started)
            pthread_join(looks[i].thread, NULL);
        if (looks[i].rc != 0 && looks[i].err.code == EX_OSERR)
            rc = relay_fail(err, EX_OSERR, "%s", looks[i].err.text);
    }
    free(looks);
    return rc;
}

void overview_free_all(struct overview *list, size_t n)
{
    size_t i;

    for (i = 0; list != NULL && i < n; i++)
        overview_free(&list[i]);
    free(list);
}
