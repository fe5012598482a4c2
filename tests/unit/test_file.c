#include "tempdir.h"

#include <dirent.h>
#include <sysexits.h>

#include "file.h"

static bool exists(const char *name)
{
    struct stat st;

    return fstatat(temp.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static ino_t inode(const char *name)
{
    struct stat st;

    assert_int_equal(fstatat(temp.fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st.st_ino;
}

static void assert_holds(const char *name, const char *text)
{
    struct relay_error err = {0};
    char *data = file_read(temp.fd, name, 1000, NULL, &err);

    assert_non_null(data);
    assert_string_equal(data, text);
    free(data);
}

static size_t count_entries(const char *pattern)
{
    char cmd[600];
    size_t n = 0;
    DIR *dir = opendir(temp_join("", cmd, sizeof(cmd)));
    struct dirent *d;

    assert_non_null(dir);
    while ((d = readdir(dir)) != NULL)
        n += strncmp(d->d_name, pattern, strlen(pattern)) == 0;
    closedir(dir);
    return n;
}

static void reads_all_bytes(void **state)
{
    struct relay_error err = {0};
    size_t len = 0;
    char *data;

    (void)state;
    temp_write("bytes", "a\0b\n", 4);
    data = file_read(temp.fd, "bytes", 4, &len, &err);
    assert_non_null(data);
    assert_int_equal(len, 4);
    assert_memory_equal(data, "a\0b\n", 5);
    free(data);
    temp_text("empty", "");
    data = file_read(temp.fd, "empty", 10, &len, &err);
    assert_non_null(data);
    assert_int_equal(len, 0);
    free(data);
}

static void reads_a_file_of_proc(void **state)
{
    struct relay_error err = {0};
    size_t len = 0;
    char *data = file_read(AT_FDCWD, "/proc/self/stat", 100000, &len, &err);

    (void)state;
    assert_non_null(data); /* its size is said to be 0 */
    assert_true(len > 20);
    free(data);
}

static void refuses_what_is_no_file(void **state)
{
    struct relay_error err = {0};

    (void)state;
    assert_null(file_read(temp.fd, "missing", 10, NULL, &err));
    assert_int_equal(err.code, EX_NOINPUT);
    assert_non_null(strstr(err.text, temp.path));
    temp_text("large", "12345");
    assert_null(file_read(temp.fd, "large", 4, NULL, &err));
    assert_int_equal(err.code, EX_IOERR);
    assert_int_equal(symlinkat("large", temp.fd, "link"), 0);
    assert_null(file_read(temp.fd, "link", 10, NULL, &err));
    assert_int_equal(err.code, EX_IOERR);
    assert_int_equal(mkfifoat(temp.fd, "fifo", 0600), 0);
    assert_null(file_read(temp.fd, "fifo", 10, NULL, &err));
    assert_int_equal(err.code, EX_IOERR);
    temp_mkdir("folder");
    assert_null(file_read(temp.fd, "folder", 10, NULL, &err));
    assert_int_equal(err.code, EX_IOERR);
}

static void writes_by_replacing(void **state)
{
    struct relay_error err = {0};
    struct stat st;
    ino_t before;

    (void)state;
    assert_int_equal(file_write(temp.fd, "out", "one", 3, 0600, &err), 0);
    assert_holds("out", "one");
    before = inode("out");
    assert_int_equal(file_write(temp.fd, "out", "two!", 4, 0640, &err), 0);
    assert_holds("out", "two!");
    assert_true(inode("out") != before);
    assert_int_equal(fstatat(temp.fd, "out", &st, 0), 0);
    assert_int_equal(st.st_mode & 0707, 0600);
    assert_int_equal(count_entries(".tmp-"), 0);
}

static void write_replaces_a_link_not_its_target(void **state)
{
    struct relay_error err = {0};

    (void)state;
    temp_text("precious", "keep");
    assert_int_equal(symlinkat("precious", temp.fd, "sly"), 0);
    assert_int_equal(file_write(temp.fd, "sly", "new", 3, 0600, &err), 0);
    assert_holds("precious", "keep");
    assert_holds("sly", "new");
}

static void failed_write_leaves_nothing(void **state)
{
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(file_write(temp.fd, "no/such/dir", "x", 1, 0600, &err),
                     -1);
    assert_int_equal(err.code, EX_CANTCREAT);
    temp_mkdir("occupied");
    assert_int_equal(file_write(temp.fd, "occupied", "x", 1, 0600, &err), -1);
    assert_int_equal(count_entries(".tmp-"), 0);
}

static void appends_lines(void **state)
{
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(file_append_line(temp.fd, "log", "one", &err), 0);
    assert_int_equal(file_append_line(temp.fd, "log", "", &err), 0);
    assert_int_equal(file_append_line(temp.fd, "log", "two", &err), 0);
    assert_holds("log", "one\n\ntwo\n");
    temp_text("torn", "whole\nhal");
    assert_int_equal(file_append_line(temp.fd, "torn", "next", &err), 0);
    assert_holds("torn", "whole\nhal\nnext\n");
}

static void makes_directories(void **state)
{
    struct relay_error err = {0};
    char path[600];
    struct stat st;

    (void)state;
    temp_join("d1/d2//d3/", path, sizeof(path));
    assert_int_equal(file_make_dirs(path, 0750, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(file_make_dirs(path, 0750, &err), 0);
    assert_int_equal(file_make_dirs("/", 0750, &err), 0);
    temp_text("plain", "");
    temp_join("plain/below", path, sizeof(path));
    assert_int_equal(file_make_dirs(path, 0750, &err), -1);
    assert_int_equal(err.code, EX_CANTCREAT);
    temp_join("plain", path, sizeof(path));
    assert_int_equal(file_make_dirs(path, 0750, &err), -1);
    assert_int_equal(file_make_dirs("/dev/null/moved-to-iris", 0750, &err),
                     -1);
    assert_int_equal(file_make_dirs("", 0750, &err), -1);
}

static void open_dir_follows_no_link(void **state)
{
    struct relay_error err = {0};
    int fd;

    (void)state;
    temp_mkdir("real");
    assert_int_equal(symlinkat("real", temp.fd, "alias"), 0);
    fd = file_open_dir(temp.fd, "real", &err);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(file_open_dir(temp.fd, "alias", &err), -1);
    assert_int_equal(file_open_dir(temp.fd, "nowhere", &err), -1);
    assert_int_equal(err.code, EX_NOINPUT);
}

static void removes_a_tree_but_not_beyond_it(void **state)
{
    struct relay_error err = {0};

    (void)state;
    temp_mkdir("outside");
    temp_text("outside/keep", "me");
    temp_mkdir("tree");
    temp_mkdir("tree/sub");
    temp_text("tree/sub/file", "x");
    assert_int_equal(symlinkat("../outside", temp.fd, "tree/link"), 0);
    assert_int_equal(fchmodat(temp.fd, "tree/sub", 0500, 0), 0);
    assert_int_equal(file_sync_tree(temp.fd, "tree", &err), 0);
    assert_int_equal(file_remove_tree(temp.fd, "tree", &err), 0);
    assert_false(exists("tree"));
    assert_holds("outside/keep", "me");
    assert_int_equal(file_remove_tree(temp.fd, "tree", &err), 0);
    assert_int_equal(symlinkat("outside", temp.fd, "pointer"), 0);
    assert_int_equal(file_remove_tree(temp.fd, "pointer", &err), 0);
    assert_false(exists("pointer"));
    assert_holds("outside/keep", "me");
}

static void clones_by_hard_links(void **state)
{
    struct relay_error err = {0};

    (void)state;
    temp_mkdir("state");
    temp_mkdir("state/sub");
    temp_text("state/a", "A");
    temp_text("state/sub/b", "B");
    assert_int_equal(mkfifoat(temp.fd, "state/fifo", 0600), 0);
    assert_int_equal(file_clone_tree(temp.fd, "state", "snap", &err), 0);
    assert_int_equal(inode("snap/a"), inode("state/a"));
    assert_holds("snap/sub/b", "B");
    assert_false(exists("snap/fifo"));
    /* A second one must not mix with the first. */
    assert_int_equal(file_clone_tree(temp.fd, "state", "snap", &err), -1);
    assert_int_equal(err.code, EX_CANTCREAT);
    assert_holds("snap/a", "A");
    assert_int_equal(file_clone_tree(temp.fd, "missing", "snap2", &err), -1);
    assert_false(exists("snap2"));
}

static void exchanges_and_renames(void **state)
{
    struct relay_error err = {0};
    bool exchanged = false;

    (void)state;
    temp_mkdir("live");
    temp_text("live/f", "old");
    temp_mkdir("staged");
    temp_text("staged/f", "new");
    assert_int_equal(
        file_exchange(temp.fd, "live", "staged", &exchanged, &err), 0);
    assert_holds(exchanged ? "live/f" : "staged/f", "new");
    assert_holds(exchanged ? "staged/f" : "live/f", "old");
    assert_int_equal(
        file_exchange(temp.fd, "live", "absent", &exchanged, &err), -1);
    assert_int_equal(file_rename(temp.fd, "live", "moved", &err), 0);
    assert_false(exists("live"));
    assert_true(exists("moved/f"));
    assert_int_equal(file_rename(temp.fd, "live", "moved", &err), -1);
}

static void nonces_differ(void **state)
{
    char a[33], b[33];

    (void)state;
    assert_int_equal(file_nonce(a, NULL), 0);
    assert_int_equal(file_nonce(b, NULL), 0);
    assert_int_equal(strspn(a, "0123456789abcdef"), 32);
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_all_bytes),
        cmocka_unit_test(reads_a_file_of_proc),
        cmocka_unit_test(refuses_what_is_no_file),
        cmocka_unit_test(writes_by_replacing),
        cmocka_unit_test(write_replaces_a_link_not_its_target),
        cmocka_unit_test(failed_write_leaves_nothing),
        cmocka_unit_test(appends_lines),
        cmocka_unit_test(makes_directories),
        cmocka_unit_test(open_dir_follows_no_link),
        cmocka_unit_test(removes_a_tree_but_not_beyond_it),
        cmocka_unit_test(clones_by_hard_links),
        cmocka_unit_test(exchanges_and_renames),
        cmocka_unit_test(nonces_differ),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
