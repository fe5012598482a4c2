/* Values of the options, and the names they travel by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <cmocka.h>

#include "names.h"
#include "options.h"

static struct relay_options none;

static void good_values_are_kept(void **state)
{
    struct relay_options o = none;
    struct relay_error err = {0};

    (void)state;
    assert_false(options_given(&o));
    assert_int_equal(options_check(&o, &err), 0);
    assert_int_equal(options_set(&o, OPTION_RESUME_KEY, "lab/robots/a b-1",
                                 &err), 0);
    assert_int_equal(options_set(&o, OPTION_HANDOFF_FROM, "sherlock:47_3",
                                 &err), 0);
    assert_string_equal(o.value[OPTION_RESUME_KEY], "lab/robots/a b-1");
    assert_string_equal(o.value[OPTION_HANDOFF_FROM], "sherlock:47_3");
    assert_true(options_given(&o));
    assert_int_equal(options_check(&o, &err), 0);
}

static void good_sweep_cells_are_kept(void **state)
{
    static const char *const values[] = {
        "bpe.sweep", "/a b/c:d/bpe.sweep", "bpe.sweep:#7", "bpe.sweep:%a",
        "sweeps/%A/x.sweep:0123456789abcdef_s3", "%%.sweep", "x:run-%a",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct relay_options o = none;
        struct relay_error err = {0};

        if (options_set(&o, OPTION_SWEEP_CELL, values[i], &err) != 0)
            fail_msg("%s", err.text);
        assert_string_equal(o.value[OPTION_SWEEP_CELL], values[i]);
        assert_string_equal(options_first(&o), "sweep-cell");
        assert_int_equal(options_check(&o, &err), 0);
    }
}

static void the_last_value_wins(void **state)
{
    struct relay_options o = none;

    (void)state;
    assert_int_equal(options_set(&o, OPTION_RESUME_KEY, "a/b/1", NULL), 0);
    assert_int_equal(options_set(&o, OPTION_RESUME_KEY, "a/b/1", NULL), 0);
    assert_int_equal(options_set(&o, OPTION_RESUME_KEY, "a/b/2", NULL), 0);
    assert_string_equal(o.value[OPTION_RESUME_KEY], "a/b/2");
    /* A bad one after it must not leave the good one in force, */
    assert_int_equal(options_set(&o, OPTION_RESUME_KEY, "bad", NULL), -1);
    assert_string_equal(o.value[OPTION_RESUME_KEY], "");
    assert_int_equal(options_check(&o, NULL), -1);
    /* nor a good one after that the complaint. */
    assert_int_equal(options_set(&o, OPTION_RESUME_KEY, "a/b/3", NULL), 0);
    assert_int_equal(options_check(&o, NULL), 0);
}

static void bad_values_are_refused(void **state)
{
    static const struct {
        enum relay_option which;
        const char *value;
    } cases[] = {
        {OPTION_RESUME_KEY, NULL},
        {OPTION_RESUME_KEY, ""},
        {OPTION_RESUME_KEY, "a/b"},
        {OPTION_RESUME_KEY, "../../etc"},
        {OPTION_RESUME_KEY, "-a/b/c"},
        {OPTION_RESUME_KEY, "a/b/c\nuid=0"},
        {OPTION_RESUME_KEY, "a/b/%j"},
        {OPTION_SWEEP_CELL, ""},
        {OPTION_SWEEP_CELL, "-x"},
        {OPTION_SWEEP_CELL, "a\nb"},
        {OPTION_SWEEP_CELL, "bpe.sweep:"},
        {OPTION_SWEEP_CELL, "bpe.sweep:#"},
        {OPTION_SWEEP_CELL, "bpe.sweep:-x"},
        {OPTION_SWEEP_CELL, "bpe.sweep:.."},
        {OPTION_SWEEP_CELL, "bpe.sweep:a b"},
        {OPTION_SWEEP_CELL, "bpe.sweep:%j"},
        {OPTION_SWEEP_CELL, "bpe.sweep%"},
        {OPTION_SWEEP_CELL, ":abc"},
        {OPTION_HANDOFF_FROM, ""},
        {OPTION_HANDOFF_FROM, "-oProxyCommand=x"},
        {OPTION_HANDOFF_FROM, "a b"},
        {OPTION_HANDOFF_FROM, "sherlock:"},
        {OPTION_HANDOFF_FROM, "sherlock:x"},
        {OPTION_HANDOFF_FROM, "sherlock:1_2_3"},
        {OPTION_HANDOFF_FROM, "sherlock:1\n"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct relay_options o = none;
        struct relay_error err = {0};

        if (options_set(&o, cases[i].which, cases[i].value, &err) != -1)
            fail_msg("'%s' was taken", cases[i].value);
        assert_int_equal(err.code, EX_USAGE);
        assert_true(options_given(&o));
        assert_string_equal(o.value[cases[i].which], "");
        assert_null(strchr(o.refused[cases[i].which], '\n'));
        assert_int_equal(options_check(&o, &err), -1);
    }
}

static void a_long_value_is_refused_whole(void **state)
{
    struct relay_options o = none;
    char value[OPTION_VALUE_MAX + 2];

    (void)state;
    memset(value, 'a', sizeof(value));
    memcpy(value, "a/b/", 4);
    value[OPTION_VALUE_MAX] = '\0';
    assert_int_equal(options_set(&o, OPTION_RESUME_KEY, value, NULL), 0);
    value[OPTION_VALUE_MAX] = 'a';
    value[OPTION_VALUE_MAX + 1] = '\0';
    assert_int_equal(options_set(&o, OPTION_RESUME_KEY, value, NULL), -1);
    assert_string_equal(o.value[OPTION_RESUME_KEY], "");
}

static void a_handoff_needs_a_key(void **state)
{
    struct relay_options o = none;
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(options_set(&o, OPTION_HANDOFF_FROM, "sherlock", NULL),
                     0);
    assert_int_equal(options_check(&o, &err), -1);
    assert_int_equal(err.code, EX_USAGE);
    assert_non_null(strstr(err.text, "--resume-key"));
}

static void a_job_is_one_run(void **state)
{
    struct relay_options o = none;
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(options_set(&o, OPTION_SWEEP_CELL, "bpe.sweep", NULL), 0);
    assert_int_equal(options_set(&o, OPTION_RESUME_KEY, "a/b/1", NULL), 0);
    assert_int_equal(options_check(&o, &err), -1);
    assert_int_equal(err.code, EX_USAGE);
    assert_non_null(strstr(err.text, "exclude each other"));
}

static void a_handoff_is_of_one_cell(void **state)
{
    struct relay_options o = none;
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(options_set(&o, OPTION_HANDOFF_FROM, "sherlock", NULL),
                     0);
    assert_int_equal(options_set(&o, OPTION_SWEEP_CELL, "bpe.sweep", NULL), 0);
    assert_int_equal(options_check(&o, &err), -1);
    assert_int_equal(err.code, EX_USAGE);
    assert_non_null(strstr(err.text, "--sweep-cell=bpe.sweep:CELL"));
    assert_int_equal(options_set(&o, OPTION_SWEEP_CELL, "bpe.sweep:#3", NULL),
                     0);
    assert_int_equal(options_check(&o, &err), 0);
}

static void names_of_variables(void **state)
{
    char name[NAMES_MAX], small[8];

    (void)state;
    option_variable(OPTION_RESUME_KEY, NAMES_TWIN_SBATCH, true, name,
                    sizeof(name));
    assert_string_equal(name, "SBATCH_RESUME_KEY");
    option_variable(OPTION_HANDOFF_FROM, NAMES_TWIN_SRUN, true, name,
                    sizeof(name));
    assert_string_equal(name, "SRUN_HANDOFF_FROM");
    option_variable(OPTION_RESUME_KEY, NAMES_OPTION, false, name,
                    sizeof(name));
    assert_string_equal(name, "_SLURM_SPANK_OPTION_relay_resume_key");
    option_variable(OPTION_SWEEP_CELL, NAMES_TWIN_SALLOC, true, name,
                    sizeof(name));
    assert_string_equal(name, "SALLOC_SWEEP_CELL");
    option_variable(OPTION_RESUME_KEY, "SBATCH_", true, small,
                    sizeof(small));
    assert_string_equal(small, "SBATCH_");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_values_are_kept),
        cmocka_unit_test(good_sweep_cells_are_kept),
        cmocka_unit_test(the_last_value_wins),
        cmocka_unit_test(bad_values_are_refused),
        cmocka_unit_test(a_long_value_is_refused_whole),
        cmocka_unit_test(a_handoff_needs_a_key),
        cmocka_unit_test(a_job_is_one_run),
        cmocka_unit_test(a_handoff_is_of_one_cell),
        cmocka_unit_test(names_of_variables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
