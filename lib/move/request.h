/*
 * What a submission asks for: the options of an sbatch command line and of the
 * script's #SBATCH lines that decide where it may run. Only read: sbatch
 * itself gets every argument as it was typed.
 */
#ifndef RELAY_REQUEST_H
#define RELAY_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct request {
    char partition[128];  /* "" the default one; may be a list */
    char gpu[64];         /* type in --gres / --gpus, "" any; a list with
                             commas where several are asked for */
    int gpus;             /* of the whole job; 0 none */
    char nodelist[4096];  /* also what a --nodefile holds, with commas */
    char exclude[4096];
    char constraint[1024];
    char array[128];
    bool array_typed;     /* on the command line: not a #SBATCH line's */
    bool ours_typed;      /* so is one of our own options below */
    char qos[64];
    char job_name[128];   /* "" where Slurm names it after the script */
    char comment[256];    /* its beginning, when it is longer */
    bool has_comment;
    int64_t nodes;        /* 1; the smallest number of a range */
    const char *script;   /* in argv, NULL: --wrap or none */
    int script_at;        /* index in argv of the script; argc when none */
    char account[64];
    char clusters[128];   /* of --clusters: submitted elsewhere, "" */
    char reservation[128];
    char time[64];        /* of --time as written, "" */
    bool wrap;            /* --wrap */
    char resume_key[256]; /* of our own options, "" */
    char handoff_from[256];
    char sweep_cell[256];
};

/* Reads argv (sbatch's arguments without its own name: the first is an option
 * or the script; the script's own arguments are behind it), then the script's
 * #SBATCH lines (an option on the command line wins, SBATCH_* environment
 * variables lie between as sbatch has it). A script that cannot be read is
 * EX_NOINPUT, one that sbatch would refuse EX_DATAERR, a wrong command line
 * EX_USAGE. Heterogeneous jobs are refused. 0 or -1. */
int request_read(char *const *argv, int argc, struct request *req,
                 struct relay_error *err);

#endif
