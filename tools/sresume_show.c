/* sresume show: all that is known of one run. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "cause.h"
#include "clock.h"
#include "history.h"
#include "jsonfile.h"
#include "journal.h"
#include "sresume.h"

enum { EVENTS_SHOWN = 12 };

struct shown {
    struct run run;
    struct report report;
    struct run_state_info state;
    struct journal journal;
    struct json_object *events; /* array */
    enum alive alive;
    char evidence[512];
};

static const char *const alive_names[] = {"alive", "dead", "unknown"};

/* Looks up why the last run ended, when nobody has yet. */
static void resolve_cause(struct shown *s)
{
    struct lease *lease = &s->report.lease;
    struct relay_error err = {0};
    bool dead = lease_held(lease) && s->alive == ALIVE_DEAD;

    if ((lease->kind != LEASE_RELEASE && !dead) || s->run.relayfd < 0)
        return;
    if (cause_resolve(&s->run, lease, s->report.cause,
                      sizeof(s->report.cause), &err) != 0)
        (void)cli_fail(SRESUME, &err); /* the rest is shown all the same */
    if (s->report.state == RUN_ENDED || s->report.state == RUN_FAILED)
        s->report.state =
            report_state(&(struct report_facts){.lease = LEASE_RELEASE,
                                                .has_state = true,
                                                .completed =
                                                    s->report.completed,
                                                .cause = s->report.cause});
}

static int not_found(const struct shown *s, const char *typed,
                     struct relay_error *err)
{
    struct run_list list;
    char *near = NULL;

    if (runs_list(s->run.root, &list, err) != 0)
        return -1;
    near = runs_nearest(&list, s->run.name[0] != '\0' ? s->run.name : typed,
                        3);
    relay_fail(err, EX_DATAERR, "%s (%.8s) is not in %s%s%s", s->run.key,
               s->run.hash, s->run.root,
               near != NULL && near[0] != '\0' ? "; nearest:\n" : "",
               near != NULL ? near : "");
    free(near);
    runs_free(&list);
    return -1;
}

static int gather(const struct place *place, const char *typed,
                  struct shown *s, struct relay_error *err)
{
    if (place_open(place, typed, true, &s->run, err) != 0 ||
        place_report(&s->run, &s->report, &s->state, err) != 0)
        return -1;
    if (s->state.kind == STATE_NONE && !s->report.records)
        return not_found(s, typed, err);
    if (s->report.trouble[0] != '\0')
        return relay_fail(err, EX_DATAERR, "%s", s->report.trouble);
    s->alive = place_evidence(&s->run, &s->report.lease, s->evidence,
                              sizeof(s->evidence));
    resolve_cause(s);
    if (journal_read(&s->run, &s->journal, err) != 0)
        return -1;
    s->events = s->run.relayfd < 0 ? json_object_new_array()
                                   : history_read(s->run.relayfd, err);
    return s->events != NULL ? 0 : -1;
}

static void drop(struct shown *s)
{
    json_object_put(s->events);
    journal_free(&s->journal);
    report_free(&s->report);
    run_state_free(&s->state);
    run_close(&s->run);
}

/* ---- JSON ------------------------------------------------------------- */

static struct json_object *journal_json(const struct journal *j)
{
    struct json_object *obj;

    if (j->state == JOURNAL_NONE)
        return NULL;
    obj = json_object_new_object();
    json_add_str(obj, "state", journal_state_name(j->state));
    json_add_int(obj, "generation", j->gen);
    json_add_int(obj, "term", j->term);
    json_add_str(obj, "source", j->source);
    json_add_int(obj, "step", j->step);
    return obj;
}

static int show_json(struct shown *s)
{
    static const char *const kinds[] = {"none", "stub", "good", "broken"};
    struct json_object *obj = report_json(&s->report);
    struct json_object *owner = NULL;
    char path[2048];

    if (obj == NULL)
        return EX_OSERR;
    run_state_dir(&s->run, path, sizeof(path));
    json_add_str(obj, "directory", path);
    json_add_str(obj, "files", kinds[s->state.kind]);
    json_add_str(obj, "broken",
                 s->state.kind == STATE_BROKEN ? s->state.why : NULL);
    json_add_str(obj, "run_dir", s->state.meta.run_dir);
    if (lease_held(&s->report.lease))
        owner = owner_to_json(&s->report.lease.owner);
    json_object_object_add(obj, "lease_owner", owner);
    json_add_str(obj, "alive", owner != NULL ? alive_names[s->alive] : NULL);
    json_add_str(obj, "evidence", s->evidence);
    json_object_object_add(obj, "handoff", journal_json(&s->journal));
    json_object_object_add(obj, "history", json_object_get(s->events));
    return cli_json(obj);
}

/* ---- for people ------------------------------------------------------- */

static void show_state(const struct shown *s)
{
    const struct report *r = &s->report;
    char text[2200];
    char span[32];

    cli_field("run", r->name != NULL ? r->name : r->hash);
    if (r->key != NULL)
        cli_field("key", r->key);
    cli_field("hash", r->hash);
    run_state_dir(&s->run, text, sizeof(text));
    cli_field("directory", text);
    if (r->step >= 0) {
        clock_span(clock_wall() - r->saved, span, sizeof(span));
        snprintf(text, sizeof(text), "%" PRId64 ", saved %s ago", r->step,
                 span);
        cli_field("step", text);
    }
    if (s->state.kind == STATE_BROKEN)
        cli_field("broken", s->state.why);
    if (s->state.meta.run_dir != NULL)
        cli_field("run_dir", s->state.meta.run_dir);
    cli_field("state",
          r->state == RUN_STRANDED ? "STRANDED" : run_state_name(r->state));
    if (r->moved_to[0] != '\0')
        cli_field("moved to", r->moved_to);
}

static void show_lease(const struct shown *s)
{
    const struct lease *lease = &s->report.lease;
    char text[1024];
    char who[300];
    char when[32];

    if (lease->kind == LEASE_NONE) {
        cli_field("lease", "none: no job with our options ran here");
        return;
    }
    clock_iso(lease->time, when, sizeof(when));
    owner_describe(&lease->owner, who, sizeof(who));
    snprintf(text, sizeof(text),
             "%s (generation %" PRId64 ", term %" PRId64 "), %s, by %s",
             lease_kind_name(lease->kind), lease->gen, lease->term, when, who);
    cli_field("lease", text);
    if (lease_held(lease)) {
        snprintf(text, sizeof(text), "%s: %s", alive_names[s->alive],
                 s->evidence);
        cli_field("owner", text);
    }
    if (s->report.cause[0] != '\0')
        cli_field("ended", s->report.cause);
}

static void show_handoff(const struct shown *s)
{
    const struct journal *j = &s->journal;
    char text[512];

    if (j->state == JOURNAL_NONE)
        return;
    snprintf(text, sizeof(text), "%s: from %s, step %" PRId64
                                 ", term %" PRId64,
             journal_state_name(j->state), j->source, j->step, j->term);
    cli_field("handoff", text);
}

/* What an event says besides its name. */
static void describe_event(struct json_object *event, char *text, size_t size)
{
    int64_t step = json_int(event, "step", -1);
    int64_t status = json_int(event, "status", -1);

    if (step >= 0)
        snprintf(text, size, "step %" PRId64, step);
    else if (status >= 0 && WIFSIGNALED((int)status))
        snprintf(text, size, "signal %d", WTERMSIG((int)status));
    else if (status >= 0)
        snprintf(text, size, "exit %d", WEXITSTATUS((int)status));
    else
        snprintf(text, size, "%s",
                 json_str(event, "cause", json_str(event, "to", "")));
}

static void show_event(struct json_object *event)
{
    char when[32];
    char text[200];
    char line[300];

    clock_iso(json_int(event, "time", 0), when, sizeof(when));
    describe_event(event, text, sizeof(text));
    snprintf(line, sizeof(line), "  %s  %-10s %s", when,
             json_str(event, "event", "?"), text);
    cli_clean(line, text, sizeof(text));
    printf("%s\n", text);
}

/* The last events; of the progress records only the newest in a row, for a
 * long training has thousands. */
static void show_history(const struct shown *s)
{
    size_t n = json_object_array_length(s->events);
    struct json_object *shown[EVENTS_SHOWN];
    size_t count = 0;
    bool progress = false;

    while (n-- > 0 && count < EVENTS_SHOWN) {
        struct json_object *event = json_object_array_get_idx(s->events, n);
        bool is = strcmp(json_str(event, "event", ""), "progress") == 0;

        if (is && progress)
            continue;
        progress = is;
        shown[count++] = event;
    }
    if (count > 0)
        printf("history\n");
    while (count-- > 0)
        show_event(shown[count]);
}

int sresume_show(int argc, char **argv)
{
    struct place place = {0};
    bool json = false;
    const struct cli_option options[] = {
        {"json", '\0', CLI_FLAG, &json, NULL, "print an object"},
        PLACE_OPTIONS(place),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SRESUME, "show", "[OPTION]... KEY",
        "Shows one run: its state, who holds it and the evidence, how the\n"
        "last job ended, the handoff, and what happened last.",
        options, 1, 1};
    struct relay_error err = {0};
    struct shown s;
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    memset(&s, 0, sizeof(s));
    if (gather(&place, args[0], &s, &err) != 0) {
        code = cli_fail(SRESUME, &err);
    } else if (json) {
        code = show_json(&s);
    } else {
        show_state(&s);
        show_lease(&s);
        show_handoff(&s);
        show_history(&s);
    }
    drop(&s);
    return code;
}
