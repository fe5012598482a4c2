/*
 * A sweep: a directory on the shared file system that is the queue of one
 * source (doc/sweeps.md).
 *
 *     sweep.json    what it is, made last: a directory without it is none
 *     source/NAME   the frozen source
 *     ids           16 bytes a cell, sorted: id key and index
 *     claims/ records/ ledgers/ snapshots/    queue.h
 */
#ifndef RELAY_SWEEP_SWEEP_H
#define RELAY_SWEEP_SWEEP_H

#include "error.h"
#include "lint.h"
#include "roster.h"

struct sweep {
    char *path;  /* absolute */
    int fd;      /* the directory */
    char *name;  /* roster's name, for people and for WANDB_RUN_GROUP */
    char *entity;  /* of the source, else the user's name */
    char *project; /* of the source, else the sweep's name */
    char *source;  /* the live source, absolute; it may be gone */
    struct roster *roster;  /* of the frozen source */
    struct roster_options options;
    char *out;     /* template of a cell's directory, see sweep_cell_dir */
    int retries;   /* failures before a cell is left alone */
    const void *ids; /* the file ids, mapped */
    size_t nids;
    int64_t created;
};

struct sweep_create {
    const char *source;
    const char *dir; /* NULL: the source's name with .sweep, in the working
                        directory */
    struct roster_options options;
};

/* Makes a sweep directory: all of it in a temporary directory beside, fsynced
 * and renamed; so that of eight that make it at once one wins and the others
 * find it. When it is there already: 0 if it is of this very source and
 * options, -1 with EX_CANTCREAT if it is another's. Ids are checked: two
 * cells with one id are EX_DATAERR naming both. path (of 4096 bytes) gets
 * the directory. */
int sweep_create(const struct sweep_create *create, char *path, size_t size,
                 struct lint *lint, struct relay_error *err);

/* Opens DIR, or for a file the directory that sweep_create would make of it.
 * 0; -1 with EX_NOINPUT, EX_CONFIG (made by a newer version), EX_DATAERR.
 * sweep_close in all cases. */
int sweep_open(const char *path, struct sweep *sweep, struct relay_error *err);
void sweep_close(struct sweep *sweep);

/* Takes in what was appended to the live source since (CSV and queue files;
 * nothing for the others, or when it is gone). What stood there must stand
 * there still, but for lines of unclaimed cells that were commented out:
 * claimed() says which are claimed. 1 something new, 0 nothing, -1 EX_DATAERR
 * with FILE:LINE of what was changed. The roster is another one after 1. */
int sweep_refresh(struct sweep *sweep,
                  bool (*claimed)(void *arg, uint64_t index), void *arg,
                  struct relay_error *err);

/* Index of the cell of an id, of its beginning (8 characters or more, only
 * one fits), or of "#INDEX". 0; -1 with EX_USAGE, naming the nearest. */
int sweep_find(const struct sweep *sweep, const char *what, uint64_t *index,
               struct relay_error *err);

/* The output directory of a cell, absolute: template with {project} {entity}
 * {group} {name} {id} {index}, relative to out_root (else $RELAY_OUT_ROOT,
 * else clusters.NAME.out_root of the configuration, else the directory that
 * the sweep is in). malloc'd, or NULL. */
char *sweep_cell_dir(const struct sweep *sweep, const struct cell *cell,
                     const char *out_root, struct relay_error *err);

/* ENTITY/PROJECT/ID: the resume key of a cell. 0 or -1 (EX_USAGE, as
 * key_check). */
int sweep_cell_key(const struct sweep *sweep, const char *id, char *key,
                   size_t size, struct relay_error *err);

#endif
