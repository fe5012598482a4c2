/*
 * A fresh directory for each test program, removed at its end:
 *     cmocka_run_group_tests(tests, temp_setup, temp_teardown)
 * Tests find it as temp.path and as the descriptor temp.fd.
 */
#ifndef TEMPDIR_H
#define TEMPDIR_H

#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static struct {
    char path[512];
    int fd;
} temp;

static inline int temp_remove(const char *path, const struct stat *st,
                              int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline int temp_setup(void **state)
{
    const char *base = getenv("TMPDIR");

    (void)state;
    snprintf(temp.path, sizeof(temp.path), "%s/relay-unit.XXXXXX",
             base != NULL && base[0] == '/' ? base : "/tmp");
    if (mkdtemp(temp.path) == NULL)
        return -1;
    temp.fd = open(temp.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return temp.fd >= 0 ? 0 : -1;
}

static inline int temp_teardown(void **state)
{
    (void)state;
    close(temp.fd);
    return nftw(temp.path, temp_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* Writes a file below the directory. */
static inline void temp_write(const char *name, const void *data, size_t len)
{
    int fd = openat(temp.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                    0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), (int)len);
    assert_int_equal(close(fd), 0);
}

static inline void temp_text(const char *name, const char *text)
{
    temp_write(name, text, strlen(text));
}

static inline void temp_mkdir(const char *name)
{
    assert_int_equal(mkdirat(temp.fd, name, 0700), 0);
}

/* "<temp>/name" in a buffer of the caller's. */
static inline const char *temp_join(const char *name, char *buf, size_t size)
{
    snprintf(buf, size, "%s/%s", temp.path, name);
    return buf;
}

#endif
