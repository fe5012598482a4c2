#include "runenv.h"

#include <sysexits.h>

#include "commit.h"
#include "history.h"
#include "journal.h"

/* A run that was handed over at step 120; the source was asked to stop at
 * 7000 and stopped at 7005, having said step 150. */
static struct run handed_over(const char *name, const char *more)
{
    struct run run = runenv_open(name);
    struct relay_error err = {0};
    struct json_object *extra = runenv_json(more);
    struct journal j;

    json_add_int(extra, "step", 120);
    json_add_int(extra, "stopping_at", 7000);
    json_add_int(extra, "source_last", 150);
    assert_int_equal(journal_read(&run, &j, &err), 0);
    assert_int_equal(journal_next(&run, &j, JOURNAL_PUBLISHED, extra, &err),
                     0);
    journal_free(&j);
    json_object_put(extra);
    runenv_state(&run, 120, NULL);
    return run;
}

/* Writes the history of a job whose body began at that time. */
static void body_began(const struct run *run, int64_t time)
{
    char name[200], line[200];

    snprintf(name, sizeof(name), "root/.relay/%s/history", run->hash);
    temp_mkdir(name);
    snprintf(name, sizeof(name), "root/.relay/%s/history/%s.jsonl", run->hash,
             run->nonce);
    snprintf(line, sizeof(line),
             "{\"format\": 1, \"time\": 100, \"event\": \"start\"}\n"
             "{\"format\": 1, \"time\": %lld, \"event\": \"start\"}\n",
             (long long)time);
    temp_text(name, line);
}

static int commit(struct run *run, struct commit_numbers *n)
{
    struct relay_error err = {0};
    int rc = commit_if_passed(run, n, &err);

    if (rc < 0)
        fail_msg("%s", err.text);
    return rc;
}

static void nothing_is_committed_before_the_step_is_passed(void **state)
{
    struct run run = handed_over("notyet", "{}");
    struct commit_numbers n;

    (void)state;
    assert_int_equal(commit(&run, &n), 0);
    runenv_state(&run, 121, NULL);
    assert_int_equal(commit(&run, &n), 1);
    assert_int_equal(commit(&run, &n), 0); /* once */
    run_close(&run);
}

static void a_run_that_came_complete_is_committed(void **state)
{
    struct run run = handed_over("complete", "{}");
    struct commit_numbers n;

    (void)state;
    runenv_state(&run, 120, ", \"completed\": true");
    assert_int_equal(commit(&run, &n), 1);
    run_close(&run);
}

static void the_numbers_count_from_the_stop(void **state)
{
    struct run run = handed_over("numbers", "{\"stopped_at\": 7005}");
    struct commit_numbers n;

    (void)state;
    body_began(&run, 7042);
    runenv_state(&run, 130, NULL);
    assert_int_equal(commit(&run, &n), 1);
    assert_int_equal(n.gap, 37);
    assert_int_equal(n.recomputed, 30);
    /* And for whoever asks later. */
    assert_int_equal(commit_count(&run, &n, NULL), 0);
    assert_int_equal(n.gap, 37);
    assert_int_equal(n.recomputed, 30);
    run_close(&run);
}

static void a_stop_nobody_saw_counts_from_the_intent(void **state)
{
    struct run run = handed_over("unseen", "{}");
    struct commit_numbers n;

    (void)state;
    body_began(&run, 7042);
    runenv_state(&run, 130, NULL);
    assert_int_equal(commit(&run, &n), 1);
    assert_int_equal(n.gap, 42);
    run_close(&run);
}

static void the_source_s_step_is_regained_once(void **state)
{
    struct run run = handed_over("regain", "{\"stopped_at\": 7005}");
    struct commit_numbers n;

    (void)state;
    runenv_state(&run, 130, NULL);
    assert_int_equal(commit_regained(&run, 200), COMMIT_NOT_YET);
    assert_int_equal(commit(&run, &n), 1);
    assert_int_equal(commit_regained(&run, 149), COMMIT_NOT_YET);
    assert_true(commit_regained(&run, 150) > 0);
    assert_int_equal(commit_regained(&run, 160), COMMIT_OVER);
    run_close(&run);
}

static void a_run_of_its_own_has_nothing_to_regain(void **state)
{
    struct run run = runenv_open("ownrun");

    (void)state;
    assert_int_equal(commit_regained(&run, 100), COMMIT_OVER);
    run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_committed_before_the_step_is_passed),
        cmocka_unit_test(a_run_that_came_complete_is_committed),
        cmocka_unit_test(the_numbers_count_from_the_stop),
        cmocka_unit_test(a_stop_nobody_saw_counts_from_the_intent),
        cmocka_unit_test(the_source_s_step_is_regained_once),
        cmocka_unit_test(a_run_of_its_own_has_nothing_to_regain),
    };

    return cmocka_run_group_tests(tests, runenv_setup, temp_teardown);
}
