/*
 * The same sweep on several clusters, each with a copy of its own: without a
 * queue or a tracker between them each cell that both could take would be run
 * twice. Which shards of a sweep are worked on is noted below each cluster's
 * resume_root, where the others look (doc/protocol.md, section 14).
 */
#ifndef RELAY_SWEEP_TWINS_H
#define RELAY_SWEEP_TWINS_H

#include "config.h"
#include "sweep.h"

struct twins {
    const struct sweep *sweep;
    const struct config *cfg;
    const char *resume_root; /* here, expanded; NULL: none */
    uint64_t shard_index;
    uint64_t shard_count;    /* 0 or 1: all */
    bool tracked; /* the tracker decides between them: only note it */
    void (*say)(void *arg, const char *text); /* a warning */
    void *arg;
};

/* Notes what is worked on here, then looks at each other cluster once (10 s).
 * 0: nobody there works on cells that are ours, or nobody knows, which is
 * said; -1: EX_NOPERM, some cluster does: where, and what can be done;
 * EX_TEMPFAIL when one does not answer under `peers: require`. */
int twins_check(const struct twins *t, struct relay_error *err);

/* Could another cluster have a copy, by the configuration? */
bool twins_possible(const struct config *cfg);

/* The id that copies of a sweep have in common: name, project, and of what
 * cannot grow the source. 0 or -1. */
int twins_id(const struct sweep *sweep, char id[17], struct relay_error *err);

/* Do two shards have cells in common? Counts of 0 are 1. */
bool twins_overlap(uint64_t index, uint64_t count, uint64_t other_index,
                   uint64_t other_count);

#endif
