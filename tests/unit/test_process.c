#include "tempdir.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "clock.h"
#include "process.h"

static struct process_result run_sh(const char *script,
                                    struct process_spec spec)
{
    const char *argv[] = {"/bin/sh", "-c", script, temp.path, NULL};
    struct process_result res;
    struct relay_error err = {0};

    spec.argv = argv;
    assert_int_equal(process_run(&spec, &res, &err), 0);
    return res;
}

/* The pid that a script has left in a file. */
static pid_t read_pid(const char *name)
{
    char buf[32] = "";
    int fd = openat(temp.fd, name, O_RDONLY);

    assert_true(fd >= 0);
    assert_true(read(fd, buf, sizeof(buf) - 1) > 0);
    close(fd);
    return (pid_t)strtol(buf, NULL, 10);
}

/* Waits until a process is gone (or a zombie of init's). */
static bool is_gone(pid_t pid)
{
    int64_t until = clock_ms() + 10000;
    char path[64];

    while (clock_ms() < until) {
        char stat[512] = "";
        char *end;
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        fd = open(path, O_RDONLY);
        if (fd < 0)
            return true;
        if (read(fd, stat, sizeof(stat) - 1) < 0)
            stat[0] = '\0';
        close(fd);
        end = strrchr(stat, ')');
        if (end == NULL || end[2] == 'Z' || end[2] == 'X')
            return true;
        clock_sleep_ms(5);
    }
    return false;
}

static void takes_output_and_status(void **state)
{
    struct process_result res =
        run_sh("echo out; echo bad >&2; exit 3", (struct process_spec){0});
    char text[80];

    (void)state;
    assert_string_equal(res.out, "out\n");
    assert_int_equal(res.out_len, 4);
    assert_string_equal(res.err, "bad\n");
    assert_true(WIFEXITED(res.status));
    assert_int_equal(WEXITSTATUS(res.status), 3);
    assert_false(process_ok(&res));
    process_describe(&res, text, sizeof(text));
    assert_string_equal(text, "exited with 3");
    process_free(&res);
    res = run_sh("kill -9 $$", (struct process_spec){0});
    process_describe(&res, text, sizeof(text));
    assert_string_equal(text, "was killed by signal 9");
    process_free(&res);
    res = run_sh("exit 0", (struct process_spec){0});
    assert_true(process_ok(&res));
    process_free(&res);
}

static void feeds_input_and_environment(void **state)
{
    static const char *const env[] = {"ONLY=this", NULL};
    size_t len = 300000; /* more than a pipe holds */
    char *input = malloc(len);
    struct process_spec spec = {.input = input, .input_len = len, .env = env};
    struct process_result res;

    (void)state;
    memset(input, 'x', len);
    res = run_sh("cat; echo \"$ONLY:$HOME\" >&2", spec);
    assert_int_equal(res.out_len, len);
    assert_memory_equal(res.out, input, len);
    assert_string_equal(res.err, "this:\n");
    process_free(&res);
    free(input);
    res = run_sh("cat | wc -c", (struct process_spec){0});
    assert_int_equal(strtol(res.out, NULL, 10), 0);
    process_free(&res);
}

static void child_starts_clean(void **state)
{
    int leak = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
    sigset_t set, old;
    struct process_result res;

    (void)state;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, &old);
    signal(SIGPIPE, SIG_IGN);
    res = run_sh("cd /proc/self/fd && echo *; "
                 "grep -E '^Sig(Blk|Ign)' /proc/self/status",
                 (struct process_spec){0});
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &old, NULL);
    /* The shell itself opens one more while it lists. */
    assert_true(strncmp(res.out, "0 1 2\n", 6) == 0 ||
                strncmp(res.out, "0 1 2 3\n", 8) == 0);
    assert_non_null(strstr(res.out, "SigBlk:\t0000000000000000"));
    /* The C library keeps 32 and 33 for itself; posix_spawn (make's way to
     * start us) leaves them ignored, and nobody can change that. */
    assert_true(strstr(res.out, "SigIgn:\t0000000000000000") != NULL ||
                strstr(res.out, "SigIgn:\t0000000180000000") != NULL);
    process_free(&res);
    close(leak);
}

static void works_without_standard_descriptors(void **state)
{
    pid_t pid = fork();
    int status = 0;

    (void)state;
    if (pid == 0) {
        static const char *const argv[] = {"/bin/sh", "-c",
                                           "cat; echo e >&2", NULL};
        struct process_spec spec = {
            .argv = argv, .input = "in", .input_len = 2};
        struct process_result res;

        close(0);
        close(1);
        close(2);
        _exit(process_run(&spec, &res, NULL) == 0 && process_ok(&res) &&
                      strcmp(res.out, "in") == 0 && strcmp(res.err, "e\n") == 0
                  ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void says_what_is_missing(void **state)
{
    static const char *const none[] = {"/no/such/program", NULL};
    static const char *const relative[] = {"sh", NULL};
    struct process_spec spec = {.argv = none};
    struct process_result res;
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(process_run(&spec, &res, &err), -1);
    assert_int_equal(err.code, EX_UNAVAILABLE);
    assert_non_null(strstr(err.text, "/no/such/program"));
    process_free(&res);
    spec.argv = relative;
    assert_int_equal(process_run(&spec, &res, &err), -1);
    assert_int_equal(err.code, EX_OSERR);
    process_free(&res);
}

static void deadline_ends_the_whole_group(void **state)
{
    struct process_result res = run_sh(
        "sleep 1000 & echo $! >$0/sleeper; trap '' TERM; echo on; "
        "while :; do wait; done", (struct process_spec){.deadline_ms = 300});

    (void)state;
    assert_true(res.timed_out);
    assert_false(process_ok(&res));
    assert_string_equal(res.out, "on\n");
    assert_true(WIFSIGNALED(res.status));
    assert_int_equal(WTERMSIG(res.status), SIGKILL);
    assert_true(is_gone(read_pid("sleeper")));
    process_free(&res);
}

static void a_gentle_end_is_seen(void **state)
{
    struct process_result res = run_sh(
        "trap 'echo bye; exit 5' TERM; sleep 1000 & wait",
        (struct process_spec){.deadline_ms = 200});

    (void)state;
    assert_true(res.timed_out);
    assert_string_equal(res.out, "bye\n");
    assert_int_equal(WEXITSTATUS(res.status), 5);
    process_free(&res);
}

static void the_group_goes_with_its_leader(void **state)
{
    /* The one in the background holds our pipe: we must not wait for it. */
    struct process_result res = run_sh(
        "sleep 1000 & echo $! >$0/orphan; echo done",
        (struct process_spec){0});

    (void)state;
    assert_true(process_ok(&res));
    assert_string_equal(res.out, "done\n");
    assert_true(is_gone(read_pid("orphan")));
    process_free(&res);
}

static int stop_at_third(void *arg)
{
    return ++*(int *)arg >= 3;
}

static void tick_stops_it(void **state)
{
    int ticks = 0;
    struct process_result res = run_sh(
        "sleep 1000", (struct process_spec){.tick = stop_at_third,
                                            .tick_arg = &ticks});

    (void)state;
    assert_int_equal(ticks, 3);
    assert_true(res.stopped);
    assert_false(res.timed_out);
    process_free(&res);
}

static void too_much_output_is_an_error(void **state)
{
    static const char *const argv[] = {"/bin/sh", "-c", "yes", NULL};
    struct process_spec spec = {.argv = argv, .max_output = 100000};
    struct process_result res;
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(process_run(&spec, &res, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_true(res.out_len <= 100000);
    process_free(&res);
}

static void keeps_the_end_of_stderr(void **state)
{
    struct process_result res = run_sh(
        "i=0; while [ $i -lt 5000 ]; do echo line $i >&2; i=$((i+1)); done",
        (struct process_spec){0});

    (void)state;
    assert_int_equal(strlen(res.err), 8192);
    assert_string_equal(res.err + 8192 - 10, "line 4999\n");
    process_free(&res);
}

static void a_flood_does_not_hide_the_deadline(void **state)
{
    struct process_result res = run_sh(
        "while :; do cat /dev/zero >&2; done",
        (struct process_spec){.deadline_ms = 300});

    (void)state;
    assert_true(res.timed_out);
    process_free(&res);
}

/* Without a status nothing may look like success. */
static void an_ignored_sigchld_is_an_error(void **state)
{
    static const char *const argv[] = {"/bin/sh", "-c", "exit 3", NULL};
    struct process_spec spec = {.argv = argv};
    struct process_result res;
    struct relay_error err = {0};
    int rc;

    (void)state;
    signal(SIGCHLD, SIG_IGN);
    rc = process_run(&spec, &res, &err);
    signal(SIGCHLD, SIG_DFL);
    assert_int_equal(rc, -1);
    assert_int_equal(err.code, EX_OSERR);
    process_free(&res);
}

/* In a child, so that the flag of this program stays unset. */
static void a_signal_ends_it_but_not_clean_up(void **state)
{
    pid_t pid = fork();
    int status = 0;

    (void)state;
    if (pid == 0) {
        const char *argv[] = {"/bin/sh", "-c", "kill -TERM $PPID; sleep 1000",
                              NULL};
        const char *after[] = {"/bin/sh", "-c", "sleep 0.3; echo ok", NULL};
        struct process_spec spec = {.argv = argv};
        struct process_result res;
        int bad;

        process_catch_signals();
        bad = process_cancelled() != 0;
        bad |= process_run(&spec, &res, NULL) != 0 || !res.stopped;
        bad |= process_cancelled() != SIGTERM;
        process_free(&res);
        spec.argv = after;
        spec.clean_up = true;
        bad |= process_run(&spec, &res, NULL) != 0 || !process_ok(&res);
        process_free(&res);
        _exit(bad);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void child_dies_with_us(void **state)
{
    pid_t pid = fork();
    int64_t until = clock_ms() + 10000;
    pid_t child;

    (void)state;
    if (pid == 0) {
        const char *argv[] = {
            "/bin/sh", "-c",
            "echo $$ >$0/t && mv $0/t $0/child; exec sleep 1000",
            temp.path, NULL};
        struct process_spec spec = {.argv = argv};
        struct process_result res;

        process_run(&spec, &res, NULL);
        _exit(0);
    }
    while (faccessat(temp.fd, "child", F_OK, 0) != 0 && clock_ms() < until)
        clock_sleep_ms(5);
    child = read_pid("child");
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(is_gone(child));
}

static void finds_programs(void **state)
{
    struct relay_error err = {0};
    char path[600], want[600];

    (void)state;
    assert_int_equal(process_find("sh", path, sizeof(path), &err), 0);
    assert_int_equal(path[0], '/');
    assert_int_equal(process_find("no-such-tool", path, sizeof(path), &err),
                     -1);
    assert_int_equal(err.code, EX_UNAVAILABLE);
    assert_non_null(strstr(err.text, "no-such-tool"));
    assert_int_equal(process_find("../bin/sh", path, sizeof(path), &err), -1);
    temp_text("no-such-tool", "#!/bin/sh\n");
    setenv("RELAY_TOOLS", temp.path, 1);
    assert_int_equal(process_find("no-such-tool", path, sizeof(path), &err),
                     -1); /* not executable */
    assert_int_equal(fchmodat(temp.fd, "no-such-tool", 0755, 0), 0);
    assert_int_equal(process_find("no-such-tool", path, sizeof(path), &err),
                     0);
    assert_string_equal(path, temp_join("no-such-tool", want, sizeof(want)));
    unsetenv("RELAY_TOOLS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_output_and_status),
        cmocka_unit_test(feeds_input_and_environment),
        cmocka_unit_test(child_starts_clean),
        cmocka_unit_test(works_without_standard_descriptors),
        cmocka_unit_test(says_what_is_missing),
        cmocka_unit_test(deadline_ends_the_whole_group),
        cmocka_unit_test(a_gentle_end_is_seen),
        cmocka_unit_test(the_group_goes_with_its_leader),
        cmocka_unit_test(tick_stops_it),
        cmocka_unit_test(too_much_output_is_an_error),
        cmocka_unit_test(keeps_the_end_of_stderr),
        cmocka_unit_test(a_flood_does_not_hide_the_deadline),
        cmocka_unit_test(an_ignored_sigchld_is_an_error),
        cmocka_unit_test(a_signal_ends_it_but_not_clean_up),
        cmocka_unit_test(child_dies_with_us),
        cmocka_unit_test(finds_programs),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
