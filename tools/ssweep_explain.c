/* ssweep explain: everything about one cell. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "clock.h"
#include "jsonfile.h"
#include "ssweep_session.h"
#include "sweep/worker.h"

struct explain {
    struct session s;
    struct session_cell c;
    uint64_t index;
    enum cell_state state;
    struct board_note note; /* all zero: there is none */
    bool noted;
    int64_t step;
    struct words argv; /* of the program; or its arguments alone */
    bool bare;         /* argv has no program */
    struct text history;
    char proof[400];  /* does it meet its contract now, and why not */
    char next[600];
    char command[400];
};

/* --- gathering ----------------------------------------------------------- */

/* What runs: the source's command, else the arguments that are put behind
 * what stands after -- . */
static int find_argv(struct explain *e, struct relay_error *err)
{
    char path[4300];

    snprintf(path, sizeof(path), "%s/.relay/params.json", e->c.dir);
    e->bare = worker_words(&e->s.sweep, &e->c.cell, NULL, path, &e->argv,
                           NULL) != 0;
    if (!e->bare)
        return 0;
    words_free(&e->argv);
    return roster_args(e->s.sweep.roster, &e->c.cell, &e->argv, err);
}

static void find_proof(struct explain *e)
{
    struct outcome out;
    struct stat st;
    char **checks;

    if (stat(e->c.dir, &st) != 0) {
        snprintf(e->proof, sizeof(e->proof), "nothing is written yet");
        return;
    }
    session_judge(&e->s, &e->c, -1, &out);
    if (out.state == CELL_DONE)
        snprintf(e->proof, sizeof(e->proof), "%s",
                 session_contract(&e->s, &checks) > 0
                     ? "the completion contract is met"
                     : "it says itself that it is completed");
    else
        snprintf(e->proof, sizeof(e->proof), "not proved to be done%s%s",
                 out.why[0] != '\0' ? ": " : "", out.why);
}

#define NEXT(e, ...) snprintf((e)->next, sizeof((e)->next), __VA_ARGS__)
#define TYPE(e, word, options)                                                \
    snprintf((e)->command, sizeof((e)->command), SSWEEP " %s %s %s%s", word,  \
             (e)->s.sweep.path, (e)->c.cell.id, options)

static void advise_waiting(struct explain *e)
{
    if (e->c.cell.withdrawn) {
        NEXT(e, "nothing: its line in %s is commented out",
             e->s.sweep.source);
        e->command[0] = '\0';
        return;
    }
    if (e->state == CELL_PARTIAL && e->step >= 0)
        NEXT(e, "the next worker goes on with it, from step %" PRId64,
             e->step);
    else if (e->state == CELL_PARTIAL)
        NEXT(e, "the next worker goes on with it, before it takes new ones");
    else
        NEXT(e, "a worker takes it when its turn comes");
    snprintf(e->command, sizeof(e->command), SSWEEP " run %s",
             e->s.sweep.path);
}

/* What would happen now, and what to type. */
static void advise(struct explain *e)
{
    switch (e->state) {
    case CELL_WAITING:
    case CELL_PARTIAL:
        advise_waiting(e);
        break;
    case CELL_RUNNING:
        NEXT(e, "its worker goes on; if that dies, another takes the cell "
                "over as soon as it is known to be dead");
        TYPE(e, "logs", " -f");
        break;
    case CELL_DONE:
        NEXT(e, "nothing: it is done");
        TYPE(e, "retry", " --force");
        break;
    case CELL_UNPROVEN:
        NEXT(e, "nothing by itself: it ended well without proof that it is "
                "done. 'accept' takes it as it is, 'retry --force' runs it "
                "again");
        TYPE(e, "accept", "");
        break;
    case CELL_FAILED:
        NEXT(e, "nothing by itself: it failed %d times, and retries are %d. "
                "Look at its log, then let it run again", e->note.failures,
             e->s.sweep.retries);
        TYPE(e, "retry", "");
        break;
    case CELL_QUARANTINED:
        NEXT(e, "nothing by itself: it is held back (%s). Remove the cause, "
                "then let it run again",
             e->note.cause[0] != '\0' ? e->note.cause : "by a person");
        TYPE(e, "retry", "");
        break;
    case CELL_STATES:
        break;
    }
}

static int gather(struct explain *e, const char *typed,
                  struct relay_error *err)
{
    const struct board_note *note;

    if (sweep_find(&e->s.sweep, typed, &e->index, err) != 0 ||
        session_cell(&e->s, e->index, &e->c, err) != 0 ||
        find_argv(e, err) != 0)
        return -1;
    e->state = queue_state(e->s.queue, e->index);
    note = queue_note(e->s.queue, e->index);
    e->noted = note != NULL;
    e->note.step = -1;
    if (note != NULL)
        e->note = *note;
    e->step = outcome_step(e->c.dir, e->c.state_dir);
    e->step = e->note.step > e->step ? e->note.step : e->step;
    if (queue_history(e->s.queue, e->index, &e->history, err) != 0)
        return -1;
    find_proof(e);
    advise(e);
    return 0;
}

/* --- for people ---------------------------------------------------------- */

static void print_value(const char *name, const struct value *v)
{
    struct text out = {0};

    text_printf(&out, "  %s = ", name);
    value_repr(v, &out);
    if (out.s != NULL)
        cli_clean(out.s, out.s, out.len + 1); /* in its place */
    printf("%s\n", text_str(&out));
    text_free(&out);
}

static void print_params(const struct explain *e)
{
    const struct value *params = &e->c.cell.params;
    size_t i;

    printf("parameters\n");
    for (i = 0; i < params->n; i++)
        print_value(params->keys[i], &params->items[i]);
}

static void print_history(const struct explain *e)
{
    const char *at = text_str(&e->history);
    char line[1200], clean[1200];

    printf("history\n");
    if (*at == '\0')
        printf("  it was never claimed\n");
    while (*at != '\0') {
        size_t len = strcspn(at, "\n");

        snprintf(line, sizeof(line), "%.*s", (int)len, at);
        cli_clean(line, clean, sizeof(clean));
        printf("  %s\n", clean);
        at += len + (at[len] == '\n');
    }
}

static void print_text(const struct explain *e)
{
    struct text argv = {0};
    char text[300];
    char **checks;
    size_t n = session_contract(&e->s, &checks), i;

    snprintf(text, sizeof(text), "%s (index %" PRIu64 ")", e->c.cell.id,
             e->index);
    cli_field("cell", text);
    cli_field("sweep", e->s.sweep.path);
    snprintf(text, sizeof(text), "%s%s%s%s",
             e->c.cell.withdrawn ? "withdrawn" : cell_state_name(e->state),
             e->note.cause[0] != '\0' ? " (" : "", e->note.cause,
             e->note.cause[0] != '\0' ? ")" : "");
    cli_field("state", text);
    if (e->note.why[0] != '\0')
        cli_field("why", e->note.why);
    if (e->step >= 0) {
        snprintf(text, sizeof(text), "%" PRId64, e->step);
        cli_field("step", text);
    }
    command_quote(&e->argv, &argv);
    cli_field(e->bare ? "arguments" : "command", text_str(&argv));
    text_free(&argv);
    cli_field("directory", e->c.dir);
    if (e->c.key[0] != '\0') {
        cli_field("key", e->c.key);
        cli_field("hash", e->c.hash);
    }
    if (e->c.state_dir != NULL)
        cli_field("resumes in", e->c.state_dir);
    for (i = 0; i < n; i++)
        cli_field(i == 0 ? "contract" : "", checks[i]);
    cli_field("proof", e->proof);
    print_params(e);
    print_history(e);
    cli_field("next", e->next);
    if (e->command[0] != '\0')
        cli_field("type", e->command);
}

/* --- JSON ---------------------------------------------------------------- */

static struct json_object *words_json(char *const *word, size_t n)
{
    struct json_object *array = json_object_new_array();
    size_t i;

    for (i = 0; i < n; i++)
        json_object_array_add(array, json_object_new_string(word[i]));
    return array;
}

static struct json_object *lines_json(const char *at)
{
    struct json_object *array = json_object_new_array();

    while (*at != '\0') {
        size_t len = strcspn(at, "\n");

        json_object_array_add(array,
                              json_object_new_string_len(at, (int)len));
        at += len + (at[len] == '\n');
    }
    return array;
}

static struct json_object *params_json(const struct value *params)
{
    struct text out = {0};
    struct json_object *obj;

    value_json(params, &out);
    obj = json_parse(text_str(&out), out.len, "params", NULL);
    text_free(&out);
    return obj;
}

static int print_json(const struct explain *e)
{
    struct json_object *obj = json_object_new_object();
    struct owner own;
    char **checks;
    size_t n = session_contract(&e->s, &checks);
    bool runs = e->state == CELL_RUNNING && e->noted &&
                queue_writer(e->s.queue, e->note.writer, &own);

    json_add_int(obj, "index", (int64_t)e->index);
    json_add_str(obj, "id", e->c.cell.id);
    json_add_str(obj, "sweep", e->s.sweep.path);
    json_add_str(obj, "state", cell_state_name(e->state));
    json_add_bool(obj, "withdrawn", e->c.cell.withdrawn);
    json_object_object_add(obj, "gen",
                           e->noted ? json_object_new_int64(e->note.gen)
                                    : NULL);
    json_object_object_add(obj, "step",
                           e->step >= 0 ? json_object_new_int64(e->step)
                                        : NULL);
    json_add_int(obj, "failures", e->note.failures);
    json_add_str(obj, "cause", e->note.cause[0] != '\0' ? e->note.cause
                                                        : NULL);
    json_add_str(obj, "why", e->note.why[0] != '\0' ? e->note.why : NULL);
    json_object_object_add(obj, "owner", runs ? owner_to_json(&own) : NULL);
    json_object_object_add(obj, "params", params_json(&e->c.cell.params));
    json_object_object_add(obj, "argv", words_json(e->argv.word, e->argv.n));
    json_add_bool(obj, "program", !e->bare);
    json_add_str(obj, "dir", e->c.dir);
    json_add_str(obj, "key", e->c.key[0] != '\0' ? e->c.key : NULL);
    json_add_str(obj, "hash", e->c.hash[0] != '\0' ? e->c.hash : NULL);
    json_add_str(obj, "resume_dir", e->c.state_dir);
    json_object_object_add(obj, "contract", words_json(checks, n));
    json_add_str(obj, "proof", e->proof);
    json_object_object_add(obj, "history", lines_json(text_str(&e->history)));
    json_add_str(obj, "next", e->next);
    json_add_str(obj, "command", e->command[0] != '\0' ? e->command : NULL);
    return cli_json(obj);
}

int ssweep_explain(int argc, char **argv)
{
    struct session_how how = {0};
    bool json = false;
    const struct cli_option options[] = {
        {"json", '\0', CLI_FLAG, &json, NULL, "print an object"},
        OUT_ROOT_OPTION(how),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SSWEEP, "explain", "[OPTION]... SWEEP CELL",
        "Everything about one cell: parameters, command, directory, state,\n"
        "what happened to it with the evidence, what comes next, and what to\n"
        "type.",
        options, 2, 2};
    struct relay_error err = {0};
    struct explain e;
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    memset(&e, 0, sizeof(e));
    how.sweep = args[0];
    if (session_open(&how, &e.s, &err) != 0 || gather(&e, args[1], &err) != 0)
        code = cli_fail(SSWEEP, &err);
    else if (json)
        code = print_json(&e);
    else
        print_text(&e);
    text_free(&e.history);
    words_free(&e.argv);
    session_cell_free(&e.c);
    session_close(&e.s);
    return code;
}
