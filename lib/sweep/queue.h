/*
 * The queue of a sweep: claims that no two workers share, outcomes, and what
 * to do next. A claim is the hard link claims/HH/ID.GEN to a ready, fsynced
 * record of its writer (doc/protocol.md): it costs no inode and one
 * call; each change of a cell is the next generation, and nothing is ever
 * removed. What was done is written, one line each, into the writer's own
 * ledger, from which others learn it.
 */
#ifndef RELAY_SWEEP_QUEUE_H
#define RELAY_SWEEP_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board.h"
#include "config.h"
#include "error.h"
#include "owner.h"
#include "sweep.h"

struct queue; /* opaque */

struct queue_claim {
    uint64_t index;
    char id[CELL_ID_MAX + 1];
    int64_t gen;
    bool partial;   /* it was begun before */
    int failures;   /* so far */
    int64_t step;   /* last one recorded; -1: none */
};

struct queue_options {
    bool read_only;    /* to look only: makes nothing */
    const char *nonce; /* claims are idempotent by it: what this nonce holds
                          is what it is given again; NULL: not so */
    const struct config *cfg; /* who asks Slurm about owners does it by this;
                                 must live as long. NULL: loaded then */
    bool job_owned;    /* the job is the owner, its processes are not: it
                          lives until Slurm says that it has ended */
    const char *out_root;    /* where the writer's cells and their resume */
    const char *resume_root; /* directories are, on its cluster, kept in the
                                claims for who goes on with a cell; NULL: not
                                known. They must live as long */
};

/* Opens the queue of an open sweep (which must outlive it), as owner own
 * (NULL when read_only). Reads the newest snapshot and what the ledgers say
 * since. 0 or -1. */
int queue_open(const struct sweep *sweep, const struct owner *own,
               const struct queue_options *opt, struct queue **queue,
               struct relay_error *err);

/* Closes; writes a snapshot when there is enough new, and fsyncs what was
 * finished. Claims that are held stay held. */
void queue_close(struct queue *queue);

enum queue_next { QUEUE_CLAIMED, QUEUE_NOTHING_NOW, QUEUE_FINISHED };

/* Which cells a worker wants. All zero: any. */
struct queue_want {
    uint64_t shard_index; /* index modulo shard_count */
    uint64_t shard_count; /* 0 or 1: all */
    bool resumed_only;    /* partial ones alone: too little time for others */
    bool no_takeover;     /* do not ask Slurm about owners that may be dead */
    bool held_only;       /* what the nonce holds, and nothing new */
    const uint64_t *avoid; /* navoid cells that were begun and are not wanted
                              now */
    size_t navoid;
};

/* Claims the next cell: partial ones first, then retries, then fresh ones,
 * longest first where the source gives a cost. *what says what became of it.
 * A cell whose owner is provably dead is taken over; that of an unknown one
 * never. 0 or -1 (EX_CANTCREAT, EX_IOERR: then claim is not held). */
int queue_next(struct queue *queue, const struct queue_want *want,
               enum queue_next *what, struct queue_claim *claim,
               struct relay_error *err);

/* Claims that very cell. 0; -1 with EX_NOPERM when it is another's (who, and
 * what is known of it), EX_DATAERR when it is done, failed for good or held
 * back (with what to type). */
int queue_claim_cell(struct queue *queue, uint64_t index,
                     struct queue_claim *claim, struct relay_error *err);

/* An earlier claim of a cell, and where its state is if that claim was run:
 * in directories of that cluster. */
struct queue_place {
    int64_t gen;
    char cluster[64];
    char out_root[1024];    /* "": not known */
    char resume_root[1024]; /* "": not known, or none */
};

/* The claims of a cell before claim, the latest first, max at most. None as
 * long as all of the sweep's workers were on its own cluster: then all states
 * are where they were. 0 or -1. */
int queue_places(struct queue *queue, const struct queue_claim *claim,
                   struct queue_place *all, size_t max, size_t *n,
                   struct relay_error *err);

/* Notes that a worker of another cluster works on the sweep. 0 or -1. */
int queue_note_elsewhere(struct queue *queue, struct relay_error *err);

/* The owners of running cells that are of that cluster, max at most, each
 * process once. Returns their number. */
size_t queue_owners_of(struct queue *queue, const char *cluster,
                       struct owner *all, size_t max);

/* Their own cluster has told that this owner is dead: what it holds may be
 * taken over. */
void queue_told_dead(struct queue *queue, const struct owner *own);

/* How a claim ended. */
struct queue_end {
    enum cell_state state; /* DONE, UNPROVEN, FAILED, PARTIAL (given back; also
                              when nothing was begun), QUARANTINED */
    const char *cause;     /* completed, failed, preempted, cancelled, ... */
    const char *why;       /* a sentence, NULL for none. Equal ones of several
                              workers quarantine a cell */
    int64_t step;          /* -1: unknown */
    int64_t seconds;       /* it ran */
    bool counts;           /* against retries */
};

/* Records the end of claim (index, gen), as gen + 1: the generation is the
 * proof that one may. FAILED with failures left becomes PARTIAL (WAITING
 * without a step) by itself, or QUARANTINED when another worker had the same
 * error; *final (may be NULL) says what it became. Idempotent: 0 also when
 * this very end is recorded already. -1: EX_NOPERM when the cell has moved on
 * (who has it now), EX_IOERR. */
int queue_end(struct queue *queue, uint64_t index, int64_t gen,
              const struct queue_end *end, enum cell_state *final,
              struct relay_error *err);

/* Notes progress of a claim for status: one ledger line. Never decides
 * anything; errors are swallowed. */
void queue_progress(struct queue *queue, uint64_t index, int64_t gen,
                    int64_t step);

/* A person's word about a cell: "retry" makes a failed, unproven (only with
 * force), quarantined or done (only with force) one waiting again; "accept"
 * makes an unproven one done; "hold" quarantines a waiting or partial one.
 * 0; -1 with EX_NOPERM while it runs, EX_DATAERR when that cannot be said of
 * its state. */
int queue_settle(struct queue *queue, uint64_t index, const char *word,
                 bool force, struct relay_error *err);

/* Asks the worker that runs the cell to stop it (queue_asked). 0; -1
 * EX_DATAERR when it does not run. */
int queue_ask_stop(struct queue *queue, uint64_t index,
                   struct relay_error *err);

/* Was somebody asking us to stop claim (index, gen)? One call to the file
 * system. */
bool queue_asked(struct queue *queue, uint64_t index, int64_t gen);

/* --- looking ------------------------------------------------------------- */

/* Reads what is new in the ledgers. 0 or -1. */
int queue_refresh(struct queue *queue, struct relay_error *err);

enum cell_state queue_state(const struct queue *queue, uint64_t index);

/* The generation of a cell's last record that is known; 0: none. */
int64_t queue_generation(const struct queue *queue, uint64_t index);

/* Has the cell ever been claimed? */
bool queue_touched(const struct queue *queue, uint64_t index);

/* The same, also by what others did just now: claimed() of sweep_refresh,
 * whose arg is the queue. */
bool queue_is_claimed(void *arg, uint64_t index);

/* The note on a cell, or NULL when there is nothing to say beyond its state.
 * Valid until the queue is used again. */
const struct board_note *queue_note(const struct queue *queue,
                                    uint64_t index);

/* Calls each() for every note, in the order of indices, until it returns
 * non-zero, which is returned. */
int queue_each_note(const struct queue *queue,
                    int (*each)(void *arg, const struct board_note *note,
                                enum cell_state state), void *arg);

/* The owner that wrote a record (note->writer); false when it is not known. */
bool queue_writer(const struct queue *queue, uint32_t writer,
                  struct owner *own);

/* Has the owner of a running cell ended, by what this host can tell without
 * asking anybody? Its cell comes back when a worker looks. */
bool queue_abandoned(struct queue *queue, const struct board_note *note);

void queue_counts(const struct queue *queue, struct board_counts *counts);

/* Is there a cell of want's shard that could be claimed, by what the ledgers
 * say now? *what is QUEUE_FINISHED when none runs either. */
bool queue_left(struct queue *queue, const struct queue_want *want,
                enum queue_next *what);

/* One line a record of a cell's whole history, oldest first, from its links
 * and the ledgers: "gen 2 claim by job 7 of ada ... at TIME", and whether the
 * owner of a claim lives, with the evidence. For explain. 0 or -1. */
int queue_history(struct queue *queue, uint64_t index, struct text *out,
                  struct relay_error *err);

#endif
