/*
 * sresume run: in a job script, what the plugin does around a whole job. The
 * gate and the state first, then the command as our child with the watcher
 * beside it, then the record of its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "process.h"
#include "slurmenv.h"
#include "sresume.h"
#include "stage.h"

enum {
    WATCH_END_MS = 15000, /* the watcher's last look may ask a peer */
    OUT_S = 300,          /* for auto-sync after a body that ended by itself */
    OUT_CANCELLED_S = 20  /* Slurm kills what is left after KillWait (30 s) */
};

struct body {
    pid_t pid;
    pid_t watch;  /* -1: none */
    int life;     /* while it is open, the watcher watches; -1: none */
    bool ending;  /* a signal that ends jobs was passed on */
    sigset_t old; /* our signal mask before */
};

/* The signals that the body gets when we get them, and SIGCHLD. */
static void handled(sigset_t *set)
{
    static const int signals[] = {SIGTERM, SIGINT,  SIGHUP,  SIGUSR1,
                                  SIGUSR2, SIGCONT, SIGQUIT, SIGCHLD};
    size_t i;

    sigemptyset(set);
    for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaddset(set, signals[i]);
}

/* ---- children --------------------------------------------------------- */

static void plain_signals(const struct body *body)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    size_t i;

    for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        signal(signals[i], SIG_DFL);
    sigprocmask(SIG_SETMASK, &body->old, NULL);
}

static void exec_body(const struct body *body, pid_t parent, char *env,
                      size_t len, char **argv)
{
    size_t at;

    /* A training that nobody answers for must not go on: its lease names
     * our pid. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(128 + SIGTERM);
    plain_signals(body);
    for (at = 0; at < len && env[at] != '\0'; at += strlen(env + at) + 1)
        putenv(env + at);
    execvp(argv[0], argv);
    fprintf(stderr, SRESUME ": %s: %s\n", argv[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

static int start_watch(struct run *run, struct body *body,
                       struct relay_error *err)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return relay_fail_errno(err, EX_OSERR, "pipe");
    body->watch = fork();
    if (body->watch < 0) {
        close(fds[0]);
        close(fds[1]);
        return relay_fail_errno(err, EX_OSERR, "fork");
    }
    if (body->watch == 0) {
        /* Its own group: a Ctrl-C is for the body. The pipe ends it. */
        setpgid(0, 0);
        sigprocmask(SIG_SETMASK, &body->old, NULL);
        close(fds[1]);
        _exit(stage_watch(run, fds[0], NULL) == 0 ? 0 : 1);
    }
    close(fds[0]);
    body->life = fds[1];
    return 0;
}

static int start_body(struct body *body, char *env, size_t len, char **argv,
                      struct relay_error *err)
{
    pid_t self = getpid();

    body->pid = fork();
    if (body->pid < 0)
        return relay_fail_errno(err, EX_OSERR, "fork");
    if (body->pid == 0)
        exec_body(body, self, env, len, argv);
    return 0;
}

static void end_watch(struct body *body)
{
    int64_t deadline = clock_ms() + WATCH_END_MS;

    if (body->watch < 0)
        return;
    close(body->life);
    while (clock_ms() < deadline) {
        if (waitpid(body->watch, NULL, WNOHANG) != 0)
            return;
        clock_sleep_ms(20);
    }
    kill(body->watch, SIGKILL);
    waitpid(body->watch, NULL, 0);
}

/* ---- waiting ---------------------------------------------------------- */

/* Passes a signal on, unless the terminal has given it to the body's whole
 * group already. */
static void pass_on(struct body *body, const siginfo_t *info)
{
    int sig = info->si_signo;

    if (sig == SIGTERM || sig == SIGINT || sig == SIGHUP || sig == SIGQUIT)
        body->ending = true;
    if (info->si_code != SI_KERNEL)
        (void)kill(body->pid, sig); /* it may have ended just now */
}

/* The wait status of the body. */
static int wait_body(struct body *body)
{
    siginfo_t info;
    sigset_t set;
    int status = -1;
    pid_t got;

    handled(&set);
    for (;;) {
        got = waitpid(body->pid, &status, WNOHANG);
        if (got == body->pid)
            return status;
        if (got < 0)
            return -1;
        if (sigwaitinfo(&set, &info) >= 0 && info.si_signo != SIGCHLD)
            pass_on(body, &info);
    }
}

static int exit_code(int status)
{
    if (status < 0)
        return EX_OSERR;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- the command ------------------------------------------------------ */

/* Runs the command; its wait status, or -1 when it was never started. */
static int run_body(struct run *run, struct body *body, char *env, size_t len,
                    char **argv, bool watched, struct relay_error *err)
{
    sigset_t set;
    int status = -1;

    body->watch = body->pid = -1;
    body->life = -1;
    handled(&set);
    sigprocmask(SIG_BLOCK, &set, &body->old);
    if (process_cancelled() != 0)
        relay_fail(err, 128 + process_cancelled(),
                   "ended by signal %d before the command ran",
                   process_cancelled());
    else if ((!watched || start_watch(run, body, err) == 0) &&
             start_body(body, env, len, argv, err) == 0)
        status = wait_body(body);
    end_watch(body);
    sigprocmask(SIG_SETMASK, &body->old, NULL);
    return status;
}

/* Has this very job the lease already, by the plugin or an outer `sresume
 * run`? Then there is nothing to do but the command. The environment alone is
 * no proof: a nested sbatch inherits it. */
static bool have_it(const struct run *run)
{
    const char *nonce = slurmenv("RELAY_RUN_NONCE");
    struct lease lease;
    bool have;

    if (nonce == NULL || run->relayfd < 0 ||
        lease_read(run->relayfd, &lease, NULL) != 0)
        return false;
    have = lease_held(&lease) && strcmp(lease.owner.nonce, nonce) == 0 &&
           strcmp(lease.owner.cluster, run->cfg.cluster) == 0 &&
           strcmp(lease.owner.job_id, run->self.job_id) == 0 &&
           lease.owner.restart == run->self.restart &&
           (run->self.job_id[0] != '\0' ||
            strcmp(lease.owner.host, run->self.host) == 0);
    lease_free(&lease);
    return have;
}

static int run_owned(struct run *run, char **argv, struct relay_error *err)
{
    enum stage_verdict verdict;
    struct body body = {.pid = -1};
    struct relay_error minor = {0};
    char *env = NULL;
    size_t len = 0;
    int status;

    if (stage_in(run, &verdict, &env, &len, err) != 0)
        return cli_fail(SRESUME, err);
    if (verdict == STAGE_DONE) {
        free(env);
        return 0;
    }
    status = run_body(run, &body, env, len, argv, true, err);
    free(env);
    if (stage_out(run, status, body.ending ? OUT_CANCELLED_S : OUT_S,
                  &minor) != 0)
        (void)cli_fail(SRESUME, &minor); /* the body's end counts more */
    return status < 0 && err->code != 0 ? cli_fail(SRESUME, err)
                                        : exit_code(status);
}

/* The other tasks of a step wait for the first one's verdict. */
static int run_follower(struct run *run, char **argv, struct relay_error *err)
{
    enum stage_verdict verdict;
    struct body body = {.pid = -1};
    char *env = NULL;
    size_t len = 0;
    int status;

    if (stage_follow(run, &verdict, &env, &len, err) != 0)
        return cli_fail(SRESUME, err);
    if (verdict == STAGE_DONE) {
        free(env);
        return 0;
    }
    status = run_body(run, &body, env, len, argv, false, err);
    free(env);
    return status < 0 && err->code != 0 ? cli_fail(SRESUME, err)
                                        : exit_code(status);
}

/* The arguments up to "--", and the command behind it. */
static int split(int argc, char **argv, int *own)
{
    for (*own = 1; *own < argc; (*own)++) {
        if (strcmp(argv[*own], "--") == 0)
            return *own + 1 < argc ? 0 : -1;
    }
    return -1;
}

int sresume_run(int argc, char **argv)
{
    struct place place = {0};
    const struct cli_option options[] = {
        {"handoff-from", '\0', CLI_TEXT, &place.handoff_from,
         "CLUSTER[:JOB]", "bring the run here from CLUSTER"},
        PLACE_OPTIONS(place),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SRESUME, "run", "[OPTION]... KEY -- COMMAND [ARGUMENT]...",
        "Runs COMMAND as the run KEY: refuses a second one, resumes its state\n"
        "or brings it here, watches it, and records how it ended. For job\n"
        "scripts where the plugin is not installed. Ends as COMMAND does.",
        options, 1, 1};
    const char *task = slurmenv("SLURM_PROCID");
    struct relay_error err = {0};
    struct run run;
    char **args;
    int nargs, code, own;
    bool command = split(argc, argv, &own) == 0;

    argv[own < argc ? own : argc] = NULL; /* getopt stops there */
    if (cli_parse(&spec, own, argv, &args, &nargs, &code) != 0)
        return code;
    if (!command) {
        relay_fail(&err, EX_USAGE, "which command? " SRESUME
                                   " run %s -- COMMAND", args[0]);
        return cli_fail(SRESUME, &err);
    }
    process_catch_signals();
    if (place_open(&place, args[0], false, &run, &err) != 0)
        code = cli_fail(SRESUME, &err);
    else if (have_it(&run)) {
        run_close(&run);
        execvp(argv[own + 1], argv + own + 1);
        relay_fail_errno(&err, 127, "%s", argv[own + 1]);
        return cli_fail(SRESUME, &err);
    } else if (task != NULL && strcmp(task, "0") != 0) {
        code = run_follower(&run, argv + own + 1, &err);
    } else {
        code = run_owned(&run, argv + own + 1, &err);
    }
    run_close(&run);
    return code;
}
