/* sresume wait: until a run is completed, in a state, or at a step. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "await.h"
#include "cause.h"
#include "clock.h"
#include "config_value.h"
#include "jobs.h"
#include "jsonfile.h"
#include "process.h"
#include "report_far.h"
#include "sresume.h"

enum {
    LOOK_MS = 2000,   /* our own files */
    QUEUE_MS = 10000, /* squeue */
    FAR_MS = 60000,   /* one ssh */
    SQUEUE_MS = 5000,
    RESOLVE_MS = 30000,
    TELL_MS = 60000, /* a line in a log when only the step has changed */
    BAR = 24,
    HOPS = 4
};

struct waiting {
    struct place place;
    const char *typed;
    const char *cluster; /* --cluster; NULL: here first */
    const char *job;     /* --job, or NULL */
    struct await_want want;
    bool quiet, json;
    FILE *to; /* progress */
    bool bar; /* it is a terminal */

    struct run run;
    struct job_list jobs; /* of this cluster */
    int64_t jobs_at;
    int64_t unresolved_at; /* since when a cause is not known, 0 */
    char far[64];     /* where it was followed to, "" for here */
    int64_t far_at;   /* when that was asked last */
    bool far_known;   /* report below is of there */
    struct report report; /* the newest */
    struct job_list far_jobs;
    bool dead;
    char evidence[512];
    char trouble[1024]; /* said last */

    enum run_state told_state; /* what was printed last */
    int64_t told_step, told_ms;
    char told_owner[160];
    int64_t first_step, first_ms; /* for the rate */
};

/* ---- looking ---------------------------------------------------------- */

static bool has_job(const struct job_list *jobs, const char *id)
{
    size_t len = strlen(id);
    size_t i;

    for (i = 0; len > 0 && i < jobs->n; i++) {
        const char *one = jobs->jobs[i].id;

        if (strncmp(one, id, len) == 0 &&
            (one[len] == '\0' || one[len] == '_'))
            return true;
    }
    return false;
}

static void say_trouble(struct waiting *w, const char *text)
{
    if (strcmp(text, w->trouble) == 0)
        return;
    fprintf(stderr, "%s" SRESUME ": %s\n", w->bar ? "\r\033[K" : "", text);
    snprintf(w->trouble, sizeof(w->trouble), "%s", text);
}

/* Whether an unknown owner is dead costs commands of Slurm's: with squeue. */
static void ask_evidence(struct waiting *w)
{
    char text[700];

    w->dead = place_evidence(&w->run, &w->report.lease, w->evidence,
                             sizeof(w->evidence)) == ALIVE_DEAD;
    if (w->dead)
        return;
    snprintf(text, sizeof(text), "whether anybody runs it is not known: %s",
             w->evidence);
    say_trouble(w, text);
}

/* Why the last job ended, which Slurm's accounting knows a little later. */
static void resolve_cause(struct waiting *w, bool asked)
{
    struct report *r = &w->report;

    if (r->lease.kind != LEASE_RELEASE ||
        strcmp(r->cause, CAUSE_UNRESOLVED) != 0) {
        w->unresolved_at = 0;
        return;
    }
    if (w->unresolved_at == 0)
        w->unresolved_at = clock_ms();
    if (!asked || w->run.relayfd < 0 || has_job(&w->jobs,
                                                r->lease.owner.job_id))
        return;
    if (cause_resolve(&w->run, &r->lease, r->cause, sizeof(r->cause),
                      NULL) != 0)
        return; /* it may at the next look */
    report_judge(r, w->run.cfg.cluster, &w->jobs);
}

/* Is there hope that it will be known? */
static bool is_unresolved(const struct waiting *w)
{
    return w->unresolved_at != 0 && w->far[0] == '\0' &&
           w->report.lease.owner.job_id[0] != '\0' &&
           strcmp(w->report.cause, CAUSE_UNRESOLVED) == 0 &&
           clock_ms() - w->unresolved_at < RESOLVE_MS;
}

static bool ask_queue(struct waiting *w)
{
    if (w->jobs_at != 0 && clock_ms() - w->jobs_at < QUEUE_MS)
        return false;
    jobs_free(&w->jobs);
    jobs_list(&w->jobs, SQUEUE_MS);
    w->jobs_at = clock_ms();
    return true;
}

static int open_run(struct waiting *w, struct relay_error *err)
{
    run_close(&w->run);
    return place_open(&w->place, w->typed, true, &w->run, err);
}

static int look_here(struct waiting *w, struct relay_error *err)
{
    struct run_state_info info = {0};
    bool asked = ask_queue(w);
    int rc;

    report_free(&w->report);
    /* Directories that were not there may be there now. */
    if ((w->run.rootfd < 0 || w->run.relayfd < 0) && open_run(w, err) != 0)
        return -1;
    rc = place_report_of(&w->run, &w->jobs, &w->report, &info, err);
    run_state_free(&info);
    if (rc != 0)
        return -1;
    if (w->report.trouble[0] != '\0')
        return relay_fail(err, EX_DATAERR, "%s", w->report.trouble);
    if (w->report.state != RUN_UNKNOWN) {
        w->dead = false;
        w->evidence[0] = '\0';
    } else if (asked) {
        ask_evidence(w);
    }
    resolve_cause(w, asked);
    return 0;
}

/* One look where the run was followed to. What passes is said and tried
 * again; 1 when there is an answer. */
static int look_there(struct waiting *w, struct relay_error *err)
{
    struct relay_error why = {0};
    struct report report;
    int rc;

    w->far_at = clock_ms();
    jobs_free(&w->far_jobs);
    rc = report_far(&w->run, w->far, &report, &w->far_jobs, &why);
    if (rc != 0) {
        report_free(&report);
        if (why.code != EX_TEMPFAIL)
            return relay_fail(err, why.code, "%s lives on %s: %s",
                              w->run.key, w->far, why.text);
        say_trouble(w, why.text);
        return 0;
    }
    report_free(&w->report);
    w->report = report;
    w->far_known = true;
    w->dead = false;
    return 1;
}

/* The cluster that this report says to look at, "" for none. */
static const char *led_to(const struct report *r)
{
    if (r->stub || r->lease.kind == LEASE_FENCE)
        return r->moved_to;
    return "";
}

/* Follows what fences and stubs say, a few clusters far. */
static int follow(struct waiting *w, struct relay_error *err)
{
    const char *here = w->run.cfg.cluster;
    int hops;

    for (hops = 0; hops < HOPS; hops++) {
        int rc = look_there(w, err);

        if (rc <= 0)
            return rc;
        if (led_to(&w->report)[0] == '\0' ||
            strcmp(led_to(&w->report), w->far) == 0)
            return 0;
        if (here != NULL && strcmp(led_to(&w->report), here) == 0)
            return 0; /* we have just looked here */
        snprintf(w->far, sizeof(w->far), "%s", led_to(&w->report));
    }
    return 0;
}

static int look(struct waiting *w, struct relay_error *err)
{
    struct report far = {0};
    bool due;

    if (w->cluster == NULL) {
        /* While there is no newer word from there, the last one counts. */
        if (w->far_known) {
            far = w->report;
            memset(&w->report, 0, sizeof(w->report));
        }
        if (look_here(w, err) != 0) {
            report_free(&far);
            return -1;
        }
        if (led_to(&w->report)[0] == '\0') {
            report_free(&far);
            w->far[0] = '\0';
            w->far_known = false;
            return 0;
        }
        if (w->far[0] == '\0') {
            snprintf(w->far, sizeof(w->far), "%s", led_to(&w->report));
            w->far_at = 0;
        }
        if (w->far_known) {
            report_free(&w->report);
            w->report = far;
        }
    }
    due = w->far_at == 0 || clock_ms() - w->far_at >= FAR_MS;
    return due ? follow(w, err) : 0;
}

/* ---- judging ---------------------------------------------------------- */

static enum await_verdict judge(const struct waiting *w)
{
    const struct report *r = &w->report;
    const struct job_list *jobs = w->far_known ? &w->far_jobs : &w->jobs;
    struct await_facts facts = {
        .state = r->state,
        .step = r->step,
        .completed = r->completed,
        .dead = w->dead,
    };

    /* Nothing is known of it yet where it shall be. */
    if (w->far[0] != '\0' && !w->far_known)
        return AWAIT_GOES_ON;
    /* The clusters have not told each other yet. */
    if (w->far[0] != '\0' && w->cluster == NULL && r->state == RUN_NEW)
        facts.state = RUN_MOVING;
    facts.queued = is_unresolved(w) ||
                   (w->job != NULL && has_job(w->cluster != NULL ? jobs
                                                                 : &w->jobs,
                                              w->job)) ||
                   (r->lease.kind == LEASE_RELEASE &&
                    has_job(jobs, r->lease.owner.job_id));
    return await_judge(&w->want, &facts);
}

/* ---- telling ---------------------------------------------------------- */

static const char *where(const struct waiting *w)
{
    return w->far[0] != '\0' ? w->far : w->run.cfg.cluster;
}

static void add_eta(const struct waiting *w, char *text, size_t size)
{
    size_t used = strlen(text);
    int64_t steps = w->report.step - w->first_step;
    int64_t ms = clock_ms() - w->first_ms;
    char span[32];
    double rate;

    if (steps <= 0 || ms <= 0 || w->first_step < 0)
        return;
    rate = (double)steps * 1000 / (double)ms;
    used += (size_t)snprintf(text + used, size - used, ", %.3g steps/s", rate);
    if (w->want.step > w->report.step && used < size) {
        clock_span((int64_t)((double)(w->want.step - w->report.step) / rate),
                   span, sizeof(span));
        snprintf(text + used, size - used, ", about %s left", span);
    }
}

static void describe(const struct waiting *w, char *text, size_t size)
{
    const struct report *r = &w->report;
    size_t used;

    used = (size_t)snprintf(text, size, "%s%s%s",
                            run_state_name(r->state),
                            w->far[0] != '\0' ? " on " : "", w->far);
    if (r->step >= 0 && used < size) {
        used += (size_t)snprintf(text + used, size - used,
                                 ", step %" PRId64, r->step);
        if (w->want.step >= 0 && used < size)
            snprintf(text + used, size - used, " of %" PRId64, w->want.step);
    }
    add_eta(w, text, size);
    used = strlen(text);
    if (r->owner[0] != '\0' && used < size)
        snprintf(text + used, size - used, " (%s)", r->owner);
}

static void draw(const struct waiting *w, const char *text)
{
    char bar[BAR + 1];
    double part = w->want.step > 0 && w->report.step > 0
                      ? (double)w->report.step / (double)w->want.step
                      : 0;
    int full = part > 1 ? BAR : (int)(part * BAR);

    memset(bar, '.', BAR);
    memset(bar, '#', (size_t)full);
    bar[BAR] = '\0';
    if (w->want.step > 0)
        fprintf(w->to, "\r\033[K[%s] %.120s", bar, text);
    else
        fprintf(w->to, "\r\033[K%.140s", text);
    (void)fflush(w->to); /* main looks whether it arrived */
}

static void tell(struct waiting *w)
{
    const struct report *r = &w->report;
    bool first = w->told_ms == 0;
    bool changed = first || r->state != w->told_state ||
                   strcmp(r->owner, w->told_owner) != 0;
    char line[400], text[400], when[32];

    if (w->first_step < 0 || r->step < w->first_step) {
        w->first_step = r->step;
        w->first_ms = clock_ms();
    }
    if (w->quiet || (w->far[0] != '\0' && !w->far_known))
        return;
    describe(w, line, sizeof(line));
    cli_clean(line, text, sizeof(text));
    if (w->bar) {
        draw(w, text);
    } else if (changed || (r->step != w->told_step &&
                           clock_ms() - w->told_ms >= TELL_MS)) {
        clock_iso(clock_wall(), when, sizeof(when));
        fprintf(w->to, "%s %s\n", when, text);
        (void)fflush(w->to);
    } else {
        return;
    }
    w->told_ms = clock_ms();
    w->told_state = r->state;
    w->told_step = r->step;
    snprintf(w->told_owner, sizeof(w->told_owner), "%s", r->owner);
}

/* ---- the end ---------------------------------------------------------- */

/* What to do about a run that will not get there by itself. */
static int fail_ended(const struct waiting *w, struct relay_error *err)
{
    const struct report *r = &w->report;
    const char *name = place_name(&w->run, r);
    const char *on = where(w);
    char step[64] = "";

    if (r->step >= 0)
        snprintf(step, sizeof(step), " at step %" PRId64, r->step);
    switch (r->state) {
    case RUN_NEW:
        return relay_fail(err, EX_TEMPFAIL,
                          "nothing is known of %s on %s, and no job of that "
                          "name is in the queue: is it the right key? (a job "
                          "that is to run it: --job=ID; '" SRESUME " list')",
                          name, on);
    case RUN_STRANDED:
        return relay_fail(err, EX_TEMPFAIL,
                          "%s is stranded%s: a handoff stopped it and nobody "
                          "runs it; type: " SRESUME " explain %s", name, step,
                          name);
    case RUN_COMPLETED:
        return relay_fail(err, EX_TEMPFAIL, "%s is completed%s on %s, and "
                                            "goes no further; '" SRESUME
                                            " reopen' lets it", name, step,
                          on);
    case RUN_MOVED:
        return relay_fail(err, EX_TEMPFAIL, "%s has moved from %s to %s, and "
                                            "from there back: look at '"
                                            SRESUME " explain' on both", name,
                          on, r->moved_to);
    case RUN_FAILED:
    case RUN_ENDED:
    case RUN_UNKNOWN:
    default:
        break;
    }
    return relay_fail(err, EX_TEMPFAIL,
                      "%s %s%s%s%s%s on %s, and nobody runs it (a job that "
                      "is to go on: --job=ID); to go on: sbatch "
                      "--resume-key=%s ...", name,
                      r->state == RUN_FAILED ? "failed" : "ended",
                      r->cause[0] != '\0' ? " (" : "", r->cause,
                      r->cause[0] != '\0' ? ")" : "", step, on, name);
}

static int print_json(const struct waiting *w, bool reached, const char *why)
{
    struct json_object *obj = report_json(&w->report);

    if (obj == NULL)
        return EX_OSERR;
    json_add_str(obj, "cluster", where(w));
    json_add_bool(obj, "reached", reached);
    json_add_str(obj, "why", reached ? NULL : why);
    return cli_json(obj);
}

/* 0 reached; -1 with what is to be said. *seen: there is a report. */
static int wait_for(struct waiting *w, int64_t deadline, bool *seen,
                    struct relay_error *err)
{
    for (;;) {
        int64_t left;

        if (look(w, err) != 0)
            return -1;
        *seen = true;
        tell(w);
        switch (judge(w)) {
        case AWAIT_REACHED:
            return 0;
        case AWAIT_ENDED:
            return fail_ended(w, err);
        case AWAIT_GOES_ON:
            break;
        }
        left = deadline - clock_ms();
        if (left <= 0)
            return relay_fail(err, EX_TEMPFAIL, "%s is %s on %s at the end of "
                                                "the time given%s%s",
                              place_name(&w->run, &w->report),
                              run_state_name(w->report.state), where(w),
                              w->evidence[0] != '\0' ? ": " : "",
                              w->evidence);
        clock_sleep_ms(left < LOOK_MS ? left : LOOK_MS);
        if (process_cancelled() != 0)
            return relay_fail(err, EX_TEMPFAIL, "interrupted");
    }
}

static int run_wait(struct waiting *w, int64_t seconds)
{
    struct relay_error err = {0};
    bool seen = false;
    int64_t deadline = seconds > 0 ? clock_ms() + seconds * 1000 : INT64_MAX;
    int code, printed;

    w->to = w->json ? stderr : stdout;
    w->bar = isatty(fileno(w->to)) == 1;
    w->first_step = -1;
    process_catch_signals();
    code = open_run(w, &err);
    if (code == 0 && w->cluster != NULL &&
        (w->run.cfg.cluster == NULL ||
         strcmp(w->cluster, w->run.cfg.cluster) != 0))
        snprintf(w->far, sizeof(w->far), "%s", w->cluster);
    else
        w->cluster = NULL;
    if (code == 0)
        code = wait_for(w, deadline, &seen, &err);
    if (w->bar && seen && !w->quiet)
        fprintf(w->to, "\n");
    printed = w->json && seen ? print_json(w, code == 0, err.text) : 0;
    if (code != 0)
        return cli_fail(SRESUME, &err);
    return printed;
}

static int read_want(const char *states, int64_t step, const char *timeout,
                     struct waiting *w, int64_t *seconds,
                     struct relay_error *err)
{
    const char *why = "";

    w->want.step = step;
    w->want.states = 1U << RUN_COMPLETED;
    w->want.named = states != NULL;
    if (timeout != NULL && (value_duration(timeout, seconds, &why) != 0 ||
                            *seconds == 0))
        return relay_fail(err, EX_USAGE, "--timeout=%.100s: a length of time "
                                         "such as 90s, 2h", timeout);
    if (w->job != NULL && w->job[strspn(w->job, "0123456789_")] != '\0')
        return relay_fail(err, EX_USAGE, "--job=%.100s: a job's id", w->job);
    return states != NULL ? await_states(states, &w->want.states, err) : 0;
}

int sresume_wait(int argc, char **argv)
{
    struct waiting w = {.run = {.rootfd = -1,
                                .relayfd = -1,
                                .jobfd = -1,
                                .cell = {.fd = -1}}};
    const char *states = NULL, *timeout = NULL;
    int64_t step = -1, seconds = 0;
    const struct cli_option options[] = {
        {"for", '\0', CLI_TEXT, &states, "STATE[,STATE]",
         "until it is in one of these (default: completed)"},
        {"step", '\0', CLI_INT, &step, "N", "or has a checkpoint of step N"},
        {"timeout", '\0', CLI_TEXT, &timeout, "TIME",
         "give up after so long, such as 2h (75)"},
        {"cluster", '\0', CLI_TEXT, &w.cluster, "NAME",
         "ask there, by one ssh a minute"},
        {"job", '\0', CLI_TEXT, &w.job, "ID",
         "a job in the queue that is to run it"},
        {"quiet", 'q', CLI_FLAG, &w.quiet, NULL, "no line for each change"},
        {"json", '\0', CLI_FLAG, &w.json, NULL,
         "print an object at the end"},
        PLACE_OPTIONS(w.place),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SRESUME, "wait", "[OPTION]... KEY",
        "Waits until a run is completed, wherever it goes meanwhile. Ends\n"
        "with 0 then; with 75 at the end of the time, or as soon as nobody\n"
        "runs it any more, and says what to type.",
        options, 1, 1};
    struct relay_error err = {0};
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    w.typed = args[0];
    if (read_want(states, step, timeout, &w, &seconds, &err) != 0)
        return cli_fail(SRESUME, &err);
    code = run_wait(&w, seconds);
    jobs_free(&w.jobs);
    jobs_free(&w.far_jobs);
    report_free(&w.report);
    run_close(&w.run);
    return code;
}
