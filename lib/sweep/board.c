#include "board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char *const names[CELL_STATES] = {
    [CELL_WAITING] = "waiting",     [CELL_RUNNING] = "running",
    [CELL_PARTIAL] = "partial",     [CELL_UNPROVEN] = "unproven",
    [CELL_DONE] = "done",           [CELL_FAILED] = "failed",
    [CELL_QUARANTINED] = "quarantined",
};

const char *cell_state_name(enum cell_state state)
{
    return names[state];
}

/* --- a cell's byte ------------------------------------------------------- */

static unsigned low(const struct board *board, uint64_t index)
{
    return board->cells[index] & 7u;
}

static bool waits_again(uint8_t cell)
{
    return (cell & 7u) == CELL_WAITING && cell >> 3 > 0;
}

static void set(struct board *board, uint64_t index, unsigned state,
                int64_t gen)
{
    unsigned high = gen > BOARD_GEN_MAX ? BOARD_GEN_MAX : (unsigned)gen;
    uint8_t cell = (uint8_t)(high << 3 | state);

    board->again -= waits_again(board->cells[index]);
    board->again += waits_again(cell);
    board->of[low(board, index)]--;
    board->of[state]++;
    board->cells[index] = cell;
}

int board_grow(struct board *board, uint64_t size, struct relay_error *err)
{
    uint8_t *cells;

    if (size <= board->size)
        return 0;
    cells = realloc(board->cells, size);
    if (cells == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    memset(cells + board->size, CELL_WAITING, size - board->size);
    board->of[CELL_WAITING] += size - board->size;
    board->cells = cells;
    board->size = size;
    return 0;
}

void board_free(struct board *board)
{
    size_t i;

    for (i = 0; i < board->nroom; i++)
        free(board->notes[i]);
    free(board->notes);
    free(board->cells);
    memset(board, 0, sizeof(*board));
}

bool board_withdrawn(const struct board *board, uint64_t index)
{
    return low(board, index) == BOARD_WITHDRAWN;
}

enum cell_state board_state(const struct board *board, uint64_t index)
{
    return board_withdrawn(board, index) ? CELL_WAITING
                                         : (enum cell_state)low(board, index);
}

void board_withdraw(struct board *board, uint64_t index, bool withdrawn)
{
    if (board->cells[index] >> 3 == 0)
        set(board, index, withdrawn ? BOARD_WITHDRAWN : CELL_WAITING, 0);
}

uint64_t board_next_fresh(const struct board *board, uint64_t from)
{
    const uint8_t *found = NULL;

    if (from < board->size)
        found = memchr(board->cells + from, CELL_WAITING, board->size - from);
    return found != NULL ? (uint64_t)(found - board->cells) : board->size;
}

/* --- notes: a hash table by index, linear probing ------------------------ */

static size_t home(const struct board *board, uint64_t index)
{
    return (size_t)(index * 0x9e3779b97f4a7c15u >> 20) & (board->nroom - 1);
}

static size_t slot_of(const struct board *board, uint64_t index)
{
    size_t at = home(board, index);

    while (board->notes[at] != NULL && board->notes[at]->index != index)
        at = (at + 1) & (board->nroom - 1);
    return at;
}

struct board_note *board_note(const struct board *board, uint64_t index)
{
    return board->nnotes > 0 ? board->notes[slot_of(board, index)] : NULL;
}

static int make_room(struct board *board, struct relay_error *err)
{
    struct board_note **old = board->notes;
    size_t nold = board->nroom;
    size_t i;

    if ((board->nnotes + 1) * 2 <= nold)
        return 0;
    board->notes = calloc(nold > 0 ? nold * 2 : 64, sizeof(*board->notes));
    if (board->notes == NULL) {
        board->notes = old;
        return relay_fail(err, EX_OSERR, "out of memory");
    }
    board->nroom = nold > 0 ? nold * 2 : 64;
    for (i = 0; i < nold; i++)
        if (old[i] != NULL)
            board->notes[slot_of(board, old[i]->index)] = old[i];
    free(old);
    return 0;
}

static struct board_note *need_note(struct board *board, uint64_t index,
                                    struct relay_error *err)
{
    struct board_note *note = board_note(board, index);

    if (note != NULL)
        return note;
    if (make_room(board, err) != 0)
        return NULL;
    note = calloc(1, sizeof(*note));
    if (note == NULL) {
        relay_fail(err, EX_OSERR, "out of memory");
        return NULL;
    }
    note->index = index;
    note->step = -1;
    board->notes[slot_of(board, index)] = note;
    board->nnotes++;
    return note;
}

/* What was probed past the hole must still be found: moves it up. */
static void close_hole(struct board *board, size_t hole)
{
    size_t mask = board->nroom - 1;
    size_t at = hole;

    for (;;) {
        size_t want;

        at = (at + 1) & mask;
        if (board->notes[at] == NULL)
            return;
        want = home(board, board->notes[at]->index);
        if (((at - want) & mask) < ((at - hole) & mask))
            continue;
        board->notes[hole] = board->notes[at];
        board->notes[at] = NULL;
        hole = at;
    }
}

static void drop_note(struct board *board, uint64_t index)
{
    size_t at = slot_of(board, index);

    free(board->notes[at]);
    board->notes[at] = NULL;
    board->nnotes--;
    close_hole(board, at);
}

int64_t board_gen(const struct board *board, uint64_t index)
{
    const struct board_note *note = board_note(board, index);

    return note != NULL ? note->gen : board->cells[index] >> 3;
}

void board_forget(struct board *board, uint64_t index)
{
    if (board_note(board, index) != NULL)
        drop_note(board, index);
    set(board, index, CELL_WAITING, 0);
}

/* --- what a ledger says --------------------------------------------------- */

static void take_details(struct board_note *note,
                         const struct board_line *line, uint32_t writer)
{
    note->gen = line->gen;
    note->observed = line->observed;
    note->writer = writer;
    if (line->observed)
        return;
    note->time = line->time;
    if (line->step >= 0)
        note->step = line->step;
    note->failures = line->failures;
    if (line->state == CELL_RUNNING) {
        note->began = line->time;
        return; /* how the attempt before ended is still worth knowing */
    }
    note->ended_by = writer;
    snprintf(note->cause, sizeof(note->cause), "%s", line->cause);
    snprintf(note->why, sizeof(note->why), "%s", line->why);
}

/* Of the present generation: progress, or what had only been observed. */
static int take_more(struct board *board, const struct board_line *line,
                     uint32_t writer)
{
    struct board_note *note = board_note(board, line->index);

    if (note == NULL || line->observed ||
        board_state(board, line->index) != line->state)
        return 0;
    if (note->observed) {
        take_details(note, line, writer);
        return 1;
    }
    if (line->state != CELL_RUNNING)
        return 0;
    note->time = line->time;
    if (line->step >= 0)
        note->step = line->step;
    return 1;
}

int board_apply(struct board *board, const struct board_line *line,
                uint32_t writer, struct relay_error *err)
{
    struct board_note *note;
    int64_t gen;

    if (line->index >= board->size)
        return 0;
    gen = board_gen(board, line->index);
    if (line->gen <= gen)
        return line->gen == gen ? take_more(board, line, writer) : 0;
    /* One that a person accepted did not run for it. */
    if (line->state == CELL_DONE && !line->observed &&
        board_state(board, line->index) == CELL_RUNNING) {
        board->seconds += (double)line->seconds;
        board->timed++;
    }
    if (line->state == CELL_DONE && line->gen < BOARD_GEN_MAX) {
        if (board_note(board, line->index) != NULL)
            drop_note(board, line->index);
    } else {
        note = need_note(board, line->index, err);
        if (note == NULL)
            return -1;
        take_details(note, line, writer);
    }
    set(board, line->index, line->state, line->gen);
    return 1;
}
