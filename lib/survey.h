/*
 * What a cluster says of itself, by one script there, and the relay.yaml that
 * follows from it: for `sresume init`.
 */
#ifndef RELAY_SURVEY_H
#define RELAY_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "error.h"

enum { SURVEY_ROOTS = 20, SURVEY_PARTITIONS = 64, SURVEY_GPUS = 32 };

struct survey_root {
    char path[1024]; /* as a configuration spells it */
    int64_t runs;    /* in it now */
};

struct survey_partition {
    char name[64];
    bool usual; /* the default one */
    bool up;
    bool gpus; /* has some */
};

struct survey {
    char ssh[256]; /* how it was asked; "" for here */
    bool login;    /* by a ControlMaster of the user's, which jobs have not */
    char cluster[64]; /* Slurm's name, "" when it does not say */
    char user[64];
    char resume_root[1024]; /* configured there already, "" */
    char run_root[1024];
    struct survey_root roots[SURVEY_ROOTS]; /* best first */
    size_t nroots;
    struct survey_partition partitions[SURVEY_PARTITIONS];
    size_t npartitions;
    char gpus[SURVEY_GPUS][64]; /* types, each once */
    size_t ngpus;
    bool untyped; /* some GPUs have no type in their Gres */
    char slurm_problem[300];
};

/* Asks this cluster (ssh NULL), or the one behind that host, which need not
 * be configured. workdir is searched besides the usual places. 0, or -1 as
 * peer_script. */
int survey_ask(const char *ssh, const char *workdir, struct survey *survey,
               struct relay_error *err);

/* Types of GPUs in a Gres ("gpu:a100:8(S:0-1),gpu:4") into the survey. True
 * when there are any GPUs. */
bool survey_gres(struct survey *survey, const char *gres);

/* The partition that jobs must name: the only one with GPUs when the default
 * has none; NULL when the default will do, or it is for a person to say. */
const struct survey_partition *survey_partition(const struct survey *survey);

/* The text of a relay.yaml (malloc'd), or NULL out of memory. there may be
 * NULL. named: say which cluster this is. */
char *survey_yaml(const struct survey *here, const struct survey *there,
                  bool named);

#endif
