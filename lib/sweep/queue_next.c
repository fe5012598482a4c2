/* Which cell is next, and getting it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>

#include "clock.h"
#include "queue_state.h"

enum { REFRESH_MS = 30000, LOOK_MS = 5000, CROWD = 2, CROWD_MS = 100 };

/* --- one cell ------------------------------------------------------------- */

/* A record of another's that we have read: its writer, known by it. */
static int64_t number_of(struct queue *queue, const struct claim_record *rec,
                         struct relay_error *err)
{
    int64_t number = ledger_number(&queue->writers, rec->writer, err);
    struct ledger_writer *writer;

    if (number < 0)
        return -1;
    writer = &queue->writers.all[number];
    if (!writer->known) {
        writer->owner = rec->owner;
        writer->job_owned = rec->job_owned;
        writer->known = true;
    }
    return number;
}

/* Notes what a link says, for ourselves and, in our ledger, for others. */
static int note_seen(struct queue *queue, uint64_t index, int64_t gen,
                     const struct claim_record *rec, struct relay_error *err)
{
    struct board_line line = {.state = rec->state, .observed = true,
                              .index = index, .gen = gen, .time = rec->time,
                              .step = -1, .cause = "", .why = ""};
    int64_t number = number_of(queue, rec, err);
    int news;

    if (number < 0)
        return -1;
    news = board_apply(&queue->board, &line, (uint32_t)number, err);
    /* A claim is told by who made it: the ledger would name us. */
    if (news <= 0 || rec->state == CELL_RUNNING || queue->read_only)
        return news < 0 ? -1 : 0;
    return queue_say(queue, &line, err);
}

int queue_probe(struct queue *queue, uint64_t index, const char *id,
                int64_t gen, struct claim_record *rec, int64_t *last,
                struct relay_error *err)
{
    struct relay_error why = {0};
    struct claim_record found, newest = {.state = CELL_WAITING};

    *last = 0;
    if (gen < 1)
        gen = 1;
    while (claim_read(&queue->store, id, gen, &found, &why) == 0) {
        newest = found;
        *last = gen++;
    }
    if (why.code != EX_NOINPUT)
        return relay_fail(err, why.code, "%s", why.text);
    if (rec != NULL)
        *rec = newest;
    return *last > 0 ? note_seen(queue, index, *last, &newest, err) : 0;
}

static void fill(const struct queue *queue, uint64_t index,
                 struct queue_claim *claim)
{
    const struct board_note *note = board_note(&queue->board, index);

    claim->index = index;
    claim->gen = board_gen(&queue->board, index);
    claim->failures = note != NULL ? note->failures : 0;
    claim->step = note != NULL ? note->step : -1;
    claim->partial = claim->gen > 1;
}

/* 1 it is ours, 0 another's (the board knows by now), -1 error. */
static int attempt(struct queue *queue, uint64_t index,
                   struct queue_claim *claim, struct relay_error *err)
{
    const struct board_note *note = board_note(&queue->board, index);
    struct board_line line = {.state = CELL_RUNNING, .index = index,
                              .gen = board_gen(&queue->board, index) + 1,
                              .time = clock_wall(), .step = -1,
                              .failures = note != NULL ? note->failures : 0,
                              .cause = "", .why = ""};
    int64_t last;
    int won;

    if (roster_id(queue->sweep->roster, index, claim->id, err) != 0)
        return -1;
    won = claim_link(&queue->store, claim->id, line.gen, CELL_RUNNING, err);
    if (won < 0)
        return -1;
    if (won == 0)
        return queue_probe(queue, index, claim->id, line.gen, NULL, &last,
                           err);
    if (queue_say(queue, &line, err) != 0)
        return -1;
    fill(queue, index, claim);
    return 1;
}

/* --- cells that were begun before ----------------------------------------- */

struct candidate {
    uint64_t index;
    int rank; /* 0: has a step; 1: is to be tried again */
};

static bool in_shard(const struct queue_want *want, uint64_t index)
{
    return want->shard_count < 2 ||
           index % want->shard_count == want->shard_index;
}

static bool is_candidate(struct queue *queue, const struct queue_want *want,
                         const struct board_note *note, bool look)
{
    enum cell_state state = board_state(&queue->board, note->index);

    if (!in_shard(want, note->index))
        return false;
    if (want->resumed_only && note->step < 0)
        return false;
    if (state == CELL_PARTIAL || state == CELL_WAITING)
        return true;
    return state == CELL_RUNNING && look && note->writer != queue->self &&
           queue_owner_alive(queue, note->writer, !want->no_takeover, NULL,
                             0) == ALIVE_DEAD;
}

static int by_rank(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->rank != y->rank)
        return x->rank - y->rank;
    return (x->index > y->index) - (x->index < y->index);
}

/* Of many workers each begins elsewhere among the equals. */
static void turn(struct candidate *all, size_t n, uint64_t by)
{
    size_t begin = 0, end, i;

    while (begin < n) {
        struct candidate *part = all + begin;
        size_t len, shift;

        for (end = begin; end < n && all[end].rank == part->rank; end++)
            ;
        len = end - begin;
        shift = (size_t)(by % len);
        for (i = 0; i < shift; i++) {
            struct candidate first = part[0];

            memmove(part, part + 1, (len - 1) * sizeof(*part));
            part[len - 1] = first;
        }
        begin = end;
    }
}

static struct candidate *find_candidates(struct queue *queue,
                                         const struct queue_want *want,
                                         bool look, size_t *n)
{
    const struct board *board = &queue->board;
    struct candidate *all = calloc(board->nnotes + 1, sizeof(*all));
    size_t i;

    *n = 0;
    for (i = 0; all != NULL && i < board->nroom; i++) {
        const struct board_note *note = board->notes[i];

        if (note == NULL || !is_candidate(queue, want, note, look))
            continue;
        all[*n].index = note->index;
        all[(*n)++].rank = note->step >= 0 ? 0 : 1;
    }
    if (all != NULL) {
        qsort(all, *n, sizeof(*all), by_rank);
        turn(all, *n, queue->cursor % 64);
    }
    return all;
}

/* look: owners of running cells too. 1 claimed, 0 none, -1 error. */
static int try_begun(struct queue *queue, const struct queue_want *want,
                     bool look, struct queue_claim *claim,
                     struct relay_error *err)
{
    const struct board *board = &queue->board;
    struct candidate *all;
    size_t i, n;
    int rc = 0;

    if (board->of[CELL_PARTIAL] == 0 && board->again == 0 &&
        (!look || board->of[CELL_RUNNING] == 0))
        return 0;
    all = find_candidates(queue, want, look, &n);
    if (all == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    for (i = 0; i < n && rc == 0; i++)
        rc = attempt(queue, all[i].index, claim, err);
    free(all);
    return rc;
}

/* --- fresh cells ---------------------------------------------------------- */

static uint64_t next_fresh(const struct queue *queue,
                           const struct queue_want *want, uint64_t from)
{
    const struct board *board = &queue->board;
    uint64_t n = want->shard_count, i;

    if (n < 2)
        return board_next_fresh(board, from);
    for (i = from + (want->shard_index + n - from % n) % n; i < board->size;
         i += n)
        if (board->cells[i] == CELL_WAITING)
            return i;
    return board->size;
}

struct costly {
    double cost;
    uint32_t index;
};

static int by_cost(const void *a, const void *b)
{
    const struct costly *x = a, *y = b;

    if (x->cost != y->cost)
        return x->cost < y->cost ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Longest first, where the source gives a cost. */
static int make_order(struct queue *queue, struct relay_error *err)
{
    uint64_t size = queue->board.size, i;
    struct costly *all = calloc(size + 1, sizeof(*all));
    int rc = 0;

    queue->order = calloc(size + 1, sizeof(*queue->order));
    if (all == NULL || queue->order == NULL)
        rc = relay_fail(err, EX_OSERR, "out of memory");
    for (i = 0; rc == 0 && i < size; i++) {
        struct cell cell;

        rc = roster_cell(queue->sweep->roster, i, &cell, err);
        all[i].cost = cell.cost;
        all[i].index = (uint32_t)i;
        cell_free(&cell);
    }
    if (rc == 0) {
        qsort(all, size, sizeof(*all), by_cost);
        for (i = 0; i < size; i++)
            queue->order[i] = all[i].index;
        queue->norder = size;
        queue->cursor = 0;
    }
    free(all);
    return rc;
}

static uint64_t next_costly(struct queue *queue,
                            const struct queue_want *want)
{
    const struct board *board = &queue->board;
    uint64_t i;

    for (i = queue->cursor; i < queue->norder; i++) {
        uint64_t index = queue->order[i];

        if (board->cells[index] == CELL_WAITING) {
            if (in_shard(want, index))
                return index;
        } else if (i == queue->cursor) {
            queue->cursor++; /* a fresh cell is fresh but once */
        }
    }
    return next_fresh(queue, want, queue->norder); /* what was appended */
}

static uint64_t pick_fresh(struct queue *queue,
                           const struct queue_want *want)
{
    uint64_t index;

    if (queue->order != NULL)
        return next_costly(queue, want);
    index = next_fresh(queue, want, queue->cursor);
    return index < queue->board.size ? index : next_fresh(queue, want, 0);
}

/* We walk where another walks: what it did is in its ledger, and elsewhere
 * there is more room. */
static int leave_crowd(struct queue *queue, struct relay_error *err)
{
    if (++queue->met % CROWD != 0)
        return 0;
    if (queue->order == NULL && queue->board.size > 0)
        queue->cursor = (queue->cursor * 6364136223846793005u +
                         1442695040888963407u + queue->met) %
                        queue->board.size;
    if (clock_ms() - queue->refreshed < CROWD_MS)
        return 0;
    return queue_refresh(queue, err);
}

static int try_fresh(struct queue *queue, const struct queue_want *want,
                     struct queue_claim *claim, struct relay_error *err)
{
    const struct relay_lines *lines = roster_info(queue->sweep->roster)->lines;

    if (want->resumed_only)
        return 0;
    if (lines != NULL && lines->cost != NULL && queue->order == NULL &&
        make_order(queue, err) != 0)
        return -1;
    for (;;) {
        uint64_t index = pick_fresh(queue, want);
        int rc;

        if (index >= queue->board.size)
            return 0;
        rc = attempt(queue, index, claim, err);
        if (rc < 0)
            return -1;
        if (rc == 1) {
            queue->met = 0;
            if (queue->order == NULL)
                queue->cursor = index + 1;
            return 1;
        }
        if (board_gen(&queue->board, index) == 0)
            return relay_fail(err, EX_IOERR,
                              "cell %s can neither be claimed nor read",
                              claim->id);
        if (leave_crowd(queue, err) != 0)
            return -1;
    }
}

/* --- all of it ------------------------------------------------------------ */

static int search(struct queue *queue, const struct queue_want *want,
                  struct queue_claim *claim, struct relay_error *err)
{
    bool look = clock_ms() - queue->looked >= LOOK_MS;
    int rc;

    if (clock_ms() - queue->refreshed >= REFRESH_MS &&
        queue_refresh(queue, err) != 0)
        return -1;
    if (look)
        queue->looked = clock_ms();
    rc = try_begun(queue, want, look, claim, err);
    if (rc == 0)
        rc = try_fresh(queue, want, claim, err);
    if (rc != 0)
        return rc;
    /* Nothing by what we know: what is there now? */
    if (queue_refresh(queue, err) != 0)
        return -1;
    queue->looked = clock_ms();
    rc = try_begun(queue, want, true, claim, err);
    return rc != 0 ? rc : try_fresh(queue, want, claim, err);
}

static bool all_finished(const struct queue *queue,
                         const struct queue_want *want)
{
    const struct board *board = &queue->board;
    uint64_t i;

    if (board->of[CELL_WAITING] + board->of[CELL_PARTIAL] +
            board->of[CELL_RUNNING] == 0)
        return true;
    if (want->shard_count < 2)
        return false;
    for (i = want->shard_index; i < board->size; i += want->shard_count) {
        enum cell_state state = board_state(board, i);

        if (!board_withdrawn(board, i) &&
            (state == CELL_WAITING || state == CELL_PARTIAL ||
             state == CELL_RUNNING))
            return false;
    }
    return true;
}

/* What this nonce holds already. */
static bool held_by_us(struct queue *queue, struct queue_claim *claim)
{
    const struct board *board = &queue->board;
    size_t i;

    for (i = 0; i < board->nroom; i++) {
        const struct board_note *note = board->notes[i];

        if (note == NULL || note->writer != queue->self ||
            board_state(board, note->index) != CELL_RUNNING ||
            roster_id(queue->sweep->roster, note->index, claim->id, NULL) != 0)
            continue;
        fill(queue, note->index, claim);
        return true;
    }
    return false;
}

/* Of several processes that are one writer one at a time; they are on one
 * host. Where there are no locks they take their chances: a claim is still
 * nobody else's. */
static int enter(struct queue *queue, struct relay_error *err)
{
    uint64_t news = 0;

    if (queue->read_only)
        return relay_fail(err, EX_SOFTWARE, "the queue was opened to read");
    if (!queue->shared)
        return 0;
    if (queue_need_ledger(queue, err) != 0)
        return -1;
    (void)flock(queue->ledger, LOCK_EX);
    return ledger_read(queue->ledgers, &queue->writers, queue->self,
                       &queue->board, &news, err);
}

static void leave(struct queue *queue)
{
    if (queue->shared && queue->ledger >= 0)
        (void)flock(queue->ledger, LOCK_UN);
}

int queue_next(struct queue *queue, const struct queue_want *want,
               enum queue_next *what, struct queue_claim *claim,
               struct relay_error *err)
{
    int rc = enter(queue, err);

    memset(claim, 0, sizeof(*claim));
    if (rc == 0 && queue->by_nonce && held_by_us(queue, claim))
        rc = 1;
    else if (rc == 0)
        rc = search(queue, want, claim, err);
    leave(queue);
    if (rc < 0)
        return -1;
    *what = rc == 1                      ? QUEUE_CLAIMED
            : all_finished(queue, want) ? QUEUE_FINISHED
                                        : QUEUE_NOTHING_NOW;
    return 0;
}

/* --- a cell that was named ------------------------------------------------ */

static int refuse_state(const struct queue *queue, const char *id,
                        enum cell_state state, struct relay_error *err)
{
    const char *sweep = queue->sweep->path;

    if (state == CELL_DONE)
        return relay_fail(err, EX_DATAERR,
                          "cell %s is done; to run it again: ssweep retry "
                          "--force %s %s", id, sweep, id);
    if (state == CELL_UNPROVEN)
        return relay_fail(err, EX_DATAERR,
                          "cell %s ended without proof that it is done; to "
                          "accept it: ssweep accept %s %s; to run it again: "
                          "ssweep retry --force %s %s", id, sweep, id, sweep,
                          id);
    return relay_fail(err, EX_DATAERR,
                      "cell %s is %s; to run it again: ssweep retry %s %s",
                      id, cell_state_name(state), sweep, id);
}

static int refuse_owner(struct queue *queue, uint64_t index, const char *id,
                        const char *why, struct relay_error *err)
{
    const struct board_note *note = board_note(&queue->board, index);
    char who[300] = "another worker";
    struct owner own;

    if (note != NULL && queue_writer(queue, note->writer, &own))
        owner_describe(&own, who, sizeof(who));
    return relay_fail(err, EX_NOPERM, "cell %s is run by %s%s%s", id, who,
                      why[0] != '\0' ? ": " : "", why);
}

static int claim_named(struct queue *queue, uint64_t index,
                       struct queue_claim *claim, struct relay_error *err)
{
    const struct board_note *note;
    struct claim_record rec;
    enum cell_state state;
    char why[512] = "";
    int64_t last;
    int rc;

    if (roster_id(queue->sweep->roster, index, claim->id, err) != 0 ||
        queue_probe(queue, index, claim->id,
                    board_gen(&queue->board, index), &rec, &last, err) != 0)
        return -1;
    state = board_state(&queue->board, index);
    note = board_note(&queue->board, index);
    if (board_withdrawn(&queue->board, index))
        return relay_fail(err, EX_DATAERR,
                          "cell %s is commented out in the source", claim->id);
    if (state == CELL_RUNNING && queue->by_nonce &&
        note->writer == queue->self) {
        fill(queue, index, claim);
        return 0;
    }
    if (state == CELL_RUNNING &&
        queue_owner_alive(queue, note->writer, true, why, sizeof(why)) !=
            ALIVE_DEAD)
        return refuse_owner(queue, index, claim->id, why, err);
    if (state != CELL_RUNNING && state != CELL_WAITING &&
        state != CELL_PARTIAL)
        return refuse_state(queue, claim->id, state, err);
    rc = attempt(queue, index, claim, err);
    if (rc == 0)
        return refuse_owner(queue, index, claim->id, "", err);
    return rc == 1 ? 0 : -1;
}

int queue_claim_cell(struct queue *queue, uint64_t index,
                     struct queue_claim *claim, struct relay_error *err)
{
    int rc = enter(queue, err);

    memset(claim, 0, sizeof(*claim));
    if (rc == 0 && index >= queue->board.size)
        rc = relay_fail(err, EX_USAGE, "sweep %s has no cell #%" PRIu64,
                        queue->sweep->path, index);
    if (rc == 0)
        rc = claim_named(queue, index, claim, err);
    leave(queue);
    return rc;
}
