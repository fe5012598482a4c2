#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "sweep/expand.h"

static struct wandb_sweep sweep;
static struct relay_lines lines;
static struct expand *expand;
static struct relay_error err;

static int open_text(const char *text)
{
    expand_close(expand);
    expand = NULL;
    wandb_free(&sweep);
    relaylines_free(&lines);
    if (relaylines_parse(text, strlen(text), "s.yaml", &lines, &err) != 0 ||
        wandb_parse(text, strlen(text), "s.yaml", false, &sweep, NULL,
                    &err) != 0)
        return -1;
    return expand_open(&sweep, &lines, "s.yaml", &expand, &err);
}

static void opens(const char *text)
{
    if (open_text(text) != 0)
        fail_msg("%s\n%s", text, err.text);
}

static void refuses(const char *text, const char *says)
{
    if (open_text(text) == 0)
        fail_msg("%s\nwas accepted", text);
    if (strncmp(err.text, says, strlen(says)) != 0)
        fail_msg("%s\nexpected: %s", err.text, says);
    assert_int_equal(err.code, 65);
    assert_null(expand);
}

/* The cells as JSON, one a line; and each has the same canonical text by
 * either way. */
static void has_cells(const char *const *cells, size_t n)
{
    struct text json = {0}, whole = {0}, fast = {0};
    struct value params;
    uint64_t i;

    for (i = 0; i < expand_size(expand); i++) {
        assert_int_equal(expand_cell(expand, i, &params, &err), 0);
        text_clear(&json);
        text_clear(&whole);
        text_clear(&fast);
        value_json(&params, &json);
        value_canonical(&params, true, &whole);
        value_free(&params);
        assert_int_equal(expand_canonical(expand, i, NULL, NULL, &fast,
                                          &err), 0);
        assert_string_equal(text_str(&fast), text_str(&whole));
        if (i < n)
            assert_string_equal(text_str(&json), cells[i]);
    }
    assert_int_equal(i, n);
    text_free(&json);
    text_free(&whole);
    text_free(&fast);
}

#define HAS_CELLS(...)                                                       \
    do {                                                                     \
        static const char *const cells_[] = {__VA_ARGS__};                   \
        has_cells(cells_, sizeof(cells_) / sizeof(cells_[0]));               \
    } while (0)

#define GRID "method: grid\nparameters:\n"

static int setup(void **state)
{
    (void)state;
    relaylines_init(&lines);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    expand_close(expand);
    wandb_free(&sweep);
    relaylines_free(&lines);
    return 0;
}

static void the_last_key_varies_fastest(void **state)
{
    (void)state;
    opens(GRID " b: {values: [1, 2]}\n a: {values: [x, y]}\n"
          " c: {value: 7}\n");
    HAS_CELLS("{\"a\": \"x\", \"b\": 1, \"c\": 7}",
              "{\"a\": \"x\", \"b\": 2, \"c\": 7}",
              "{\"a\": \"y\", \"b\": 1, \"c\": 7}",
              "{\"a\": \"y\", \"b\": 2, \"c\": 7}");
}

static void parameters_within_parameters_are_dicts(void **state)
{
    (void)state;
    opens(GRID " z: {value: 0}\n opt:\n  parameters:\n"
          "   zz: {values: [1, 2]}\n   aa: {parameters: {b: {value: 3}, "
          "C: {values: [4, 5]}}}\n Z: {value: {k: [1.0]}}\n");
    HAS_CELLS("{\"Z\": {\"k\": [1.0]}, \"opt\": {\"aa\": {\"C\": 4, "
              "\"b\": 3}, \"zz\": 1}, \"z\": 0}",
              "{\"Z\": {\"k\": [1.0]}, \"opt\": {\"aa\": {\"C\": 4, "
              "\"b\": 3}, \"zz\": 2}, \"z\": 0}",
              "{\"Z\": {\"k\": [1.0]}, \"opt\": {\"aa\": {\"C\": 5, "
              "\"b\": 3}, \"zz\": 1}, \"z\": 0}",
              "{\"Z\": {\"k\": [1.0]}, \"opt\": {\"aa\": {\"C\": 5, "
              "\"b\": 3}, \"zz\": 2}, \"z\": 0}");
}

static void constants_alone_are_one_cell(void **state)
{
    (void)state;
    opens(GRID " a: {value: 1}\n b: {parameters: {c: {value: null}}}\n");
    HAS_CELLS("{\"a\": 1, \"b\": {\"c\": null}}");
}

static void equal_values_are_one(void **state)
{
    (void)state;
    opens(GRID " a: {values: [1, 1.0]}\n");
    HAS_CELLS("{\"a\": 1.0}");
    opens(GRID " a: {values: [2, 3.0, 2.0, 3, 2]}\n");
    HAS_CELLS("{\"a\": 2}", "{\"a\": 3}");
    opens(GRID " a: {values: [1, true, \"1\", [1], [1.0], x, x]}\n");
    HAS_CELLS("{\"a\": 1}", "{\"a\": true}", "{\"a\": \"1\"}",
              "{\"a\": [1]}", "{\"a\": [1.0]}", "{\"a\": \"x\"}");
    opens(GRID " a: {parameters: {b: {values: [3, 3.0]}}}\n");
    HAS_CELLS("{\"a\": {\"b\": 3.0}}");
}

static void ranges_are_numpys(void **state)
{
    (void)state;
    opens(GRID " a: {min: -1, max: 1}\n");
    HAS_CELLS("{\"a\": -1}", "{\"a\": 0}", "{\"a\": 1}");
    opens(GRID " a: {distribution: q_uniform, min: 0, max: 0.5, q: 0.1}\n");
    HAS_CELLS("{\"a\": 0.0}", "{\"a\": 0.1}", "{\"a\": 0.2}",
              "{\"a\": 0.30000000000000004}", "{\"a\": 0.4}");
    opens(GRID " a: {distribution: q_uniform, min: 1, max: 6, q: 2}\n");
    HAS_CELLS("{\"a\": 1}", "{\"a\": 3}", "{\"a\": 5}");
    opens(GRID " a: {distribution: q_uniform, min: 1, max: 3}\n");
    HAS_CELLS("{\"a\": 1.0}", "{\"a\": 2.0}");
    opens(GRID " a: {min: 1, max: 1000000}\n b: {min: 0, max: 999}\n");
    assert_int_equal(expand_size(expand), 1000000000);
}

static void run_cap_ends_a_grid(void **state)
{
    (void)state;
    opens("run_cap: 2\n" GRID " a: {values: [1, 2, 3]}\n");
    HAS_CELLS("{\"a\": 1}", "{\"a\": 2}");
    opens("run_cap: 9\n" GRID " a: {values: [1]}\n");
    HAS_CELLS("{\"a\": 1}");
}

static void zipped_leaves_go_together(void **state)
{
    (void)state;
    opens("#RELAY zip wu,lr\n" GRID " wu: {values: [1, 2, 1]}\n"
          " m: {values: [x, y]}\n lr: {values: [0.1, 0.2, 0.1]}\n");
    HAS_CELLS("{\"lr\": 0.1, \"m\": \"x\", \"wu\": 1}",
              "{\"lr\": 0.1, \"m\": \"y\", \"wu\": 1}",
              "{\"lr\": 0.2, \"m\": \"x\", \"wu\": 2}",
              "{\"lr\": 0.2, \"m\": \"y\", \"wu\": 2}");
    opens("#RELAY zip o.a b\n" GRID " b: {min: 1, max: 2}\n"
          " o: {parameters: {a: {distribution: q_uniform, min: 0, max: 2, "
          "q: 1}}}\n");
    HAS_CELLS("{\"b\": 1, \"o\": {\"a\": 0}}", "{\"b\": 2, \"o\": {\"a\": 1}}");
}

static void wrong_zips_are_refused(void **state)
{
    (void)state;
    refuses("#RELAY zip a b\n" GRID " a: {values: [1, 1]}\n"
            " b: {values: [1]}\n",
            "s.yaml:1: zip: a has 2 values and b has 1: zipped parameters");
    refuses("#RELAY zip a c\n" GRID " a: {values: [1]}\n",
            "s.yaml:1: zip: there is no parameter c");
    refuses("#RELAY zip a b\n" GRID " a: {values: [1]}\n b: {value: 1}\n",
            "s.yaml:1: zip: parameter b has one value");
    refuses("#RELAY zip a b\n#RELAY zip b c\n" GRID " a: {values: [1]}\n"
            " b: {values: [1]}\n c: {values: [1]}\n",
            "s.yaml:2: zip: parameter b is in another zip");
    refuses("#RELAY zip a.b c\n" GRID " a: {parameters: {b: {values: [1]}}}\n"
            " a.b: {values: [1]}\n c: {values: [1]}\n",
            "s.yaml:1: zip: there are two parameters a.b");
}

static void conditions_take_parameters_away(void **state)
{
    (void)state;
    opens("#RELAY when opt.nadam: optimizer == nadam\n" GRID
          " optimizer: {values: [adam, nadam]}\n"
          " opt: {parameters: {nadam: {values: [1, 2]}}}\n");
    HAS_CELLS("{\"optimizer\": \"adam\"}",
              "{\"opt\": {\"nadam\": 1}, \"optimizer\": \"nadam\"}",
              "{\"opt\": {\"nadam\": 2}, \"optimizer\": \"nadam\"}");
    opens("#RELAY when o: a != 1\n" GRID " a: {values: [1, 2]}\n"
          " o: {parameters: {x: {values: [3, 4]}, y: {value: 5}}}\n");
    HAS_CELLS("{\"a\": 1}", "{\"a\": 2, \"o\": {\"x\": 3, \"y\": 5}}",
              "{\"a\": 2, \"o\": {\"x\": 4, \"y\": 5}}");
}

static void conditions_depend_on_each_other(void **state)
{
    (void)state;
    /* c needs b == 1, which needs a == 1; where b is not, c is not. */
    opens("#RELAY when c: b == 1\n#RELAY when b: a == 1\n"
          "#RELAY when d: b != 1\n" GRID
          " a: {values: [1, 2]}\n b: {values: [1, 2]}\n"
          " c: {values: [5, 6]}\n d: {value: 7}\n");
    HAS_CELLS("{\"a\": 1, \"b\": 1, \"c\": 5}",
              "{\"a\": 1, \"b\": 1, \"c\": 6}",
              "{\"a\": 1, \"b\": 2, \"d\": 7}", "{\"a\": 2}");
    refuses("#RELAY when a: b == 1\n#RELAY when b: a == 1\n" GRID
            " a: {values: [1]}\n b: {values: [1]}\n",
            "s.yaml:1: when: the parameters depend on each other in a circle");
    refuses("#RELAY when a: a == 1\n" GRID " a: {values: [1]}\n",
            "s.yaml:1: when: the parameters depend");
    refuses("#RELAY when x: a == 1\n" GRID " a: {values: [1]}\n",
            "s.yaml:1: when: there is no parameter x");
    refuses("\n#RELAY when a: x == 1\n" GRID " a: {values: [1]}\n",
            "s.yaml:2: when: there is no parameter x");
}

static void conditions_know_what_yaml_reads(void **state)
{
    (void)state;
    /* 1e-4 is a text in the file, and a number in the condition. */
    opens("#RELAY when b: a == 1e-4\n" GRID
          " a: {values: [1e-4, 2]}\n b: {value: 1}\n");
    HAS_CELLS("{\"a\": \"1e-4\", \"b\": 1}", "{\"a\": 2}");
    /* Where a value is equal as it is, what others say does not count. */
    opens("#RELAY when b: a == 1\n" GRID
          " a: {values: [\"1\", 1.0]}\n b: {value: 1}\n");
    HAS_CELLS("{\"a\": \"1\"}", "{\"a\": 1.0, \"b\": 1}");
    opens("#RELAY when b: a == true\n" GRID
          " a: {values: [yes, no]}\n b: {value: 1}\n");
    HAS_CELLS("{\"a\": true, \"b\": 1}", "{\"a\": false}");
    opens("#RELAY when b: a == 2024-01-02\n" GRID
          " a: {values: [2024-01-02, x]}\n b: {value: 1}\n");
    assert_int_equal(expand_size(expand), 2);
    opens("#RELAY when b: a == 2\n" GRID " a: {min: 1, max: 2}\n"
          " b: {value: 1}\n");
    HAS_CELLS("{\"a\": 1}", "{\"a\": 2, \"b\": 1}");
}

/* Of zipped leaves one can be absent: the first of the equal cells stays. */
static void half_of_a_zip_can_be_absent(void **state)
{
    (void)state;
    opens("#RELAY zip a b\n#RELAY when b: c == 1\n" GRID
          " a: {values: [1, 1, 2]}\n b: {values: [5, 6, 7]}\n"
          " c: {values: [1, 2]}\n");
    HAS_CELLS("{\"a\": 1, \"b\": 5, \"c\": 1}", "{\"a\": 1, \"c\": 2}",
              "{\"a\": 1, \"b\": 6, \"c\": 1}",
              "{\"a\": 2, \"b\": 7, \"c\": 1}", "{\"a\": 2, \"c\": 2}");
}

static bool is_dropped(void *arg, const char *key)
{
    return strchr(arg, key[0]) != NULL;
}

static void keys_are_dropped(void **state)
{
    struct text text = {0};

    (void)state;
    opens(GRID " a: {value: 1}\n o: {parameters: {x: {value: 2}, "
          "y: {value: 3}}}\n p: {value: x}\n");
    assert_int_equal(expand_canonical(expand, 0, is_dropped, (void *)"a",
                                      &text, &err), 0);
    assert_string_equal(text_str(&text), "{\"o\":{\"x\":2,\"y\":3},"
                        "\"p\":\"x\"}");
    text_clear(&text);
    assert_int_equal(expand_canonical(expand, 0, is_dropped, (void *)"o",
                                      &text, &err), 0);
    assert_string_equal(text_str(&text), "{\"a\":1,\"p\":\"x\"}");
    text_clear(&text);
    assert_int_equal(expand_canonical(expand, 0, is_dropped, (void *)"oap",
                                      &text, &err), 0);
    assert_string_equal(text_str(&text), "{}");
    text_free(&text);
}

static void one_parameter_is_found(void **state)
{
    struct value room;
    const struct value *v;

    (void)state;
    opens("#RELAY when w: n == 5\n" GRID " a: {values: [x, y]}\n"
          " n: {min: 5, max: 6}\n w: {value: 1}\n"
          " o: {parameters: {p: {value: {q: 1}}}}\n");
    assert_int_equal(expand_size(expand), 4);
    v = expand_value(expand, 3, "a", &room);
    assert_string_equal(v->text, "y");
    value_free(&room);
    v = expand_value(expand, 3, "n", &room);
    assert_int_equal(v->i, 6);
    value_free(&room);
    assert_null(expand_value(expand, 3, "w", &room));
    value_free(&room);
    assert_non_null(expand_value(expand, 2, "w", &room));
    value_free(&room);
    v = expand_value(expand, 0, "o", &room);
    assert_int_equal(v->kind, VALUE_DICT);
    assert_string_equal(v->keys[0], "p");
    value_free(&room);
    assert_null(expand_value(expand, 0, "p", &room));
    assert_null(expand_value(expand, 4, "a", &room));
}

static void what_is_too_large_is_refused(void **state)
{
    struct value params;

    (void)state;
    refuses(GRID " a: {min: 0, max: 5000000000}\n",
            "s.yaml:3:2: parameter a has more than 2^32 values");
    refuses(GRID " a: {min: 1, max: 70000}\n b: {min: 1, max: 70000}\n",
            "s.yaml: the grid has more than 2^32 cells");
    refuses(GRID " a: {distribution: q_uniform, min: 1.0e+16, max: 2.0e+16, "
            "q: 0.1}\n", "s.yaml:3:2: parameter a: q is so small");
    refuses("#RELAY when b: a == 1\n" GRID " a: {min: 1, max: 1000000}\n"
            " b: {min: 1, max: 1000}\n",
            "s.yaml:1: when: the grid has more than 2^28 combinations");
    opens(GRID " a: {min: 0, max: 4294967294}\n");
    assert_int_equal(expand_size(expand), 4294967295);
    assert_int_equal(expand_cell(expand, 4294967294, &params, &err), 0);
    assert_int_equal(params.items[0].i, 4294967294);
    value_free(&params);
    assert_int_equal(expand_cell(expand, 4294967295, &params, &err), -1);
    opens(GRID " a: {min: -9223372036854775808, max: -9223372036854775807}\n");
    HAS_CELLS("{\"a\": -9223372036854775808}", "{\"a\": -9223372036854775807}");
}

static void many_parameters_are_taken(void **state)
{
    struct text text = {0};
    struct value params;
    int i;

    (void)state;
    text_add(&text, GRID);
    for (i = 0; i < 4096; i++)
        text_printf(&text, " p%d: {values: [%s]}\n", i,
                    i < 8 ? "1, 2" : "1");
    opens(text_str(&text));
    assert_int_equal(expand_size(expand), 256);
    assert_int_equal(expand_cell(expand, 255, &params, &err), 0);
    assert_int_equal(params.n, 4096);
    assert_int_equal(value_get(&params, "p7")->i, 2);
    value_free(&params);
    text_add(&text, " one_more: {value: 1}\n");
    if (open_text(text_str(&text)) == 0)
        fail_msg("4097 parameters were accepted");
    assert_non_null(strstr(err.text, "more than 4096 parameters"));
    text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_key_varies_fastest),
        cmocka_unit_test(parameters_within_parameters_are_dicts),
        cmocka_unit_test(constants_alone_are_one_cell),
        cmocka_unit_test(equal_values_are_one),
        cmocka_unit_test(ranges_are_numpys),
        cmocka_unit_test(run_cap_ends_a_grid),
        cmocka_unit_test(zipped_leaves_go_together),
        cmocka_unit_test(wrong_zips_are_refused),
        cmocka_unit_test(conditions_take_parameters_away),
        cmocka_unit_test(conditions_depend_on_each_other),
        cmocka_unit_test(conditions_know_what_yaml_reads),
        cmocka_unit_test(half_of_a_zip_can_be_absent),
        cmocka_unit_test(keys_are_dropped),
        cmocka_unit_test(one_parameter_is_found),
        cmocka_unit_test(what_is_too_large_is_refused),
        cmocka_unit_test(many_parameters_are_taken),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
