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
    bool observed;      /* known by its link alone: the details will follow */
    uint32_t writer;    /* of the last record: queue_writer */
    uint32_t ended_by;  /* writer of the last end */
};

struct board_counts {
    uint64_t of[CELL_STATES];
    uint64_t cells; /* without the withdrawn ones */
    uint64_t withdrawn;
    double seconds; /* a done cell took, on average; 0: none is done */
};

/* A line of a ledger: what a writer says of a cell. */
struct board_line {
    enum cell_state state;
    bool observed; /* read from a link of another's: state and gen alone */
    uint64_t index;
    int64_t gen;
    int64_t time;
    int64_t step;
    int64_t seconds;
    int failures;
    const char *cause; /* "" for none */
    const char *why;
};

struct board {
    uint64_t size;
    uint8_t *cells;  /* BOARD_STATE and BOARD_GEN of each */
    uint64_t of[CELL_STATES + 1];
    uint64_t again; /* waiting cells that were claimed before */
    double seconds; /* that done cells took together, and how many told it */
    uint64_t timed;
    struct board_note **notes; /* by index, open addressing; nroom a power of
                                  two, nnotes of them in use */
    size_t nroom;
    size_t nnotes;
};

/* A cell's byte: state in the low three bits (CELL_STATES: withdrawn), above
 * it the generation, which is in the note when it does not fit. */
#define BOARD_WITHDRAWN CELL_STATES
#define BOARD_GEN_MAX 31

void board_free(struct board *board);

/* The sweep has grown: new cells are waiting. 0 or -1. */
int board_grow(struct board *board, uint64_t size, struct relay_error *err);

enum cell_state board_state(const struct board *board, uint64_t index);
bool board_withdrawn(const struct board *board, uint64_t index);
int64_t board_gen(const struct board *board, uint64_t index);
struct board_note *board_note(const struct board *board, uint64_t index);

/* Its line was commented out, or is back. Only of a cell of generation 0. */
void board_withdraw(struct board *board, uint64_t index, bool withdrawn);

/* Takes in what writer says, when it is news: a later generation, or progress
 * of the present one. Lines of cells that the board does not have are left
 * out. 1 news, 0 none, -1 out of memory. */
int board_apply(struct board *board, const struct board_line *line,
                uint32_t writer, struct relay_error *err);

/* What was said of the cell was wrong: it is as if never claimed, until more is
 * known. */
void board_forget(struct board *board, uint64_t index);

/* Index of the next cell that was never claimed, from `from` on; size when
 * there is none. */
uint64_t board_next_fresh(const struct board *board, uint64_t from);

#endif
