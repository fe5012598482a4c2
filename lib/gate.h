/*
 * The gate: may this job run, and what with? Decisions of design section 4
 * and 5 on top of the lease.
 */
#ifndef RELAY_GATE_H
#define RELAY_GATE_H

#include "lease.h"
#include "run.h"

struct gate_claim {
    int64_t term;        /* of the claim; 0: keep the last record's, else 1 */
    bool moving;         /* doing: moving */
    int64_t step;        /* found, -1 for none */
    const char *back_from; /* cluster whose fence may be followed, or NULL */
};

/* Claims the lease for run->self. An owner that is dead, or an earlier run of
 * this job, is followed; alive or unknown is EX_NOPERM with the owner, the
 * evidence and the command; a fence is EX_NOPERM with where the run went.
 * A lease that this run holds already (same nonce) is stepped on. On success
 * *lease is the new record (free it). 0 or -1. */
int gate_claim(struct run *run, const struct gate_claim *claim,
               struct lease *lease, struct relay_error *err);

/* Releases the lease when the last record is of our nonce; else nothing.
 * status is the raw wait status, -1 unknown. 0 (also for nothing), or -1. */
int gate_release(struct run *run, int status, const char *cause, int64_t step,
                 struct relay_error *err);

/* May the lease's last record be followed? Judges the owner (asks Slurm).
 * 1 free, 0 held: why (a sentence with evidence) and *alive tell. */
int gate_free(struct run *run, const struct lease *lease,
              const char *back_from, bool *alive, char *why,
              size_t why_size);

#endif
