/*
 * job_prolog and job_epilog: root in a fresh process of slurmd's. Neither can
 * fail and neither takes longer than its deadline, because the node would be
 * drained for it.
 */
#ifndef RELAY_SPANK_JOBSCRIPT_H
#define RELAY_SPANK_JOBSCRIPT_H

#include "context.h"

/* Writes the marker of a job that uses an option, and on its first node runs
 * the early part of stage-in. */
void jobscript_prolog(struct relay_context *context, spank_t sp);

/* Where the marker is: ends what the run left behind, runs stage-out when a
 * gate was here, and removes the marker. */
void jobscript_epilog(struct relay_context *context, spank_t sp);

#endif
