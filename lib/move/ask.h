/*
 * What Slurm's commands of this cluster say about GPUs and slots, asked once
 * for any number of requests. A command that is missing or fails leaves its
 * part unknown, with the reason; it is no error.
 */
#ifndef RELAY_MOVE_ASK_H
#define RELAY_MOVE_ASK_H

#include "config.h"
#include "error.h"
#include "move/gputype.h"
#include "move/request.h"
#include "move/slots.h"

struct ask_text {
    char *text;    /* what the command printed; NULL: why not */
    char why[300]; /* "squeue did not answer in time" */
};

struct ask {
    struct ask_text sinfo;      /* GPUTYPE_SINFO */
    struct ask_text squeue;     /* SLOTS_SQUEUE */
    struct ask_text partitions; /* scontrol -o show partition */
    struct ask_text qos;        /* SLOTS_QOS */
    struct ask_text assoc;      /* ASK_ASSOC of this user */
};

#define ASK_ASSOC "cluster,account,defaultqos"

/* Runs the commands, each for at most deadline_ms. Free with ask_free. */
void ask_here(int64_t deadline_ms, struct ask *ask);
void ask_free(struct ask *ask);

/* The GPUs that the request may get: gputypes_read with its reason when sinfo
 * did not answer. No I/O. */
int ask_gputypes(const struct ask *ask, const struct request *req,
                 const struct config *cfg, struct gputypes *types,
                 struct relay_error *err);

/* The free slots for the request: by max_jobs and max_gpus of the cluster
 * (those of profile, which may be NULL, in their place), by the QOS that it
 * asks for, else by the user's default one, and by that of its partition. The
 * limits of relay.yaml count the jobs of its partition, those of a QOS the
 * jobs in it. No I/O. */
void ask_slots(const struct ask *ask, const struct request *req,
               const struct config *cfg, const struct config_cluster *cluster,
               const struct config_profile *profile, struct slots *slots);

#endif
