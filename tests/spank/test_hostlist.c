/* The first host of what Slurm calls a node list, and what is no list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hostlist.h"

static void first_of_good_lists(void **state)
{
    static const struct {
        const char *list;
        const char *first;
    } cases[] = {
        {"n1", "n1"},
        {"n1,n2", "n1"},
        {"n[1-3]", "n1"},
        {"n[001-004,7],m3", "n001"},
        {"n[7,001-004]", "n7"},
        {"m3,n[1-4]", "m3"},
        {"iris-hgx-2", "iris-hgx-2"},
        {"tux[09-11]-ib", "tux09-ib"},
        {"rack[0-3]n[1,2]", "rack0n1"},
        {"rack[0-3]n[1,2]x,z", "rack0n1x"},
        {"a.b_c-d[5]", "a.b_c-d5"},
        {"bgp[0A-0F]", "bgp0A"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char host[64];

        if (hostlist_first(cases[i].list, host, sizeof(host)) != 0)
            fail_msg("%s was refused", cases[i].list);
        assert_string_equal(host, cases[i].first);
    }
}

static void bad_lists_are_refused(void **state)
{
    static const char *const cases[] = {
        "",       ",n1",     "n[",       "n[]",      "n[1",     "n[1-",
        "n[1-]",  "n[-3]",   "n[,1]",    "n[1,]",    "n]1[",    "n[1[2]]",
        "n 1",    "n/1",     "../../x",  "n[../x]",  "n[1/2]",  "-n1",
        ".hidden", "n\n1",   "n[1\n]",   "n%d",      "n[1;2]",  "\xff",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char host[64];

        if (hostlist_first(cases[i], host, sizeof(host)) == 0)
            fail_msg("'%s' gave '%s'", cases[i], host);
    }
}

static void a_small_buffer_is_not_overrun(void **state)
{
    char host[8];

    (void)state;
    memset(host, 'x', sizeof(host));
    assert_int_equal(hostlist_first("abc", host, 4), 0);
    assert_string_equal(host, "abc");
    assert_int_equal(host[4], 'x');
    memset(host, 'x', sizeof(host));
    assert_int_equal(hostlist_first("abcd", host, 4), -1);
    assert_int_equal(hostlist_first("a[123-456]", host, 4), -1);
    assert_int_equal(host[4], 'x');
    assert_int_equal(hostlist_first("a", host, 0), -1);
}

static void names_that_are_safe_in_a_path(void **state)
{
    char longest[300];

    (void)state;
    assert_true(hostlist_is_name("iris-hgx-2.example.org"));
    assert_false(hostlist_is_name(""));
    assert_false(hostlist_is_name("."));
    assert_false(hostlist_is_name(".."));
    assert_false(hostlist_is_name("a/b"));
    assert_false(hostlist_is_name("-a"));
    assert_false(hostlist_is_name("a b"));
    memset(longest, 'a', sizeof(longest));
    longest[255] = '\0';
    assert_true(hostlist_is_name(longest));
    longest[255] = 'a';
    longest[256] = '\0';
    assert_false(hostlist_is_name(longest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_of_good_lists),
        cmocka_unit_test(bad_lists_are_refused),
        cmocka_unit_test(a_small_buffer_is_not_overrun),
        cmocka_unit_test(names_that_are_safe_in_a_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
