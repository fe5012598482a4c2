/*
 * Is this checkpoint file whole? torch.save writes a ZIP of stored entries
 * with CRC-32s that torch itself does not check on reading.
 */
#ifndef RELAY_PTCHECK_H
#define RELAY_PTCHECK_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum ptcheck {
    PT_GOOD,          /* every entry's CRC and size are right */
    PT_UNVERIFIABLE,  /* legacy pickle, or entries without CRC */
    PT_BAD            /* truncated, or bytes differ: err says which entry */
};

/* Checks <dirfd>/path: end record, ZIP64, central directory, each local
 * header, sizes, CRC-32 (deflated entries are inflated). directory_only
 * checks all but the CRCs (cheap, for a look). note (may be NULL) gets why a
 * file is unverifiable. PT_BAD when it cannot be read, too: err->code is
 * EX_DATAERR for a file that is damaged, EX_NOINPUT or EX_IOERR when it could
 * not be read, EX_TEMPFAIL when a signal asked us to end meanwhile. */
enum ptcheck ptcheck_file(int dirfd, const char *path, int directory_only,
                          char *note, size_t note_size,
                          struct relay_error *err);

/* The same for an open file; where is its name for messages. */
enum ptcheck ptcheck_fd(int fd, const char *where, int directory_only,
                        char *note, size_t note_size,
                        struct relay_error *err);

#endif
