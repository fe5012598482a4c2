#define _GNU_SOURCE 1
#include "process_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

/* Ours are above what the child gets, so that dup2 hits none of them. */
#define FIRST_FD 10

/* Descriptors of a start, all CLOEXEC and >= FIRST_FD; -1 when closed. */
struct ends {
    int in;
    int out[2];
    int err[2];
    int report[2]; /* errno of a failed exec; closed by a good one */
};

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_ends(struct ends *e)
{
    close_end(&e->in);
    close_end(&e->out[0]);
    close_end(&e->out[1]);
    close_end(&e->err[0]);
    close_end(&e->err[1]);
    close_end(&e->report[0]);
    close_end(&e->report[1]);
}

/* Moves fd up; -1 when it cannot be (fd is closed in any case). */
static int lift(int fd)
{
    int high;

    if (fd < 0 || fd >= FIRST_FD)
        return fd;
    high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
    close(fd);
    return high;
}

static int open_pipe(int ends[2])
{
    int raw[2];

    if (pipe2(raw, O_CLOEXEC) != 0)
        return -1;
    ends[0] = lift(raw[0]);
    ends[1] = lift(raw[1]);
    return ends[0] >= 0 && ends[1] >= 0 ? 0 : -1;
}

/* A file in memory never blocks a writer, however slowly the child reads. */
static int open_input(const struct process_spec *spec)
{
    size_t done = 0;
    int fd;

    if (spec->input == NULL)
        return lift(open("/dev/null", O_RDONLY | O_CLOEXEC));
    fd = lift(memfd_create("input", MFD_CLOEXEC));
    while (fd >= 0 && done < spec->input_len) {
        ssize_t n = write(fd, spec->input + done, spec->input_len - done);

        if (n < 0 && errno != EINTR)
            close_end(&fd);
        if (n > 0)
            done += (size_t)n;
    }
    if (fd >= 0 && lseek(fd, 0, SEEK_SET) != 0)
        close_end(&fd);
    return fd;
}

static int open_ends(const struct process_spec *spec, struct ends *e)
{
    memset(e, 0xff, sizeof(*e)); /* -1 everywhere */
    e->in = open_input(spec);
    if (e->in < 0 || open_pipe(e->out) != 0 || open_pipe(e->err) != 0 ||
        open_pipe(e->report) != 0)
        return -1;
    if (fcntl(e->out[0], F_SETFL, O_NONBLOCK) != 0 ||
        fcntl(e->err[0], F_SETFL, O_NONBLOCK) != 0)
        return -1;
    return 0;
}

static void close_from(int first)
{
    long max;
    int fd;

#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) == 0)
        return;
#endif
    max = sysconf(_SC_OPEN_MAX);
    if (max < 0 || max > 65536)
        max = 65536;
    for (fd = first; fd < (int)max; fd++)
        close(fd); /* most are not open: that is no error */
}

void child_reset_signals(void)
{
    struct sigaction act = {.sa_handler = SIG_DFL};
    sigset_t none;
    int sig;

    sigemptyset(&act.sa_mask);
    for (sig = 1; sig < NSIG; sig++)
        (void)sigaction(sig, &act, NULL); /* KILL and STOP refuse */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child. Does not return. */
static _Noreturn void become(const struct process_spec *spec,
                             const struct ends *e, pid_t parent)
{
    char *const *env = spec->env != NULL ? (char *const *)spec->env : environ;
    int why;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(127); /* the parent died before the signal was set */
    if (!spec->no_group)
        (void)setpgid(0, 0); /* the parent does it too: one of us is first */
    child_reset_signals();
    if (dup2(e->in, 0) == 0 && dup2(e->out[1], 1) == 1 &&
        dup2(e->err[1], 2) == 2 && dup2(e->report[1], 3) == 3 &&
        fcntl(3, F_SETFD, FD_CLOEXEC) == 0) {
        close_from(4);
        execve(spec->argv[0], (char *const *)spec->argv, env);
    }
    why = errno;
    if (write(3, &why, sizeof(why)) < 0)
        _exit(126); /* nobody is left to be told */
    _exit(127);
}

/* 0 when the exec succeeded, else its errno. */
static int exec_errno(int fd)
{
    int why = 0;
    ssize_t n;

    do
        n = read(fd, &why, sizeof(why));
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(why) ? why : 0;
}

static int open_pidfd(pid_t pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0U);
#else
    (void)pid;
    return -1;
#endif
}

static pid_t fork_child(const struct process_spec *spec, const struct ends *e)
{
    pid_t parent = getpid();
    sigset_t all, old;
    pid_t pid;

    /* No handler of ours may run in the child. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old);
    pid = fork();
    if (pid == 0)
        become(spec, e, parent);
    if (pid > 0 && !spec->no_group)
        (void)setpgid(pid, pid); /* EACCES: it has done so and execed */
    sigprocmask(SIG_SETMASK, &old, NULL);
    return pid;
}

int child_start(const struct process_spec *spec, struct child *child,
                struct relay_error *err)
{
    struct ends e;
    int why;

    if (spec->argv[0] == NULL || spec->argv[0][0] != '/')
        return relay_fail(err, EX_OSERR, "cannot run \"%s\": the path of a "
                                         "program must be absolute",
                          spec->argv[0] != NULL ? spec->argv[0] : "");
    if (open_ends(spec, &e) != 0) {
        relay_fail_errno(err, EX_OSERR, "cannot run %s", spec->argv[0]);
        close_ends(&e);
        return -1;
    }
    child->pid = fork_child(spec, &e);
    if (child->pid < 0) {
        relay_fail_errno(err, EX_OSERR, "cannot run %s", spec->argv[0]);
        close_ends(&e);
        return -1;
    }
    close_end(&e.report[1]);
    why = exec_errno(e.report[0]);
    if (why != 0) {
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
            ;
        close_ends(&e);
        errno = why;
        return relay_fail_errno(err, why == ENOENT || why == EACCES ||
                                         why == ENOTDIR ? EX_UNAVAILABLE
                                                        : EX_OSERR,
                                "cannot run %s", spec->argv[0]);
    }
    child->pidfd = open_pidfd(child->pid);
    child->out = e.out[0];
    child->err = e.err[0];
    e.out[0] = e.err[0] = -1;
    close_ends(&e);
    return 0;
}
