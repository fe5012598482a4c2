/*
 * A cell that was begun on another cluster, handed to this one: what its last
 * attempt left there is copied here and verified, before it runs.
 */
#ifndef RELAY_SWEEP_CELLFETCH_H
#define RELAY_SWEEP_CELLFETCH_H

#include "config.h"
#include "peer.h"
#include "queue.h"
#include "sweep.h"

struct cellfetch {
    const struct config *cfg;     /* names this cluster and reaches others */
    const struct peer *home;      /* the sweep's cluster, of name home_name; */
    const char *home_name;        /* NULL: it is this one */
    const struct sweep *sweep;
    const struct cell *cell;
    const struct queue_claim *claim;
    const struct queue_place *places; /* the claims before, the latest first;
                                         of generation 0: not of this queue,
                                         the cluster alone is known */
    size_t nplaces;
    const char *dir;         /* of the cell, here, absolute */
    const char *resume_root; /* here; NULL: none */
    const char *run_root;    /* here; NULL: none */
    void (*say)(void *arg, const char *text);
    void *arg;
};

/* Which of the places has the cell's state: its index; -1: none is known to.
 * One here counts when run_metadata.json in dir tells of that claim or a later
 * one, for a claim that was given back unrun, or whose worker died before it
 * had the state, left nothing. elsewhere says whether a place is on another
 * cluster. */
int cellfetch_where(const struct cellfetch *f, bool *elsewhere);

/* Brings the state of the cell here, from the latest attempt that was run. The
 * files that were there replace those here, verified by their digests, those
 * that tell of a checkpoint last; paths in resume_meta.json follow. 1 they
 * were brought, 0 there was nothing to bring; -1: EX_TEMPFAIL or
 * EX_UNAVAILABLE when the cluster that has it cannot be asked, EX_NOINPUT when
 * the step that is known to have been reached is nowhere, EX_CONFIG,
 * EX_CANTCREAT. Then the cell must not be run here. */
int cellfetch(const struct cellfetch *f, struct relay_error *err);

#endif
