#include "tempdir.h"

#include <sys/types.h>
#include <sysexits.h>
#include <zlib.h>

#include "ptcheck.h"

/* A ZIP file under construction, as torch.save and others lay it out. */
struct maker {
    unsigned char data[65536];
    size_t len;
    unsigned char directory[16384];
    size_t directory_len;
    unsigned count;
};

enum { DESCRIPTOR = 1, ZIP64 = 2, NO_CRC = 4, DEFLATE = 8, NO_SIG = 16 };

static size_t put(unsigned char *p, size_t at, uint64_t value, int bytes)
{
    int i;

    for (i = 0; i < bytes; i++)
        p[at++] = (unsigned char)(value >> (8 * i));
    return at;
}

static size_t put_bytes(unsigned char *p, size_t at, const void *data,
                        size_t len)
{
    memcpy(p + at, data, len);
    return at + len;
}

static size_t deflate_raw(const void *data, size_t len, unsigned char *out,
                          size_t room)
{
    z_stream z = {0};
    size_t n;

    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, 0), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)data;
    z.avail_in = (uInt)len;
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    n = room - z.avail_out;
    deflateEnd(&z);
    return n;
}

static void put_local(struct maker *m, const char *name, uint32_t crc,
                      uint64_t csize, uint64_t usize, int how)
{
    bool later = (how & DESCRIPTOR) != 0;
    bool wide = (how & ZIP64) != 0 && !later;

    m->len = put(m->data, m->len, 0x04034b50, 4);
    m->len = put(m->data, m->len, 45, 2);
    m->len = put(m->data, m->len, later ? 8 : 0, 2);
    m->len = put(m->data, m->len, how & DEFLATE ? 8 : 0, 2);
    m->len = put(m->data, m->len, 0, 4);
    m->len = put(m->data, m->len, later ? 0 : crc, 4);
    m->len = put(m->data, m->len, wide ? 0xffffffff : later ? 0 : csize, 4);
    m->len = put(m->data, m->len, wide ? 0xffffffff : later ? 0 : usize, 4);
    m->len = put(m->data, m->len, strlen(name), 2);
    m->len = put(m->data, m->len, wide ? 26 : 6, 2);
    m->len = put_bytes(m->data, m->len, name, strlen(name));
    m->len = put(m->data, m->len, 0x4246, 2); /* torch's padding, "FB" */
    m->len = put(m->data, m->len, 2, 2);
    m->len = put_bytes(m->data, m->len, "ZZ", 2);
    if (wide) {
        m->len = put(m->data, m->len, 1, 2);
        m->len = put(m->data, m->len, 16, 2);
        m->len = put(m->data, m->len, usize, 8);
        m->len = put(m->data, m->len, csize, 8);
    }
}

static void put_central(struct maker *m, const char *name, uint32_t crc,
                        uint64_t csize, uint64_t usize, uint64_t local,
                        int how)
{
    unsigned char *d = m->directory;
    size_t n = m->directory_len;
    bool wide = (how & ZIP64) != 0;

    n = put(d, n, 0x02014b50, 4);
    n = put(d, n, 0x002d002d, 4);
    n = put(d, n, how & DESCRIPTOR ? 8 : 0, 2);
    n = put(d, n, how & DEFLATE ? 8 : 0, 2);
    n = put(d, n, 0, 4);
    n = put(d, n, crc, 4);
    n = put(d, n, wide ? 0xffffffff : csize, 4);
    n = put(d, n, wide ? 0xffffffff : usize, 4);
    n = put(d, n, strlen(name), 2);
    n = put(d, n, wide ? 28 : 0, 2);
    n = put(d, n, 0, 2);
    n = put(d, n, 0, 2);
    n = put(d, n, 0, 2);
    n = put(d, n, 0, 4);
    n = put(d, n, wide ? 0xffffffff : local, 4);
    n = put_bytes(d, n, name, strlen(name));
    if (wide) {
        n = put(d, n, 1, 2);
        n = put(d, n, 24, 2);
        n = put(d, n, usize, 8);
        n = put(d, n, csize, 8);
        n = put(d, n, local, 8);
    }
    m->directory_len = n;
    m->count++;
}

/* Returns where the entry's bytes begin. */
static size_t add(struct maker *m, const char *name, const void *data,
                  size_t len, int how)
{
    unsigned char packed[4096];
    size_t local = m->len;
    size_t csize = len;
    size_t at;
    uint32_t crc = (uint32_t)crc32(0, data, (uInt)len);

    if (how & NO_CRC)
        crc = 0;
    if (how & DEFLATE) {
        csize = deflate_raw(data, len, packed, sizeof(packed));
        data = packed;
    }
    put_local(m, name, crc, csize, len, how);
    at = m->len;
    m->len = put_bytes(m->data, m->len, data, csize);
    if (how & DESCRIPTOR) {
        if (!(how & NO_SIG))
            m->len = put(m->data, m->len, 0x08074b50, 4);
        m->len = put(m->data, m->len, crc, 4);
        m->len = put(m->data, m->len, csize, how & ZIP64 ? 8 : 4);
        m->len = put(m->data, m->len, len, how & ZIP64 ? 8 : 4);
    }
    put_central(m, name, crc, csize, len, local, how);
    return at;
}

static void finish(struct maker *m, bool zip64)
{
    size_t begin = m->len;
    size_t end64;

    m->len = put_bytes(m->data, m->len, m->directory, m->directory_len);
    end64 = m->len;
    if (zip64) {
        m->len = put(m->data, m->len, 0x06064b50, 4);
        m->len = put(m->data, m->len, 44, 8);
        m->len = put(m->data, m->len, 0x002d002d, 4);
        m->len = put(m->data, m->len, 0, 8);
        m->len = put(m->data, m->len, m->count, 8);
        m->len = put(m->data, m->len, m->count, 8);
        m->len = put(m->data, m->len, m->directory_len, 8);
        m->len = put(m->data, m->len, begin, 8);
        m->len = put(m->data, m->len, 0x07064b50, 4);
        m->len = put(m->data, m->len, 0, 4);
        m->len = put(m->data, m->len, end64, 8);
        m->len = put(m->data, m->len, 1, 4);
    }
    m->len = put(m->data, m->len, 0x06054b50, 4);
    m->len = put(m->data, m->len, 0, 4);
    m->len = put(m->data, m->len, m->count, 2);
    m->len = put(m->data, m->len, m->count, 2);
    m->len = put(m->data, m->len, zip64 ? 0xffffffff : m->directory_len, 4);
    m->len = put(m->data, m->len, zip64 ? 0xffffffff : begin, 4);
    m->len = put(m->data, m->len, 0, 2);
}

static enum ptcheck check_bytes(const void *data, size_t len, int directory,
                                char *note, size_t size,
                                struct relay_error *err)
{
    temp_write("state.pt", data, len);
    return ptcheck_file(temp.fd, "state.pt", directory, note, size, err);
}

static enum ptcheck check(const struct maker *m)
{
    struct relay_error err = {0};
    char note[200];
    enum ptcheck result = check_bytes(m->data, m->len, 0, note, sizeof(note),
                                      &err);

    if (result == PT_BAD)
        assert_int_equal(err.code, EX_DATAERR);
    assert_int_equal(result == PT_UNVERIFIABLE, note[0] != '\0');
    return result;
}

/* Two entries and an empty one. */
static void make(struct maker *m, int how, bool zip64)
{
    memset(m, 0, sizeof(*m));
    add(m, "run/data.pkl", "\x80\x02}q\x00.", 6, how);
    add(m, "run/data/0", "0123456789abcdef0123456789abcdef", 32, how);
    add(m, "run/empty", "", 0, how);
    finish(m, zip64);
}

static void accepts_every_layout(void **state)
{
    static const int hows[] = {0, DESCRIPTOR, ZIP64, DESCRIPTOR | ZIP64,
                               DEFLATE, DEFLATE | DESCRIPTOR,
                               DESCRIPTOR | NO_SIG,
                               DESCRIPTOR | NO_SIG | ZIP64};
    struct maker m;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(hows) / sizeof(hows[0]); i++) {
        make(&m, hows[i], false);
        assert_int_equal(check(&m), PT_GOOD);
        make(&m, hows[i], true);
        assert_int_equal(check(&m), PT_GOOD);
    }
}

static void accepts_a_comment(void **state)
{
    struct maker m;

    (void)state;
    make(&m, 0, false);
    put(m.data, m.len - 2, 5, 2);
    m.len = put_bytes(m.data, m.len, "PK\5\6!", 5);
    assert_int_equal(check(&m), PT_GOOD);
}

static void every_truncation_is_bad(void **state)
{
    struct relay_error err = {0};
    struct maker m;
    size_t len;

    (void)state;
    make(&m, DESCRIPTOR, true);
    for (len = 0; len < m.len; len++) {
        enum ptcheck full = check_bytes(m.data, len, 0, NULL, 0, &err);
        enum ptcheck look = check_bytes(m.data, len, 1, NULL, 0, &err);

        if (full != PT_BAD || look != PT_BAD)
            print_error("cut at %zu of %zu\n", len, m.len);
        assert_int_equal(full, PT_BAD);
        assert_int_equal(look, PT_BAD);
    }
}

static void every_flipped_bit_of_data_is_bad(void **state)
{
    struct relay_error err = {0};
    struct maker m = {0};
    size_t at, i;

    (void)state;
    at = add(&m, "run/data/0", "0123456789abcdef", 16, DESCRIPTOR);
    finish(&m, false);
    for (i = 0; i < 16 * 8; i++) {
        m.data[at + i / 8] ^= (unsigned char)(1 << (i % 8));
        assert_int_equal(check_bytes(m.data, m.len, 0, NULL, 0, &err), PT_BAD);
        assert_non_null(strstr(err.text, "run/data/0"));
        /* The cheap look does not read them. */
        assert_int_equal(check_bytes(m.data, m.len, 1, NULL, 0, &err),
                         PT_GOOD);
        m.data[at + i / 8] ^= (unsigned char)(1 << (i % 8));
    }
}

/* Whatever bit is flipped, the answer is an answer, and the data that passes
 * as good is the data that was written. */
static void no_flipped_bit_does_harm(void **state)
{
    struct relay_error err = {0};
    struct maker m;
    size_t i, good = 0;

    (void)state;
    make(&m, DEFLATE | ZIP64, true);
    for (i = 0; i < m.len * 8; i++) {
        m.data[i / 8] ^= (unsigned char)(1 << (i % 8));
        good += check_bytes(m.data, m.len, 0, NULL, 0, &err) == PT_GOOD;
        m.data[i / 8] ^= (unsigned char)(1 << (i % 8));
    }
    /* Times, versions, flags and attributes say nothing of the data. */
    assert_true(good < m.len * 8 / 2);
    assert_int_equal(check(&m), PT_GOOD);
}

static void bytes_in_front_or_behind_are_bad(void **state)
{
    struct relay_error err = {0};
    struct maker m;
    unsigned char shifted[65540] = {0};

    (void)state;
    make(&m, 0, false);
    memcpy(shifted + 1, m.data, m.len);
    assert_int_equal(check_bytes(shifted, m.len + 1, 0, NULL, 0, &err),
                     PT_BAD);
    m.data[m.len++] = 'x';
    assert_int_equal(check(&m), PT_BAD);
}

static void overlapping_entries_are_bad(void **state)
{
    struct maker m = {0};

    (void)state;
    add(&m, "a", "same", 4, 0);
    put_central(&m, "a", (uint32_t)crc32(0, (const Bytef *)"same", 4), 4, 4, 0,
                0);
    finish(&m, false);
    assert_int_equal(check(&m), PT_BAD);
    memset(&m, 0, sizeof(m));
    add(&m, "a", "same", 4, 0);
    add(&m, "b", "more", 4, 0);
    put(m.directory, 20, 44, 4); /* sizes of "a" now reach into "b" */
    put(m.directory, 24, 44, 4);
    finish(&m, false);
    assert_int_equal(check(&m), PT_BAD);
}

static void entries_outside_are_bad(void **state)
{
    static const uint64_t places[] = {1, 5000, 0xfffffffe, 0x7fffffffffffffff,
                                      0xffffffffffffffff};
    struct maker m;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        memset(&m, 0, sizeof(m));
        add(&m, "a", "data", 4, ZIP64);
        put(m.directory, m.directory_len - 8, places[i], 8);
        finish(&m, true);
        assert_int_equal(check(&m), PT_BAD);
        memset(&m, 0, sizeof(m));
        add(&m, "a", "data", 4, ZIP64);
        put(m.directory, m.directory_len - 16, places[i], 8); /* csize */
        finish(&m, true);
        assert_int_equal(check(&m), PT_BAD);
        memset(&m, 0, sizeof(m));
        add(&m, "a", "data", 4, 0);
        finish(&m, true);
        put(m.data, m.len - 22 - 20 - 56 + 40, places[i], 8); /* directory */
        assert_int_equal(check(&m), PT_BAD);
        memset(&m, 0, sizeof(m));
        add(&m, "a", "data", 4, 0);
        finish(&m, true);
        put(m.data, m.len - 22 - 20 - 56 + 32, places[i] + 1, 8); /* count */
        assert_int_equal(check(&m), PT_BAD);
        memset(&m, 0, sizeof(m));
        add(&m, "a", "data", 4, 0);
        finish(&m, true);
        put(m.data, m.len - 22 - 20 + 8, places[i], 8); /* locator */
        assert_int_equal(check(&m), PT_BAD);
    }
}

static void inflating_to_more_than_said_is_bad(void **state)
{
    struct maker m = {0};
    char zeros[4000] = {0};

    (void)state;
    add(&m, "bomb", zeros, sizeof(zeros), DEFLATE);
    put(m.directory, 24, 100, 4);
    put(m.data, 22, 100, 4);
    finish(&m, false);
    assert_int_equal(check(&m), PT_BAD);
}

static void what_cannot_be_checked_says_so(void **state)
{
    struct relay_error err = {0};
    char note[200] = "";
    struct maker m;

    (void)state;
    make(&m, NO_CRC, true);
    assert_int_equal(check(&m), PT_UNVERIFIABLE);
    assert_int_equal(check_bytes("\x80\x02\x8a\nl\xfc\x9c""F\xf9 j\xa8P\x19.",
                                 15, 0, note, sizeof(note), &err),
                     PT_UNVERIFIABLE);
    assert_non_null(strstr(note, "pickle"));
    assert_int_equal(check_bytes("\x89HDF\r\n\x1a\n", 8, 0, note, sizeof(note),
                                 &err), PT_UNVERIFIABLE);
    memset(&m, 0, sizeof(m));
    add(&m, "a", "data", 4, 0);
    put(m.directory, 10, 14, 2); /* LZMA */
    put(m.data, 8, 14, 2);
    finish(&m, false);
    assert_int_equal(check(&m), PT_UNVERIFIABLE);
}

static void lost_bytes_are_bad(void **state)
{
    struct relay_error err = {0};
    static const char zeros[5000];

    (void)state;
    assert_int_equal(check_bytes("", 0, 0, NULL, 0, &err), PT_BAD);
    assert_int_equal(err.code, EX_DATAERR);
    assert_int_equal(check_bytes(zeros, sizeof(zeros), 0, NULL, 0, &err),
                     PT_BAD);
    assert_int_equal(check_bytes("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                                 22, 0, NULL, 0, &err), PT_BAD);
}

static void reads_only_files(void **state)
{
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(ptcheck_file(temp.fd, "none.pt", 0, NULL, 0, &err),
                     PT_BAD);
    assert_int_equal(err.code, EX_NOINPUT);
    assert_int_equal(mkfifoat(temp.fd, "fifo.pt", 0600), 0);
    assert_int_equal(ptcheck_file(temp.fd, "fifo.pt", 0, NULL, 0, &err),
                     PT_BAD);
    assert_int_equal(err.code, EX_IOERR);
    temp_text("real.pt", "PK");
    assert_int_equal(symlinkat("real.pt", temp.fd, "link.pt"), 0);
    assert_int_equal(ptcheck_file(temp.fd, "link.pt", 0, NULL, 0, &err),
                     PT_BAD);
    assert_int_equal(err.code, EX_IOERR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_every_layout),
        cmocka_unit_test(accepts_a_comment),
        cmocka_unit_test(every_truncation_is_bad),
        cmocka_unit_test(every_flipped_bit_of_data_is_bad),
        cmocka_unit_test(no_flipped_bit_does_harm),
        cmocka_unit_test(bytes_in_front_or_behind_are_bad),
        cmocka_unit_test(overlapping_entries_are_bad),
        cmocka_unit_test(entries_outside_are_bad),
        cmocka_unit_test(inflating_to_more_than_said_is_bad),
        cmocka_unit_test(what_cannot_be_checked_says_so),
        cmocka_unit_test(lost_bytes_are_bad),
        cmocka_unit_test(reads_only_files),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
