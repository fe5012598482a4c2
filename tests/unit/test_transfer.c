#define _GNU_SOURCE 1
#include "tempdir.h"

#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sysexits.h>

#include "digest.h"
#include "file.h"
#include "manifest.h"
#include "peer.h"
#include "transfer.h"
#include "transfer_rsync.h"

static struct config_cluster clusters[] = {
    {.name = (char *)"iris"},
    {.name = (char *)"closed", .ssh = (char *)"127.0.0.254"},
};

static const struct config cfg = {.cluster = (char *)"iris",
                                  .clusters = clusters,
                                  .nclusters = 2};

static struct peer peer;
static char from[700], to[700], name[32];
static int said;

static const char *in_pair(const char *file)
{
    static char path[4][512];
    static int turn;

    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", name, file);
    return path[turn];
}

/* A fresh pair of directories for each test. */
static int pair(void **state)
{
    static int count;
    struct relay_error err = {0};

    (void)state;
    said = 0;
    snprintf(name, sizeof(name), "pair-%d", count++);
    temp_mkdir(name);
    temp_join(in_pair("from"), from, sizeof(from));
    temp_join(in_pair("to"), to, sizeof(to));
    assert_int_equal(mkdir(from, 0755), 0);
    assert_int_equal(mkdir(to, 0700), 0);
    return peer_open(&cfg, "iris", &peer, &err);
}

static void count_says(void *arg, const char *text)
{
    (void)arg;
    (void)text;
    said++;
}

static struct manifest manifest_at(const char *dir)
{
    struct manifest m = {0};
    struct relay_error err = {0};

    if (manifest_of_dir(temp.fd, in_pair(dir), 1, &m, &err) != 0)
        fail_msg("%s", err.text);
    return m;
}

static int pull(const struct manifest *files, struct relay_error *err)
{
    struct transfer t = {.peer = &peer,
                         .from = from,
                         .to = to,
                         .files = files,
                         .stall_s = 10,
                         .say = count_says};

    return transfer_pull(&t, NULL, err);
}

static void pull_well(const struct manifest *files)
{
    struct relay_error err = {0};

    if (pull(files, &err) != 0)
        fail_msg("%d: %s", err.code, err.text);
}

static void assert_same(const struct manifest *want)
{
    struct manifest have = manifest_at("to");
    char text[500] = "";

    assert_int_equal(manifest_diff(want, &have, text, sizeof(text)), 0);
    assert_int_equal(want->n, have.n);
    manifest_free(&have);
}

/* --- pull ---------------------------------------------------------------- */

static void odd_names_and_directories_are_copied(void **state)
{
    static const char *const files[] = {
        "resume_meta.json", "#hash",        ";semicolon",    "--delete",
        "a b",              "$(touch x)",   "it's",          "\"q\"",
        "caf\xc3\xa9",      "sub/deep/one", "sub/[x]*?",     ".hidden",
    };
    struct manifest want;
    size_t i;

    (void)state;
    temp_mkdir(in_pair("from/sub"));
    temp_mkdir(in_pair("from/sub/deep"));
    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[200];

        snprintf(path, sizeof(path), "from/%s", files[i]);
        temp_text(in_pair(path), files[i]);
    }
    want = manifest_at("from");
    assert_int_equal(want.n, sizeof(files) / sizeof(files[0]));
    pull_well(&want);
    assert_same(&want);
    assert_int_equal(said, 0);
    manifest_free(&want);
}

static void only_what_is_named_is_copied(void **state)
{
    struct manifest want = {0};
    struct manifest all;

    (void)state;
    temp_text(in_pair("from/wanted"), "1");
    temp_text(in_pair("from/other"), "2");
    temp_text(in_pair("to/mine"), "3");
    all = manifest_at("from");
    assert_int_equal(manifest_add(&want, all.files[1].path, all.files[1].size,
                                  all.files[1].mtime_ns, all.files[1].sha256,
                                  NULL), 0);
    pull_well(&want);
    assert_int_equal(faccessat(temp.fd, in_pair("to/wanted"), F_OK, 0), 0);
    assert_int_equal(faccessat(temp.fd, in_pair("to/mine"), F_OK, 0), 0);
    assert_int_not_equal(faccessat(temp.fd, in_pair("to/other"), F_OK, 0), 0);
    manifest_free(&want);
    manifest_free(&all);
}

static void set_mtime(const char *file, time_t sec)
{
    struct timespec times[2] = {{.tv_sec = sec}, {.tv_sec = sec}};

    assert_int_equal(utimensat(temp.fd, in_pair(file), times, 0), 0);
}

/* rsync's own quick check would pass over it. */
static void a_file_of_same_size_and_time_is_replaced(void **state)
{
    struct manifest want;

    (void)state;
    temp_text(in_pair("from/f"), "new bytes");
    temp_text(in_pair("to/f"), "old bytes");
    set_mtime("from/f", 1000000000);
    set_mtime("to/f", 1000000000);
    want = manifest_at("from");
    pull_well(&want);
    assert_same(&want);
    manifest_free(&want);
}

static void a_good_file_is_left_alone(void **state)
{
    struct manifest want;
    struct stat before, after;

    (void)state;
    temp_text(in_pair("from/f"), "bytes");
    want = manifest_at("from");
    pull_well(&want);
    assert_int_equal(fstatat(temp.fd, in_pair("to/f"), &before, 0), 0);
    pull_well(&want);
    assert_int_equal(fstatat(temp.fd, in_pair("to/f"), &after, 0), 0);
    assert_true(before.st_ino == after.st_ino);
    assert_true(before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
    manifest_free(&want);
}

static void fill(const char *file, size_t len, unsigned seed)
{
    char *bytes = malloc(len);
    size_t i;

    assert_non_null(bytes);
    for (i = 0; i < len; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (char)(seed >> 24);
    }
    temp_write(in_pair(file), bytes, len);
    free(bytes);
}

static void a_piece_is_gone_on_with(void **state)
{
    struct manifest want;
    struct stat before, after;

    (void)state;
    fill("from/big", 3000000, 1);
    fill("to/big", 1000000, 1); /* the same bytes, a third of them */
    want = manifest_at("from");
    assert_int_equal(fstatat(temp.fd, in_pair("to/big"), &before, 0), 0);
    pull_well(&want);
    assert_same(&want);
    assert_int_equal(fstatat(temp.fd, in_pair("to/big"), &after, 0), 0);
    assert_true(before.st_ino == after.st_ino); /* in place, not anew */
    manifest_free(&want);
}

static void a_piece_of_something_else_is_not_believed(void **state)
{
    struct manifest want;

    (void)state;
    fill("from/big", 3000000, 1);
    fill("to/big", 1000000, 2);
    want = manifest_at("from");
    pull_well(&want);
    assert_same(&want);
    manifest_free(&want);
}

static void what_a_killed_rsync_left_is_used_and_cleared(void **state)
{
    struct manifest want;

    (void)state;
    fill("from/big", 2000000, 1);
    fill("from/done", 1000, 3);
    fill("to/.big.Xy12Zz", 500000, 1);
    fill("to/.done.abcdef", 10, 3);
    fill("to/done", 1000, 3);
    fill("to/.mine.abcdef", 10, 4); /* of no file of ours */
    want = manifest_at("from");
    pull_well(&want);
    assert_int_not_equal(
        faccessat(temp.fd, in_pair("to/.big.Xy12Zz"), F_OK, 0), 0);
    assert_int_not_equal(
        faccessat(temp.fd, in_pair("to/.done.abcdef"), F_OK, 0), 0);
    assert_int_equal(faccessat(temp.fd, in_pair("to/.mine.abcdef"), F_OK, 0),
                     0);
    assert_int_equal(unlinkat(temp.fd, in_pair("to/.mine.abcdef"), 0), 0);
    assert_same(&want);
    manifest_free(&want);
}

static void a_file_that_vanished_is_an_error(void **state)
{
    struct manifest want;
    struct relay_error err = {0};

    (void)state;
    temp_text(in_pair("from/f"), "bytes");
    want = manifest_at("from");
    assert_int_equal(unlinkat(temp.fd, in_pair("from/f"), 0), 0);
    assert_int_equal(pull(&want, &err), -1);
    assert_int_equal(err.code, EX_IOERR);
    assert_int_equal(said, 0); /* not tried again */
    manifest_free(&want);
}

static void a_missing_source_directory_is_named(void **state)
{
    struct manifest want;
    struct relay_error err = {0};

    (void)state;
    temp_text(in_pair("from/f"), "bytes");
    want = manifest_at("from");
    temp_join(in_pair("from-not"), from, sizeof(from));
    assert_int_equal(pull(&want, &err), -1);
    assert_int_equal(err.code, EX_IOERR);
    assert_non_null(strstr(err.text, from));
    manifest_free(&want);
}

static void an_unreachable_peer_is_tried_until_the_wait_is_over(void **state)
{
    struct manifest want;
    struct relay_error err = {0};
    struct transfer t = {.peer = &peer, .from = from, .to = to,
                         .files = &want, .wait_s = 6, .say = count_says};

    (void)state;
    temp_text(in_pair("from/f"), "bytes");
    want = manifest_at("from");
    assert_int_equal(peer_open(&cfg, "closed", &peer, &err), 0);
    assert_int_equal(transfer_pull(&t, NULL, &err), -1);
    assert_int_equal(err.code, EX_TEMPFAIL);
    assert_true(said >= 1); /* how often, is a matter of speed */
    manifest_free(&want);
}

static void progress_ends_at_the_whole(void *arg, int64_t done, int64_t total)
{
    int64_t *last = arg;

    assert_true(done >= 0 && done <= total);
    *last = done;
}

static void progress_is_told(void **state)
{
    struct manifest want;
    struct relay_error err = {0};
    int64_t last = -1;
    struct transfer t = {.peer = &peer, .from = from, .to = to,
                         .files = &want, .arg = &last,
                         .progress = progress_ends_at_the_whole};

    (void)state;
    fill("from/big", 100000, 1);
    want = manifest_at("from");
    assert_int_equal(transfer_pull(&t, NULL, &err), 0);
    assert_int_equal(last, 100000);
    manifest_free(&want);
}

/* --- push ---------------------------------------------------------------- */

static void a_push_makes_its_directory(void **state)
{
    struct manifest want;
    struct relay_error err = {0};
    struct transfer t = {.peer = &peer, .from = from, .to = to,
                         .files = &want, .stall_s = 10};

    (void)state;
    fill("from/big", 100000, 1);
    temp_text(in_pair("from/small"), "x");
    want = manifest_at("from");
    assert_int_equal(rmdir(to), 0);
    if (transfer_push(&t, &err) != 0)
        fail_msg("%s", err.text);
    assert_same(&want);
    manifest_free(&want);
}

/* --- room ---------------------------------------------------------------- */

static void room_is_found_and_nothing_is_left(void **state)
{
    struct relay_error err = {0};
    struct manifest left;

    (void)state;
    if (transfer_room(temp.fd, temp.path, 1000000, 10, &err) != 0)
        fail_msg("%s", err.text);
    left = manifest_at(".");
    assert_int_equal(left.n, 0);
    manifest_free(&left);
}

static void too_little_room_is_refused(void **state)
{
    struct statvfs fs;
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(fstatvfs(temp.fd, &fs), 0);
    assert_int_equal(transfer_room(temp.fd, "here",
                                   (int64_t)fs.f_bavail *
                                       (int64_t)fs.f_frsize, 1, &err), -1);
    assert_int_equal(err.code, EX_CANTCREAT);
    assert_non_null(strstr(err.text, "not enough room"));
}

/* A small file system; skipped where none can be mounted. */
static void a_full_file_system_is_told_apart(void **state)
{
    struct relay_error full = {0}, inodes = {0};
    struct manifest want;
    int fd;
    int full_rc, inodes_rc;

    (void)state;
    if (mount("none", to, "tmpfs", 0, "size=20m,nr_inodes=20") != 0)
        skip();
    fill("from/big", 22000000, 1);
    want = manifest_at("from");
    full_rc = pull(&want, &full);
    unlinkat(temp.fd, in_pair("to/big"), 0);
    fd = file_open_dir(AT_FDCWD, to, NULL);
    inodes_rc = transfer_room(fd, to, 1000, 30, &inodes);
    close(fd);
    manifest_free(&want);
    assert_int_equal(umount(to), 0);
    assert_int_equal(full_rc, -1);
    assert_int_equal(full.code, EX_CANTCREAT);
    assert_int_equal(said, 0);
    assert_int_equal(inodes_rc, -1);
    assert_int_equal(inodes.code, EX_CANTCREAT);
    assert_non_null(strstr(inodes.text, "inodes"));
}

static void temporary_names_are_known(void **state)
{
    char of[100];

    (void)state;
    assert_true(rsync_temp_name(".a.b.Xy12Zz", of, sizeof(of)));
    assert_string_equal(of, "a.b");
    assert_false(rsync_temp_name("a.Xy12Zz", of, sizeof(of)));
    assert_false(rsync_temp_name(".Xy12Zz", of, sizeof(of)));
    assert_false(rsync_temp_name("..Xy12Zz", of, sizeof(of)));
    assert_false(rsync_temp_name(".a.Xy12Z-", of, sizeof(of)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(odd_names_and_directories_are_copied, pair),
        cmocka_unit_test_setup(only_what_is_named_is_copied, pair),
        cmocka_unit_test_setup(a_file_of_same_size_and_time_is_replaced, pair),
        cmocka_unit_test_setup(a_good_file_is_left_alone, pair),
        cmocka_unit_test_setup(a_piece_is_gone_on_with, pair),
        cmocka_unit_test_setup(a_piece_of_something_else_is_not_believed,
                               pair),
        cmocka_unit_test_setup(what_a_killed_rsync_left_is_used_and_cleared,
                               pair),
        cmocka_unit_test_setup(a_file_that_vanished_is_an_error, pair),
        cmocka_unit_test_setup(a_missing_source_directory_is_named, pair),
        cmocka_unit_test_setup(
            an_unreachable_peer_is_tried_until_the_wait_is_over, pair),
        cmocka_unit_test_setup(progress_is_told, pair),
        cmocka_unit_test_setup(a_push_makes_its_directory, pair),
        cmocka_unit_test_setup(room_is_found_and_nothing_is_left, pair),
        cmocka_unit_test_setup(too_little_room_is_refused, pair),
        cmocka_unit_test_setup(a_full_file_system_is_told_apart, pair),
        cmocka_unit_test(temporary_names_are_known),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
