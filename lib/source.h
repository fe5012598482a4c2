/*
 * What a handoff does on the source, each one script and one round trip
 * (in lib/remote): look, snapshot, stop, supersede, undo.
 */
#ifndef RELAY_SOURCE_H
#define RELAY_SOURCE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "lease.h"
#include "liveness.h"
#include "manifest.h"
#include "meta.h"
#include "peer.h"

struct source_follower {
    char job_id[32];
    char name[128];
};

/* What one look at the source brought. Free with source_free. */
struct source {
    const struct peer *peer;
    char root[1024];  /* its resume_root, absolute there */
    char hash[41];    /* the run's, there */
    bool shared;      /* its root is this very directory */
    bool found;       /* a meta is there (and is no stub) */
    bool stub;        /* a stub is there: it was moved on */
    bool lost;        /* it is what a training wrote that had not loaded its
                         state; that is kept and to be put back */
    struct meta meta;
    struct manifest files;  /* names, sizes, mtimes; no digests yet */
    bool has_special;       /* symlink, fifo, device: named in special */
    char special[256];
    struct lease lease;
    struct job_facts job;   /* the job to stop, when one was found */
    char job_id[32];        /* its id, "" when none runs */
    struct source_follower *followers; /* pending jobs held at STOPPING */
    size_t nfollowers;
    char *nearest;    /* lines "KEY-OR-NAME (step N)", when not found */
    char rsync[32];   /* version there, "" when missing */
    char digester[32]; /* sresume, openssl, sha256sum, "" when none */
    char user[64];
    char git[64];     /* commit of run_dir's repository, "" when unknown */
    /* As source_look was told, for the reads after it. */
    int64_t wait_s;
    void (*say)(void *, const char *);
    void *say_arg;
};

/* Looks: root is unexpanded (the peer expands it), hash the wanted run's,
 * run_name the name to search for when there is no such hash (NULL: do not),
 * typed_job the job id the user typed ("" for none; NULL: which job is the
 * run's is known already and not looked for), probe a file made in
 * our own .relay whose name tells a shared file system. Returns 0, or -1:
 * EX_DATAERR when two runs fit, or the typed job is not this run's (with its
 * name, script and start), 69/75 as peer_script. Not found is 0 with
 * found == false. */
int source_look(const struct peer *peer, const char *root, const char *hash,
                const char *run_name, const char *typed_job,
                const char *probe, int64_t wait_s,
                void (*say)(void *, const char *), void *say_arg,
                struct source *src, struct relay_error *err);

void source_free(struct source *src);

/* Hard-links state and meta into .relay/<hash>/snap-<nonce>/ there, digests
 * each, and looks again whether one changed meanwhile (five tries). The
 * manifest and the snapshot's meta are of one consistent checkpoint. 0; 1
 * when it changed each time (rewritten in place: the caller stops first and
 * copies then; err says what changed); -1 as peer_script. */
int source_snapshot(const struct source *src, const char *nonce,
                    struct manifest *files, struct meta *meta,
                    struct relay_error *err);

/* Removes the snapshot there. Failure is only worth a log line. */
int source_drop_snapshot(const struct source *src, const char *nonce,
                         struct relay_error *err);

struct source_stop {
    const char *nonce;          /* of the handoff: names the result file */
    struct json_object *fence;  /* the fence record, whole but for the gen */
    const char *signal;         /* checkpoint signal, or NULL */
    int64_t signal_wait;        /* seconds to wait for a new checkpoint */
};

enum stop_result {
    STOP_ACCEPTED,  /* fenced, requeue off, followers held, scancel accepted */
    STOP_REFUSED,   /* scancel refused: all was undone there */
    STOP_LOST,      /* the fence lost its generation: look again */
    STOP_NO_JOB     /* fenced; there was no job to cancel */
};

/* Fences and stops: one remote script, immune to HUP, that leaves the result
 * file .relay/<hash>/stop-<nonce> there, so that after a lost connection the
 * same call reads what happened instead of doing it twice. Returns 0 and
 * *result, with why (a sentence); -1 as peer_script: then call again. */
int source_stop(struct source *src, const struct source_stop *stop,
                enum stop_result *result, char *why, size_t why_size,
                struct relay_error *err);

/* Renames <root>/<hash> to .relay/<hash>/superseded-<term>/ and puts the stub
 * there (protocol, section 7). Idempotent. *path (1024) is the superseded
 * directory. 0 or -1. */
int source_supersede(const struct source *src, int64_t term,
                     const char *to_cluster, const char *back_command,
                     char *path, size_t path_size, struct relay_error *err);

/* Digests of the superseded directory's files, and its meta. 0 or -1. */
int source_digest(const struct source *src, const char *path,
                  struct manifest *files, struct meta *meta,
                  struct relay_error *err);

/* The plain files of a run's own directory (absolute there): those smaller
 * than below bytes (0: all), with digests or without. *others counts what is
 * no plain file. No such directory is 0 and no files. 0 or -1. */
int source_run_files(const struct source *src, const char *dir, int64_t below,
                     bool digests, struct manifest *files, int64_t *others,
                     struct relay_error *err);

/* Waits until no source_stop of that nonce is at work there (its script goes
 * on when the connection is lost). 0 and *result, with why; 1 when it left no
 * result; -1 as peer_script. */
int source_quiet(const struct source *src, const char *nonce, int64_t wait_s,
                 enum stop_result *result, char *why, size_t why_size,
                 struct relay_error *err);

/* Undoes a fence (and a supersede when one was done): state renamed back,
 * Requeue restored, followers released, reinstate linked after fence_gen.
 * Where the source is this very directory (src->shared) the records of who
 * followed the fence are behind it: they must be dead. Idempotent. 0 or -1;
 * EX_NOPERM when another handoff has fenced it since. */
int source_reinstate(const struct source *src, int64_t term,
                     const char *nonce, struct relay_error *err);

/* Sees to it that the fence of a stop which may be on its way there comes too
 * late: links a reinstate of whoever has the run. 0 it can come no more; 1 a
 * fence is there, or was and is lifted: source_quiet, then source_reinstate;
 * -1. */
int source_keep(const struct source *src, const char *nonce,
                struct relay_error *err);

/* Is the stub untouched? 1 yes, 0 no (why says what changed), -1 error. */
int source_check_stub(const struct source *src, int64_t term, char *why,
                      size_t why_size, struct relay_error *err);

#endif
