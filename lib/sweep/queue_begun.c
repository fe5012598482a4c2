/* Cells that were begun before: those with a step first, then those that are
 * to be tried again, then those whose owner has ended among them. They are
 * gathered from the notes when others had news, and kept for the claims in
 * between. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "queue_state.h"

enum { SPREAD = 64 };

static bool has_step(const struct board_note *note)
{
    return note != NULL && note->step >= 0;
}

bool queue_in_shard(const struct queue_want *want, uint64_t index)
{
    return want->shard_count < 2 ||
           index % want->shard_count == want->shard_index;
}

static bool is_avoided(const struct queue_want *want, uint64_t index)
{
    size_t i;

    for (i = 0; i < want->navoid; i++)
        if (want->avoid[i] == index)
            return true;
    return false;
}

/* May it be claimed, by what the board knows? look: also when it is running
 * and its owner has ended. */
static bool may_be_had(struct queue *queue, uint64_t index, bool look)
{
    const struct board_note *note = board_note(&queue->board, index);
    enum cell_state state = board_state(&queue->board, index);

    if (board_gen(&queue->board, index) == 0)
        return false;
    if (state == CELL_PARTIAL || state == CELL_WAITING)
        return true;
    return state == CELL_RUNNING && look && note != NULL &&
           note->writer != queue->self &&
           queue_owner_alive(queue, note->writer,
                             !queue->begun.want.no_takeover, NULL,
                             0) == ALIVE_DEAD;
}

static int add(struct begun_list *list, uint64_t index, struct relay_error *err)
{
    if (list->n == list->room) {
        size_t room = list->room > 0 ? list->room * 2 : 64;
        uint64_t *all = realloc(list->index, room * sizeof(*all));

        if (all == NULL)
            return relay_fail(err, EX_OSERR, "out of memory");
        list->index = all;
        list->room = room;
    }
    list->index[list->n++] = index;
    return 0;
}

void queue_came_back(struct queue *queue, const struct board_line *line)
{
    const struct board_note *note = board_note(&queue->board, line->index);

    if (line->state != CELL_PARTIAL && line->state != CELL_WAITING)
        return;
    if (add(&queue->begun.rank[has_step(note) ? 0 : 1], line->index, NULL))
        queue->begun.stale = true;
}

void queue_forget_begun(struct queue *queue)
{
    free(queue->begun.rank[0].index);
    free(queue->begun.rank[1].index);
    memset(&queue->begun, 0, sizeof(queue->begun));
}

static int by_index(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void reverse(uint64_t *all, size_t n)
{
    size_t i;

    for (i = 0; i < n / 2; i++) {
        uint64_t first = all[i];

        all[i] = all[n - 1 - i];
        all[n - 1 - i] = first;
    }
}

/* Of many workers each begins elsewhere among the equals. */
static void turn(struct begun_list *list, uint64_t by)
{
    size_t shift;

    if (list->n < 2)
        return;
    qsort(list->index, list->n, sizeof(*list->index), by_index);
    shift = (size_t)(by % list->n);
    reverse(list->index, shift);
    reverse(list->index + shift, list->n - shift);
    reverse(list->index, list->n);
}

static int gather(struct queue *queue, bool look, struct relay_error *err)
{
    const struct board *board = &queue->board;
    struct begun *begun = &queue->begun;
    size_t i, rank;

    for (rank = 0; rank < 2; rank++)
        begun->rank[rank].n = begun->rank[rank].at = 0;
    for (i = 0; i < board->nroom; i++) {
        const struct board_note *note = board->notes[i];

        if (note != NULL && queue_in_shard(&begun->want, note->index) &&
            may_be_had(queue, note->index, look) &&
            add(&begun->rank[has_step(note) ? 0 : 1], note->index, err) != 0)
            return -1;
    }
    for (rank = 0; rank < 2; rank++)
        turn(&begun->rank[rank], queue->cursor % SPREAD);
    begun->stale = false;
    return 0;
}

static bool same_want(const struct queue_want *a, const struct queue_want *b)
{
    return a->shard_index == b->shard_index &&
           a->shard_count == b->shard_count && a->no_takeover == b->no_takeover;
}

int queue_try_begun(struct queue *queue, const struct queue_want *want,
                    bool look, struct queue_claim *claim,
                    struct relay_error *err)
{
    const struct board *board = &queue->board;
    struct begun *begun = &queue->begun;
    size_t rank, ranks = want->resumed_only ? 1 : 2;
    int rc = 0;

    if (board->of[CELL_PARTIAL] == 0 && board->again == 0 &&
        (!look || board->of[CELL_RUNNING] == 0))
        return 0;
    if (look || begun->stale || !same_want(want, &begun->want)) {
        begun->want = *want;
        begun->want.avoid = NULL; /* the caller's, asked at each claim */
        begun->want.navoid = 0;
        if (gather(queue, look, err) != 0)
            return -1;
    }
    for (rank = 0; rank < ranks && rc == 0; rank++) {
        struct begun_list *list = &begun->rank[rank];

        while (rc == 0 && list->at < list->n) {
            uint64_t index = list->index[list->at++];

            if (queue_in_shard(want, index) && !is_avoided(want, index) &&
                may_be_had(queue, index, true))
                rc = queue_attempt(queue, index, claim, err);
        }
    }
    return rc;
}
