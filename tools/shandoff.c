/* shandoff: what is typed, and which of its ways that means. */
#include "shandoff.h"

#include <ctype.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "config_value.h"
#include "process.h"

struct words {
    const char *from, *to, *override, *rate_there, *rate_here, *refresh;
    bool attach, abort;
};

static const char about[] =
    "Moves a running training from cluster A to this one: looks at it there,\n"
    "says whether that is worth it, copies its checkpoint while it trains on,\n"
    "submits SCRIPT here with sbatch's arguments, and follows the job until it\n"
    "is proved to have resumed. The source is stopped by that job, when it\n"
    "runs. Stop it at any point: the same command goes on.\n";

/* "75000", "75k", "75k/h", "21/s": steps a second; -1. */
static double read_rate(const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || !(value > 0))
        return -1;
    if (tolower((unsigned char)*end) == 'k') {
        value *= 1000;
        end++;
    }
    if (*end == '\0' || strcmp(end, "/h") == 0)
        return value / 3600;
    if (strcmp(end, "/min") == 0)
        return value / 60;
    return strcmp(end, "/s") == 0 ? value : -1;
}

static int take_rate(const char *option, const char *text, double *rate,
                     struct relay_error *err)
{
    *rate = text != NULL ? read_rate(text) : -1;
    if (text == NULL || *rate > 0)
        return 0;
    return relay_fail(err, EX_USAGE, "--%s=%s: expected steps an hour, such "
                                     "as 75000, 75k/h or 21/s", option, text);
}

static int take_override(const char *text, bool override[GATES],
                         struct relay_error *err)
{
    char name[32];
    size_t len;
    int gate;

    for (; text != NULL && *text != '\0'; text += len + (text[len] == ',')) {
        len = strcspn(text, ",");
        snprintf(name, sizeof(name), "%.*s",
                 (int)(len < sizeof(name) ? len : sizeof(name) - 1), text);
        gate = gate_of_name(name);
        if (gate < 0)
            return relay_fail(err, EX_USAGE,
                              "--override=%s: there is no such gate; those "
                              "are incomplete, running, gpu, remaining, gain, "
                              "slot, tracker, twin, nodelist", name);
        override[gate] = true;
    }
    return 0;
}

static int take_words(const struct words *w, struct shandoff *o,
                      struct relay_error *err)
{
    const char *why = "";

    if (o->match != NULL && w->from != NULL && strchr(w->from, ':') != NULL)
        return relay_fail(err, EX_USAGE, "--from=%s: with --match no single "
                                         "job can be meant", w->from);
    o->plan.from = w->from;
    o->plan.profile = w->to;
    o->place.handoff_from = w->from;
    if (w->refresh != NULL &&
        value_duration(w->refresh, &o->refresh, &why) != 0)
        return relay_fail(err, EX_USAGE, "--refresh=%s: %s", w->refresh, why);
    if (take_rate("rate-there", w->rate_there, &o->plan.rate_there, err) ||
        take_rate("rate-here", w->rate_here, &o->plan.rate_here, err))
        return -1;
    return take_override(w->override, o->plan.override, err);
}

static int usage(const char *text)
{
    struct relay_error err = {0};

    relay_fail(&err, EX_USAGE, "%s; see '" SHANDOFF " --help'", text);
    return cli_fail(SHANDOFF, &err);
}

static int go(struct shandoff *o, const struct words *w, char **args,
              int nargs, char *const *argv)
{
    bool one = o->match == NULL;

    if (w->attach || w->abort) {
        if (w->attach && w->abort)
            return usage("--attach and --abort are two things");
        if (nargs != 1 || !one)
            return usage("one KEY is needed with --attach and --abort");
        return w->attach ? shandoff_attach(o, args[0])
                         : shandoff_abort(o, args[0]);
    }
    if (w->from == NULL)
        return usage("--from=CLUSTER says where the run is");
    if (one && nargs == 0)
        return usage("KEY or RUN_NAME, or --match=PATTERN, is missing");
    o->plan.sbatch = args + (one ? 1 : 0);
    o->plan.nsbatch = nargs - (one ? 1 : 0);
    if (o->plan.nsbatch == 0)
        return usage("the job script is missing: " SHANDOFF
                     " KEY --from=CLUSTER -- [SBATCH_OPTION]... SCRIPT");
    return one ? shandoff_move(o, args[0]) : shandoff_several(o, argv);
}

static int run(int argc, char **argv)
{
    struct shandoff o = {.plan = {.total = -1}};
    struct words w = {0};
    const struct cli_option options[] = {
        {"from", '\0', CLI_TEXT, &w.from, "CLUSTER[:JOB]",
         "where the run is; JOB where several could be it"},
        {"to", '\0', CLI_TEXT, &w.to, "PROFILE",
         "sbatch arguments of that profile (relay.yaml)"},
        {"dry-run", 'n', CLI_FLAG, &o.dry_run, NULL,
         "say the plan and change nothing"},
        {"yes", 'y', CLI_FLAG, &o.yes, NULL, "ask nothing"},
        {"json", '\0', CLI_FLAG, &o.json, NULL,
         "print the plan (--dry-run) or the end as an object"},
        {"override", '\0', CLI_TEXT, &w.override, "GATE[,GATE]",
         "go on although GATE says no"},
        {"total-steps", '\0', CLI_INT, &o.plan.total, "N",
         "how many steps the training has"},
        {"rate-there", '\0', CLI_TEXT, &w.rate_there, "N",
         "steps an hour there, instead of the measured"},
        {"rate-here", '\0', CLI_TEXT, &w.rate_here, "N",
         "steps an hour here, instead of the estimated"},
        {"refresh", '\0', CLI_TEXT, &w.refresh, "TIME",
         "copy again every TIME while the job waits"},
        {"detach", '\0', CLI_FLAG, &o.detach, NULL,
         "end when the job is submitted"},
        {"attach", '\0', CLI_FLAG, &w.attach, NULL,
         "follow the job that was submitted before"},
        {"abort", '\0', CLI_FLAG, &w.abort, NULL,
         "give the run back to where it came from"},
        {"match", '\0', CLI_TEXT, &o.match, "PATTERN",
         "all runs of such names, by who gains most"},
        {"max", '\0', CLI_INT, &o.max, "N", "no more than N of them"},
        {"no-tracker", '\0', CLI_FLAG, &o.plan.no_tracker, NULL,
         "do not ask W&B about the run's name"},
        {"config", '\0', CLI_TEXT, &o.place.config, "FILE",
         "read FILE instead of all relay.yaml"},
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SHANDOFF, NULL,
        "KEY|RUN_NAME --from=CLUSTER [OPTION]... -- [SBATCH_OPTION]... "
        "SCRIPT [ARG]...\n"
        "       " SHANDOFF " --match=PATTERN --from=CLUSTER [OPTION]... -- "
        "... SCRIPT\n"
        "       " SHANDOFF " --attach|--abort KEY",
        about, options, 0, -1};
    struct relay_error err = {0};
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    if (take_words(&w, &o, &err) != 0)
        return cli_fail(SHANDOFF, &err);
    return go(&o, &w, args, nargs, argv);
}

int main(int argc, char **argv)
{
    int code;

    (void)setlocale(LC_CTYPE, "");
    process_catch_signals();
    code = cli_finish(SHANDOFF, run(argc, argv));
    return code != 0 && process_cancelled() != 0 ? 128 + process_cancelled()
                                                 : code;
}
