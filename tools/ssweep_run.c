/* ssweep run: cell after cell, what `wandb agent` did. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ssweep_source.h"
#include "sweep/worker.h"

static const char about[] =
    "Claims cells and runs each, resumed ones first, until nothing is left\n"
    "or the time of the job is too short for another one. FILE becomes a\n"
    "sweep when it is none yet. COMMAND replaces interpreter and program of\n"
    "a sweep file; a CSV's or queue file's arguments are added to it. How a\n"
    "file is read (--epochs, ...) is settled when the sweep is made.\n"
    "Output is appended to stdout.log in each cell's directory;\n"
    "run_metadata.json there says what ran. USR1 and USR2 are passed on to\n"
    "the cells; TERM, INT and HUP end them and give them back. In a job\n"
    "script write `exec ssweep run`, for a shell does not wait for it.\n\n"
    "Exit: 0 nothing is left to claim, 65 the source has what could not be\n"
    "taken in, 70 the first minute failed three times in a row, 75 cells\n"
    "are left and the time is too short, 78 the checkout is behind, 128+N\n"
    "ended by signal N.";

/* Everything up to "--" is ours; behind it is COMMAND. */
static int find_command(int argc, char **argv, char *const **command)
{
    int own;

    *command = NULL;
    for (own = 1; own < argc; own++) {
        if (strcmp(argv[own], "--") != 0)
            continue;
        if (own + 1 < argc)
            *command = argv + own + 1;
        argv[own] = NULL; /* getopt stops there */
        return own;
    }
    return argc;
}

int ssweep_run(int argc, char **argv)
{
    struct worker_options opt = {.out = stdout, .warn = ssweep_warn};
    struct source_args source = SOURCE_ARGS_INIT;
    const struct cli_option options[] = {
        {"slots", '\0', CLI_INT, &opt.slots, "N",
         "cells at a time (default: one for each GPU, else 1)"},
        {"gpus-per-cell", '\0', CLI_INT, &opt.gpus_per_cell, "N",
         "GPUs of each cell (default: 1)"},
        {"cuda-devices", '\0', CLI_TEXT, &opt.cuda_devices, "LIST",
         "use these GPUs (default: $CUDA_VISIBLE_DEVICES)"},
        {"shard-index", '\0', CLI_INT, &opt.shard_index, "I",
         "only cells whose index modulo N (--shard-count) is I"},
        {"shard-count", '\0', CLI_INT, &opt.shard_count, "N", "see above"},
        {"max-cells", '\0', CLI_INT, &opt.max_cells, "N",
         "end after N cells"},
        {"min-time", '\0', CLI_INT, &opt.min_time, "SECONDS",
         "begin no cell with less left (default: by what\n"
         "                             a first checkpoint took)"},
        {"grace", '\0', CLI_INT, &opt.grace, "SECONDS",
         "from TERM to KILL (default: KillWait less 5 s)"},
        {"workdir", '\0', CLI_TEXT, &opt.workdir, "DIR",
         "where programs run (default: here)"},
        {"out-root", '\0', CLI_TEXT, &opt.out_root, "DIR",
         "cells write below DIR (default: as configured)"},
        {"cluster", '\0', CLI_TEXT, &opt.cluster, "NAME",
         "this cluster's name, also a tag in W&B"},
        {"wandb-group", '\0', CLI_TEXT, &opt.group, "NAME",
         "W&B group (default: the sweep's name)"},
        {"no-wandb", '\0', CLI_FLAG, &opt.no_wandb, NULL,
         "WANDB_MODE=disabled for every cell"},
        {"wandb-buffer", '\0', CLI_FLAG, &opt.wandb_buffer, NULL,
         "log offline; send what led to a checkpoint"},
        {"allow-behind", '\0', CLI_FLAG, &opt.allow_behind, NULL,
         "run although the git checkout is behind"},
        {"tracker-claim", '\0', CLI_FLAG, &opt.tracker_claim, NULL,
         "claim each cell in W&B, too: of several clusters with\n"
         "                             copies of the sweep one runs it"},
        {"tracker-optional", '\0', CLI_FLAG, &opt.tracker_optional, NULL,
         "go on when W&B cannot be asked all the same"},
        {"no-tracker", '\0', CLI_FLAG, &opt.no_tracker, NULL,
         "do not look in W&B whether another cluster has a cell"},
        {"no-peers", '\0', CLI_FLAG, &opt.no_peers, NULL,
         "run what another cluster's copy of the sweep may run, too"},
        {"dry-run", '\0', CLI_FLAG, &opt.dry_run, NULL,
         "print what would run; claim nothing"},
        SOURCE_OPTIONS(source),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SSWEEP, "run", "SWEEP|FILE [OPTION]... [-- COMMAND [ARGUMENT]...]",
        about, options, 1, 1};
    struct relay_error err = {0};
    char **args;
    int own, nargs, code;

    own = find_command(argc, argv, &opt.command);
    if (cli_parse(&spec, own, argv, &args, &nargs, &code) != 0 ||
        (code = source_args_take(&source)) != 0)
        return code;
    opt.read = source.options;
    opt.start_said = source.start_index >= 0;
    opt.source = args[0];
    code = worker_run(&opt, &err);
    return code >= 0 ? code : cli_fail(SSWEEP, &err);
}
