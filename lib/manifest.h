/* A list of files with sizes and digests (doc/protocol.md, section 6). */
#ifndef RELAY_MANIFEST_H
#define RELAY_MANIFEST_H

#include <json-c/json.h>
#include <stdint.h>

#include "error.h"

struct manifest_file {
    char *path; /* relative to the directory */
    int64_t size;
    int64_t mtime_ns;
    char sha256[65]; /* "" while unknown */
};

struct manifest {
    struct manifest_file *files;
    size_t n;
    int64_t bytes; /* sum of the sizes */
};

/* Appends a copy. 0; -1 with EX_DATAERR for a path that is absolute or leads
 * out of the directory, a negative size, or a digest that is none ("" or NULL
 * for unknown), else out of memory. */
int manifest_add(struct manifest *m, const char *path, int64_t size,
                 int64_t mtime_ns, const char *sha256,
                 struct relay_error *err);
void manifest_free(struct manifest *m);
const struct manifest_file *manifest_find(const struct manifest *m,
                                          const char *path);

/* Walks a directory here (regular files only, sorted; symlinks and special
 * files are EX_DATAERR). with_digests reads every byte. 0 or -1. */
int manifest_of_dir(int dirfd, const char *path, int with_digests,
                    struct manifest *m, struct relay_error *err);

/* The names that want has and have lacks, or that differ in size or digest:
 * writes the first ones into text. Returns their number; 0 is equal. */
size_t manifest_diff(const struct manifest *want, const struct manifest *have,
                     char *text, size_t size);

struct json_object *manifest_to_json(const struct manifest *m);
int manifest_from_json(struct json_object *array, struct manifest *m,
                       struct relay_error *err);

#endif
