/* sresume: look at, check, move and change the resume directories of runs. */
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "sresume.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *about;
} commands[] = {
    {"list", sresume_list, "the runs of this cluster and their states"},
    {"show", sresume_show, "one run: state, owner, handoff, history"},
    {"explain", sresume_explain, "what a job submitted now would do, and why"},
    {"verify", sresume_verify, "is every file of a run whole?"},
    {"run", sresume_run, "run a training with its identity (no plugin)"},
    {"rewrite", sresume_rewrite, "make run_dir one of this cluster"},
    {"sync", sresume_sync, "copy a run's state to another place"},
    {"reset", sresume_reset, "move a state aside: begin at step 0"},
    {"reopen", sresume_reopen, "let a completed run train on"},
    {"unlock", sresume_unlock, "declare a run's owner dead"},
    {"doctor", sresume_doctor, "check configuration and installation"},
    {"key", sresume_key, "the hash that a key becomes"},
    {"digest", sresume_digest, "SHA-256 of every file (plumbing)"},
};

enum { NCOMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void print_help(void)
{
    size_t i;

    printf("Usage: " SRESUME " COMMAND [OPTION]... [ARGUMENT]...\n\n"
           "Looks at and changes the state that trainings resume from.\n"
           "KEY is ENTITY/PROJECT/RUN_NAME, its hash, the beginning of the\n"
           "hash, or the exact run name.\n\nCommands:\n");
    for (i = 0; i < NCOMMANDS; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].about);
    printf("\n'" SRESUME " COMMAND --help' says more; sresume(1) says all.\n");
}

static int run_command(int argc, char **argv)
{
    static const struct cli_spec spec = {.program = SRESUME, .max_args = -1};
    char **args;
    int nargs, code;
    size_t i;

    if (argc < 2) {
        fprintf(stderr, SRESUME ": which command? Try '" SRESUME
                                " --help'.\n");
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
    for (i = 0; i < NCOMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, SRESUME ": %s: no such command. Try '" SRESUME
                            " --help'.\n", argv[1]);
    return EX_USAGE;
}

int main(int argc, char **argv)
{
    /* Characters as the user's terminal has them; numbers stay as in C. */
    (void)setlocale(LC_CTYPE, "");
    return cli_finish(SRESUME, run_command(argc, argv));
}
