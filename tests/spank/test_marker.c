/* The marker: written whole, read back, replaced, removed. */
#include "tempdir.h"

#include <errno.h>
#include <sysexits.h>

#include "marker.h"

static char rundir[600];
static int fd = -1;

static int setup(void **state)
{
    if (temp_setup(state) != 0)
        return -1;
    temp_join("run", rundir, sizeof(rundir));
    fd = marker_open_rundir(rundir, true, NULL);
    return fd >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
    close(fd);
    return temp_teardown(state);
}

static struct marker sample(uint32_t jobid)
{
    struct marker m = {.uid = getuid(), .gid = getgid(), .jobid = jobid};

    snprintf(m.node, sizeof(m.node), "iris-n1");
    snprintf(m.start, sizeof(m.start), "1732270000");
    assert_int_equal(options_set(&m.options, OPTION_RESUME_KEY,
                                 "lab/robots/a=b c-1", NULL), 0);
    assert_int_equal(options_set(&m.options, OPTION_HANDOFF_FROM,
                                 "sherlock:47", NULL), 0);
    return m;
}

static void what_is_written_is_read(void **state)
{
    struct marker out = sample(1), in;
    struct relay_error err = {0};
    char name[MARKER_NAME_MAX], aside[MARKER_NAME_MAX];
    struct stat st;

    (void)state;
    assert_int_equal(marker_write(fd, &out, false, aside, &err), 0);
    assert_string_equal(aside, "");
    assert_int_equal(strspn(out.nonce, "0123456789abcdef"), 32);
    assert_int_equal(marker_name(1, "iris-n1", name, &err), 0);
    assert_string_equal(name, "1.iris-n1");
    assert_int_equal(marker_read(fd, name, &in, &err), 1);
    assert_int_equal(in.uid, getuid());
    assert_int_equal(in.gid, getgid());
    assert_int_equal(in.jobid, 1);
    assert_string_equal(in.node, "iris-n1");
    assert_string_equal(in.nonce, out.nonce);
    assert_string_equal(in.start, "1732270000");
    assert_string_equal(in.refused, "");
    assert_string_equal(in.options.value[OPTION_RESUME_KEY],
                        "lab/robots/a=b c-1");
    assert_string_equal(in.options.value[OPTION_HANDOFF_FROM],
                        "sherlock:47");
    assert_int_equal(fstatat(fd, "1.iris-n1/user", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(st.st_uid, getuid());
    assert_int_equal(fstatat(fd, "1.iris-n1/marker", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(fstatat(fd, "1.iris-n1", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
}

static void the_reason_of_a_refusal_is_kept(void **state)
{
    struct marker out = {.uid = getuid(), .gid = getgid(), .jobid = 2}, in;
    char aside[MARKER_NAME_MAX];

    (void)state;
    snprintf(out.node, sizeof(out.node), "iris-n1");
    snprintf(out.refused, sizeof(out.refused), "--resume-key is bad");
    assert_int_equal(marker_write(fd, &out, false, aside, NULL), 0);
    assert_int_equal(marker_read(fd, "2.iris-n1", &in, NULL), 1);
    assert_string_equal(in.refused, "--resume-key is bad");
    assert_false(options_given(&in.options));
}

static void the_first_writer_has_the_name(void **state)
{
    struct marker first = sample(3), second = sample(3), in;
    char aside[MARKER_NAME_MAX];

    (void)state;
    assert_int_equal(marker_write(fd, &first, false, aside, NULL), 0);
    assert_int_equal(marker_write(fd, &second, false, aside, NULL), 1);
    assert_string_not_equal(first.nonce, second.nonce);
    assert_int_equal(marker_read(fd, "3.iris-n1", &in, NULL), 1);
    assert_string_equal(in.nonce, first.nonce);
    /* What the second one had prepared is gone. */
    snprintf(aside, sizeof(aside), ".new-%s", second.nonce);
    assert_int_equal(faccessat(fd, aside, F_OK, 0), -1);
}

static void a_requeued_job_replaces_it(void **state)
{
    struct marker first = sample(4), second = sample(4), in;
    char aside[MARKER_NAME_MAX], name[600];

    (void)state;
    assert_int_equal(marker_write(fd, &first, true, aside, NULL), 0);
    assert_string_equal(aside, "");
    temp_text("run/4.iris-n1/user/verdict", "0\n");
    assert_int_equal(marker_write(fd, &second, true, aside, NULL), 0);
    assert_string_not_equal(aside, "");
    assert_int_equal(marker_read(fd, "4.iris-n1", &in, NULL), 1);
    assert_string_equal(in.nonce, second.nonce);
    assert_int_equal(faccessat(fd, "4.iris-n1/user/verdict", F_OK, 0), -1);
    snprintf(name, sizeof(name), "%s/user/verdict", aside);
    assert_int_equal(faccessat(fd, name, F_OK, 0), 0);
    assert_int_equal(marker_read(fd, aside, &in, NULL), 1);
    assert_string_equal(in.nonce, first.nonce);
}

static void removed_when_the_user_left_nothing(void **state)
{
    struct marker m = sample(5);
    char aside[MARKER_NAME_MAX];

    (void)state;
    assert_int_equal(marker_write(fd, &m, false, aside, NULL), 0);
    temp_mkdir("run/5.iris-n1/user/deep");
    temp_text("run/5.iris-n1/user/deep/file", "x");
    temp_text("keep", "x");
    assert_int_equal(symlinkat("../../../keep", fd, "5.iris-n1/user/link"),
                     0);
    assert_int_equal(marker_remove(fd, "5.iris-n1", NULL), -1);
    assert_int_equal(faccessat(fd, "5.iris-n1/marker", F_OK, 0), 0);
    assert_int_equal(marker_empty_user(rundir, "5.iris-n1", NULL), 0);
    assert_int_equal(marker_remove(fd, "5.iris-n1", NULL), 0);
    assert_int_equal(faccessat(fd, "5.iris-n1", F_OK, 0), -1);
    assert_int_equal(faccessat(temp.fd, "keep", F_OK, 0), 0);
}

static void a_missing_one_is_not_an_error(void **state)
{
    struct marker in;
    int status;

    (void)state;
    assert_int_equal(marker_read(fd, "99.iris-n1", &in, NULL), 0);
    assert_int_equal(marker_read_status(fd, "99.iris-n1", &status), 0);
}

static void damaged_ones_are_refused(void **state)
{
    static const char good[] = "relay-marker 1\nuid=1\ngid=1\njobid=6\n"
                               "node=iris-n1\n"
                               "nonce=0123456789abcdef0123456789abcdef\n";
    static const char *const cases[] = {
        "",
        "relay-marker 2\n",
        "relay-marker 1\n",
        "relay-marker 1\nuid=1\ngid=1\njobid=6\nnode=iris-n1\n",
        "relay-marker 1\nuid=\ngid=1\njobid=6\nnode=iris-n1\n"
        "nonce=0123456789abcdef0123456789abcdef\n",
        "relay-marker 1\nuid=-1\ngid=1\njobid=6\nnode=iris-n1\n"
        "nonce=0123456789abcdef0123456789abcdef\n",
        "relay-marker 1\nuid=4294967296\ngid=1\njobid=6\nnode=iris-n1\n"
        "nonce=0123456789abcdef0123456789abcdef\n",
        "relay-marker 1\nuid=1\ngid=1\njobid=7\nnode=iris-n1\n"
        "nonce=0123456789abcdef0123456789abcdef\n",
        "relay-marker 1\nuid=1\ngid=1\njobid=6\nnode=../x\n"
        "nonce=0123456789abcdef0123456789abcdef\n",
        "relay-marker 1\nuid=1\ngid=1\njobid=6\nnode=iris-n1\n"
        "nonce=0123456789abcdef0123456789abcdef\nresume_key=../../etc\n",
        "relay-marker 1\nuid=1\ngid=1\njobid=6\nnode=iris-n1\n"
        "nonce=0123456789abcdef0123456789abcdef\nno line",
    };
    struct marker in;
    size_t i;

    (void)state;
    temp_mkdir("run/6.iris-n1");
    temp_text("run/6.iris-n1/marker", good);
    assert_int_equal(marker_read(fd, "6.iris-n1", &in, NULL), 1);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct relay_error err = {0};

        temp_text("run/6.iris-n1/marker", cases[i]);
        if (marker_read(fd, "6.iris-n1", &in, &err) != -1)
            fail_msg("taken: %s", cases[i]);
        assert_non_null(strstr(err.text, "6.iris-n1"));
    }
    /* A line of a later version is skipped. */
    temp_write("run/6.iris-n1/marker", good, strlen(good));
    temp_text("run/6.iris-n1/marker",
              "relay-marker 1\nuid=1\ngid=1\njobid=6\nnode=iris-n1\n"
              "nonce=0123456789abcdef0123456789abcdef\nwhat_comes=x\n");
    assert_int_equal(marker_read(fd, "6.iris-n1", &in, NULL), 1);
}

static void a_cell_comes_back(void **state)
{
    struct marker out = sample(10), in;
    char aside[MARKER_NAME_MAX];

    (void)state;
    out.options = (struct relay_options){0};
    assert_int_equal(options_set(&out.options, OPTION_SWEEP_CELL,
                                 "/a b/bpe=1.sweep:%a", NULL), 0);
    assert_int_equal(marker_write(fd, &out, false, aside, NULL), 0);
    assert_int_equal(marker_read(fd, "10.iris-n1", &in, NULL), 1);
    assert_string_equal(in.options.value[OPTION_SWEEP_CELL],
                        "/a b/bpe=1.sweep:%a");
    assert_string_equal(in.options.value[OPTION_RESUME_KEY], "");
}

/* As a version wrote it that had no such option. */
static void an_older_marker_has_no_cell(void **state)
{
    struct marker in;

    (void)state;
    temp_mkdir("run/11.iris-n1");
    temp_text("run/11.iris-n1/marker",
              "relay-marker 1\nuid=1\ngid=1\njobid=11\nnode=iris-n1\n"
              "nonce=0123456789abcdef0123456789abcdef\nstart=\nrefused=\n"
              "resume_key=a/b/c\nhandoff_from=\n");
    assert_int_equal(marker_read(fd, "11.iris-n1", &in, NULL), 1);
    assert_string_equal(in.options.value[OPTION_RESUME_KEY], "a/b/c");
    assert_string_equal(in.options.value[OPTION_SWEEP_CELL], "");
}

static void a_link_is_not_followed(void **state)
{
    struct marker m = sample(7), in;
    char aside[MARKER_NAME_MAX];

    (void)state;
    assert_int_equal(marker_write(fd, &m, false, aside, NULL), 0);
    assert_int_equal(symlinkat("7.iris-n1", fd, "8.iris-n1"), 0);
    assert_int_equal(marker_read(fd, "8.iris-n1", &in, NULL), -1);
}

static void the_status_comes_back(void **state)
{
    struct marker m = sample(9);
    char aside[MARKER_NAME_MAX];
    int status = -1;

    (void)state;
    assert_int_equal(marker_write(fd, &m, false, aside, NULL), 0);
    assert_int_equal(marker_read_status(fd, "9.iris-n1", &status), 0);
    assert_int_equal(marker_write_status(fd, "9.iris-n1", 0x300, NULL), 0);
    assert_int_equal(marker_read_status(fd, "9.iris-n1", &status), 1);
    assert_int_equal(status, 0x300);
    assert_int_equal(marker_write_status(fd, "9.iris-n1", 15, NULL), 0);
    assert_int_equal(marker_read_status(fd, "9.iris-n1", &status), 1);
    assert_int_equal(status, 15);
}

static void no_node_name_no_marker(void **state)
{
    char name[MARKER_NAME_MAX];

    (void)state;
    assert_int_equal(marker_name(1, NULL, name, NULL), -1);
    assert_int_equal(marker_name(1, "", name, NULL), -1);
    assert_int_equal(marker_name(1, "../x", name, NULL), -1);
}

static void a_rundir_of_others_is_refused(void **state)
{
    char path[600];
    struct relay_error err = {0};

    (void)state;
    temp_mkdir("open");
    assert_int_equal(fchmodat(temp.fd, "open", 0777, 0), 0);
    temp_join("open", path, sizeof(path));
    assert_int_equal(marker_open_rundir(path, true, &err), -1);
    assert_int_equal(err.code, EX_CONFIG);
    assert_int_equal(symlinkat("run", temp.fd, "link"), 0);
    temp_join("link", path, sizeof(path));
    assert_int_equal(marker_open_rundir(path, true, &err), -1);
    temp_join("missing", path, sizeof(path));
    assert_int_equal(marker_open_rundir(path, false, &err), -1);
    assert_int_equal(err.code, EX_NOINPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_reason_of_a_refusal_is_kept),
        cmocka_unit_test(the_first_writer_has_the_name),
        cmocka_unit_test(a_requeued_job_replaces_it),
        cmocka_unit_test(removed_when_the_user_left_nothing),
        cmocka_unit_test(a_missing_one_is_not_an_error),
        cmocka_unit_test(damaged_ones_are_refused),
        cmocka_unit_test(a_cell_comes_back),
        cmocka_unit_test(an_older_marker_has_no_cell),
        cmocka_unit_test(a_link_is_not_followed),
        cmocka_unit_test(the_status_comes_back),
        cmocka_unit_test(no_node_name_no_marker),
        cmocka_unit_test(a_rundir_of_others_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
