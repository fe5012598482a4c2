/*
 * What is known of every cell, in memory: read from snapshots and ledgers,
 * which are hints. Only a claim's link decides (claim.h).
 */
#ifndef RELAY_SWEEP_BOARD_H
#define RELAY_SWEEP_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* The states of a cell, everywhere (design section 7). */
enum cell_state {
    CELL_WAITING,
    CELL_RUNNING,
    CELL_PARTIAL, /* was begun, and given back or left by a dead owner */
    CELL_UNPROVEN,
    CELL_DONE,
    CELL_FAILED,
    CELL_QUARANTINED, /* held back: same error everywhere, or a person */
    CELL_STATES
};

const char *cell_state_name(enum cell_state state);

/* What is known of a cell that is or was not simply waiting or done. Cells
 * that have none of it are not in the board's list. */
struct board_note {
    uint64_t index;
    int64_t gen;        /* of the last record known */
    int64_t step;       /* -1: none */
    int64_t time;       /* of the last record, wall clock of its writer */
    int64_t began;      /* time of the last claim */
    int failures;       /* that count against retries */
    char cause[24];     /* of the last end: "" while running */
    char why[200];      /* of the last end, a sentence */
    uint32_t writer;    /* of the last record: board_writer */
};

struct board_counts {
    uint64_t of[CELL_STATES];
    uint64_t cells;
    uint64_t withdrawn;
    double seconds; /* a done cell took, on average; 0: none is done */
};

#endif
