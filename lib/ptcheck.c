#define _GNU_SOURCE 1
#include "ptcheck.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "zip.h"

struct note {
    char *text;
    size_t size;
};

/* Unverifiable, and why (the first reason stays). */
static enum ptcheck unverifiable(const struct note *note, const char *why)
{
    if (note->text != NULL && note->size > 0 && note->text[0] == '\0')
        snprintf(note->text, note->size, "%s", why);
    return PT_UNVERIFIABLE;
}

static enum ptcheck bad(struct relay_error *err, const char *where,
                        const char *what)
{
    relay_fail(err, EX_DATAERR, "%s %s", where, what);
    return PT_BAD;
}

static bool all_zero(const unsigned char *p, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (p[i] != 0)
            return false;
    }
    return true;
}

/* A file that does not end as a ZIP does. */
static enum ptcheck judge_other(const struct zip *zip, const struct note *note,
                                struct relay_error *err)
{
    unsigned char head[4096];
    size_t len = zip->size < sizeof(head) ? (size_t)zip->size : sizeof(head);

    if (len == 0)
        return bad(err, zip->where, "is empty");
    if (zip_read(zip, 0, head, len, err) != 0)
        return PT_BAD;
    if (len < 4 || memcmp(head, "PK", 2) == 0)
        return bad(err, zip->where, "is truncated: it begins as a ZIP file "
                                    "and has no end record");
    if (all_zero(head, len))
        return bad(err, zip->where, "begins with zeros: its bytes were lost");
    if (head[0] == 0x80 && head[1] >= 2 && head[1] <= 5)
        return unverifiable(note, "a pickle of the old format, which has no "
                                  "check sums");
    return unverifiable(note, "neither a ZIP file nor a pickle: nothing in it "
                              "can be checked");
}

static enum ptcheck check_entry(const struct zip *zip, struct zip_entry *e,
                                bool directory_only, const struct note *note,
                                struct relay_error *err)
{
    uint32_t crc = 0;

    if (zip_check_local(zip, e, err) != 0)
        return PT_BAD;
    if ((e->flags & ZIP_ENCRYPTED) != 0)
        return unverifiable(note, "it is encrypted");
    if (e->method != ZIP_STORED && e->method != ZIP_DEFLATED)
        return unverifiable(note, "it is compressed in a way that cannot be "
                                  "checked here");
    if (directory_only)
        return PT_GOOD;
    if (zip_crc(zip, e, &crc, err) != 0)
        return PT_BAD;
    if (crc == e->crc)
        return PT_GOOD;
    if (e->crc == 0) /* torch.serialization.set_crc32_options(False) */
        return unverifiable(note, "it was written without check sums");
    zip_bad_entry(zip, e, "its CRC-32 is wrong: bytes differ from what was "
                          "written", err);
    return PT_BAD;
}

static enum ptcheck check_entries(struct zip *zip, bool directory_only,
                                  const struct note *note,
                                  struct relay_error *err)
{
    enum ptcheck all = PT_GOOD;
    size_t i;

    if (zip->n == 0)
        return bad(err, zip->where, "is a ZIP file with nothing in it");
    for (i = 0; i < zip->n; i++) {
        enum ptcheck one = check_entry(zip, &zip->entries[i], directory_only,
                                       note, err);

        if (one == PT_BAD)
            return PT_BAD;
        if (one == PT_UNVERIFIABLE)
            all = PT_UNVERIFIABLE;
    }
    return all;
}

enum ptcheck ptcheck_fd(int fd, const char *where, int directory_only,
                        char *note, size_t note_size, struct relay_error *err)
{
    struct note n = {note, note_size};
    enum ptcheck result = PT_BAD;
    struct stat st;
    struct zip zip;
    int rc;

    if (note != NULL && note_size > 0)
        note[0] = '\0';
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        relay_fail(err, EX_IOERR, "%s is not a regular file", where);
        return PT_BAD;
    }
    if (!directory_only) /* a hint: its failure changes nothing */
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    rc = zip_open(fd, where, &zip, err);
    if (rc == 1)
        result = check_entries(&zip, directory_only != 0, &n, err);
    else if (rc == 0)
        result = judge_other(&zip, &n, err);
    zip_free(&zip);
    return result;
}

enum ptcheck ptcheck_file(int dirfd, const char *path, int directory_only,
                          char *note, size_t note_size,
                          struct relay_error *err)
{
    char where[PATH_MAX];
    enum ptcheck result;
    int fd = openat(dirfd, path,
                    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (note != NULL && note_size > 0)
        note[0] = '\0';
    file_where(dirfd, path, where, sizeof(where));
    if (fd < 0) {
        relay_fail_errno(err, errno == ENOENT ? EX_NOINPUT : EX_IOERR,
                         "cannot open %s", where);
        return PT_BAD;
    }
    result = ptcheck_fd(fd, where, directory_only, note, note_size, err);
    close(fd);
    return result;
}
