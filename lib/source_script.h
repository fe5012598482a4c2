/* Scripts of lib/remote and what their answers hold, for source*.c. */
#ifndef RELAY_SOURCE_SCRIPT_H
#define RELAY_SOURCE_SCRIPT_H

#include "source.h"

enum {
    SCRIPT_MS = 60000,  /* a short script: Slurm may take its time */
    LOOK_MS = 120000,
    HASH_BYTES_PER_S = 20 * 1000 * 1000 /* on a busy login node */
};

/* Runs a script made of parts (NULL-terminated, each one of lib/remote) on
 * the source. 0, or -1 as peer_script; EX_UNAVAILABLE when it fails there. */
int source_script(const struct source *src, const char *const *parts,
                  const char *const *args, int64_t deadline_ms,
                  struct peer_reply *reply, struct relay_error *err);

/* The same, again while the source cannot be reached, for src->wait_s. */
int source_script_patiently(const struct source *src,
                            const char *const *parts, const char *const *args,
                            int64_t deadline_ms, struct peer_reply *reply,
                            struct relay_error *err);

/* The configured prefix of copying and hashing there, "" for none. */
const char *source_copy_with(const struct source *src);

/* Sections files and digests of tree.sh's send_digests into a manifest, and
 * section meta. digests: whether they must be there. 0 or -1. */
int source_take_files(const struct peer_reply *reply, bool digests,
                      struct manifest *files, struct relay_error *err);
int source_take_meta(const struct peer_reply *reply, const char *where,
                     struct meta *meta, struct relay_error *err);

/* Line gen and section lease. No lease is LEASE_NONE. 0 or -1. */
int source_take_lease(const struct peer_reply *reply, struct lease *lease,
                      struct relay_error *err);

/* The reply's sections jobs and tie, and the lease: finds the job to stop
 * (src->job_id) and the followers. name is the run's, NULL when unknown. 0;
 * -1 with EX_DATAERR when it is not clear which job is this run's. */
int source_find_job(struct source *src, const struct peer_reply *reply,
                    const char *name, const char *typed,
                    struct relay_error *err);

/* Does text hold name as a name of its own? `a-seed-1` is not in
 * `a-seed-10`, nor in `big-a-seed-1`. */
bool source_names(const char *text, size_t len, const char *name);

/* Section names of look.sh as runs_nearest puts it; malloc'd, may be "". */
char *source_nearest(const struct peer_reply *reply, const char *name);

#endif
