/*
 * Draws that depend on (seed, index, name) alone, and inverse distribution
 * functions. They are made of + - * / and sqrt, which IEEE 754 rounds the
 * same everywhere; libm's exp and log are not: two clusters with two
 * versions of it would compute two ids for one cell.
 */
#ifndef RELAY_SWEEP_RANDOM_H
#define RELAY_SWEEP_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* The stream of a parameter: of the seed and its path. */
uint64_t random_stream(int64_t seed, char *const *path, size_t depth);

/* Number index of a stream: in the open interval (0, 1), 53 bits. */
double random_unit(uint64_t stream, uint64_t index);

/* e^x and the natural logarithm of x > 0, to an ulp or two. */
double random_exp(double x);
double random_log(double x);

/* Inverse of the standard normal distribution function, 0 < u < 1; relative
 * error about 1e-15 (Wichura, algorithm AS 241, PPND16). */
double random_normal(double u);

/* Inverse of the beta distribution function, 0 < u < 1, a and b > 0. */
double random_beta(double u, double a, double b);

#endif
