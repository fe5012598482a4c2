#include "tempdir.h"

#include <sysexits.h>

#include "await.h"

#define BIT(state) (1U << (state))

static const struct await_want done = {BIT(RUN_COMPLETED), false, -1};

static enum await_verdict at(const struct await_want *want,
                             enum run_state state)
{
    const struct await_facts facts = {.state = state, .step = 10};

    return await_judge(want, &facts);
}

static void test_waits_while_somebody_runs_it(void **state)
{
    (void)state;
    assert_int_equal(at(&done, RUN_QUEUED), AWAIT_GOES_ON);
    assert_int_equal(at(&done, RUN_RUNNING), AWAIT_GOES_ON);
    assert_int_equal(at(&done, RUN_MOVING), AWAIT_GOES_ON);
    assert_int_equal(at(&done, RUN_UNKNOWN), AWAIT_GOES_ON);
    assert_int_equal(at(&done, RUN_COMPLETED), AWAIT_REACHED);
}

static void test_does_not_wait_for_what_nobody_runs(void **state)
{
    (void)state;
    assert_int_equal(at(&done, RUN_NEW), AWAIT_ENDED);
    assert_int_equal(at(&done, RUN_ENDED), AWAIT_ENDED);
    assert_int_equal(at(&done, RUN_FAILED), AWAIT_ENDED);
    assert_int_equal(at(&done, RUN_STRANDED), AWAIT_ENDED);
    assert_int_equal(at(&done, RUN_MOVED), AWAIT_ENDED);
}

static void test_named_states_are_reached(void **state)
{
    const struct await_want want = {BIT(RUN_FAILED) | BIT(RUN_STRANDED), true,
                                    -1};

    (void)state;
    assert_int_equal(at(&want, RUN_FAILED), AWAIT_REACHED);
    assert_int_equal(at(&want, RUN_STRANDED), AWAIT_REACHED);
    assert_int_equal(at(&want, RUN_NEW), AWAIT_GOES_ON);
    assert_int_equal(at(&want, RUN_COMPLETED), AWAIT_ENDED);
    assert_int_equal(at(&want, RUN_ENDED), AWAIT_ENDED);
}

static void test_a_requeued_job_goes_on(void **state)
{
    struct await_facts facts = {.state = RUN_ENDED, .queued = true};
    const struct await_want ended = {BIT(RUN_ENDED), true, -1};

    (void)state;
    assert_int_equal(await_judge(&done, &facts), AWAIT_GOES_ON);
    assert_int_equal(await_judge(&ended, &facts), AWAIT_GOES_ON);
    facts.state = RUN_NEW; /* a job that has not begun */
    assert_int_equal(await_judge(&done, &facts), AWAIT_GOES_ON);
    facts.state = RUN_COMPLETED;
    assert_int_equal(await_judge(&done, &facts), AWAIT_REACHED);
}

static void test_steps(void **state)
{
    struct await_want want = done;

    (void)state;
    want.step = 10;
    assert_int_equal(at(&want, RUN_RUNNING), AWAIT_REACHED);
    assert_int_equal(at(&want, RUN_ENDED), AWAIT_REACHED);
    want.step = 11;
    assert_int_equal(at(&want, RUN_RUNNING), AWAIT_GOES_ON);
    assert_int_equal(at(&want, RUN_ENDED), AWAIT_ENDED);
}

static void test_owner_that_is_proved_dead(void **state)
{
    struct await_facts facts = {.state = RUN_UNKNOWN, .dead = true};

    (void)state;
    assert_int_equal(await_judge(&done, &facts), AWAIT_ENDED);
    facts.completed = true;
    assert_int_equal(await_judge(&done, &facts), AWAIT_REACHED);
}

static void test_lists_of_states(void **state)
{
    struct relay_error err = {0};
    unsigned states = 0;

    (void)state;
    assert_int_equal(await_states("running,completed", &states, &err), 0);
    assert_int_equal(states, BIT(RUN_RUNNING) | BIT(RUN_COMPLETED));
    assert_int_equal(await_states("finished", &states, &err), -1);
    assert_int_equal(err.code, EX_USAGE);
    assert_non_null(strstr(err.text, "stranded, ended"));
    assert_int_equal(await_states("", &states, &err), -1);
    assert_int_equal(await_states("running,", &states, &err), -1);
    assert_int_equal(await_states("run", &states, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_while_somebody_runs_it),
        cmocka_unit_test(test_does_not_wait_for_what_nobody_runs),
        cmocka_unit_test(test_named_states_are_reached),
        cmocka_unit_test(test_a_requeued_job_goes_on),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_owner_that_is_proved_dead),
        cmocka_unit_test(test_lists_of_states),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
