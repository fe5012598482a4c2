#include "tempdir.h"

#include <signal.h>

#include "sweep/errorline.h"
#include "sweep/outcome.h"

#define EXITED(code) ((code) << 8)

static char *const no_checks[] = {NULL};

/* Judges the directory "cell", made anew with these files. */
static struct outcome judge(const char *summary, const char *meta,
                            const char *log, const char *check, int status,
                            const char *stopped)
{
    static char dir[600], log_path[700];
    char *checks[] = {(char *)(uintptr_t)check};
    struct outcome_facts facts = {.dir = temp_join("cell", dir, sizeof(dir)),
                                  .checks = check != NULL ? checks : no_checks,
                                  .n = check != NULL ? 1 : 0,
                                  .status = status,
                                  .stopped = stopped,
                                  .deep = true};
    struct outcome out;

    (void)mkdirat(temp.fd, "cell", 0700);
    (void)unlinkat(temp.fd, "cell/summary.json", 0);
    (void)unlinkat(temp.fd, "cell/resume_meta.json", 0);
    (void)unlinkat(temp.fd, "cell/stdout.log", 0);
    if (summary != NULL)
        temp_text("cell/summary.json", summary);
    if (meta != NULL)
        temp_text("cell/resume_meta.json", meta);
    if (log != NULL)
        temp_text("cell/stdout.log", log);
    facts.log = temp_join("cell/stdout.log", log_path, sizeof(log_path));
    outcome_judge(&facts, &out);
    return out;
}

static void proof_and_exit_0_are_done(void **state)
{
    struct outcome out;

    (void)state;
    out = judge("{\"ok\": true}", NULL, "", NULL, 0, NULL);
    assert_int_equal(out.state, CELL_DONE);
    assert_string_equal(out.cause, "completed");
    out = judge(NULL, "{\"completed\": true, \"last_checkpoint_step\": 70}",
                "", NULL, 0, NULL);
    assert_int_equal(out.state, CELL_DONE);
    assert_int_equal(out.step, 70);
}

static void exit_0_alone_is_unproven(void **state)
{
    struct outcome out = judge(NULL, NULL,
                               "epoch 1\nTraceback (most recent call last):\n"
                               "  File \"a.py\", line 1, in <module>\n"
                               "ValueError: shapes differ\nsaved logs\n",
                               NULL, 0, NULL);

    (void)state;
    assert_int_equal(out.state, CELL_UNPROVEN);
    assert_non_null(strstr(out.why, "no proof"));
    assert_non_null(strstr(out.why, "ValueError: shapes differ"));
    assert_false(out.counts);
    out = judge("{\"loss\": 1}", "{\"last_step\": 4}", "", NULL, 0, NULL);
    assert_int_equal(out.state, CELL_UNPROVEN);
    assert_int_equal(out.step, 4);
}

static void ok_that_is_not_true_waits_for_a_person(void **state)
{
    static const char *const values[] = {"false", "null", "\"yes\"", "1"};
    char summary[64];
    struct outcome out;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        snprintf(summary, sizeof(summary), "{\"ok\": %s}", values[i]);
        out = judge(summary, "{\"completed\": true}", "", NULL, 0, NULL);
        assert_true(out.refuted);
        assert_int_equal(outcome_end_state(&out), CELL_QUARANTINED);
        assert_string_equal(out.cause, "refuted");
        out = judge(summary, NULL, "", NULL, EXITED(1), NULL);
        assert_true(out.refuted);
    }
    out = judge("{\"ok\": true}", "{\"completed\": false}", "", NULL, 0, NULL);
    assert_true(out.refuted);
}

static void a_crash_in_the_middle_is_no_refutation(void **state)
{
    struct outcome out = judge(NULL, "{\"completed\": false, "
                                     "\"last_step\": 9}",
                               "RuntimeError: boom\n", NULL, EXITED(1), NULL);

    (void)state;
    assert_int_equal(outcome_end_state(&out), CELL_FAILED);
    assert_false(out.refuted);
    assert_true(out.counts);
    assert_string_equal(out.why, "it exited with 1: RuntimeError: boom");
}

static void a_failure_says_the_logs_reason(void **state)
{
    struct outcome out;

    (void)state;
    out = judge("{\"ok\": true}", NULL,
                "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried\n"
                "wandb: Find logs at: x\n", NULL, EXITED(1), NULL);
    assert_int_equal(out.state, CELL_FAILED);
    assert_non_null(strstr(out.why, "CUDA out of memory. Tried"));
    out = judge(NULL, NULL, "last words\n\n", NULL, EXITED(3), NULL);
    assert_string_equal(out.why, "it exited with 3: last words");
    out = judge(NULL, NULL, NULL, NULL, SIGKILL, NULL);
    assert_int_equal(out.state, CELL_FAILED);
    assert_non_null(strstr(out.why, "signal 9"));
}

static void what_was_stopped_is_partial_and_free(void **state)
{
    static const int ends[] = {SIGTERM, SIGINT, SIGHUP, EXITED(143),
                               EXITED(130)};
    struct outcome out;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        out = judge(NULL, NULL, "", NULL, ends[i], NULL);
        assert_int_equal(out.state, CELL_PARTIAL);
        assert_false(out.counts);
    }
    out = judge("{\"ok\": false}", NULL, "", NULL, EXITED(1), "preempted");
    assert_int_equal(outcome_end_state(&out), CELL_PARTIAL);
    assert_string_equal(out.cause, "preempted");
    assert_false(out.counts);
    out = judge(NULL, NULL, "", NULL, SIGKILL, "cancelled");
    assert_int_equal(out.state, CELL_PARTIAL);
    assert_string_equal(out.cause, "cancelled");
    out = judge("{\"ok\": true}", NULL, "", NULL, 0, "preempted");
    assert_int_equal(out.state, CELL_DONE);
}

static void a_contract_replaces_the_proof(void **state)
{
    struct outcome out;

    (void)state;
    out = judge(NULL, NULL, "", "exit0", 0, NULL);
    assert_int_equal(out.state, CELL_DONE);
    out = judge(NULL, NULL, "RuntimeError: boom\n", "model.pt exists", 0,
                NULL);
    assert_int_equal(out.state, CELL_FAILED);
    assert_true(out.counts);
    assert_non_null(strstr(out.why, "model.pt exists"));
    assert_non_null(strstr(out.why, "RuntimeError: boom"));
    out = judge("{\"ok\": false}", NULL, "", "summary.json json ok == true", 0,
                NULL);
    assert_true(out.refuted);
    out = judge(NULL, NULL, "", "exit0", EXITED(1), NULL);
    assert_int_equal(out.state, CELL_FAILED);
}

static void without_a_status_the_evidence_decides(void **state)
{
    struct outcome out;

    (void)state;
    out = judge("{\"ok\": true}", NULL, "", NULL, -1, NULL);
    assert_int_equal(out.state, CELL_DONE);
    out = judge(NULL, NULL, "", NULL, -1, NULL);
    assert_int_equal(out.state, CELL_UNPROVEN);
    out = judge(NULL, NULL, "", "exit0", -1, NULL);
    assert_int_equal(out.state, CELL_UNPROVEN);
    assert_false(out.counts);
}

static void expect_line(const char *log, int64_t from, const char *wanted)
{
    char path[600], line[100];

    temp_text("log", log);
    errorline_find(temp_join("log", path, sizeof(path)), from, false, line,
                   sizeof(line));
    assert_string_equal(line, wanted);
}

static void error_lines_are_told_from_others(void **state)
{
    (void)state;
    expect_line("step 1 loss 2\ntest_error=0.25\n", 0, "");
    expect_line("KeyError: 'lr'\nwandb: error uploading\n", 0,
                "KeyError: 'lr'");
    expect_line("  5%|#   \r 10%|##  \rConnectionResetError: gone\r\n", 0,
                "ConnectionResetError: gone");
    expect_line("\033[31mE\033[0m\nError: no such option\n", 0,
                "Error: no such option");
    expect_line("ValueError: of the attempt before\nfine\n", 34, "");
    expect_line("ValueError: began anew\n", 1000, "ValueError: began anew");
    expect_line("subprocess.CalledProcessError: x\ny\n", 0,
                "subprocess.CalledProcessError: x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proof_and_exit_0_are_done),
        cmocka_unit_test(exit_0_alone_is_unproven),
        cmocka_unit_test(ok_that_is_not_true_waits_for_a_person),
        cmocka_unit_test(a_crash_in_the_middle_is_no_refutation),
        cmocka_unit_test(a_failure_says_the_logs_reason),
        cmocka_unit_test(what_was_stopped_is_partial_and_free),
        cmocka_unit_test(a_contract_replaces_the_proof),
        cmocka_unit_test(without_a_status_the_evidence_decides),
        cmocka_unit_test(error_lines_are_told_from_others),
    };

    return cmocka_run_group_tests_name("outcome", tests, temp_setup,
                                       temp_teardown);
}
