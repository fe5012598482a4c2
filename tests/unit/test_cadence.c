#include "tempdir.h"

#include <math.h>

#include "cadence.h"

/* The expected values are of another program: chi-square quantiles by its
 * finite series in 60 digits, Daly's polynomial in the same, the optimum of
 * his complete model by a golden section. */

static void near(double got, double want, double relative)
{
    if (!(fabs(got - want) <= relative * fabs(want)))
        fail_msg("%.12g is not %.12g", got, want);
}

static void test_bound_of_mtbf(void **state)
{
    (void)state;
    near(cadence_mtbf_bound(86400, 0, 0.95), 28841.0285401, 1e-10);
    near(cadence_mtbf_bound(2592000, 1, 0.95), 546389.97171, 1e-10);
    near(cadence_mtbf_bound(3600000, 7, 0.95), 273803.532134, 1e-10);
    near(cadence_mtbf_bound(3600000, 7, 0.5), 469407.081748, 1e-10);
    near(cadence_mtbf_bound(3600000, 7, 0.05), 904335.659575, 1e-10);
    near(cadence_mtbf_bound(500, 3, 0.9), 74.8415260444, 1e-10);
}

static void test_bound_of_many_failures(void **state)
{
    (void)state;
    near(cadence_mtbf_bound(1e7, 1000, 0.95), 9491.23990801, 1e-9);
    near(cadence_mtbf_bound(1e9, 20000, 0.99), 49184.8269212, 1e-8);
    /* With so many it is nearly the mean itself, from below. */
    near(cadence_mtbf_bound(1e10, 1000000, 0.95), 1e4, 0.01);
    assert_true(cadence_mtbf_bound(1e10, 1000000, 0.95) < 1e4);
}

static void test_more_hours_without_failure_is_a_longer_bound(void **state)
{
    (void)state;
    assert_true(cadence_mtbf_bound(7200, 0, 0.95) >
                cadence_mtbf_bound(3600, 0, 0.95));
    assert_true(cadence_mtbf_bound(7200, 1, 0.95) <
                cadence_mtbf_bound(7200, 0, 0.95));
}

static void test_without_history_nothing_is_known(void **state)
{
    (void)state;
    assert_true(cadence_mtbf_bound(0, 0, 0.95) == 0);
    assert_true(cadence_mtbf_bound(-1, 0, 0.95) == 0);
    assert_true(cadence_mtbf_bound(100, -1, 0.95) == 0);
    assert_true(cadence_mtbf_bound(100, 1, 1) == 0);
    assert_true(cadence_mtbf_bound(100, 1, 0) == 0);
    assert_true(cadence_mtbf_bound(NAN, 1, 0.95) == 0);
}

static void test_interval_of_daly(void **state)
{
    (void)state;
    near(cadence_interval(30, 86400), 2256.88383584, 1e-10);
    near(cadence_interval(300, 3600), 1276.49798384, 1e-10);
    near(cadence_interval(5, 100000), 996.669444444, 1e-10);
    near(cadence_interval(3600, 2000), 1774.20651142, 1e-10);
    near(cadence_interval(3999, 2000), 1777.77775694, 1e-10);
}

static void test_interval_when_a_save_takes_longer_than_failures(void **state)
{
    (void)state;
    near(cadence_interval(4000, 2000), 2000, 0);
    near(cadence_interval(1e9, 2000), 2000, 0);
    assert_true(cadence_interval(0, 2000) == 0);
    assert_true(cadence_interval(10, 0) == 0);
    assert_true(cadence_interval(NAN, 10) == 0);
}

static void test_interval_is_the_optimum_of_the_model(void **state)
{
    (void)state;
    near(cadence_interval(30, 86400), 2256.884030615583, 1e-4);
    near(cadence_interval(300, 3600), 1276.8766635735496, 1e-3);
    near(cadence_loss(2256.884030615583, 30, 0, 86400), 0.026121342481686627,
         1e-9);
    near(cadence_loss(1000, 30, 120, 86400), 0.03624123631286702, 1e-9);
    near(cadence_loss(1000, 300, 120, 3600), 0.3822556906089236, 1e-9);
    near(cadence_loss(1000, 60, 120, 1000), 0.5298271433545829, 1e-9);
}

static void test_loss_that_is_all(void **state)
{
    (void)state;
    assert_true(cadence_loss(1e9, 30, 0, 10) == 1);
    assert_true(cadence_loss(0, 30, 0, 10) == 1);
    assert_true(cadence_loss(10, 0, 0, 0) == 1);
    assert_true(cadence_loss(1, 0, 0, 1e18) >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound_of_mtbf),
        cmocka_unit_test(test_bound_of_many_failures),
        cmocka_unit_test(test_more_hours_without_failure_is_a_longer_bound),
        cmocka_unit_test(test_without_history_nothing_is_known),
        cmocka_unit_test(test_interval_of_daly),
        cmocka_unit_test(test_interval_when_a_save_takes_longer_than_failures),
        cmocka_unit_test(test_interval_is_the_optimum_of_the_model),
        cmocka_unit_test(test_loss_that_is_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
