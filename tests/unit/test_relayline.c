#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "sweep/relayline.h"

static struct relay_lines lines;
static struct relay_error err;

static int parse(const char *text)
{
    relaylines_free(&lines);
    return relaylines_parse(text, strlen(text), "s.yaml", &lines, &err);
}

static void parses(const char *text)
{
    if (parse(text) != 0)
        fail_msg("%s: %s", text, err.text);
}

static void refuses(const char *text, const char *says)
{
    if (parse(text) == 0)
        fail_msg("%s was accepted", text);
    if (strncmp(err.text, says, strlen(says)) != 0)
        fail_msg("%s: expected %s", err.text, says);
}

static int setup(void **state)
{
    (void)state;
    relaylines_init(&lines);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    relaylines_free(&lines);
    return 0;
}

static void a_file_without_lines_has_none(void **state)
{
    (void)state;
    parses("method: grid\n# RELAY seed 1\n#RELAYS x\n#SBATCH x\na: #RELAY x\n");
    assert_false(lines.has_seed);
    assert_int_equal(lines.retries, -1);
    assert_null(lines.cost);
    assert_int_equal(lines.nexclude + lines.nzips + lines.nwhens +
                     lines.ndone + lines.nconfigs, 0);
}

static void several_words_share_a_line(void **state)
{
    (void)state;
    parses("\xef\xbb\xbf#RELAY cost 2.5h*width/256   retries 3   seed 7\r\n");
    assert_string_equal(lines.cost, "2.5h*width/256");
    assert_int_equal(lines.retries, 3);
    assert_true(lines.has_seed);
    assert_int_equal(lines.seed, 7);
    parses("  #RELAY seed -9223372036854775808 cost 2 * (a + b) retries 0 "
           "out \"out put/{id}\" seed-name rng config a.toml config b.toml");
    assert_int_equal(lines.seed, INT64_MIN);
    assert_int_equal(lines.retries, 0);
    assert_string_equal(lines.cost, "2 * (a + b)");
    assert_string_equal(lines.out, "out put/{id}");
    assert_string_equal(lines.seed_name, "rng");
    assert_int_equal(lines.nconfigs, 2);
    assert_string_equal(lines.configs[1].path, "b.toml");
    assert_string_equal(lines.configs[1].digest, "");
    assert_int_equal(lines.configs[1].line, 1);
}

static void names_are_lists(void **state)
{
    (void)state;
    parses("#RELAY exclude num_workers, log_every\tseed   # not in the id\n"
           "method: grid\n"
           "#RELAY zip lr,warmup\n#RELAY zip a , b c #comment\n"
           "#RELAY zip x#1 y\n");
    assert_int_equal(lines.nexclude, 3);
    assert_string_equal(lines.exclude[1], "log_every");
    assert_string_equal(lines.exclude[2], "seed");
    assert_int_equal(lines.nzips, 3);
    assert_int_equal(lines.zips[0].n, 2);
    assert_string_equal(lines.zips[0].params[1], "warmup");
    assert_int_equal(lines.zips[0].line, 3);
    assert_int_equal(lines.zips[1].n, 3);
    assert_string_equal(lines.zips[2].params[0], "x#1");
}

static void conditions_compare_with_values(void **state)
{
    (void)state;
    parses("#RELAY when opt.nadam: optimizer == nadam\n"
           "#RELAY when x : y!=0.5\n#RELAY when x: y == 'a b'\n"
           "#RELAY when x: y == true\n#RELAY when x: y == False\n"
           "#RELAY when x: y == a b  # not\n#RELAY when x: y == null\n");
    assert_int_equal(lines.nwhens, 7);
    assert_string_equal(lines.whens[0].param, "opt.nadam");
    assert_string_equal(lines.whens[0].other, "optimizer");
    assert_false(lines.whens[0].not_equal);
    assert_int_equal(lines.whens[0].value.kind, VALUE_STR);
    assert_string_equal(lines.whens[0].value.text, "nadam");
    assert_true(lines.whens[1].not_equal);
    assert_int_equal(lines.whens[1].value.kind, VALUE_FLOAT);
    assert_string_equal(lines.whens[2].value.text, "a b");
    assert_int_equal(lines.whens[3].value.kind, VALUE_BOOL);
    assert_true(lines.whens[3].value.flag);
    assert_int_equal(lines.whens[4].value.kind, VALUE_BOOL);
    assert_string_equal(lines.whens[5].value.text, "a b");
    assert_int_equal(lines.whens[6].value.kind, VALUE_NONE);
    assert_int_equal(lines.whens[6].line, 7);
}

static void checks_are_written_out(void **state)
{
    static const char *const full[] = {
        "summary.json json ok == true", "exit0", "step >= 10",
        "out/s.json json best.loss == 0.5", "log matches ^done [0-9]+$",
        "summary.json json ok == true",
    };
    size_t i;

    (void)state;
    parses("#RELAY done summary.json ok==true\n"
           "#RELAY done exit0 ; step>=10;out/s.json json best.loss==0.5;\n"
           "#RELAY done log matches ^done [0-9]+$\n"
           "#RELAY done summary.json json ok == true  # proof\n");
    assert_int_equal(lines.ndone, 6);
    for (i = 0; i < 6; i++)
        assert_string_equal(lines.done[i], full[i]);
}

static void mistakes_are_named_with_their_place(void **state)
{
    (void)state;
    refuses("a: 1\n#RELAY seeds 1\n", "s.yaml:2:8: unknown word seeds");
    refuses("#RELAY seed 7 8\n", "s.yaml:1:15: unknown word 8");
    refuses("#RELAY seed\n", "s.yaml:1:12: seed needs a whole number");
    refuses("#RELAY seed 1.5\n", "s.yaml:1:13: 1.5 is no number for seed");
    refuses("#RELAY seed 9223372036854775808\n", "s.yaml:1:13: 92233");
    refuses("#RELAY seed 1\n#RELAY seed 1\n",
            "s.yaml:2:12: seed is given twice");
    refuses("#RELAY retries -1\n", "s.yaml:1:16: -1 is no number for retries");
    refuses("#RELAY exclude  # nothing\n", "s.yaml:1:15: exclude needs names");
    refuses("#RELAY zip lr\n", "s.yaml:1:11: zip needs two names");
    refuses("#RELAY zip lr lr\n", "s.yaml:1:11: zip names lr twice");
    refuses("#RELAY when a b == c\n", "s.yaml:1:15: write when PARAM:");
    refuses("#RELAY when a: b = c\n", "s.yaml:1:18: write when PARAM:");
    refuses("#RELAY when a: b ==\n", "s.yaml:1:20: what it is to be compared");
    refuses("#RELAY cost 2x\n", "s.yaml:1:14: cost: a unit is s, m, h or d");
    refuses("#RELAY cost 2*(3\n", "s.yaml:1:17: cost: expected )");
    refuses("#RELAY cost\n", "s.yaml:1:12: cost: expected a number");
    refuses("#RELAY out\n", "s.yaml:1:11: out needs a word behind it");
    refuses("#RELAY config a config\n", "s.yaml:1:23: config needs a word");
    refuses("#RELAY done\n", "s.yaml:1:12: done needs a check");
    refuses("#RELAY done exit0; model.pt\n",
            "s.yaml:1:20: done model.pt: expected FILE exists");
    refuses("#RELAY done ../x exists\n",
            "s.yaml:1:13: done ../x exists: FILE is to be inside");
    assert_int_equal(err.code, 65);
}

static double cost(const char *expression, const char *params)
{
    struct value v;
    double hours;

    assert_int_equal(value_parse_literal(params, strlen(params), &v, &err),
                     0);
    hours = relaylines_cost(expression, &v);
    value_free(&v);
    return hours;
}

static void assert_hours(const char *expression, double hours)
{
    double is = cost(expression, "{'width': 512, 'opt': {'n': 2.5}, 'a.b': 3,"
                     " 'text': '1e1', 'flag': True, 'zero': 0}");

    if (fabs(is - hours) > 1e-12)
        fail_msg("%s: %g, not %g", expression, is, hours);
}

static void costs_are_hours(void **state)
{
    (void)state;
    assert_hours("2.5h*width/256", 5);
    assert_hours("90m", 1.5);
    assert_hours("2d + 1800s", 48.5);
    assert_hours("2 - 3*(4 - 5) - -1", 6);
    assert_hours("8 / 2 / 2", 2);
    assert_hours("opt.n * a.b", 7.5);
    assert_hours("text", 10);
    assert_hours("1e-1*width", 51.2);
    assert_hours(".5 + 1.", 1.5);
    assert_hours("width / zero", -1);
    assert_hours("1 - width", -1);
    assert_hours("nothing", -1);
    assert_hours("flag", -1);
    assert_hours("opt", -1);
    assert_hours("opt.m", -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_without_lines_has_none),
        cmocka_unit_test(several_words_share_a_line),
        cmocka_unit_test(names_are_lists),
        cmocka_unit_test(conditions_compare_with_values),
        cmocka_unit_test(checks_are_written_out),
        cmocka_unit_test(mistakes_are_named_with_their_place),
        cmocka_unit_test(costs_are_hours),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
