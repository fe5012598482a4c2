#include "submit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "become.h"
#include "clock.h"
#include "helper.h"
#include "names.h"

#define CHECK_MS 2000
#define CHECK_GRACE_MS 200

/* --- the environment ---------------------------------------------------- */

/* Names are collected first: unsetenv moves the array under a loop. */
static void unset_relay_variables(void)
{
    static const char prefix[] = "RELAY_";
    size_t i = 0;

    while (environ != NULL && environ[i] != NULL) {
        size_t len = strcspn(environ[i], "=");
        char name[128];

        if (strncmp(environ[i], prefix, sizeof(prefix) - 1) != 0 ||
            len >= sizeof(name)) {
            i++;
            continue;
        }
        memcpy(name, environ[i], len);
        name[len] = '\0';
        /* Where the configuration is is the user's choice, not the job's. */
        if (strcmp(name, "RELAY_CONFIG") == 0 || unsetenv(name) != 0)
            i++;
        else
            i = 0;
    }
}

static void unset_listed(const char *list)
{
    char *names = list != NULL ? strdup(list) : NULL;
    char *p = names;

    while (p != NULL && *p != '\0') {
        size_t len = strcspn(p, " ");
        bool last = p[len] == '\0';

        p[len] = '\0';
        if (len > 0)
            (void)unsetenv(p); /* fails on a name with '=', which is none */
        p += len + (last ? 0 : 1);
    }
    free(names);
}

static void forget_outer_job(void)
{
    char name[NAMES_MAX];
    int i;

    unset_listed(getenv("RELAY_SET"));
    unset_relay_variables();
    for (i = 0; i < OPTION_COUNT; i++) {
        option_variable((enum relay_option)i, NAMES_EXPORTED, false, name,
                        sizeof(name));
        (void)unsetenv(name);
        option_variable((enum relay_option)i, NAMES_OPTION, false, name,
                        sizeof(name));
        (void)unsetenv(name);
    }
}

/* Slurm reads the exported variable as if it were typed before the options
 * of the command line, callback included; so an option wins over its twin. */
static void read_twins(const char *prefix, bool overwrite)
{
    int i;

    for (i = 0; i < OPTION_COUNT; i++) {
        char twin[NAMES_MAX], exported[NAMES_MAX];
        const char *value;

        option_variable((enum relay_option)i, prefix, true, twin,
                        sizeof(twin));
        option_variable((enum relay_option)i, NAMES_EXPORTED, false, exported,
                        sizeof(exported));
        value = getenv(twin);
        if (value != NULL && value[0] != '\0')
            (void)setenv(exported, value, overwrite);
        (void)unsetenv(twin); /* the job must not inherit it */
    }
}

void submit_init(void)
{
    bool in_job = getenv("SLURM_JOB_ID") != NULL;
    bool step = in_job && spank_context() == S_CTX_LOCAL;

    if (!step && (in_job || getenv("RELAY_SET") != NULL))
        forget_outer_job();
    if (spank_context() == S_CTX_LOCAL) {
        /* A step's options are its job's, which may be exported to it. */
        read_twins(NAMES_TWIN_SRUN, !step);
        return;
    }
    read_twins(strcmp(program_invocation_short_name, "salloc") == 0
                   ? NAMES_TWIN_SALLOC
                   : NAMES_TWIN_SBATCH,
               true);
}

/* --- the check ---------------------------------------------------------- */

static int refuse(const struct relay_error *why)
{
    fprintf(stderr, "relay: %s\n", why->text);
    return why->code;
}

static int check_groups(const struct relay_args *args,
                        const struct relay_options *options,
                        struct relay_error *err)
{
    gid_t groups[USER_GROUPS_MAX];
    int count;

    if (args->allow_groups[0] == '\0')
        return 0;
    count = getgroups(USER_GROUPS_MAX, groups);
    if (user_in_groups(args->allow_groups, getegid(), groups, count))
        return 0;
    return relay_fail(err, EX_NOPERM,
                      "--%s is for members of %s on this cluster",
                      options_first(options), args->allow_groups);
}

struct check {
    const struct helper *helper;
    char *argv[5 + 2 * OPTION_COUNT];
};

static int run_check(void *arg)
{
    const struct check *check = arg;

    return helper_exec(check->helper, check->argv, environ, NULL);
}

/* execve promises not to write to them. */
static char *word(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void fill_check(struct check *check, const struct relay_context *c)
{
    static const char *const names[OPTION_COUNT] = {
        [OPTION_RESUME_KEY] = "--key",
        [OPTION_HANDOFF_FROM] = "--handoff-from",
        [OPTION_SWEEP_CELL] = "--sweep-cell",
    };
    char **arg = check->argv;
    int i;

    *arg++ = word(c->args.helper);
    *arg++ = word("check");
    *arg++ = word("--config");
    *arg++ = word(c->args.config);
    for (i = 0; i < OPTION_COUNT; i++)
        if (c->options.value[i][0] != '\0') {
            *arg++ = word(names[i]);
            *arg++ = word(c->options.value[i]);
        }
    *arg = NULL;
}

static bool is_refusal(int code)
{
    return code == EX_USAGE || code == EX_DATAERR || code == EX_TEMPFAIL ||
           code == EX_NOPERM || code == EX_CONFIG;
}

/* The helper prints what it has to say. That it cannot be run, or has no
 * answer in time, is nobody's business at submission: the job asks again. */
static int ask_helper(const struct relay_context *context)
{
    struct helper_limits limits = {.grace_ms = CHECK_GRACE_MS};
    struct helper helper = {.out = -1, .keep_fd = -1,
                            .stdout_to_stderr = true};
    struct helper_result result;
    struct check check = {.helper = &helper};

    if (access(context->args.helper, X_OK) != 0)
        return 0;
    fill_check(&check, context);
    helper.body = run_check;
    helper.arg = &check;
    limits.deadline = clock_ms() + CHECK_MS;
    if (helper_run(&helper, &limits, &result, NULL) != 0)
        return 0;
    if (result.signal != 0)
        (void)raise(result.signal); /* it was meant for the command */
    else if (!result.timed_out && WIFEXITED(result.status) &&
             is_refusal(WEXITSTATUS(result.status)))
        return WEXITSTATUS(result.status);
    return 0;
}

int submit_check(const struct relay_context *context)
{
    bool step = spank_context() == S_CTX_LOCAL &&
                getenv("SLURM_JOB_ID") != NULL;
    struct relay_error why = {0};

    if (!options_given(&context->options))
        return 0;
    if (context->inert.code != 0) {
        (void)relay_fail(&why, EX_CONFIG,
                         "slurm-relay is misconfigured on this host, tell "
                         "your administrator: %s", context->inert.text);
        return refuse(&why);
    }
    if (options_check(&context->options, &why) != 0 ||
        check_groups(&context->args, &context->options, &why) != 0)
        return refuse(&why);
    if (!context->args.submit_check || step ||
        args_switched_off(&context->args))
        return 0;
    return ask_helper(context);
}
