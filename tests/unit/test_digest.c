#include "tempdir.h"

#include <sysexits.h>

#include "digest.h"

static void key_is_sha1_of_its_bytes(void **state)
{
    char hash[41];

    (void)state;
    /* printf %s lab/robots/idql-seed-1 | sha1sum */
    assert_int_equal(digest_key("lab/robots/idql-seed-1", hash, NULL), 0);
    assert_string_equal(hash, "ac636daaeb8b3f1e60e96d203b1344e1a65e1ab0");
    assert_int_equal(
        digest_key("ABCDEF0123456789abcdef0123456789ABCDEF01", hash, NULL), 0);
    assert_string_equal(hash, "abcdef0123456789abcdef0123456789abcdef01");
}

static int count(void *arg, uint64_t done)
{
    *(uint64_t *)arg = done;
    return 0;
}

static int refuse(void *arg, uint64_t done)
{
    (void)arg;
    (void)done;
    return 1;
}

static void file_is_sha256_of_its_bytes(void **state)
{
    struct relay_error err = {0};
    char hex[DIGEST_HEX];

    (void)state;
    temp_text("abc", "abc");
    assert_int_equal(digest_file(temp.fd, "abc", hex, NULL, NULL, &err), 0);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9c"
                             "b410ff61f20015ad");
    temp_text("none", "");
    assert_int_equal(digest_file(temp.fd, "none", hex, NULL, NULL, &err), 0);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934c"
                             "a495991b7852b855");
}

static void ticks_on_large_files(void **state)
{
    struct relay_error err = {0};
    char hex[DIGEST_HEX];
    uint64_t done = 0;
    int fd = openat(temp.fd, "sparse", O_WRONLY | O_CREAT, 0600);

    (void)state;
    assert_int_equal(ftruncate(fd, 130 << 20), 0);
    close(fd);
    assert_int_equal(digest_file(temp.fd, "sparse", hex, count, &done, &err),
                     0);
    assert_int_equal(done, 128 << 20);
    assert_int_equal(digest_file(temp.fd, "sparse", hex, refuse, NULL, &err),
                     -1);
    assert_int_equal(err.code, EX_TEMPFAIL);
}

static void refuses_what_is_no_file(void **state)
{
    struct relay_error err = {0};
    char hex[DIGEST_HEX];

    (void)state;
    assert_int_equal(digest_file(temp.fd, "gone", hex, NULL, NULL, &err), -1);
    assert_int_equal(err.code, EX_NOINPUT);
    temp_text("target", "x");
    assert_int_equal(symlinkat("target", temp.fd, "link"), 0);
    assert_int_equal(digest_file(temp.fd, "link", hex, NULL, NULL, &err), -1);
    assert_int_equal(err.code, EX_IOERR);
    assert_int_equal(mkfifoat(temp.fd, "fifo", 0600), 0);
    assert_int_equal(digest_file(temp.fd, "fifo", hex, NULL, NULL, &err), -1);
    assert_int_equal(err.code, EX_IOERR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_is_sha1_of_its_bytes),
        cmocka_unit_test(file_is_sha256_of_its_bytes),
        cmocka_unit_test(ticks_on_large_files),
        cmocka_unit_test(refuses_what_is_no_file),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
