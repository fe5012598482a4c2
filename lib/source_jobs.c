/* Which of the user's jobs is the run's? */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "digest.h"
#include "slurmenv.h"
#include "source_script.h"

#define SEPARATOR '\037'
#define NFIELDS 11

/* One line of look.sh's section jobs; the texts are inside the copy of it. */
struct job {
    char *id;    /* 4711, 4711_7, or 4711_[8-9] for pending ones */
    char *raw;   /* 4713 */
    char *array; /* 4711 */
    char *state;
    int64_t submit;
    int64_t start;
    char *reason;
    char *dependency;
    char *comment;
    char *name;
    const char *tie; /* section tie: where its output goes, script, log */
    size_t tie_len;
};

/* What is decided upon. */
struct jobs {
    struct source *src;
    const char *name; /* the run's, NULL when unknown */
    char own[32];     /* our own job on this very cluster, "" elsewhere */
    int64_t meta_time;
    char *text;
    struct job *all;
    size_t n;
};

/* --- reading ------------------------------------------------------------- */

static void take_fields(struct jobs *jobs, char *line)
{
    char *field[NFIELDS];
    struct job *job = &jobs->all[jobs->n];
    size_t n = 0;

    for (field[n++] = line; n < NFIELDS; n++) {
        char *stop = strchr(field[n - 1], SEPARATOR);

        if (stop == NULL)
            return; /* no line of ours: a name with a newline */
        *stop = '\0';
        field[n] = stop + 1;
    }
    memset(job, 0, sizeof(*job));
    job->id = field[0];
    job->raw = field[1];
    job->array = field[2];
    job->state = field[3];
    job->submit = strtoll(field[4], NULL, 10); /* "N/A" is 0 */
    job->start = strtoll(field[5], NULL, 10);
    job->reason = field[6];
    job->dependency = field[7];
    job->comment = field[9];
    job->name = field[10];
    /* Our own job trains nothing yet. */
    if (jobs->own[0] == '\0' || strcmp(job->id, jobs->own) != 0)
        jobs->n++;
}

static int read_jobs(struct jobs *jobs, const struct peer_reply *reply,
                     struct relay_error *err)
{
    size_t len, i;
    const char *text = peer_section(reply, "jobs", &len);
    size_t lines = 1;
    char *line;

    if (text == NULL)
        return 0;
    for (i = 0; i < len; i++)
        lines += text[i] == '\n';
    jobs->text = strndup(text, len);
    jobs->all = calloc(lines, sizeof(*jobs->all));
    if (jobs->text == NULL || jobs->all == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    for (line = jobs->text; *line != '\0';) {
        char *stop = line + strcspn(line, "\n");
        bool last = *stop == '\0';

        *stop = '\0';
        take_fields(jobs, line);
        line = last ? stop : stop + 1;
    }
    return 0;
}

/* A section tie: the job's id, a newline, the text. */
static void take_tie(void *arg, const char *value, size_t len)
{
    struct jobs *jobs = arg;
    const char *stop = memchr(value, '\n', len);
    size_t i;

    for (i = 0; stop != NULL && i < jobs->n; i++) {
        struct job *job = &jobs->all[i];

        if (strlen(job->id) != (size_t)(stop - value) ||
            memcmp(job->id, value, (size_t)(stop - value)) != 0)
            continue;
        job->tie = stop + 1;
        job->tie_len = len - (size_t)(stop + 1 - value);
    }
}

static int64_t time_of_meta(const struct source *src)
{
    const struct manifest_file *meta = manifest_find(&src->files, META_FILE);

    return meta != NULL ? meta->mtime_ns / 1000000000 : 0;
}

/* --- judging ------------------------------------------------------------- */

static bool runs(const struct job *job)
{
    return strcmp(job->state, "RUNNING") == 0 ||
           strcmp(job->state, "SUSPENDED") == 0 ||
           strcmp(job->state, "CONFIGURING") == 0;
}

/* Its name or its comment is the run's name, or the comment its key. */
static bool is_named(const struct jobs *jobs, const struct job *job)
{
    char hash[41];

    if (jobs->name != NULL && (strcmp(job->name, jobs->name) == 0 ||
                               strcmp(job->comment, jobs->name) == 0))
        return true;
    return strchr(job->comment, '/') != NULL &&
           digest_key(job->comment, hash, NULL) == 0 &&
           strcmp(hash, jobs->src->hash) == 0;
}

/* Something of the job names the run, and the run was written to since the
 * job began (both times are of that one cluster). */
static bool is_tied(const struct jobs *jobs, const struct job *job)
{
    if (is_named(jobs, job))
        return true;
    return jobs->name != NULL && job->tie != NULL && job->start > 0 &&
           jobs->meta_time >= job->start &&
           source_names(job->tie, job->tie_len, jobs->name);
}

static bool lease_names(const struct jobs *jobs, const struct job *job)
{
    const struct source *src = jobs->src;
    const struct owner *own = &src->lease.owner;

    return lease_held(&src->lease) && own->job_id[0] != '\0' &&
           (own->cluster[0] == '\0' ||
            strcmp(own->cluster, src->peer->name) == 0) &&
           strcmp(own->job_id, job->id) == 0 &&
           (own->submit == 0 || job->submit == 0 ||
            own->submit == job->submit);
}

static bool is_typed(const struct job *job, const char *typed)
{
    return strcmp(job->id, typed) == 0 || strcmp(job->raw, typed) == 0 ||
           strcmp(job->array, typed) == 0;
}

/* "  4711_7 NAME (RUNNING)" lines of the jobs that fit. */
static void list_jobs(const struct jobs *jobs, const bool *fits, char *text,
                      size_t size)
{
    size_t used = 0;
    size_t i;

    text[0] = '\0';
    for (i = 0; i < jobs->n && used < size; i++) {
        if (fits[i])
            used += (size_t)snprintf(text + used, size - used,
                                     "\n  %s %.64s (%s)", jobs->all[i].id,
                                     jobs->all[i].name, jobs->all[i].state);
    }
}

/* Sets *found to the only job that fits; NULL when none does. */
static int only_one(const struct jobs *jobs, const bool *fits,
                    const struct job **found, const char *what,
                    struct relay_error *err)
{
    char list[600];
    size_t count = 0;
    size_t i;

    *found = NULL;
    for (i = 0; i < jobs->n; i++) {
        if (!fits[i])
            continue;
        count++;
        *found = &jobs->all[i];
    }
    if (count < 2)
        return 0;
    list_jobs(jobs, fits, list, sizeof(list));
    return relay_fail(err, EX_DATAERR,
                      "%zu jobs on %s are %s:%s\nsay which one: "
                      "--handoff-from=%s:JOBID", count,
                      jobs->src->peer->name, what, list,
                      jobs->src->peer->name);
}

/* --- choosing ------------------------------------------------------------ */

/* By the lease, else by name or comment, else by what a job's script, output
 * or log says. */
static int search(const struct jobs *jobs, bool *fits,
                  const struct job **found, struct relay_error *err)
{
    size_t i;

    for (i = 0; i < jobs->n; i++)
        fits[i] = lease_names(jobs, &jobs->all[i]);
    if (only_one(jobs, fits, found, "the lease's owner", err) != 0)
        return -1;
    if (*found != NULL)
        return 0;
    for (i = 0; i < jobs->n; i++)
        fits[i] = runs(&jobs->all[i]) && is_named(jobs, &jobs->all[i]);
    if (only_one(jobs, fits, found, "called like this run", err) != 0)
        return -1;
    if (*found != NULL)
        return 0;
    for (i = 0; i < jobs->n; i++)
        fits[i] = runs(&jobs->all[i]) && is_tied(jobs, &jobs->all[i]);
    return only_one(jobs, fits, found, "at work with this run's name", err);
}

/* A line of the script, for the person who typed the id. */
static void first_command(const struct job *job, char *text, size_t size)
{
    const char *end = job->tie != NULL ? job->tie + job->tie_len : NULL;
    const char *at = job->tie;

    text[0] = '\0';
    while (at != NULL && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop != NULL ? stop : end) - at);

        /* The first line is where the output goes. */
        if (at != job->tie && len > 0 && at[0] != '#') {
            snprintf(text, size, "%.*s", len < 120 ? (int)len : 120, at);
            return;
        }
        at += len + 1;
    }
}

static int not_this_run(const struct jobs *jobs, const struct job *job,
                        const char *typed, struct relay_error *err)
{
    char command[128];
    char start[32];

    first_command(job, command, sizeof(command));
    clock_iso(job->start, start, sizeof(start));
    return relay_fail(err, EX_DATAERR,
                      "job %s on %s is not this run's as far as can be seen: "
                      "it is called %.100s, %s since %s, its script does: "
                      "%s; nothing there was touched", typed,
                      jobs->src->peer->name, job->name, job->state, start,
                      command[0] != '\0' ? command : "?");
}

/* The typed job does not run. Another of the run's may; then nothing is
 * done. None: it has ended meanwhile, and there is nothing to stop. */
static int typed_is_over(const struct jobs *jobs, bool *fits,
                         const char *typed, const char *seen,
                         struct relay_error *err)
{
    const struct job *other;
    const char *cluster = jobs->src->peer->name;
    char id[32], user[64], state[32];

    if (sscanf(seen, "%31s %63s %31s", id, user, state) == 3 &&
        strcmp(user, jobs->src->user) != 0)
        return relay_fail(err, EX_DATAERR,
                          "job %s on %s is not yours but %s's", typed, cluster,
                          user);
    if (search(jobs, fits, &other, err) != 0)
        return -1;
    if (other != NULL)
        return relay_fail(err, EX_DATAERR,
                          "job %s on %s does not run; the run's job there is "
                          "%s (%.100s)", typed, cluster, other->id,
                          other->name);
    return 0;
}

static int check_typed(const struct jobs *jobs, bool *fits, const char *typed,
                       const char *seen, const struct job **found,
                       struct relay_error *err)
{
    const struct job *job;
    bool some_run = false;
    size_t i;

    for (i = 0; i < jobs->n; i++)
        some_run = some_run || (is_typed(&jobs->all[i], typed) &&
                                runs(&jobs->all[i]));
    for (i = 0; i < jobs->n; i++)
        fits[i] = is_typed(&jobs->all[i], typed) &&
                  (runs(&jobs->all[i]) || !some_run);
    /* An array's number is that of its last task too: while others of it
     * run, it is not clear which one is meant. */
    if (only_one(jobs, fits, &job, "tasks of that array", err) != 0)
        return -1;
    if (job == NULL)
        return typed_is_over(jobs, fits, typed, seen, err);
    if (lease_names(jobs, job) || (runs(job) && is_tied(jobs, job))) {
        *found = job;
        return 0;
    }
    return not_this_run(jobs, job, typed, err);
}

/* --- followers ----------------------------------------------------------- */

/* Does a dependency ("afterok:4711_7(unfulfilled),...") name the job? */
static bool depends_on(const char *dependency, const struct job *job)
{
    char whole[40];
    const char *at = dependency;

    snprintf(whole, sizeof(whole), "%.30s_*", job->array);
    while (*at != '\0') {
        size_t len = strspn(at, "0123456789_*");

        if (len > 0 && ((strlen(job->id) == len &&
                         strncmp(at, job->id, len) == 0) ||
                        (strlen(job->raw) == len &&
                         strncmp(at, job->raw, len) == 0) ||
                        (strlen(whole) == len &&
                         strncmp(at, whole, len) == 0)))
            return true;
        at += len > 0 ? len : 1;
    }
    return false;
}

/* Pending jobs of this run, or that wait for its job: they would start when
 * it is cancelled. Tasks of the same array are others' trainings. On this
 * very cluster a pending job of the run's name may be the next target. */
static bool follows(const struct jobs *jobs, const struct job *stop,
                    const struct job *job)
{
    if (strcmp(job->state, "PENDING") != 0 || job == stop ||
        strncmp(job->reason, "JobHeld", 7) == 0 ||
        (stop != NULL && strcmp(job->array, stop->array) == 0))
        return false;
    if (stop != NULL && depends_on(job->dependency, stop))
        return true;
    return !jobs->src->peer->local && is_named(jobs, job);
}

static int take_followers(const struct jobs *jobs, const struct job *stop,
                          struct relay_error *err)
{
    struct source *src = jobs->src;
    size_t i;

    src->followers = calloc(jobs->n + 1, sizeof(*src->followers));
    if (src->followers == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    for (i = 0; i < jobs->n; i++) {
        const struct job *job = &jobs->all[i];
        struct source_follower *f = &src->followers[src->nfollowers];
        const char *id = strchr(job->id, '[') != NULL ? job->array : job->id;

        if (!follows(jobs, stop, job) ||
            id[strspn(id, "0123456789_")] != '\0')
            continue;
        snprintf(f->job_id, sizeof(f->job_id), "%s", id);
        snprintf(f->name, sizeof(f->name), "%s", job->name);
        src->nfollowers++;
    }
    return 0;
}

int source_find_job(struct source *src, const struct peer_reply *reply,
                    const char *name, const char *typed,
                    struct relay_error *err)
{
    struct jobs jobs = {.src = src, .name = name,
                        .meta_time = time_of_meta(src)};
    const struct job *found = NULL;
    char seen[512] = "";
    bool *fits = NULL;
    int rc;

    if (src->peer->local)
        slurmenv_job_id(jobs.own, sizeof(jobs.own));
    peer_value(reply, "typed", seen, sizeof(seen));
    rc = read_jobs(&jobs, reply, err);
    if (rc == 0) {
        peer_each(reply, "tie", take_tie, &jobs);
        fits = calloc(jobs.n + 1, sizeof(*fits));
        if (fits == NULL)
            rc = relay_fail(err, EX_OSERR, "out of memory");
    }
    if (rc == 0 && jobs.all == NULL && peer_value(reply, "slurm_problem", seen,
                                                  sizeof(seen)))
        rc = relay_fail(err, EX_TEMPFAIL, "%s: squeue did not answer: %s",
                        src->peer->name, seen);
    if (rc == 0)
        rc = typed[0] != '\0'
                 ? check_typed(&jobs, fits, typed, seen, &found, err)
                 : search(&jobs, fits, &found, err);
    if (rc == 0 && found != NULL)
        snprintf(src->job_id, sizeof(src->job_id), "%s",
                 strchr(found->id, '[') != NULL ? found->array : found->id);
    if (rc == 0)
        rc = take_followers(&jobs, found, err);
    free(fits);
    free(jobs.all);
    free(jobs.text);
    return rc;
}
