/* ssweep retry, accept, cancel: a person's word about cells. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ssweep_session.h"
#include "sweep/cellfiles.h"

/* Indices of cells that somebody means. */
struct chosen {
    uint64_t *index;
    size_t n;
    size_t room;
    bool wanted[CELL_STATES]; /* all cells in these states, too */
};

static int choose(struct chosen *chosen, uint64_t index)
{
    size_t room = chosen->room == 0 ? 64 : chosen->room * 2;
    uint64_t *more;

    if (chosen->n == chosen->room) {
        more = realloc(chosen->index, room * sizeof(*more));
        if (more == NULL)
            return -1;
        chosen->index = more;
        chosen->room = room;
    }
    chosen->index[chosen->n++] = index;
    return 0;
}

static int choose_by_state(void *arg, const struct board_note *note,
                           enum cell_state state)
{
    struct chosen *chosen = arg;

    return chosen->wanted[state] ? choose(chosen, note->index) : 0;
}

static int choose_all(const struct session *s, char **typed,
                      struct chosen *chosen, struct relay_error *err)
{
    uint64_t index;

    for (; *typed != NULL; typed++) {
        if (sweep_find(&s->sweep, *typed, &index, err) != 0)
            return -1;
        if (choose(chosen, index) != 0)
            return relay_fail(err, EX_OSERR, "out of memory");
    }
    if (queue_each_note(s->queue, choose_by_state, chosen) != 0)
        return relay_fail(err, EX_OSERR, "out of memory");
    return 0;
}

/* --- one cell ------------------------------------------------------------ */

/* What is done to each cell. */
struct deed {
    int (*act)(struct session *s, uint64_t index, bool force,
               struct relay_error *err);
    bool force;
};

/* Nobody works on a cell in one of these states, or may begin to. */
static bool is_settled(enum cell_state state)
{
    return state == CELL_DONE || state == CELL_UNPROVEN ||
           state == CELL_FAILED || state == CELL_QUARANTINED;
}

static int retry(struct session *s, uint64_t index, bool force,
                 struct relay_error *err)
{
    bool aside = force && is_settled(queue_state(s->queue, index));
    struct cellfiles_kept kept;
    struct session_cell c;
    int rc = session_cell(s, index, &c, err);

    /* First, for the next worker may begin as soon as it is waiting. */
    if (rc == 0 && aside)
        rc = cellfiles_keep(c.dir, &kept, err);
    if (rc == 0) {
        rc = queue_settle(s->queue, index, "retry", force, err);
        if (rc != 0 && aside)
            cellfiles_put_back(c.dir, &kept); /* as it was */
    }
    if (rc == 0)
        printf("%s: %s\n", c.cell.id,
               cell_state_name(queue_state(s->queue, index)));
    if (rc == 0 && aside && c.key[0] != '\0' &&
        outcome_step(c.dir, c.state_dir) >= 0)
        fprintf(stderr, SSWEEP ": %s still has a state to resume from; "
                               "'sresume reset %s' sets that aside, too\n",
                c.cell.id, c.key);
    session_cell_free(&c);
    return rc;
}

static int accept_it(struct session *s, uint64_t index, bool force,
                     struct relay_error *err)
{
    char id[CELL_ID_MAX + 1];

    if (roster_id(s->sweep.roster, index, id, err) != 0 ||
        queue_settle(s->queue, index, "accept", force, err) != 0)
        return -1;
    printf("%s: %s\n", id, cell_state_name(queue_state(s->queue, index)));
    return 0;
}

static int cancel(struct session *s, uint64_t index, bool force,
                  struct relay_error *err)
{
    enum cell_state state = queue_state(s->queue, index);
    char id[CELL_ID_MAX + 1];

    if (roster_id(s->sweep.roster, index, id, err) != 0)
        return -1;
    if (is_settled(state))
        return relay_fail(err, EX_DATAERR, "%s is %s: there is nothing to "
                                           "cancel", id,
                          cell_state_name(state));
    if (state == CELL_RUNNING) {
        if (queue_ask_stop(s->queue, index, err) != 0)
            return -1;
        printf("%s: its worker is asked to stop it\n", id);
        return 0;
    }
    if (queue_settle(s->queue, index, "hold", force, err) != 0)
        return -1;
    printf("%s: %s; '" SSWEEP " retry' lets it run again\n", id,
           cell_state_name(queue_state(s->queue, index)));
    return 0;
}

/* --- all of them --------------------------------------------------------- */

/* Goes on after an error: each cell is a matter of its own. */
static int do_all(struct session_how *how, char **args,
                  struct chosen *chosen, const struct deed *deed)
{
    struct relay_error err = {0};
    struct session s;
    int code = 0, one;
    size_t i;

    how->sweep = args[0];
    if (session_open(how, &s, &err) != 0 ||
        choose_all(&s, args + 1, chosen, &err) != 0) {
        code = cli_fail(SSWEEP, &err);
        chosen->n = 0;
    }
    for (i = 0; i < chosen->n; i++) {
        memset(&err, 0, sizeof(err));
        if (deed->act(&s, chosen->index[i], deed->force, &err) == 0)
            continue;
        one = cli_fail(SSWEEP, &err);
        code = code == 0 ? one : code;
    }
    session_close(&s);
    free(chosen->index);
    return code;
}

/* All three: parses nothing more, refuses to do nothing. */
static int settle(struct session_how *how, char **args, int nargs,
                  struct chosen *chosen, const struct deed *deed,
                  const char *instead)
{
    struct relay_error err = {0};
    bool some = nargs > 1;
    int i;

    for (i = 0; i < CELL_STATES; i++)
        some = some || chosen->wanted[i];
    if (some)
        return do_all(how, args, chosen, deed);
    relay_fail(&err, EX_USAGE, "which cells? Say CELL...%s", instead);
    return cli_fail(SSWEEP, &err);
}

int ssweep_retry(int argc, char **argv)
{
    struct session_how how = {.change = true};
    struct chosen chosen = {0};
    struct deed deed = {.act = retry};
    const struct cli_option options[] = {
        {"failed", '\0', CLI_FLAG, &chosen.wanted[CELL_FAILED], NULL,
         "every failed cell"},
        {"quarantined", '\0', CLI_FLAG, &chosen.wanted[CELL_QUARANTINED],
         NULL, "every quarantined cell"},
        {"force", '\0', CLI_FLAG, &deed.force, NULL,
         "a done or unproven one, too; the old stdout.log and summary.json "
         "become *.bak-TIME"},
        OUT_ROOT_OPTION(how),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SSWEEP, "retry", "[OPTION]... SWEEP [CELL]...",
        "Lets failed and quarantined cells run again; with --force also those\n"
        "that are done or unproven.",
        options, 1, -1};
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    return settle(&how, args, nargs, &chosen, &deed,
                  ", --failed or --quarantined");
}

int ssweep_accept(int argc, char **argv)
{
    struct session_how how = {.change = true};
    struct chosen chosen = {0};
    struct deed deed = {.act = accept_it};
    const struct cli_option options[] = {
        {"unproven", '\0', CLI_FLAG, &chosen.wanted[CELL_UNPROVEN], NULL,
         "every unproven cell"},
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SSWEEP, "accept", "[OPTION]... SWEEP [CELL]...",
        "Declares cells done that ended without proof of it.",
        options, 1, -1};
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    return settle(&how, args, nargs, &chosen, &deed, " or --unproven");
}

int ssweep_cancel(int argc, char **argv)
{
    struct session_how how = {.change = true};
    struct chosen chosen = {0};
    struct deed deed = {.act = cancel};
    const struct cli_option options[] = {{.name = NULL}};
    const struct cli_spec spec = {
        SSWEEP, "cancel", "SWEEP CELL...",
        "Asks the worker that runs a cell to stop it; a cell that waits is\n"
        "held back (quarantined) until 'ssweep retry'.",
        options, 2, -1};
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    return settle(&how, args, nargs, &chosen, &deed, "");
}
