/* May a run begin at step 0 here? (Design section 4: never by accident.) */
#ifndef RELAY_FRESH_H
#define RELAY_FRESH_H

#include "run.h"

/* The part of fresh_allowed that asks nobody. The run may be read only. */
int fresh_allowed_here(struct run *run, struct relay_error *err);

/* There is no state here. 0: nothing speaks against step 0. -1: EX_DATAERR
 * when the run has a history here; EX_NOPERM when a peer has it, with the
 * command to type; EX_TEMPFAIL when a peer does not answer under `peers:
 * require` (under `warn` it is said and allowed). Cells of a sweep never ask
 * peers. */
int fresh_allowed(struct run *run, struct relay_error *err);

#endif
