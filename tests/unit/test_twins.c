/* Which shards of a sweep have cells in common. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sweep/twins.h"

static void test_overlap(void **state)
{
    uint64_t i, j, n, m, cell;

    (void)state;
    assert_true(twins_overlap(0, 0, 0, 1));
    assert_true(twins_overlap(0, 0, 1, 2));
    assert_false(twins_overlap(0, 2, 1, 2));
    /* Against the cells themselves. */
    for (n = 1; n <= 6; n++)
        for (m = 1; m <= 6; m++)
            for (i = 0; i < n; i++)
                for (j = 0; j < m; j++) {
                    bool both = false;

                    for (cell = 0; cell < n * m; cell++)
                        both = both || (cell % n == i && cell % m == j);
                    assert_int_equal(twins_overlap(i, n, j, m), both);
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_overlap)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
