/* The inside of a worker, for worker*.c alone. */
#ifndef RELAY_SWEEP_WORKER_STATE_H
#define RELAY_SWEEP_WORKER_STATE_H

#include "config.h"
#include "cellenv.h"
#include "celltracker.h"
#include "gitcheck.h"
#include "jobtime.h"
#include "keeper.h"
#include "outcome.h"
#include "home.h"
#include "queue.h"
#include "sweep.h"
#include "worker.h"

/* What runs in a slot. */
struct slot {
    int64_t number;
    char *gpus; /* NULL: none */
    bool busy;
    struct keeper keeper;
    struct queue_claim claim;
    struct cell cell;
    struct cellenv env;
    struct words all_env; /* the whole environment */
    struct words argv;
    char *state_dir;      /* <resume_root>/<hash>; NULL: none */
    char *attempt_dir;    /* of --wandb-buffer; NULL: none */
    int64_t attempt;
    int64_t redone;
    int64_t began;   /* clock_ms */
    int64_t started; /* wall */
    int64_t log_from;
    int64_t start_step;
    int64_t step;
    int64_t first_checkpoint; /* seconds; -1: none yet */
    int64_t sent_at;          /* clock_ms: W&B was last sent something */
    int64_t next_asked;
    int64_t next_look;
    int64_t kill_at;     /* clock_ms; 0: not being stopped */
    const char *stopped; /* why; NULL: it runs */
    bool asked;          /* somebody wants this cell to stop */
    bool warned;         /* USR1 or USR2 was passed on */
};

/* Sends one cell's buffered attempts with `wandb sync`. */
struct sender {
    struct sender *next;
    char *dir;  /* of the cell */
    char *live; /* the attempt that is written to still; NULL: none */
    char path[4300];
    int64_t after;
    int64_t began; /* clock_ms: the program that runs */
    struct keeper keeper;
};

/* Why no more cells are claimed. */
enum closing { OPEN, CLOSED_ENOUGH, CLOSED_TIME, CLOSED_QUICK, CLOSED_TROUBLE };

struct worker {
    const struct worker_options *opt;
    struct config cfg;
    struct owner own;
    struct sweep sweep;
    struct home *home;
    struct queue *queue; /* of --dry-run, to look only */
    struct celltracker tracker;
    char *workdir;
    char *out_root;    /* NULL: as configured */
    char *resume_root; /* NULL: none */
    char *run_root;    /* NULL: none */
    uint64_t *avoid;   /* navoid cells that another cluster has, or whose state
                          could not be brought here */
    size_t navoid;
    bool stranded;       /* one of them at least for that reason */
    int64_t avoid_until; /* clock_ms: then they are tried again */
    struct words gpus;
    struct slot *slots;
    size_t nslots;
    struct sender *senders;
    char wandb[4096]; /* the program; "": there is none */
    struct gitinfo git;
    struct jobtime time;
    int64_t checkpoint_fresh;   /* longest time to a first checkpoint, in */
    int64_t checkpoint_resumed; /* seconds; 0: none is known */
    enum closing closing;
    struct relay_error trouble;
    struct relay_error refused; /* why the live source is not taken in */
    int64_t begun;     /* cells that were started */
    int unasked;       /* cells in a row that a signal ended, not ours, and that
                          got nowhere */
    int quick;         /* failed first minutes in a row */
    uint64_t quick_of; /* the cell of the first of them */
    bool quick_others; /* not all of the same cell */
    char quick_why[300];
    int64_t try_at;     /* clock_ms: not before is a claim tried again */
    int64_t away_since; /* clock_ms: the home is out of reach; 0: it is not */
    int64_t refresh_at; /* clock_ms: of the live source */
    enum queue_next last_next;
    int signal;    /* that asked us to end; 0 */
    int64_t warns[2]; /* USR1 and USR2 that were passed on so far */
};

/* --- worker_open.c --- */
int worker_open(const struct worker_options *opt, struct worker *w,
                struct relay_error *err);
void worker_close(struct worker *w);

/* How the source is to be read: as was typed, the rest as it was when the
 * sweep was made (NULL: there is none yet). */
struct roster_options worker_reading(const struct worker_options *opt,
                                     const struct sweep *made);

/* Is w->sweep, which was there, what was typed: of that file as it is now,
 * with those options? 0; -1 with EX_CANTCREAT and what differs. */
int worker_check_sweep(struct worker *w, struct relay_error *err);

/* --- worker_show.c --- */
int worker_show(const struct worker_options *opt, struct relay_error *err);

/* --- worker_cell.c --- */

/* Starts the cell that slot->claim is. 1 it runs; 0 it was done already and
 * that is recorded, or it cannot be run here and was given back; -1 it was
 * given back and w cannot go on. */
int cell_begin(struct worker *w, struct slot *slot, struct relay_error *err);

/* What the cell's directories have on disk is proof? Fills facts for it. */
void cell_facts(const struct worker *w, const struct slot *slot, int status,
                char *log, size_t size, struct outcome_facts *facts);

void slot_clear(struct slot *slot);

/* --- worker_end.c --- */

/* Writes run_metadata.json; out NULL: at the start. */
int cell_metadata(const struct worker *w, const struct slot *slot, int status,
                  const struct outcome *out, struct relay_error *err);

/* Records the end of what ran in slot, which is free then. */
void cell_end(struct worker *w, struct slot *slot, int status);

/* Records an end, several times where a file system fails for a moment. 0 or
 * -1. */
int cell_record(struct worker *w, const struct slot *slot,
                const struct queue_end *end, enum cell_state *final,
                struct relay_error *err);

/* --- worker_send.c --- */
void sender_begin(struct worker *w, const char *dir, const char *live);
void senders_serve(struct worker *w);
void senders_stop(struct worker *w);

/* --- worker.c --- */
void worker_say(const struct worker *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
