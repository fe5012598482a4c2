#define _GNU_SOURCE 1 /* statx */
#include "tempdir.h"

#include <time.h>

#include "savetime.h"

#define HASH "da39a3ee5e6b4b0d3255bfef95601890afd80709"

/* A file that is made now and was written last `after` seconds later. */
static void a_file(const char *name, double after)
{
    struct timespec times[2];
    char path[200];

    snprintf(path, sizeof(path), "root/%s", name);
    temp_text(path, "x");
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &times[1]), 0);
    times[1].tv_sec += (time_t)after;
    times[1].tv_nsec = (long)((after - (double)(time_t)after) * 1e9);
    times[0] = times[1];
    assert_int_equal(utimensat(temp.fd, path, times, 0), 0);
}

static bool has_births(void)
{
    struct statx st;

    return statx(temp.fd, "root", 0, STATX_BTIME, &st) == 0 &&
           (st.stx_mask & STATX_BTIME) != 0;
}

static void look(int64_t interval, struct savetime *save)
{
    struct run run = {.jobfd = -1, .hash = HASH};

    run.rootfd = openat(temp.fd, "root", O_RDONLY | O_DIRECTORY);
    run.relayfd = openat(temp.fd, "root/.relay/" HASH, O_RDONLY | O_DIRECTORY);
    savetime_look(&run, interval, save);
    close(run.rootfd);
    if (run.relayfd >= 0)
        close(run.relayfd);
}

static int begin(void **state)
{
    (void)state;
    if (faccessat(temp.fd, "root", F_OK, 0) == 0) {
        char path[600];

        snprintf(path, sizeof(path), "%s/root", temp.path);
        if (nftw(path, temp_remove, 16, FTW_DEPTH | FTW_PHYS) != 0)
            return -1;
    }
    return mkdirat(temp.fd, "root", 0700) == 0 &&
                   mkdirat(temp.fd, "root/" HASH, 0700) == 0
               ? 0
               : -1;
}

static void test_from_the_birth_of_the_first_file(void **state)
{
    struct savetime save;

    (void)state;
    if (!has_births())
        skip();
    a_file(HASH "/resume_state.pt", 20);
    a_file(HASH "/resume_meta.json", 22);
    look(300, &save);
    assert_int_equal(save.kind, SAVETIME_WHOLE);
    assert_int_equal(save.seen, 1);
    assert_true(save.seconds > 20.9 && save.seconds < 25);
}

static void test_files_that_are_written_in_place(void **state)
{
    struct savetime save;

    (void)state;
    /* Born an hour before, as far as the writes tell. */
    a_file(HASH "/resume_state.pt", 3600);
    a_file(HASH "/resume_meta.json", 3607);
    look(300, &save);
    assert_int_equal(save.kind, SAVETIME_AT_LEAST);
    assert_true(save.seconds > 5.9 && save.seconds < 9);
}

static void test_without_an_interval_nothing_is_said(void **state)
{
    struct savetime save;

    (void)state;
    a_file(HASH "/resume_state.pt", 20);
    a_file(HASH "/resume_meta.json", 22);
    look(0, &save);
    assert_int_equal(save.kind, SAVETIME_UNKNOWN);
    assert_int_equal(save.seen, 0);
}

static void test_no_state_is_nothing(void **state)
{
    struct savetime save;

    (void)state;
    look(300, &save);
    assert_int_equal(save.kind, SAVETIME_UNKNOWN);
}

/* What the training wrote once, at its start, is no part of a checkpoint. */
static void test_old_files_do_not_count(void **state)
{
    struct savetime save;

    (void)state;
    a_file(HASH "/config.json", 0);
    a_file(HASH "/resume_state.pt", 3600);
    a_file(HASH "/resume_meta.json", 3604);
    look(300, &save);
    assert_int_equal(save.kind, SAVETIME_AT_LEAST);
    assert_true(save.seconds > 2.9 && save.seconds < 6);
}

static void test_the_longest_of_what_is_kept(void **state)
{
    struct savetime save;

    (void)state;
    if (!has_births())
        skip();
    assert_int_equal(mkdirat(temp.fd, "root/.relay", 0700), 0);
    assert_int_equal(mkdirat(temp.fd, "root/.relay/" HASH, 0700), 0);
    assert_int_equal(mkdirat(temp.fd, "root/.relay/" HASH "/verified-1", 0700),
                     0);
    a_file(HASH "/resume_state.pt", 10);
    a_file(".relay/" HASH "/verified-1/resume_state.pt", 40);
    look(300, &save);
    assert_int_equal(save.seen, 2);
    assert_true(save.seconds > 38.9 && save.seconds < 43);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_from_the_birth_of_the_first_file, begin),
        cmocka_unit_test_setup(test_files_that_are_written_in_place, begin),
        cmocka_unit_test_setup(test_without_an_interval_nothing_is_said, begin),
        cmocka_unit_test_setup(test_no_state_is_nothing, begin),
        cmocka_unit_test_setup(test_old_files_do_not_count, begin),
        cmocka_unit_test_setup(test_the_longest_of_what_is_kept, begin),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
