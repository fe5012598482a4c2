#include "gates.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"

/* A source this many times slower than its own partition's usual GPU is
 * better submitted again there, with a constraint, than moved away. */
#define FAR_SLOWER 4.0

#define SPAN 32

static const char *const names[GATES] = {
    [GATE_INCOMPLETE] = "incomplete", [GATE_RUNNING] = "running",
    [GATE_GPU] = "gpu",               [GATE_REMAINING] = "remaining",
    [GATE_GAIN] = "gain",             [GATE_SLOT] = "slot",
    [GATE_TRACKER] = "tracker",       [GATE_TWIN] = "twin",
    [GATE_NODELIST] = "nodelist",
};

const char *gate_name(enum gate gate)
{
    return names[gate];
}

int gate_of_name(const char *name)
{
    int i;

    for (i = 0; i < GATES; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return -1;
}

static void __attribute__((format(printf, 3, 4)))
say(struct gate_result *r, enum gate_verdict verdict, const char *fmt, ...)
{
    va_list ap;

    r->verdict = verdict;
    va_start(ap, fmt);
    vsnprintf(r->text, sizeof(r->text), fmt, ap);
    va_end(ap);
}

static const char *span(int64_t seconds, char text[SPAN])
{
    clock_span(seconds, text, SPAN);
    return text;
}

static bool named(const char *gpu)
{
    return gpu != NULL && gpu[0] != '\0';
}

static bool counts_differ(const struct gate_facts *f)
{
    return f->gpus_there >= 0 && f->gpus_here >= 0 &&
           f->gpus_there != f->gpus_here;
}

/* Seconds for left steps at rate; -1 unknown. A run so slow that they do not
 * fit is cut to a century. */
static int64_t seconds_for(int64_t left, double rate)
{
    double seconds;

    if (left < 0 || !(rate > 0))
        return -1;
    seconds = (double)left / rate;
    return seconds < 3.2e9 ? (int64_t)(seconds + 0.5) : INT64_C(3200000000);
}

static int64_t steps_left(const struct gate_facts *f)
{
    if (f->step < 0 || f->total < 0)
        return -1;
    return f->total > f->step ? f->total - f->step : 0;
}

void gates_estimate(const struct gate_facts *f, struct gate_estimate *e)
{
    double rate_here = f->rate_here;

    *e = (struct gate_estimate){.left_here = -1, .break_even = -1};
    if (rate_here > 0 && f->rate_there > 0)
        e->speedup = rate_here / f->rate_there;
    else if (!(rate_here > 0) && f->factor_here > 0 && f->factor_there > 0 &&
             !counts_differ(f))
        e->speedup = f->factor_here / f->factor_there;
    if (!(rate_here > 0) && f->rate_there > 0)
        rate_here = f->rate_there * e->speedup;
    e->left_there = seconds_for(steps_left(f), f->rate_there);
    e->left_here = seconds_for(steps_left(f), rate_here);
    if (e->speedup > 1)
        e->break_even = seconds_for(f->overhead, 1 - 1 / e->speedup);
    if (e->left_there >= 0 && e->left_here >= 0) {
        e->gain = e->left_there - e->left_here - f->overhead;
        e->known = true;
    }
}

static void judge_incomplete(const struct gate_facts *f, struct gate_result *r)
{
    if (f->completed && f->step < 0)
        say(r, GATE_FAIL, "the run is complete there");
    else if (f->completed)
        say(r, GATE_FAIL, "the run is complete there, at step %" PRId64,
            f->step);
    else if (f->step < 0)
        say(r, GATE_PASS, "not complete there, its step is not known");
    else if (f->total >= 0)
        say(r, GATE_PASS, "step %" PRId64 " of %" PRId64 " there", f->step,
            f->total);
    else
        say(r, GATE_PASS, "not complete there, step %" PRId64, f->step);
}

static void judge_running(const struct gate_facts *f, struct gate_result *r)
{
    if (named(f->job))
        say(r, GATE_PASS, "job %s runs it there", f->job);
    else
        say(r, GATE_FAIL, "no job runs it there: only its last checkpoint "
                          "could be moved (--override=running)");
}

/* Which fact of the two GPUs is missing, and what gives it. */
static void gpu_unknown(const struct gate_facts *f, struct gate_result *r)
{
    if (f->rate_here > 0)
        say(r, GATE_UNKNOWN, "its rate there has not been measured: give "
                             "--rate-there");
    else if (counts_differ(f))
        say(r, GATE_UNKNOWN, "%d GPUs there and %d here, and speed: in "
                             "relay.yaml compares single ones: give "
                             "--rate-here", f->gpus_there, f->gpus_here);
    else if (!named(f->gpu_there))
        say(r, GATE_UNKNOWN, "which GPU it has there is not known: give "
                             "--rate-here");
    else if (!(f->factor_there > 0))
        say(r, GATE_UNKNOWN, "speed: in relay.yaml has no %s, which it has "
                             "there: add it, or give --rate-here",
            f->gpu_there);
    else if (!named(f->gpu_here))
        say(r, GATE_UNKNOWN, "which GPU it would get here is not known%s%s: "
                             "ask for a type, or give --rate-here",
            named(f->gpu_here_why) ? ", " : "",
            named(f->gpu_here_why) ? f->gpu_here_why : "");
    else
        say(r, GATE_UNKNOWN, "speed: in relay.yaml has no %s, which it may "
                             "get here: add it, ask for another type, or give "
                             "--rate-here", f->gpu_here);
}

static void judge_gpu(const struct gate_facts *f,
                      const struct gate_estimate *e, struct gate_result *r)
{
    const char *here = named(f->gpu_here) ? f->gpu_here : "the GPU";
    const char *there = named(f->gpu_there) ? f->gpu_there : "the GPU";

    if (f->factor_usual > 0 && f->factor_there > 0 &&
        f->factor_usual >= FAR_SLOWER * f->factor_there)
        say(r, GATE_FAIL, "%s there has %.2g of the speed that is usual in "
                          "its partition: cancel the job and submit it again "
                          "there with a --constraint that leaves such GPUs "
                          "out, rather than move it", there,
            f->factor_there / f->factor_usual);
    else if (!(e->speedup > 0))
        gpu_unknown(f, r);
    else
        say(r, e->speedup > 1 ? GATE_PASS : GATE_FAIL,
            "%s here has %.3g times the speed of %s there%s", here,
            e->speedup, there,
            e->speedup > 1 ? "" : ": it is no faster");
}

/* Why the time left there is not known. */
static void left_unknown(const struct gate_facts *f, struct gate_result *r)
{
    if (f->total < 0)
        say(r, GATE_UNKNOWN, "how many steps it has to do is not known: give "
                             "--total-steps");
    else if (!(f->rate_there > 0))
        say(r, GATE_UNKNOWN, "its rate there has not been measured: give "
                             "--rate-there");
    else
        say(r, GATE_UNKNOWN, "its step is not known: it has no checkpoint "
                             "there yet");
}

static void judge_remaining(const struct gate_facts *f,
                            const struct gate_estimate *e,
                            struct gate_result *r)
{
    bool enough = e->left_there > f->min_remaining;
    char left[SPAN], min[SPAN];

    if (e->left_there < 0)
        left_unknown(f, r);
    else
        say(r, enough ? GATE_PASS : GATE_FAIL,
            "%s left there, %s %s (handoff.min_remaining)",
            span(e->left_there, left), enough ? "above" : "not above",
            span(f->min_remaining, min));
}

static void judge_gain(const struct gate_facts *f,
                       const struct gate_estimate *e, struct gate_result *r)
{
    char left[SPAN], even[SPAN], over[SPAN], gain[SPAN];

    if (!(e->speedup > 0)) {
        say(r, GATE_UNKNOWN, "the speed-up is not known: give --rate-here, or "
                             "complete speed: in relay.yaml");
        return;
    }
    if (e->break_even < 0) {
        say(r, GATE_FAIL, "no break-even: %.3g times the speed there is no "
                          "faster, and the move costs %s", e->speedup,
            span(f->overhead, over));
        return;
    }
    span(e->break_even, even);
    span(f->overhead, over);
    if (!e->known) {
        left_unknown(f, r);
        snprintf(r->text + strlen(r->text), sizeof(r->text) - strlen(r->text),
                 "; break-even %s: overhead %s / (1 - 1 / %.3g)", even, over,
                 e->speedup);
        return;
    }
    span(e->gain >= 0 ? e->gain : -e->gain, gain);
    say(r, e->gain > 0 ? GATE_PASS : GATE_FAIL,
        "%s left there, break-even %s: overhead %s / (1 - 1 / %.3g); done %s "
        "%s", span(e->left_there, left), even, over, e->speedup, gain,
        e->gain > 0   ? "earlier here"
        : e->gain < 0 ? "later here"
                      : "(no gain)");
}

static const char *whose(const char *own, const struct gate_facts *f,
                         const char *key)
{
    return named(own) ? own : named(f->qos) ? f->qos : key;
}

static void judge_slot(const struct gate_facts *f, struct gate_result *r)
{
    const char *jobs = whose(f->jobs_whose, f, "max_jobs");
    const char *gpus = whose(f->gpus_whose, f, "max_gpus");
    int64_t more = f->gpus_here >= 0 ? f->gpus_here : 1;
    const char *why = named(f->slots_why) ? f->slots_why
                                          : "squeue did not tell";

    if (f->jobs_max < 0 && f->gpus_max < 0)
        say(r, GATE_PASS, "no limit is known here (max_jobs, max_gpus, QOS)");
    else if ((f->jobs_max >= 0 && f->jobs_now < 0) ||
             (f->gpus_max >= 0 && f->gpus_now < 0))
        say(r, GATE_UNKNOWN, "how many jobs and GPUs are in use here is not "
                             "known: %s", why);
    else if (f->jobs_max >= 0 && f->jobs_now + 1 > f->jobs_max)
        say(r, GATE_FAIL, "%" PRId64 " of %" PRId64 " jobs run or wait here "
                          "(%s)", f->jobs_now, f->jobs_max, jobs);
    else if (f->gpus_max >= 0 && f->gpus_now + more > f->gpus_max)
        say(r, GATE_FAIL, "%" PRId64 " of %" PRId64 " GPUs are taken here "
                          "and it needs %" PRId64 " (%s)", f->gpus_now,
            f->gpus_max, more, gpus);
    else if (f->gpus_max >= 0)
        say(r, GATE_PASS, "%" PRId64 " of %" PRId64 " GPUs are free here and "
                          "it needs %" PRId64 " (%s)",
            f->gpus_max - f->gpus_now, f->gpus_max, more, gpus);
    else
        say(r, GATE_PASS, "%" PRId64 " of %" PRId64 " jobs are free here (%s)",
            f->jobs_max - f->jobs_now, f->jobs_max, jobs);
}

static void judge_tracker(const struct gate_facts *f, struct gate_result *r)
{
    const char *why = named(f->tracker_why) ? f->tracker_why : "no reason";

    if (f->tracker == -1)
        say(r, GATE_PASS, "the tracker was not asked");
    else if (f->tracker < 0)
        say(r, GATE_WARN, "the tracker could not be asked for a finished run "
                          "of this name: %.250s", why);
    else if (f->tracker == 0)
        say(r, GATE_PASS, "the tracker has no finished run of this name");
    else
        say(r, GATE_FAIL, "the tracker has %d finished run%s of this name: "
                          "%.250s", f->tracker, f->tracker == 1 ? "" : "s",
            why);
}

static void judge_twin(const struct gate_facts *f, struct gate_result *r)
{
    if (named(f->twin))
        say(r, GATE_FAIL, "job %s here is for this run already", f->twin);
    else
        say(r, GATE_PASS, "no other job here is for this run");
}

static void judge_nodelist(const struct gate_facts *f, struct gate_result *r)
{
    int64_t nodes = f->nodes > 0 ? f->nodes : 1;

    if (f->nodelist_hosts > nodes && f->nodelist_hosts > 1)
        say(r, GATE_WARN, "--nodelist names %" PRId64 " hosts for %" PRId64
                          " node%s: Slurm then takes all of them; leave out "
                          "others with --exclude instead",
            f->nodelist_hosts, nodes, nodes == 1 ? "" : "s");
    else if (f->nodelist_hosts > 0)
        say(r, GATE_PASS, "--nodelist names %" PRId64 " of %" PRId64 " node%s",
            f->nodelist_hosts, nodes, nodes == 1 ? "" : "s");
    else
        say(r, GATE_PASS, "no --nodelist");
}

size_t gates_judge(const struct gate_facts *facts, const bool override[GATES],
                   struct gate_result results[GATES])
{
    struct gate_estimate e;
    size_t i, left = 0;

    gates_estimate(facts, &e);
    judge_incomplete(facts, &results[GATE_INCOMPLETE]);
    judge_running(facts, &results[GATE_RUNNING]);
    judge_gpu(facts, &e, &results[GATE_GPU]);
    judge_remaining(facts, &e, &results[GATE_REMAINING]);
    judge_gain(facts, &e, &results[GATE_GAIN]);
    judge_slot(facts, &results[GATE_SLOT]);
    judge_tracker(facts, &results[GATE_TRACKER]);
    judge_twin(facts, &results[GATE_TWIN]);
    judge_nodelist(facts, &results[GATE_NODELIST]);
    for (i = 0; i < GATES; i++) {
        struct gate_result *r = &results[i];
        bool stands = r->verdict == GATE_FAIL || r->verdict == GATE_UNKNOWN;

        r->gate = (enum gate)i;
        r->overridden = stands && override != NULL && override[i];
        left += stands && !r->overridden;
    }
    return left;
}
