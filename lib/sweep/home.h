/*
 * The home of a sweep, as its workers see it: the one queue that says who has
 * which cell. It is a directory here (home_local.c), or one on another cluster
 * that is asked over ssh (home_ssh.c, doc/protocol.md section 13).
 */
#ifndef RELAY_SWEEP_HOME_H
#define RELAY_SWEEP_HOME_H

#include "config.h"
#include "peer.h"
#include "queue.h"
#include "sweep.h"

struct home;

/* What a worker is told of beside its own. */
struct home_options {
    const struct config *cfg; /* must live as long, as must the next two */
    struct sweep *sweep;      /* open; of a home elsewhere its copy here */
    const struct owner *own;
    const char *out_root;     /* where cells write here */
    const char *resume_root;  /* NULL: none */
    size_t slots;             /* how many cells are held at a time */
    void (*say)(void *arg, const char *text); /* for people, may be NULL */
    void *arg;
};

struct home_ops {
    int (*next)(struct home *home, size_t slot, const struct queue_want *want,
                enum queue_next *what, struct queue_claim *claim,
                struct relay_error *err);
    int (*places)(struct home *home, const struct queue_claim *claim,
                    struct queue_place *all, size_t max, size_t *n,
                    struct relay_error *err);
    int (*end)(struct home *home, size_t slot, const struct queue_claim *claim,
               const struct queue_end *end, enum cell_state *final,
               struct relay_error *err);
    void (*progress)(struct home *home, size_t slot,
                     const struct queue_claim *claim, int64_t step);
    bool (*asked)(struct home *home, size_t slot,
                  const struct queue_claim *claim);
    int (*refresh)(struct home *home, struct relay_error *err);
    bool (*left)(struct home *home, const struct queue_want *want,
                 enum queue_next *what);
    void (*counts)(struct home *home, struct board_counts *counts);
    int (*settle)(struct home *home, struct relay_error *err);
    void (*close)(struct home *home);
};

/* What each kind of home begins with. */
struct home {
    const struct home_ops *ops;
    bool remote;      /* it may be out of reach for a while */
    char name[64];    /* of the cluster it is on; "" for this one */
    char url[4200];   /* how people name it; "" for a directory here */
    const struct peer *peer; /* how it is reached; NULL: it is here */
};

/* The sweep's own directory. 0 or -1. */
int home_local(const struct home_options *opt, struct home **home,
               struct relay_error *err);

/* Is that the name of a sweep on another cluster, ssh://CLUSTER/PATH? */
bool home_is_url(const char *source);

/* Reaches the sweep that url names, and opens its copy here, which is made, or
 * brought up to date, in the user's cache directory: the frozen source, so
 * that cells, ids and commands are computed here. sweep is closed by the
 * caller. 0; -1 with EX_USAGE (url), EX_CONFIG (no such cluster, or this one
 * has no name), EX_UNAVAILABLE, EX_TEMPFAIL, EX_NOINPUT (no sweep there). */
int home_ssh_open(const char *url, const struct config *cfg,
                  struct sweep *sweep, struct home **home,
                  struct relay_error *err);

/* Before the first claim. opt as for home_local. 0 or -1. */
int home_ssh_begin(struct home *home, const struct home_options *opt,
                   struct relay_error *err);

/* The rest is what is asked of either. slot: which of the worker's cells it
 * is, for each holds one claim at most. */

/* As queue_next. EX_TEMPFAIL: the home is out of reach; the same call again is
 * the same claim again. */
int home_next(struct home *home, size_t slot, const struct queue_want *want,
              enum queue_next *what, struct queue_claim *claim,
              struct relay_error *err);

/* As queue_places. */
int home_places(struct home *home, const struct queue_claim *claim,
                  struct queue_place *all, size_t max, size_t *n,
                  struct relay_error *err);

/* As queue_end. What a home that is out of reach cannot be told yet is kept
 * and told later, before anything else of that slot: 0 then, and *final is
 * what was said. */
int home_end(struct home *home, size_t slot, const struct queue_claim *claim,
             const struct queue_end *end, enum cell_state *final,
             struct relay_error *err);

/* As queue_progress. */
void home_progress(struct home *home, size_t slot,
                   const struct queue_claim *claim, int64_t step);

/* As queue_asked; a home elsewhere is asked for all slots at once, now and
 * then. */
bool home_asked(struct home *home, size_t slot,
                const struct queue_claim *claim);

/* Takes in what was appended to the source. 1 something new, 0, -1 when the
 * source is refused (EX_DATAERR): the known cells go on. */
int home_refresh(struct home *home, struct relay_error *err);

/* Is there a cell that could be claimed? *what is QUEUE_FINISHED when none
 * runs either. */
bool home_left(struct home *home, const struct queue_want *want,
               enum queue_next *what);

void home_counts(struct home *home, struct board_counts *counts);

/* Tells what is still to be told. 0; -1 and what could not be. */
int home_settle(struct home *home, struct relay_error *err);

void home_close(struct home *home);

#endif
