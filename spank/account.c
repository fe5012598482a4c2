#include "account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "become.h"
#include "clock.h"
#include "environment.h"
#include "helper.h"

struct program {
    const struct account *account;
    const struct helper *helper;
    char *const *argv;
};

struct function {
    const struct account *account;
    int (*work)(void *arg);
    void *arg;
};

static int say(const struct relay_error *err)
{
    dprintf(STDERR_FILENO, "%s\n", err->text);
    return err->code;
}

/* In the child: NSS may hang here without holding up anything but this. */
static int program_body(void *arg)
{
    const struct program *p = arg;
    struct relay_error err = {0};
    struct relay_user user;
    const char *dir;
    char **env;

    if (user_lookup(p->account->uid, p->account->gid, &user, &err) != 0 ||
        user_become(&user, &err) != 0)
        return say(&err);
    if (p->account->allow_groups[0] != '\0' &&
        !user_in_groups(p->account->allow_groups, user.gid, user.groups,
                        user.group_count))
        return EX_NOPERM; /* the job is told by its first step */
    env = environment_short(&user, environ);
    if (env == NULL)
        return EX_OSERR;
    dir = environment_get(env, "SLURM_JOB_WORK_DIR");
    return helper_exec(p->helper, p->argv, env, dir != NULL ? dir : "/");
}

static int function_body(void *arg)
{
    const struct function *f = arg;
    struct relay_user user = {.uid = f->account->uid, .gid = f->account->gid,
                              .groups = {f->account->gid}, .group_count = 1};
    struct relay_error err = {0};

    if (user_become(&user, &err) != 0)
        return say(&err);
    return f->work(f->arg);
}

/* The end of the output, with the last newline cut off. */
static void keep_output(struct account *account, int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    off_t room = ACCOUNT_OUTPUT_MAX - 1;
    off_t from = size > room ? size - room : 0;
    ssize_t len;

    len = size > 0 ? pread(fd, account->output, (size_t)room, from) : 0;
    account->output[len > 0 ? len : 0] = '\0';
    if (len > 0 && account->output[len - 1] == '\n')
        account->output[len - 1] = '\0';
}

static int judge(const struct helper_result *result, struct relay_error *err)
{
    if (result->stuck)
        return -1; /* err says so already */
    if (result->timed_out)
        return relay_fail(err, EX_TEMPFAIL, "not done in time, ended");
    if (result->signal != 0)
        return relay_fail(err, EX_TEMPFAIL, "interrupted by signal %d",
                          result->signal);
    if (WIFSIGNALED(result->status))
        return 128 + WTERMSIG(result->status);
    return WEXITSTATUS(result->status);
}

static int run(struct account *account, struct helper *helper,
               struct relay_error *err)
{
    struct helper_limits limits = {.deadline = account->deadline,
                                   .grace_ms = account->grace_ms,
                                   .descendants = true};
    struct relay_error trouble = {0};
    struct helper_result result;
    int64_t left = account->deadline - clock_ms();
    int rc;

    account->output[0] = '\0';
    if (left <= 0)
        return relay_fail(err, EX_TEMPFAIL, "no time left");
    helper->out = memfd_create("relay", MFD_CLOEXEC);
    if (helper->out < 0)
        return relay_fail_errno(err, EX_OSERR, "memfd_create");
    helper->keep_fd = -1;
    helper->reset = true;
    helper->cpu_seconds = (unsigned)(left / 1000 + 2);
    rc = helper_run(helper, &limits, &result, &trouble);
    keep_output(account, helper->out);
    close(helper->out);
    if (rc != 0 || result.stuck)
        return relay_fail(err, EX_OSERR, "%s",
                          trouble.text[0] != '\0'
                              ? trouble.text
                              : "a process could not be ended");
    return judge(&result, err);
}

int account_run_program(struct account *account, char *const *argv,
                        struct relay_error *err)
{
    struct helper helper = {.body = program_body};
    struct program program = {.account = account, .helper = &helper,
                              .argv = argv};

    helper.arg = &program;
    return run(account, &helper, err);
}

int account_run(struct account *account, int (*work)(void *arg), void *arg,
                struct relay_error *err)
{
    struct function function = {.account = account, .work = work, .arg = arg};
    struct helper helper = {.body = function_body, .arg = &function};

    return run(account, &helper, err);
}
