/*
 * The roster: every cell of a source, by index, whatever the source is. A
 * grid's cells are computed when asked for, not kept.
 */
#ifndef RELAY_SWEEP_ROSTER_H
#define RELAY_SWEEP_ROSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "error.h"
#include "lint.h"
#include "relayline.h"
#include "value.h"

#define CELL_ID_MAX 128

enum roster_kind {
    ROSTER_WANDB, /* a W&B sweep YAML */
    ROSTER_CSV,   /* a row is a cell */
    ROSTER_QUEUE, /* a line `cfg task [epochs]` is a cell */
    ROSTER_JOBS   /* a directory of NAME/JOB.slurm: listed, not run */
};

struct cell {
    uint64_t index;
    char id[CELL_ID_MAX + 1]; /* [A-Za-z0-9][A-Za-z0-9._-]*: names claims,
                                 directories and runs */
    struct value params;      /* a dict */
    bool withdrawn;           /* its line was commented out: not to be run */
    int line;                 /* in the source; 0: computed */
    double cost;              /* hours; -1: not known */
};

/* How a source is to be read; kept with a sweep that is made of it. */
struct roster_options {
    bool yaml_floats;    /* 1e-4 is a number */
    bool strict_wandb;   /* no extensions of ours */
    int64_t epochs;      /* of a queue line without; 0: 20 */
    int64_t start_index; /* skip so many lines of a queue file */
};

struct roster; /* opaque */

/* What is true of the whole source. Strings belong to the roster. */
struct roster_info {
    enum roster_kind kind;
    const char *name;    /* of the sweep: its own, else the file's, no dirs */
    const char *entity;  /* NULL: not given */
    const char *project; /* NULL: not given */
    const char *program;
    const struct value *command; /* W&B's; NULL: none */
    const struct relay_lines *lines;
    bool has_run_id; /* a CSV with that column: output is out/<run_id>/ */
};

/* Reads a source: *.yaml and *.yml are W&B's, *.csv CSV, a directory JOB
 * scripts, all else a queue file. configs whose digest in frozen (may be
 * NULL) is set keep that digest; the others are read now, relative to the
 * source's directory. Returns 0; -1 with EX_NOINPUT, EX_DATAERR and
 * FILE:LINE:COLUMN. Warnings go to lint (may be NULL). */
int roster_load(const char *path, const struct roster_options *opt,
                const struct relay_config_file *frozen, size_t nfrozen,
                struct roster **roster, struct lint *lint,
                struct relay_error *err);
void roster_free(struct roster *roster);

const struct roster_info *roster_info(const struct roster *roster);

/* Indices are 0 to size - 1; a cell keeps its index and id as a file grows. */
uint64_t roster_size(const struct roster *roster);

/* Computes a cell. cell_free in all cases. 0 or -1. */
int roster_cell(const struct roster *roster, uint64_t index,
                struct cell *cell, struct relay_error *err);
void cell_free(struct cell *cell);

/* The id alone, which is faster. 0 or -1. */
int roster_id(const struct roster *roster, uint64_t index,
              char id[CELL_ID_MAX + 1], struct relay_error *err);

/* Is the line of that cell commented out (a queue file's)? */
bool roster_withdrawn(const struct roster *roster, uint64_t index);

/* The arguments of a cell, as its source means them: --k=v of W&B and CSV
 * (CSV columns that hold Python literals are written as such), of a queue
 * line its three words. 0 or -1. */
int roster_args(const struct roster *roster, const struct cell *cell,
                struct words *args, struct relay_error *err);

/* 64 bits of an id for look-ups; equal for equal ids, no more. */
uint64_t roster_id_key(const char *id);

#endif
