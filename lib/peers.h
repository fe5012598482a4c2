/*
 * What the other clusters have: <resume_root>/.relay/peers.json, refreshed by
 * whoever finds it too old (a minute for a member of an array, else three
 * seconds), one at a time, so that an array of
 * 500 opens one connection and not 500.
 */
#ifndef RELAY_PEERS_H
#define RELAY_PEERS_H

#include <stdbool.h>
#include <stdint.h>

#include "run.h"

struct peer_has {
    char cluster[64];
    bool answered; /* else why says what went wrong */
    bool has;      /* a state that is not a stub is there, or a job */
    char job[32];  /* has begun it there and has no state yet; "" else */
    int64_t step;  /* -1 unknown */
    char why[400];
};

/* Asks every configured peer for run->hash, from the index or by one ssh of
 * 10 s each; anew: an index from before this call does not count. Calls each
 * for every peer. 0, or -1 with EX_TEMPFAIL when a signal ended it. */
int peers_ask(struct run *run, bool anew,
              void (*each)(void *arg, const struct peer_has *has), void *arg,
              struct relay_error *err);

#endif
