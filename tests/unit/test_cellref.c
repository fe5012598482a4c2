/* SWEEP[:CELL]: taken apart and expanded. What is refused: test_options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sysexits.h>
#include <cmocka.h>

#include "sweep/cellref.h"

static void the_cell_is_behind_the_last_colon(void **state)
{
    static const struct {
        const char *value, *sweep, *cell;
        bool named;
    } cases[] = {
        {"bpe.sweep", "bpe.sweep", "", false},
        {"bpe.sweep:#7", "bpe.sweep", "#7", true},
        {"a:b.sweep:0123abcd_s1", "a:b.sweep", "0123abcd_s1", true},
        {"/x:y/bpe.sweep", "/x:y/bpe.sweep", "", false},
        {"/x:y/bpe.sweep:run", "/x:y/bpe.sweep", "run", true},
        {"p%%.sweep:a%%b", "p%.sweep", "a%b", true},
    };
    struct relay_error err = {0};
    struct cellref ref;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cellref_parse(cases[i].value, NULL, NULL, &ref, &err) != 0)
            fail_msg("%s", err.text);
        assert_string_equal(ref.sweep, cases[i].sweep);
        assert_string_equal(ref.cell, cases[i].cell);
        assert_int_equal(cellref_names_cell(cases[i].value), cases[i].named);
    }
}

static void patterns_are_of_the_array(void **state)
{
    struct relay_error err = {0};
    struct cellref ref;

    (void)state;
    /* The index; as part of an id it is text. */
    assert_int_equal(cellref_parse("s-%A:%a", "47", "3", &ref, &err), 0);
    assert_string_equal(ref.sweep, "s-47");
    assert_string_equal(ref.cell, "#3");
    assert_int_equal(cellref_parse("s:run-%a", "47", "3", &ref, &err), 0);
    assert_string_equal(ref.cell, "run-3");
    assert_int_equal(cellref_parse("s:#%a", "47", "3", &ref, &err), 0);
    assert_string_equal(ref.cell, "#3");
    assert_int_equal(cellref_parse("s:%a", "47", NULL, &ref, &err), -1);
    assert_int_equal(err.code, EX_USAGE);
    assert_non_null(strstr(err.text, "not an array"));
    assert_true(cellref_is_of_array("s:%a"));
    assert_true(cellref_is_of_array("%%%A"));
    assert_false(cellref_is_of_array("a%%a"));
    assert_false(cellref_is_of_array("a"));
}

static void a_value_is_not_cut(void **state)
{
    char value[CELLREF_MAX + 2];
    struct relay_error err = {0};
    struct cellref ref;

    (void)state;
    memset(value, 'a', sizeof(value));
    value[CELLREF_MAX] = '\0';
    assert_int_equal(cellref_parse(value, NULL, NULL, &ref, &err), 0);
    assert_string_equal(ref.sweep, value);
    value[CELLREF_MAX] = 'a';
    value[CELLREF_MAX + 1] = '\0';
    assert_int_equal(cellref_parse(value, NULL, NULL, &ref, &err), -1);
    memcpy(value + CELLREF_MAX - 2, "%A", 3);
    assert_int_equal(cellref_parse(value, "123", "1", &ref, &err), -1);
    assert_non_null(strstr(err.text, "too long when expanded"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cell_is_behind_the_last_colon),
        cmocka_unit_test(patterns_are_of_the_array),
        cmocka_unit_test(a_value_is_not_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
