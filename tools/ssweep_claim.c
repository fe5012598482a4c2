/* ssweep claim, finish, release: the queue for scripts. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "jsonfile.h"
#include "ssweep_session.h"

enum { NOTHING_NOW = 1, FINISHED = 2 }; /* exit codes of claim */

#define OWNER_OPTIONS(how)                                                    \
    {"owner-pid", '\0', CLI_INT, &(how).owner_pid, "PID",                     \
     "the process that owns the claim (default: our parent)"},                \
    {                                                                         \
        "nonce", '\0', CLI_TEXT, &(how).nonce, "N",                           \
            "the same N again is the same claim again"                        \
    }

/* ---- claim ------------------------------------------------------------ */

static void add_json_str(struct text *out, const char *s)
{
    struct value v = {.kind = VALUE_STR, .text = (char *)(uintptr_t)s};

    value_json(&v, out);
}

static int claim_text(const struct session *s, const struct session_cell *c,
                      const struct queue_claim *claim, struct text *out,
                      struct relay_error *err)
{
    struct words args = {0};
    size_t i;

    if (roster_args(s->sweep.roster, &c->cell, &args, err) != 0) {
        words_free(&args);
        return -1;
    }
    text_printf(out, "{\"index\":%" PRIu64 ",\"id\":", claim->index);
    add_json_str(out, claim->id);
    text_printf(out, ",\"gen\":%" PRId64 ",\"params\":", claim->gen);
    value_json(&c->cell.params, out);
    text_add(out, ",\"args\":[");
    for (i = 0; i < args.n; i++) {
        text_add(out, i > 0 ? "," : "");
        add_json_str(out, args.word[i]);
    }
    text_add(out, "],\"dir\":");
    add_json_str(out, c->dir);
    text_add(out, ",\"key\":");
    if (c->key[0] != '\0')
        add_json_str(out, c->key);
    else
        text_add(out, "null");
    if (claim->step >= 0)
        text_printf(out, ",\"step\":%" PRId64, claim->step);
    else
        text_add(out, ",\"step\":null");
    text_printf(out, ",\"partial\":%s,\"failures\":%d}",
                claim->partial ? "true" : "false", claim->failures);
    words_free(&args);
    return out->failed ? relay_fail(err, EX_OSERR, "out of memory") : 0;
}

/* Prints the claim; when that cannot be, it is given back. */
static int hand_out(struct session *s, const struct queue_claim *claim,
                    struct relay_error *err)
{
    struct queue_end back = {.state = CELL_PARTIAL,
                             .cause = "released",
                             .step = claim->step};
    struct text out = {0};
    struct session_cell c;
    int rc = session_cell(s, claim->index, &c, err);

    if (rc == 0)
        rc = file_make_dirs(c.dir, 0777, err);
    if (rc == 0)
        rc = claim_text(s, &c, claim, &out, err);
    if (rc == 0 && (printf("%s\n", text_str(&out)) < 0 ||
                    fflush(stdout) != 0))
        rc = relay_fail_errno(err, EX_IOERR, "writing the output");
    if (rc != 0)
        (void)queue_end(s->queue, claim->index, claim->gen, &back, NULL,
                        NULL); /* the first error is the one to tell */
    text_free(&out);
    session_cell_free(&c);
    return rc;
}

static int say_nothing(const struct session *s, enum queue_next what)
{
    struct board_counts counts;
    char line[300];

    queue_counts(s->queue, &counts);
    session_line(&counts, line, sizeof(line));
    fprintf(stderr, SSWEEP ": %s: %s\n",
            what == QUEUE_FINISHED ? "everything is finished"
                                   : "nothing to claim now", line);
    return what == QUEUE_FINISHED ? FINISHED : NOTHING_NOW;
}

static int take(struct session *s, const struct queue_want *want,
                const char *cell, struct relay_error *err)
{
    enum queue_next what = QUEUE_CLAIMED;
    struct relay_error refused = {0};
    struct queue_claim claim;
    uint64_t index;

    /* A source that cannot be taken in does not keep the known cells back. */
    if (session_refresh(s, &refused) != 0) {
        if (refused.code != EX_DATAERR)
            return relay_fail(err, refused.code, "%s", refused.text);
        fprintf(stderr, SSWEEP ": warning: %s\n", refused.text);
        if (queue_refresh(s->queue, err) != 0)
            return -1;
    }
    if (cell != NULL) {
        if (sweep_find(&s->sweep, cell, &index, err) != 0 ||
            queue_claim_cell(s->queue, index, &claim, err) != 0)
            return -1;
    } else if (queue_next(s->queue, want, &what, &claim, err) != 0) {
        return -1;
    }
    if (what == QUEUE_FINISHED && refused.code != 0)
        return relay_fail(err, refused.code, "%s", refused.text);
    if (what != QUEUE_CLAIMED)
        return say_nothing(s, what);
    return hand_out(s, &claim, err);
}

static int check_shard(int64_t shard, int64_t shards, struct queue_want *want,
                       struct relay_error *err)
{
    if (shards == 0 ? shard != 0 : shard >= shards)
        return relay_fail(err, EX_USAGE,
                          "--shard-index=%" PRId64 " needs a --shard-count "
                          "above it", shard);
    want->shard_index = (uint64_t)shard;
    want->shard_count = (uint64_t)shards;
    return 0;
}

int ssweep_claim(int argc, char **argv)
{
    struct session_how how = {.change = true, .in_job = true,
                              .owner_pid = getppid()};
    struct queue_want want = {0};
    const char *cell = NULL;
    int64_t shard = 0, shards = 0;
    const struct cli_option options[] = {
        {"cell", '\0', CLI_TEXT, &cell, "CELL", "this one, no other"},
        OWNER_OPTIONS(how),
        {"shard-index", '\0', CLI_INT, &shard, "K",
         "only cells whose index is K modulo N"},
        {"shard-count", '\0', CLI_INT, &shards, "N", "see --shard-index"},
        {"resumed-only", '\0', CLI_FLAG, &want.resumed_only, NULL,
         "only cells that were begun before"},
        OUT_ROOT_OPTION(how),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SSWEEP, "claim", "[OPTION]... SWEEP",
        "Claims the next cell for the calling process and prints it: one\n"
        "JSON object with index, id, gen, params, args and dir. Ends with 0;\n"
        "with 1 when there is nothing to claim now, with 2 when everything\n"
        "is finished. When the owner dies, another may claim the cell: in a\n"
        "pipeline or a subshell say --owner-pid=$$.",
        options, 1, 1};
    struct relay_error err = {0};
    struct session s;
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    memset(&s, 0, sizeof(s));
    s.sweep.fd = -1;
    how.sweep = args[0];
    code = check_shard(shard, shards, &want, &err);
    if (code == 0)
        code = session_open(&how, &s, &err);
    if (code == 0 && s.out_root != NULL &&
        sweep_note_out_root(&s.sweep, s.out_root, &err) < 0)
        code = -1;
    if (code == 0)
        code = take(&s, &want, cell, &err);
    if (code < 0)
        code = cli_fail(SSWEEP, &err);
    session_close(&s);
    return code;
}

/* ---- finish and release ----------------------------------------------- */

struct ending {
    const char *failed; /* --failed */
    const char *why;    /* --why */
    bool accept;
    bool json;
    int64_t gen;
    int64_t step; /* -1: look for it */
};

/* What ends a cell through no fault of its own. */
static bool is_free(const char *cause)
{
    static const char *const causes[] = {"preempted", "requeued", "node_fail",
                                         "cancelled", "timeout", NULL};
    size_t i;

    for (i = 0; causes[i] != NULL; i++) {
        if (strcmp(cause, causes[i]) == 0)
            return true;
    }
    return false;
}

static int check_cause(const char *cause, struct relay_error *err)
{
    size_t len = strspn(cause, "abcdefghijklmnopqrstuvwxyz_");

    if (len == 0 || len > 23 || cause[len] != '\0')
        return relay_fail(err, EX_USAGE,
                          "--failed=%s: a cause is 1 to 23 small letters and "
                          "_, such as failed or out_of_memory", cause);
    return 0;
}

/* How it ended, by what was said and what there is. out outlives end. */
static void judge(const struct session *s, const struct session_cell *c,
                  const struct ending *e, struct outcome *out,
                  struct queue_end *end)
{
    memset(out, 0, sizeof(*out));
    out->step = -1;
    if (e->failed != NULL) {
        out->state = is_free(e->failed) ? CELL_PARTIAL : CELL_FAILED;
        out->counts = out->state == CELL_FAILED;
        snprintf(out->cause, sizeof(out->cause), "%s", e->failed);
    } else if (e->accept) {
        out->state = CELL_DONE;
        snprintf(out->cause, sizeof(out->cause), "accepted");
    } else {
        session_judge(s, c, 0, out);
    }
    if (e->why != NULL)
        snprintf(out->why, sizeof(out->why), "%s", e->why);
    if (e->step >= 0)
        out->step = e->step;
    else if (out->step < 0)
        out->step = outcome_step(c->dir, c->state_dir);
    *end = outcome_end(out);
}

/* What became of the cell. */
static void say_end(const struct ending *e, const char *id,
                    const struct queue_end *end, enum cell_state final)
{
    struct json_object *obj;

    if (!e->json) {
        printf("%s: %s (%s)%s%s\n", id, cell_state_name(final), end->cause,
               end->why != NULL ? ": " : "",
               end->why != NULL ? end->why : "");
        return;
    }
    obj = json_object_new_object();
    json_add_str(obj, "id", id);
    json_add_int(obj, "gen", e->gen + 1);
    json_add_str(obj, "state", cell_state_name(final));
    json_add_str(obj, "cause", end->cause);
    json_add_str(obj, "why", end->why);
    json_object_object_add(obj, "step",
                           end->step >= 0 ? json_object_new_int64(end->step)
                                          : NULL);
    printf("%s\n", json_object_to_json_string_ext(
                       obj, JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(obj);
}

static int record(struct session *s, const char *typed,
                  const struct ending *e, bool release,
                  struct relay_error *err)
{
    struct outcome out;
    struct session_cell c = {0};
    const struct board_note *note;
    struct queue_end end;
    enum cell_state final;
    uint64_t index;
    int rc;

    if (sweep_find(&s->sweep, typed, &index, err) != 0 ||
        session_cell(s, index, &c, err) != 0) {
        session_cell_free(&c);
        return -1;
    }
    if (release)
        end = (struct queue_end){.state = CELL_PARTIAL,
                                 .cause = "released",
                                 .why = e->why,
                                 .step = e->step >= 0
                                             ? e->step
                                             : outcome_step(c.dir,
                                                            c.state_dir)};
    else
        judge(s, &c, e, &out, &end);
    note = queue_note(s->queue, index);
    if (note != NULL && note->began > 0 && clock_wall() > note->began)
        end.seconds = clock_wall() - note->began;
    rc = queue_end(s->queue, index, e->gen, &end, &final, err);
    if (rc == 0)
        say_end(e, c.cell.id, &end, final);
    session_cell_free(&c);
    return rc;
}

static int end_claim(struct session_how *how, char **args,
                     const struct ending *e, bool release)
{
    struct relay_error err = {0};
    struct session s;
    int code;

    memset(&s, 0, sizeof(s));
    s.sweep.fd = -1;
    how->sweep = args[0];
    code = e->gen < 0
               ? relay_fail(&err, EX_USAGE, "--gen=G is missing: it is the "
                                            "gen that claim printed")
               : 0;
    if (code == 0 && e->failed != NULL)
        code = check_cause(e->failed, &err);
    if (code == 0)
        code = session_open(how, &s, &err);
    if (code == 0)
        code = record(&s, args[1], e, release, &err);
    if (code != 0)
        code = cli_fail(SSWEEP, &err);
    session_close(&s);
    return code;
}

int ssweep_finish(int argc, char **argv)
{
    struct session_how how = {.change = true, .owner_pid = getppid()};
    struct ending e = {.gen = -1, .step = -1};
    const struct cli_option options[] = {
        {"gen", '\0', CLI_INT, &e.gen, "G", "of the claim, as claim said"},
        {"failed", '\0', CLI_TEXT, &e.failed, "CAUSE",
         "it failed; preempted, requeued, node_fail, cancelled and timeout "
         "do not count"},
        {"why", '\0', CLI_TEXT, &e.why, "TEXT", "one sentence about it"},
        {"accept", '\0', CLI_FLAG, &e.accept, NULL,
         "it is done, whatever its completion contract says"},
        {"step", '\0', CLI_INT, &e.step, "N", "the last step"},
        {"json", '\0', CLI_FLAG, &e.json, NULL, "print an object"},
        OWNER_OPTIONS(how),
        OUT_ROOT_OPTION(how),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SSWEEP, "finish", "[OPTION]... SWEEP ID --gen=G",
        "Records that a claimed cell's program ended with 0. Its completion\n"
        "contract is checked: what does not meet it has failed, and without a\n"
        "contract what gives no proof is unproven. Prints what became of it.",
        options, 2, 2};
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    return end_claim(&how, args, &e, false);
}

int ssweep_release(int argc, char **argv)
{
    struct session_how how = {.change = true, .owner_pid = getppid()};
    struct ending e = {.gen = -1, .step = -1};
    const struct cli_option options[] = {
        {"gen", '\0', CLI_INT, &e.gen, "G", "of the claim, as claim said"},
        {"why", '\0', CLI_TEXT, &e.why, "TEXT", "one sentence about it"},
        {"step", '\0', CLI_INT, &e.step, "N", "the last step"},
        {"json", '\0', CLI_FLAG, &e.json, NULL, "print an object"},
        OWNER_OPTIONS(how),
        OUT_ROOT_OPTION(how),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SSWEEP, "release", "[OPTION]... SWEEP ID --gen=G",
        "Gives a claimed cell back: the next worker goes on with it. Counts\n"
        "against nothing.",
        options, 2, 2};
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    return end_claim(&how, args, &e, true);
}
