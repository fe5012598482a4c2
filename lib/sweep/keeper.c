#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "process_child.h"

/* Where the process between keeps its descriptors; above what programs get. */
enum { FIRST_FD = 10, LINK_FD = FIRST_FD, LOG_FD, SIGNAL_FD };

/* --- the program --------------------------------------------------------- */

static _Noreturn void become(const struct keeper_spec *spec, pid_t parent)
{
    int why;

    setpgid(0, 0); /* the parent does it, too: either may be first */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(127);
    child_reset_signals();
    if (dup2(LOG_FD, 1) < 0 || dup2(LOG_FD, 2) < 0)
        _exit(127);
    if (chdir(spec->dir) == 0)
        execvpe(spec->argv[0], spec->argv, spec->env);
    why = errno;
    dprintf(2, "ssweep: %s: %s: %s\n", spec->dir, spec->argv[0],
            strerror(why));
    _exit(why == ENOENT ? 127 : 126);
}

/* --- the process between ------------------------------------------------- */

static void close_from(unsigned first)
{
    unsigned fd;

#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, ~0U, 0U) == 0)
        return;
#endif
    for (fd = first; fd < 65536; fd++)
        close((int)fd); /* most are not open: that is no error */
}

/* Descriptors as above, and nothing else: not the ends of other keepers. */
static int take_descriptors(int link, int log)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    /* First out of the way of each other, then in place. */
    int link2 = fcntl(link, F_DUPFD_CLOEXEC, SIGNAL_FD + 1);
    int log2 = fcntl(log, F_DUPFD_CLOEXEC, SIGNAL_FD + 1);

    if (null < 0 || link2 < 0 || log2 < 0 ||
        dup3(link2, LINK_FD, O_CLOEXEC) < 0 ||
        dup3(log2, LOG_FD, O_CLOEXEC) < 0)
        return -1;
    if (null == 0 ? fcntl(0, F_SETFD, 0) < 0 : dup2(null, 0) < 0)
        return -1; /* ours was closed when it is 0 already */
    if (dup2(0, 1) < 0 || dup2(0, 2) < 0)
        return -1;
    close_from(LOG_FD + 1);
    for (null = 3; null < FIRST_FD; null++)
        close(null);
    return 0;
}

static int watch_children(void)
{
    sigset_t all, chld;
    int fd;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    fd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 && (fd == SIGNAL_FD ||
                       dup3(fd, SIGNAL_FD, O_CLOEXEC) >= 0) ? 0 : -1;
}

/* Passes on what we are told; false when the other side is gone. */
static bool pass_on(pid_t child)
{
    unsigned char sig;
    ssize_t n = read(LINK_FD, &sig, 1);

    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (n == 0)
        return false;
    (void)kill(-child, sig); /* it may have ended just now */
    if (sig == SIGTERM || sig == SIGINT || sig == SIGHUP)
        (void)kill(-child, SIGCONT); /* or it would not see it */
    return true;
}

/* Has the program ended? It is left a zombie, so that the group's number
 * cannot be another's. */
static bool has_ended(pid_t child)
{
    struct signalfd_siginfo info;
    siginfo_t end = {.si_pid = 0};

    while (read(SIGNAL_FD, &info, sizeof(info)) > 0)
        ;
    if (waitid(P_PID, (id_t)child, &end, WEXITED | WNOHANG | WNOWAIT) != 0)
        return errno == ECHILD;
    return end.si_pid == child;
}

static _Noreturn void keep(pid_t child)
{
    struct pollfd fds[] = {{.fd = LINK_FD, .events = POLLIN},
                           {.fd = SIGNAL_FD, .events = POLLIN}};
    int status = -1;

    while (!has_ended(child)) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
        if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
            !pass_on(child))
            break;
    }
    (void)kill(-child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    (void)!write(LINK_FD, &status, sizeof(status)); /* or they are gone */
    _exit(0);
}

static _Noreturn void between(const struct keeper_spec *spec, int link)
{
    pid_t self, child;
    int status = 127 << 8;

    setpgid(0, 0); /* a Ctrl-C is for us, who pass it on */
    (void)prctl(PR_SET_NAME, "ssweep-keeper");
    if (take_descriptors(link, spec->log) != 0 || watch_children() != 0)
        _exit(1);
    self = getpid();
    child = fork();
    if (child == 0)
        become(spec, self);
    if (child < 0) {
        (void)!write(LINK_FD, &status, sizeof(status));
        _exit(1);
    }
    (void)setpgid(child, child);
    close(LOG_FD);
    keep(child);
}

/* --- our side ------------------------------------------------------------ */

int keeper_start(const struct keeper_spec *spec, struct keeper *keeper,
                 struct relay_error *err)
{
    int ends[2];

    keeper->pid = -1;
    keeper->fd = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return relay_fail_errno(err, EX_OSERR, "socketpair");
    keeper->pid = fork();
    if (keeper->pid == 0)
        between(spec, ends[1]);
    close(ends[1]);
    if (keeper->pid < 0) {
        close(ends[0]);
        return relay_fail_errno(err, EX_OSERR, "fork");
    }
    keeper->fd = ends[0];
    return 0;
}

void keeper_signal(const struct keeper *keeper, int sig)
{
    unsigned char byte = (unsigned char)sig;

    if (keeper->fd >= 0)
        (void)!send(keeper->fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool keeper_ended(struct keeper *keeper, int *status)
{
    ssize_t n;
    int own;

    *status = -1;
    if (keeper->fd < 0)
        return true;
    n = recv(keeper->fd, status, sizeof(*status), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n != (ssize_t)sizeof(*status))
        *status = -1;
    close(keeper->fd);
    keeper->fd = -1;
    while (waitpid(keeper->pid, &own, 0) < 0 && errno == EINTR)
        ;
    /* The keeper itself was killed: so was, then, what it kept. */
    if (*status == -1 && WIFSIGNALED(own))
        *status = WTERMSIG(own);
    keeper->pid = -1;
    return true;
}
