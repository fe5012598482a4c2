/* What a nonce holds already, and whose it is. */
#include <string.h>

#include "queue_state.h"

/* Killed between the link and its line: the ledger says what was meant. */
static int take_meant(struct queue *queue, struct relay_error *err)
{
    struct ledger_writer *self = &queue->writers.all[queue->self];
    struct board_line line = {.state = CELL_RUNNING,
                              .index = self->meant,
                              .gen = self->meant_gen,
                              .step = -1,
                              .cause = "",
                              .why = ""};
    const struct board_note *note;
    struct claim_record rec;
    char id[CELL_ID_MAX + 1];

    if (line.gen < 1 || line.index >= queue->board.size ||
        board_gen(&queue->board, line.index) >= line.gen)
        return 0;
    self->meant_gen = 0;
    if (roster_id(queue->sweep->roster, line.index, id, err) != 0)
        return -1;
    if (claim_read(&queue->store, id, line.gen, &rec, NULL) != 0 ||
        rec.state != CELL_RUNNING ||
        strcmp(rec.writer, queue->store.writer) != 0)
        return 0; /* it was not linked, or by somebody else */
    note = board_note(&queue->board, line.index);
    line.failures = note != NULL ? note->failures : 0;
    line.time = rec.time;
    return queue_say(queue, &line, err);
}

int queue_hold(struct queue *queue, uint64_t index, struct queue_claim *claim,
               struct relay_error *err)
{
    struct claim_record rec;
    char why[512];
    int64_t last;

    /* It may have ended, or been taken over, without a line of it. */
    if (queue_probe(queue, index, claim->id, board_gen(&queue->board, index),
                    &rec, &last, err) != 0)
        return -1;
    if (last == 0) /* the link was lost: see queue_attempt */
        return queue_attempt(queue, index, claim, err);
    if (rec.state != CELL_RUNNING ||
        strcmp(rec.writer, queue->store.writer) != 0)
        return 0;
    /* The nonce may have passed on, as that of a requeued job's script does:
     * the claim has to name who lives, or others take it. */
    if (!rec.job_owned && !owner_same_process(&rec.owner, &queue->own) &&
        queue_judge_owner(queue, &rec.owner, false, true, why, sizeof(why)) ==
            ALIVE_DEAD)
        return queue_attempt(queue, index, claim, err);
    queue_fill(queue, index, claim);
    return 1;
}

int queue_held(struct queue *queue, struct queue_claim *claim,
               struct relay_error *err)
{
    const struct board *board = &queue->board;
    size_t i;
    int rc = take_meant(queue, err);

    for (i = 0; i < board->nroom && rc == 0; i++) {
        const struct board_note *note = board->notes[i];

        if (note == NULL || note->writer != queue->self ||
            board_state(board, note->index) != CELL_RUNNING)
            continue;
        rc = roster_id(queue->sweep->roster, note->index, claim->id, err);
        if (rc == 0)
            rc = queue_hold(queue, note->index, claim, err);
    }
    return rc;
}
