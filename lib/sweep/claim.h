/*
 * The one thing that decides who has a cell: claims/HH/ID.GEN is a hard link
 * to a ready record of its writer. Generations are dense and nothing is ever
 * removed (doc/protocol.md). A writer has one record for each kind of thing
 * it says, made and fsynced once, so that a claim is one link and no inode.
 */
#ifndef RELAY_SWEEP_CLAIM_H
#define RELAY_SWEEP_CLAIM_H

#include <stdint.h>

#include "board.h"
#include "error.h"
#include "owner.h"
#include "roster.h"

#define CLAIM_WRITER 33 /* 32 hex digits and NUL */

struct claim_store {
    int claims;  /* directories; -1 */
    int records;
    char writer[CLAIM_WRITER]; /* "" when read only */
    const struct owner *own;
    bool job_owned; /* set by the caller before claim_open, as is shared: */
    bool shared;    /* several processes write as this writer */
    bool crowded;   /* and no lock keeps them apart: a name that is there was
                       not made by this call (set at any time) */
    const char *out_root;    /* of the writer's cells; NULL: not known */
    const char *resume_root; /* both set by the caller */
    bool ready[CELL_STATES]; /* is that record made? */
    int part[CELL_STATES];   /* records are exchanged when a file system
                                allows no more links to one */
};

/* What stands at a name. */
struct claim_record {
    enum cell_state state;
    char writer[CLAIM_WRITER];
    bool job_owned;
    struct owner owner;
    char out_root[1024];    /* "": not known */
    char resume_root[1024];
    int64_t time; /* of the record, which is older than the link */
};

/* Opens the directories of the sweep; store is all zero but for what the
 * caller sets. own and writer are NULL to read only; own must outlive the
 * store. 0 or -1. */
int claim_open(int sweepfd, const struct owner *own, const char *writer,
               struct claim_store *store, struct relay_error *err);
void claim_close(struct claim_store *store);

/* Says state of cell id as generation gen (gen - 1 is known to exist). 1: it
 * stands, and is ours. 0: another's stands there: read it. -1: EX_CANTCREAT,
 * and nothing stands there. Whatever link(2) says, when it is not success,
 * only what can be read at the name counts: over NFS a lost reply reports
 * failure after success. */
int claim_link(struct claim_store *store, const char *id, int64_t gen,
               enum cell_state state, struct relay_error *err);

/* Reads the record of a generation. 0; -1 with EX_NOINPUT when there is none,
 * EX_DATAERR, EX_IOERR. */
int claim_read(const struct claim_store *store, const char *id, int64_t gen,
               struct claim_record *rec, struct relay_error *err);

/* The file by which somebody asks for the stop of a claim. Makes it: 0 or
 * -1. Looks: true when it is there. */
int claim_ask_stop(const struct claim_store *store, const char *id,
                   int64_t gen, struct relay_error *err);
bool claim_asked_stop(const struct claim_store *store, const char *id,
                      int64_t gen);

#endif
