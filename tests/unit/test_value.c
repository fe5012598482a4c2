/* Values as Python has them. What Python itself says: tests/tools. */
#include "sweepvalue.h"

#include <math.h>
#include <stdio.h>

struct pair {
    const char *in, *out;
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void floats_are_the_shortest_that_read_back(void **state)
{
    static const struct {
        double f;
        const char *repr;
    } cases[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1.0, "1.0"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e-4, "0.0001"},
        {1e-5, "1e-05"},
        {1.5e-7, "1.5e-07"},
        {3e6, "3000000.0"},
        {1e15, "1000000000000000.0"},
        {1e16, "1e+16"},
        {123456789012345680.0, "1.2345678901234568e+17"},
        {1e22, "1e+22"},
        {1e23, "1e+23"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {0x1p-1017, "7.120236347223045e-307"}, /* a lopsided power of two */
        {0x1p-44, "5.684341886080802e-14"},
        {9007199254740993.0, "9007199254740992.0"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
        {NAN, "nan"},
        {-NAN, "nan"},
    };
    struct text out = {0};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        value_float_repr(cases[i].f, &out);
        is_text(&out, cases[i].repr);
    }
}

/* 2^e and its neighbours, and numbers of all magnitudes. */
static void every_float_reads_back(void **state)
{
    uint64_t bits = 88172645463325252u;
    struct text out = {0};
    int i;

    (void)state;
    for (i = 0; i < 50000; i++) {
        uint64_t now = i < 6138 ? ((uint64_t)i / 3 << 52) + (uint64_t)i % 3
                                : bits;
        double f;

        bits ^= bits << 13; /* xorshift */
        bits ^= bits >> 7;
        bits ^= bits << 17;
        memcpy(&f, &now, sizeof(f));
        if (isnan(f))
            continue;
        text_clear(&out);
        value_float_repr(f, &out);
        if (strtod(text_str(&out), NULL) != f)
            fail_msg("%a is not %s", f, text_str(&out));
        assert_true(out.len <= 24);
    }
    text_free(&out);
}

static void str_and_repr_are_python_s(void **state)
{
    static const struct pair reprs[] = {
        {"[true, False, ~, 1, 1.0e-5]", "[True, False, None, 1, 1e-05]"},
        {"{lr: 0.001, s: \"it's\"}", "{'lr': 0.001, 's': \"it's\"}"},
        {"['\"', \"'\\\"\"]", "['\"', '\\'\"']"},
        {"[\"a\\tb\\n\\x7f\\\\\", \"\\u00e9\\u200b\\U0001F600\\u00ad\"]",
         "['a\\tb\\n\\x7f\\\\', 'é\\u200b😀\\xad']"},
        {"[123456789012345678901234567890, -9223372036854775808]",
         "[123456789012345678901234567890, -9223372036854775808]"},
        {"[2024-01-02, 2024-01-02 03:04:05.5 -3:30]",
         "[datetime.date(2024, 1, 2), datetime.datetime(2024, 1, 2, 3, 4, 5, "
         "500000, tzinfo=datetime.timezone(datetime.timedelta(days=-1, "
         "seconds=73800)))]"},
        {"{b: {a: []}, a: {}}", "{'b': {'a': []}, 'a': {}}"},
    };
    static const struct pair strs[] = {
        {"\"it's\"", "it's"},
        {"2024-01-02", "2024-01-02"},
        {"2024-01-02T03:04:05Z", "2024-01-02 03:04:05+00:00"},
        {"~", "None"},
        {"true", "True"},
    };
    struct text out = {0};
    struct value v;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(reprs); i++) {
        v = load_yaml(reprs[i].in);
        value_repr(&v, &out);
        is_text(&out, reprs[i].out);
        value_free(&v);
    }
    for (i = 0; i < COUNT(strs); i++) {
        v = load_yaml(strs[i].in);
        value_str(&v, &out);
        is_text(&out, strs[i].out);
        value_free(&v);
    }
}

static void json_is_python_s(void **state)
{
    static const struct pair cases[] = {
        {"{b: [1, 1.0, ~, yes], a: \"é\\\"😀\\x7f\"}",
         "{\"b\": [1, 1.0, null, true], \"a\": "
         "\"\\u00e9\\\"\\ud83d\\ude00\\u007f\"}"},
        {"[.nan, .inf, -.inf, 1.0e-7]", "[NaN, Infinity, -Infinity, 1e-07]"},
        {"[2024-01-02, [], {}]", "[\"2024-01-02\", [], {}]"},
        {"\"\\b\\f\\n\\r\\t\\e\"", "\"\\b\\f\\n\\r\\t\\u001b\""},
    };
    struct value v = {0};
    struct text out = {0};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        v = load_yaml(cases[i].in);
        value_json(&v, &out);
        is_text(&out, cases[i].out);
        value_free(&v);
    }
    /* A byte that is no UTF-8, as Python's surrogateescape has it. */
    assert_int_equal(value_set_str(&v, "a\xff", 2, NULL), 0);
    value_json(&v, &out);
    is_text(&out, "\"a\\udcff\"");
    value_str(&v, &out);
    is_text(&out, "a\xff");
    value_free(&v);
}

static bool equal(const char *a, const char *b, bool top)
{
    struct text one = {0}, other = {0};
    struct value v = load_yaml(a), w = load_yaml(b);
    bool same;

    value_canonical(&v, top, &one);
    value_canonical(&w, top, &other);
    assert_false(one.failed || other.failed);
    same = strcmp(text_str(&one), text_str(&other)) == 0;
    text_free(&one);
    text_free(&other);
    value_free(&v);
    value_free(&w);
    return same;
}

static void canonical_is_equal_when_wandb_says_so(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"3.0", "3", true},
        {"-0.0", "0", true},
        {"1.0e+22", "10000000000000000000000", true},
        {"1.0e+23", "100000000000000000000000", false},
        {"{a: 1, b: 2}", "{b: 2, a: 1}", true},
        {".nan", ".NaN", true},
        {"0.1", "1.0e-1", true},
        {"1", "true", false},
        {"1", "'1'", false},
        {"1.5", "'1.5'", false},
        {"~", "'null'", false},
        {"[1.0]", "[1]", false},
        {"[-0.0]", "[0.0]", false},
        {"[[1], 2]", "[[1, 2]]", false},
        {"2024-01-02", "'2024-01-02'", false},
        {"{a: [1]}", "{a: '[1]'}", false},
        {"{a: {b: 1.0}}", "{a: {b: 1}}", false},
        {"{'a:1,b': 2}", "{a: 1, b: 2}", false},
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++)
        if (equal(cases[i].a, cases[i].b, true) != cases[i].same)
            fail_msg("%s and %s", cases[i].a, cases[i].b);
    /* All parameters of a cell, and one parameter that is a dict. */
    assert_true(equal("{a: 1.0}", "{a: 1}", true));
    assert_false(equal("{a: 1.0}", "{a: 1}", false));
}

/* Ids are made of it: it is the same for ever. */
static void canonical_never_changes(void **state)
{
    struct value v = load_yaml("{s: \"é\\n\", lr: 1.0e-5, B: [1, 1.0, ~, no], "
                               "_x: {z: .inf, a: 2024-01-02}, n: 2.0}");
    struct text out = {0};

    (void)state;
    value_canonical(&v, true, &out);
    is_text(&out, "{\"B\":[1,1.0,null,false],\"_x\":{\"a\":date\"2024-01-02\","
                  "\"z\":Infinity},\"lr\":1e-05,\"n\":2,"
                  "\"s\":\"\\u00e9\\n\"}");
    value_free(&v);
}

static void many_keys_are_sorted_too(void **state)
{
    struct value v = {0};
    struct text out = {0};
    const char *last;
    char key[16];
    int i;

    (void)state;
    for (i = 0; i < 1000; i++) {
        struct value item;

        value_set_int(&item, i);
        snprintf(key, sizeof(key), "k%03d", i * 7 % 1000);
        assert_int_equal(value_put(&v, key, &item, NULL), 0);
    }
    value_canonical(&v, true, &out);
    assert_memory_equal(out.s, "{\"k000\":0,\"k001\":143,", 21);
    for (i = 0, last = out.s; i < 1000; i++) {
        snprintf(key, sizeof(key), "\"k%03d\":", i);
        last = strstr(last, key);
        assert_non_null(last);
    }
    text_free(&out);
    value_free(&v);
}

static void the_last_of_equal_keys_counts_in_the_first_s_place(void **state)
{
    struct value v = {.kind = VALUE_DICT}, item;
    struct text out = {0};

    (void)state;
    value_set_int(&item, 1);
    assert_int_equal(value_put(&v, "a", &item, NULL), 0);
    value_set_int(&item, 2);
    assert_int_equal(value_put(&v, "b", &item, NULL), 0);
    value_set_int(&item, 3);
    assert_int_equal(value_put(&v, "a", &item, NULL), 0);
    value_json(&v, &out);
    is_text(&out, "{\"a\": 3, \"b\": 2}");
    assert_int_equal(value_get(&v, "a")->i, 3);
    assert_null(value_get(&v, "c"));
    assert_null(value_get(&v.items[0], "a"));
    value_free(&v);
    assert_int_equal(v.kind, VALUE_NONE);
}

static void a_copy_can_grow_and_lives_alone(void **state)
{
    struct value v = load_yaml("{a: [1, 2, 3], b: {c: x}, d: 2020-01-01}");
    struct value copy, item;
    struct text out = {0};

    (void)state;
    assert_int_equal(value_copy(&v, &copy, NULL), 0);
    value_free(&v);
    assert_int_equal(copy.items[1].line, 1);
    assert_int_equal(copy.items[1].column, 19);
    value_set_float(&item, 0.5);
    assert_int_equal(value_append(&copy.items[0], &item, NULL), 0);
    value_set_bool(&item, true);
    assert_int_equal(value_append(&copy.items[0], &item, NULL), 0);
    value_set_bool(&item, false);
    assert_int_equal(value_put(&copy, "e", &item, NULL), 0);
    value_json(&copy, &out);
    is_text(&out, "{\"a\": [1, 2, 3, 0.5, true], \"b\": {\"c\": \"x\"}, "
                  "\"d\": \"2020-01-01\", \"e\": false}");
    value_free(&copy);
}

static void a_nul_is_refused(void **state)
{
    struct relay_error err = {0};
    struct value v;

    (void)state;
    assert_int_equal(value_set_str(&v, "a\0b", 3, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "NUL"));
}

static void literals_are_python_s(void **state)
{
    static const struct pair cases[] = {
        {"False", "False"}, {" True ", "True"}, {"None", "None"},
        {"1_000", "1000"}, {"0x1F", "31"}, {"0o17", "15"}, {"-0b11", "-3"},
        {"1e-3", "0.001"}, {"1e5", "100000.0"}, {".5", "0.5"}, {"- 1", "-1"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"0xffffffffffffffffffff", "1208925819614629174706175"},
        {"'it\\'s'", "\"it's\""}, {"r'\\d'", "'\\\\d'"}, {"'a' \"b\"", "'ab'"},
        {"'''x\ny'''", "'x\\ny'"}, {"'\\x41\\u00e9\\101'", "'AéA'"},
        {"[1, 2,]", "[1, 2]"}, {"(1,)", "(1,)"}, {"(1)", "1"}, {"()", "()"},
        {"0.9,0.95", "(0.9, 0.95)"}, {"{'a': (1, [2])}", "{'a': (1, [2])}"},
        {"[1, # one\n 2]", "[1, 2]"}, {"1 # one", "1"},
    };
    struct text out = {0};
    struct value v;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        struct relay_error err = {0};

        if (value_parse_literal(cases[i].in, strlen(cases[i].in), &v, &err))
            fail_msg("%s: %s", cases[i].in, err.text);
        value_repr(&v, &out);
        is_text(&out, cases[i].out);
        value_free(&v);
    }
}

static void what_is_no_literal_is_none(void **state)
{
    static const char *const cases[] = {
        "", " ", "adam", "true", "010", "1__0", "1_", "0x", "1e", "1j", "--1",
        "-True", "'a", "'a\nb'", "[1", "1]", "{1}", "{1: 2}", "{'a'}", "b'x'",
        "f'x'", "1 2", "1+2", "a.b", "[1,,2]", "'\\N{DASH}'", "'\\ud800'",
        "'\\0'", "'\\x4'", "\xff", "'\xff'", "1 \\\n", "Nonesuch", "[*[1]]",
    };
    struct relay_error err = {0};
    char deep[500];
    struct value v;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        if (value_parse_literal(cases[i], strlen(cases[i]), &v, &err) == 0)
            fail_msg("%s is taken for a literal", cases[i]);
        assert_int_equal(err.code, EX_DATAERR);
        assert_int_equal(v.kind, VALUE_NONE);
    }
    memset(deep, '[', sizeof(deep));
    assert_int_equal(value_parse_literal(deep, sizeof(deep), &v, &err), -1);
    assert_int_equal(value_parse_literal("1\0", 2, &v, &err), -1);
    /* Only len bytes count. */
    assert_int_equal(value_parse_literal("12345", 2, &v, &err), 0);
    assert_int_equal(v.i, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_are_the_shortest_that_read_back),
        cmocka_unit_test(every_float_reads_back),
        cmocka_unit_test(str_and_repr_are_python_s),
        cmocka_unit_test(json_is_python_s),
        cmocka_unit_test(canonical_is_equal_when_wandb_says_so),
        cmocka_unit_test(canonical_never_changes),
        cmocka_unit_test(many_keys_are_sorted_too),
        cmocka_unit_test(the_last_of_equal_keys_counts_in_the_first_s_place),
        cmocka_unit_test(a_copy_can_grow_and_lives_alone),
        cmocka_unit_test(a_nul_is_refused),
        cmocka_unit_test(literals_are_python_s),
        cmocka_unit_test(what_is_no_literal_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
