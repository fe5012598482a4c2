/* A handoff that is taken back: the parts of handoff_abort.c. */
#ifndef RELAY_HANDOFF_UNDO_H
#define RELAY_HANDOFF_UNDO_H

#include "handoff.h"

enum { UNDO_TRIES = 5 };

struct undo {
    struct handoff h;        /* run, the source, the journal */
    enum journal_state from; /* where it stood */
    char attempt[33];        /* nonce of the attempt that stood there */
    struct owner target;     /* who had it here */
    struct peer here;
    bool stopped;            /* the source's job was cancelled */
};

/* Was the source fenced, or about to be? Else it was not touched. */
static inline bool undo_was_stopping(const struct undo *u)
{
    return u->from >= JOURNAL_STOPPING;
}

/* --- handoff_undo.c: what is here --- */

/* Can what runs here be ended from here, should it run? 0; EX_NOPERM,
 * EX_TEMPFAIL. An owner without a cluster is nobody. */
int undo_check_owner(const struct undo *u, const struct owner *own,
                     struct relay_error *err);

/* Who holds the lease here, and its generation; own->cluster is "" for nobody.
 * On one file system the source's own job is nobody. 0 or -1. */
int undo_holder(const struct undo *u, struct owner *own, int64_t *gen,
                struct relay_error *err);

/* Cancels a job of this cluster and waits until it is dead. 0, also for
 * nobody; EX_TEMPFAIL when it is not within stop_timeout. */
int undo_end_job(struct undo *u, const struct owner *own,
                 struct relay_error *err);

/* Ends whoever has the run here and fences it, so that nobody follows. */
int undo_close_here(struct undo *u, struct relay_error *err);

/* Removes what the attempt of that nonce has copied, and its snapshot. */
void undo_drop_copies(struct undo *u, const char *nonce);

/* The state that was published here goes aside, a stub in its place. */
int undo_supersede_here(struct undo *u, struct relay_error *err);

/* On one file system: run_dir of the meta as it was. */
int undo_restore_run_dir(struct undo *u, struct relay_error *err);

#endif
