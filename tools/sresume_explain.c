/* sresume explain: what a job submitted now would do, and why. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "fresh.h"
#include "gate.h"
#include "journal.h"
#include "jsonfile.h"
#include "sresume.h"

/* What a job would do, in words that --json prints, too. */
struct advice {
    const char *outcome; /* resumes, begins, continues, done, refused */
    int code;            /* its exit code */
    char why[1200];
    char command[1200]; /* the one that puts things right, or goes on */
};

struct explain {
    struct run run;
    struct report report;
    struct run_state_info state;
    struct journal journal;
    char evidence[512];
    struct advice advice;
};

static void advise(struct explain *e, const char *outcome, int code)
{
    e->advice.outcome = outcome;
    e->advice.code = code;
}

#define WHY(e, ...) snprintf((e)->advice.why, sizeof((e)->advice.why),        \
                             __VA_ARGS__)
#define COMMAND(e, ...) snprintf((e)->advice.command,                         \
                                 sizeof((e)->advice.command), __VA_ARGS__)

static void advise_moved(struct explain *e, const char *cluster)
{
    const char *name = place_name(&e->run, &e->report);

    advise(e, "refused", EX_NOPERM);
    WHY(e, "it moved to %s", cluster);
    COMMAND(e, "sbatch --resume-key=%s --handoff-from=%s SCRIPT", name,
            cluster);
}

static void advise_held(struct explain *e, bool alive, const char *why)
{
    const struct owner *own = &e->report.lease.owner;
    const char *name = place_name(&e->run, &e->report);

    advise(e, "refused", EX_NOPERM);
    WHY(e, "%s", why);
    if (!alive)
        COMMAND(e, SRESUME " unlock %s --gen=%" PRId64
                           "   # when you know that it does not run", name,
                e->report.lease.gen);
    else if (own->job_id[0] != '\0')
        COMMAND(e, "sbatch --resume-key=%s --handoff-from=%s:%s SCRIPT"
                   "   # moves it into the new job", name, own->cluster,
                own->job_id);
    else
        COMMAND(e, "kill %ld   # on %s", (long)own->pid, own->host);
}

/* True when the lease decides. */
static bool by_lease(struct explain *e)
{
    const struct lease *lease = &e->report.lease;
    struct gate_holder holder;

    if (lease->kind == LEASE_FENCE &&
        strcmp(lease->moved_to, e->run.cfg.cluster) != 0) {
        advise_moved(e, lease->moved_to);
        return true;
    }
    if (lease->kind == LEASE_NONE ||
        gate_look(&e->run, lease, NULL, &holder))
        return false;
    advise_held(e, holder.alive, holder.why);
    return true;
}

static bool by_journal(struct explain *e)
{
    const char *name = place_name(&e->run, &e->report);

    if (!journal_in_flight(&e->journal))
        return false;
    advise(e, "continues", 0);
    WHY(e, "a handoff from %s was cut off at %s: the source is stopped and "
           "fenced, its state (step %" PRId64 " or later) is still there and "
           "is the authoritative copy", e->journal.source,
        journal_state_name(e->journal.state), e->journal.step);
    COMMAND(e, "sbatch --resume-key=%s SCRIPT", name);
    return true;
}

static bool by_state(struct explain *e)
{
    const char *name = place_name(&e->run, &e->report);
    char span[32];

    switch (e->state.kind) {
    case STATE_NONE:
        return false;
    case STATE_STUB:
        advise_moved(e, e->report.moved_to);
        return true;
    case STATE_BROKEN:
        advise(e, "refused", EX_DATAERR);
        WHY(e, "its state is broken: %.500s", e->state.why);
        COMMAND(e, SRESUME " verify %s", name);
        return true;
    case STATE_GOOD:
        break;
    }
    clock_span(clock_wall() - e->state.saved, span, sizeof(span));
    if (e->state.meta.completed) {
        advise(e, "done", 0);
        WHY(e, "it is completed at step %" PRId64, e->state.meta.step);
        COMMAND(e, SRESUME " reopen %s   # to train on", name);
    } else {
        advise(e, "resumes", 0);
        WHY(e, "its state is here: step %" PRId64 ", saved %s ago",
            e->state.meta.step, span);
        COMMAND(e, "sbatch --resume-key=%s SCRIPT", name);
    }
    return true;
}

static void by_absence(struct explain *e)
{
    const char *name = place_name(&e->run, &e->report);
    struct relay_error err = {0};

    if (fresh_allowed_here(&e->run, &err) != 0) {
        advise(e, "refused", err.code);
        WHY(e, "%.600s", err.text);
        if (err.code == EX_NOPERM)
            COMMAND(e, "sbatch --resume-key=%s --handoff-from=%s SCRIPT", name,
                    e->journal.source);
        else
            COMMAND(e, SRESUME " reset %s   # to begin at step 0", name);
        return;
    }
    advise(e, "begins", 0);
    WHY(e, "there is no state here%s: it begins at step 0%s",
        e->report.lease.kind == LEASE_RESET ? " (reset)" : "",
        e->run.cfg.peers == PEERS_OFF || e->run.cfg.nclusters < 2
            ? ""
            : " unless another cluster has it (the job asks them first)");
    COMMAND(e, "sbatch --resume-key=%s SCRIPT", name);
}

static int gather(const struct place *place, const char *typed,
                  struct explain *e, struct relay_error *err)
{
    if (place_open(place, typed, true, &e->run, err) != 0 ||
        place_report(&e->run, &e->report, &e->state, err) != 0)
        return -1;
    if (e->report.trouble[0] != '\0')
        return relay_fail(err, EX_DATAERR, "%s", e->report.trouble);
    if (journal_read(&e->run, &e->journal, err) != 0)
        return -1;
    (void)place_evidence(&e->run, &e->report.lease, e->evidence,
                         sizeof(e->evidence));
    if (!by_lease(e) && !by_journal(e) && !by_state(e))
        by_absence(e);
    return 0;
}

static int print_json(const struct explain *e)
{
    struct json_object *obj = report_json(&e->report);

    if (obj == NULL)
        return EX_OSERR;
    json_add_str(obj, "evidence", e->evidence);
    json_add_str(obj, "outcome", e->advice.outcome);
    json_add_int(obj, "exit", e->advice.code);
    json_add_str(obj, "why", e->advice.why);
    json_add_str(obj, "command", e->advice.command);
    return cli_json(obj);
}

static void print_text(const struct explain *e)
{
    const struct lease *lease = &e->report.lease;
    char who[300];
    char text[600];

    cli_field("run", place_name(&e->run, &e->report));
    cli_field("state", run_state_name(e->report.state));
    if (lease->kind == LEASE_NONE) {
        cli_field("lease", "none");
    } else {
        owner_describe(&lease->owner, who, sizeof(who));
        snprintf(text, sizeof(text), "%s, generation %" PRId64 ", by %s",
                 lease_kind_name(lease->kind), lease->gen, who);
        cli_field("lease", text);
    }
    cli_field("evidence", e->evidence);
    if (e->journal.state != JOURNAL_NONE) {
        snprintf(text, sizeof(text), "%s, from %s",
                 journal_state_name(e->journal.state), e->journal.source);
        cli_field("handoff", text);
    }
    if (e->advice.code == 0)
        snprintf(text, sizeof(text), "a job submitted now %s",
                 strcmp(e->advice.outcome, "done") == 0 ? "ends at once (0)"
                 : strcmp(e->advice.outcome, "begins") == 0
                     ? "begins at step 0"
                 : strcmp(e->advice.outcome, "resumes") == 0
                     ? "resumes"
                     : "goes on with the handoff");
    else
        snprintf(text, sizeof(text), "a job submitted now ends with %d",
                 e->advice.code);
    cli_field("outcome", text);
    cli_field("because", e->advice.why);
    cli_field("type", e->advice.command);
}

int sresume_explain(int argc, char **argv)
{
    struct place place = {0};
    bool json = false;
    const struct cli_option options[] = {
        {"json", '\0', CLI_FLAG, &json, NULL, "print an object"},
        PLACE_OPTIONS(place),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SRESUME, "explain", "[OPTION]... KEY",
        "Says what a job submitted now with --resume-key=KEY would do, the\n"
        "evidence for it, and the one command that goes on from here. Takes a\n"
        "minute when Slurm no longer knows the job that held the run: that is\n"
        "looked at twice.",
        options, 1, 1};
    struct relay_error err = {0};
    struct explain e;
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    memset(&e, 0, sizeof(e));
    if (gather(&place, args[0], &e, &err) != 0)
        code = cli_fail(SRESUME, &err);
    else if (json)
        code = print_json(&e);
    else
        print_text(&e);
    journal_free(&e.journal);
    report_free(&e.report);
    run_state_free(&e.state);
    run_close(&e.run);
    return code;
}
