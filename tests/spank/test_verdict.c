/* What the gate leaves for the tasks of a job, and who the gate is. */
#include "tempdir.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "verdict.h"

static int clean(void **state)
{
    static const char *const files[] = {"verdict", "env", "gate"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (unlinkat(temp.fd, files[i], 0) != 0 && errno != ENOENT)
            return -1;
    return 0;
}

static void verdicts(void **state)
{
    struct verdict v;

    (void)state;
    assert_int_equal(verdict_read(temp.fd, &v, NULL), 0);
    temp_text("verdict", "0\n");
    assert_int_equal(verdict_read(temp.fd, &v, NULL), 1);
    assert_false(v.done);
    assert_int_equal(v.code, 0);
    temp_text("verdict", "75\n");
    assert_int_equal(verdict_read(temp.fd, &v, NULL), 1);
    assert_int_equal(v.code, 75);
    temp_text("verdict", "done\n");
    assert_int_equal(verdict_read(temp.fd, &v, NULL), 1);
    assert_true(v.done);
}

static void what_is_no_verdict_lets_nothing_run(void **state)
{
    static const char *const cases[] = {"",      "0",     "\n",    "x\n",
                                        "-1\n",  "256\n", "0 1\n", "done",
                                        "0\n0\n", "done\n\n",
                                        "00000000000000000000000\n"};
    struct relay_error err = {0};
    struct verdict v;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        temp_text("verdict", cases[i]);
        if (verdict_read(temp.fd, &v, &err) != -1)
            fail_msg("'%s' was taken", cases[i]);
        assert_int_equal(err.code, EX_SOFTWARE);
    }
}

static int collect(void *arg, const char *name, const char *value)
{
    char *all = arg;
    size_t used = strlen(all);

    if (value == NULL)
        snprintf(all + used, 200 - used, "[%s]", name);
    else
        snprintf(all + used, 200 - used, "[%s=%s]", name, value);
    return strcmp(name, "REFUSED") == 0 ? -1 : 0;
}

static void the_environment_is_handed_on(void **state)
{
    static const char env[] = "A=1\0B_2=x=y z\n\0_C=\0GONE";
    char all[200] = "";

    (void)state;
    temp_write("env", env, sizeof(env));
    assert_int_equal(verdict_environment(temp.fd, collect, all, NULL), 0);
    assert_string_equal(all, "[A=1][B_2=x=y z\n][_C=][GONE]");
}

static void a_damaged_environment_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {{"A=1\0B=2", 7}, {"A=1\0\0", 5},  {"=1", 3},
                 {"1A=1", 5},     {"A B=1", 6},    {"A ", 3},
                 {"A-B=1", 6},    {"REFUSED=", 9}};
    char all[200];
    size_t i;

    (void)state;
    assert_int_equal(verdict_environment(temp.fd, collect, all, NULL), -1);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        all[0] = '\0';
        temp_write("env", cases[i].bytes, cases[i].len);
        if (verdict_environment(temp.fd, collect, all, NULL) != -1)
            fail_msg("case %zu gave %s", i, all);
    }
}

#define STEP 4294967291U /* the batch step's number */

static enum gate_state state_of(uint32_t stepid)
{
    return verdict_gate_state(temp.fd, VERDICT_GATE, stepid);
}

static int take(uint32_t stepid, struct relay_error *err)
{
    return verdict_take_gate(temp.fd, VERDICT_GATE, stepid, err);
}

static void one_gate_at_a_time(void **state)
{
    struct relay_error err = {0};
    struct verdict v;
    int lock;

    (void)state;
    assert_int_equal(state_of(0), GATE_NONE);
    temp_text("verdict", "75\n");
    lock = take(STEP, &err);
    assert_true(lock >= 0);
    /* What an earlier step was told is not this one's verdict. */
    assert_int_equal(verdict_read(temp.fd, &v, NULL), 0);
    assert_int_equal(state_of(STEP), GATE_AT_WORK);
    assert_int_equal(state_of(1), GATE_NONE);
    assert_int_equal(take(1, &err), -1);
    assert_int_equal(err.code, EX_TEMPFAIL);
    close(lock);
    assert_int_equal(state_of(STEP), GATE_ENDED);
    lock = take(1, &err);
    assert_true(lock >= 0);
    assert_int_equal(state_of(STEP), GATE_NONE);
    assert_int_equal(state_of(1), GATE_AT_WORK);
    close(lock);
}

static void a_killed_gate_is_a_gate_that_ended(void **state)
{
    int ready[2], status;
    char byte;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (take(7, NULL) < 0 ||
            write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    assert_int_equal(state_of(7), GATE_AT_WORK);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(state_of(7), GATE_ENDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(verdicts, clean),
        cmocka_unit_test_setup(what_is_no_verdict_lets_nothing_run, clean),
        cmocka_unit_test_setup(the_environment_is_handed_on, clean),
        cmocka_unit_test_setup(a_damaged_environment_is_refused, clean),
        cmocka_unit_test_setup(one_gate_at_a_time, clean),
        cmocka_unit_test_setup(a_killed_gate_is_a_gate_that_ended, clean),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
