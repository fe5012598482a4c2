/*
 * The gate's verdict for the tasks of a job on other nodes, in a file on the
 * shared file system: gate/<cluster>-<jobid>-<restart> below the run's
 * records, or below the sweep where the job runs a cell (doc/protocol.md).
 */
#ifndef RELAY_GATEFILE_H
#define RELAY_GATEFILE_H

#include <stddef.h>

#include "owner.h"

#define GATE_DONE (-2) /* for code: the job ends 0, without a body */

/* Writes it below dirfd for the job of self. code: 0 run, GATE_DONE, else an
 * exit code; env: what the body gets. 0 or -1. */
int gatefile_write(int dirfd, const struct owner *self, int code,
                   const char *env, size_t len, struct relay_error *err);

/* Takes it away; it may not be there. */
void gatefile_remove(int dirfd, const struct owner *self);

/* Reads it: 1 and *code, *env (malloc'd), *len; 0 when there is none; -1 with
 * EX_DATAERR or EX_IOERR. */
int gatefile_read(int dirfd, const struct owner *self, int *code, char **env,
                  size_t *len, struct relay_error *err);

#endif
