#include "zip.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <zlib.h>

#include "process.h"

#define LOCAL_SIG 0x04034b50U
#define LOCAL_LEN 30
#define DESCRIPTOR_SIG 0x08074b50U
#define BLOCK ((size_t)1 << 20)

/* Are the sizes of the local header those of the directory? */
static bool same_sizes(const struct zip_entry *e, const unsigned char *head,
                       const unsigned char *extra, size_t extra_len)
{
    uint64_t csize = zip_u32(head + 18);
    uint64_t usize = zip_u32(head + 22);
    size_t len = 0;
    const unsigned char *p = zip_extra(extra, extra_len, ZIP_EXTRA_64, &len);

    if (p != NULL && usize == ZIP_FULL32 && len >= 8) {
        usize = zip_u64(p);
        p += 8;
        len -= 8;
    }
    if (p != NULL && csize == ZIP_FULL32 && len >= 8)
        csize = zip_u64(p);
    return csize == e->csize && usize == e->usize;
}

/* The descriptor behind the bytes, in one of its four shapes: with or without
 * signature, with 32-bit or 64-bit sizes. */
static bool same_descriptor(const struct zip_entry *e, const unsigned char *p,
                            size_t len)
{
    int skip;

    for (skip = 0; skip <= 4; skip += 4) {
        const unsigned char *q = p + skip;
        size_t left = len > (size_t)skip ? len - (size_t)skip : 0;

        if (skip == 4 && zip_u32(p) != DESCRIPTOR_SIG)
            continue;
        if (left >= 20 && zip_u32(q) == e->crc && zip_u64(q + 4) == e->csize &&
            zip_u64(q + 12) == e->usize)
            return true;
        if (left >= 12 && zip_u32(q) == e->crc && zip_u32(q + 4) == e->csize &&
            zip_u32(q + 8) == e->usize)
            return true;
    }
    return false;
}

static int check_descriptor(const struct zip *zip, const struct zip_entry *e,
                            struct relay_error *err)
{
    unsigned char rec[24] = {0};
    uint64_t at = e->data + e->csize;
    size_t len = e->limit - at < sizeof(rec) ? (size_t)(e->limit - at)
                                             : sizeof(rec);

    if (zip_read(zip, at, rec, len, err) != 0)
        return -1;
    if (len < 12 || !same_descriptor(e, rec, len))
        return zip_bad_entry(zip, e, "the descriptor behind its bytes says "
                                     "something else than the directory", err);
    return 0;
}

int zip_check_local(const struct zip *zip, struct zip_entry *e,
                    struct relay_error *err)
{
    unsigned char head[LOCAL_LEN];
    unsigned char more[2 * 65536];
    uint64_t room = e->limit - e->local;
    size_t name, extra;

    if (room < LOCAL_LEN)
        return zip_bad_entry(zip, e, "no room for its header", err);
    if (zip_read(zip, e->local, head, sizeof(head), err) != 0)
        return -1;
    if (zip_u32(head) != LOCAL_SIG)
        return zip_bad_entry(zip, e, "no header where the directory says",
                             err);
    name = zip_u16(head + 26);
    extra = zip_u16(head + 28);
    if (room - LOCAL_LEN < name + extra ||
        e->csize > room - LOCAL_LEN - name - extra)
        return zip_bad_entry(zip, e, "reaches into the next entry", err);
    if (zip_read(zip, e->local + LOCAL_LEN, more, name + extra, err) != 0)
        return -1;
    e->data = e->local + LOCAL_LEN + name + extra;
    if (name != e->name_len || memcmp(more, e->name, name) != 0 ||
        zip_u16(head + 8) != e->method)
        return zip_bad_entry(zip, e, "its header says something else than "
                                     "the directory", err);
    if ((zip_u16(head + 6) & ZIP_DESCRIPTOR) != 0)
        return check_descriptor(zip, e, err);
    if (zip_u32(head + 14) != e->crc ||
        !same_sizes(e, head, more + name, extra))
        return zip_bad_entry(zip, e, "CRC or sizes in its header are not "
                                     "those of the directory", err);
    return 0;
}

/* The entry's bytes, block by block. */
struct input {
    const struct zip *zip;
    uint64_t at;
    uint64_t left;
    unsigned char *buf;
};

/* The next block: its length, 0 at the end, -1. */
static ssize_t next_block(struct input *in, struct relay_error *err)
{
    size_t len = in->left < BLOCK ? (size_t)in->left : BLOCK;

    if (process_cancelled() != 0)
        return relay_fail(err, EX_TEMPFAIL, "%s: the check was interrupted",
                          in->zip->where);
    if (zip_read(in->zip, in->at, in->buf, len, err) != 0)
        return -1;
    in->at += len;
    in->left -= len;
    return (ssize_t)len;
}

static int crc_stored(struct input *in, uint32_t *crc, struct relay_error *err)
{
    uLong sum = crc32(0, NULL, 0);
    ssize_t n;

    while ((n = next_block(in, err)) > 0)
        sum = crc32(sum, in->buf, (uInt)n);
    *crc = (uint32_t)sum;
    return n == 0 ? 0 : -1;
}

/* Inflates what is in z->next_in; out is a block of ours. Z_OK for more,
 * Z_STREAM_END, or what is wrong. *total must not pass usize. */
static int inflate_block(z_stream *z, unsigned char *out, uint64_t usize,
                         uint64_t *total, uLong *sum)
{
    int rc = Z_OK;

    do {
        size_t got;

        z->next_out = out;
        z->avail_out = (uInt)BLOCK;
        rc = inflate(z, Z_NO_FLUSH);
        got = BLOCK - z->avail_out;
        *sum = crc32(*sum, out, (uInt)got);
        *total += got;
        if (*total > usize)
            return Z_DATA_ERROR;
    } while (rc == Z_OK && (z->avail_in > 0 || z->avail_out == 0));
    return rc == Z_BUF_ERROR ? Z_OK : rc; /* it wants more input */
}

static int crc_deflated(struct input *in, const struct zip_entry *e,
                        uint32_t *crc, struct relay_error *err)
{
    unsigned char *out = malloc(BLOCK);
    z_stream z = {0};
    uLong sum = crc32(0, NULL, 0);
    uint64_t total = 0;
    int rc = Z_OK;
    ssize_t n = 0;

    if (out == NULL || inflateInit2(&z, -MAX_WBITS) != Z_OK) {
        free(out);
        return relay_fail(err, EX_OSERR, "%s: out of memory", in->zip->where);
    }
    while (rc == Z_OK && (n = next_block(in, err)) > 0) {
        z.next_in = in->buf;
        z.avail_in = (uInt)n;
        rc = inflate_block(&z, out, e->usize, &total, &sum);
    }
    free(out);
    if (n < 0) {
        inflateEnd(&z);
        return -1;
    }
    if (rc != Z_STREAM_END || z.avail_in > 0 || in->left > 0 ||
        total != e->usize) {
        inflateEnd(&z);
        return zip_bad_entry(in->zip, e, "its bytes do not inflate to what "
                                         "the directory says", err);
    }
    inflateEnd(&z);
    *crc = (uint32_t)sum;
    return 0;
}

int zip_crc(const struct zip *zip, const struct zip_entry *e, uint32_t *crc,
            struct relay_error *err)
{
    struct input in = {zip, e->data, e->csize, malloc(BLOCK)};
    int rc;

    if (in.buf == NULL)
        return relay_fail(err, EX_OSERR, "%s: out of memory", zip->where);
    if (e->method == ZIP_DEFLATED)
        rc = crc_deflated(&in, e, crc, err);
    else if (e->csize != e->usize)
        rc = zip_bad_entry(zip, e, "it is stored, but has two sizes", err);
    else
        rc = crc_stored(&in, crc, err);
    free(in.buf);
    return rc;
}
