/* The plugin's arguments in plugstack.conf, and the files they name. */
#include "tempdir.h"

#include <sysexits.h>

#include "args.h"

static int parse(const char *const *argv, struct relay_args *args,
                 struct relay_error *err)
{
    int argc;

    for (argc = 0; argv[argc] != NULL; argc++)
        ;
    return args_parse(args, argc, (char *const *)(uintptr_t)argv, err);
}

static void defaults(void **state)
{
    static const char *const argv[] = {NULL};
    struct relay_error err = {0};
    struct relay_args args;

    (void)state;
    assert_int_equal(parse(argv, &args, &err), 0);
    assert_string_equal(args.config, "/etc/slurm/relay.yaml");
    assert_string_equal(args.rundir, "/run/slurm-relay");
    assert_int_equal(args.helper[0], '/');
    assert_int_equal(args.prolog_deadline, 5);
    assert_int_equal(args.epilog_deadline, 10);
    assert_false(args.network);
    assert_true(args.submit_check);
    assert_string_equal(args.allow_groups, "");
}

static void every_argument(void **state)
{
    static const char *const argv[] = {
        "config=/a/b.yaml",   "helper=/c/relay-job", "rundir=/d",
        "prolog_deadline=1",  "epilog_deadline=3600", "network=yes",
        "submit_check=no",    "allow_groups=a,b-c",   NULL};
    struct relay_error err = {0};
    struct relay_args args;

    (void)state;
    assert_int_equal(parse(argv, &args, &err), 0);
    assert_string_equal(args.config, "/a/b.yaml");
    assert_string_equal(args.helper, "/c/relay-job");
    assert_string_equal(args.rundir, "/d");
    assert_int_equal(args.prolog_deadline, 1);
    assert_int_equal(args.epilog_deadline, 3600);
    assert_true(args.network);
    assert_false(args.submit_check);
    assert_string_equal(args.allow_groups, "a,b-c");
}

static void bad_arguments_name_themselves(void **state)
{
    static const char *const cases[] = {
        "nonsense=1",        "nonsense",           "=x",
        "config=relative",   "config=",            "helper=relay-job",
        "rundir=run",        "network=maybe",      "network=",
        "submit_check=1",    "prolog_deadline=0",  "prolog_deadline=-1",
        "prolog_deadline=5s", "prolog_deadline=",  "epilog_deadline=3601",
        "epilog_deadline=99999999999999999999",    "epilog_deadline= 5",
        "allow_groups=a b",  "allow_groups=a;b",   "CONFIG=/a",
        "config =/a",
        "averyveryverylongnameofanargumentindeed=1",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *argv[] = {cases[i], NULL};
        struct relay_error err = {0};
        struct relay_args args;
        char name[64];

        if (parse(argv, &args, &err) != -1)
            fail_msg("%s was taken", cases[i]);
        assert_int_equal(err.code, EX_CONFIG);
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(cases[i], "="),
                 cases[i]);
        if (strstr(err.text, name) == NULL)
            fail_msg("'%s' does not name %s", err.text, name);
    }
}

static void a_path_that_is_too_long(void **state)
{
    char arg[2048] = "config=/";
    const char *argv[] = {arg, NULL};
    struct relay_error err = {0};
    struct relay_args args;

    (void)state;
    memset(arg + 8, 'a', sizeof(arg) - 9);
    arg[sizeof(arg) - 1] = '\0';
    assert_int_equal(parse(argv, &args, &err), -1);
}

/* --- the files ---------------------------------------------------------- */

static void fill(struct relay_args *args)
{
    memset(args, 0, sizeof(*args));
    snprintf(args->helper, sizeof(args->helper), "%s/bin/relay-job",
             temp.path);
    snprintf(args->config, sizeof(args->config), "%s/etc/relay.yaml",
             temp.path);
    snprintf(args->rundir, sizeof(args->rundir), "%s/run", temp.path);
}

static int setup(void **state)
{
    if (temp_setup(state) != 0 || mkdirat(temp.fd, "bin", 0755) != 0 ||
        mkdirat(temp.fd, "etc", 0755) != 0 ||
        mkdirat(temp.fd, "run", 0755) != 0)
        return -1;
    return 0;
}

static int fresh_files(void **state)
{
    (void)state;
    temp_text("bin/relay-job", "");
    temp_text("etc/relay.yaml", "");
    return fchmodat(temp.fd, "bin", 0755, 0) == 0 &&
                   fchmodat(temp.fd, "etc", 0755, 0) == 0 &&
                   fchmodat(temp.fd, "bin/relay-job", 0755, 0) == 0 &&
                   fchmodat(temp.fd, "etc/relay.yaml", 0644, 0) == 0
               ? 0
               : -1;
}

static void files_of_ours_are_trusted(void **state)
{
    struct relay_error err = {0};
    struct relay_args args;

    (void)state;
    fill(&args);
    assert_int_equal(args_check_files(&args, &err), 0);
    /* The helper says what a missing configuration means. */
    assert_int_equal(unlinkat(temp.fd, "etc/relay.yaml", 0), 0);
    assert_int_equal(args_check_files(&args, &err), 0);
}

static void what_others_can_write_is_not_trusted(void **state)
{
    static const struct {
        const char *name;
        mode_t mode;
    } cases[] = {{"bin/relay-job", 0775},
                 {"etc/relay.yaml", 0646},
                 {"bin", 0777},
                 {"etc", 0775}};
    struct relay_args args;
    size_t i;

    fill(&args);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct relay_error err = {0};

        assert_int_equal(fresh_files(state), 0);
        assert_int_equal(
            fchmodat(temp.fd, cases[i].name, cases[i].mode, 0), 0);
        assert_int_equal(args_check_files(&args, &err), -1);
        assert_int_equal(err.code, EX_CONFIG);
        assert_non_null(strstr(err.text, cases[i].name));
    }
}

static void a_missing_helper_is_named(void **state)
{
    struct relay_error err = {0};
    struct relay_args args;

    (void)state;
    fill(&args);
    assert_int_equal(unlinkat(temp.fd, "bin/relay-job", 0), 0);
    assert_int_equal(args_check_files(&args, &err), -1);
    assert_int_equal(err.code, EX_UNAVAILABLE);
    assert_non_null(strstr(err.text, "bin/relay-job"));
}

static void switched_off_by_a_file(void **state)
{
    struct relay_args args;

    (void)state;
    fill(&args);
    assert_false(args_switched_off(&args));
    temp_text("run/off", "");
    assert_true(args_switched_off(&args));
    assert_int_equal(unlinkat(temp.fd, "run/off", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_argument),
        cmocka_unit_test(bad_arguments_name_themselves),
        cmocka_unit_test(a_path_that_is_too_long),
        cmocka_unit_test_setup(files_of_ours_are_trusted, fresh_files),
        cmocka_unit_test_setup(what_others_can_write_is_not_trusted,
                               fresh_files),
        cmocka_unit_test_setup(a_missing_helper_is_named, fresh_files),
        cmocka_unit_test(switched_off_by_a_file),
    };

    return cmocka_run_group_tests(tests, setup, temp_teardown);
}
