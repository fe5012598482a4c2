/*
 * --wandb-buffer: W&B writes offline, each attempt of a cell into a directory
 * of its own, <cell>/wandb/attempt-N. What an attempt logged is sent, in the
 * order of the attempts, once it has left a checkpoint: an attempt that never
 * reached one is done over, and would be in the history twice. It is kept in
 * <cell>/wandb/aside.
 */
#ifndef RELAY_SWEEP_WANDBSYNC_H
#define RELAY_SWEEP_WANDBSYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "command.h"
#include "error.h"

/* A new attempt in the cell's directory, which resumes from step (-1: none):
 * earlier ones are settled first. path gets its directory, made. 0 or -1. */
int wandbsync_begin(const char *dir, int64_t step, char *path, size_t size,
                    struct relay_error *err);

/* Attempt path has left a checkpoint, or is done: it may be sent. */
void wandbsync_reached(const char *path);

/* Moves aside those of the cell's attempts that have ended (all but path,
 * which may be NULL) and left no checkpoint: step is the last one now. */
int wandbsync_settle(const char *dir, const char *path, int64_t step,
                     struct relay_error *err);

/* The first attempt that may be sent and was not: argv becomes `PROGRAM sync
 * RUN...`, path its directory. live: that one is written to still, so that
 * it must not be marked as sent. 1; 0 when there is none; -1. Attempts of
 * numbers up to after are passed over (0: none). */
int wandbsync_next(const char *dir, const char *program, const char *live,
                   int64_t *after, struct words *argv, char *path, size_t size,
                   struct relay_error *err);

/* It was sent as a whole. */
void wandbsync_sent(const char *path);

/* Did W&B, in the directory that env (NAME=VALUE words) gives it, write runs
 * since the time started, none of which has the id that env gives? Then id is
 * one that it has instead. */
bool wandbsync_other_id(char *const *env, int64_t started, char *id,
                        size_t size);

#endif
