#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#ifndef RELAY_VERSION
#define RELAY_VERSION "unknown" /* the build says it: PACKAGE_VERSION */
#endif

enum { MAX_OPTIONS = 24, HELP_VAL = 1000, VERSION_VAL, FIRST_VAL };

/* ---- options ---------------------------------------------------------- */

/* Our table as getopt_long wants it. */
struct getopt_tables {
    struct option longs[MAX_OPTIONS + 3];
    char shorts[3 * MAX_OPTIONS + 4];
};

static void fill_tables(const struct cli_option *options,
                        struct getopt_tables *t)
{
    size_t n = 0;
    size_t s = 0;
    const struct cli_option *o;

    memset(t, 0, sizeof(*t));
    t->shorts[s++] = ':'; /* we print the errors ourselves */
    t->shorts[s++] = 'h';
    for (o = options; o != NULL && o->name != NULL && n < MAX_OPTIONS; o++) {
        int has = o->kind == CLI_FLAG  ? no_argument
                  : o->kind == CLI_OPT ? optional_argument
                                       : required_argument;

        t->longs[n] = (struct option){.name = o->name, .has_arg = has,
                                      .val = FIRST_VAL + (int)n};
        n++;
        if (o->letter == '\0')
            continue;
        t->shorts[s++] = o->letter;
        if (has == required_argument)
            t->shorts[s++] = ':';
    }
    t->longs[n++] = (struct option){.name = "help", .val = HELP_VAL};
    t->longs[n] = (struct option){.name = "version", .val = VERSION_VAL};
}

static void print_usage(const struct cli_spec *spec, FILE *stream)
{
    fprintf(stream, "Usage: %s%s%s %s\n", spec->program,
            spec->command != NULL ? " " : "",
            spec->command != NULL ? spec->command : "", spec->usage);
}

static void print_option(const char *name, char letter, const char *arg,
                         bool optional, const char *help)
{
    char left[64];
    int used;

    used = snprintf(left, sizeof(left), letter != '\0' ? "  -%c, --%s"
                                                       : "  %c   --%s",
                    letter != '\0' ? letter : ' ', name);
    if (arg != NULL && used > 0 && (size_t)used < sizeof(left))
        snprintf(left + used, sizeof(left) - (size_t)used,
                 optional ? "[=%s]" : "=%s", arg);
    printf("%-28s %s\n", left, help);
}

static void print_help(const struct cli_spec *spec)
{
    const struct cli_option *o;

    print_usage(spec, stdout);
    printf("\n%s\n\nOptions:\n", spec->about);
    for (o = spec->options; o != NULL && o->name != NULL; o++)
        print_option(o->name, o->letter, o->arg, o->kind == CLI_OPT, o->help);
    print_option("help", 'h', NULL, false, "this text");
    print_option("version", '\0', NULL, false, "the version");
}

static int usage_error(const struct cli_spec *spec, int *code)
{
    fprintf(stderr, "Try '%s%s%s --help'.\n", spec->program,
            spec->command != NULL ? " " : "",
            spec->command != NULL ? spec->command : "");
    *code = EX_USAGE;
    return 1;
}

static int set_value(const struct cli_spec *spec, const struct cli_option *o,
                     const char *text)
{
    char *end;

    switch (o->kind) {
    case CLI_FLAG:
        *(bool *)o->value = true;
        return 0;
    case CLI_TEXT:
        *(const char **)o->value = text;
        return 0;
    case CLI_OPT:
        *(const char **)o->value = text != NULL ? text : "";
        return 0;
    case CLI_INT:
        break;
    }
    errno = 0;
    *(int64_t *)o->value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' ||
        *(int64_t *)o->value < 0) {
        fprintf(stderr, "%s: --%s=%s: a number is needed\n", spec->program,
                o->name, text);
        return -1;
    }
    return 0;
}

static const struct cli_option *by_letter(const struct cli_option *options,
                                          int letter)
{
    const struct cli_option *o;

    for (o = options; o != NULL && o->name != NULL; o++) {
        if (o->letter == letter)
            return o;
    }
    return NULL;
}

static int take_option(const struct cli_spec *spec, int val, char **argv,
                       int *code)
{
    const struct cli_option *o;

    if (val == HELP_VAL || val == 'h') {
        print_help(spec);
        return 1;
    }
    if (val == VERSION_VAL) {
        printf("%s (slurm-relay) %s\n", spec->program, RELAY_VERSION);
        return 1;
    }
    if (val == ':' || val == '?') {
        fprintf(stderr, "%s: %s: %s\n", spec->program, argv[optind - 1],
                val == ':' ? "an argument is missing" : "no such option");
        return usage_error(spec, code);
    }
    o = val >= FIRST_VAL ? &spec->options[val - FIRST_VAL]
                         : by_letter(spec->options, val);
    if (o == NULL || set_value(spec, o, optarg) != 0)
        return usage_error(spec, code);
    return 0;
}

int cli_parse(const struct cli_spec *spec, int argc, char **argv, char ***args,
              int *nargs, int *code)
{
    struct getopt_tables tables;
    int val;

    *code = 0;
    fill_tables(spec->options, &tables);
    optind = 0; /* glibc: begin anew, a tool parses twice */
    while ((val = getopt_long(argc, argv, tables.shorts, tables.longs,
                              NULL)) != -1) {
        if (take_option(spec, val, argv, code) != 0)
            return 1;
    }
    *args = argv + optind;
    *nargs = argc - optind;
    if (*nargs >= spec->min_args &&
        (spec->max_args < 0 || *nargs <= spec->max_args))
        return 0;
    if (*nargs < spec->min_args)
        fprintf(stderr, "%s: an argument is missing\n", spec->program);
    else
        fprintf(stderr, "%s: %s: one argument too many\n", spec->program,
                (*args)[spec->max_args]);
    print_usage(spec, stderr);
    return usage_error(spec, code);
}

/* ---- output ----------------------------------------------------------- */

int cli_fail(const char *program, const struct relay_error *err)
{
    char text[sizeof(err->text)];

    cli_clean(err->text, text, sizeof(text));
    fprintf(stderr, "%s: %s\n", program, text);
    return err->code != 0 ? err->code : EX_SOFTWARE;
}

bool cli_color(FILE *stream)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    if (no_color != NULL && no_color[0] != '\0')
        return false;
    if (term != NULL && strcmp(term, "dumb") == 0)
        return false;
    return isatty(fileno(stream)) == 1;
}

void cli_field(const char *name, const char *text)
{
    char clean[2300];

    cli_clean(text, clean, sizeof(clean));
    printf("%-10s %s\n", name, clean);
}

int cli_json(struct json_object *obj)
{
    if (obj == NULL)
        return EX_OSERR;
    printf("%s\n", json_object_to_json_string_ext(
                       obj, JSON_C_TO_STRING_PRETTY |
                                JSON_C_TO_STRING_SPACED |
                                JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(obj);
    return 0;
}

int cli_finish(const char *program, int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "%s: writing the output: %s\n", program, strerror(errno));
    return EX_IOERR;
}

void cli_clean(const char *text, char *out, size_t size)
{
    size_t i;

    for (i = 0; text[i] != '\0' && i + 1 < size; i++)
        out[i] = iscntrl((unsigned char)text[i]) && text[i] != '\n' ? '?'
                                                                    : text[i];
    out[i] = '\0';
}
