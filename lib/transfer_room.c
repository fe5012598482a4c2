#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "transfer.h"

#define SPARE_BYTES (16 * 1024 * 1024)
#define SPARE_FILES 16
#define MIB (1024 * 1024)

static int check_statvfs(int fd, const char *dir, int64_t bytes,
                         int64_t files, struct relay_error *err)
{
    int64_t need = bytes + bytes / 20 + SPARE_BYTES;
    struct statvfs fs;
    int64_t room;

    if (fstatvfs(fd, &fs) != 0)
        return relay_fail_errno(err, EX_CANTCREAT, "%s: no file system "
                                "information", dir);
    room = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    if (room < need)
        return relay_fail(err, EX_CANTCREAT,
                          "not enough room on the file system of %s: %lld MiB "
                          "are needed, %lld MiB are free", dir,
                          (long long)(need / MIB + 1), (long long)room / MIB);
    /* Some file systems have no fixed number of inodes and say 0. */
    if (fs.f_files > 0 && (int64_t)fs.f_favail < files + SPARE_FILES)
        return relay_fail(err, EX_CANTCREAT,
                          "not enough inodes on the file system of %s: %lld "
                          "are needed, %lld are free", dir,
                          (long long)(files + SPARE_FILES),
                          (long long)fs.f_favail);
    return 0;
}

/* A quota shows only when the blocks are asked for. fallocate and not
 * posix_fallocate, which writes every block where a file system (NFSv3) has
 * no such call: there, nothing is learnt. */
static int check_quota(int fd, const char *dir, int64_t bytes,
                       struct relay_error *err)
{
    int file;
    int rc = 0;

    if (bytes <= 0)
        return 0;
    file = openat(fd, "room", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return relay_fail_errno(err, EX_CANTCREAT, "cannot write in %s", dir);
    while (rc == 0 && fallocate(file, 0, 0, (off_t)bytes) != 0) {
        if (errno == EOPNOTSUPP || errno == ENOSYS)
            break;
        if (errno != EINTR)
            rc = relay_fail_errno(err, EX_CANTCREAT,
                                  "cannot have %lld MiB in %s",
                                  (long long)(bytes / MIB + 1), dir);
    }
    close(file);
    if (unlinkat(fd, "room", 0) != 0 && rc == 0)
        rc = relay_fail_errno(err, EX_CANTCREAT, "cannot remove a file in %s",
                              dir);
    return rc;
}

/* What publishing needs: write, link, rename; an exchange of two names is
 * tried, but a file system without it is fine. */
static int check_calls(int fd, const char *dir, struct relay_error *err)
{
    struct stat st;
    bool exchanged;

    if (file_write(fd, "a", "probe\n", 6, 0600, err) != 0)
        return relay_fail_in(err, "%s", dir);
    if (linkat(fd, "a", fd, "b", 0) != 0)
        return relay_fail_errno(err, EX_CANTCREAT,
                                "%s: no hard links on this file system, which "
                                "the leases are made of", dir);
    if (file_rename(fd, "b", "c", err) != 0)
        return relay_fail_in(err, "%s", dir);
    /* a and c are one file now, which an exchange may not notice. */
    if (file_write(fd, "c", "other\n", 6, 0600, err) != 0 ||
        file_exchange(fd, "a", "c", &exchanged, err) != 0)
        return relay_fail_in(err, "%s", dir);
    if (fstatat(fd, "a", &st, 0) != 0 || fstatat(fd, "c", &st, 0) != 0)
        return relay_fail_errno(err, EX_CANTCREAT,
                                "%s: a renamed file is not there", dir);
    return 0;
}

int transfer_room(int dirfd, const char *dir, int64_t bytes, int64_t files,
                  struct relay_error *err)
{
    char name[64] = ".tmp-room-";
    int rc = -1;
    int fd;

    if (file_nonce(name + strlen(name), err) != 0 ||
        check_statvfs(dirfd, dir, bytes, files, err) != 0)
        return -1;
    if (mkdirat(dirfd, name, 0700) != 0)
        return relay_fail_errno(err, EX_CANTCREAT,
                                "cannot make a directory in %s", dir);
    fd = file_open_dir(dirfd, name, err);
    if (fd >= 0) {
        if (check_quota(fd, dir, bytes, err) == 0)
            rc = check_calls(fd, dir, err);
        if (rc != 0 && err != NULL)
            err->code = EX_CANTCREAT;
        close(fd);
    }
    /* A directory that stays is seen by sresume doctor. */
    (void)file_remove_tree(dirfd, name, NULL);
    return rc;
}
