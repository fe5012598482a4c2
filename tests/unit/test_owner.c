#define _GNU_SOURCE 1
#include "tempdir.h"

#include <sys/wait.h>

#include "jsonfile.h"
#include "owner.h"

static const char *const variables[] = {
    "SLURM_JOB_ID",        "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID",
    "SLURM_RESTART_COUNT", "SLURM_JOB_NAME",
};

static int clear_job(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        unsetenv(variables[i]);
    return 0;
}

static void a_process_outside_slurm(void **state)
{
    struct owner own;
    char text[600];

    (void)state;
    assert_int_equal(owner_self("iris", "ab12", getpid(), &own, NULL), 0);
    assert_string_equal(own.cluster, "iris");
    assert_string_equal(own.job_id, "");
    assert_string_equal(own.job_raw, "");
    assert_string_equal(own.nonce, "ab12");
    assert_int_equal(strlen(own.boot_id), 36);
    assert_int_equal(own.pid, getpid());
    assert_true(own.pid_start != 0);
    assert_true(own.pid_start == owner_pid_start(getpid()));
    owner_describe(&own, text, sizeof(text));
    assert_non_null(strstr(text, "process "));
    assert_non_null(strstr(text, " on iris (host "));
}

static void the_last_task_of_an_array_is_not_the_array(void **state)
{
    struct owner own;
    char text[600];

    (void)state;
    setenv("SLURM_JOB_ID", "4711", 1);
    setenv("SLURM_ARRAY_JOB_ID", "4711", 1);
    setenv("SLURM_ARRAY_TASK_ID", "7", 1);
    setenv("SLURM_RESTART_COUNT", "2", 1);
    assert_int_equal(owner_self("iris", "ab12", getpid(), &own, NULL), 0);
    assert_string_equal(own.job_id, "4711_7");
    assert_string_equal(own.job_raw, "4711");
    assert_int_equal(own.restart, 2);
    owner_describe(&own, text, sizeof(text));
    assert_int_equal(strncmp(text, "job 4711_7 of ", 14), 0);
}

static void survives_json(void **state)
{
    struct owner own, back;
    struct json_object *obj;

    (void)state;
    setenv("SLURM_JOB_ID", "4711", 1);
    assert_int_equal(owner_self("iris", "ab12", getpid(), &own, NULL), 0);
    own.submit = 1700000000;
    obj = owner_to_json(&own);
    owner_from_json(obj, "ffff", &back);
    json_object_put(obj);
    assert_memory_equal(&own, &back, sizeof(own));
}

static void absent_members_are_unknown(void **state)
{
    struct json_object *obj = json_object_new_object();
    struct owner own;

    (void)state;
    json_add_str(obj, "job_id", NULL);
    owner_from_json(obj, "ab12", &own);
    json_object_put(obj);
    assert_string_equal(own.job_id, "");
    assert_string_equal(own.nonce, "ab12");
    assert_int_equal(own.submit, 0);
    owner_from_json(NULL, "ab12", &own);
    assert_string_equal(own.cluster, "");
}

static void same_job(void **state)
{
    struct owner a = {.cluster = "iris", .job_id = "4711", .submit = 100};
    struct owner b = a;

    (void)state;
    assert_true(owner_same_job(&a, &b));
    b.submit = 0;
    assert_true(owner_same_job(&a, &b));
    b.submit = 101; /* requeued: another run */
    assert_false(owner_same_job(&a, &b));
    b = a;
    snprintf(b.cluster, sizeof(b.cluster), "sherlock");
    assert_false(owner_same_job(&a, &b));
    b = a;
    snprintf(b.job_id, sizeof(b.job_id), "4711_7");
    assert_false(owner_same_job(&a, &b));
    a.job_id[0] = b.job_id[0] = '\0';
    assert_false(owner_same_job(&a, &b));
}

static void start_time_of_odd_names(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    if (pid == 0) {
        FILE *comm = fopen("/proc/self/comm", "w");
        uint64_t before = owner_pid_start(getpid());

        if (comm == NULL || fputs("a) 1 (b ) 2", comm) < 0 ||
            fclose(comm) != 0)
            _exit(2);
        _exit(before != 0 && owner_pid_start(getpid()) == before ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(owner_pid_start(pid), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_process_outside_slurm, clear_job),
        cmocka_unit_test_setup(the_last_task_of_an_array_is_not_the_array,
                               clear_job),
        cmocka_unit_test_setup(survives_json, clear_job),
        cmocka_unit_test(absent_members_are_unknown),
        cmocka_unit_test(same_job),
        cmocka_unit_test(start_time_of_odd_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
