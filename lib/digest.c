#include "digest.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "key.h"

#define BLOCK ((size_t)1 << 20)
#define TICK_BYTES ((uint64_t)64 << 20)

static void to_hex(const unsigned char *raw, size_t len, char *hex)
{
    size_t i;

    for (i = 0; i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", raw[i]);
}

int digest_key(const char *key, char hash[41], struct relay_error *err)
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    size_t i;

    if (key_is_hash(key)) {
        for (i = 0; i < KEY_HASH_LEN; i++)
            hash[i] = (char)tolower((unsigned char)key[i]);
        hash[KEY_HASH_LEN] = '\0';
        return 0;
    }
    if (EVP_Digest(key, strlen(key), raw, &len, EVP_sha1(), NULL) != 1 ||
        len != KEY_HASH_LEN / 2)
        return relay_fail(err, EX_SOFTWARE,
                          "libcrypto cannot make a SHA-1 (a FIPS policy?); "
                          "give the key as its 40 hex digits");
    to_hex(raw, len, hash);
    return 0;
}

int digest_text(const char *text, size_t len, char hex[DIGEST_HEX],
                struct relay_error *err)
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned int n = 0;

    if (EVP_Digest(text, len, raw, &n, EVP_sha256(), NULL) != 1 ||
        n * 2 + 1 != DIGEST_HEX)
        return relay_fail(err, EX_SOFTWARE, "libcrypto has no SHA-256");
    to_hex(raw, n, hex);
    return 0;
}

struct tick {
    int (*call)(void *arg, uint64_t done);
    void *arg;
};

/* 0, or -1 with errno; ECANCELED when the caller's tick ended it. */
static int digest_bytes(int fd, EVP_MD_CTX *ctx, const struct tick *tick)
{
    unsigned char *buf = malloc(BLOCK);
    uint64_t done = 0, told = 0;
    ssize_t n = -1;

    while (buf != NULL && (n = read(fd, buf, BLOCK)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        if (EVP_DigestUpdate(ctx, buf, (size_t)n) != 1) {
            errno = EIO;
            n = -1;
            break;
        }
        done += (uint64_t)n;
        if (tick->call != NULL && done - told >= TICK_BYTES) {
            told = done;
            if (tick->call(tick->arg, done) != 0) {
                errno = ECANCELED;
                n = -1;
                break;
            }
        }
    }
    free(buf);
    return n == 0 ? 0 : -1;
}

static int digest_fd(int fd, const char *where, char hex[DIGEST_HEX],
                     const struct tick *tick, struct relay_error *err)
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int rc = -1;

    if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
        relay_fail(err, EX_SOFTWARE, "libcrypto cannot make a SHA-256");
    else if (digest_bytes(fd, ctx, tick) != 0)
        relay_fail_errno(err, errno == ECANCELED ? EX_TEMPFAIL : EX_IOERR,
                         "cannot digest %s", where);
    else if (EVP_DigestFinal_ex(ctx, raw, &len) != 1)
        relay_fail(err, EX_SOFTWARE, "libcrypto cannot make a SHA-256");
    else
        rc = 0;
    if (rc == 0)
        to_hex(raw, len, hex);
    EVP_MD_CTX_free(ctx);
    return rc;
}

int digest_file(int dirfd, const char *path, char hex[DIGEST_HEX],
                int (*tick)(void *arg, uint64_t done), void *arg,
                struct relay_error *err)
{
    char where[PATH_MAX];
    struct tick t = {tick, arg};
    struct stat st;
    int rc = -1;
    int fd = openat(dirfd, path,
                    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    file_where(dirfd, path, where, sizeof(where));
    if (fd < 0)
        return relay_fail_errno(err, errno == ENOENT ? EX_NOINPUT : EX_IOERR,
                                "cannot open %s", where);
    if (fstat(fd, &st) != 0)
        relay_fail_errno(err, EX_IOERR, "cannot look at %s", where);
    else if (!S_ISREG(st.st_mode))
        relay_fail(err, EX_IOERR, "%s is not a regular file", where);
    else
        rc = digest_fd(fd, where, hex, &t, err);
    close(fd);
    return rc;
}
