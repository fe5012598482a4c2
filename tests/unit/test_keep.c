#include "runenv.h"

#include <sysexits.h>

static void keep(const struct run *run)
{
    struct relay_error err = {0};

    if (run_keep_state(run, &err) != 0)
        fail_msg("%s", err.text);
}

static int restore(const struct run *run, const struct run *lost,
                   struct relay_error *err)
{
    return run_restore_state(run, lost->nonce, err);
}

static mode_t mode_of(const struct run *run)
{
    struct stat st;

    assert_int_equal(fstatat(run->rootfd, run->hash, &st, 0), 0);
    return st.st_mode & 07777;
}

static void nothing_is_put_back_without_a_flag(void **state)
{
    struct run run = runenv_open("noflag");
    struct relay_error err = {0};

    (void)state;
    runenv_state(&run, 500, NULL);
    keep(&run);
    runenv_state(&run, 10, NULL);
    assert_int_equal(run_is_lost(&run), 0);
    assert_int_equal(restore(&run, &run, &err), 0);
    assert_int_equal(run_restore_all(&run, &err), 0);
    assert_int_equal(runenv_step(&run), 10);
    run_close(&run);
}

static void a_lost_state_is_put_back_as_it_was(void **state)
{
    struct run run = runenv_open("lost");
    struct relay_error err = {0};
    char lost[64];

    (void)state;
    runenv_state(&run, 500, NULL);
    keep(&run);
    runenv_state(&run, 10, NULL);
    assert_int_equal(run_flag_lost(&run, &err), 0);
    assert_int_equal(run_is_lost(&run), 1);
    assert_int_equal(restore(&run, &run, &err), 1);
    assert_int_equal(runenv_step(&run), 500);
    assert_int_equal(mode_of(&run), 0750);
    assert_int_equal(run_is_lost(&run), 0);
    snprintf(lost, sizeof(lost), "lost-%s", run.nonce);
    assert_true(runenv_has(&run, lost));
    assert_int_equal(restore(&run, &run, &err), 0);
    assert_int_equal(runenv_step(&run), 500);
    run_close(&run);
}

/* A kill between any two of its steps. */
static void putting_back_goes_on_where_it_was_cut_off(void **state)
{
    struct run run = runenv_open("cut");
    struct relay_error err = {0};
    char kept[128], lost[128], flag[64];

    (void)state;
    snprintf(kept, sizeof(kept), ".relay/%s/verified-%s", run.hash, run.nonce);
    snprintf(lost, sizeof(lost), ".relay/%s/lost-%s", run.hash, run.nonce);
    snprintf(flag, sizeof(flag), "restore-%s", run.nonce);
    runenv_state(&run, 500, NULL);
    keep(&run);
    runenv_state(&run, 10, NULL);
    assert_int_equal(run_flag_lost(&run, &err), 0);
    assert_int_equal(renameat(run.rootfd, run.hash, run.rootfd, lost), 0);
    assert_int_equal(restore(&run, &run, &err), 1);
    assert_int_equal(runenv_step(&run), 500);
    /* The flag was still there when the last step had been done. */
    assert_int_equal(run_flag_lost(&run, &err), 0);
    assert_int_equal(restore(&run, &run, &err), 1);
    assert_int_equal(runenv_step(&run), 500);
    assert_false(runenv_has(&run, flag));
    run_close(&run);
}

static void another_job_puts_it_back(void **state)
{
    struct run dead = runenv_open("another"), next;
    struct relay_error err = {0};

    (void)state;
    runenv_state(&dead, 500, NULL);
    keep(&dead);
    runenv_state(&dead, 10, NULL);
    assert_int_equal(run_flag_lost(&dead, &err), 0);
    next = runenv_open("another");
    assert_int_equal(run_restore_all(&next, &err), 1);
    assert_int_equal(runenv_step(&next), 500);
    assert_int_equal(run_restore_all(&next, &err), 0);
    run_close(&dead);
    run_close(&next);
}

static void what_was_written_over_in_place_is_not_put_back(void **state)
{
    struct run run = runenv_open("inplace");
    struct relay_error err = {0};
    char name[128];

    (void)state;
    runenv_state(&run, 500, NULL);
    snprintf(name, sizeof(name), "root/%s/resume_state.bin", run.hash);
    temp_text(name, "weights of step 500");
    keep(&run);
    runenv_state(&run, 10, NULL);
    temp_text(name, "of step 10"); /* the same inode */
    assert_int_equal(run_flag_lost(&run, &err), 0);
    assert_int_equal(restore(&run, &run, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "resume_state.bin in place"));
    assert_int_equal(runenv_step(&run), 10);
    assert_int_equal(run_is_lost(&run), 1);
    assert_int_equal(run_forget_lost(&run, &err), 0);
    assert_int_equal(run_is_lost(&run), 0);
    run_close(&run);
}

static void a_later_step_is_never_dropped(void **state)
{
    struct run first = runenv_open("later"), second, third;
    char name[64], kept[128];

    (void)state;
    snprintf(name, sizeof(name), "verified-%s", first.nonce);
    runenv_state(&first, 500, NULL);
    keep(&first);
    /* Nobody watched the one that began anew. */
    runenv_state(&first, 10, NULL);
    second = runenv_open("later");
    keep(&second);
    assert_true(runenv_has(&first, name));
    assert_true(run_find_kept(&second, kept, sizeof(kept)));
    assert_string_equal(kept, name);
    runenv_state(&first, 600, NULL);
    third = runenv_open("later");
    keep(&third);
    assert_false(runenv_has(&first, name));
    snprintf(name, sizeof(name), "verified-%s", third.nonce);
    assert_true(run_find_kept(&third, kept, sizeof(kept)));
    assert_string_equal(kept, name);
    run_close(&first);
    run_close(&second);
    run_close(&third);
}

static void half_a_copy_is_no_copy(void **state)
{
    struct run run = runenv_open("half");
    char name[128];

    (void)state;
    runenv_state(&run, 7, NULL);
    snprintf(name, sizeof(name), "verified-%s.new", run.nonce);
    assert_int_equal(mkdirat(run.relayfd, name, 0700), 0);
    keep(&run);
    assert_false(runenv_has(&run, name));
    snprintf(name, sizeof(name), "verified-%s/resume_meta.json", run.nonce);
    assert_true(runenv_has(&run, name));
    run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_put_back_without_a_flag),
        cmocka_unit_test(a_lost_state_is_put_back_as_it_was),
        cmocka_unit_test(putting_back_goes_on_where_it_was_cut_off),
        cmocka_unit_test(another_job_puts_it_back),
        cmocka_unit_test(what_was_written_over_in_place_is_not_put_back),
        cmocka_unit_test(a_later_step_is_never_dropped),
        cmocka_unit_test(half_a_copy_is_no_copy),
    };

    return cmocka_run_group_tests(tests, runenv_setup, temp_teardown);
}
