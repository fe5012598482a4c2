/* What a cell runs: W&B's macros, and ours. */
#include "sweepvalue.h"

#include "sweep/command.h"

static const char params_yaml[] =
    "{lr: 1.0e-5, Z: true, b: false, name: \"it's\", opt: {k: [1, x]}, n: ~}";

/* The words with | between. */
static void is_words(struct words *w, const char *want)
{
    struct text got = {0};
    size_t i;

    for (i = 0; i < w->n; i++) {
        if (i > 0)
            text_add_char(&got, '|');
        text_add(&got, w->word[i]);
    }
    assert_null(w->n > 0 ? w->word[w->n] : NULL);
    words_free(w);
    is_text(&got, want);
}

static void makes(const char *command, const struct command_spec *spec,
                  const char *want)
{
    struct value params = load_yaml(params_yaml), list = load_yaml(command);
    struct command_spec full = *spec;
    struct relay_error err = {0};
    struct words w = {0};

    full.command = &list;
    full.program = "train.py";
    if (command_make(&full, &params, &w, &err) != 0)
        fail_msg("%s: %s", command, err.text);
    is_words(&w, want);
    value_free(&params);
    value_free(&list);
}

#define ARGS "--Z=True|--b=False|--lr=1e-05|--n=None|--name=it's|" \
             "--opt={'k': [1, 'x']}"

static void arguments_are_sorted_and_python_s(void **state)
{
    struct value params = load_yaml(params_yaml);
    struct words w = {0};

    (void)state;
    assert_int_equal(command_args(&params, &w, NULL), 0);
    is_words(&w, ARGS);
    value_free(&params);
}

static void macros_are_wandb_s(void **state)
{
    const struct command_spec spec = {.json_path = "/x/p.json",
                                      .strict = true};

    (void)state;
    makes("[]", &spec, "/usr/bin/env|python|train.py|" ARGS);
    makes("~", &spec, "/usr/bin/env|python|train.py|" ARGS);
    makes("[a, '${args_no_equals}']", &spec,
          "a|--Z|True|--b|False|--lr|1e-05|--n|None|--name|it's|--opt|"
          "{'k': [1, 'x']}");
    makes("[a, '${args_no_hyphens}']", &spec,
          "a|Z=True|b=False|lr=1e-05|n=None|name=it's|opt={'k': [1, 'x']}");
    makes("[a, '${args_no_boolean_flags}']", &spec,
          "a|--Z|--lr=1e-05|--n=None|--name=it's|--opt={'k': [1, 'x']}");
    makes("[a, '${args_json}']", &spec,
          "a|{\"Z\": true, \"b\": false, \"lr\": 1e-05, \"n\": null, "
          "\"name\": \"it's\", \"opt\": {\"k\": [1, \"x\"]}}");
    makes("[a, '${args_json_file}']", &spec, "a|/x/p.json");
    makes("[a, '${args_append_hydra}']", &spec,
          "a|+Z=True|+b=False|+lr=1e-05|+n=None|+name=it's|"
          "+opt={'k': [1, 'x']}");
    makes("[a, '${args_override_hydra}']", &spec,
          "a|++Z=True|++b=False|++lr=1e-05|++n=None|++name=it's|"
          "++opt={'k': [1, 'x']}");
    makes("[a, '${foo}', '${}', 1, 1.5, yes, '--x=${program}', '${', '$x']",
          &spec, "a|1|1.5|True|--x=${program}|${|$x");
}

static void environment_comes_first(void **state)
{
    const struct command_spec spec = {.strict = true};

    (void)state;
    assert_int_equal(setenv("RELAY_TEST_A", "x y", 1), 0);
    assert_int_equal(setenv("RELAY_TEST_B", "${program}", 1), 0);
    assert_int_equal(unsetenv("RELAY_TEST_NONE"), 0);
    makes("['${envvar:RELAY_TEST_A}', '-${envvar:RELAY_TEST_A}-', "
          "'${envvar:RELAY_TEST_B}', '${envvar:RELAY_TEST_NONE}/bin', "
          "'${envvar:lower}', 'x${envvar:lower}']", &spec,
          "x y|-x y-|train.py|RELAY_TEST_NONE/bin|x${envvar:lower}");
    unsetenv("RELAY_TEST_A");
    unsetenv("RELAY_TEST_B");
}

static void parameters_stand_in_words_unless_strict(void **state)
{
    const struct command_spec ours = {.strict = false};
    const struct command_spec strict = {.strict = true};
    const char *command = "[a, '--lr=${lr}', '${lr}', '${Z}/${b}', "
                          "'${opt.k}', 'x${foo}', '${foo}', '${name}${foo}']";

    (void)state;
    makes(command, &ours, "a|--lr=1e-05|1e-05|True/False|[1, 'x']|x${foo}|"
                          "it's${foo}");
    makes(command, &strict, "a|--lr=${lr}|x${foo}");
}

static void a_prefix_replaces_what_starts_the_program(void **state)
{
    static char mine[] = "./mine", flag[] = "-v";
    char *const prefix[] = {mine, flag, NULL};
    const struct command_spec spec = {.prefix = prefix, .strict = true};

    (void)state;
    makes("~", &spec, "./mine|-v|" ARGS);
    makes("['${env}', '${interpreter}', -u, '${program}', --fixed, "
          "'${args_append_hydra}', end]", &spec,
          "./mine|-v|--fixed|+Z=True|+b=False|+lr=1e-05|+n=None|+name=it's|"
          "+opt={'k': [1, 'x']}|end");
    makes("['${env}', A=1, B=2, python, '${program}', x]", &spec,
          "/usr/bin/env|A=1|B=2|./mine|-v|x");
    makes("[x, '${args_json_file}']", &spec, "./mine|-v|x");
}

static void what_cannot_run_is_an_error(void **state)
{
    struct value params = load_yaml("{a: 1}");
    struct value text = load_yaml("python train.py");
    struct value none = load_yaml("['${foo}']");
    struct command_spec spec = {.strict = true};
    struct relay_error err = {0};
    struct words w = {0};

    (void)state;
    assert_int_equal(command_make(&spec, &params, &w, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "program"));
    words_free(&w);
    spec.command = &text;
    assert_int_equal(command_make(&spec, &params, &w, &err), -1);
    assert_non_null(strstr(err.text, "list"));
    words_free(&w);
    spec.command = &none;
    assert_int_equal(command_make(&spec, &params, &w, &err), -1);
    assert_non_null(strstr(err.text, "no word"));
    words_free(&w);
    value_free(&params);
    value_free(&text);
    value_free(&none);
}

static void quoting_is_for_the_shell(void **state)
{
    static const char *const in[] = {"--lr=1e-05", "", "a b", "it's", "$x`y`",
                                     "~", "x\ny", "{'k': [1]}"};
    struct words w = {0};
    struct text out = {0};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(in) / sizeof(in[0]); i++)
        assert_int_equal(words_add(&w, in[i], NULL), 0);
    command_quote(&w, &out);
    is_text(&out, "--lr=1e-05 '' 'a b' 'it'\\''s' '$x`y`' '~' 'x\ny' "
                  "'{'\\''k'\\'': [1]}'");
    words_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_are_sorted_and_python_s),
        cmocka_unit_test(macros_are_wandb_s),
        cmocka_unit_test(environment_comes_first),
        cmocka_unit_test(parameters_stand_in_words_unless_strict),
        cmocka_unit_test(a_prefix_replaces_what_starts_the_program),
        cmocka_unit_test(what_cannot_run_is_an_error),
        cmocka_unit_test(quoting_is_for_the_shell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
