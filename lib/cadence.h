/*
 * How often a training should write a checkpoint, from what a checkpoint
 * costs and how often its jobs are interrupted. Arithmetic alone;
 * doc/cadence.md says where each formula comes from.
 */
#ifndef RELAY_CADENCE_H
#define RELAY_CADENCE_H

#include <stdint.h>

/* The bound that is used unless another is asked for: the MTBF is longer than
 * it with this probability. */
#define CADENCE_CONFIDENCE 0.95

/* Lower confidence bound (one-sided, 0 < confidence < 1) of the mean time
 * between failures, when `failures` were seen in `exposure` seconds of jobs,
 * those that ended otherwise counted as censored: 2T / chi-square with 2n + 2
 * degrees of freedom. 0 when there was no exposure. */
double cadence_mtbf_bound(double exposure, int64_t failures,
                          double confidence);

/* Daly's higher-order estimate of the optimum time of computing between two
 * checkpoints, for one that takes `save` seconds (> 0): mtbf itself when a
 * checkpoint takes twice that or longer. Computation alone: a checkpoint is
 * written every (result + save) seconds of wall time. 0 for mtbf <= 0. */
double cadence_interval(double save, double mtbf);

/* The part of the time, 0 to 1, that is lost to checkpoints, to what is
 * computed again and to `restart` seconds after each failure, with that
 * interval of computing (Daly's complete model, exponential failures). 1 when
 * nothing would ever be finished. */
double cadence_loss(double interval, double save, double restart, double mtbf);

#endif
