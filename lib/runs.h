/* The resume directories below a resume_root. */
#ifndef RELAY_RUNS_H
#define RELAY_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct run_entry {
    char hash[41];
    char *name;     /* run name, or NULL when the meta cannot be read */
    char *key;      /* ENTITY/PROJECT/NAME when the meta or our records say */
    int64_t step;   /* -1 */
    int64_t mtime;  /* of the meta */
    bool completed;
    bool stub;
    char moved_to[64];
};

struct run_list {
    struct run_entry *runs;
    size_t n;
};

/* Reads every <root>/<40 hex>/resume_meta.json (no records of ours: those
 * are for runs_state). Sorted by name. A root that does not exist is an
 * empty list. 10,000 directories must take well under a second. 0 or -1. */
int runs_list(const char *root, struct run_list *list,
              struct relay_error *err);
void runs_free(struct run_list *list);

/* The n entries nearest to name by edit distance (smaller first), as lines
 * "  NAME (step N)" in a malloc'd text; "" when there are none. */
char *runs_nearest(const struct run_list *list, const char *name, size_t n);

/* Resolves what a person typed (key, hash, unique hash prefix of 6 or more
 * digits, or exact run name) to a hash. 0; -1 with EX_DATAERR and the nearest
 * names, or all that fit. */
int runs_resolve(const struct run_list *list, const char *typed,
                 char hash[41], struct relay_error *err);

#endif
