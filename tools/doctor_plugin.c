/* sresume doctor: is relay.so loaded here, and with sensible arguments? */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"
#include "doctor.h"
#include "file.h"
#include "slurmenv.h"

enum { STACK_DEPTH = 8, MAX_WORDS = 24 };

/* Where the plug stack names relay.so. */
struct stack {
    char file[PATH_MAX];
    int line;
    bool required;
    char path[PATH_MAX];
    char words[2048]; /* the arguments, blanks between them */
    bool found;
};

static void read_stack(struct findings *f, const char *file, int depth,
                       struct stack *stack);

/* The next word of *text, which goes on behind it; NULL at the end. */
static char *next_word(char **text)
{
    char *word;

    do {
        word = strsep(text, " \t");
    } while (word != NULL && *word == '\0');
    return word;
}

/* include PATTERN, relative to the directory of the file. */
static void read_included(struct findings *f, const char *file,
                          const char *pattern, int depth, struct stack *stack)
{
    char full[PATH_MAX];
    glob_t found;
    size_t i;
    const char *slash = strrchr(file, '/');

    if (pattern[0] == '/' || slash == NULL)
        snprintf(full, sizeof(full), "%s", pattern);
    else
        snprintf(full, sizeof(full), "%.*s/%s", (int)(slash - file), file,
                 pattern);
    if (glob(full, 0, NULL, &found) != 0)
        return;
    for (i = 0; i < found.gl_pathc; i++)
        read_stack(f, found.gl_pathv[i], depth + 1, stack);
    globfree(&found);
}

static void read_line(struct findings *f, const char *file, int number,
                      char *text, int depth, struct stack *stack)
{
    char *rest = text;
    char *kind;
    char *path;
    const char *base;

    text[strcspn(text, "#\r")] = '\0';
    kind = next_word(&rest);
    path = kind != NULL ? next_word(&rest) : NULL;
    if (path == NULL)
        return;
    if (strcmp(kind, "include") == 0) {
        read_included(f, file, path, depth, stack);
        return;
    }
    base = strrchr(path, '/');
    base = base != NULL ? base + 1 : path;
    if (strcmp(base, "relay.so") != 0)
        return;
    if (stack->found) {
        finding(f, FINDING_WARN, "plugin",
                "%s:%d loads relay.so a second time (first: %s:%d)", file,
                number, stack->file, stack->line);
        return;
    }
    stack->found = true;
    stack->line = number;
    stack->required = strcmp(kind, "required") == 0;
    snprintf(stack->file, sizeof(stack->file), "%s", file);
    snprintf(stack->path, sizeof(stack->path), "%s", path);
    snprintf(stack->words, sizeof(stack->words), "%s",
             rest != NULL ? rest : "");
}

static void read_stack(struct findings *f, const char *file, int depth,
                       struct stack *stack)
{
    struct relay_error err = {0};
    char *text, *line, *next;
    int number = 0;

    if (depth > STACK_DEPTH)
        return;
    text = file_read(AT_FDCWD, file, 1 << 20, NULL, &err);
    if (text == NULL) {
        finding(f, FINDING_INFO, "plugin", "%s", err.text);
        return;
    }
    for (line = text; line != NULL && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        read_line(f, file, ++number, line, depth, stack);
    }
    free(text);
}

/* PlugStackConfig, else plugstack.conf beside slurm.conf. */
static void stack_file(const struct slurm_config *slurm, char *file,
                       size_t size)
{
    const char *conf = slurmenv("SLURM_CONF");
    const char *slash;

    if (slurm_value(slurm, "PlugStackConfig", file, size) && file[0] == '/')
        return;
    conf = conf != NULL ? conf : "/etc/slurm/slurm.conf";
    slash = strrchr(conf, '/');
    snprintf(file, size, "%.*s/plugstack.conf",
             slash != NULL ? (int)(slash - conf) : 1,
             slash != NULL ? conf : ".");
}

/* A plugin without a path is looked for in PluginDir's directories. */
static void find_plugin(const struct slurm_config *slurm, struct stack *stack)
{
    char dirs[PATH_MAX] = "";
    char *rest = dirs;
    char *dir;
    char path[PATH_MAX];

    if (stack->path[0] == '/' ||
        !slurm_value(slurm, "PluginDir", dirs, sizeof(dirs)))
        return;
    while ((dir = strsep(&rest, ":")) != NULL) {
        if (snprintf(path, sizeof(path), "%s/%s", dir, stack->path) >=
            (int)sizeof(path))
            continue;
        if (access(path, R_OK) == 0) {
            snprintf(stack->path, sizeof(stack->path), "%s", path);
            return;
        }
    }
}

static void check_file(struct findings *f, const struct slurm_config *slurm,
                       const struct stack *stack)
{
    struct relay_error err = {0};
    struct stat st;
    char built[32];
    char running[64] = "";

    if (stat(stack->path, &st) != 0) {
        finding(f, FINDING_FAIL, "plugin", "%s (%s:%d): %s", stack->path,
                stack->file, stack->line, strerror(errno));
        return;
    }
    if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        finding(f, FINDING_FAIL, "plugin",
                "%s is loaded by root and can be written by others: chown "
                "root, chmod 755", stack->path);
    if (doctor_plugin_release(stack->path, built, sizeof(built), &err) != 0) {
        finding(f, FINDING_FAIL, "plugin", "%s", err.text);
        return;
    }
    (void)slurm_value(slurm, "SLURM_VERSION", running, sizeof(running));
    if (running[0] != '\0' && (strncmp(running, built, strlen(built)) != 0 ||
                               running[strlen(built)] != '.'))
        finding(f, FINDING_FAIL, "plugin",
                "%s is built for Slurm %s, and this is %s: Slurm does not "
                "load it; build it again (configure --with-slurm=PREFIX)",
                stack->path, built, running);
    else
        finding(f, FINDING_OK, "plugin", "%s for Slurm %s, %s in %s:%d",
                stack->path, built, stack->required ? "required" : "optional",
                stack->file, stack->line);
}

static void check_deadline(struct findings *f,
                           const struct slurm_config *slurm, const char *name,
                           unsigned deadline, const char *own_limit)
{
    long limit = slurm_seconds(slurm, own_limit, -1);
    long message = slurm_seconds(slurm, "MessageTimeout", 10);
    const char *which = own_limit;

    if (limit < 0) {
        which = "PrologEpilogTimeout";
        limit = slurm_seconds(slurm, which, -1);
    }
    if (limit >= 0 && (long)deadline >= limit)
        finding(f, FINDING_FAIL, "deadlines",
                "%s=%u is not below %s (%ld s): Slurm drains the node first; "
                "make it %ld or less", name, deadline, which, limit,
                limit > 2 ? limit - 2 : 1);
    else if (strcmp(name, "prolog_deadline") == 0 &&
             (long)deadline > message - 2)
        finding(f, FINDING_WARN, "deadlines",
                "%s=%u is not below MessageTimeout - 2 (%ld s): users are "
                "told that the prolog hangs", name, deadline, message - 2);
    else
        finding(f, FINDING_OK, "deadlines", "%s=%u (%s: %s)", name, deadline,
                which, limit < 0 ? "not set" : "longer");
}

static void check_arguments(struct findings *f,
                            const struct slurm_config *slurm,
                            struct stack *stack)
{
    struct relay_error err = {0};
    struct relay_args args;
    char *argv[MAX_WORDS];
    char *rest = stack->words;
    char *word;
    int argc = 0;

    while (argc < MAX_WORDS && (word = next_word(&rest)) != NULL)
        argv[argc++] = word;
    if (args_parse(&args, argc, argv, &err) != 0) {
        finding(f, FINDING_FAIL, "plugin",
                "%s:%d: %s; the plugin does nothing until this is right",
                stack->file, stack->line, err.text);
        return;
    }
    if (access(args.helper, X_OK) != 0)
        finding(f, FINDING_FAIL, "plugin", "helper %s: %s", args.helper,
                strerror(errno));
    else if (args_check_files(&args, &err) != 0)
        finding(f, FINDING_FAIL, "plugin", "%s", err.text);
    if (args_switched_off(&args))
        finding(f, FINDING_WARN, "plugin",
                "the plugin is switched off on this host by %s/off",
                args.rundir);
    check_deadline(f, slurm, "prolog_deadline", args.prolog_deadline,
                   "PrologTimeout");
    check_deadline(f, slurm, "epilog_deadline", args.epilog_deadline,
                   "EpilogTimeout");
    finding(f, FINDING_INFO, "plugin",
            args.network ? "network=yes: ssh and rsync may run in prolog and "
                           "epilog"
                         : "network=no: prolog and epilog copy nothing");
}

void doctor_plugin(struct findings *f, const struct slurm_config *slurm)
{
    struct stack stack = {.found = false};
    char file[PATH_MAX];

    stack_file(slurm, file, sizeof(file));
    read_stack(f, file, 0, &stack);
    if (!stack.found) {
        finding(f, FINDING_WARN, "plugin",
                "relay.so is not in %s: sbatch has no --resume-key here; "
                "'" SRESUME " run' in a job script does without it", file);
        return;
    }
    find_plugin(slurm, &stack);
    check_file(f, slurm, &stack);
    check_arguments(f, slurm, &stack);
}
