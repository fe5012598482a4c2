#include "helper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "descendants.h"

#define TICK_MS 100
/* After SIGKILL: what is not gone by then sleeps uninterruptibly. */
#define REAP_MS 1500

/* --- in the child ------------------------------------------------------- */

static void close_from_proc(int first)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        int fd = (int)strtol(entry->d_name, NULL, 10);

        if (fd >= first && fd != dirfd(dir))
            close(fd);
    }
    if (dir != NULL)
        closedir(dir);
}

static void close_from(int first)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) == 0)
        return;
#endif
    close_from_proc(first); /* Linux before 5.9 */
}

static int set_descriptors(const struct helper *h)
{
    int out = h->out, kept = h->keep_fd, null;

    /* Out of the way first: any of them may have a low number. */
    if (out >= 0 && (out = fcntl(out, F_DUPFD, 16)) < 0)
        return -1;
    if (kept >= 0 && (kept = fcntl(kept, F_DUPFD, 16)) < 0)
        return -1;
    null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        return -1;
    if (out >= 0 && (dup2(out, STDOUT_FILENO) < 0 ||
                     dup2(out, STDERR_FILENO) < 0))
        return -1;
    if (fcntl(STDERR_FILENO, F_GETFD) < 0 && dup2(null, STDERR_FILENO) < 0)
        return -1;
    if (h->stdout_to_stderr && dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return -1;
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0 && dup2(null, STDOUT_FILENO) < 0)
        return -1;
    if (kept >= 0 && dup2(kept, HELPER_KEPT_FD) < 0)
        return -1;
    close_from(kept >= 0 ? HELPER_KEPT_FD + 1 : HELPER_KEPT_FD);
    return 0;
}

static void default_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;
    int i;

    for (i = 1; i < NSIG; i++)
        (void)sigaction(i, &action, NULL); /* SIGKILL and SIGSTOP refuse */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void set_limits(const struct helper *h)
{
    struct rlimit core = {0, 0}, cpu = {h->cpu_seconds, h->cpu_seconds};
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    /* slurmd protects itself from the OOM killer; this is for itself alone.
     * A kernel without it has nothing to put right. */
    if (fd >= 0) {
        (void)!write(fd, "0", 1);
        close(fd);
    }
    umask(022);
    (void)setrlimit(RLIMIT_CORE, &core);
    if (h->cpu_seconds > 0)
        (void)setrlimit(RLIMIT_CPU, &cpu);
}

/* A change of uid clears it, so it is asked for again before exec. */
static void die_with_parent(const struct helper *h)
{
    if (!h->orphan)
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

static void child_main(const struct helper *h, pid_t parent)
{
    die_with_parent(h);
    if (!h->orphan && getppid() != parent)
        _exit(EX_OSERR);
    if (h->session)
        (void)setsid(); /* cannot fail: a fresh child leads no group */
    else
        (void)setpgid(0, 0);
    default_signals();
    if (set_descriptors(h) != 0)
        _exit(EX_OSERR);
    if (h->reset)
        set_limits(h);
    _exit(h->body(h->arg));
}

int helper_exec(const struct helper *helper, char *const *argv,
                char *const *envp, const char *cwd)
{
    if (cwd != NULL && chdir(cwd) != 0 && chdir("/") != 0)
        return EX_OSERR;
    die_with_parent(helper);
    execve(argv[0], argv, envp);
    dprintf(STDERR_FILENO, "relay: %s cannot be executed: %s\n", argv[0],
            strerror(errno));
    return EX_UNAVAILABLE;
}

pid_t helper_start(const struct helper *helper, struct relay_error *err)
{
    pid_t parent = getpid(), pid;

    pid = fork();
    if (pid < 0)
        return relay_fail_errno(err, EX_OSERR, "fork");
    if (pid == 0)
        child_main(helper, parent);
    /* Here too: a signal to the group may come before the child has run. */
    if (!helper->session)
        (void)setpgid(pid, pid);
    return pid;
}

/* --- waiting ------------------------------------------------------------ */

struct wait {
    pid_t pid;
    int signals; /* signalfd */
    int64_t kill_at; /* 0: not asked to end yet */
};

static void ask_to_end(struct wait *w, unsigned grace_ms)
{
    if (w->kill_at != 0)
        return;
    w->kill_at = clock_ms() + grace_ms;
    (void)kill(-w->pid, SIGTERM);
    (void)kill(-w->pid, SIGCONT); /* a stopped process never sees it */
}

/* Waits for a signal; returns TERM, INT, HUP or QUIT, or 0. */
static int next_signal(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct signalfd_siginfo info;

    if (poll(&p, 1, timeout_ms) <= 0 ||
        read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return 0;
    return info.ssi_signo == SIGCHLD ? 0 : (int)info.ssi_signo;
}

/* The child stays a zombie, so that its process group's number is its own
 * until the rest of the group is killed. */
static bool has_ended(pid_t pid)
{
    siginfo_t info = {0};

    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
        return errno != EINTR;
    return info.si_pid == pid;
}

static void wait_for_end(struct wait *w, const struct helper_limits *limits,
                         struct helper_result *result)
{
    while (!has_ended(w->pid)) {
        int64_t now = clock_ms();
        int sig;

        if (limits->deadline != 0 && now >= limits->deadline &&
            w->kill_at == 0) {
            result->timed_out = true;
            ask_to_end(w, limits->grace_ms);
        }
        if (w->kill_at != 0 && now >= w->kill_at) {
            (void)kill(-w->pid, SIGKILL);
            (void)kill(w->pid, SIGKILL);
            if (now >= w->kill_at + REAP_MS) {
                result->stuck = true;
                return;
            }
        }
        sig = next_signal(w->signals, TICK_MS);
        if (sig != 0 && result->signal == 0) {
            result->signal = sig;
            ask_to_end(w, limits->grace_ms);
        }
    }
    (void)kill(-w->pid, SIGKILL);
    if (waitpid(w->pid, &result->status, 0) != w->pid)
        result->status = SIGKILL; /* somebody reaped it: not a success */
    /* The one that came while the child ended by itself. */
    if (result->signal == 0)
        result->signal = next_signal(w->signals, 0);
}

/* Signals that wait_for_end reads, blocked; what was before into the rest. */
static int hold_signals(sigset_t *old, struct sigaction *old_child)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t held;

    sigemptyset(&held);
    sigaddset(&held, SIGCHLD);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGHUP);
    sigaddset(&held, SIGQUIT);
    /* With SIGCHLD ignored there would be no status to wait for. */
    if (sigaction(SIGCHLD, &action, old_child) != 0 ||
        sigprocmask(SIG_BLOCK, &held, old) != 0)
        return -1;
    return signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void release_signals(int fd, const sigset_t *old,
                            const struct sigaction *old_child)
{
    close(fd);
    (void)sigaction(SIGCHLD, old_child, NULL);
    (void)sigprocmask(SIG_SETMASK, old, NULL);
}

int helper_run(const struct helper *helper,
               const struct helper_limits *limits,
               struct helper_result *result, struct relay_error *err)
{
    struct descendants family;
    struct sigaction old_child;
    struct wait w = {0};
    sigset_t old;
    bool watched = false;
    int rc = 0;

    *result = (struct helper_result){0};
    w.signals = hold_signals(&old, &old_child);
    if (w.signals < 0)
        return relay_fail_errno(err, EX_OSERR, "signalfd");
    if (limits->descendants) {
        rc = descendants_begin(&family, err);
        watched = rc == 0;
    }
    if (rc == 0) {
        w.pid = helper_start(helper, err);
        if (w.pid < 0)
            rc = -1;
        else
            wait_for_end(&w, limits, result);
    }
    if (watched &&
        descendants_end(&family, clock_ms() + REAP_MS, err) != 0)
        result->stuck = true;
    release_signals(w.signals, &old, &old_child);
    return rc;
}
