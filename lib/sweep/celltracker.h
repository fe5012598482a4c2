/*
 * The same sweep on several clusters with the tracker between them: before a
 * cell is run its run is looked up in W&B, and claimed there where the user
 * wants that (doc/sweeps.md, Several clusters).
 */
#ifndef RELAY_SWEEP_CELLTRACKER_H
#define RELAY_SWEEP_CELLTRACKER_H

#include "config.h"
#include "owner.h"
#include "sweep.h"
#include "tracker/tracker.h"

struct celltracker {
    struct tracker *tracker; /* NULL: it is not used */
    const struct config *cfg;
    const struct owner *own;
    const char *group;
    bool claims;   /* claim there, too */
    bool optional; /* go on when it cannot be asked, although claims is set */
    int64_t not_before; /* clock_ms: asked again after it could not be */
    void (*say)(void *arg, const char *text);
    void *arg;
};

/* Opens it, when there is one for the sweep. What cfg, own, group, claims,
 * optional, say and arg are is set before, and lives as long. 0; -1
 * EX_CONFIG: claims are wanted and there is no tracker. */
int celltracker_open(struct celltracker *t, const struct sweep *sweep,
                     struct relay_error *err);
void celltracker_close(struct celltracker *t);

enum celltracker_says {
    CELLTRACKER_RUN,   /* nobody else has it: run it here */
    CELLTRACKER_BRING, /* the same, when its state on *from is here: then
                          celltracker_take */
    CELLTRACKER_DONE,  /* it was finished on another cluster */
    CELLTRACKER_SKIP,  /* somebody else has it, or that is not known */
    CELLTRACKER_LOST   /* W&B will never take that id again */
};

/* What about the cell whose run has that id? ours: it was begun here before,
 * by this queue. from (64 bytes) gets the cluster, why (400) a sentence. When
 * a claimant is dead by what its own cluster says, that is recorded. 0; -1
 * when the tracker cannot be asked and must be. */
int celltracker_ask(struct celltracker *t, const char *id, bool ours,
                    enum celltracker_says *says, char from[64],
                    char why[400], struct relay_error *err);

/* Takes over the run of a cell whose state was brought here, and not before:
 * who has the run in W&B is who has its state. 1 it is ours; 0 not, why says
 * so; -1 as celltracker_ask. */
int celltracker_take(struct celltracker *t, const char *id, char why[400],
                     struct relay_error *err);

/* The tag that a run of ours has to have, for a program that sets its tags by
 * WANDB_TAGS would take it away. 0, 1 there is none, -1. */
int celltracker_tag(const struct celltracker *t, const char *id, char tag[65],
                    struct relay_error *err);

#endif
