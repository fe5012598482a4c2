/* Becoming the user, and work in the user's account. Most of it needs root. */
#include "tempdir.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "account.h"
#include "become.h"
#include "clock.h"

static struct passwd *nobody;

static int setup(void **state)
{
    nobody = getpwnam("nobody");
    return nobody != NULL ? temp_setup(state) : -1;
}

static void need_root(void)
{
    if (geteuid() != 0)
        skip();
}

static struct account account_of_nobody(void)
{
    return (struct account){.uid = nobody->pw_uid, .gid = nobody->pw_gid,
                            .allow_groups = "",
                            .deadline = clock_ms() + 20000,
                            .grace_ms = 100};
}

static void a_user_is_looked_up(void **state)
{
    struct relay_user user;
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(user_lookup(nobody->pw_uid, 4242, &user, &err), 0);
    assert_string_equal(user.name, "nobody");
    assert_string_equal(user.home, nobody->pw_dir);
    assert_int_equal(user.gid, 4242); /* the job's, not the entry's */
    assert_true(user.group_count >= 1);
    assert_true(user_in_groups("nosuchgroup,root", 0, NULL, 0));
    assert_false(user_in_groups("nosuchgroup", 0, NULL, 0));
    assert_false(user_in_groups("", 0, NULL, 0));
    assert_false(user_in_groups(",,", 0, NULL, 0));
    assert_true(user_in_groups("root", 4242, (gid_t[]){7, 0}, 2));
    assert_false(user_in_groups("root", 4242, (gid_t[]){7, 8}, 2));
}

static void an_unknown_uid_is_named(void **state)
{
    struct relay_user user;
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(user_lookup(3999999999U, 1, &user, &err), -1);
    assert_int_equal(err.code, EX_NOUSER);
    assert_non_null(strstr(err.text, "3999999999"));
}

/* --- as root ------------------------------------------------------------ */

static int check_identity(void *arg)
{
    uid_t r, e, s;
    gid_t groups[4];

    (void)arg;
    if (getresuid(&r, &e, &s) != 0 || r != nobody->pw_uid || e != r || s != r)
        return 1;
    if (getresgid(&r, &e, &s) != 0 || r != nobody->pw_gid || e != r || s != r)
        return 2;
    if (getgroups(4, groups) != 1 || groups[0] != nobody->pw_gid)
        return 3;
    if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 ||
        setgroups(0, NULL) == 0)
        return 4;
    return 42;
}

static void a_function_runs_as_the_user(void **state)
{
    struct account account = account_of_nobody();
    struct relay_error err = {0};

    (void)state;
    need_root();
    assert_int_equal(account_run(&account, check_identity, NULL, &err), 42);
    assert_int_equal(geteuid(), 0);
}

static void a_program_runs_with_the_short_environment(void **state)
{
    static char *argv[] = {"/usr/bin/env", NULL};
    struct account account = account_of_nobody();
    struct relay_error err = {0};

    (void)state;
    need_root();
    setenv("SLURM_JOB_WORK_DIR", "/tmp", 1);
    setenv("SECRET_OF_ROOT", "x", 1);
    assert_int_equal(account_run_program(&account, argv, &err), 0);
    assert_non_null(strstr(account.output, "USER=nobody"));
    assert_non_null(strstr(account.output, "PATH=/usr/local/bin:/usr/bin:"));
    assert_non_null(strstr(account.output, "SLURM_JOB_WORK_DIR=/tmp"));
    assert_null(strstr(account.output, "SECRET_OF_ROOT"));
    unsetenv("SECRET_OF_ROOT");
    unsetenv("SLURM_JOB_WORK_DIR");
}

static void the_code_and_the_end_of_the_output_come_back(void **state)
{
    static char *argv[] = {"/bin/sh", "-c",
                           "i=0; while [ $i -lt 900 ]; do echo line $i; "
                           "i=$((i+1)); done; echo last >&2; exit 65",
                           NULL};
    struct account account = account_of_nobody();
    struct relay_error err = {0};

    (void)state;
    need_root();
    assert_int_equal(account_run_program(&account, argv, &err), 65);
    assert_true(strlen(account.output) < ACCOUNT_OUTPUT_MAX);
    assert_non_null(strstr(account.output, "line 899\nlast"));
    assert_null(strstr(account.output, "line 1\n"));
}

static void a_hanging_program_is_ended(void **state)
{
    static char *argv[] = {"/bin/sh", "-c",
                           "trap '' TERM; setsid sleep 617 & sleep 617; :",
                           NULL};
    struct account account = account_of_nobody();
    struct relay_error err = {0};

    (void)state;
    need_root();
    account.deadline = clock_ms() + 300;
    assert_int_equal(account_run_program(&account, argv, &err), -1);
    assert_int_equal(err.code, EX_TEMPFAIL);
    account.deadline = clock_ms() - 1;
    assert_int_equal(account_run_program(&account, argv, &err), -1);
    assert_int_equal(err.code, EX_TEMPFAIL);
}

static void who_is_not_in_the_groups_runs_nothing(void **state)
{
    char path[600];
    char *argv[] = {"/usr/bin/touch", path, NULL};
    struct account account = account_of_nobody();
    struct relay_error err = {0};

    (void)state;
    need_root();
    assert_int_equal(fchmod(temp.fd, 0777), 0);
    temp_join("touched", path, sizeof(path));
    account.allow_groups = "root";
    assert_int_equal(account_run_program(&account, argv, &err), EX_NOPERM);
    assert_int_equal(faccessat(temp.fd, "touched", F_OK, 0), -1);
    account.allow_groups = "";
    assert_int_equal(account_run_program(&account, argv, &err), 0);
    assert_int_equal(faccessat(temp.fd, "touched", F_OK, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_is_looked_up),
        cmocka_unit_test(an_unknown_uid_is_named),
        cmocka_unit_test(a_function_runs_as_the_user),
        cmocka_unit_test(a_program_runs_with_the_short_environment),
        cmocka_unit_test(the_code_and_the_end_of_the_output_come_back),
        cmocka_unit_test(a_hanging_program_is_ended),
        cmocka_unit_test(who_is_not_in_the_groups_runs_nothing),
    };

    return cmocka_run_group_tests(tests, setup, temp_teardown);
}
