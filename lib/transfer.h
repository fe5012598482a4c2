/*
 * Copying files from a peer into a staging directory by rsync, as
 * reference rules of doc/transfer.md: pull into a fresh 0700 directory, -W,
 * --append-verify on a retry, never --delete, -z, --append. rsync's exit 0 is
 * not proof: the caller compares digests.
 */
#ifndef RELAY_TRANSFER_H
#define RELAY_TRANSFER_H

#include <stdint.h>

#include "manifest.h"
#include "peer.h"

struct transfer {
    const struct peer *peer;
    const char *from;          /* absolute directory on the peer */
    const char *to;            /* absolute directory here, exists, ours */
    const struct manifest *files; /* what to copy: exactly these */
    int64_t stall_s;           /* no byte for so long: end and retry (60) */
    int64_t wait_s;            /* give up after so long without progress */
    void (*say)(void *arg, const char *text); /* a line for people */
    void (*progress)(void *arg, int64_t done, int64_t total); /* or NULL */
    void *arg;
};

/* Copies. Retries transient failures with exponential backoff whose budget
 * resets on progress. Files that are here already with the digest of the
 * manifest are not copied again. Returns 0 when rsync is content; -1 with
 * EX_UNAVAILABLE (rsync missing there, authentication), EX_TEMPFAIL,
 * EX_CANTCREAT (no space here), EX_IOERR. *took_ms may be NULL. */
int transfer_pull(const struct transfer *t, int64_t *took_ms,
                  struct relay_error *err);

/* Pushes a directory of ours to to_dir on the peer (auto-sync), same rules. */
int transfer_push(const struct transfer *t, struct relay_error *err);

/* Room for bytes and files on the file system of dir (statvfs, then a
 * posix_fallocate of the size, removed at once), and a write, link, rename
 * and exchange probe. 0, or -1 EX_CANTCREAT saying what is missing. */
int transfer_room(int dirfd, const char *dir, int64_t bytes, int64_t files,
                  struct relay_error *err);

#endif
