/* Which cell is next, and getting it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>

#include "clock.h"
#include "queue_state.h"

enum { REFRESH_MS = 30000, LOOK_MS = 5000, CROWD = 2, CROWD_MS = 100,
       MAX_GAP = 1000 };

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

void queue_fill(const struct queue *queue, uint64_t index,
                struct queue_claim *claim)
{
    const struct board_note *note = board_note(&queue->board, index);

    claim->index = index;
    claim->gen = board_gen(&queue->board, index);
    claim->failures = note != NULL ? note->failures : 0;
    claim->step = note != NULL ? note->step : -1;
    claim->partial = claim->gen > 1;
}

/* A power failure took links that ledgers tell of (there are file systems that
 * do not order them). Generations stay dense. 1; 0 when the last one turned up
 * after all, or the ledger was damaged, -1. */
static int fill_gap(struct queue *queue, uint64_t index, const char *id,
                    int64_t last, struct relay_error *err)
{
    int64_t gen;
    int won = 0;

    if (last > MAX_GAP) {
        board_forget(&queue->board, index);
        return queue_probe(queue, index, id, 1, NULL, &gen, err);
    }
    for (gen = 1; gen <= last && won >= 0; gen++)
        won = claim_link(&queue->store, id, gen, CELL_PARTIAL, err);
    return won;
}

/* Is the owner of a claim dead, whose record was read? A writer's number, and
 * what is remembered of it, may be of the nonce's next owner. */
static bool has_ended(struct queue *queue, const struct claim_record *rec,
                      struct relay_error *err)
{
    int64_t number = ledger_number(&queue->writers, rec->writer, err);
    const struct ledger_writer *writer;
    char why[512];

    if (number < 0)
        return false;
    writer = &queue->writers.all[number];
    if (writer->dead && owner_same_process(&writer->owner, &rec->owner))
        return true;
    return queue_judge_owner(queue, &rec->owner, rec->job_owned, true, why,
                             sizeof(why)) == ALIVE_DEAD;
}

/* The board's word is a hint: does the link of generation gen let another
 * claim follow? 1, 0 not, -1. */
static int may_follow(struct queue *queue, uint64_t index, const char *id,
                      int64_t gen, struct relay_error *err)
{
    struct relay_error why = {0};
    struct claim_record rec;

    if (gen == 0)
        return 1;
    if (claim_read(&queue->store, id, gen, &rec, &why) != 0)
        return why.code == EX_NOINPUT
                   ? fill_gap(queue, index, id, gen, err)
                   : relay_fail(err, why.code, "%s", why.text);
    if (rec.state == CELL_RUNNING)
        return has_ended(queue, &rec, err);
    return rec.state == CELL_WAITING || rec.state == CELL_PARTIAL;
}

int queue_attempt(struct queue *queue, uint64_t index,
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
    won = may_follow(queue, index, claim->id, line.gen - 1, err);
    if (won != 1)
        return won;
    if (queue->by_nonce &&
        ledger_intend(queue->ledger, index, line.gen, err) != 0)
        return -1;
    won = claim_link(&queue->store, claim->id, line.gen, CELL_RUNNING, err);
    if (won < 0)
        return -1;
    if (won == 0)
        return queue_probe(queue, index, claim->id, line.gen, NULL, &last,
                           err);
    if (queue_say(queue, &line, err) != 0)
        return -1;
    queue_fill(queue, index, claim);
    return 1;
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
            if (queue_in_shard(want, index))
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
        rc = queue_attempt(queue, index, claim, err);
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
    rc = queue_try_begun(queue, want, look, claim, err);
    if (rc == 0)
        rc = try_fresh(queue, want, claim, err);
    if (rc != 0)
        return rc;
    /* Nothing by what we know: what is there now? */
    if (queue_refresh(queue, err) != 0)
        return -1;
    queue->looked = clock_ms();
    rc = queue_try_begun(queue, want, true, claim, err);
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

/* Of several processes that are one writer one at a time; they are on one
 * host. Where a file system has no locks, a name that is there already is
 * another call's. (With a nonce all calls mean the same claim.) */
static int enter(struct queue *queue, struct relay_error *err)
{
    uint64_t news = 0;
    int rc;

    if (queue->read_only)
        return relay_fail(err, EX_SOFTWARE, "the queue was opened to read");
    if (!queue->shared)
        return 0;
    if (queue_need_ledger(queue, err) != 0)
        return -1;
    while ((rc = flock(queue->ledger, LOCK_EX)) != 0 && errno == EINTR)
        ;
    queue->store.crowded = rc != 0 && !queue->by_nonce;
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
    if (rc == 0 && queue->by_nonce)
        rc = queue_held(queue, claim, err);
    if (rc == 0 && !want->held_only)
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
        rc = queue_hold(queue, index, claim, err);
        if (rc == 0)
            return refuse_owner(queue, index, claim->id, "", err);
        return rc > 0 ? 0 : -1;
    }
    if (state == CELL_RUNNING &&
        queue_owner_alive(queue, note->writer, true, why, sizeof(why)) !=
            ALIVE_DEAD)
        return refuse_owner(queue, index, claim->id, why, err);
    if (state != CELL_RUNNING && state != CELL_WAITING &&
        state != CELL_PARTIAL)
        return refuse_state(queue, claim->id, state, err);
    rc = queue_attempt(queue, index, claim, err);
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
