/*
 * run_metadata.json of a cell: what ran where with which arguments, code and
 * environment, and how it ended. Written at the start and again at the end of
 * each attempt; no secrets.
 */
#ifndef RELAY_SWEEP_METADATA_H
#define RELAY_SWEEP_METADATA_H

#include <stdbool.h>
#include <stdint.h>

#include "board.h"
#include "command.h"
#include "gitcheck.h"
#include "owner.h"

#define CELL_METADATA "run_metadata.json"

struct metadata {
    const char *sweep; /* its directory */
    const char *name;  /* of the sweep */
    const char *id;
    uint64_t index;
    int64_t gen;
    int64_t attempt;   /* from 1 */
    int64_t redone;    /* times it was begun anew on a person's word */
    const struct value *params;
    char *const *argv;
    char *const *env;  /* all of it: what is fit to be kept is chosen here */
    const char *workdir;
    const char *gpus;  /* NULL: none */
    const char *output; /* where it prints, when not to the cell's log; NULL */
    const struct owner *own;
    const struct gitinfo *git;
    int64_t started;   /* wall clock */
    /* Of the end; ended 0: it runs. */
    int64_t ended;
    int64_t seconds;
    int status;        /* raw wait status */
    enum cell_state state;
    const char *cause;
    const char *why;   /* NULL: none */
    int64_t step;      /* -1: none */
    int64_t first_checkpoint; /* seconds until it; -1: there was none */
};

/* Writes it into dir, atomically. 0 or -1. */
int metadata_write(const char *dir, const struct metadata *m,
                   struct relay_error *err);

/* What the last attempt left. */
struct metadata_last {
    bool known;      /* there is such a file, of a cell of this id */
    char sweep[1024]; /* that the attempt was of */
    char output[1024]; /* "": to the cell's log */
    int64_t gen;     /* of the claim it tells of */
    bool ended;
    char state[24];  /* as cell_state_name; "" while it had not ended */
    int64_t attempt; /* 0: none */
    int64_t first_checkpoint; /* seconds; 0: not known */
    int64_t redone;
};

void metadata_read(const char *dir, const char *id,
                   struct metadata_last *last);

/* Was what stands in the cell's directory judged for this very sweep? gen is
 * of the present claim. If not, its files may be proof still: they were there
 * before the sweep, or are another sweep's that had the cell, or the worker
 * died before it could judge. */
bool metadata_judged(const struct metadata_last *last, const char *sweep,
                     int64_t gen);

/* Is this claim a person's word that a done or unproven cell is to be run
 * again (retry --force)? */
bool metadata_redone(const struct metadata_last *last, int64_t gen);

/* May the variable (NAME=VALUE) be kept? RELAY_*, WANDB_*, SLURM_JOB_* and
 * the like; nothing whose name speaks of a key, token, secret or password, or
 * whose value is a URL with a user in it. */
bool metadata_may_keep(const char *word);

#endif
