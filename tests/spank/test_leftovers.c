/* Which processes of a job are ended after it, and which are not. */
#include "tempdir.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "clock.h"
#include "file.h"
#include "leftovers.h"

#define JOB 4242
#define JOB_TEXT "SLURM_JOB_ID=4242"

static char nonce[33];
static const char *const nonces[] = {nonce};

static int fresh_nonce(void **state)
{
    (void)state;
    return file_nonce(nonce, NULL);
}

/* A sleep with that environment, executed when this returns. */
static pid_t start(const char *job, const char *run, bool deaf)
{
    static char *argv[] = {"/bin/sleep", "618", NULL};
    char *env[] = {"A=1", (char *)(uintptr_t)job, (char *)(uintptr_t)run,
                   "B=2", NULL};
    int done[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe2(done, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setsid();
        if (deaf)
            signal(SIGTERM, SIG_IGN);
        execve(argv[0], argv, env);
        _exit(127);
    }
    close(done[1]);
    assert_int_equal(read(done[0], &byte, 1), 0); /* closed by exec */
    close(done[0]);
    return pid;
}

static int end_signal(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    return WTERMSIG(status);
}

static const char *run_variable(void)
{
    static char text[64];

    snprintf(text, sizeof(text), "RELAY_RUN_NONCE=%s", nonce);
    return text;
}

static int end_them(void)
{
    return leftovers_end(JOB, nonces, 1, clock_ms() + 20000);
}

static void the_run_s_processes_are_ended(void **state)
{
    pid_t kind = start(JOB_TEXT, run_variable(), false);
    pid_t deaf = start(JOB_TEXT, run_variable(), true);

    (void)state;
    assert_int_equal(end_them(), 2);
    assert_int_equal(end_signal(kind), SIGTERM);
    assert_int_equal(end_signal(deaf), SIGKILL);
    assert_int_equal(end_them(), 0);
}

static void others_are_left_alone(void **state)
{
    pid_t alive[] = {
        start("SLURM_JOB_ID=42", run_variable(), false),
        start("SLURM_JOB_ID=42420", run_variable(), false),
        start("XSLURM_JOB_ID=4242", run_variable(), false),
        start(JOB_TEXT, "RELAY_RUN_NONCE=", false),
        start(JOB_TEXT, "RELAY_RUN_NONCE=0123", false),
        start(JOB_TEXT, "NOTHING=1", false),
    };
    size_t i;

    (void)state;
    assert_int_equal(end_them(), 0);
    for (i = 0; i < sizeof(alive) / sizeof(alive[0]); i++) {
        assert_int_equal(waitpid(alive[i], NULL, WNOHANG), 0);
        assert_int_equal(kill(alive[i], SIGKILL), 0);
        assert_int_equal(end_signal(alive[i]), SIGKILL);
    }
}

static void any_of_the_nonces_will_do(void **state)
{
    static const char *const two[] = {"ffffffffffffffffffffffffffffffff",
                                      nonce};
    pid_t pid = start(JOB_TEXT, run_variable(), false);

    (void)state;
    assert_int_equal(leftovers_end(JOB, two, 2, clock_ms() + 20000), 1);
    assert_int_equal(end_signal(pid), SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_run_s_processes_are_ended, fresh_nonce),
        cmocka_unit_test_setup(others_are_left_alone, fresh_nonce),
        cmocka_unit_test_setup(any_of_the_nonces_will_do, fresh_nonce),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
