/*
 * sbatch's options, as far as is needed to tell which words are options,
 * which are their values, and where the script is. The table is that of Slurm
 * 22.05, measured; what later ones and our plugin added stands behind it.
 */
#ifndef RELAY_MOVE_SBATCHOPT_H
#define RELAY_MOVE_SBATCHOPT_H

#include "error.h"

/* Those whose values are of interest. */
enum sbatch_id {
    SB_OTHER,
    SB_ACCOUNT,
    SB_ARRAY,
    SB_CLUSTERS,
    SB_COMMENT,
    SB_CONSTRAINT,
    SB_EXCLUDE,
    SB_GPUS,
    SB_GPUS_NODE,
    SB_GPUS_SOCKET,
    SB_GPUS_TASK,
    SB_GRES,
    SB_HANDOFF_FROM,
    SB_JOB_NAME,
    SB_NODEFILE,
    SB_NODELIST,
    SB_NODES,
    SB_NTASKS,
    SB_NTASKS_GPU,
    SB_NTASKS_NODE,
    SB_PARTITION,
    SB_QOS,
    SB_RESERVATION,
    SB_RESUME_KEY,
    SB_SOCKETS,
    SB_SWEEP_CELL,
    SB_TIME,
    SB_TRES_TASK,
    SB_WRAP,
    SB_IDS
};

/* Where a reading of words stands; all zero but argv and argc to begin. */
struct sbatch_words {
    char *const *argv; /* the first one is an option already */
    int argc;
    int at;              /* the next word */
    const char *letters; /* what is left of "-Qn2", or NULL */
};

struct sbatch_found {
    enum sbatch_id id;
    const char *value; /* NULL for none */
};

/* The next option: 1; at the end, or at the first word that is no option, 0
 * and words->at is that word; -1 with EX_USAGE for what sbatch would refuse,
 * and for an unknown option of which nobody can tell whether the next word is
 * its value. */
int sbatch_next(struct sbatch_words *words, struct sbatch_found *found,
                struct relay_error *err);

#endif
