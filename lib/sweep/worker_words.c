/* The words that run a cell. */
#include <sysexits.h>

#include "worker.h"

/* What the user typed behind --, then the source's words. */
static int plain(const struct sweep *sweep, const struct cell *cell,
                 char *const *command, struct words *argv,
                 struct relay_error *err)
{
    struct words args = {0};
    size_t i;
    int rc = roster_args(sweep->roster, cell, &args, err);

    for (; rc == 0 && *command != NULL; command++)
        rc = words_add(argv, *command, err);
    for (i = 0; rc == 0 && i < args.n; i++)
        rc = words_add(argv, args.word[i], err);
    words_free(&args);
    return rc;
}

static int check(const struct sweep *sweep, char *const *command,
                 struct relay_error *err)
{
    const struct roster_info *info = roster_info(sweep->roster);

    if (info->kind == ROSTER_JOBS)
        return relay_fail(err, EX_USAGE,
                          "%s is a directory of job scripts: its cells are "
                          "submitted, not run", sweep->name);
    if (command == NULL && info->kind != ROSTER_WANDB)
        return relay_fail(err, EX_USAGE,
                          "%s says what to run with, but not which program: "
                          "add it behind --, as in `-- python train.py`",
                          sweep->name);
    return 0;
}

int worker_words(const struct sweep *sweep, const struct cell *cell,
                 char *const *command, const char *json_path,
                 struct words *argv, struct relay_error *err)
{
    const struct roster_info *info = roster_info(sweep->roster);
    const struct command_spec spec = {
        .command = info->command,
        .program = info->program,
        .json_path = json_path,
        .prefix = command,
        .strict = sweep->options.strict_wandb};

    if (check(sweep, command, err) != 0)
        return -1;
    if (info->kind != ROSTER_WANDB)
        return plain(sweep, cell, command, argv, err);
    if (command_make(&spec, &cell->params, argv, err) != 0)
        return -1;
    return argv->n > 0 ? 0
                       : relay_fail(err, EX_DATAERR,
                                    "the command of %s is empty",
                                    sweep->name);
}
