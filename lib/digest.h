/* Digests by libcrypto. */
#ifndef RELAY_DIGEST_H
#define RELAY_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define DIGEST_HEX 65 /* sha256 in hex and NUL */

/* SHA-1 of an expanded key's bytes, 40 hex digits and NUL; a key that is a
 * hash already is copied in lower case. Returns 0 or -1. */
int digest_key(const char *key, char hash[41], struct relay_error *err);

/* SHA-256 of len bytes, hex into hex[65]. 0 or -1 (EX_SOFTWARE). */
int digest_text(const char *text, size_t len, char hex[DIGEST_HEX],
                struct relay_error *err);

/* SHA-256 of a regular file (O_NOFOLLOW), hex into hex[65]. tick, may be
 * NULL, is called with the bytes done so far every 64 MiB or so; non-zero
 * ends it. Returns 0 or -1 (EX_NOINPUT, EX_IOERR). */
int digest_file(int dirfd, const char *path, char hex[DIGEST_HEX],
                int (*tick)(void *arg, uint64_t done), void *arg,
                struct relay_error *err);

#endif
