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
    bool has;      /* a state that is not a stub is there */
    int64_t step;  /* -1 unknown */
    char why[400];
};

/* Asks every configured peer for run->hash, from the index or by one ssh of
 * 10 s each. Calls each for every peer. 0, or -1 (EX_IOERR). */
int peers_ask(struct run *run,
              void (*each)(void *arg, const struct peer_has *has), void *arg,
              struct relay_error *err);

#endif
