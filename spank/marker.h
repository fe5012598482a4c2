/*
 * The marker: what root knows of a job that uses an option, on one node, in
 * RUNDIR/JOBID.NODE/ (doc/protocol.md, section 8). It is how the prolog, the
 * steps and the epilog of one run of a job find each other, because Slurm
 * passes nothing between them. libc only.
 *
 * RUNDIR and the marker's directory are root's. user/ in it is the user's
 * and is touched by processes that have become the user alone.
 */
#ifndef RELAY_SPANK_MARKER_H
#define RELAY_SPANK_MARKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "options.h"

#define MARKER_NAME_MAX 288

struct marker {
    uid_t uid;
    gid_t gid;
    uint32_t jobid;
    char node[256];
    char nonce[33];     /* of this run of the job, on this node */
    char start[24];     /* SLURM_JOB_START_TIME, "" before Slurm 23.02 */
    char refused[OPTION_REASON_MAX]; /* why the job must not run, or "" */
    struct relay_options options;
};

/* The name "JOBID.NODE". Returns 0, or -1 when node is no host name. */
int marker_name(uint32_t jobid, const char *node, char name[MARKER_NAME_MAX],
                struct relay_error *err);

/* Opens RUNDIR, made 0755 first with create. It must be ours and writable by
 * no one else. Returns a descriptor, or -1 (EX_NOINPUT: it is not there). */
int marker_open_rundir(const char *rundir, bool create,
                       struct relay_error *err);

/* Draws a nonce into marker->nonce and writes the marker with an empty user/
 * directory; all of it appears at once. When there is one already: with
 * replace it is moved to the name that is put into aside (else ""), without
 * it nothing changes and 1 is returned. Returns 0, 1 or -1. */
int marker_write(int rundir, struct marker *marker, bool replace,
                 char aside[MARKER_NAME_MAX], struct relay_error *err);

/* Returns 1 and the marker, 0 when there is none, -1 when it is not one. */
int marker_read(int rundir, const char *name, struct marker *marker,
                struct relay_error *err);

/* Moves a marker out of its name, so that nobody finds it any more. */
int marker_set_aside(int rundir, const char *name,
                     char aside[MARKER_NAME_MAX], struct relay_error *err);

/* The body's raw wait status. Writing returns 0 or -1; reading 1, or 0 when
 * there is none. */
int marker_write_status(int rundir, const char *name, int status,
                        struct relay_error *err);
int marker_read_status(int rundir, const char *name, int *status);

/* Notes that the job has a batch or interactive step on this node: then no
 * other step here leads. Writing returns 0 or -1. */
int marker_note_script(int rundir, const char *name, struct relay_error *err);
bool marker_has_script(int rundir, const char *name);

/* Removes what is in RUNDIR/NAME/user; to be called as the user. 0 or -1. */
int marker_empty_user(const char *rundir, const char *name,
                      struct relay_error *err);

/* Removes the rest, when user/ is empty. 0 or -1. */
int marker_remove(int rundir, const char *name, struct relay_error *err);

#endif
