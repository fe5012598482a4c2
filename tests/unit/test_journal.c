#include "runenv.h"

#include <sysexits.h>

#include "handoff.h"
#include "journal.h"

static const char open_members[] =
    "{\"source\": {\"cluster\": \"there\", \"root\": \"/there\", \"hash\": "
    "\"0123456789012345678901234567890123456789\", \"step\": 90}, "
    "\"term\": 3}";

static struct journal read_journal(const struct run *run)
{
    struct relay_error err = {0};
    struct journal j;

    if (journal_read(run, &j, &err) != 0)
        fail_msg("%s", err.text);
    return j;
}

static void next(const struct run *run, struct journal *j,
                 enum journal_state state, const char *members)
{
    struct relay_error err = {0};
    struct json_object *extra = members != NULL ? runenv_json(members) : NULL;

    if (journal_next(run, j, state, extra, &err) != 0)
        fail_msg("%s", err.text);
    json_object_put(extra);
}

/* The journal at that state, as a handoff gets it there. */
static void write_to(const struct run *run, enum journal_state last)
{
    struct journal j = read_journal(run);
    static const char *const members[] = {
        [JOURNAL_OPEN] = open_members,
        [JOURNAL_STAGED] = "{\"step\": 100}",
        [JOURNAL_STOPPING] = "{\"opened_by\": \"ab\", \"stopping_at\": 7000, "
                             "\"step\": 100}",
        [JOURNAL_SOURCE_STOPPED] = "{\"superseded\": \"/there/s\", "
                                   "\"source_last\": 140, "
                                   "\"stopped_at\": 7005}",
        [JOURNAL_PUBLISHED] = "{\"step\": 120}",
        [JOURNAL_COMMITTED] = NULL,
    };
    int state;

    for (state = JOURNAL_OPEN; state <= (int)last; state++)
        next(run, &j, (enum journal_state)state, members[state]);
    journal_free(&j);
}

static void a_run_has_no_journal_at_first(void **state)
{
    struct run run = runenv_open("none");
    struct journal j = read_journal(&run);

    (void)state;
    assert_int_equal(j.state, JOURNAL_NONE);
    assert_false(journal_open(&j));
    assert_false(journal_in_flight(&j));
    assert_int_equal(j.step, -1);
    journal_free(&j);
    run_close(&run);
}

static void later_states_know_what_earlier_ones_said(void **state)
{
    struct run run = runenv_open("carry");
    struct journal j;

    (void)state;
    write_to(&run, JOURNAL_PUBLISHED);
    j = read_journal(&run);
    assert_int_equal(j.state, JOURNAL_PUBLISHED);
    assert_string_equal(j.source, "there");
    assert_string_equal(j.source_root, "/there");
    assert_int_equal(j.source_step, 90);
    assert_int_equal(j.term, 3);
    assert_int_equal(j.step, 120);
    assert_string_equal(j.opened_by, "ab");
    assert_int_equal(j.stopping_at, 7000);
    assert_int_equal(json_int(j.body, "stopped_at", 0), 7005);
    assert_string_equal(json_str(j.body, "superseded", ""), "/there/s");
    assert_true(journal_open(&j));
    assert_false(journal_in_flight(&j));
    journal_free(&j);
    run_close(&run);
}

static void a_new_handoff_inherits_nothing(void **state)
{
    struct run run = runenv_open("anew");
    struct journal j;

    (void)state;
    write_to(&run, JOURNAL_COMMITTED);
    j = read_journal(&run);
    next(&run, &j, JOURNAL_OPEN, "{\"source\": {\"cluster\": \"far\"}}");
    assert_string_equal(j.source, "far");
    assert_string_equal(j.opened_by, "");
    assert_int_equal(j.stopping_at, 0);
    assert_null(json_get(j.body, "superseded"));
    journal_free(&j);
    run_close(&run);
}

static void only_one_goes_on(void **state)
{
    struct run first = runenv_open("race"), second = runenv_open("race");
    struct relay_error err = {0};
    struct journal a, b;

    (void)state;
    write_to(&first, JOURNAL_STAGED);
    a = read_journal(&first);
    b = read_journal(&second);
    next(&first, &a, JOURNAL_STOPPING, NULL);
    assert_int_equal(journal_next(&second, &b, JOURNAL_ABORTED, NULL, &err),
                     -1);
    assert_int_equal(err.code, EX_TEMPFAIL);
    journal_free(&b);
    b = read_journal(&second);
    assert_int_equal(b.state, JOURNAL_STOPPING);
    assert_true(journal_in_flight(&b));
    journal_free(&a);
    journal_free(&b);
    run_close(&first);
    run_close(&second);
}

static void giving_up_is_for_what_did_not_touch_the_source(void **state)
{
    struct run run = runenv_open("giveup");
    struct relay_error err = {0};
    struct journal j;

    (void)state;
    write_to(&run, JOURNAL_STAGED);
    assert_int_equal(journal_give_up(&run, "test", &err), 0);
    j = read_journal(&run);
    assert_int_equal(j.state, JOURNAL_ABORTED);
    journal_free(&j);
    write_to(&run, JOURNAL_STOPPING);
    assert_int_equal(journal_give_up(&run, "test", &err), 0);
    j = read_journal(&run);
    assert_int_equal(j.state, JOURNAL_STOPPING);
    journal_free(&j);
    run_close(&run);
}

static void be_job(struct run *run, const char *id, int64_t restart)
{
    snprintf(run->self.job_id, sizeof(run->self.job_id), "%s", id);
    run->self.restart = restart;
}

static void a_handoff_is_consumed_by_the_job_that_made_it(void **state)
{
    struct run run = runenv_open("consumed");

    (void)state;
    be_job(&run, "4711", 0);
    write_to(&run, JOURNAL_PUBLISHED);
    assert_false(journal_consumed(&run));
    be_job(&run, "4711", 1);
    assert_true(journal_consumed(&run));
    be_job(&run, "4712", 1);
    assert_false(journal_consumed(&run));
    run_close(&run);
}

static void a_handoff_that_was_cut_off_is_not_consumed(void **state)
{
    struct run run = runenv_open("cutoff");

    (void)state;
    be_job(&run, "4711", 0);
    write_to(&run, JOURNAL_SOURCE_STOPPED);
    be_job(&run, "4711", 1);
    assert_false(journal_consumed(&run));
    run_close(&run);
}

static void another_source_has_to_wait(void **state)
{
    struct run run = runenv_open("othersource");
    struct relay_error err = {0};

    (void)state;
    write_to(&run, JOURNAL_SOURCE_STOPPED);
    snprintf(run.from_cluster, sizeof(run.from_cluster), "elsewhere");
    assert_int_equal(handoff_run(&run, &err), -1);
    assert_int_equal(err.code, EX_NOPERM);
    assert_non_null(strstr(err.text, "--handoff-from=there"));
    run_close(&run);
}

static void what_was_published_may_have_moved_on(void **state)
{
    struct run run = runenv_open("movedon");

    (void)state;
    write_to(&run, JOURNAL_PUBLISHED);
    assert_false(handoff_is_here(&run)); /* set aside */
    runenv_state(&run, 120, NULL);
    assert_true(handoff_is_here(&run));
    runenv_lease(&run, "fence", 4,
                 runenv_json("{\"moved_to\": {\"cluster\": \"there\"}}"));
    assert_false(handoff_is_here(&run));
    run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_has_no_journal_at_first),
        cmocka_unit_test(later_states_know_what_earlier_ones_said),
        cmocka_unit_test(a_new_handoff_inherits_nothing),
        cmocka_unit_test(only_one_goes_on),
        cmocka_unit_test(giving_up_is_for_what_did_not_touch_the_source),
        cmocka_unit_test(a_handoff_is_consumed_by_the_job_that_made_it),
        cmocka_unit_test(a_handoff_that_was_cut_off_is_not_consumed),
        cmocka_unit_test(another_source_has_to_wait),
        cmocka_unit_test(what_was_published_may_have_moved_on),
    };

    return cmocka_run_group_tests(tests, runenv_setup, temp_teardown);
}
