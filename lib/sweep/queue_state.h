/* The inside of struct queue, for queue*.c alone. */
#ifndef RELAY_SWEEP_QUEUE_STATE_H
#define RELAY_SWEEP_QUEUE_STATE_H

#include "claim.h"
#include "config.h"
#include "liveness.h"
#include "ledger.h"
#include "queue.h"
#include "snapshot.h"

struct queue {
    const struct sweep *sweep;
    struct owner own;
    bool read_only;
    bool shared;       /* other processes write as the same writer */
    bool by_nonce;     /* what the nonce holds is given again */
    struct claim_store store;
    int ledgers;       /* directories */
    int snapshots;
    int ledger;        /* our own, -1 until the first line */
    uint32_t self;     /* our number among the writers */
    struct board board;
    struct ledger_writers writers;
    int64_t snapshot;  /* number of the last one read or made */
    uint64_t lines;    /* that we wrote since */
    bool dirty;        /* since the last fsync of our ledger */
    int64_t synced;    /* clock_ms of it */
    int64_t refreshed; /* clock_ms */
    int64_t looked;    /* clock_ms: whether owners of running cells live */
    uint64_t cursor;   /* where fresh cells are looked for */
    unsigned met;      /* claims of others in a row that we ran into */
    const struct config *given; /* NULL: cfg it is */
    struct config cfg; /* loaded when an owner is to be judged */
    bool configured;
    uint32_t *order;   /* norder cells by falling cost, NULL without costs */
    uint64_t norder;
};

/* Opens our ledger, made when it is not there. 0 or -1. */
int queue_need_ledger(struct queue *queue, struct relay_error *err);

/* Writes what we said of a cell: board and ledger. 0 or -1. */
int queue_say(struct queue *queue, const struct board_line *line,
              struct relay_error *err);

/* Reads the links of a cell from generation gen on, and notes the last one
 * that is there. rec (may be NULL) is it; gen 0 and CELL_WAITING for none.
 * 0 or -1. */
int queue_probe(struct queue *queue, uint64_t index, const char *id,
                int64_t gen, struct claim_record *rec, int64_t *last,
                struct relay_error *err);

/* Is a writer's owner alive? Looked up at most twice a minute. ask: Slurm may
 * be asked. why (may be NULL) gets the evidence. */
enum alive queue_owner_alive(struct queue *queue, uint32_t writer, bool ask,
                             char *why, size_t why_size);

/* The same of any owner; nothing is remembered. */
enum alive queue_judge_owner(struct queue *queue, const struct owner *own,
                             bool job_owned, bool ask, char *why,
                             size_t why_size);

/* Makes a snapshot and folds what it has all of. Failures cost time only. */
void queue_snapshot(struct queue *queue);

#endif
