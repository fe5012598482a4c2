/*
 * Snapshots: the board as one file, snapshots/N, so that a newcomer need not
 * read every ledger from its beginning. Like a ledger it is a hint. N is
 * linked after N - 1 was read, so each has all that the one before it had.
 */
#ifndef RELAY_SWEEP_SNAPSHOT_H
#define RELAY_SWEEP_SNAPSHOT_H

#include <stdint.h>

#include "board.h"
#include "error.h"
#include "ledger.h"

#define SNAPSHOT_DIR "snapshots"

/* Takes the newest snapshot into board and writers when it is newer than
 * *number, which becomes its number. Of a damaged one the one before it is
 * taken. 1 it was, 0 not, -1 error. */
int snapshot_load(int dirfd, int64_t *number, struct board *board,
                  struct ledger_writers *writers, struct relay_error *err);

/* Links the board as snapshot *number + 1 and drops the one before *number.
 * 1 done (and *number is one more), 0 another was faster, -1 error. */
int snapshot_save(int dirfd, int64_t *number, const struct board *board,
                  const struct ledger_writers *writers, const char *writer,
                  struct relay_error *err);

#endif
