/* ssweep: the sweep queue. */
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "ssweep.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *about;
} commands[] = {
    {"create", ssweep_create, "make the queue of a sweep file"},
    {"cells", ssweep_cells, "the cells of a sweep, or of a file"},
    {"run", ssweep_run, "run cell after cell, inside a job"},
    {"exec", ssweep_exec, "a command with the arguments of the job's cell"},
    {"status", ssweep_status, "how far it is, and what needs a person"},
    {"explain", ssweep_explain, "everything about one cell"},
    {"claim", ssweep_claim, "take the next cell (for scripts)"},
    {"finish", ssweep_finish, "record how a claimed cell ended"},
    {"release", ssweep_release, "give a claimed cell back"},
    {"retry", ssweep_retry, "let cells run again"},
    {"accept", ssweep_accept, "declare unproven cells done"},
    {"cancel", ssweep_cancel, "stop a cell, or hold it back"},
    {"logs", ssweep_logs, "what a cell's program printed"},
    {"wait", ssweep_wait, "until nothing is left to do"},
    {"verify", ssweep_verify, "the roster against what is on disk"},
    {NULL, NULL, NULL},
};

static void print_help(void)
{
    size_t i;

    printf("Usage: " SSWEEP " COMMAND [OPTION]... [ARGUMENT]...\n\n"
           "A queue of trainings, one for each cell of a sweep file.\n"
           "SWEEP is a sweep's directory, or the file that it was made of.\n"
           "CELL is an id, its beginning (8 characters), or #INDEX.\n\n"
           "Commands:\n");
    for (i = 0; commands[i].name != NULL; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].about);
    printf("\n'" SSWEEP " COMMAND --help' says more; ssweep(1) says all.\n");
}

static int run_command(int argc, char **argv)
{
    static const struct cli_spec spec = {.program = SSWEEP, .max_args = -1};
    char **args;
    int nargs, code;
    size_t i;

    if (argc < 2) {
        fprintf(stderr, SSWEEP ": which command? Try '" SSWEEP " --help'.\n");
        return EX_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help();
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)cli_parse(&spec, 2, argv, &args, &nargs, &code);
        return code;
    }
    for (i = 0; commands[i].name != NULL; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, SSWEEP ": %s: no such command. Try '" SSWEEP
                           " --help'.\n", argv[1]);
    return EX_USAGE;
}

int main(int argc, char **argv)
{
    /* Characters as the user's terminal has them; numbers stay as in C. */
    (void)setlocale(LC_CTYPE, "");
    return cli_finish(SSWEEP, run_command(argc, argv));
}
