/* sbatch's --constraint, against the features of one node. */
#ifndef RELAY_MOVE_CONSTRAINT_H
#define RELAY_MOVE_CONSTRAINT_H

/* 1 when a node with these features (comma-separated) fits, 0 when not, -1
 * when the constraint is more than names with & and |, (), and [] around a
 * choice: a count such as "a*2". Without brackets & and | are taken from left
 * to right, as Slurm does. */
int constraint_fits(const char *constraint, const char *features);

#endif
