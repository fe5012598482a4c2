/*
 * A sweep with its queue and the configuration, opened for one command of
 * ssweep, and what is asked of a cell in it.
 */
#ifndef RELAY_SSWEEP_SESSION_H
#define RELAY_SSWEEP_SESSION_H

#include "config.h"
#include "key.h"
#include "ssweep.h"
#include "sweep/outcome.h"

/* What was said on the command line, and what the command is about to do. */
struct session_how {
    const char *sweep;    /* a directory, or the file it was made of */
    const char *out_root; /* --out-root; NULL: as configured */
    bool change;          /* the queue is to be changed */
    int64_t owner_pid;    /* of whoever changes it; 0: this process */
    const char *nonce;    /* of the owner (queue_options); NULL: none */
    bool in_job;          /* ask Slurm who the owner's job is */
};

struct session {
    struct sweep sweep;
    struct config cfg;
    struct owner own;
    struct queue *queue;
    bool warned;       /* session_look has said what is wrong */
    char *out_root;    /* absolute; NULL: as configured */
    char *resume_root; /* of this cluster; NULL: none */
};

/* Options of every command that looks at directories of cells. */
#define OUT_ROOT_OPTION(how)                                                  \
    {                                                                         \
        "out-root", '\0', CLI_TEXT, &(how).out_root, "DIR",                   \
            "cells write below DIR (default: as configured)"                  \
    }

/* Opens configuration, sweep and queue. To look only, nothing is made. 0, or
 * -1 (EX_CANTCREAT for a sweep that may not be written, when change is set);
 * session_close in both cases. */
int session_open(const struct session_how *how, struct session *s,
                 struct relay_error *err);
void session_close(struct session *s);

/* Takes in what was appended to the source since (sweep_refresh) where the
 * sweep may be written, and what the ledgers say. 0 or -1. */
int session_refresh(struct session *s, struct relay_error *err);

/* The same to look only: a source that was changed where it may not be is
 * said once, on stderr, and does not end a look that may take days. */
int session_look(struct session *s, struct relay_error *err);

/* A cell and where it is. */
struct session_cell {
    struct cell cell;
    char *dir;          /* absolute */
    char key[KEY_MAX + 1]; /* its resume key; "" when it can have none */
    char hash[KEY_HASH_LEN + 1];
    char *state_dir;    /* its resume directory; NULL: no resume_root */
    char log[4200];     /* its stdout.log */
};

/* Computes it. 0 or -1; session_cell_free in both cases. */
int session_cell(const struct session *s, uint64_t index,
                 struct session_cell *c, struct relay_error *err);
void session_cell_free(struct session_cell *c);

/* The completion contract: of the source, else of the configuration. Returns
 * the number of checks (0: none); they belong to the session. */
size_t session_contract(const struct session *s, char ***checks);

/* What may be judged of a cell. status as in struct outcome_facts. */
void session_judge(const struct session *s, const struct session_cell *c,
                   int status, struct outcome *out);

/* A number above 0 of the cells that somebody can still work on. */
uint64_t session_left(const struct board_counts *counts);

/* Seconds until all is done at the present pace; -1: nobody can tell. */
int64_t session_eta(const struct board_counts *counts);

/* "3 waiting, 2 running, 5 done; about 10 min left", for a line of a log. */
void session_line(const struct board_counts *counts, char *text, size_t size);

#endif
