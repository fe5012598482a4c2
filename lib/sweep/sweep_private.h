/* What the files of sweep*.c share. */
#ifndef RELAY_SWEEP_PRIVATE_H
#define RELAY_SWEEP_PRIVATE_H

#include <sys/stat.h>

#include "sweep.h"

#define SWEEP_FILE "sweep.json"
#define SOURCE_DIR "source"
#define IDS_FILE "ids"
#define SWEEP_ENDING ".sweep"
#define OUT_ROOT_FILE "out_root" /* where a worker was told to write */
#define COPY_FILE "copy_of" /* in a copy of a sweep on another cluster: its
                               name there. It has no queue of its own */
#define OUT_DIR "out" /* beside the sweep, where nothing else is said */
#define DEFAULT_OUT "{project}/{group}/{id}"
#define DEFAULT_OUT_NO_PROJECT "{group}/{id}"
#define DEFAULT_OUT_RUN_ID "{id}" /* a CSV names its runs itself */

enum { DEFAULT_RETRIES = 3 };

/* --- sweep_json.c --- */

/* Reads sweep.json into a sweep whose path and fd are set. 0 or -1. */
int sweep_read_json(struct sweep *sweep, struct relay_error *err);

/* Writes it of a sweep that is filled. 0 or -1. */
int sweep_write_json(const struct sweep *sweep, int dirfd,
                     struct relay_error *err);

/* --- sweep_version.c: source/N/ --- */

/* Writes the source of a roster and its ids into a new directory dir, all of
 * it synced. 0 or -1: then there may be a part of it. */
int version_write(int dirfd, const char *dir, const char *file,
                  const struct roster *roster, const struct id_index *ids,
                  struct relay_error *err);

/* Reads the newest version into sweep, in the place of what it had. 1; 0 when
 * it has that one already; -1, and it has what it had. */
int version_load(struct sweep *sweep, struct relay_error *err);

/* --- sweep_stale.c --- */

/* Removes the temporary directories in dirfd that begin with prefix and are
 * an hour older than our own there, both by the clock of the file server: who
 * made them was killed, for a sweep is computed before it is written. */
void stale_remove(int dirfd, const char *prefix, const char *own);

/* --- sweep_growth.c --- */

/* A source that was frozen and what it is now. */
struct growth {
    const char *path; /* for messages */
    enum roster_kind kind;
    const char *old;
    size_t old_len;
    const char *now;
    size_t now_len;
    bool (*claimed)(void *arg, uint64_t index); /* may be NULL */
    void *arg;
    size_t nkept;  /* out: claimed lines that were commented out */
    int kept_line; /* out: number of the first of them */
    struct text kept; /* out: when there are any: the source with these lines
                         as they were, to be taken in its place; growth_free */
};

/* Did it only grow? 1 and *whole, how much of now (of kept, if there is any)
 * is to be taken; 0: it is the same; -1 with EX_DATAERR and PATH:LINE of what
 * was changed. */
int growth_check(struct growth *growth, size_t *whole,
                 struct relay_error *err);
void growth_free(struct growth *growth);

/* --- sweep_same.c --- */

/* Is the sweep of that source with those options? 0; -1 with EX_CANTCREAT and
 * what differs. */
int sweep_same(const struct sweep *sweep, const struct sweep_create *create,
               struct relay_error *err);

/* --- sweep_dir.c: where cells write --- */

/* Checks a template: {id} or {index} is in it, no "..", no unknown name. 0 or
 * -1 (EX_DATAERR). */
int template_check(const char *template, struct relay_error *err);

/* Fills out_root or out_trouble. 0 or -1 (out of memory). */
int sweep_find_out_root(struct sweep *sweep, struct relay_error *err);

/* --- sweep.c --- */

/* The directory that a source's sweep has by default: absolute, malloc'd; or
 * NULL. */
char *sweep_default_dir(const char *source, struct relay_error *err);

/* path made absolute: that of its directory without symlinks, and its name.
 * It need not exist itself. malloc'd, or NULL (EX_NOINPUT). */
char *absolute_path(const char *path, struct relay_error *err);

void mark_of(const struct stat *st, struct sweep_mark *mark);
bool mark_equal(const struct sweep_mark *a, const struct sweep_mark *b);

#endif
