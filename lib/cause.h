/*
 * Why did a run end? The epilog cannot tell a cancelled job from one that
 * timed out or was preempted: it records "unresolved", and the next reader
 * with Slurm at hand finds the cause and records it (doc/protocol.md,
 * sections 3 and 9).
 */
#ifndef RELAY_CAUSE_H
#define RELAY_CAUSE_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "lease.h"
#include "liveness.h"
#include "run.h"

#define CAUSE_UNRESOLVED "unresolved"

enum proof {
    PROOF_REFUTED = -1, /* "ok" or "completed" says false */
    PROOF_NONE,
    PROOF_DONE          /* says true, and nothing says the opposite */
};

/* Is the run done by its own word: resume_meta.json's completed, and ok in
 * summary.json of its run_dir? What is absent says nothing. */
enum proof cause_proof(const struct meta *meta);

/* The same by the run's completion contract (done: in relay.yaml), where it
 * has one: PROOF_DONE when all of it is met. log is the body's output, "" for
 * unknown; exited_0: the body has ended, with 0; deep: files may be read
 * whole. */
enum proof cause_proof_by(const struct run *run, const struct meta *meta,
                          const char *log, bool exited_0, bool deep);

/* The cause by what is known: own is who ran, status the raw wait status of
 * its body (-1: unknown), facts what Slurm says of the job (NULL: nothing was
 * found out), proof as above. A job that Slurm cancelled, timed out or
 * requeued is that, whatever its body exited with; "completed" needs exit 0
 * and proof; exit 0 alone is "exited". CAUSE_UNRESOLVED when the evidence
 * does not say. No I/O. */
const char *cause_judge(const struct owner *own, int status,
                        const struct job_facts *facts, enum proof proof);

/* The cause that the record itself, or a history event of a later reader,
 * gives; CAUSE_UNRESOLVED when neither does. events is of history_read and
 * may be NULL. The text is a constant or belongs to lease or events. */
const char *cause_recorded(const struct lease *lease,
                           struct json_object *events);

/* How the run that lease (a release, or a claim whose owner is dead) speaks
 * of has ended: recorded, or looked up with Slurm on the owner's cluster and
 * then recorded as the event "cause". Returns 0 and the cause ("unresolved"
 * when the evidence does not say, "" when lease is of no run that ended); -1
 * when the history cannot be read, EX_TEMPFAIL when Slurm did not answer
 * (cause is "unresolved" then). Recording is best effort. */
int cause_resolve(struct run *run, struct lease *lease, char *cause,
                  size_t size, struct relay_error *err);

#endif
