#include "tempdir.h"

#include "sweep/gpus.h"
#include "sweep/jobtime.h"

static void expect_list(const char *text, const char *wanted)
{
    struct words w = {0};
    char joined[256] = "";
    size_t i;

    assert_int_equal(gpus_parse(text, "LIST", &w, NULL), 0);
    for (i = 0; i < w.n; i++)
        snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined),
                 "%s ", w.word[i]);
    assert_string_equal(joined, wanted);
    words_free(&w);
}

static void lists_are_read_as_cuda_reads_them(void **state)
{
    (void)state;
    expect_list(NULL, "");
    expect_list("", "");
    expect_list("NoDevFiles", "");
    expect_list("-1", "");
    expect_list("3", "3 ");
    expect_list("0,1, 2", "0 1 2 ");
    expect_list("0,-1,1", "0 ");
    expect_list("GPU-8f0e6b2a-1c5d,MIG-3c2b,MIG-GPU-8f/1/0",
                "GPU-8f0e6b2a-1c5d MIG-3c2b MIG-GPU-8f/1/0 ");
}

static void what_is_no_device_is_refused(void **state)
{
    static const char *const bad[] = {"x", "0,,1", "0,0", "GPU-", "0;1",
                                      "1a", "GPU-8f..", "0,"};
    struct relay_error err = {0};
    struct words w = {0};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (gpus_parse(bad[i], "LIST", &w, &err) == 0)
            fail_msg("%s was accepted", bad[i]);
        assert_non_null(strstr(err.text, "LIST"));
        words_free(&w);
    }
}

static void shares_are_disjoint(void **state)
{
    struct words all = {0}, share = {0};
    int seen[8] = {0};
    int64_t task;
    size_t i;

    (void)state;
    assert_int_equal(gpus_parse("0,1,2,3,4,5,6,7", "", &all, NULL), 0);
    for (task = 0; task < 3; task++) {
        assert_int_equal(gpus_share(&all, task, 3, &share, NULL), 0);
        for (i = 0; i < share.n; i++)
            seen[share.word[i][0] - '0']++;
        words_free(&share);
    }
    for (i = 0; i < 8; i++)
        assert_int_equal(seen[i], 1);
    words_free(&all);
    assert_int_equal(gpus_parse("4,5", "", &all, NULL), 0);
    assert_int_equal(gpus_share(&all, 3, 4, &share, NULL), 0);
    assert_int_equal(share.n, 1);
    assert_string_equal(share.word[0], "5");
    words_free(&share);
    words_free(&all);
}

static void expect_slot(const struct words *all, int64_t slot, int64_t per,
                        const char *wanted)
{
    char *list = gpus_of_slot(all, slot, per);

    if (wanted == NULL)
        assert_null(list);
    else
        assert_string_equal(list, wanted);
    free(list);
}

static void each_slot_has_its_own(void **state)
{
    struct words all = {0};

    (void)state;
    expect_slot(&all, 0, 1, NULL);
    assert_int_equal(gpus_parse("0,1,2,3", "", &all, NULL), 0);
    expect_slot(&all, 2, 1, "2");
    expect_slot(&all, 1, 2, "2,3");
    expect_slot(&all, 5, 1, "1");
    expect_slot(&all, 0, 9, "0,1,2,3");
    words_free(&all);
}

static void tasks_of_a_node_are_counted(void **state)
{
    (void)state;
    assert_int_equal(gpus_tasks_on("4", 0), 4);
    assert_int_equal(gpus_tasks_on("4(x2),1", 1), 4);
    assert_int_equal(gpus_tasks_on("4(x2),1", 2), 1);
    assert_int_equal(gpus_tasks_on("4(x2),1", 3), 0);
    assert_int_equal(gpus_tasks_on("2,8(x3)", 3), 8);
    assert_int_equal(gpus_tasks_on("", 0), 0);
    assert_int_equal(gpus_tasks_on(NULL, 0), 0);
}

static void time_left_is_read(void **state)
{
    (void)state;
    assert_int_equal(jobtime_parse("4:05\n"), 245);
    assert_int_equal(jobtime_parse("1:00:01"), 3601);
    assert_int_equal(jobtime_parse("2-03:00:00\n"), 2 * 86400 + 3 * 3600);
    assert_true(jobtime_parse("UNLIMITED\n") == JOBTIME_UNLIMITED);
    assert_int_equal(jobtime_parse("INVALID"), -1);
    assert_int_equal(jobtime_parse("NOT_SET"), -1);
    assert_int_equal(jobtime_parse(""), -1);
    assert_int_equal(jobtime_parse("5"), -1);
    assert_int_equal(jobtime_parse("1:2:3:4"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_read_as_cuda_reads_them),
        cmocka_unit_test(what_is_no_device_is_refused),
        cmocka_unit_test(shares_are_disjoint),
        cmocka_unit_test(each_slot_has_its_own),
        cmocka_unit_test(tasks_of_a_node_are_counted),
        cmocka_unit_test(time_left_is_read),
    };

    return cmocka_run_group_tests_name("gpus", tests, NULL, NULL);
}
