/* The inside of struct queue, for queue*.c alone. */
#ifndef RELAY_SWEEP_QUEUE_STATE_H
#define RELAY_SWEEP_QUEUE_STATE_H

#include "claim.h"
#include "config.h"
#include "liveness.h"
#include "ledger.h"
#include "queue.h"
#include "snapshot.h"

/* Cells of one rank that may be had again, a hint each: those before `at` are
 * used up. */
struct begun_list {
    uint64_t *index;
    size_t at;
    size_t n;
    size_t room;
};

/* All of them, so that not every claim looks at every note. */
struct begun {
    struct begun_list rank[2]; /* with a step; to be tried again */
    bool stale;                /* others' ledgers had news */
    struct queue_want want;    /* what they were gathered for */
};

struct queue {
    const struct sweep *sweep;
    struct owner own;
    struct owner here; /* this process, once an owner was judged */
    bool read_only;
    bool shared;       /* other processes write as the same writer */
    bool by_nonce;     /* what the nonce holds is given again */
    bool ended;        /* an end was recorded by this process */
    struct begun begun;
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
    uint64_t news;     /* lines of others that no snapshot we read has */
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

/* Links the next generation of a cell as our claim, when its present link lets
 * us. 1 it is ours, 0 another's (the board knows by now), -1 error. */
int queue_attempt(struct queue *queue, uint64_t index,
                  struct queue_claim *claim, struct relay_error *err);

/* Fills in what the board knows of a cell that we hold. */
void queue_fill(const struct queue *queue, uint64_t index,
                struct queue_claim *claim);

bool queue_in_shard(const struct queue_want *want, uint64_t index);

/* Claims a cell that was begun before. look: also one whose owner has ended.
 * 1 claimed, 0 none, -1 error. */
int queue_try_begun(struct queue *queue, const struct queue_want *want,
                    bool look, struct queue_claim *claim,
                    struct relay_error *err);

/* A line of ours may have made a cell one that can be had again. */
void queue_came_back(struct queue *queue, const struct board_line *line);
void queue_forget_begun(struct queue *queue);

/* What our nonce holds already, also of an owner before us that has ended:
 * then it is claimed anew. 1, 0 nothing, -1. */
int queue_held(struct queue *queue, struct queue_claim *claim,
               struct relay_error *err);

/* The same of one cell, which is running by our writer. */
int queue_hold(struct queue *queue, uint64_t index,
               struct queue_claim *claim, struct relay_error *err);

/* Is a writer's owner alive? Slurm is asked when ask is set, at most twice a
 * minute. why (may be NULL) gets the evidence. */
enum alive queue_owner_alive(struct queue *queue, uint32_t writer, bool ask,
                             char *why, size_t why_size);

/* The same of any owner; nothing is remembered. */
enum alive queue_judge_owner(struct queue *queue, const struct owner *own,
                             bool job_owned, bool ask, char *why,
                             size_t why_size);

#endif
