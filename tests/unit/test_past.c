#include "tempdir.h"

#include "past.h"

static const char rows[] =
    "901|main|COMPLETED|3600\n"
    "902|main|PREEMPTED|600\n"
    "902|main|CANCELLED by 1000|1000\n"
    "903_7|fast|NODE_FAIL|100\n"
    "904|main|TIMEOUT|7200\n"
    "905|main,fast|PENDING|0\n"
    "906|main|RUNNING|50\n"
    "907|fast|FAILED|10\n"
    "908|fast|NODE_FAIL|0\n";

static void read_rows(const char *text, struct past *past)
{
    memset(past, 0, sizeof(*past));
    assert_int_equal(past_parse(text, strlen(text), past), 0);
}

static void test_each_run_of_a_job_is_counted(void **state)
{
    struct past past;
    struct past_sum sum;

    (void)state;
    read_rows(rows, &past);
    past_sum(&past, "main", &sum);
    assert_int_equal(sum.jobs, 5);
    assert_int_equal(sum.exposure, 3600 + 600 + 1000 + 7200 + 50);
    assert_int_equal(sum.failures, 1);
    assert_int_equal(sum.preempted, 1);
    assert_int_equal(sum.broken, 0);
    assert_int_equal(sum.censored, 4);
    past_free(&past);
}

static void test_all_partitions(void **state)
{
    struct past past;
    struct past_sum sum;

    (void)state;
    read_rows(rows, &past);
    past_sum(&past, NULL, &sum);
    assert_int_equal(sum.failures, 2);
    assert_int_equal(sum.broken, 1); /* the one that never ran lost nothing */
    assert_int_equal(sum.jobs, 7);
    past_sum(&past, "mai", &sum);
    assert_int_equal(sum.jobs, 0);
    past_free(&past);
}

static void test_last_partition_of_a_job(void **state)
{
    struct past past;

    (void)state;
    read_rows("1|a|PREEMPTED|5\n1|b|RUNNING|5\n2_3|c|RUNNING|1\n", &past);
    assert_string_equal(past_partition_of(&past, "1"), "b");
    assert_string_equal(past_partition_of(&past, "2_3"), "c");
    assert_null(past_partition_of(&past, "2"));
    past_free(&past);
}

static void test_lines_of_another_form_are_left_out(void **state)
{
    struct past past;
    struct past_sum sum;

    (void)state;
    read_rows("sacct: error: x\n\n|||\n1|m|FAILED\n2|m|FAILED|x\n"
              "3|m|FAILED|-5\n4|m|FAILED|99999999999999999999\n"
              "5|m|FAILED|7|8\n6|m|NODE_FAIL|7",
              &past);
    assert_int_equal(past.n, 1);
    past_sum(&past, "m", &sum);
    assert_int_equal(sum.failures, 1);
    past_free(&past);
}

static void test_nothing_is_nothing(void **state)
{
    struct past past;
    struct past_sum sum;

    (void)state;
    read_rows("", &past);
    past_sum(&past, NULL, &sum);
    assert_int_equal(sum.exposure, 0);
    assert_null(past_partition_of(&past, "1"));
    assert_null(past_settings(&past, "m"));
    past_free(&past);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_run_of_a_job_is_counted),
        cmocka_unit_test(test_all_partitions),
        cmocka_unit_test(test_last_partition_of_a_job),
        cmocka_unit_test(test_lines_of_another_form_are_left_out),
        cmocka_unit_test(test_nothing_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
