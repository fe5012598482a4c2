#include "task.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "become.h"
#include "clock.h"
#include "environment.h"
#include "helper.h"
#include "verdict.h"

/* From scancel's SIGTERM to our SIGKILL; Slurm's own is KillWait later. */
#define CANCEL_GRACE_MS 3500
#define POLL_MS 200

struct task {
    const struct relay_args *args;
    const struct relay_step *step;
    spank_t sp;
    int id;           /* on this node */
    int dir;          /* the job directory */
    const char *kind; /* of the gate on this node */
};

/* Says it once a node and returns the code. */
static int fail(const struct task *t, const struct relay_error *err)
{
    if (t->id == 0)
        dprintf(STDERR_FILENO, "relay: %s\n", err->text);
    return err->code;
}

/* --- the gate ----------------------------------------------------------- */

struct stage_in {
    const struct helper *helper;
    char *const *argv;
    char *const *env;
};

static int stage_in_body(void *arg)
{
    const struct stage_in *s = arg;

    return helper_exec(s->helper, s->argv, s->env, NULL);
}

static int judge(const struct task *t, const struct helper_result *result)
{
    struct relay_error err = {0};

    /* Told to end: even if stage-in has just succeeded, there is to be no
     * body. Slurm would start it. */
    if (result->signal != 0)
        return 128 + result->signal;
    if (WIFSIGNALED(result->status)) {
        (void)relay_fail(&err, 128 + WTERMSIG(result->status),
                         "%s was killed by signal %d", t->args->helper,
                         WTERMSIG(result->status));
        return fail(t, &err);
    }
    if (WEXITSTATUS(result->status) != 0)
        return WEXITSTATUS(result->status); /* it has said why */
    if (result->stuck) {
        (void)relay_fail(&err, EX_OSERR, "a process of stage-in cannot be "
                                         "ended");
        return fail(t, &err);
    }
    return TASK_GO_ON;
}

static int run_stage_in(const struct task *t)
{
    const struct relay_step *step = t->step;
    const char *from = step->marker.options.value[OPTION_HANDOFF_FROM];
    const char *cell = step->marker.options.value[OPTION_SWEEP_CELL];
    const char *argv[16] = {t->args->helper, "stage-in", "--config",
                            t->args->config, "--job-dir", step->job_dir,
                            "--nonce", step->marker.nonce, "--key",
                            step->marker.options.value[OPTION_RESUME_KEY]};
    struct helper_limits limits = {.grace_ms = CANCEL_GRACE_MS,
                                   .descendants = true};
    struct helper helper = {.body = stage_in_body, .out = -1, .keep_fd = -1};
    struct stage_in stage_in = {.helper = &helper,
                                .argv = (char *const *)(uintptr_t)argv};
    struct relay_error err = {0};
    struct helper_result result;
    char **job_env = NULL, **env;
    size_t n = 10;
    int rc;

    if (cell[0] != '\0') {
        argv[8] = "--sweep-cell";
        argv[9] = cell;
    }
    if (from[0] != '\0') {
        argv[n++] = "--handoff-from";
        argv[n++] = from;
    }
    if (!step->leading)
        argv[n] = "--follow";
    (void)spank_get_item(t->sp, S_JOB_ENV, &job_env); /* else only PATH */
    env = environment_of_job(job_env);
    if (env == NULL)
        return EX_OSERR;
    stage_in.env = env;
    helper.arg = &stage_in;
    rc = helper_run(&helper, &limits, &result, &err);
    environment_free(env);
    return rc == 0 ? judge(t, &result) : fail(t, &err);
}

/* Runs stage-in as the gate of this node. Returns TASK_GO_ON when there is a
 * verdict to read, else the exit code; *busy when another step is the gate. */
static int be_gate(const struct task *t, bool *busy)
{
    struct relay_error err = {0};
    int lock, code;

    lock = verdict_take_gate(t->dir, t->kind, t->step->stepid, &err);
    *busy = lock < 0 && err.code == EX_TEMPFAIL;
    if (*busy)
        return TASK_GO_ON;
    if (lock < 0)
        return fail(t, &err);
    code = run_stage_in(t);
    close(lock);
    return code;
}

/* --- the verdict -------------------------------------------------------- */

/* A bad verdict of an earlier step is no verdict: with srun again the user
 * tries again. */
static bool is_valid(const struct verdict *v, enum gate_state state)
{
    return v->done || v->code == 0 || state != GATE_NONE;
}

/* Returns TASK_GO_ON and the verdict, or the exit code. */
static int get_verdict(const struct task *t, struct verdict *v)
{
    struct relay_error err = {0};
    bool was_gate = false, busy;

    for (;;) {
        enum gate_state state = verdict_gate_state(t->dir, t->kind,
                                                   t->step->stepid);
        int found = verdict_read(t->dir, v, &err);

        if (found < 0)
            return fail(t, &err);
        if (found == 1 && is_valid(v, state))
            return TASK_GO_ON;
        if (was_gate) {
            (void)relay_fail(&err, EX_SOFTWARE, "%s left no verdict",
                             t->args->helper);
            return fail(t, &err);
        }
        if (t->id == 0) {
            int code = be_gate(t, &busy);

            if (code != TASK_GO_ON)
                return code;
            was_gate = !busy;
        } else {
            busy = true;
            if (state == GATE_ENDED)
                return EX_TEMPFAIL; /* task 0 has said why */
        }
        if (busy)
            clock_sleep_ms(POLL_MS);
    }
}

static int set_variable(void *sp, const char *name, const char *value)
{
    if (value == NULL) {
        (void)spank_unsetenv((spank_t)sp, name); /* it may not be there */
        return 0;
    }
    return spank_setenv((spank_t)sp, name, value, 1) == ESPANK_SUCCESS ? 0
                                                                       : -1;
}

static int apply_verdict(const struct task *t, const struct verdict *v)
{
    struct relay_error err = {0};

    if (v->done)
        return 0;
    if (v->code != 0)
        return v->code;
    if (verdict_environment(t->dir, set_variable, t->sp, &err) != 0)
        return fail(t, &err);
    return TASK_GO_ON;
}

static int check_groups(const struct task *t)
{
    gid_t groups[USER_GROUPS_MAX];
    struct relay_error err = {0};
    int count;

    if (t->args->allow_groups[0] == '\0')
        return TASK_GO_ON;
    count = getgroups(USER_GROUPS_MAX, groups);
    if (user_in_groups(t->args->allow_groups, getegid(), groups, count))
        return TASK_GO_ON;
    (void)relay_fail(&err, EX_NOPERM,
                     "--%s is for members of %s on this cluster",
                     options_first(&t->step->marker.options),
                     t->args->allow_groups);
    return fail(t, &err);
}

/* Where slurmstepd's own handlers are still installed a scancel would be
 * swallowed while we wait, and the body of a cancelled job would run. */
static void default_signals(void)
{
    static const int ending[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    struct sigaction action = {.sa_handler = SIG_DFL};
    size_t i;

    for (i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
        (void)sigaction(ending[i], &action, NULL); /* these cannot fail */
}

static int pass_gate(struct task *t)
{
    struct relay_error err = {0};
    struct verdict verdict;
    int code;

    t->dir = open(t->step->job_dir,
                  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (t->dir < 0) {
        relay_fail_errno(&err, EX_IOERR, "%s", t->step->job_dir);
        return fail(t, &err);
    }
    /* Blocked: only what has begun goes on. */
    if (t->step->blocked.code != 0 &&
        (verdict_read(t->dir, &verdict, NULL) != 1 || verdict.code != 0))
        code = fail(t, &t->step->blocked);
    else
        code = get_verdict(t, &verdict);
    if (code == TASK_GO_ON)
        code = apply_verdict(t, &verdict);
    close(t->dir);
    return code;
}

int task_enter(struct relay_context *context, spank_t sp)
{
    struct task t = {.args = &context->args, .step = &context->step, .sp = sp};
    int code;

    if (!t.step->marked && t.step->blocked.code == 0)
        return TASK_GO_ON;
    if (spank_get_item(sp, S_TASK_ID, &t.id) != ESPANK_SUCCESS)
        t.id = 0;
    t.kind = t.step->leading ? VERDICT_GATE : VERDICT_FOLLOW;
    default_signals();
    if (t.step->refused.code != 0)
        return fail(&t, &t.step->refused);
    if (!t.step->marked)
        return fail(&t, &t.step->blocked);
    code = check_groups(&t);
    return code == TASK_GO_ON ? pass_gate(&t) : code;
}
