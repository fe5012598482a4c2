/* One run of rsync, for transfer.c. */
#ifndef RELAY_TRANSFER_RSYNC_H
#define RELAY_TRANSFER_RSYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "transfer.h"

enum rsync_mode {
    RSYNC_WHOLE,  /* -W: whole files, by a temporary name */
    RSYNC_APPEND, /* --append-verify: goes on with partial files */
    RSYNC_PUSH    /* -W towards the peer, renamed at the end */
};

/* How a run ended, and what that means for the next one. */
enum rsync_end {
    RSYNC_GOOD,
    RSYNC_AGAIN, /* transient: wait and go on */
    RSYNC_ONCE,  /* odd: worth one more try */
    RSYNC_NEVER, /* time does not heal it */
    RSYNC_ENDED  /* a signal told us to end */
};

struct rsync_run {
    const struct transfer *t;
    enum rsync_mode mode;
    const struct manifest *files; /* these */
    int dirfd;          /* our side's directory */
    int64_t had;        /* bytes that were there before transfer_pull's work */
    int64_t total;      /* of the whole transfer */
    int64_t hash_bytes; /* read on both sides before the first new byte */
    int64_t grown_at;   /* out: clock_ms() of the last new byte */
    int64_t here;       /* out: bytes seen below dirfd */
};

/* Runs rsync once and classifies its end with a look at the peer (exit codes
 * cannot tell: doc/transfer.md). err is filled unless it was good. */
enum rsync_end rsync_run(struct rsync_run *run, struct relay_error *err);

/* Sum of the sizes of the regular files below dirfd, temporary ones too. */
int64_t rsync_tree_bytes(int dirfd);

/* The name behind rsync's temporary name `.NAME.XXXXXX`: copies NAME and
 * returns true, or false when name is not of that form. */
bool rsync_temp_name(const char *name, char *of, size_t size);

#endif
