/* What the helper is given of an environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "environment.h"

static char *job[] = {"HOME=/elsewhere",       "PATH=/evil:/usr/bin",
                      "LD_PRELOAD=/evil.so",   "LD_LIBRARY_PATH=/evil",
                      "SLURM_JOB_ID=7",        "SLURM_CONF=/etc/x",
                      "WANDB_API_KEY=secret",  "RELAY_CONFIG=/r.yaml",
                      "MY_SLURM_X=1",          "BASH_FUNC_f%%=() { :; }",
                      NULL};

static struct relay_user ada(void)
{
    struct relay_user user = {.uid = 7, .gid = 7};

    snprintf(user.name, sizeof(user.name), "ada");
    snprintf(user.home, sizeof(user.home), "/home/ada");
    snprintf(user.shell, sizeof(user.shell), "/bin/zsh");
    return user;
}

static size_t count(char **env)
{
    size_t n;

    for (n = 0; env[n] != NULL; n++)
        ;
    return n;
}

static void the_short_list(void **state)
{
    struct relay_user user = ada();
    char **env = environment_short(&user, job);

    (void)state;
    assert_non_null(env);
    assert_int_equal(count(env), 8);
    assert_string_equal(environment_get(env, "HOME"), "/home/ada");
    assert_string_equal(environment_get(env, "USER"), "ada");
    assert_string_equal(environment_get(env, "LOGNAME"), "ada");
    assert_string_equal(environment_get(env, "SHELL"), "/bin/zsh");
    assert_string_equal(environment_get(env, "PATH"),
                        "/usr/local/bin:/usr/bin:/bin");
    assert_string_equal(environment_get(env, "LANG"), "C");
    assert_string_equal(environment_get(env, "SLURM_JOB_ID"), "7");
    assert_string_equal(environment_get(env, "SLURM_CONF"), "/etc/x");
    environment_free(env);
}

static void a_short_list_of_nothing(void **state)
{
    struct relay_user user = ada();
    char **env = environment_short(&user, NULL);

    (void)state;
    assert_non_null(env);
    assert_int_equal(count(env), 6);
    environment_free(env);
}

static void the_job_s_own(void **state)
{
    char **env = environment_of_job(job);

    (void)state;
    assert_non_null(env);
    assert_int_equal(count(env), 8);
    assert_string_equal(environment_get(env, "PATH"),
                        "/usr/local/bin:/usr/bin:/bin");
    assert_null(environment_get(env, "LD_PRELOAD"));
    assert_null(environment_get(env, "LD_LIBRARY_PATH"));
    assert_string_equal(environment_get(env, "HOME"), "/elsewhere");
    assert_string_equal(environment_get(env, "WANDB_API_KEY"), "secret");
    assert_string_equal(environment_get(env, "RELAY_CONFIG"), "/r.yaml");
    environment_free(env);
}

static void names_are_compared_whole(void **state)
{
    (void)state;
    assert_null(environment_get(job, "SLURM_JOB"));
    assert_null(environment_get(job, "SLURM_JOB_ID_"));
    assert_null(environment_get(NULL, "HOME"));
    assert_string_equal(environment_get(job, "HOME"), "/elsewhere");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_short_list),
        cmocka_unit_test(a_short_list_of_nothing),
        cmocka_unit_test(the_job_s_own),
        cmocka_unit_test(names_are_compared_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
