#include "runenv.h"

#include <sysexits.h>

#include "jobenv.h"

static mode_t mode_of(const char *name)
{
    struct stat st;

    assert_int_equal(fstatat(temp.fd, name, &st, 0), 0);
    return st.st_mode & 07777;
}

static void our_records_are_as_open_as_the_root(void **state)
{
    mode_t mask = umask(077);
    struct run run;
    char name[128];

    (void)state;
    temp_mkdir("root");
    assert_int_equal(fchmodat(temp.fd, "root", 02775, 0), 0);
    run = runenv_open("modes");
    snprintf(name, sizeof(name), "root/.relay/%s", run.hash);
    assert_int_equal(mode_of("root/.relay"), 02775);
    assert_int_equal(mode_of(name) & 0777, 0700);
    run_close(&run);
    (void)umask(mask);
}

static void a_look_makes_nothing(void **state)
{
    struct run_options opt = {.key = "lab/unit/look", .read_only = true};
    struct relay_error err = {0};
    char name[128];
    struct run run;

    (void)state;
    assert_int_equal(run_open(&opt, &run, &err), 0);
    assert_int_equal(run.relayfd, -1);
    snprintf(name, sizeof(name), "root/.relay/%s", run.hash);
    assert_int_equal(faccessat(temp.fd, name, F_OK, 0), -1);
    run_close(&run);
}

/* sbatch --chdir: submitted in one directory, run in another. */
static void relative_roots_follow_the_job_s_directory(void **state)
{
    struct run_options opt = {.key = "lab/unit/where", .read_only = true};
    struct relay_error err = {0};
    char old[1024], dir[600], expected[700];
    struct run run;

    (void)state;
    assert_non_null(getcwd(old, sizeof(old)));
    temp_text("relative.yaml", "cluster: here\nclusters:\n  here:\n"
                               "    resume_root: ./state\n");
    setenv("RELAY_CONFIG", temp_join("relative.yaml", dir, sizeof(dir)), 1);
    temp_mkdir("submitted");
    temp_mkdir("workdir");
    setenv("SLURM_SUBMIT_DIR", temp_join("submitted", dir, sizeof(dir)), 1);
    assert_int_equal(chdir(temp_join("workdir", dir, sizeof(dir))), 0);
    assert_int_equal(run_open(&opt, &run, &err), 0);
    snprintf(expected, sizeof(expected), "%s/submitted/state", temp.path);
    assert_string_equal(run.root, expected);
    run_close(&run);
    opt.here = true;
    assert_int_equal(run_open(&opt, &run, &err), 0);
    snprintf(expected, sizeof(expected), "%s/workdir/state", temp.path);
    assert_string_equal(run.root, expected);
    run_close(&run);
    assert_int_equal(chdir(old), 0);
    unsetenv("SLURM_SUBMIT_DIR");
    runenv_config("");
}

/* A run with a job directory, as the plugin has it. */
static struct run with_job_dir(const char *name, char *dir, size_t size)
{
    char key[128];
    struct run_options opt = {.key = key, .job_dir = dir};
    struct relay_error err = {0};
    struct run run;

    snprintf(key, sizeof(key), "lab/unit/%s", name);
    snprintf(dir, size, "%s/job-%s", temp.path, name);
    assert_int_equal(mkdir(dir, 0700), 0);
    if (run_open(&opt, &run, &err) != 0)
        fail_msg("%s", err.text);
    return run;
}

static void what_was_resolved_is_found_again(void **state)
{
    char dir[600];
    struct run run = with_job_dir("resolved", dir, sizeof(dir)), again;
    struct relay_error err = {0};
    struct run_options opt = {.job_dir = dir, .nonce = run.nonce};

    (void)state;
    run.found_step = 0;
    run.term = 3;
    assert_int_equal(run_save_resolved(&run, &err), 0);
    if (run_open_resolved(&opt, &again, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(again.key, run.key);
    assert_string_equal(again.root, run.root);
    assert_string_equal(again.run_root, run.run_root);
    assert_int_equal(again.found_step, 0);
    assert_int_equal(again.term, 3);
    assert_int_equal(again.self.pid_start, run.self.pid_start);
    run_close(&again);
    opt.nonce = "00000000000000000000000000000000";
    assert_int_equal(run_open_resolved(&opt, &again, &err), -1);
    assert_int_equal(err.code, EX_NOINPUT);
    run_close(&again);
    run_close(&run);
}

/* In the epilog a file system may be gone. */
static void a_root_that_is_gone_is_not_made_anew(void **state)
{
    char dir[600], moved[700];
    struct run run = with_job_dir("unmounted", dir, sizeof(dir)), again;
    struct relay_error err = {0};
    struct run_options opt = {.job_dir = dir, .nonce = run.nonce};

    (void)state;
    assert_int_equal(run_save_resolved(&run, &err), 0);
    snprintf(moved, sizeof(moved), "%s.moved", run.root);
    assert_int_equal(rename(run.root, moved), 0);
    assert_int_equal(run_open_resolved(&opt, &again, &err), -1);
    assert_int_equal(err.code, EX_IOERR);
    assert_int_equal(access(run.root, F_OK), -1);
    run_close(&again);
    assert_int_equal(rename(moved, run.root), 0);
    run_close(&run);
}

static void a_verdict_reaches_the_other_nodes_until_it_is_withdrawn(
    void **state)
{
    struct run run = runenv_open("nodes");
    struct relay_error err = {0};
    char *env = NULL;
    size_t len;
    int code = 0;

    (void)state;
    setenv("SLURM_JOB_ID", "12", 1);
    assert_int_equal(jobenv_publish(&run, -2, "A=1\0B=2", 8, &err), 0);
    assert_int_equal(jobenv_wait(&run, &code, &env, &len, &err), 0);
    assert_int_equal(code, -2);
    assert_int_equal(len, 8);
    assert_memory_equal(env, "A=1\0B=2", 8);
    free(env);
    assert_true(runenv_has(&run, "gate/here--0"));
    jobenv_withdraw(&run);
    assert_false(runenv_has(&run, "gate/here--0"));
    unsetenv("SLURM_JOB_ID");
    run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_records_are_as_open_as_the_root),
        cmocka_unit_test(a_look_makes_nothing),
        cmocka_unit_test(relative_roots_follow_the_job_s_directory),
        cmocka_unit_test(what_was_resolved_is_found_again),
        cmocka_unit_test(a_root_that_is_gone_is_not_made_anew),
        cmocka_unit_test(
            a_verdict_reaches_the_other_nodes_until_it_is_withdrawn),
    };

    return cmocka_run_group_tests(tests, runenv_setup, temp_teardown);
}
