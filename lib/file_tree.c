#define _GNU_SOURCE 1
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* Each level holds one descriptor open. */
#define MAX_DEPTH 200

/* One entry of a directory under a walk. */
struct entry {
    int dirfd;
    const char *name;
    struct stat st;
    int depth;
};

typedef int each_fn(const struct entry *e, void *arg, struct relay_error *err);

static DIR *open_dir_at(int dirfd, const char *name, struct relay_error *err)
{
    int fd = file_open_dir(dirfd, name, err);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (fd >= 0 && dir == NULL) {
        relay_fail_errno(err, EX_OSERR, "cannot read the directory %s", name);
        close(fd);
    }
    return dir;
}

/* Calls each for every entry of the directory; not deeper. */
static int for_each(int at, const char *name, int depth, each_fn *each,
                    void *arg, struct relay_error *err)
{
    char where[PATH_MAX];
    struct entry e = {.depth = depth};
    struct dirent *d;
    DIR *dir;
    int rc = 0;

    if (depth > MAX_DEPTH)
        return relay_fail(err, EX_DATAERR, "%s: more than %d directories deep",
                          file_where(at, name, where, sizeof(where)),
                          MAX_DEPTH);
    dir = open_dir_at(at, name, err);
    if (dir == NULL)
        return -1;
    e.dirfd = dirfd(dir);
    while (rc == 0 && (errno = 0, d = readdir(dir)) != NULL) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        e.name = d->d_name;
        if (fstatat(e.dirfd, e.name, &e.st, AT_SYMLINK_NOFOLLOW) == 0)
            rc = each(&e, arg, err);
        else if (errno != ENOENT)
            rc = relay_fail_errno(
                err, EX_IOERR, "cannot look at %s",
                file_where(e.dirfd, e.name, where, sizeof(where)));
        errno = 0;
    }
    if (rc == 0 && errno != 0)
        rc = relay_fail_errno(err, EX_IOERR, "cannot read the directory %s",
                              file_where(at, name, where, sizeof(where)));
    closedir(dir);
    return rc;
}

static int sync_one(int dirfd, const char *name, int flags,
                    struct relay_error *err)
{
    char where[PATH_MAX];
    int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | flags);
    int rc;

    file_where(dirfd, name, where, sizeof(where));
    if (fd < 0)
        return relay_fail_errno(err, EX_IOERR, "cannot open %s", where);
    rc = fsync(fd);
    if (rc != 0 && errno == EINVAL)
        rc = 0; /* no such call for this kind of file here */
    if (rc != 0)
        relay_fail_errno(err, EX_IOERR, "cannot sync %s", where);
    close(fd);
    return rc;
}

static int sync_entry(const struct entry *e, void *arg,
                      struct relay_error *err)
{
    if (S_ISREG(e->st.st_mode))
        return sync_one(e->dirfd, e->name, O_NONBLOCK, err);
    if (!S_ISDIR(e->st.st_mode))
        return 0;
    if (for_each(e->dirfd, e->name, e->depth + 1, sync_entry, arg, err) != 0)
        return -1;
    return sync_one(e->dirfd, e->name, O_DIRECTORY, err);
}

int file_sync_tree(int dirfd, const char *path, struct relay_error *err)
{
    struct entry e = {.dirfd = dirfd, .name = path};

    if (fstatat(dirfd, path, &e.st, AT_SYMLINK_NOFOLLOW) != 0)
        return relay_fail_errno(err, EX_IOERR, "cannot look at %s", path);
    return sync_entry(&e, NULL, err);
}

static int remove_entry(const struct entry *e, void *arg,
                        struct relay_error *err)
{
    char where[PATH_MAX];
    int flags = 0;

    if (S_ISDIR(e->st.st_mode)) {
        flags = AT_REMOVEDIR;
        /* A directory copied with mode 0500 cannot be emptied as it is; when
         * this fails, the removal below says so. */
        if ((e->st.st_mode & 0700) != 0700)
            (void)fchmodat(e->dirfd, e->name, 0700, 0);
        if (for_each(e->dirfd, e->name, e->depth + 1, remove_entry, arg,
                     err) != 0)
            return -1;
    }
    if (unlinkat(e->dirfd, e->name, flags) != 0 && errno != ENOENT)
        return relay_fail_errno(
            err, EX_IOERR, "cannot remove %s",
            file_where(e->dirfd, e->name, where, sizeof(where)));
    return 0;
}

int file_remove_tree(int dirfd, const char *path, struct relay_error *err)
{
    struct entry e = {.dirfd = dirfd, .name = path};

    if (fstatat(dirfd, path, &e.st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT)
            return 0;
        return relay_fail_errno(err, EX_IOERR, "cannot look at %s", path);
    }
    return remove_entry(&e, NULL, err);
}

static int copy_bytes(int in, int out)
{
    char buf[65536];

    for (;;) {
        ssize_t n = read(in, buf, sizeof(buf));
        ssize_t done = 0;

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return (int)n;
        while (done < n) {
            ssize_t w = write(out, buf + done, (size_t)(n - done));

            if (w < 0 && errno != EINTR)
                return -1;
            if (w > 0)
                done += w;
        }
    }
}

/* A copy with its own bytes: a reflink where the file system has them. */
static int copy_file(const struct entry *e, int to, struct relay_error *err)
{
    char where[PATH_MAX];
    struct timespec times[2] = {e->st.st_atim, e->st.st_mtim};
    int in, out = -1;
    int rc = -1;

    file_where(e->dirfd, e->name, where, sizeof(where));
    in = openat(e->dirfd, e->name,
                O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (in >= 0)
        out = openat(to, e->name,
                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     e->st.st_mode & 0777);
    if (out >= 0)
        rc = ioctl(out, FICLONE, in) == 0 ? 0 : copy_bytes(in, out);
    if (rc == 0)
        rc = futimens(out, times) | fsync(out);
    if (rc != 0)
        relay_fail_errno(err, errno == ENOSPC ? EX_CANTCREAT : EX_IOERR,
                         "cannot copy %s", where);
    if (out >= 0)
        close(out); /* synced: nothing is left that could fail */
    if (in >= 0)
        close(in);
    return rc;
}

static int clone_into(int fromdir, const char *from, int todir,
                      const char *to, mode_t mode, int depth,
                      struct relay_error *err);

static int clone_entry(const struct entry *e, void *arg,
                       struct relay_error *err)
{
    int to = *(int *)arg;

    if (S_ISDIR(e->st.st_mode))
        return clone_into(e->dirfd, e->name, to, e->name,
                          (e->st.st_mode & 0777) | 0700, e->depth + 1, err);
    if (!S_ISREG(e->st.st_mode))
        return 0;
    /* Any refusal (EXDEV, EPERM, EMLINK, ...) leaves the way of copying. */
    if (linkat(e->dirfd, e->name, to, e->name, 0) == 0)
        return 0;
    return copy_file(e, to, err);
}

static int clone_into(int fromdir, const char *from, int todir,
                      const char *to, mode_t mode, int depth,
                      struct relay_error *err)
{
    char where[PATH_MAX];
    int fd, rc;

    if (mkdirat(todir, to, mode) != 0)
        return relay_fail_errno(err, EX_CANTCREAT,
                                "cannot make the directory %s",
                                file_where(todir, to, where, sizeof(where)));
    fd = file_open_dir(todir, to, err);
    if (fd < 0)
        return -1;
    rc = for_each(fromdir, from, depth, clone_entry, &fd, err);
    if (rc == 0)
        rc = sync_one(fd, ".", O_DIRECTORY, err);
    close(fd);
    return rc;
}

int file_clone_tree(int dirfd, const char *from, const char *to,
                    struct relay_error *err)
{
    struct stat st;

    if (fstatat(dirfd, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return relay_fail(err, EX_CANTCREAT, "%s is there already", to);
    if (clone_into(dirfd, from, dirfd, to, 0700, 0, err) != 0) {
        file_remove_tree(dirfd, to, NULL); /* the first error is reported */
        return -1;
    }
    return 0;
}
