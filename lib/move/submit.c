#include "submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "clock.h"
#include "journal.h"
#include "process.h"

enum { SBATCH_MS = 120000, OWN_MAX = 8 };

char **submit_args(const struct config *cfg, const char *profile,
                   char *const *typed, int n, int *argc,
                   struct relay_error *err)
{
    const struct config_cluster *here = config_find(cfg, cfg->cluster, err);
    const struct config_profile *p = NULL;
    size_t i, at = 0;
    char **args;

    if (here == NULL)
        return NULL;
    if (profile != NULL &&
        (p = config_profile_of(here, profile, err)) == NULL)
        return NULL;
    args = calloc(here->nsubmit + (p != NULL ? p->nsubmit : 0) + (size_t)n + 1,
                  sizeof(*args));
    if (args == NULL) {
        relay_fail(err, EX_OSERR, "out of memory");
        return NULL;
    }
    for (i = 0; i < here->nsubmit; i++)
        args[at++] = here->submit[i];
    for (i = 0; p != NULL && i < p->nsubmit; i++)
        args[at++] = p->submit[i];
    for (i = 0; i < (size_t)n; i++)
        args[at++] = typed[i];
    *argc = (int)at;
    return args;
}

int submit_escape(const char *key, char *text, size_t size,
                  struct relay_error *err)
{
    size_t used = 0;

    for (; *key != '\0' && used + 2 < size; key++) {
        if (*key == '%')
            text[used++] = '%';
        text[used++] = *key;
    }
    text[used] = '\0';
    return *key == '\0' ? 0 : relay_fail(err, EX_USAGE, "the key is too long");
}

const char *submit_array(const struct request *req, const char *task)
{
    return req->array_typed || task[0] == '\0' ? req->array : task;
}

static int add(struct submission *sub, const char *name, const char *value,
               struct relay_error *err)
{
    if (asprintf(&sub->words[sub->n], "%s%s", name, value) < 0) {
        sub->words[sub->n] = NULL;
        return relay_fail(err, EX_OSERR, "out of memory");
    }
    sub->own = ++sub->n;
    return 0;
}

int submit_words(const struct run *run, const char *from, const char *task,
                 char *const *args, int argc, const struct request *req,
                 struct submission *sub, struct relay_error *err)
{
    char key[2 * KEY_MAX + 1];
    char sbatch[256];
    int i;

    memset(sub, 0, sizeof(*sub));
    if (submit_escape(run->key, key, sizeof(key), err) != 0 ||
        process_find("sbatch", sbatch, sizeof(sbatch), err) != 0)
        return -1;
    snprintf(sub->comment, sizeof(sub->comment), "%.255s",
             req->has_comment ? req->comment : run->key);
    sub->words = calloc((size_t)argc + OWN_MAX, sizeof(*sub->words));
    if (sub->words == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    if (add(sub, sbatch, "", err) != 0 ||
        add(sub, "--parsable", "", err) != 0 ||
        add(sub, "--resume-key=", key, err) != 0 ||
        add(sub, "--handoff-from=", from, err) != 0 ||
        (!req->has_comment && add(sub, "--comment=", sub->comment, err)) ||
        (!req->array_typed && task[0] != '\0' &&
         add(sub, "--array=", task, err) != 0))
        return -1;
    for (i = 0; i < argc; i++)
        sub->words[sub->n++] = args[i];
    return 0;
}

void submit_free(struct submission *sub)
{
    int i;

    for (i = 0; sub->words != NULL && i < sub->own; i++)
        free(sub->words[i]);
    free(sub->words);
    memset(sub, 0, sizeof(*sub));
}

/* Before sbatch is asked: what finds the job if we are killed. */
static int write_intent(const struct run *run, const char *source,
                        const struct submission *sub, struct target *target,
                        struct relay_error *err)
{
    struct journal j;

    memset(target, 0, sizeof(*target));
    snprintf(target->source, sizeof(target->source), "%s", source);
    snprintf(target->comment, sizeof(target->comment), "%s", sub->comment);
    target->submitted = clock_wall();
    if (journal_read(run, &j, err) != 0)
        return -1;
    target->journal = j.gen;
    journal_free(&j);
    return target_newest(&target->after, err) == 0
               ? target_write(run, target, err) : -1;
}

/* Nothing was submitted: there is no job to be found. */
static void drop_intent(const struct run *run)
{
    struct target none;
    struct relay_error err = {0};

    memset(&none, 0, sizeof(none));
    if (target_write(run, &none, &err) != 0)
        run_log(run, "%s", err.text);
}

/* "4712" or "4712;iris" of --parsable, the job that one task of an array is. */
static int take_id(const char *out, const char *array, struct target *target,
                   struct relay_error *err)
{
    size_t len = strcspn(out, ";\n");

    if (len == 0 || strspn(out, "0123456789") != len)
        return relay_fail(err, EX_TEMPFAIL,
                          "sbatch did not print a job id but: %.200s", out);
    if (array[0] != '\0')
        snprintf(target->job_id, sizeof(target->job_id), "%.*s_%.10s",
                 (int)len, out, array);
    else
        snprintf(target->job_id, sizeof(target->job_id), "%.*s", (int)len,
                 out);
    return 0;
}

static void say_lines(char *text, void (*say)(void *arg, const char *text),
                      void *say_arg)
{
    char *line, *rest;

    for (line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        say(say_arg, line);
}

/* slurmctld may have taken a job though its answer did not arrive. */
static bool is_unknown(const struct process_result *res)
{
    return res->timed_out || process_ok(res) ||
           (res->err != NULL && strstr(res->err, "timed out") != NULL);
}

/* An option of ours that sbatch does not know: there is no plugin here. */
static int refused(struct process_result *res, struct relay_error *err)
{
    int code = WIFEXITED(res->status) ? WEXITSTATUS(res->status) : 0;
    const char *words = res->err != NULL ? res->err : "";

    if (is_unknown(res))
        return relay_fail(err, EX_TEMPFAIL,
                          "Slurm did not answer sbatch in time: whether there "
                          "is a job now, the same command finds out");
    if (strstr(words, "unrecognized option") != NULL &&
        strstr(words, "resume-key") != NULL)
        return relay_fail(err, EX_CONFIG,
                          "sbatch here does not know --resume-key: the plugin "
                          "is not loaded (sresume doctor); without it, let "
                          "the job script run: sresume run KEY "
                          "--handoff-from=CLUSTER -- ...");
    return relay_fail(err, code >= EX__BASE && code <= EX_CONFIG ? code
                                                                 : EX_TEMPFAIL,
                      "nothing was submitted: %.*s",
                      (int)strcspn(words, "\n"),
                      words[0] != '\0' ? words : "sbatch failed");
}

int submit_job(const struct run *run, const char *source,
               const struct submission *sub, const struct request *req,
               const char *task, void (*say)(void *arg, const char *text),
               void *say_arg, struct target *target, struct relay_error *err)
{
    struct process_spec spec = {.argv = (const char *const *)sub->words,
                                .deadline_ms = SBATCH_MS, .clean_up = true};
    struct process_result res;
    int rc;

    if (write_intent(run, source, sub, target, err) != 0)
        return -1;
    rc = process_run(&spec, &res, err);
    if (rc == 0)
        rc = process_ok(&res)
                 ? take_id(res.out, submit_array(req, task), target, err)
                 : refused(&res, err);
    if (rc == 0 && res.err != NULL)
        say_lines(res.err, say, say_arg);
    if (rc != 0 && !is_unknown(&res))
        drop_intent(run);
    process_free(&res);
    return rc == 0 ? target_write(run, target, err) : -1;
}
