#define _GNU_SOURCE 1
#include "zip.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define END_SIG 0x06054b50U
#define END_LEN 22
#define END64_SIG 0x06064b50U
#define END64_LEN 56
#define LOCATOR_SIG 0x07064b50U
#define LOCATOR_LEN 20
#define CENTRAL_SIG 0x02014b50U
#define CENTRAL_LEN 46
#define MAX_COMMENT 65535
#define MAX_DIRECTORY ((uint64_t)256 << 20)

/* What end records say. */
struct end {
    uint64_t at;    /* where the first of them begins */
    uint64_t count; /* of entries */
    uint64_t size;  /* of the central directory */
    uint64_t begin;
    bool split;     /* over several disks */
};

uint16_t zip_u16(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t zip_u32(const unsigned char *p)
{
    return zip_u16(p) | (uint32_t)zip_u16(p + 2) << 16;
}

uint64_t zip_u64(const unsigned char *p)
{
    return zip_u32(p) | (uint64_t)zip_u32(p + 4) << 32;
}

const unsigned char *zip_extra(const unsigned char *fields, size_t len,
                               uint16_t id, size_t *field_len)
{
    while (len >= 4) {
        size_t n = zip_u16(fields + 2);

        if (n > len - 4)
            return NULL;
        if (zip_u16(fields) == id) {
            *field_len = n;
            return fields + 4;
        }
        fields += 4 + n;
        len -= 4 + n;
    }
    return NULL;
}

int zip_read(const struct zip *zip, uint64_t offset, void *data, size_t len,
             struct relay_error *err)
{
    char *p = data;

    while (len > 0) {
        ssize_t n = pread(zip->fd, p, len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return relay_fail_errno(err, EX_IOERR, "cannot read %s",
                                    zip->where);
        if (n == 0)
            return relay_fail(err, EX_DATAERR, "%s ends too early: it was "
                                               "truncated", zip->where);
        p += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

static int bad(const struct zip *zip, const char *what,
               struct relay_error *err)
{
    return relay_fail(err, EX_DATAERR, "%s is damaged: %s", zip->where, what);
}

int zip_bad_entry(const struct zip *zip, const struct zip_entry *e,
                  const char *what, struct relay_error *err)
{
    char name[81];
    size_t i;

    for (i = 0; i < e->name_len && i < sizeof(name) - 1; i++)
        name[i] = e->name[i] >= 0x20 && e->name[i] < 0x7f ? (char)e->name[i]
                                                          : '?';
    name[i] = '\0';
    return relay_fail(err, EX_DATAERR, "%s is damaged: entry \"%s\": %s",
                      zip->where, name, what);
}

/* The end record: the last one whose comment reaches exactly to the end of
 * the file. 1 found, 0 not, -1. */
static int find_end(const struct zip *zip, struct end *end,
                    struct relay_error *err)
{
    size_t len = zip->size < END_LEN + MAX_COMMENT ? (size_t)zip->size
                                                   : END_LEN + MAX_COMMENT;
    unsigned char *tail;
    const unsigned char *p = NULL;
    size_t back;

    if (len < END_LEN)
        return 0;
    tail = malloc(len);
    if (tail == NULL)
        return relay_fail(err, EX_OSERR, "%s: out of memory", zip->where);
    if (zip_read(zip, zip->size - len, tail, len, err) != 0) {
        free(tail);
        return -1;
    }
    for (back = END_LEN; back <= len && p == NULL; back++) {
        const unsigned char *q = tail + len - back;

        if (zip_u32(q) == END_SIG && zip_u16(q + 20) == back - END_LEN)
            p = q;
    }
    if (p != NULL) {
        end->at = zip->size - len + (uint64_t)(p - tail);
        end->split = zip_u16(p + 4) != 0 || zip_u16(p + 6) != 0 ||
                     zip_u16(p + 8) != zip_u16(p + 10);
        end->count = zip_u16(p + 10);
        end->size = zip_u32(p + 12);
        end->begin = zip_u32(p + 16);
    }
    free(tail);
    return p != NULL;
}

/* The ZIP64 end record, when a locator says that there is one. */
static int read_end64(const struct zip *zip, struct end *end,
                      struct relay_error *err)
{
    unsigned char locator[LOCATOR_LEN];
    unsigned char rec[END64_LEN];
    uint64_t at;

    if (end->at < LOCATOR_LEN + END64_LEN)
        return 0;
    if (zip_read(zip, end->at - LOCATOR_LEN, locator, sizeof(locator), err))
        return -1;
    if (zip_u32(locator) != LOCATOR_SIG)
        return 0;
    at = zip_u64(locator + 8);
    if (at > end->at - LOCATOR_LEN - END64_LEN)
        return bad(zip, "its ZIP64 locator points outside the file", err);
    if (zip_read(zip, at, rec, sizeof(rec), err) != 0)
        return -1;
    if (zip_u32(rec) != END64_SIG)
        return bad(zip, "no ZIP64 end record where its locator points", err);
    if ((end->count != 0xffff && end->count != zip_u64(rec + 32)) ||
        (end->size != ZIP_FULL32 && end->size != zip_u64(rec + 40)) ||
        (end->begin != ZIP_FULL32 && end->begin != zip_u64(rec + 48)))
        return bad(zip, "its two end records disagree", err);
    end->at = at;
    end->split = zip_u32(rec + 16) != 0 || zip_u32(rec + 20) != 0 ||
                 zip_u64(rec + 24) != zip_u64(rec + 32);
    end->count = zip_u64(rec + 32);
    end->size = zip_u64(rec + 40);
    end->begin = zip_u64(rec + 48);
    return 0;
}

/* Replaces the 32-bit values that say so by those of the ZIP64 field, which
 * has only these, in this order. 0, or -1 when it has too few. */
static int use_extra64(struct zip_entry *e, const unsigned char *extra,
                       size_t len)
{
    uint64_t *const values[] = {&e->usize, &e->csize, &e->local};
    size_t field_len = 0;
    const unsigned char *p = zip_extra(extra, len, ZIP_EXTRA_64, &field_len);
    size_t i;

    for (i = 0; i < 3; i++) {
        if (*values[i] != ZIP_FULL32)
            continue;
        if (p == NULL)
            continue; /* a size of exactly 4 GiB - 1: checked as such */
        if (field_len < 8)
            return -1;
        *values[i] = zip_u64(p);
        p += 8;
        field_len -= 8;
    }
    return 0;
}

/* One record of the central directory. Returns its length, 0 when it is
 * damaged. */
static size_t parse_central(const unsigned char *p, size_t left,
                            struct zip_entry *e)
{
    size_t name, extra, comment;

    memset(e, 0, sizeof(*e));
    if (left < CENTRAL_LEN || zip_u32(p) != CENTRAL_SIG)
        return 0;
    name = zip_u16(p + 28);
    extra = zip_u16(p + 30);
    comment = zip_u16(p + 32);
    if (left - CENTRAL_LEN < name + extra + comment)
        return 0;
    e->flags = zip_u16(p + 8);
    e->method = zip_u16(p + 10);
    e->crc = zip_u32(p + 16);
    e->csize = zip_u32(p + 20);
    e->usize = zip_u32(p + 24);
    e->local = zip_u32(p + 42);
    e->name = p + CENTRAL_LEN;
    e->name_len = (uint16_t)name;
    if (use_extra64(e, p + CENTRAL_LEN + name, extra) != 0)
        return 0;
    return CENTRAL_LEN + name + extra + comment;
}

static int by_place(const void *a, const void *b)
{
    const struct zip_entry *x = a;
    const struct zip_entry *y = b;

    return x->local < y->local ? -1 : x->local > y->local;
}

/* Each entry ends where the next one begins, the last at the directory. */
static int set_limits(struct zip *zip, struct relay_error *err)
{
    size_t i;

    qsort(zip->entries, zip->n, sizeof(*zip->entries), by_place);
    for (i = 0; i < zip->n; i++) {
        struct zip_entry *e = &zip->entries[i];

        e->limit = i + 1 < zip->n ? zip->entries[i + 1].local : zip->begin;
        if (e->local >= zip->begin)
            return zip_bad_entry(zip, e, "begins behind the last byte of "
                                         "entries", err);
        if (e->limit == e->local)
            return zip_bad_entry(zip, e, "begins where another one does", err);
        if (e->csize > e->limit - e->local)
            return zip_bad_entry(zip, e, "its size reaches into the next "
                                         "entry", err);
    }
    return 0;
}

static int read_directory(struct zip *zip, const struct end *end,
                          struct relay_error *err)
{
    uint64_t pos = 0;

    if (end->split)
        return bad(zip, "it says to be one part of several", err);
    if (end->begin > end->at || end->size > end->at - end->begin)
        return bad(zip, "its directory reaches outside the file", err);
    if (end->size > MAX_DIRECTORY || end->count > end->size / CENTRAL_LEN)
        return bad(zip, "its directory cannot have the size it says", err);
    zip->begin = end->begin;
    zip->directory_len = end->size;
    zip->directory = malloc((size_t)end->size + 1);
    zip->entries = calloc((size_t)end->count + 1, sizeof(*zip->entries));
    if (zip->directory == NULL || zip->entries == NULL)
        return relay_fail(err, EX_OSERR, "%s: out of memory", zip->where);
    if (zip_read(zip, end->begin, zip->directory, (size_t)end->size, err) != 0)
        return -1;
    while (zip->n < end->count) {
        size_t len = parse_central(zip->directory + pos,
                                   (size_t)(end->size - pos),
                                   &zip->entries[zip->n]);

        if (len == 0)
            return bad(zip, "its directory has a record that is none", err);
        pos += len;
        zip->n++;
    }
    if (pos != end->size)
        return bad(zip, "its directory has more records than it says", err);
    return set_limits(zip, err);
}

int zip_open(int fd, const char *where, struct zip *zip,
             struct relay_error *err)
{
    struct end end = {0};
    struct stat st;
    int rc;

    memset(zip, 0, sizeof(*zip));
    zip->fd = fd;
    zip->where = where;
    if (fstat(fd, &st) != 0)
        return relay_fail_errno(err, EX_IOERR, "cannot look at %s", where);
    zip->size = (uint64_t)st.st_size;
    rc = find_end(zip, &end, err);
    if (rc != 1)
        return rc;
    if (read_end64(zip, &end, err) != 0 || read_directory(zip, &end, err) != 0)
        return -1;
    return 1;
}

void zip_free(struct zip *zip)
{
    free(zip->directory);
    free(zip->entries);
    zip->directory = NULL;
    zip->entries = NULL;
    zip->n = 0;
}
