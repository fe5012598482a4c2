#include "target.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "jsonfile.h"
#include "liveness.h"
#include "process.h"
#include "series.h"

#define TARGET_FILE "target.json"

enum { DEADLINE_MS = 20000 };

int target_read(const struct run *run, struct target *target,
                struct relay_error *err)
{
    struct relay_error why = {0};
    struct json_object *doc;
    int rc;

    memset(target, 0, sizeof(*target));
    if (run->relayfd < 0)
        return 0;
    doc = json_load(run->relayfd, TARGET_FILE, &why);
    if (doc == NULL && why.code == EX_NOINPUT)
        return 0;
    if (doc == NULL)
        return relay_fail(err, why.code, "%s", why.text);
    rc = json_check_format(doc, TARGET_FILE, err);
    snprintf(target->job_id, sizeof(target->job_id), "%s",
             json_str(doc, "job_id", ""));
    snprintf(target->source, sizeof(target->source), "%s",
             json_str(doc, "source", ""));
    snprintf(target->comment, sizeof(target->comment), "%s",
             json_str(doc, "comment", ""));
    target->after = json_int(doc, "after", 0);
    target->journal = json_int(doc, "journal", 0);
    target->submitted = json_int(doc, "submitted", 0);
    if (strcmp(json_str(doc, "cluster", ""), run->cfg.cluster) != 0)
        memset(target, 0, sizeof(*target));
    json_object_put(doc);
    return rc;
}

int target_write(const struct run *run, const struct target *target,
                 struct relay_error *err)
{
    struct json_object *doc = json_object_new_object();
    int rc;

    json_add_int(doc, "format", 1);
    json_add_str(doc, "job_id",
                 target->job_id[0] != '\0' ? target->job_id : NULL);
    json_add_str(doc, "cluster", run->cfg.cluster);
    json_add_str(doc, "source", target->source);
    json_add_str(doc, "comment", target->comment);
    json_add_int(doc, "after", target->after);
    json_add_int(doc, "journal", target->journal);
    json_add_int(doc, "submitted", target->submitted);
    rc = json_save(run->relayfd, TARGET_FILE, doc, err);
    json_object_put(doc);
    return rc;
}

/* Runs PROGRAM with argv[1...]; out is malloc'd. 0; 1 when it ended with
 * another code than 0 (out: the end of its stderr); -1. */
static int ask(const char *program, const char **argv, char **out,
               struct relay_error *err)
{
    struct process_spec spec = {.argv = argv, .deadline_ms = DEADLINE_MS,
                                .clean_up = true};
    struct process_result res;
    char path[256];
    int rc;

    *out = NULL;
    if (process_find(program, path, sizeof(path), err) != 0)
        return -1;
    argv[0] = path;
    rc = process_run(&spec, &res, err);
    if (rc == 0) {
        rc = process_ok(&res) ? 0 : 1;
        *out = strdup(rc == 0 ? res.out : res.err);
    }
    process_free(&res);
    return rc;
}

/* Cuts a line at each '|'; the last field keeps its own. */
static size_t cut(char *line, char **field, size_t max)
{
    size_t n = 0;

    while (line != NULL && n < max) {
        field[n++] = line;
        line = n < max ? strchr(line, '|') : NULL;
        if (line != NULL)
            *line++ = '\0';
    }
    return n;
}

/* The user's jobs, by what format says of each; malloc'd, NULL: err. */
static char *ask_queue(const char *states, const char *format,
                       struct relay_error *err)
{
    const char *argv[] = {NULL, "--me", "-h", "-r", "-t", states, "-o", format,
                          NULL};
    char *out;
    int rc = ask("squeue", argv, &out, err);

    if (rc == 0 && out != NULL)
        return out;
    if (rc >= 0)
        relay_fail(err, EX_TEMPFAIL, "squeue: %s", out != NULL ? out
                                                               : "failed");
    free(out);
    return NULL;
}

int target_newest(int64_t *id, struct relay_error *err)
{
    char *out = ask_queue("all", "%i", err);
    char *line, *rest;

    *id = 0;
    if (out == NULL)
        return -1;
    for (line = strtok_r(out, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        int64_t one = strtoll(line, NULL, 10); /* "4711" of 4711_7 */

        if (one > *id)
            *id = one;
    }
    free(out);
    return 0;
}

int target_find(struct target *target, struct relay_error *err)
{
    char *out = ask_queue("pending,running,suspended,configuring,completing",
                          "%i|%k", err);
    char *line, *rest, *field[2];
    int found = 0;

    if (out == NULL)
        return -1;
    for (line = strtok_r(out, "\n", &rest); line != NULL && found >= 0;
         line = strtok_r(NULL, "\n", &rest)) {
        if (cut(line, field, 2) < 2 ||
            strcmp(field[1], target->comment) != 0 ||
            strtoll(field[0], NULL, 10) <= target->after)
            continue;
        if (found == 0)
            snprintf(target->job_id, sizeof(target->job_id), "%s", field[0]);
        else
            relay_fail(err, EX_DATAERR,
                       "jobs %s and %s have the comment '%.100s', and which of "
                       "them was submitted for this run was not recorded: "
                       "scancel the one that is for nothing", target->job_id,
                       field[0], target->comment);
        found = found == 0 ? 1 : -1;
    }
    free(out);
    return found;
}

static int64_t seconds_of(const char *text)
{
    int64_t days = 0, value = 0;
    const char *dash = strchr(text, '-');
    char *end;

    if (dash != NULL) {
        days = strtoll(text, NULL, 10);
        text = dash + 1;
    }
    for (;;) {
        value = value * 60 + strtoll(text, &end, 10);
        if (end == text)
            return -1;
        if (*end != ':')
            break;
        text = end + 1;
    }
    return days * 86400 + value;
}

static void take(struct target_job *job, char *line)
{
    char *field[5];

    line[strcspn(line, "\n")] = '\0';
    if (cut(line, field, 5) < 5)
        return;
    job->known = true;
    snprintf(job->state, sizeof(job->state), "%s", field[0]);
    snprintf(job->reason, sizeof(job->reason), "%s", field[1]);
    if (strcmp(field[2], "N/A") != 0)
        snprintf(job->starts, sizeof(job->starts), "%s", field[2]);
    job->elapsed = seconds_of(field[3]);
    if (strcmp(field[4], "N/A") != 0)
        snprintf(job->exit, sizeof(job->exit), "%s", field[4]);
    job->over = liveness_terminal(job->state);
}

/* What left the queue is in sacct, a moment later. */
static void look_back(const char *job_id, struct target_job *job)
{
    const char *argv[] = {NULL, "-X", "-n", "-P", "-j", job_id, "-o",
                          "State,Reason,End,Elapsed,ExitCode", NULL};
    char *out;

    if (ask("sacct", argv, &out, NULL) == 0 && out != NULL &&
        out[0] != '\0') {
        take(job, out);
        job->state[strcspn(job->state, " ")] = '\0'; /* CANCELLED by 1000 */
        job->reason[0] = job->starts[0] = '\0';
        job->over = liveness_terminal(job->state);
    }
    free(out);
}

/* Where its output goes, as slurmctld tells while it knows the job. */
static void find_output(const char *job_id, struct target_job *job)
{
    const char *argv[] = {NULL, "-o", "show", "job", job_id, NULL};
    const char *at;
    char *out;

    if (ask("scontrol", argv, &out, NULL) == 0 && out != NULL) {
        at = strstr(out, " StdOut=");
        if (at != NULL)
            snprintf(job->output, sizeof(job->output), "%.*s",
                     (int)strcspn(at + 8, " \n"), at + 8);
    }
    free(out);
}

void target_look(const char *job_id, struct target_job *job)
{
    const char *argv[] = {NULL, "-h", "-t", "all", "-j", job_id, "-o",
                          "%T|%r|%S|%M|N/A", NULL};
    char output[sizeof(job->output)];
    char *out;
    int rc;

    snprintf(output, sizeof(output), "%s", job->output);
    memset(job, 0, sizeof(*job));
    snprintf(job->output, sizeof(job->output), "%s", output);
    job->elapsed = -1;
    rc = ask("squeue", argv, &out, NULL);
    /* An id that squeue does not know any more is its failure, too. */
    job->answered = rc == 0 || (rc == 1 && out != NULL &&
                                strstr(out, "Invalid job id") != NULL);
    if (rc == 0 && out[0] != '\0')
        take(job, out);
    free(out);
    if (job->answered && (!job->known || job->over))
        look_back(job_id, job);
    if (job->known && job->output[0] == '\0')
        find_output(job_id, job);
}

int target_cancel(const char *job_id, struct relay_error *err)
{
    const char *argv[] = {NULL, job_id, NULL};
    char *out;
    int rc = ask("scancel", argv, &out, err);

    if (rc > 0)
        rc = relay_fail(err, EX_TEMPFAIL, "scancel %s: %s", job_id,
                        out != NULL ? out : "failed");
    free(out);
    return rc;
}

int target_before(const struct run *run, const char *source,
                  struct target *target, struct relay_error *err)
{
    struct target_job job = {.known = false};
    int found;

    if (target_read(run, target, err) != 0)
        return -1;
    if (target->submitted == 0 ||
        (source != NULL && strcmp(source, target->source) != 0))
        return 0;
    if (target->job_id[0] == '\0' && (found = target_find(target, err)) != 1)
        return found;
    target_look(target->job_id, &job);
    if (!job.answered)
        return relay_fail(err, EX_TEMPFAIL,
                          "job %s was submitted for it before, and Slurm does "
                          "not say now whether it is still there: try again",
                          target->job_id);
    return job.known && !job.over;
}

bool target_has_begun(const struct run *run, const struct target *target)
{
    struct series_record rec;
    bool found = false;
    int64_t gen;

    if (target->job_id[0] == '\0' || run->relayfd < 0 ||
        series_last(run->relayfd, "handoff", &rec, NULL) != 0)
        return false;
    for (gen = rec.gen; gen > target->journal && !found; gen--) {
        series_free(&rec);
        if (series_read(run->relayfd, "handoff", gen, &rec, NULL) != 0)
            return false;
        found = strcmp(json_str(json_get(rec.body, "owner"), "job_id", ""),
                       target->job_id) == 0;
    }
    series_free(&rec);
    return found;
}
