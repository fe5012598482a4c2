#include "tempdir.h"

#include "logwatch.h"

static char path[600];

/* Watches a log that begins with that text, from its byte from. */
static struct logwatch watch(const char *text, int64_t from, int64_t step,
                             const char *log_step)
{
    struct logwatch w;

    temp_text("log", text);
    logwatch_begin(&w, temp_join("log", path, sizeof(path)), from, step,
                   log_step);
    return w;
}

static void append(const char *text)
{
    FILE *file = fopen(path, "a");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void expect(struct logwatch *w, enum log_says says, int64_t step)
{
    int64_t found = -1;

    assert_int_equal(logwatch_read(w, &found), says);
    if (says != LOG_NOTHING)
        assert_int_equal(found, step);
}

static void resuming_is_proof_once(void **state)
{
    struct logwatch w = watch("start\nResuming from step 120, loss 0.3\n", 0,
                              120, NULL);

    (void)state;
    expect(&w, LOG_RESUMED, 120);
    expect(&w, LOG_NOTHING, 0);
    append("step: 121/300\nstep: 7/10 of the evaluation\n");
    expect(&w, LOG_NOTHING, 0);
    logwatch_end(&w);
}

static void an_earlier_step_is_doubted_once(void **state)
{
    struct logwatch w = watch("epoch 1\n", 0, 120, NULL);

    (void)state;
    expect(&w, LOG_NOTHING, 0);
    append("Starting at st");
    expect(&w, LOG_NOTHING, 0);
    append("ep 0\n");
    expect(&w, LOG_DOUBT, 0);
    append("step: 1/300\n");
    expect(&w, LOG_NOTHING, 0);
    logwatch_end(&w);
}

static void resuming_from_elsewhere_is_doubted(void **state)
{
    struct logwatch w = watch("Resuming from step 60\n", 0, 120, NULL);

    (void)state;
    expect(&w, LOG_DOUBT, 60);
    logwatch_end(&w);
}

static void log_step_says_how_to_read_it(void **state)
{
    struct logwatch w = watch("step 3 of the set-up\n[it 120] loss 1\n", 0,
                              120, "\\[it ([0-9]+)\\]");

    (void)state;
    expect(&w, LOG_NOTHING, 0);
    append("[it 10] loss 2\n");
    expect(&w, LOG_BACK, 10);
    logwatch_end(&w);
}

static void what_earlier_runs_wrote_does_not_count(void **state)
{
    struct logwatch w = watch("Starting at step 0\n", 19, 120, NULL);

    (void)state;
    expect(&w, LOG_NOTHING, 0);
    append("relay: lab/p/r resumes at step 100\nResumed at step: 130\n");
    expect(&w, LOG_RESUMED, 130);
    logwatch_end(&w);
}

static void a_very_long_line_is_no_trouble(void **state)
{
    struct logwatch w = watch("", 0, 120, NULL);
    char *line = malloc(200001);

    (void)state;
    assert_non_null(line);
    memset(line, 'x', 200000);
    line[200000] = '\0';
    append(line);
    append("\nResuming from step 120\n");
    expect(&w, LOG_RESUMED, 120);
    free(line);
    logwatch_end(&w);
}

static void without_a_step_or_a_file_nothing_is_said(void **state)
{
    struct logwatch w = watch("Starting at step 0\n", 0, -1, NULL);

    (void)state;
    expect(&w, LOG_NOTHING, 0);
    logwatch_end(&w);
    logwatch_begin(&w, "/nowhere/at/all", 0, 5, NULL);
    expect(&w, LOG_NOTHING, 0);
    logwatch_end(&w);
    logwatch_begin(&w, "/dev/null", 0, 5, "x([0-9])");
    expect(&w, LOG_NOTHING, 0);
    logwatch_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resuming_is_proof_once),
        cmocka_unit_test(an_earlier_step_is_doubted_once),
        cmocka_unit_test(resuming_from_elsewhere_is_doubted),
        cmocka_unit_test(log_step_says_how_to_read_it),
        cmocka_unit_test(what_earlier_runs_wrote_does_not_count),
        cmocka_unit_test(a_very_long_line_is_no_trouble),
        cmocka_unit_test(without_a_step_or_a_file_nothing_is_said),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
