#define _GNU_SOURCE 1
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "process_child.h"

#define MAX_OUTPUT ((size_t)64 << 20)
#define KEEP_ERR ((size_t)8 << 10)
#define TICK_MS 200
#define BLIND_MS 20     /* how often we look where there is no pidfd */
#define TERM_MS 2000    /* from TERM to KILL */
#define KILL_MS 5000    /* from KILL to giving up: it hangs in the kernel */
#define GROUP_MS 1000   /* how long we wait for a killed group to be gone */
#define DRAIN_READS 32  /* at a time: a flood must not hide a deadline */

/* The one piece of static state: a signal handler can reach nothing else. */
static volatile sig_atomic_t cancelled;

/* A run while it lasts. */
struct run {
    const struct process_spec *spec;
    struct process_result *res;
    struct child child;
    size_t out_room;
    size_t err_len;
    bool too_much;
    bool failed;      /* our own failure: no memory */
    bool ended;       /* the child is a zombie */
    bool abandoned;   /* KILL did not end it (a dead file server): left */
    bool lost;        /* its status is not to be had */
    int64_t deadline; /* on our clock; 0: none */
    int64_t kill_at;  /* TERM was sent; KILL follows then; 0: not sent */
    int64_t tick_at;
};

static void on_signal(int sig)
{
    cancelled = sig;
}

void process_catch_signals(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    struct sigaction act = {.sa_handler = on_signal}; /* no SA_RESTART */
    size_t i;

    sigemptyset(&act.sa_mask);
    for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &act, NULL); /* cannot fail for these */
    /* Whoever started us may have ignored it; then no child has a status. */
    act.sa_handler = SIG_DFL;
    sigaction(SIGCHLD, &act, NULL);
}

int process_cancelled(void)
{
    return (int)cancelled;
}

static void signal_all(const struct run *run, int sig)
{
    /* ESRCH is fine: it has just ended. */
    if (run->spec->no_group)
        (void)kill(run->child.pid, sig);
    else
        (void)kill(-run->child.pid, sig);
}

static int keep_out(struct run *run, const char *data, size_t len)
{
    struct process_result *res = run->res;
    size_t max = run->spec->max_output != 0 ? run->spec->max_output
                                            : MAX_OUTPUT;

    if (len > max - res->out_len) {
        run->too_much = true;
        return -1;
    }
    if (res->out_len + len + 1 > run->out_room) {
        size_t room = (res->out_len + len + 1) * 2;
        char *more = realloc(res->out, room);

        if (more == NULL) {
            run->failed = true;
            return -1;
        }
        res->out = more;
        run->out_room = room;
    }
    memcpy(res->out + res->out_len, data, len);
    res->out_len += len;
    res->out[res->out_len] = '\0';
    return 0;
}

/* res->err has room for KEEP_ERR and a NUL: the oldest bytes make way. */
static void keep_err(struct run *run, const char *data, size_t len)
{
    char *err = run->res->err;

    if (len > KEEP_ERR) {
        data += len - KEEP_ERR;
        len = KEEP_ERR;
    }
    if (run->err_len + len > KEEP_ERR) {
        size_t drop = run->err_len + len - KEEP_ERR;

        memmove(err, err + drop, run->err_len - drop);
        run->err_len -= drop;
    }
    memcpy(err + run->err_len, data, len);
    run->err_len += len;
    err[run->err_len] = '\0';
}

/* Takes what is in the pipe now; closes it at its end. */
static void drain(struct run *run, int *fd, bool is_out)
{
    char buf[65536];
    int reads;

    for (reads = 0; *fd >= 0 && reads < DRAIN_READS; reads++) {
        ssize_t n = read(*fd, buf, sizeof(buf));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n > 0 && !is_out)
            keep_err(run, buf, (size_t)n);
        else if (n > 0 && keep_out(run, buf, (size_t)n) == 0)
            continue;
        if (n <= 0 || is_out) {
            close(*fd); /* read only: nothing to lose */
            *fd = -1;
        }
    }
}

static void begin_stop(struct run *run)
{
    if (run->kill_at != 0)
        return;
    signal_all(run, SIGTERM);
    signal_all(run, SIGCONT); /* a stopped process would not see the TERM */
    run->kill_at = clock_ms() + TERM_MS;
}

static void check_reasons_to_stop(struct run *run, int64_t now)
{
    const struct process_spec *spec = run->spec;

    if (run->kill_at != 0) {
        if (now >= run->kill_at)
            signal_all(run, SIGKILL);
        run->abandoned = now >= run->kill_at + KILL_MS;
        return;
    }
    if (run->too_much || run->failed) {
        begin_stop(run);
    } else if (run->deadline != 0 && now >= run->deadline) {
        run->res->timed_out = true;
        begin_stop(run);
    } else if (cancelled != 0 && !spec->clean_up) {
        run->res->stopped = true;
        begin_stop(run);
    } else if (spec->tick != NULL && now >= run->tick_at) {
        run->tick_at = now + TICK_MS;
        if (spec->tick(spec->tick_arg) != 0) {
            run->res->stopped = true;
            begin_stop(run);
        }
    }
}

static int wait_ms(const struct run *run, int64_t now)
{
    int64_t wait = run->child.pidfd >= 0 ? TICK_MS : BLIND_MS;

    if (run->kill_at != 0 && run->kill_at - now < wait)
        wait = run->kill_at - now;
    else if (run->kill_at == 0 && run->deadline != 0 &&
             run->deadline - now < wait)
        wait = run->deadline - now;
    if (wait < 1) /* after KILL: the end is near, but not a busy loop */
        wait = run->kill_at != 0 ? 10 : 0;
    return (int)wait;
}

/* Until the child itself has ended (it is not reaped yet). */
static void follow(struct run *run)
{
    struct child *child = &run->child;

    while (!run->ended && !run->abandoned) {
        int64_t now = clock_ms();
        struct pollfd fds[3] = {
            {.fd = child->out, .events = POLLIN},
            {.fd = child->err, .events = POLLIN},
            {.fd = child->pidfd, .events = POLLIN},
        };
        siginfo_t info = {.si_pid = 0};

        check_reasons_to_stop(run, now);
        /* EINTR and a time-out are the same to us: look at everything. */
        (void)poll(fds, 3, wait_ms(run, now));
        drain(run, &child->out, true);
        drain(run, &child->err, false);
        if (waitid(P_PID, (id_t)child->pid, &info,
                   WEXITED | WNOHANG | WNOWAIT) != 0)
            run->ended = errno != EINTR; /* ECHILD: reap() says so */
        else
            run->ended = info.si_pid == child->pid;
    }
}

static void reap(struct run *run)
{
    pid_t pid;

    if (run->abandoned) {
        run->res->status = SIGKILL; /* what it was sent */
        return;
    }
    do
        pid = waitpid(run->child.pid, &run->res->status, 0);
    while (pid < 0 && errno == EINTR);
    run->lost = pid < 0;
}

/* The group goes with its leader. The leader is a zombie still, so that its
 * number cannot be another's yet. */
static void finish(struct run *run)
{
    struct child *child = &run->child;
    int64_t until = clock_ms() + GROUP_MS;

    if (!run->spec->no_group)
        signal_all(run, SIGKILL);
    drain(run, &child->out, true);
    drain(run, &child->err, false);
    reap(run);
    /* Where we are the subreaper, orphans of the group become ours. */
    while (!run->spec->no_group && !run->abandoned &&
           kill(-child->pid, 0) == 0 && clock_ms() < until) {
        if (waitpid(-child->pid, NULL, WNOHANG) <= 0)
            clock_sleep_ms(5);
    }
    if (child->out >= 0)
        close(child->out);
    if (child->err >= 0)
        close(child->err);
    if (child->pidfd >= 0)
        close(child->pidfd);
}

int process_run(const struct process_spec *spec, struct process_result *res,
                struct relay_error *err)
{
    struct run run = {.spec = spec, .res = res};

    memset(res, 0, sizeof(*res));
    res->out = calloc(1, 1);
    res->err = calloc(1, KEEP_ERR + 1);
    if (res->out == NULL || res->err == NULL)
        return relay_fail(err, EX_OSERR, "cannot run %s: out of memory",
                          spec->argv[0]);
    run.out_room = 1;
    if (child_start(spec, &run.child, err) != 0)
        return -1;
    if (spec->deadline_ms > 0)
        run.deadline = clock_ms() + spec->deadline_ms;
    run.tick_at = clock_ms() + TICK_MS;
    follow(&run);
    finish(&run);
    if (run.too_much)
        return relay_fail(err, EX_DATAERR,
                          "%s printed more than %zu bytes and was ended",
                          spec->argv[0], spec->max_output != 0
                                             ? spec->max_output : MAX_OUTPUT);
    if (run.lost)
        return relay_fail(err, EX_OSERR, "%s ran, but how it ended was not to "
                                         "be learnt (SIGCHLD is ignored)",
                          spec->argv[0]);
    if (run.failed)
        return relay_fail(err, EX_OSERR, "%s printed more than there is "
                                         "memory for", spec->argv[0]);
    return 0;
}

void process_free(struct process_result *res)
{
    free(res->out);
    free(res->err);
    memset(res, 0, sizeof(*res));
}

bool process_ok(const struct process_result *res)
{
    return !res->timed_out && !res->stopped && WIFEXITED(res->status) &&
           WEXITSTATUS(res->status) == 0;
}

void process_describe(const struct process_result *res, char *text,
                      size_t size)
{
    if (res->timed_out)
        snprintf(text, size, "did not answer in time");
    else if (res->stopped)
        snprintf(text, size, "was ended by us");
    else if (WIFEXITED(res->status))
        snprintf(text, size, "exited with %d", WEXITSTATUS(res->status));
    else if (WIFSIGNALED(res->status))
        snprintf(text, size, "was killed by signal %d",
                 WTERMSIG(res->status));
    else
        snprintf(text, size, "ended with status 0x%x", (unsigned)res->status);
}

static bool is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
           faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

int process_find(const char *program, char *path, size_t size,
                 struct relay_error *err)
{
    static const char *const dirs[] = {"/usr/local/bin", "/usr/bin", "/bin",
                                       "/usr/local/sbin", "/usr/sbin"};
    const char *own = getenv("RELAY_TOOLS");
    size_t i;
    int n;

    if (program[0] == '\0' || strchr(program, '/') != NULL)
        return relay_fail(err, EX_UNAVAILABLE,
                          "\"%s\" is not the name of a program", program);
    if (own != NULL && own[0] == '/') {
        n = snprintf(path, size, "%s/%s", own, program);
        if (n > 0 && (size_t)n < size && is_program(path))
            return 0;
    }
    for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        n = snprintf(path, size, "%s/%s", dirs[i], program);
        if (n > 0 && (size_t)n < size && is_program(path))
            return 0;
    }
    return relay_fail(err, EX_UNAVAILABLE,
                      "the program %s is missing here (looked in "
                      "/usr/local/bin, /usr/bin, /bin, /usr/local/sbin, "
                      "/usr/sbin and $RELAY_TOOLS)", program);
}
