/* ssweep create: the directory of a sweep. */
#include <limits.h>
#include <stdio.h>
#include <sysexits.h>

#include "ssweep_source.h"

int ssweep_create(int argc, char **argv)
{
    struct sweep_create create = {.progress = ssweep_progress};
    struct source_args source = SOURCE_ARGS_INIT;
    const struct cli_option options[] = {
        {"output", 'o', CLI_TEXT, &create.dir, "DIR",
         "make DIR (default: SOURCE's name with .sweep, here)"},
        SOURCE_OPTIONS(source),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SSWEEP, "create", "[OPTION]... SOURCE",
        "Makes the queue of a source and prints its directory. SOURCE is a\n"
        "W&B sweep file (.yaml), a CSV (a row is a cell), a queue file (a\n"
        "line `cfg task [epochs]` is a cell), or a directory of\n"
        "NAME/JOB.slurm. The directory belongs on a file system that all\n"
        "workers see. When it is there already, of this very source, that is\n"
        "fine; a CSV and a queue file may have grown.",
        options, 1, 1};
    struct relay_error err = {0};
    struct lint lint = {0};
    char path[PATH_MAX];
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0 ||
        (code = source_args_take(&source)) != 0)
        return code;
    create.source = args[0];
    create.options = source.options;
    if (sweep_create(&create, path, sizeof(path), &lint, &err) != 0) {
        ssweep_warn(&lint);
        return cli_fail(SSWEEP, &err);
    }
    ssweep_warn(&lint);
    printf("%s\n", path);
    return 0;
}
