#define _GNU_SOURCE 1
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE (1 << 1)
#endif

const char *file_where(int dirfd, const char *path, char *text, size_t size)
{
    char link[64];
    char dir[PATH_MAX];
    ssize_t n = -1;

    if (path[0] != '/' && dirfd != AT_FDCWD) {
        snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
        n = readlink(link, dir, sizeof(dir) - 1);
    }
    if (n > 0) {
        dir[n] = '\0';
        snprintf(text, size, "%s/%s", dir, path);
    } else {
        snprintf(text, size, "%s", path);
    }
    return text;
}

/* The exit code for an errno met while something is written. */
static int write_code(void)
{
    switch (errno) {
    case ENOSPC:
    case EDQUOT:
    case EROFS:
    case EACCES:
    case EPERM:
        return EX_CANTCREAT;
    default:
        return EX_IOERR;
    }
}

/* As relay_fail_errno, with WHAT and the whole path, which costs a system
 * call: only errors pay it. */
static int fail_at(int dirfd, const char *path, int code, const char *what,
                   struct relay_error *err)
{
    int why = errno;
    char where[PATH_MAX];

    file_where(dirfd, path, where, sizeof(where));
    errno = why;
    return relay_fail_errno(err, code, "%s %s", what, where);
}

static int open_regular(int dirfd, const char *path, struct stat *st,
                        struct relay_error *err)
{
    char where[PATH_MAX];
    /* O_NONBLOCK: a FIFO in the place of the file must not hold us up. */
    int fd = openat(dirfd, path,
                    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return fail_at(dirfd, path, errno == ENOENT ? EX_NOINPUT : EX_IOERR,
                       "cannot open", err);
    if (fstat(fd, st) != 0) {
        fail_at(dirfd, path, EX_IOERR, "cannot look at", err);
        close(fd);
        return -1;
    }
    if (!S_ISREG(st->st_mode)) {
        close(fd);
        return relay_fail(err, EX_IOERR, "%s is not a regular file",
                          file_where(dirfd, path, where, sizeof(where)));
    }
    return fd;
}

/* Reads fd to its end into *data, which grows; expected is a guess that saves
 * the growing. -1 with errno, EFBIG when there is more than max. */
static int read_all(int fd, size_t max, size_t expected, char **data,
                    size_t *len)
{
    size_t room = (expected < max ? expected : max) + 2;
    char *buf = malloc(room);
    size_t used = 0;

    while (buf != NULL) {
        ssize_t n = read(fd, buf + used, room - used - 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            buf[used] = '\0';
            *data = buf;
            *len = used;
            return n == 0 ? 0 : -1;
        }
        used += (size_t)n;
        if (used > max) {
            errno = EFBIG;
            break;
        }
        if (used + 1 == room) {
            char *more = realloc(buf, room * 2);

            if (more == NULL)
                break;
            buf = more;
            room *= 2;
        }
    }
    free(buf);
    *data = NULL;
    return -1;
}

char *file_read_fd(int fd, const char *name, size_t max, size_t *len,
                   struct relay_error *err)
{
    char *data = NULL;
    size_t got = 0;

    if (read_all(fd, max, 4096, &data, &got) != 0) {
        relay_fail_errno(err, EX_IOERR, "cannot read %s", name);
        free(data);
        return NULL;
    }
    if (len != NULL)
        *len = got;
    return data;
}

char *file_read(int dirfd, const char *path, size_t max, size_t *len,
                struct relay_error *err)
{
    char *data = NULL;
    struct stat st;
    size_t got = 0;
    int fd = open_regular(dirfd, path, &st, err);

    if (fd < 0)
        return NULL;
    if (read_all(fd, max, (size_t)st.st_size, &data, &got) != 0) {
        fail_at(dirfd, path, EX_IOERR, "cannot read", err);
        free(data);
        data = NULL;
    }
    close(fd);
    if (data != NULL && len != NULL)
        *len = got;
    return data;
}

int file_write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

DIR *file_list(int dirfd)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    int why = errno;

    if (dir == NULL && fd >= 0) {
        close(fd);
        errno = why;
    }
    return dir;
}

int64_t file_highest(DIR *dir)
{
    const struct dirent *entry;
    int64_t best = 0;

    while ((entry = readdir(dir)) != NULL) {
        char *end;
        int64_t n = strtoll(entry->d_name, &end, 10);

        if (end != entry->d_name && *end == '\0' && n > best)
            best = n;
    }
    return best;
}

/* fsync of the directory that path is in. */
static int sync_parent(int dirfd, const char *path, struct relay_error *err)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash != NULL ? (size_t)(slash - path) : 0;
    int fd, rc;

    if (len >= sizeof(dir))
        return relay_fail(err, EX_IOERR, "%s: the path is too long", path);
    if (slash == NULL)
        snprintf(dir, sizeof(dir), ".");
    else
        snprintf(dir, sizeof(dir), "%.*s", (int)(len > 0 ? len : 1), path);
    fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return relay_fail_errno(err, EX_IOERR, "cannot open the directory of "
                                               "%s", path);
    rc = fsync(fd);
    if (rc != 0 && (errno == EINVAL || errno == EROFS))
        rc = 0; /* this file system has no such call for directories */
    if (rc != 0)
        relay_fail_errno(err, EX_IOERR, "cannot sync the directory of %s",
                         path);
    close(fd);
    return rc;
}

/* The name of a temporary file in the directory of path. */
static int temp_name(const char *path, char *temp, size_t size,
                     struct relay_error *err)
{
    const char *slash = strrchr(path, '/');
    size_t dir = slash != NULL ? (size_t)(slash - path) + 1 : 0;
    char nonce[33];
    int n;

    if (file_nonce(nonce, err) != 0)
        return -1;
    n = snprintf(temp, size, "%.*s.tmp-%s", (int)dir, path, nonce);
    if (n < 0 || (size_t)n >= size)
        return relay_fail(err, EX_CANTCREAT, "%s: the path is too long", path);
    return 0;
}

static int replace(int dirfd, const char *path, const void *data, size_t len,
                   mode_t mode, bool sync, struct relay_error *err)
{
    char where[PATH_MAX];
    char temp[PATH_MAX];
    int fd, rc;

    file_where(dirfd, path, where, sizeof(where));
    if (temp_name(path, temp, sizeof(temp), err) != 0)
        return -1;
    fd = openat(dirfd, temp,
                O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return relay_fail_errno(err, EX_CANTCREAT, "cannot write %s", where);
    rc = file_write_all(fd, data, len) != 0 || (sync && fsync(fd) != 0);
    if (rc != 0)
        relay_fail_errno(err, write_code(), "cannot write %s", where);
    if (close(fd) != 0 && rc == 0) {
        relay_fail_errno(err, write_code(), "cannot write %s", where);
        rc = -1;
    }
    if (rc == 0 && renameat(dirfd, temp, dirfd, path) != 0) {
        relay_fail_errno(err, write_code(), "cannot put %s in place", where);
        rc = -1;
    }
    if (rc != 0) {
        unlinkat(dirfd, temp, 0); /* the first error is the one to report */
        return -1;
    }
    return sync ? sync_parent(dirfd, path, err) : 0;
}

int file_write(int dirfd, const char *path, const void *data, size_t len,
               mode_t mode, struct relay_error *err)
{
    return replace(dirfd, path, data, len, mode, true, err);
}

int file_write_plain(int dirfd, const char *path, const void *data,
                     size_t len, mode_t mode, struct relay_error *err)
{
    return replace(dirfd, path, data, len, mode, false, err);
}

/* Does the file end in the middle of a line (a write was cut off)? */
static bool ends_torn(int fd)
{
    struct stat st;
    char last = '\n';

    if (fstat(fd, &st) != 0 || st.st_size == 0)
        return false;
    return pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n';
}

int file_append_line(int dirfd, const char *path, const char *text,
                     struct relay_error *err)
{
    char where[PATH_MAX];
    size_t len = strlen(text);
    char *line = malloc(len + 2); /* a newline at each end */
    size_t used = 0;
    ssize_t n = -1;
    int fd;

    file_where(dirfd, path, where, sizeof(where));
    if (line == NULL)
        return relay_fail_errno(err, EX_OSERR, "cannot append to %s", where);
    fd = openat(dirfd, path,
                O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        free(line);
        return relay_fail_errno(err, EX_CANTCREAT, "cannot append to %s",
                                where);
    }
    if (ends_torn(fd))
        line[used++] = '\n'; /* so that only the torn line is lost */
    memcpy(line + used, text, len);
    used += len;
    line[used++] = '\n';
    n = write(fd, line, used);
    free(line);
    if (n != (ssize_t)used || fdatasync(fd) != 0) {
        relay_fail_errno(err, write_code(), "cannot append to %s", where);
        close(fd);
        return -1;
    }
    close(fd);
    return 0;
}

int file_make_dirs(const char *path, mode_t mode, struct relay_error *err)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    struct stat st;
    size_t i;

    if (len == 0 || len >= sizeof(part))
        return relay_fail(err, EX_CANTCREAT,
                          "cannot make the directory \"%.200s\": %s", path,
                          len == 0 ? "it has no name" : "the path is too long");
    for (i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, mode) != 0 && errno != EEXIST && errno != EISDIR) {
            /* A read-only or closed parent that is there is no obstacle. */
            int saved = errno;

            if (stat(part, &st) == 0 && S_ISDIR(st.st_mode))
                continue;
            errno = saved;
            return relay_fail_errno(err, EX_CANTCREAT,
                                    "cannot make the directory %s", part);
        }
    }
    if (stat(path, &st) != 0)
        return relay_fail_errno(err, EX_CANTCREAT,
                                "cannot make the directory %s", path);
    if (!S_ISDIR(st.st_mode))
        return relay_fail(err, EX_CANTCREAT, "%s is there, but is not a "
                                             "directory", path);
    return 0;
}

int file_open_dir(int dirfd, const char *path, struct relay_error *err)
{
    char where[PATH_MAX];
    int fd = openat(dirfd, path,
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return relay_fail_errno(err, errno == ENOENT ? EX_NOINPUT : EX_IOERR,
                                "cannot open the directory %s",
                                file_where(dirfd, path, where, sizeof(where)));
    return fd;
}

int file_exchange(int dirfd, const char *a, const char *b, bool *exchanged,
                  struct relay_error *err)
{
    *exchanged = false;
    if (syscall(SYS_renameat2, dirfd, a, dirfd, b, RENAME_EXCHANGE) != 0) {
        /* NFS says EINVAL; an old kernel or file system says the others. */
        if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)
            return 0;
        return relay_fail_errno(err, write_code(), "cannot swap %s and %s", a,
                                b);
    }
    *exchanged = true;
    if (sync_parent(dirfd, a, err) != 0)
        return -1;
    return sync_parent(dirfd, b, err);
}

int file_rename(int dirfd, const char *from, const char *to,
                struct relay_error *err)
{
    if (renameat(dirfd, from, dirfd, to) != 0)
        return relay_fail_errno(err, write_code(), "cannot rename %s to %s",
                                from, to);
    if (sync_parent(dirfd, from, err) != 0)
        return -1;
    return sync_parent(dirfd, to, err);
}

int file_nonce(char nonce[33], struct relay_error *err)
{
    unsigned char raw[16];
    ssize_t n;
    size_t i;

    do
        n = getrandom(raw, sizeof(raw), 0);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(raw))
        return relay_fail_errno(err, EX_OSERR, "cannot get random bytes");
    for (i = 0; i < sizeof(raw); i++)
        snprintf(nonce + 2 * i, 3, "%02x", raw[i]);
    return 0;
}
