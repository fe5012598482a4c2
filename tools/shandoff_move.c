/* One move: plan, question, copy ahead, submission, proof. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "courier.h"
#include "digest.h"
#include "handoff_abort.h"
#include "jsonfile.h"
#include "process.h"
#include "shandoff.h"
#include "move/submit.h"
#include "sweep/command.h"
#include "text.h"

bool shandoff_confirm(const char *question, struct relay_error *err)
{
    char line[16] = "";

    if (!isatty(STDIN_FILENO)) {
        relay_fail(err, EX_USAGE, "nobody can be asked here: look at the plan "
                                  "with --dry-run, then say --yes");
        return false;
    }
    fprintf(stderr, "%s [y/N] ", question); /* stdout may be JSON's */
    if (fgets(line, sizeof(line), stdin) != NULL &&
        (line[0] == 'y' || line[0] == 'Y'))
        return true;
    relay_fail(err, EX_NOPERM, "nothing was done");
    return false;
}

/* Follows `--attach `: what the run is found by here without asking its
 * source, as a shell takes it. */
struct attach_word {
    char text[4 * KEY_MAX + 4];
};

static struct attach_word attach_word(const struct run *run)
{
    struct attach_word out;
    char key[2 * KEY_MAX + 1], hash[41];
    char *word = key;
    const struct words words = {.word = &word, .n = 1};
    struct text text = {0};

    if (digest_key(run->key, hash, NULL) != 0 ||
        strcmp(hash, run->hash) != 0 ||
        submit_escape(run->key, key, sizeof(key), NULL) != 0)
        snprintf(key, sizeof(key), "%s", run->hash);
    command_quote(&words, &text);
    snprintf(out.text, sizeof(out.text), "%s", text_str(&text));
    text_free(&text);
    return out;
}

static void say_line(void *arg, const char *text)
{
    FILE *stream = arg;

    fprintf(stream, "%s\n", text);
    fflush(stream);
}

/* --- while the job is followed ------------------------------------------- */

struct beside {
    const struct shandoff *o;
    FILE *stream;
    struct run *run;
    struct plan *plan;   /* NULL: nothing is copied again */
    const char *from;
    pid_t courier;       /* 0: none */
    bool no_courier;     /* it cannot be one: said once */
    int64_t refresh_at;  /* clock_ms */
};

static bool needs_courier(const struct run *run, const char *cluster)
{
    const struct config_cluster *c = config_find(&run->cfg, cluster, NULL);

    return c != NULL && c->reach == REACH_LOGIN;
}

static void keep_courier(struct beside *b)
{
    struct relay_error err = {0};

    if (b->no_courier || !needs_courier(b->run, b->from) ||
        (b->courier > 0 && !courier_ended(&b->courier)))
        return;
    if (courier_start(b->run, b->from, &b->courier, &err) != 0) {
        b->no_courier = true;
        fprintf(stderr, SHANDOFF ": the job cannot be helped from here: %s\n",
                err.text);
    }
}

static void refresh(struct beside *b)
{
    struct relay_error err = {0};
    int rc;

    if (b->plan == NULL || b->o->refresh <= 0 || clock_ms() < b->refresh_at)
        return;
    rc = plan_stage_again(b->plan, &err);
    if (rc < 0)
        fprintf(stderr, SHANDOFF ": not copied again: %s\n", err.text);
    else if (rc == 0)
        fprintf(b->stream, "copied again: step %" PRId64 "\n",
                b->plan->h.meta.step);
    fflush(b->stream);
    b->refresh_at = clock_ms() + b->o->refresh * 1000;
}

static void say_progress(void *arg, const char *text)
{
    say_line(((struct beside *)arg)->stream, text);
}

static void meanwhile(void *arg, bool pending)
{
    struct beside *b = arg;

    keep_courier(b);
    if (pending)
        refresh(b);
}

/* Is it safe to close the terminal now, and how does one come back? */
static void say_how_to_leave(struct beside *b, const struct target *target)
{
    if (needs_courier(b->run, b->from))
        fprintf(b->stream, "jobs here cannot log in on %s, this does it for "
                           "job %s: keep this running until the proof (in "
                           "tmux, say); when it was cut off: " SHANDOFF
                           " --attach %s\n", b->from, target->job_id,
                attach_word(b->run).text);
    else
        fprintf(b->stream, "job %s goes on by itself: it is safe to close "
                           "this; to follow it again: " SHANDOFF " --attach "
                           "%s\n", target->job_id, attach_word(b->run).text);
    fflush(b->stream);
}

/* --- the end -------------------------------------------------------------- */

static int print_end(const struct shandoff *o, const struct run *run,
                     const struct target *target,
                     const struct follow_result *r, const char *word)
{
    struct json_object *doc;

    if (!o->json)
        return 0;
    doc = json_object_new_object();
    json_add_str(doc, "key", run->key);
    json_add_str(doc, "hash", run->hash);
    json_add_str(doc, "from", target->source);
    json_add_str(doc, "to", run->cfg.cluster);
    json_add_str(doc, "job", target->job_id);
    json_add_str(doc, "end", word);
    json_add_int(doc, "step", r->step);
    json_add_int(doc, "proved", r->proved);
    json_add_int(doc, "gap", r->numbers.gap);
    json_add_int(doc, "recomputed", r->numbers.recomputed);
    json_add_int(doc, "regain", r->numbers.regain);
    return cli_json(doc);
}

static int tell_end(const struct shandoff *o, const struct run *run,
                    const struct target *target, enum follow_end end,
                    const struct follow_result *r, struct relay_error *err)
{
    static const char *const words[] = {"proved", "complete", "back", "ended",
                                        "left"};

    if (end != FOLLOW_ERROR && end != FOLLOW_LEFT)
        (void)print_end(o, run, target, r, words[end]);
    switch (end) {
    case FOLLOW_PROVED:
        if (!o->json)
            show_proof(run, target->source, r);
        return 0;
    case FOLLOW_COMPLETE:
        if (!o->json)
            printf("%s is complete at step %" PRId64 ": it had finished on "
                   "%s, and is here\n", run->key, r->proved, target->source);
        return 0;
    case FOLLOW_BACK:
    case FOLLOW_ENDED:
        show_failure(run, target->source, r, end, err);
        break;
    case FOLLOW_LEFT:
        relay_fail(err, EX_TEMPFAIL,
                   "not followed any more: job %s goes on by itself; to follow "
                   "it: " SHANDOFF " --attach %s", target->job_id,
                   attach_word(run).text);
        break; /* 128 + the signal, as main has it */
    case FOLLOW_ERROR:
        break;
    }
    return cli_fail(SHANDOFF, err);
}

static int follow(const struct shandoff *o, struct run *run,
                  struct plan *plan, const struct target *target)
{
    struct beside beside = {.o = o, .run = run, .plan = plan,
                            .from = target->source,
                            .stream = o->json ? stderr : stdout};
    const struct follow_options opt = {.say = say_progress,
                                       .meanwhile = meanwhile,
                                       .arg = &beside};
    struct follow_result result;
    struct relay_error err = {0};
    enum follow_end end;

    say_how_to_leave(&beside, target);
    beside.refresh_at = clock_ms() + o->refresh * 1000;
    end = follow_target(run, target, &opt, &result, &err);
    courier_stop(&beside.courier);
    return tell_end(o, run, target, end, &result, &err);
}

/* --- one move ------------------------------------------------------------- */

static int gates_say_no(const struct plan *plan, struct relay_error *err)
{
    char names[200] = "";
    size_t i, used = 0;

    for (i = 0; i < GATES; i++) {
        const struct gate_result *g = &plan->results[i];

        if (!g->overridden && (g->verdict == GATE_FAIL ||
                               g->verdict == GATE_UNKNOWN))
            used += (size_t)snprintf(names + used, sizeof(names) - used,
                                     "%s%s", used > 0 ? "," : "",
                                     gate_name(g->gate));
    }
    return relay_fail(err, EX_NOPERM, "%s does not move: %s; to move it all "
                                      "the same: --override=%s",
                      plan->run->key, names, names);
}

static int stage(const struct shandoff *o, struct plan *plan,
                 struct relay_error *err)
{
    double seconds = 0;
    int rc = plan_stage(plan, &seconds, err);

    if (rc == 0)
        fprintf(o->json ? stderr : stdout,
                "copied ahead: step %" PRId64 ", %.1f MB in %.1f s, "
                "verified%s\n", plan->h.meta.step,
                (double)plan->h.want.bytes / 1e6, seconds, plan->h.src.job_id[0] != '\0' ? "; the source trains on" : "");
    fflush(stdout);
    return rc < 0 ? -1 : 0;
}

static int submit(const struct shandoff *o, struct plan *plan,
                  struct target *target, struct relay_error *err)
{
    FILE *stream = o->json ? stderr : stdout;
    struct submission sub;
    int rc;

    rc = submit_words(plan->run, o->plan.from, plan_task(plan), plan->args,
                      plan->nargs, &plan->request, &sub, err);
    if (rc == 0)
        rc = submit_job(plan->run, plan->h.peer.cluster->name, &sub,
                        &plan->request, plan_task(plan), say_line, stream,
                        target, err);
    submit_free(&sub);
    if (rc == 0)
        fprintf(stream, "submitted as job %s\n", target->job_id);
    fflush(stream);
    return rc;
}

/* The job is on its own, unless it needs us for the way to the source. */
static int detach(const struct shandoff *o, const struct plan *plan,
                  const struct target *target)
{
    if (needs_courier(plan->run, target->source))
        fprintf(stderr, SHANDOFF ": jobs here cannot log in on %s: when job %s "
                        "runs it waits %" PRId64 " s for " SHANDOFF
                        " --attach %s, typed here\n", target->source,
                target->job_id, plan->run->cfg.source_wait,
                attach_word(plan->run).text);
    return print_end(o, plan->run, target,
                     &(struct follow_result){.step = plan->h.meta.step,
                                             .proved = -1,
                                             .numbers = {-1, -1, -1}},
                     "submitted");
}

/* Is there a job that was submitted for this run before, and lives? 1, 0, -1.
 * On one cluster it may be the very job that is to be moved on. */
static int submitted_before(const struct shandoff *o, const struct run *run,
                            struct target *target, struct relay_error *err)
{
    int rc;

    if (o->dry_run)
        return 0;
    rc = target_before(run, run->from_cluster, target, err);
    return rc == 1 && strcmp(run->from_job, target->job_id) == 0 &&
                   strcmp(run->from_cluster, run->cfg.cluster) == 0
               ? 0 : rc;
}

static int go_on(const struct shandoff *o, struct run *run,
                 const struct target *target)
{
    struct relay_error err = {0};

    fprintf(o->json ? stderr : stdout,
            "job %s was submitted for it before: following that\n",
            target->job_id);
    if (o->refresh > 0)
        fputs(SHANDOFF ": --refresh is for a job that this submits: nothing "
                       "is copied again\n", stderr);
    /* It may have been found just now, by its comment. */
    if (target_write(run, target, &err) != 0)
        return cli_fail(SHANDOFF, &err);
    return follow(o, run, NULL, target);
}

static int carry_out(const struct shandoff *o, struct plan *plan)
{
    struct relay_error err = {0};
    struct target target;
    int before;

    show_plan(plan, o);
    if (plan->in_the_way > 0 && gates_say_no(plan, &err) != 0)
        return cli_fail(SHANDOFF, &err);
    if (o->dry_run)
        return 0;
    if ((!o->yes && !shandoff_confirm("Move it?", &err)) ||
        stage(o, plan, &err) != 0)
        return cli_fail(SHANDOFF, &err);
    /* Somebody may have typed the same while this one copied. */
    before = submitted_before(o, plan->run, &target, &err);
    if (before == 0 && process_cancelled() != 0)
        before = relay_fail(&err, EX_TEMPFAIL, "ended before anything was "
                                               "submitted: the source trains "
                                               "on");
    if (before > 0)
        return go_on(o, plan->run, &target);
    if (before < 0 || submit(o, plan, &target, &err) != 0)
        return cli_fail(SHANDOFF, &err);
    if (o->detach)
        return detach(o, plan, &target);
    return follow(o, plan->run, plan, &target);
}

/* The plan may find the run under another hash than the key's, and there the
 * job that was submitted for it. */
static int move(const struct shandoff *o, struct run *run,
                struct overview *there)
{
    struct relay_error err = {0};
    struct target target;
    struct plan plan = {0};
    char hash[sizeof(run->hash)];
    int before = submitted_before(o, run, &target, &err);
    int planned = before;
    int code;

    snprintf(hash, sizeof(hash), "%s", run->hash);
    if (before == 0)
        planned = plan_make(run, &o->plan, there, &plan, &err);
    if (before == 0 && strcmp(hash, run->hash) != 0)
        before = submitted_before(o, run, &target, &err);
    if (before > 0)
        code = go_on(o, run, &target);
    else if (before < 0 || planned < 0)
        code = cli_fail(SHANDOFF, &err);
    else
        code = carry_out(o, &plan);
    plan_free(&plan);
    return code;
}

int shandoff_move(const struct shandoff *o, const char *typed)
{
    struct relay_error err = {0};
    struct overview there;
    struct run run = {.rootfd = -1, .relayfd = -1, .jobfd = -1};
    char key[KEY_MAX + 1];
    int code;

    if (shandoff_find(o, typed, &there, key, &err) != 0 ||
        place_open(&o->place, key, o->dry_run, &run, &err) != 0)
        code = cli_fail(SHANDOFF, &err);
    else
        code = move(o, &run, &there);
    overview_free(&there);
    run_close(&run);
    return code;
}

int shandoff_attach(const struct shandoff *o, const char *typed)
{
    struct relay_error err = {0};
    struct target target;
    struct run run;
    int found = -1;
    int code;

    if (place_open_known(&o->place, typed, &run, &err) == 0 &&
        target_read(&run, &target, &err) == 0)
        found = target.job_id[0] != '\0'
                    ? 1 : target_before(&run, NULL, &target, &err);
    if (found == 0)
        relay_fail(&err, EX_DATAERR,
                   "no job was submitted for %s by " SHANDOFF " here: "
                   SHANDOFF " %s --from=CLUSTER -- SCRIPT", run.key, run.key);
    code = found > 0 ? follow(o, &run, NULL, &target)
                     : cli_fail(SHANDOFF, &err);
    run_close(&run);
    return code;
}

/* --- giving it back ------------------------------------------------------- */

/* A job that has begun nothing is not in the journal: 1 it is to be cancelled
 * here, 0 there is none, -1. */
static int begun_nothing(const struct run *run, struct target *target,
                         struct relay_error *err)
{
    int rc = target_before(run, NULL, target, err);

    return rc > 0 ? !target_has_begun(run, target) : rc;
}

/* It may begin something until it has ended. */
static int cancel_job(const struct run *run, const char *job_id,
                      struct relay_error *err)
{
    int64_t until = clock_ms() + run->cfg.stop_timeout * 1000;
    struct target_job job = {.known = false};

    if (target_cancel(job_id, err) != 0)
        return -1;
    do {
        target_look(job_id, &job);
        if (job.answered && (!job.known || job.over)) {
            run_say(run, "job %s, which had begun nothing, is cancelled",
                    job_id);
            return 0;
        }
        clock_sleep_ms(200);
    } while (process_cancelled() == 0 && clock_ms() < until);
    return relay_fail(err, EX_TEMPFAIL, "job %s is cancelled and has not ended "
                                        "yet: type it again", job_id);
}

int shandoff_abort(const struct shandoff *o, const char *typed)
{
    struct relay_error err = {0};
    struct json_object *doc;
    struct target target;
    struct run run;
    int rc = place_open_known(&o->place, typed, &run, &err);
    int code = 0;

    if (rc == 0)
        rc = begun_nothing(&run, &target, &err);
    if (rc > 0)
        rc = cancel_job(&run, target.job_id, &err);
    if (rc != 0 || handoff_abort(&run, &err) != 0) {
        code = cli_fail(SHANDOFF, &err);
    } else if (o->json) {
        doc = json_object_new_object();
        json_add_str(doc, "key", run.key);
        json_add_str(doc, "hash", run.hash);
        json_add_str(doc, "end", "aborted");
        code = cli_json(doc);
    }
    run_close(&run);
    return code;
}
