#include "cli.h"

#include <locale.h>
#include <string.h>
#include <sysexits.h>

static void print_help(const struct cli_tool *tool)
{
    const struct cli_command *command;

    printf("Usage: %s COMMAND [OPTION]... [ARGUMENT]...\n\n%s\nCommands:\n",
           tool->program, tool->about);
    for (command = tool->commands; command->name != NULL; command++)
        printf("  %-10s %s\n", command->name, command->about);
    printf("\n'%s COMMAND --help' says more; %s(1) says all.\n",
           tool->program, tool->program);
}

static int run_command(const struct cli_tool *tool, int argc, char **argv)
{
    const struct cli_spec spec = {.program = tool->program, .max_args = -1};
    const struct cli_command *command;
    char **args;
    int nargs, code;

    if (argc < 2) {
        fprintf(stderr, "%s: which command? Try '%s --help'.\n",
                tool->program, tool->program);
        return EX_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(tool);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)cli_parse(&spec, 2, argv, &args, &nargs, &code);
        return code;
    }
    for (command = tool->commands; command->name != NULL; command++) {
        if (strcmp(argv[1], command->name) == 0)
            return command->run(argc - 1, argv + 1);
    }
    fprintf(stderr, "%s: %s: no such command. Try '%s --help'.\n",
            tool->program, argv[1], tool->program);
    return EX_USAGE;
}

int cli_main(const struct cli_tool *tool, int argc, char **argv)
{
    /* Characters as the user's terminal has them; numbers stay as in C. */
    (void)setlocale(LC_CTYPE, "");
    return cli_finish(tool->program, run_command(tool, argc, argv));
}
