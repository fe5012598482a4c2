#include "tempdir.h"

#include <sysexits.h>

#include "file.h"
#include "jsonfile.h"
#include "lease.h"

static int fresh_dir(const char *name)
{
    int fd;

    temp_mkdir(name);
    fd = file_open_dir(temp.fd, name, NULL);
    assert_true(fd >= 0);
    return fd;
}

static struct lease read_lease(int fd)
{
    struct lease lease;
    struct relay_error err = {0};

    if (lease_read(fd, &lease, &err) != 0)
        fail_msg("%s", err.text);
    return lease;
}

static const struct owner ada = {.cluster = "sherlock",
                                 .user = "ada",
                                 .job_id = "4711",
                                 .job_raw = "4711",
                                 .submit = 1700000000,
                                 .host = "n1",
                                 .pid = 12,
                                 .nonce = "aaaa"};

static void nobody_owns_an_empty_series(void **state)
{
    int fd = fresh_dir("empty");
    struct lease lease = read_lease(fd);

    (void)state;
    assert_int_equal(lease.kind, LEASE_NONE);
    assert_int_equal(lease.gen, 0);
    assert_int_equal(lease.step, -1);
    assert_false(lease_held(&lease));
    lease_free(&lease);
    close(fd);
}

static void a_claim_holds_until_its_release(void **state)
{
    int fd = fresh_dir("claim");
    struct json_object *extra = json_object_new_object();
    struct relay_error err = {0};
    struct lease lease;

    (void)state;
    json_add_str(extra, "doing", "moving");
    json_add_int(extra, "step", 1200);
    assert_int_equal(lease_link(fd, 0, "claim", 3, &ada, extra, &err), 1);
    assert_int_equal(lease_link(fd, 0, "claim", 3, &ada, extra, &err), 0);
    json_object_put(extra);
    lease = read_lease(fd);
    assert_int_equal(lease.kind, LEASE_CLAIM);
    assert_int_equal(lease.gen, 1);
    assert_int_equal(lease.term, 3);
    assert_int_equal(lease.step, 1200);
    assert_true(lease.moving);
    assert_true(lease_held(&lease));
    assert_string_equal(lease.owner.job_id, "4711");
    assert_string_equal(lease.owner.nonce, "aaaa");
    assert_int_equal(lease.owner.submit, 1700000000);
    lease_free(&lease);

    assert_int_equal(lease_link(fd, 1, "release", 3, &ada, NULL, &err), 1);
    lease = read_lease(fd);
    assert_int_equal(lease.kind, LEASE_RELEASE);
    assert_false(lease_held(&lease));
    assert_string_equal(lease.owner.job_id, "4711");
    lease_free(&lease);
    close(fd);
}

static void a_fence_names_where_it_moves(void **state)
{
    int fd = fresh_dir("fence");
    struct json_object *extra = json_tokener_parse(
        "{\"moved_to\": {\"cluster\": \"iris\", \"job_id\": \"9_1\"},"
        " \"why\": \"handoff\"}");
    struct relay_error err = {0};
    struct owner tool = {.cluster = "iris", .user = "ada", .nonce = "bbbb"};
    struct lease lease;

    (void)state;
    assert_int_equal(lease_link(fd, 0, "fence", 4, &tool, extra, &err), 1);
    json_object_put(extra);
    lease = read_lease(fd);
    assert_int_equal(lease.kind, LEASE_FENCE);
    assert_false(lease_held(&lease));
    assert_string_equal(lease.moved_to, "iris");
    assert_string_equal(lease.moved_job, "9_1");
    assert_string_equal(json_str(lease.body, "why", ""), "handoff");
    lease_free(&lease);
    close(fd);
}

/* The tool that reinstates is another than who holds it then. */
static void a_reinstate_gives_it_back(void **state)
{
    int fd = fresh_dir("reinstate");
    struct json_object *extra = json_tokener_parse("{\"nonce\": \"bbbb\"}");
    struct relay_error err = {0};
    struct lease lease;

    (void)state;
    assert_int_equal(lease_link(fd, 0, "reinstate", 1, &ada, extra, &err), 1);
    lease = read_lease(fd);
    assert_true(lease_held(&lease));
    assert_string_equal(lease.owner.nonce, "aaaa");
    assert_string_equal(json_str(lease.body, "nonce", ""), "bbbb");
    lease_free(&lease);
    assert_int_equal(lease_link(fd, 1, "reinstate", 1, NULL, extra, &err), 1);
    json_object_put(extra);
    lease = read_lease(fd);
    assert_int_equal(lease.kind, LEASE_REINSTATE);
    assert_false(lease_held(&lease));
    lease_free(&lease);
    close(fd);
}

static void every_kind_has_its_name(void **state)
{
    int fd = fresh_dir("kinds");
    int kind;

    (void)state;
    for (kind = LEASE_CLAIM; kind <= LEASE_REOPEN; kind++) {
        const char *name = lease_kind_name((enum lease_kind)kind);
        struct lease lease;

        assert_int_equal(lease_link(fd, kind - LEASE_CLAIM, name, 1, &ada,
                                    NULL, NULL), 1);
        lease = read_lease(fd);
        assert_int_equal(lease.kind, kind);
        assert_int_equal(lease_held(&lease),
                         kind == LEASE_CLAIM || kind == LEASE_REINSTATE);
        lease_free(&lease);
    }
    close(fd);
}

static void an_unknown_kind_is_an_error(void **state)
{
    int fd = fresh_dir("unknown");
    const char text[] = "{\"format\": 1, \"series\": \"run\", \"gen\": 1, "
                        "\"kind\": \"grab\"}";
    struct relay_error err = {0};
    struct lease lease;

    (void)state;
    assert_int_equal(lease_link(fd, 0, "grab", 1, &ada, NULL, &err), -1);
    assert_int_equal(err.code, EX_SOFTWARE);
    assert_int_equal(file_write(fd, "run.1", text, sizeof(text) - 1, 0600,
                                NULL), 0);
    assert_int_equal(lease_read(fd, &lease, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "grab"));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_owns_an_empty_series),
        cmocka_unit_test(a_claim_holds_until_its_release),
        cmocka_unit_test(a_fence_names_where_it_moves),
        cmocka_unit_test(a_reinstate_gives_it_back),
        cmocka_unit_test(every_kind_has_its_name),
        cmocka_unit_test(an_unknown_kind_is_an_error),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
