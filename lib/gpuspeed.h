/* How fast well-known GPUs train against each other. */
#ifndef RELAY_GPUSPEED_H
#define RELAY_GPUSPEED_H

/* The factor of a GPU by its name in Slurm's Gres ("rtx_2080_ti", "a100",
 * "nvidia_h100_80gb_hbm3"); 0 for one that is not in the table. */
double gpuspeed(const char *type);

#endif
