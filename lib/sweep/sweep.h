/*
 * A sweep: a directory on the shared file system that is the queue of one
 * source (doc/sweeps.md).
 *
 *     sweep.json        what it is; a directory without it is none
 *     source/1/NAME     the frozen source
 *     source/1/ids      16 bytes a cell, sorted: id key and index (idindex.h)
 *     source/2/ ...     the same, as the source grew: the largest counts
 *     claims/ records/ ledgers/ snapshots/    queue.h
 *
 * A version of the source and its ids come into being together, by one rename
 * that only one of several writers succeeds in.
 */
#ifndef RELAY_SWEEP_SWEEP_H
#define RELAY_SWEEP_SWEEP_H

#include "error.h"
#include "idindex.h"
#include "lint.h"
#include "roster.h"

/* A file as it was when it was looked at. */
struct sweep_mark {
    int64_t size;
    int64_t sec;
    int64_t nsec;
    uint64_t inode;
};

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
    struct id_index ids; /* of the cells that have an id */
    int64_t created;
    char note[512]; /* of the last sweep_refresh that read the source: a
                       claimed line was commented out; "": nothing. Who has
                       said it makes it "" */

    /* the rest is sweep*.c's own */
    char *file;         /* NAME in source/N/ */
    char *user;         /* who made it */
    int64_t version;    /* N */
    struct sweep_mark seen;     /* of the live source, when last read */
    struct sweep_mark versions; /* of source/, when last listed */
    struct relay_config_file *configs; /* digests of #RELAY config, frozen */
    size_t nconfigs;
    char *out_root;     /* where templates begin; NULL: out_trouble says why */
    bool out_beside;    /* for nothing says where: beside the sweep */
    char *out_noted; /* what sweep_note_out_root kept; NULL: nothing */
    char *out_trouble;
};

struct sweep_create {
    const char *source;
    const char *dir; /* NULL: the source's name with .sweep, in the working
                        directory */
    struct roster_options options;
    /* Called now and then, when it takes long; may be NULL. */
    void (*progress)(void *arg, uint64_t done, uint64_t total);
    void *progress_arg;
};

/* Makes a sweep directory: all of it in a temporary directory beside, fsynced
 * and renamed; so that of eight that make it at once one wins and the others
 * find it. When it is there already: 0 if it is of this very source and
 * options (a source that only grew is this one; sweep_refresh takes in what
 * is new), -1 with EX_CANTCREAT and what differs if it is another's. Ids are
 * checked: two cells with one id are EX_DATAERR naming both. path (of 4096
 * bytes) gets the directory. */
int sweep_create(const struct sweep_create *create, char *path, size_t size,
                 struct lint *lint, struct relay_error *err);

/* Was the sweep made with these options? 0; -1 with EX_CANTCREAT and the one
 * that differs. */
int sweep_same_options(const struct sweep *sweep,
                       const struct roster_options *opt,
                       struct relay_error *err);

/* Is path the directory of a sweep? */
bool sweep_is(const char *path);

/* Opens DIR, or for a file the directory that sweep_create would make of it.
 * 0; -1 with EX_NOINPUT, EX_CONFIG (made by a newer version), EX_DATAERR.
 * sweep_close in all cases. */
int sweep_open(const char *path, struct sweep *sweep, struct relay_error *err);
void sweep_close(struct sweep *sweep);

/* Takes in what was appended to the live source since (CSV and queue files;
 * nothing for the others, or when it is gone), and what others took in. What
 * stood there must stand there still, but for lines of a queue file that were
 * commented out while unclaimed: claimed() says which are claimed (NULL: none
 * is; those stay cells, and note says so). A last line without its line break
 * is still being written. 1 something new, 0 nothing, -1 EX_DATAERR with FILE:LINE of what was changed (the sweep
 * is as it was). The roster is another one after 1. Two calls to the file
 * system when nothing happened. */
int sweep_refresh(struct sweep *sweep,
                  bool (*claimed)(void *arg, uint64_t index), void *arg,
                  struct relay_error *err);

/* Index of the cell of an id, of its beginning (8 characters or more, only
 * one fits), of "#INDEX", or of a number of fewer than 8 digits that is no
 * id. One that is withdrawn is found, too. 0; -1 with EX_USAGE, naming the
 * nearest. */
int sweep_find(const struct sweep *sweep, const char *what, uint64_t *index,
               struct relay_error *err);

/* The output directory of a cell, absolute: template with {project} {entity}
 * {group} {name} {id} {index}, relative to out_root (else $RELAY_OUT_ROOT,
 * else what sweep_note_out_root kept, else clusters.NAME.out_root of the
 * configuration, else out/ beside the sweep). A template without {id} and {index} or with ".." is refused at
 * creation. What a name has that a path cannot have becomes "_". malloc'd, or
 * NULL. */
char *sweep_cell_dir(const struct sweep *sweep, const struct cell *cell,
                     const char *out_root, struct relay_error *err);

/* Keeps that cells write below out_root (an absolute path), for commands that
 * are not told. The first one counts. 0; 1 when it is another, which
 * sweep->out_noted is then; -1 EX_CANTCREAT, EX_IOERR. */
int sweep_note_out_root(struct sweep *sweep, const char *out_root,
                        struct relay_error *err);

/* ENTITY/PROJECT/ID: the resume key of a cell ("/" and "%" in the first two
 * are "_" in it). 0 or -1 (EX_USAGE, as key_check). */
int sweep_cell_key(const struct sweep *sweep, const char *id, char *key,
                   size_t size, struct relay_error *err);

#endif
