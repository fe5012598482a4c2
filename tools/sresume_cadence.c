/* sresume cadence: how often a training should write a checkpoint. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cadence.h"
#include "clock.h"
#include "config_value.h"
#include "history.h"
#include "jsonfile.h"
#include "past.h"
#include "savetime.h"
#include "sresume.h"

enum { WARNINGS = 4 };

/* What was asked for. */
struct want {
    struct place place;
    const char *partition; /* NULL: the run's own */
    int64_t since;
    double save; /* --save-time; 0: measured */
    double confidence;
};

/* What is known of one run, or of a partition, and what follows from it. */
struct advice {
    char hash[41]; /* "" of a partition alone */
    char name[256];
    char key[600];
    char partition[64]; /* "" for all */
    struct savetime save;
    bool save_given;
    int64_t now;  /* seconds between checkpoints, 0 unknown */
    double rate;  /* steps a second, 0 unknown */
    struct past_sum sum;
    double mtbf;     /* lower bound, 0 unknown */
    double interval; /* of computing; 0: none can be recommended */
    double loss, loss_now; /* < 0 unknown */
    int64_t kill_wait, grace; /* -1 unknown */
    bool preempted;
    char why[300]; /* no recommendation */
    char warnings[WARNINGS][400];
    size_t nwarnings;
};

/* ---- words ------------------------------------------------------------ */

/* Seconds for people; of a short time, tenths. */
static void span(double seconds, char *text, size_t size)
{
    if (seconds < 10)
        snprintf(text, size, "%.1f s", seconds);
    else
        clock_span((int64_t)llround(seconds), text, size);
}

static const char *save_how(const struct advice *a)
{
    if (a->save_given)
        return "given";
    switch (a->save.kind) {
    case SAVETIME_WHOLE:
        return "birth of the first file to the last write";
    case SAVETIME_AT_LEAST:
        return "last write of the first file to that of the last: at least";
    case SAVETIME_UNKNOWN:
        break;
    }
    return "unknown";
}

static void __attribute__((format(printf, 2, 3)))
warn(struct advice *a, const char *fmt, ...)
{
    va_list ap;

    if (a->nwarnings == WARNINGS)
        return;
    va_start(ap, fmt);
    vsnprintf(a->warnings[a->nwarnings++], sizeof(a->warnings[0]), fmt, ap);
    va_end(ap);
}

/* ---- judging ---------------------------------------------------------- */

static void check_kill(struct advice *a)
{
    char save[32];

    span(a->save.seconds, save, sizeof(save));
    if (a->kill_wait >= 0 && a->save.seconds > (double)a->kill_wait)
        warn(a, "a checkpoint takes %s, and at the time limit or a scancel "
                "Slurm kills %" PRId64 " s after it asked (KillWait): one "
                "that is begun then is lost; have the training save at a "
                "signal that comes before: sbatch --signal=USR1@%" PRId64,
             save, a->kill_wait,
             (int64_t)ceil(a->save.seconds * 2) + a->kill_wait);
    if (a->preempted && a->grace > 0 && a->save.seconds > (double)a->grace)
        warn(a, "a checkpoint takes %s, and a job of %s that is preempted has "
                "%" PRId64 " s (GraceTime): one that is begun then is lost",
             save, a->partition, a->grace);
    if (a->preempted && a->grace == 0 &&
        a->save.seconds > (double)(a->kill_wait > 0 ? a->kill_wait : 0))
        warn(a, "a checkpoint takes %s, and a job of %s that is preempted has "
                "no GraceTime: nothing is saved then, only the interval counts",
             save, a->partition);
}

static void judge(struct advice *a, double confidence)
{
    char text[32];

    a->loss = a->loss_now = -1;
    a->mtbf = cadence_mtbf_bound((double)a->sum.exposure, a->sum.failures,
                                 confidence);
    if (a->save.seconds > 0)
        check_kill(a);
    if (a->mtbf > 0 && a->now > 0 && a->save.seconds > 0 &&
        (double)a->now > a->save.seconds)
        a->loss_now = cadence_loss((double)a->now - a->save.seconds,
                                   a->save.seconds, 0, a->mtbf);
    if (!(a->save.seconds > 0)) {
        snprintf(a->why, sizeof(a->why),
                 "how long a checkpoint takes cannot be told from its files "
                 "yet (it needs two checkpoints of a job that is watched): "
                 "say it with --save-time=SECONDS");
    } else if (!(a->mtbf > 0)) {
        snprintf(a->why, sizeof(a->why),
                 "no job of yours ran in %s in that time: --since=90d looks "
                 "further back, --partition=NAME elsewhere",
                 a->partition[0] != '\0' ? a->partition : "any partition");
    } else {
        a->interval = cadence_interval(a->save.seconds, a->mtbf);
        a->loss = cadence_loss(a->interval, a->save.seconds, 0, a->mtbf);
        span(a->mtbf, text, sizeof(text));
        if (a->save.seconds >= a->mtbf / 2)
            warn(a, "a checkpoint takes about as long as jobs live (%s): "
                    "hardly anything lasts; make it smaller, or run "
                    "where jobs live longer", text);
    }
}

static void settle(const struct past *past, const struct want *want,
                   const char *partition, struct advice *a)
{
    const struct past_partition *settings;

    a->kill_wait = past->kill_wait;
    a->grace = -1;
    if (want->save > 0) {
        a->save = (struct savetime){SAVETIME_WHOLE, want->save, 0};
        a->save_given = true;
    }
    if (partition != NULL) {
        snprintf(a->partition, sizeof(a->partition), "%s", partition);
        settings = past_settings(past, partition);
        if (settings != NULL) {
            a->grace = settings->grace;
            a->preempted = settings->preempted;
        }
    }
    past_sum(past, partition, &a->sum);
    judge(a, want->confidence);
}

/* ---- one run ---------------------------------------------------------- */

/* Where the run's last job is or was: sacct hears of a job that has just begun
 * later than the queue has it. "" unknown. */
static void find_partition(const struct run *run, const struct owner *own,
                           const struct past *past, char *name, size_t size)
{
    struct job_facts facts;
    struct peer here;
    const char *known;

    name[0] = '\0';
    if (own->job_id[0] == '\0' ||
        strcmp(own->cluster, run->cfg.cluster) != 0)
        return;
    known = past_partition_of(past, own->job_id);
    if (known != NULL)
        snprintf(name, size, "%s", known);
    else if (peer_open(&run->cfg, own->cluster, &here, NULL) == 0 &&
             liveness_facts(&here, own->job_id, "", NULL, &facts, NULL) == 0)
        snprintf(name, size, "%s", facts.partition);
}

static int look_at_run(const struct run *run, const struct report *report,
                       const struct past *past, const struct want *want,
                       struct advice *a, struct relay_error *err)
{
    const char *partition = want->partition;
    struct json_object *events;
    char name[64];

    memset(a, 0, sizeof(*a));
    snprintf(a->hash, sizeof(a->hash), "%s", run->hash);
    snprintf(a->name, sizeof(a->name), "%s",
             report->name != NULL ? report->name : "");
    snprintf(a->key, sizeof(a->key), "%s",
             report->key != NULL ? report->key : "");
    events = run->relayfd < 0 ? json_object_new_array()
                              : history_read(run->relayfd, err);
    if (events == NULL)
        return -1;
    a->now = history_interval(events);
    a->rate = history_rate(events);
    json_object_put(events);
    savetime_look(run, a->now, &a->save);
    if (partition == NULL) {
        find_partition(run, &report->lease.owner, past, name, sizeof(name));
        partition = name[0] != '\0' ? name : NULL;
    }
    settle(past, want, partition, a);
    return 0;
}

/* Nobody knows more than nine digits of these. */
static struct json_object *number(double value, bool known)
{
    char text[32];

    if (!known)
        return NULL;
    snprintf(text, sizeof(text), "%.9g", value);
    return json_object_new_double_s(value, text);
}

static struct json_object *advice_json(const struct advice *a,
                                       const struct want *want)
{
    struct json_object *obj = json_object_new_object();
    struct json_object *warnings = json_object_new_array();
    bool run = a->hash[0] != '\0';
    size_t i;

    if (run) {
        json_add_str(obj, "hash", a->hash);
        json_add_str(obj, "name", a->name[0] != '\0' ? a->name : NULL);
        json_add_str(obj, "key", a->key[0] != '\0' ? a->key : NULL);
    }
    json_add_str(obj, "partition",
                 a->partition[0] != '\0' ? a->partition : NULL);
    json_add_int(obj, "since", want->since);
    json_add_int(obj, "jobs", a->sum.jobs);
    json_add_int(obj, "exposure", a->sum.exposure);
    json_add_int(obj, "failures", a->sum.failures);
    json_add_int(obj, "preempted", a->sum.preempted);
    json_add_int(obj, "node_failures", a->sum.broken);
    json_add_int(obj, "censored", a->sum.censored);
    json_add_int(obj, "confidence", llround(want->confidence * 100));
    json_object_object_add(obj, "mtbf", number(a->mtbf, a->mtbf > 0));
    json_object_object_add(obj, "kill_wait",
                           number((double)a->kill_wait, a->kill_wait >= 0));
    json_object_object_add(obj, "grace_time",
                           number((double)a->grace, a->grace >= 0));
    json_object_object_add(obj, "save",
                           number(a->save.seconds, a->save.seconds > 0));
    json_add_str(obj, "save_how", save_how(a));
    json_object_object_add(obj, "now", number((double)a->now, a->now > 0));
    json_object_object_add(obj, "loss_now",
                           number(a->loss_now, a->loss_now >= 0));
    json_object_object_add(obj, "rate", number(a->rate, a->rate > 0));
    json_object_object_add(obj, "interval",
                           number(a->interval, a->interval > 0));
    json_object_object_add(
        obj, "interval_steps",
        a->interval > 0 && a->rate > 0
            ? json_object_new_int64(llround(a->interval * a->rate))
            : NULL);
    json_object_object_add(obj, "loss", number(a->loss, a->loss >= 0));
    json_add_str(obj, "why", a->why[0] != '\0' ? a->why : NULL);
    for (i = 0; i < a->nwarnings; i++)
        json_object_array_add(warnings,
                              json_object_new_string(a->warnings[i]));
    json_object_object_add(obj, "warnings", warnings);
    return obj;
}

/* "12 min (1500 steps), 2.1 % lost" */
static void describe(double seconds, double rate, double loss, char *text,
                     size_t size)
{
    size_t used;

    span(seconds, text, size);
    used = strlen(text);
    if (rate > 0)
        used += (size_t)snprintf(text + used, size - used, " (%lld steps)",
                                 llround(seconds * rate));
    if (loss >= 0 && used < size)
        snprintf(text + used, size - used, ", %.1f %% of the time lost",
                 loss * 100);
}

static void show_past(const struct advice *a, const struct want *want)
{
    char text[300], hours[32], window[32];

    clock_span(want->since, window, sizeof(window));
    clock_span(a->sum.exposure, hours, sizeof(hours));
    snprintf(text, sizeof(text), "%s: %" PRId64 " interrupted (%" PRId64
             " preempted, %" PRId64 " by their node) in %s of %" PRId64
             " jobs, of the last %s",
             a->partition[0] != '\0' ? a->partition : "all partitions",
             a->sum.failures, a->sum.preempted, a->sum.broken, hours,
             a->sum.jobs, window);
    cli_field("history", text);
    if (a->mtbf > 0) {
        span(a->mtbf, hours, sizeof(hours));
        snprintf(text, sizeof(text), "at least %s between interruptions "
                 "(%.0f %% confidence)", hours, want->confidence * 100);
        cli_field("MTBF", text);
    }
}

static void show_save(const struct advice *a)
{
    char text[300], time[32];

    if (!(a->save.seconds > 0))
        return;
    span(a->save.seconds, time, sizeof(time));
    if (a->save_given)
        snprintf(text, sizeof(text), "%s (given)", time);
    else
        snprintf(text, sizeof(text), "%s%s (%s; %d seen)",
                 a->save.kind == SAVETIME_AT_LEAST ? "at least " : "", time,
                 save_how(a), a->save.seen);
    cli_field("save", text);
}

static void show(const struct advice *a, const struct want *want)
{
    char text[300];
    size_t i;

    if (a->hash[0] != '\0')
        cli_field("run", a->name[0] != '\0' ? a->name : a->hash);
    show_save(a);
    show_past(a, want);
    if (a->now > 0) {
        describe((double)a->now, a->rate, a->loss_now, text, sizeof(text));
        cli_field("now", text);
    }
    if (a->interval > 0) {
        describe(a->interval, a->rate, a->loss, text, sizeof(text));
        cli_field("best", text);
    }
    for (i = 0; i < a->nwarnings; i++)
        cli_field("warning", a->warnings[i]);
}

static int advise_run(const struct want *want, const char *typed,
                      bool json, struct relay_error *err)
{
    struct run run;
    struct report report = {0};
    struct run_state_info info = {0};
    struct past past = {0};
    struct advice a;
    int code = -1;

    if (place_open(&want->place, typed, true, &run, err) == 0 &&
        place_report(&run, &report, &info, err) == 0) {
        if (info.kind == STATE_NONE && !report.records)
            relay_fail(err, EX_DATAERR, "%s (%.8s) is not in %s; '" SRESUME
                       " list' says what is", run.key, run.hash, run.root);
        else if (past_ask(&run.cfg, want->since, &past, err) == 0 &&
                 look_at_run(&run, &report, &past, want, &a, err) == 0)
            code = 0;
    }
    if (code == 0 && json) {
        code = cli_json(advice_json(&a, want));
    } else if (code == 0) {
        show(&a, want);
    }
    if (code == 0 && !(a.interval > 0))
        code = relay_fail(err, EX_DATAERR, "no interval can be recommended: "
                                           "%s", a.why);
    past_free(&past);
    report_free(&report);
    run_state_free(&info);
    run_close(&run);
    return code;
}

/* ---- all runs --------------------------------------------------------- */

struct all {
    const struct want *want;
    struct past past;
    struct json_object *partitions, *runs; /* with --json */
    struct cli_table table;
};

static void add_cell(struct cli_table *table, double seconds, bool known)
{
    char text[32] = "-";

    if (known)
        span(seconds, text, sizeof(text));
    cli_table_add(table, text, NULL);
}

static void add_run(struct all *all, const struct advice *a)
{
    struct cli_table *t = &all->table;
    char steps[32] = "-";

    if (all->runs != NULL) {
        json_object_array_add(all->runs, advice_json(a, all->want));
        return;
    }
    cli_table_add(t, a->name[0] != '\0' ? a->name : a->hash, NULL);
    cli_table_add(t, a->partition[0] != '\0' ? a->partition : "-", NULL);
    add_cell(t, a->save.seconds, a->save.seconds > 0);
    add_cell(t, (double)a->now, a->now > 0);
    add_cell(t, a->interval, a->interval > 0);
    if (a->interval > 0 && a->rate > 0)
        snprintf(steps, sizeof(steps), "%lld", llround(a->interval * a->rate));
    cli_table_add(t, steps, NULL);
}

/* A run that may train on and has records of ours. */
static int add_report(struct all *all, const struct report *r,
                      struct relay_error *err)
{
    struct advice a;
    struct run run;
    int rc = 0;

    if (!r->records || r->completed || r->stub)
        return 0;
    rc = place_open(&all->want->place, r->hash, true, &run, err);
    if (rc == 0)
        rc = look_at_run(&run, r, &all->past, all->want, &a, err);
    run_close(&run);
    if (rc == 0 && (all->want->partition == NULL ||
                    strcmp(all->want->partition, a.partition) == 0))
        add_run(all, &a);
    return rc;
}

/* Each partition that jobs of the user's ran in, or the one that was named. */
static void add_partitions(struct all *all)
{
    size_t i;

    for (i = 0; i < all->past.npartitions; i++) {
        const char *name = all->past.partitions[i].name;
        struct advice a = {.now = 0};

        if (all->want->partition != NULL &&
            strcmp(all->want->partition, name) != 0)
            continue;
        settle(&all->past, all->want, name, &a);
        if (a.sum.jobs == 0 && all->want->partition == NULL)
            continue;
        if (all->partitions != NULL) {
            json_object_array_add(all->partitions, advice_json(&a, all->want));
        } else {
            show(&a, all->want);
            printf("\n");
        }
    }
}

static int print_all(struct all *all, const struct report_list *list,
                     struct relay_error *err)
{
    static const char *const heads[] = {"NAME", "PARTITION", "SAVE", "NOW",
                                        "BEST", "STEPS", NULL};
    size_t i;
    int code = 0;

    cli_table_init(&all->table, heads, "llrrrr");
    add_partitions(all);
    for (i = 0; i < list->n && code == 0; i++)
        code = add_report(all, &list->reports[i], err);
    if (code == 0 && all->runs == NULL)
        code = cli_table_print(&all->table, stdout);
    cli_table_free(&all->table);
    return code;
}

static int advise_all(const struct want *want, bool json,
                      struct relay_error *err)
{
    struct all all = {.want = want};
    struct report_list list = {0};
    struct json_object *obj;
    struct config cfg;
    char *root = NULL;
    int code = -1;

    if (json) {
        all.partitions = json_object_new_array();
        all.runs = json_object_new_array();
    }
    if (place_config(&want->place, &cfg, err) == 0 &&
        (root = place_root(&want->place, &cfg, err)) != NULL &&
        past_ask(&cfg, want->since, &all.past, err) == 0 &&
        report_all(root, cfg.cluster, &list, err) == 0)
        code = print_all(&all, &list, err);
    if (code == 0 && json) {
        obj = json_object_new_object();
        json_object_object_add(obj, "partitions",
                               json_object_get(all.partitions));
        json_object_object_add(obj, "runs", json_object_get(all.runs));
        code = cli_json(obj);
    }
    json_object_put(all.partitions);
    json_object_put(all.runs);
    report_list_free(&list);
    past_free(&all.past);
    free(root);
    config_free(&cfg);
    return code;
}

/* ---- the command ------------------------------------------------------ */

/* Seconds, with a fraction if they have one, or as 90s, 2m. */
static int read_save(const char *text, double *seconds,
                     struct relay_error *err)
{
    const char *why = "";
    int64_t whole = 0;

    if (value_factor(text, seconds, &why) == 0 && *seconds < 1e8)
        return 0;
    if (value_duration(text, &whole, &why) != 0 || whole == 0)
        return relay_fail(err, EX_USAGE, "--save-time=%.100s: seconds (12.5), "
                                         "or as 90s, 2m", text);
    *seconds = (double)whole;
    return 0;
}

static int read_want(const char *since, const char *save, int64_t confidence,
                     struct want *want, struct relay_error *err)
{
    const char *why = "";

    if (value_duration(since, &want->since, &why) != 0 || want->since == 0)
        return relay_fail(err, EX_USAGE, "--since=%.100s: a length of time "
                                         "such as 30d", since);
    if (confidence < 50 || confidence > 99)
        return relay_fail(err, EX_USAGE, "--confidence=%" PRId64 ": 50 to 99, "
                                         "in percent", confidence);
    want->confidence = (double)confidence / 100;
    return save != NULL ? read_save(save, &want->save, err) : 0;
}

int sresume_cadence(int argc, char **argv)
{
    struct want want = {.save = 0};
    const char *since = "30d";
    const char *save = NULL;
    int64_t confidence = 95;
    bool json = false;
    const struct cli_option options[] = {
        {"since", '\0', CLI_TEXT, &since, "TIME",
         "how far back jobs are counted (default: 30d)"},
        {"save-time", '\0', CLI_TEXT, &save, "SECONDS",
         "how long a checkpoint takes, instead of measuring"},
        {"partition", '\0', CLI_TEXT, &want.partition, "NAME",
         "where it will run (default: where it ran last)"},
        {"confidence", '\0', CLI_INT, &confidence, "PERCENT",
         "of the bound of the MTBF (default: 95)"},
        {"json", '\0', CLI_FLAG, &json, NULL, "print an object"},
        PLACE_OPTIONS(want.place),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SRESUME, "cadence", "[OPTION]... [KEY]",
        "Recommends how often a training should write a checkpoint, from\n"
        "what one takes and how often your jobs were interrupted (sacct).\n"
        "Without KEY: for each partition, and each run that is not complete.",
        options, 0, 1};
    struct relay_error err = {0};
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    code = read_want(since, save, confidence, &want, &err);
    if (code == 0)
        code = nargs > 0 ? advise_run(&want, args[0], json, &err)
                         : advise_all(&want, json, &err);
    return code < 0 ? cli_fail(SRESUME, &err) : code;
}
