/* Children of the plugin: what they inherit, and that nothing of them stays. */
#include "tempdir.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "clock.h"
#include "helper.h"

static struct helper base(int (*body)(void *arg), void *arg)
{
    return (struct helper){.body = body, .arg = arg, .out = -1,
                           .keep_fd = -1};
}

/* Nothing here may hang the test, whatever is broken. */
static struct helper_limits at_most(int64_t ms)
{
    return (struct helper_limits){.deadline = clock_ms() + ms,
                                  .grace_ms = 100,
                                  .descendants = true};
}

static int run(const struct helper *h, const struct helper_limits *limits,
               struct helper_result *r)
{
    struct relay_error err = {0};
    int rc = helper_run(h, limits, r, &err);

    if (rc != 0)
        fail_msg("%s", err.text);
    return rc;
}

static int return_seven(void *arg)
{
    (void)arg;
    return 7;
}

static void the_value_is_the_exit_code(void **state)
{
    struct helper h = base(return_seven, NULL);
    struct helper_limits limits = at_most(20000);
    struct helper_result r;

    (void)state;
    run(&h, &limits, &r);
    assert_true(WIFEXITED(r.status));
    assert_int_equal(WEXITSTATUS(r.status), 7);
    assert_false(r.timed_out);
    assert_int_equal(r.signal, 0);
    assert_false(r.stuck);
}

static _Noreturn void wait_for_ever(void)
{
    for (;;)
        pause();
}

static int hang(void *arg)
{
    (void)arg;
    signal(SIGTERM, SIG_IGN);
    wait_for_ever();
}

static void the_deadline_ends_it(void **state)
{
    struct helper h = base(hang, NULL);
    struct helper_limits limits = at_most(100);
    struct helper_result r;

    (void)state;
    run(&h, &limits, &r);
    assert_true(r.timed_out);
    assert_true(WIFSIGNALED(r.status));
    assert_int_equal(WTERMSIG(r.status), SIGKILL);
}

/* Descriptors: 0 is /dev/null, 1 and 2 are there, 3 when asked for. */
static int check_descriptors(void *arg)
{
    const int *first = arg;
    char byte = 0;
    int fd;

    if (read(0, &byte, 1) != 0)
        return 1;
    if (fcntl(1, F_GETFD) < 0 || fcntl(2, F_GETFD) < 0)
        return 2;
    for (fd = *first; fd < 256; fd++)
        if (fcntl(fd, F_GETFD) != -1)
            return 3;
    if (*first == 4 && (read(3, &byte, 1) != 1 || byte != 'k'))
        return 4;
    return dprintf(1, "out\n") == 4 && dprintf(2, "err\n") == 4 ? 0 : 5;
}

static void descriptors_are_closed_but_one(void **state)
{
    int first = 4, kept[2], out = memfd_create("test", MFD_CLOEXEC);
    struct helper h = base(check_descriptors, &first);
    struct helper_limits limits = at_most(20000);
    struct helper_result r;
    char text[16] = "";

    (void)state;
    assert_int_equal(pipe(kept), 0);
    assert_int_equal(write(kept[1], "k", 1), 1);
    h.keep_fd = kept[0];
    h.out = out;
    run(&h, &limits, &r);
    assert_int_equal(r.status, 0);
    assert_int_equal(pread(out, text, sizeof(text) - 1, 0), 8);
    assert_string_equal(text, "out\nerr\n");
    first = 3;
    h.keep_fd = -1;
    run(&h, &limits, &r);
    assert_int_equal(r.status, 0);
    close(out);
    close(kept[0]);
    close(kept[1]);
}

static int check_signals(void *arg)
{
    struct sigaction usr1, pipe_action;
    sigset_t mask;

    (void)arg;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    sigaction(SIGUSR1, NULL, &usr1);
    sigaction(SIGPIPE, NULL, &pipe_action);
    return sigismember(&mask, SIGUSR2) == 0 &&
                   sigismember(&mask, SIGTERM) == 0 &&
                   usr1.sa_handler == SIG_DFL &&
                   pipe_action.sa_handler == SIG_DFL && getpgrp() == getpid()
               ? 0
               : 1;
}

static void signals_are_at_their_defaults(void **state)
{
    struct helper h = base(check_signals, NULL);
    struct helper_limits limits = at_most(20000);
    struct helper_result r;
    struct sigaction child;
    sigset_t mask, before, after;
    int subreaper = -1;

    (void)state;
    signal(SIGUSR1, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN); /* what a shell may have left us with */
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    sigprocmask(SIG_SETMASK, NULL, &before);
    run(&h, &limits, &r);
    assert_true(WIFEXITED(r.status));
    assert_int_equal(r.status, 0);
    /* And ours are as they were. */
    sigprocmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&after, SIGUSR2), 1);
    assert_int_equal(sigismember(&after, SIGTERM),
                     sigismember(&before, SIGTERM));
    sigaction(SIGCHLD, NULL, &child);
    assert_ptr_equal(child.sa_handler, SIG_IGN);
    assert_int_equal(prctl(PR_GET_CHILD_SUBREAPER, &subreaper), 0);
    assert_int_equal(subreaper, 0);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &mask, NULL);
}

static int signal_our_parent(void *arg)
{
    (void)arg;
    kill(getppid(), SIGTERM);
    wait_for_ever();
}

static void a_signal_to_us_ends_it(void **state)
{
    struct helper h = base(signal_our_parent, NULL);
    struct helper_limits limits = at_most(20000);
    struct helper_result r;

    (void)state;
    run(&h, &limits, &r);
    assert_int_equal(r.signal, SIGTERM);
    assert_false(r.timed_out);
    assert_true(WIFSIGNALED(r.status));
}

static int signal_our_parent_and_succeed(void *arg)
{
    (void)arg;
    return kill(getppid(), SIGTERM);
}

static void a_signal_is_seen_even_when_it_succeeds(void **state)
{
    struct helper h = base(signal_our_parent_and_succeed, NULL);
    struct helper_limits limits = at_most(20000);
    struct helper_result r;

    (void)state;
    run(&h, &limits, &r);
    assert_int_equal(r.signal, SIGTERM);
}

#define GENERATIONS 3

/* Each generation in a session of its own and deaf to SIGTERM. */
static void descend(volatile pid_t *pids, int depth)
{
    if (depth == GENERATIONS || fork() != 0)
        return;
    setsid();
    signal(SIGTERM, SIG_IGN);
    descend(pids, depth + 1);
    pids[depth] = getpid();
    wait_for_ever();
}

static int leave_descendants(void *arg)
{
    volatile pid_t *pids = arg;
    int i;

    descend(pids, 0);
    for (i = 0; i < GENERATIONS; i++)
        while (pids[i] == 0)
            clock_sleep_ms(1);
    return 0;
}

static void no_descendant_stays(void **state)
{
    pid_t *pids = mmap(NULL, GENERATIONS * sizeof(*pids),
                       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                       -1, 0);
    struct helper h = base(leave_descendants, pids);
    struct helper_limits limits = at_most(20000);
    struct helper_result r;
    int i;

    (void)state;
    assert_ptr_not_equal(pids, MAP_FAILED);
    run(&h, &limits, &r);
    assert_int_equal(r.status, 0);
    assert_false(r.stuck);
    for (i = 0; i < GENERATIONS; i++) {
        assert_int_not_equal(pids[i], 0);
        assert_int_equal(kill(pids[i], 0), -1);
        assert_int_equal(errno, ESRCH);
    }
    munmap(pids, GENERATIONS * sizeof(*pids));
}

static void a_child_of_before_is_left_alone(void **state)
{
    struct helper h = base(return_seven, NULL);
    struct helper_limits limits = at_most(20000);
    struct helper_result r;
    int status;
    pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0)
        wait_for_ever();
    run(&h, &limits, &r);
    assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

static int exec_missing(void *arg)
{
    static char *argv[] = {"/nonexistent/relay-job", NULL};

    return helper_exec(arg, argv, argv + 1, NULL);
}

static void a_program_that_is_missing_is_named(void **state)
{
    int out = memfd_create("test", MFD_CLOEXEC);
    struct helper h = base(exec_missing, NULL);
    struct helper_limits limits = at_most(20000);
    struct helper_result r;
    char text[256] = "";

    (void)state;
    h.arg = &h;
    h.out = out;
    run(&h, &limits, &r);
    assert_int_equal(WEXITSTATUS(r.status), EX_UNAVAILABLE);
    assert_true(pread(out, text, sizeof(text) - 1, 0) > 0);
    assert_non_null(strstr(text, "/nonexistent/relay-job"));
    close(out);
}

static int print_directory(void *arg)
{
    static char *argv[] = {"/bin/pwd", NULL};

    return helper_exec(arg, argv, argv + 1, "/nonexistent");
}

static void a_missing_directory_does_not_matter(void **state)
{
    int out = memfd_create("test", MFD_CLOEXEC);
    struct helper h = base(print_directory, NULL);
    struct helper_limits limits = at_most(20000);
    struct helper_result r;
    char text[64] = "";

    (void)state;
    h.arg = &h;
    h.out = out;
    run(&h, &limits, &r);
    assert_int_equal(r.status, 0);
    assert_true(pread(out, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, "/\n");
    close(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_value_is_the_exit_code),
        cmocka_unit_test(the_deadline_ends_it),
        cmocka_unit_test(descriptors_are_closed_but_one),
        cmocka_unit_test(signals_are_at_their_defaults),
        cmocka_unit_test(a_signal_to_us_ends_it),
        cmocka_unit_test(a_signal_is_seen_even_when_it_succeeds),
        cmocka_unit_test(no_descendant_stays),
        cmocka_unit_test(a_child_of_before_is_left_alone),
        cmocka_unit_test(a_program_that_is_missing_is_named),
        cmocka_unit_test(a_missing_directory_does_not_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
