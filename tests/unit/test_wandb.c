#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "sweep/wandb.h"

static struct wandb_sweep sweep;
static struct lint lint;
static struct relay_error err;

static int parse(const char *text)
{
    wandb_free(&sweep);
    lint_free(&lint);
    return wandb_parse(text, strlen(text), "s.yaml", false, &sweep, &lint,
                       &err);
}

static void parses(const char *text)
{
    if (parse(text) != 0)
        fail_msg("%s\n%s", text, err.text);
}

static void refuses(const char *text, const char *says)
{
    if (parse(text) == 0)
        fail_msg("%s\nwas accepted", text);
    if (strncmp(err.text, says, strlen(says)) != 0)
        fail_msg("%s\nexpected: %s", err.text, says);
    assert_int_equal(err.code, 65);
    assert_int_equal(sweep.nleaves, 0);
}

/* A parameter p, its text from the second column of the fourth line on. */
static const char *with(const char *method, const char *param)
{
    static char text[1000];

    snprintf(text, sizeof(text), "method: %s\nrun_cap: 1\nparameters:\n p: %s",
             method, param);
    return text;
}

static void is_kind(const char *param, enum wandb_kind kind)
{
    parses(with("random", param));
    assert_int_equal(sweep.nleaves, 1);
    if (sweep.leaves[0].kind != kind)
        fail_msg("%s is of kind %d, not %d", param, sweep.leaves[0].kind,
                 kind);
}

static void warns(const char *text, const char *says)
{
    size_t i;

    parses(text);
    for (i = 0; i < lint.n; i++)
        if (strncmp(lint.warnings[i].text, says, strlen(says)) == 0)
            return;
    fail_msg("%s\nno warning (of %zu): %s%s", text, lint.n, says,
             lint.n > 0 ? lint.warnings[0].text : "");
}

static int teardown(void **state)
{
    (void)state;
    wandb_free(&sweep);
    lint_free(&lint);
    return 0;
}

static void the_top_is_taken(void **state)
{
    (void)state;
    parses("program: train.py\nmethod: grid\nname: n\nproject: p\nentity: e\n"
           "metric: {name: loss, goal: minimize}\nrun_cap: 12\n"
           "command: [python, \"${program}\", 3]\n"
           "parameters: {a: {value: 1}}\n");
    assert_int_equal(sweep.method, WANDB_GRID);
    assert_string_equal(sweep.program, "train.py");
    assert_string_equal(sweep.name, "n");
    assert_string_equal(sweep.project, "p");
    assert_string_equal(sweep.entity, "e");
    assert_int_equal(sweep.run_cap, 12);
    assert_int_equal(sweep.command.n, 3);
    assert_int_equal(lint.n, 0);
    parses("method: random\nparameters: {a: {value: 1}}\n");
    assert_int_equal(sweep.method, WANDB_RANDOM);
    assert_null(sweep.name);
    assert_int_equal(sweep.command.kind, VALUE_LIST);
    assert_int_equal(sweep.command.n, 0);
    assert_int_equal(sweep.run_cap, 0);
}

static void kinds_are_tried_in_order(void **state)
{
    (void)state;
    is_kind("{values: [1, x]}", WANDB_CATEGORICAL);
    is_kind("{values: [1], distribution: categorical}", WANDB_CATEGORICAL);
    is_kind("{values: [1, 2], probabilities: [0.25, 0.75]}",
            WANDB_CATEGORICAL_P);
    is_kind("{min: 1, max: 4}", WANDB_INT_UNIFORM);
    is_kind("{min: 1.0, max: 4}", WANDB_UNIFORM);
    is_kind("{min: 1, max: 4.0}", WANDB_UNIFORM);
    is_kind("{min: 1, max: 4, distribution: uniform}", WANDB_UNIFORM);
    is_kind("{min: 1, max: 4, distribution: int_uniform}",
            WANDB_INT_UNIFORM);
    is_kind("{min: 1, max: 4, distribution: q_uniform}", WANDB_Q_UNIFORM);
    assert_int_equal(sweep.leaves[0].q.kind, VALUE_FLOAT);
    is_kind("{value: [1, 2]}", WANDB_CONSTANT);
    is_kind("{value: null, distribution: constant}", WANDB_CONSTANT);
    is_kind("{distribution: beta}", WANDB_BETA);
    assert_true(sweep.leaves[0].a >= 1 && sweep.leaves[0].b <= 1);
    is_kind("{distribution: q_beta, a: 2, q: 2}", WANDB_Q_BETA);
    assert_int_equal(sweep.leaves[0].q.kind, VALUE_INT);
    is_kind("{distribution: normal, mu: 1, sigma: 0}", WANDB_NORMAL);
    is_kind("{distribution: log_normal}", WANDB_LOG_NORMAL);
    is_kind("{distribution: q_normal}", WANDB_Q_NORMAL);
    is_kind("{distribution: q_log_normal}", WANDB_Q_LOG_NORMAL);
    is_kind("{distribution: log_uniform, min: -3, max: 0}",
            WANDB_LOG_UNIFORM);
    is_kind("{distribution: inv_log_uniform, min: -3, max: 0}",
            WANDB_INV_LOG_UNIFORM);
    is_kind("{distribution: q_log_uniform, min: -3, max: 0}",
            WANDB_Q_LOG_UNIFORM);
    is_kind("{distribution: log_uniform_values, min: 1, max: 2}",
            WANDB_LOG_UNIFORM_VALUES);
    is_kind("{distribution: inv_log_uniform_values, min: 1, max: 2}",
            WANDB_INV_LOG_UNIFORM_VALUES);
    is_kind("{distribution: q_log_uniform_values, min: 1, max: 2}",
            WANDB_Q_LOG_UNIFORM_VALUES);
}

/* The example of W&B's order: opt.aa, opt.zz, opt.x, opt2, z. */
static void leaves_are_in_order(void **state)
{
    static const char *const names[] = {"Z", "_", "opt.aa", "opt.zz.A",
                                        "opt.zz.b", "opt.x", "opt2", "z"};
    static const size_t depths[] = {1, 1, 2, 3, 3, 1, 1, 1};
    size_t i;

    (void)state;
    parses("method: grid\nparameters:\n z: {value: 1}\n opt2: {value: 1}\n"
           " opt.x: {value: 1}\n opt:\n  parameters:\n   zz: {parameters: "
           "{b: {value: 1}, A: {value: 2}}}\n   aa: {value: 1}\n"
           " _: {value: 1}\n Z: {value: 1}\n");
    assert_int_equal(sweep.nleaves, 8);
    for (i = 0; i < 8; i++) {
        assert_string_equal(sweep.leaves[i].name, names[i]);
        assert_int_equal(sweep.leaves[i].depth, depths[i]);
    }
    assert_string_equal(sweep.leaves[3].path[1], "zz");
    assert_int_equal(sweep.leaves[3].line, 8);
    assert_int_equal(sweep.leaves[3].column, 37);
}

static void wrong_tops_are_refused(void **state)
{
    (void)state;
    refuses("", "s.yaml:1:1: a sweep file is keys with values");
    refuses("- 1\n", "s.yaml:1:1: a sweep file is keys with values");
    refuses("parameters: {a: {value: 1}}\n",
            "s.yaml:1:1: method is missing: write method: grid");
    refuses("# x\nmethod: bayes\n", "s.yaml:2:9: method: bayes chooses each "
            "run by the results of those before it, which needs W&B's "
            "server: write method: grid, or method: random with run_cap");
    refuses("method: custom\n", "s.yaml:1:9: method: custom chooses");
    refuses("method: Grid\n", "s.yaml:1:9: method must be grid or random");
    refuses("method: grid\n", "s.yaml:1:1: parameters is missing");
    refuses("method: grid\nparameters: {}\n",
            "s.yaml:2:13: parameters must hold a parameter or more");
    refuses("method: grid\nparameters: [a]\n",
            "s.yaml:2:13: parameters must hold");
    refuses("method: grid\nrun_cap: 0\n",
            "s.yaml:2:10: run_cap must be a whole number greater than 0");
    refuses("method: grid\nrun_cap: 1.0\n", "s.yaml:2:10: run_cap must be");
    refuses("method: grid\ncommand: python x.py\n",
            "s.yaml:2:10: command must be a list");
    refuses("method: grid\nname: [a]\n", "s.yaml:2:7: name must be a string");
    refuses("method: [grid\n", "s.yaml:");
}

static void wrong_parameters_are_refused(void **state)
{
    (void)state;
    refuses(with("grid", "5"),
            "s.yaml:4:5: parameter p is a plain value: write p: {value: 5}");
    refuses(with("grid", "[1]"), "s.yaml:4:5: parameter p is a plain list: "
            "write p: {values: [...]}");
    refuses(with("grid", ""), "s.yaml:4:2: parameter p is empty: write");
    refuses(with("grid", "{}"), "s.yaml:4:2: parameter p is empty: it needs");
    refuses(with("grid", "{values: []}"),
            "s.yaml:4:14: parameter p: values is an empty list");
    refuses(with("grid", "{values: x}"),
            "s.yaml:4:14: parameter p: values is no list");
    refuses(with("grid", "{values: [1], desc: what}"),
            "s.yaml:4:19: unknown key desc in parameter p: distribution, ");
    refuses(with("grid", "\n  values: [1]\n  desc: values are\n"),
            "s.yaml:6:3: unknown key desc in parameter p");
    refuses(with("grid", "{x: {values: [1]}}"),
            "s.yaml:4:6: unknown key x in parameter p: parameters within a "
            "parameter stand below parameters:, as in p: {parameters: {x:");
    refuses(with("grid", "{parameters: {}}"),
            "s.yaml:4:18: parameters of parameter p must hold a parameter");
    refuses(with("grid", "{parameters: {q: 3}}"),
            "s.yaml:4:22: parameter p.q is a plain value: write q: {value:");
    refuses(with("grid", "{parameters: {q: {value: 3}}, value: 1}"),
            "s.yaml:4:35: unknown key value beside parameters in");
    refuses(with("grid", "{value: 1, values: [1]}"),
            "s.yaml:4:6: parameter p: value does not go together");
    refuses(with("random", "{min: 3, max: 2}"),
            "s.yaml:4:11: p: min 3 is not less than max 2");
    refuses(with("random", "{min: 2.0, max: 2}"),
            "s.yaml:4:11: p: min 2.0 is not less than max 2");
    refuses(with("random", "{min: 3}"),
            "s.yaml:4:2: parameter p: max is missing");
    refuses(with("random", "{min: 1, max: true}"),
            "s.yaml:4:19: parameter p: max is no number");
    refuses(with("random", "{min: 1e-4, max: 1.0}"),
            "s.yaml:4:11: parameter p: min is no number: YAML 1.1 reads it "
            "as a text; write a point and a signed exponent, as in 1.0e-4");
    refuses(with("random", "{min: 1, max: 2.0, distribution: int_uniform}"),
            "s.yaml:4:19: parameter p: max is no int");
    refuses(with("random", "{distribution: gauss, mu: 1}"),
            "s.yaml:4:20: parameter p: there is no distribution gauss");
    refuses(with("random", "{mu: 1}"),
            "s.yaml:4:2: parameter p needs a distribution");
    refuses(with("random", "{min: 1, max: 2, q: 1}"),
            "s.yaml:4:2: parameter p needs a distribution");
    refuses(with("random", "{distribution: normal, q: 1}"),
            "s.yaml:4:28: parameter p: q does not belong to distribution "
            "normal");
    refuses(with("random", "{distribution: normal, sigma: -1}"),
            "s.yaml:4:35: parameter p: sigma is less than 0");
    refuses(with("random", "{distribution: q_normal, q: 0}"),
            "s.yaml:4:33: parameter p: q is not greater than 0");
    refuses(with("random",
                 "{distribution: log_uniform_values, min: 0, max: 1}"),
            "s.yaml:4:45: parameter p: min is not greater than 0");
    refuses(with("random", "{distribution: beta, a: -1}"),
            "s.yaml:4:29: parameter p: a is less than 0");
}

static void errors_are_one_line(void **state)
{
    (void)state;
    refuses("method: grid\nparameters: {\"a\\nb\": {value: 1}}\n",
            "s.yaml:2:22: parameter name 'a?b' has a control character");
    refuses(with("grid", "{\"x\\ny\": 3}"),
            "s.yaml:4:14: unknown key x?y in parameter p: distribution");
    refuses(with("grid", "\"a\\nb\""),
            "s.yaml:4:5: parameter p is a plain value: write p: {value: a?b}");
}

static void probabilities_are_checked(void **state)
{
    (void)state;
    refuses(with("random", "{values: [1, 2], probabilities: [1]}"),
            "s.yaml:4:37: parameter p has 2 values and 1 probabilities");
    refuses(with("random", "{values: [1, 2], probabilities: [0.5, 0.4]}"),
            "s.yaml:4:37: the probabilities of parameter p add up to 0.9");
    refuses(with("random", "{values: [1, 2], probabilities: [-1, 2]}"),
            "s.yaml:4:37: parameter p: probabilities has something");
    refuses(with("random", "{probabilities: [1]}"),
            "s.yaml:4:2: parameter p: values is missing");
    parses(with("random", "{values: [1, 2, 3], probabilities: "
                "[0.333333, 0.333333, 0.333333]}"));
    assert_true(sweep.leaves[0].probabilities[2] > 0.33);
}

static void a_grid_is_discrete(void **state)
{
    static const char *const sentence =
        "s.yaml:4:2: Parameter p is a disallowed type with grid search. Grid "
        "search requires all parameters to be categorical, constant, "
        "int_uniform, or q_uniform. Specification of probabilities for "
        "categorical parameters is disallowed in grid search";

    (void)state;
    refuses(with("grid", "{min: 0.0, max: 1.0}"), sentence);
    refuses(with("grid", "{distribution: normal}"), sentence);
    refuses(with("grid", "{values: [1, 2], probabilities: [0.5, 0.5]}"),
            sentence);
    parses(with("grid", "{min: 1, max: 3}"));
    parses(with("grid", "{distribution: q_uniform, min: 0, max: 1, q: 0.1}"));
}

static void violations_are_warnings(void **state)
{
    static const char *const p = "\nmethod: grid\nparameters: {a: {value: 1}}";
    char text[300];
    size_t i;
    static const char *const pairs[][2] = {
        {"foo: 1", "s.yaml:1:1: unknown key foo: it has no effect"},
        {"early_terminate: {type: hyperband, min_iter: 3}",
         "s.yaml:1:18: early_terminate is ignored: every cell runs"},
        {"early_terminate: {type: hyperband, max_iter: 3}",
         "s.yaml:1:18: early_terminate needs min_iter, or max_iter and s"},
        {"early_terminate: {type: hyperband, min_iter: 0, eta: 1}",
         "s.yaml:1:46: early_terminate: min_iter must be"},
        {"early_terminate: {type: hyperband, min_iter: 1, eta: 1}",
         "s.yaml:1:54: early_terminate: eta must be a number greater"},
        {"early_terminate: {type: median, min_iter: 1}",
         "s.yaml:1:25: type must be hyperband"},
        {"metric: {name: l, goal: max}",
         "s.yaml:1:25: goal must be minimize or maximize: W&B takes"},
        {"metric: loss", "s.yaml:1:9: metric must be keys with values"},
        {"metric: {goal: minimize}", "s.yaml:1:9: metric has no name"},
        {"metric: {name: l, target: 3}",
         "s.yaml:1:27: target is ignored: every cell is run"},
        {"kind: run", "s.yaml:1:7: kind must be sweep"},
        {"description: 3", "s.yaml:1:14: description is no string"},
        {"name: 3", "s.yaml:1:7: name is no string"},
        {"controller: local", "s.yaml:1:13: controller must be"},
        {"scheduler: {engine: wandb}", "s.yaml:1:12: scheduler is ignored"},
        {"metrics: [1, 2]", "s.yaml:1:10: metrics goes together with"},
    };

    (void)state;
    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        snprintf(text, sizeof(text), "%s%s", pairs[i][0], p);
        warns(text, pairs[i][1]);
    }
    parses("name: 3\nmethod: grid\nparameters: {a: {value: 1}}");
    assert_string_equal(sweep.name, "3");
    warns("method: grid\nparameters:\n  1a: {value: 1}\n",
          "s.yaml:3:3: parameter name '1a' does not match");
    warns("method: grid\nparameters:\n  a: {parameters: {\"b c\": {value: 1}}}",
          "s.yaml:3:21: parameter name 'b c' does not match");
    warns(with("random", "{distribution: log_uniform, min: -3, max: 0}"),
          "s.yaml:4:2: p uses log_uniform, where min/max specify base-e "
          "exponents. Use log_uniform_values to specify limit values.");
    parses("method: grid\nparameters: {a-1.b_C: {value: 1}, _: {value: 2}}");
    assert_int_equal(lint.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_top_is_taken),
        cmocka_unit_test(kinds_are_tried_in_order),
        cmocka_unit_test(leaves_are_in_order),
        cmocka_unit_test(wrong_tops_are_refused),
        cmocka_unit_test(wrong_parameters_are_refused),
        cmocka_unit_test(errors_are_one_line),
        cmocka_unit_test(probabilities_are_checked),
        cmocka_unit_test(a_grid_is_discrete),
        cmocka_unit_test(violations_are_warnings),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
