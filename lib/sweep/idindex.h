/*
 * From an id to its index: 16 bytes a cell, sorted, made once and mapped. Of
 * the id only its key is kept (roster_id_key): who finds one compares.
 *
 *     "RELAYIDS"  8 bytes
 *     format      4 bytes, little-endian like all that follows: 1
 *     entry size  4 bytes: 16
 *     entries     8 bytes
 *     cells       8 bytes, roster_size
 *     then for each entry: key, index; sorted by both
 */
#ifndef RELAY_SWEEP_IDINDEX_H
#define RELAY_SWEEP_IDINDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "roster.h"

struct id_entry {
    uint64_t key; /* little-endian, as in the file */
    uint64_t index;
};

struct id_index {
    const struct id_entry *entries;
    size_t n;
    void *file; /* the whole file, header and all */
    size_t len;
    bool mapped; /* else malloc'd */
};

/* Called every now and then while ids are made; all zero: not. */
struct id_progress {
    void (*tell)(void *arg, uint64_t done, uint64_t total);
    void *arg;
};

/* Computes the ids of a roster. name is the source's, for the message that
 * two cells have one id, which is EX_DATAERR and names both. 0 or -1. */
int id_index_make(const struct roster *roster, const char *name,
                  const struct id_progress *progress, struct id_index *ids,
                  struct relay_error *err);

/* Loads the file of a roster; map it when the file will never be removed. 0,
 * or -1: as file_read; EX_DATAERR when it is not of this roster, EX_CONFIG
 * when it was made by a newer version. */
int id_index_load(int dirfd, const char *path, const struct roster *roster,
                  bool map, struct id_index *ids, struct relay_error *err);

void id_index_free(struct id_index *ids);

/* The first entry with a key of at least key; n when there is none. */
size_t id_index_seek(const struct id_index *ids, uint64_t key);

uint64_t id_index_key(const struct id_index *ids, size_t at);
uint64_t id_index_at(const struct id_index *ids, size_t at);

#endif
