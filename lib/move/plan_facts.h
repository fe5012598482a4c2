/* The facts that a plan's gates are judged by. */
#ifndef RELAY_MOVE_PLAN_FACTS_H
#define RELAY_MOVE_PLAN_FACTS_H

#include "plan.h"

/* Fills plan->facts from what the looks brought, and asks this cluster's
 * Slurm, and the tracker, for the rest. What cannot be had is unknown. */
void plan_facts(struct plan *plan);

#endif
