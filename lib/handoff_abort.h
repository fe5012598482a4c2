/*
 * Giving a run back to the cluster that it was coming from (shandoff --abort).
 * Runs on the cluster that the run was moving to.
 */
#ifndef RELAY_HANDOFF_ABORT_H
#define RELAY_HANDOFF_ABORT_H

#include "run.h"

/*
 * Ends the handoff of run that stands in the journal here, which is anything
 * from OPEN to PUBLISHED, so that the run is the source's again:
 *
 * - links ABORTED, which no COMMITTED can follow (of the two one wins);
 * - cancels the job here that has the run, and waits until it is dead (section
 *   5 of doc/protocol.md; handoff.stop_timeout);
 * - before STOPPING: removes our copies here and the snapshots there. The
 *   source was not touched and trains on;
 * - after it: fences the run here, moves what was published to
 *   .relay/<hash>/superseded-<term> with a stub in its place (nothing is
 *   deleted), puts the source's state back, restores Requeue, releases the
 *   followers, and says what to type there: the source's job is dead, unless
 *   its scancel never came.
 *
 * Can be cut off anywhere and called again; a handoff that was given back
 * already, or none at all, is 0 and says so. Where a run moved on one file
 * system (or one cluster) only the lease and run_dir go back. A job here that
 * is still pending and has begun nothing is not known to the journal: cancel
 * it before calling this.
 *
 * Tells by run_say what it does. -1, and nothing is changed that was not
 * before:
 *   EX_NOPERM    it is committed (or its step has passed the one that was
 *                taken), or moved on from here: the text has the command that
 *                moves it back; or it is run outside Slurm and alive, or the
 *                source has another state by now
 *   EX_TEMPFAIL  source or Slurm do not answer, or the job here is cancelled
 *                and not provably dead: call again
 */
int handoff_abort(struct run *run, struct relay_error *err);

#endif
