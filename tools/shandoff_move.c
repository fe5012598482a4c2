/* One move: plan, question, copy ahead, submission, proof. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "courier.h"
#include "handoff_abort.h"
#include "jsonfile.h"
#include "process.h"
#include "shandoff.h"
#include "move/submit.h"

bool shandoff_confirm(const char *question, struct relay_error *err)
{
    char line[16] = "";

    if (!isatty(STDIN_FILENO)) {
        relay_fail(err, EX_USAGE, "nobody can be asked here: look at the plan "
                                  "with --dry-run, then say --yes");
        return false;
    }
    printf("%s [y/N] ", question);
    fflush(stdout);
    if (fgets(line, sizeof(line), stdin) != NULL &&
        (line[0] == 'y' || line[0] == 'Y'))
        return true;
    relay_fail(err, EX_NOPERM, "nothing was done");
    return false;
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

    if (b->plan == NULL || b->o->refresh <= 0 || clock_ms() < b->refresh_at)
        return;
    b->refresh_at = clock_ms() + b->o->refresh * 1000;
    if (plan_stage(b->plan, true, NULL, &err) < 0)
        fprintf(stderr, SHANDOFF ": not copied again: %s\n", err.text);
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
                   "it: " SHANDOFF " --attach %s", target->job_id, run->key);
        (void)cli_fail(SHANDOFF, err);
        return 128 + process_cancelled();
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

    if (needs_courier(run, target->source))
        say_progress(&beside, "jobs here cannot log in there: this does it for "
                           "them, so let it run until the proof (in tmux)");
    else
        say_progress(&beside, "the job goes on by itself: this can be ended, and "
                           "begun again with --attach");
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
    int rc = plan_stage(plan, false, &seconds, err);

    if (rc == 0)
        fprintf(o->json ? stderr : stdout,
                "copied ahead: step %" PRId64 ", %.1f MB in %.1f s, verified; "
                "the source trains on\n", plan->h.meta.step,
                (double)plan->h.want.bytes / 1e6, seconds);
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

static int carry_out(const struct shandoff *o, struct plan *plan)
{
    struct relay_error err = {0};
    struct target target;

    show_plan(plan, o);
    if (plan->in_the_way > 0 && gates_say_no(plan, &err) != 0)
        return cli_fail(SHANDOFF, &err);
    if (o->dry_run)
        return 0;
    if ((!o->yes && !shandoff_confirm("Move it?", &err)) ||
        stage(o, plan, &err) != 0 || submit(o, plan, &target, &err) != 0)
        return cli_fail(SHANDOFF, &err);
    if (o->detach)
        return print_end(o, plan->run, &target,
                         &(struct follow_result){.step = plan->h.meta.step,
                                                 .proved = -1,
                                                 .numbers = {-1, -1, -1}},
                         "submitted");
    return follow(o, plan->run, plan, &target);
}

/* The job that was submitted for this run before, while it lives. */
static bool submitted_before(const struct run *run, struct target *target,
                             struct relay_error *err)
{
    struct target_job job = {.known = false};

    if (target_read(run, target, err) != 0 || target->submitted == 0)
        return false;
    /* We may have been killed between sbatch's answer and our record. */
    if (target->job_id[0] == '\0' &&
        target_find(target->comment, target->job_id, sizeof(target->job_id),
                    err) != 1)
        return false;
    target_look(target->job_id, &job);
    return job.known && !job.over;
}

int shandoff_move(const struct shandoff *o, const char *typed)
{
    struct relay_error err = {0};
    struct overview there;
    struct target target;
    struct plan plan = {0};
    struct run run = {.rootfd = -1, .relayfd = -1, .jobfd = -1};
    char key[KEY_MAX + 1];
    int code;

    if (shandoff_find(o, typed, &there, key, &err) != 0 ||
        place_open(&o->place, key, o->dry_run, &run, &err) != 0) {
        code = cli_fail(SHANDOFF, &err);
    } else if (submitted_before(&run, &target, &err) && !o->dry_run) {
        fprintf(o->json ? stderr : stdout,
                "job %s was submitted for it before: following that\n",
                target.job_id);
        code = follow(o, &run, NULL, &target);
    } else if (plan_make(&run, &o->plan, &there, &plan, &err) != 0) {
        code = cli_fail(SHANDOFF, &err);
    } else {
        code = carry_out(o, &plan);
    }
    plan_free(&plan);
    overview_free(&there);
    run_close(&run);
    return code;
}

int shandoff_attach(const struct shandoff *o, const char *typed)
{
    struct relay_error err = {0};
    struct target target;
    struct run run;
    int code;

    if (place_open_known(&o->place, typed, &run, &err) != 0 ||
        target_read(&run, &target, &err) != 0) {
        code = cli_fail(SHANDOFF, &err);
    } else if (target.job_id[0] == '\0' && !submitted_before(&run, &target,
                                                             &err)) {
        if (err.code == 0)
            relay_fail(&err, EX_DATAERR,
                       "no job was submitted for %s by " SHANDOFF " here: "
                       SHANDOFF " %s --from=CLUSTER -- SCRIPT", run.key,
                       run.key);
        code = cli_fail(SHANDOFF, &err);
    } else {
        code = follow(o, &run, NULL, &target);
    }
    run_close(&run);
    return code;
}

/* A job that has begun nothing is not in the journal. */
static int cancel_waiting(const struct run *run, struct relay_error *err)
{
    struct target target;
    struct target_job job = {.known = false};

    if (!submitted_before(run, &target, err))
        return err->code == 0 ? 0 : -1;
    target_look(target.job_id, &job);
    if (strcmp(job.state, "PENDING") != 0)
        return 0;
    if (target_cancel(target.job_id, err) != 0)
        return -1;
    printf("job %s, which waited, is cancelled\n", target.job_id);
    return 0;
}

int shandoff_abort(const struct shandoff *o, const char *typed)
{
    struct relay_error err = {0};
    struct run run;
    int code = 0;

    if (place_open_known(&o->place, typed, &run, &err) != 0 ||
        cancel_waiting(&run, &err) != 0 || handoff_abort(&run, &err) != 0)
        code = cli_fail(SHANDOFF, &err);
    run_close(&run);
    return code;
}
