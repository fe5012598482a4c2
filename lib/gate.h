/*
 * The gate: may this job run, and what with? Decisions of design section 4
 * and 5 on top of the lease.
 */
#ifndef RELAY_GATE_H
#define RELAY_GATE_H

#include "lease.h"
#include "run.h"

struct gate_claim {
    int64_t term;        /* at least; 0: the last record's, else 1 */
    bool moving;         /* doing: moving */
    int64_t step;        /* found, -1 for none */
    const char *back_from; /* cluster whose fence may be followed, or NULL */
};

/* Claims the lease for run->self. An owner that is dead, or an earlier run of
 * this job, is followed; one whose job is COMPLETING is waited for; alive or
 * unknown is EX_NOPERM with the owner, the evidence and the command; a fence
 * is EX_NOPERM with where the run went.
 * A lease that this run holds already (same nonce) is stepped on. On success
 * *lease is the new record (free it). 0 or -1. */
int gate_claim(struct run *run, const struct gate_claim *claim,
               struct lease *lease, struct relay_error *err);

/* Releases the lease when the last record is of our nonce; else nothing.
 * status is the raw wait status, -1 unknown. 0 (also for nothing), or -1. */
int gate_release(struct run *run, int status, const char *cause, int64_t step,
                 struct relay_error *err);

/* Why a lease cannot be followed now. */
struct gate_holder {
    bool alive;
    bool ending;   /* alive, but its job is COMPLETING */
    char why[900]; /* a sentence with evidence */
};

/* May the lease's last record be followed? Judges the owner (asks Slurm).
 * 1 free, 0 held: *holder tells. */
int gate_look(struct run *run, const struct lease *lease,
              const char *back_from, struct gate_holder *holder);

/* gate_look at a lease that is held, for who has no time: one look, without
 * the pauses that proof of an end needs. 1 free, 0 held or not known. */
int gate_look_quickly(struct run *run, const struct lease *lease,
                      struct gate_holder *holder);

/* Says why a lease cannot be had, and what to type. Returns -1, EX_NOPERM. */
int gate_refuse(struct run *run, const struct lease *lease,
                const struct gate_holder *holder, struct relay_error *err);

/* gate_look for a job that could begin now: a holder that is ending is waited
 * for, a minute at most, because a cancelled job's epilog takes some seconds
 * and the next job of the run may start meanwhile. *lease is the last record
 * then (it is read again; free it in any case). -1: it could not be read. */
int gate_look_patiently(struct run *run, struct lease *lease,
                        const char *back_from, struct gate_holder *holder,
                        struct relay_error *err);

/* gate_look in single values. */
int gate_free(struct run *run, const struct lease *lease,
              const char *back_from, bool *alive, char *why,
              size_t why_size);

#endif
