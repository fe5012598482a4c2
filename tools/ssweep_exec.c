/* ssweep exec: a command with the arguments of a cell, exactly, and without a
 * shell between. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "slurmenv.h"
#include "ssweep.h"
#include "sweep/cellenv.h"
#include "sweep/worker.h"

/* Which cell: SWEEP:CELL as typed, else the environment's. */
static int find_cell(const char *typed, struct sweep *sweep, uint64_t *index,
                     struct relay_error *err)
{
    const char *path = slurmenv("RELAY_SWEEP");
    const char *id = slurmenv("RELAY_CELL_ID");
    char name[4096];
    const char *colon;

    if (typed != NULL) {
        colon = strrchr(typed, ':');
        if (colon == NULL || colon == typed || colon[1] == '\0' ||
            (size_t)(colon - typed) >= sizeof(name))
            return relay_fail(err, EX_USAGE, "--cell=%s: write SWEEP:CELL",
                              typed);
        snprintf(name, sizeof(name), "%.*s", (int)(colon - typed), typed);
        path = name;
        id = colon + 1;
    }
    if (path == NULL || id == NULL)
        return relay_fail(err, EX_USAGE,
                          "this is no job of a sweep (RELAY_SWEEP and "
                          "RELAY_CELL_ID are not set): name the cell with "
                          "--cell=SWEEP:CELL");
    if (sweep_open(path, sweep, err) != 0)
        return -1;
    return sweep_find(sweep, id, index, err);
}

/* The environment that a cell has; what is there already stays. */
static int set_environment(const struct sweep *sweep, const struct cell *cell,
                           struct relay_error *err)
{
    static const struct cellenv_options plain = {.no_wandb = false};
    struct cellenv env;
    size_t i;
    int rc = cellenv_make(sweep, cell, NULL, &plain, 0, &env, err);

    for (i = 0; rc == 0 && i < env.set.n; i++) {
        char *value = strchr(env.set.word[i], '=');

        if (value == NULL)
            continue;
        *value = '\0';
        if (setenv(env.set.word[i], value + 1, 1) != 0)
            rc = relay_fail_errno(err, EX_OSERR, "%s", env.set.word[i]);
    }
    for (i = 0; rc == 0 && i < env.unset.n; i++) {
        if (strncmp(env.unset.word[i], "RELAY_", 6) != 0)
            (void)unsetenv(env.unset.word[i]); /* a name without '=' */
    }
    cellenv_free(&env);
    return rc;
}

static int make_words(const char *typed, char *const *command,
                      struct words *argv, struct relay_error *err)
{
    struct sweep sweep = {.fd = -1};
    struct cell cell = {0};
    uint64_t index;
    const char *json;
    int rc = find_cell(typed, &sweep, &index, err);

    if (rc == 0)
        rc = roster_cell(sweep.roster, index, &cell, err);
    if (rc == 0 && (typed != NULL || slurmenv("RELAY_CELL_JSON") == NULL))
        rc = set_environment(&sweep, &cell, err);
    json = slurmenv("RELAY_CELL_JSON");
    if (rc == 0)
        rc = worker_words(&sweep, &cell, command, json, argv, err);
    cell_free(&cell);
    sweep_close(&sweep);
    return rc;
}

int ssweep_exec(int argc, char **argv)
{
    const char *typed = NULL;
    const struct cli_option options[] = {
        {"cell", '\0', CLI_TEXT, &typed, "SWEEP:CELL",
         "this cell (default: the job's own)"},
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SSWEEP, "exec", "[OPTION]... [-- COMMAND [ARGUMENT]...]",
        "Becomes COMMAND with the arguments of the job's cell, each one word\n"
        "as it is. Without COMMAND: what the sweep file says.\n"
        "With --cell no claim is made: that is for trying a cell by hand.",
        options, 0, 0};
    struct relay_error err = {0};
    struct words words = {0};
    char *const *command = NULL;
    char **args;
    int own, nargs, code;

    for (own = 1; own < argc && strcmp(argv[own], "--") != 0; own++)
        continue;
    if (own + 1 < argc)
        command = argv + own + 1;
    if (own < argc)
        argv[own] = NULL; /* getopt stops there */
    if (cli_parse(&spec, own, argv, &args, &nargs, &code) != 0)
        return code;
    if (make_words(typed, command, &words, &err) == 0) {
        execvp(words.word[0], words.word);
        relay_fail_errno(&err, errno == ENOENT ? 127 : 126, "%s",
                         words.word[0]);
    }
    words_free(&words);
    return cli_fail(SSWEEP, &err);
}
