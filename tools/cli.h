/*
 * What all our tools share on the command line: GNU long options from one
 * table (--help is made of it), tables, JSON, colours and the error line.
 */
#ifndef RELAY_CLI_H
#define RELAY_CLI_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "error.h"

enum cli_kind {
    CLI_FLAG, /* value is a bool */
    CLI_TEXT, /* value is a const char * */
    CLI_OPT,  /* as CLI_TEXT, the argument is optional: "" without one */
    CLI_INT   /* value is an int64_t, 0 or more */
};

struct cli_option {
    const char *name; /* long name; a table ends with a NULL name */
    char letter;      /* short one, or 0 */
    enum cli_kind kind;
    void *value;
    const char *arg; /* "DIR", for --help; NULL for a flag */
    const char *help;
};

/* One command (or a tool without commands). */
struct cli_spec {
    const char *program; /* "sresume" */
    const char *command; /* "list", or NULL */
    const char *usage;   /* what follows: "[OPTION]... KEY" */
    const char *about;   /* a few lines for --help */
    const struct cli_option *options;
    int min_args;
    int max_args; /* -1: any number */
};

struct cli_command {
    const char *name; /* a table ends with a NULL name */
    int (*run)(int argc, char **argv); /* argv[0] is the command */
    const char *about;                 /* one line for --help */
};

/* A tool of commands. */
struct cli_tool {
    const char *program;
    const char *about; /* a few lines for --help, with their newlines */
    const struct cli_command *commands;
};

/* All that main does: the locale, --help, --version, the command, and
 * cli_finish. Returns the exit code. */
int cli_main(const struct cli_tool *tool, int argc, char **argv);

/* Parses argv (argv[0] is the command's own name), fills the values and sets
 * *args to the first argument that is no option (NULL-terminated, *nargs of
 * them). Returns 0 to go on; else the tool ends with *code: after --help and
 * --version (1, *code 0), and after a usage error, already printed
 * (1, *code EX_USAGE). */
int cli_parse(const struct cli_spec *spec, int argc, char **argv, char ***args,
              int *nargs, int *code);

/* Prints "PROGRAM: TEXT" on stderr; returns err->code (EX_SOFTWARE when it
 * was never set). */
int cli_fail(const char *program, const struct relay_error *err);

/* True when stream is a terminal and NO_COLOR is not set. */
bool cli_color(FILE *stream);

/* Prints obj, indented, on stdout, and puts it. 0, or EX_OSERR for NULL. */
int cli_json(struct json_object *obj);

/* Flushes stdout: code, or EX_IOERR (with a message) when what was printed
 * did not arrive. The last thing main does. */
int cli_finish(const char *program, int code);

/* Copies text with control characters (terminal escapes in a run's name)
 * made '?'; for whatever comes from a file and goes to a terminal. */
void cli_clean(const char *text, char *out, size_t size);

/* "NAME       TEXT", a line of a description of one thing; text is cleaned. */
void cli_field(const char *name, const char *text);

/* Columns as wide as their widest cell. Cells are added row by row. */
struct cli_table {
    const char *const *heads; /* NULL-terminated, not copied */
    const char *align;        /* a letter for each column: l or r */
    size_t cols;
    struct cli_cell *cells;
    size_t n;
    size_t room;
    bool broken; /* out of memory: printing fails */
};

void cli_table_init(struct cli_table *table, const char *const *heads,
                    const char *align);

/* Adds a cell (copied, cleaned). color is an SGR code such as "31", or NULL. */
void cli_table_add(struct cli_table *table, const char *text,
                   const char *color);

/* Prints header and rows; 0, or EX_OSERR out of memory. */
int cli_table_print(const struct cli_table *table, FILE *stream);

void cli_table_free(struct cli_table *table);

#endif
