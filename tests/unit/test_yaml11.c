/* YAML 1.1 with its surprises, and the warnings about them. */
#include "sweepvalue.h"

#include <stdio.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The traps that people know of, and some they do not. */
static void scalars_are_what_pyyaml_says(void **state)
{
    static const struct {
        const char *text, *repr;
    } cases[] = {
        {"1e-4", "'1e-4'"}, {"1e5", "'1e5'"}, {"3e6", "'3e6'"},
        {"3.0e6", "'3.0e6'"}, {"1.5e3", "'1.5e3'"}, {"-.5", "'-.5'"},
        {"1.0e-4", "0.0001"}, {"1.e+5", "100000.0"}, {"3.0e+6", "3000000.0"},
        {".5", "0.5"}, {"1.", "1.0"}, {"-0.5", "-0.5"}, {"+5", "5"},
        {"08", "'08'"}, {"09", "'09'"}, {"010", "8"}, {"0777", "511"},
        {"0o17", "'0o17'"}, {"0x10", "16"}, {"-0x1F", "-31"}, {"0b11", "3"},
        {"1_000", "1000"}, {"1__0", "10"}, {"12:30", "750"},
        {"12:30:45", "45045"}, {"1:30.5", "90.5"}, {"1:60", "'1:60'"},
        {"yes", "True"}, {"No", "False"}, {"ON", "True"}, {"off", "False"},
        {"y", "'y'"}, {"n", "'n'"}, {"yEs", "'yEs'"}, {"~", "None"},
        {"null", "None"}, {"", "None"}, {".inf", "inf"}, {"-.INF", "-inf"},
        {".nan", "nan"}, {"nan", "'nan'"}, {"2024-1-2", "'2024-1-2'"},
        {"2024-01-02", "datetime.date(2024, 1, 2)"},
        {"!!float 1e-5", "1e-05"}, {"!!float 3", "3.0"}, {"!!str 1", "'1'"},
        {"!!int '0x10'", "16"}, {"!!bool 'Yes'", "True"}, {"!!null x", "None"},
        {"'1'", "'1'"}, {"\"yes\"", "'yes'"}, {"'='", "'='"},
        {"9223372036854775808", "9223372036854775808"},
        {"0xffffffffffffffffff", "4722366482869645213695"},
    };
    struct text out = {0};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        struct value v = load_yaml(cases[i].text);

        value_repr(&v, &out);
        is_text(&out, cases[i].repr);
        value_free(&v);
    }
}

static void documents_are_what_pyyaml_says(void **state)
{
    static const struct {
        const char *text, *repr;
    } cases[] = {
        {"# nothing\n", "None"},
        {"---\na: [1, {b: 2}]\n...\n", "{'a': [1, {'b': 2}]}"},
        {"z: 1\na: 2\nz: 3\n", "{'z': 3, 'a': 2}"},
        {"a: &x {b: 1}\nc: [*x, *x]\n",
         "{'a': {'b': 1}, 'c': [{'b': 1}, {'b': 1}]}"},
        {"- &a x\n- {*a : *a}\n", "['x', {'x': 'x'}]"},
        {"b: &b {x: 1, y: 2}\nc: {z: 0, <<: *b, y: 3}\n",
         "{'b': {'x': 1, 'y': 2}, 'c': {'x': 1, 'y': 3, 'z': 0}}"},
        {"{<<: [{a: 1}, {a: 2, b: 2}], c: 3}", "{'a': 1, 'b': 2, 'c': 3}"},
        {"{'<<': 1}", "{'<<': 1}"},
        {"{=: 1}", "{'=': 1}"},
        {"{1: a, 1.5: b, no: c, ~: d, 2020-01-01: e}",
         "{'1': 'a', '1.5': 'b', 'False': 'c', 'None': 'd', "
         "'2020-01-01': 'e'}"},
        {"{a:[1],b:{c: 2},d:,e:}",
         "{'a': [1], 'b': {'c': 2}, 'd': None, 'e': None}"},
        {"{a:1}", "{'a:1': None}"},
        {"a: |\n  x\n  y\nb: >-\n  x\n  y\n", "{'a': 'x\\ny\\n', 'b': 'x y'}"},
    };
    struct text out = {0};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        struct value v = load_yaml(cases[i].text);

        value_repr(&v, &out);
        is_text(&out, cases[i].repr);
        value_free(&v);
    }
}

static void refuses(const char *yaml, const char *where, const char *why)
{
    struct relay_error err = {0};
    struct value v;

    if (yaml11_load(yaml, strlen(yaml), "t.yaml", NULL, &v, NULL, &err) == 0)
        fail_msg("%s is taken", yaml);
    assert_int_equal(err.code, EX_DATAERR);
    assert_int_equal(v.kind, VALUE_NONE);
    if (strncmp(err.text, where, strlen(where)) != 0 ||
        strstr(err.text, why) == NULL)
        fail_msg("%s: \"%s\" is not %s..%s", yaml, err.text, where, why);
}

static void errors_say_where(void **state)
{
    (void)state;
    refuses("a: 1\nb: =\n", "t.yaml:2:4: ", "plain =");
    refuses("a: [1, 2\n", "t.yaml:2:1: ", "flow sequence");
    refuses("a: 1\n\tb: 2\n", "t.yaml:2:1: ", "");
    refuses("a: *b\n", "t.yaml:1:4: ", "alias *b");
    refuses("a: &x 1\nb: &x 2\n", "t.yaml:2:4: ", "&x");
    refuses("a: &a [1, *a]\n", "t.yaml:1:11: ", "contains itself");
    refuses("a: 1\n--- b\n", "t.yaml:2:1: ", "second document");
    refuses("a: 2024-02-30\n", "t.yaml:1:4: ", "2024-02-30");
    refuses("a: !!int x\n", "t.yaml:1:4: ", "\"x\"");
    refuses("a: !!float 0x1p3\n", "t.yaml:1:4: ", "float");
    refuses("a: !foo x\n", "t.yaml:1:4: ", "!foo");
    refuses("a: !!set {b}\n", "t.yaml:1:4: ", "!!set");
    refuses("a: !!binary aGk=\n", "t.yaml:1:4: ", "!!binary");
    refuses("? [1]\n: 2\n", "t.yaml:1:3: ", "key");
    refuses("a: &l [1]\n*l : 2\n", "t.yaml:2:1: ", "key");
    refuses("{<<: 1}", "t.yaml:1:2: ", "mapping");
    refuses("a: \"x\\0\"\n", "t.yaml:1:4: ", "NUL");
    refuses("a: 0x_\n", "t.yaml:1:4: ", "0x_");
    refuses("{a:[1], b: =}\n", "t.yaml:1:12: ", "plain =");
    refuses("\xef\xbb\xbf{é:[1], b:[2], c: =}\n", "t.yaml:1:19: ", "plain");
    refuses("a: !!int \"x\\e[1m\"\n", "t.yaml:1:4: ", "x?[1m");
    refuses("a: \xff\n", "t.yaml: byte 4: ", "UTF-8");
}

/* Ten lines that stand for ten to the ninth values. */
static void alias_bombs_are_refused(void **state)
{
    struct text bomb = {0};
    struct value v;
    struct relay_error err = {0};
    int i, j;

    (void)state;
    text_add(&bomb, "a0: &a0 x\n");
    for (i = 1; i < 10; i++) {
        text_printf(&bomb, "a%d: &a%d [", i, i);
        for (j = 0; j < 10; j++)
            text_printf(&bomb, "*a%d,", i - 1);
        text_add(&bomb, "]\n");
    }
    assert_int_equal(yaml11_load(bomb.s, bomb.len, "t.yaml", NULL, &v, NULL,
                                 &err), -1);
    assert_non_null(strstr(err.text, "million"));
    text_clear(&bomb);
    text_add(&bomb, "a0: &a0 x\n");
    for (i = 1; i < 300; i++)
        text_printf(&bomb, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    assert_int_equal(yaml11_load(bomb.s, bomb.len, "t.yaml", NULL, &v, NULL,
                                 &err), -1);
    assert_non_null(strstr(err.text, "too deeply"));
    text_clear(&bomb);
    for (i = 0; i < 300; i++)
        text_add_char(&bomb, '[');
    assert_int_equal(yaml11_load(bomb.s, bomb.len, "t.yaml", NULL, &v, NULL,
                                 &err), -1);
    assert_non_null(strstr(err.text, "t.yaml:1:101: nested too deeply"));
    text_free(&bomb);
}

static void values_know_their_place(void **state)
{
    struct value v = load_yaml("# c\nparameters:\n  lr:\n    values: [1, 2]\n"
                               "é: &x y\nz: *x\n");
    const struct value *lr = value_get(value_get(&v, "parameters"), "lr");
    const struct value *second = &value_get(lr, "values")->items[1];

    (void)state;
    assert_int_equal(v.line, 2);
    assert_int_equal(lr->line, 4);
    assert_int_equal(lr->column, 5);
    assert_int_equal(second->line, 4);
    assert_int_equal(second->column, 17);
    assert_int_equal(value_get(&v, "é")->column, 4);
    assert_int_equal(value_get(&v, "z")->line, 6);
    value_free(&v);
}

static void lint_is(const char *yaml, bool floats, const char *want)
{
    const struct yaml11_options opt = {.floats = floats};
    struct relay_error err = {0};
    struct lint lint = {0};
    struct value v;

    assert_int_equal(yaml11_load(yaml, strlen(yaml), "t.yaml", &opt, &v, &lint,
                                 &err), 0);
    if (want == NULL) {
        if (lint.n != 0)
            fail_msg("%s: %s", yaml, lint.warnings[0].text);
    } else {
        if (lint.n != 1)
            fail_msg("%s: %zu warnings, not one", yaml, lint.n);
        if (strstr(lint.warnings[0].text, want) == NULL)
            fail_msg("%s: \"%s\" without \"%s\"", yaml, lint.warnings[0].text,
                     want);
    }
    lint_free(&lint);
    value_free(&v);
}

static void traps_are_pointed_out(void **state)
{
    (void)state;
    lint_is("a: 1\nlr: [0.1, 1e-4]\n", false, "t.yaml:2:11: 1e-4 is a string");
    lint_is("1e-4", false, "write 1.0e-4 ");
    lint_is("1e5", false, "write 1.0e+5 ");
    lint_is("-3.0e6", false, "write -3.0e+6 ");
    lint_is("-.5", false, "write -0.5 ");
    lint_is(".5e3", false, "write 0.5e+3 ");
    lint_is("1.E-3", false, NULL);
    lint_is("010", false, "octal in YAML 1.1: 8; write 8, or 10, or \"010\"");
    lint_is("08", false, "write 8, or \"08\"");
    lint_is("0o17", false, "write 15 ");
    lint_is("12:30", false, "750 in YAML 1.1 (base 60); write \"12:30\"");
    lint_is("1:30.5", false, "90.5 in YAML 1.1");
    lint_is("yes", false, "yes is true in YAML 1.1; write true, or \"yes\"");
    lint_is("Off", false, "Off is false");
    lint_is("2024-01-02", false, "date");
    lint_is("{a: 1, b: 2, a: 3}", false, "t.yaml:1:14: the key \"a\"");
    lint_is("{on: 1}", false, "the key on is True");
    lint_is("{1: 1}", false, "taken as \"1\"");
    /* PyYAML refuses these, and libyaml does not. */
    lint_is("é:\n  b: 1\t\n", false, "t.yaml:2:7: a tab");
    lint_is("a:\tb\nc:\td\n", false, "t.yaml:1:3: a tab");
    lint_is("{a:[1], b:[2],\tc: 3}", false, "t.yaml:1:15: a tab");
    lint_is("'a':\t'b'\n", false, "t.yaml:1:5: a tab");
    lint_is("[what?]", false, "write \"what?\"");
    lint_is("a: 'x\ty' #\tz\nb: \"\t\"\nc: |\n  x\ty\nd: what?\n", false,
            NULL);
    lint_is("{\"a\\e\": 1, \"a\\e\": 2}", false, "the key \"a?\"");
    /* Those are meant. */
    lint_is("[true, False, 1, 0, -1, 0.5, 1.0e-4, 0x10, 1_000, ~, .inf, 0.0]",
            false, NULL);
    lint_is("['1e-4', \"yes\", '010', !!float 1e-4, !!str 12:30]", false, NULL);
    lint_is("[e5, 1e, x1e5, 1.2.3, v1e-4, '', 1-2, _1e5, 1e5x]", false, NULL);
    lint_is("b: &b {a: 1}\nc: {<<: *b, a: 2}\n", false, NULL);
}

static void floats_can_be_had(void **state)
{
    const struct yaml11_options opt = {.floats = true};
    const char *yaml = "[1e-4, 1e5, 3.0e6, -.5, .5e3, '1e-4', 1_0e1, 08, x]";
    struct text out = {0};
    struct value v;

    (void)state;
    assert_int_equal(yaml11_load(yaml, strlen(yaml), "t.yaml", &opt, &v, NULL,
                                 NULL), 0);
    value_repr(&v, &out);
    is_text(&out, "[0.0001, 100000.0, 3000000.0, -0.5, 500.0, '1e-4', 100.0, "
                  "'08', 'x']");
    value_free(&v);
    lint_is("[1e-4, -.5]", true, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_are_what_pyyaml_says),
        cmocka_unit_test(documents_are_what_pyyaml_says),
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(alias_bombs_are_refused),
        cmocka_unit_test(values_know_their_place),
        cmocka_unit_test(traps_are_pointed_out),
        cmocka_unit_test(floats_can_be_had),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
