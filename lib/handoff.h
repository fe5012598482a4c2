/*
 * The handoff, as the target job does it (design section 6): plan, stage
 * while the source trains, stop it, take its last checkpoint, publish. Every
 * state is journalled; a later attempt goes on from the last one.
 */
#ifndef RELAY_HANDOFF_H
#define RELAY_HANDOFF_H

#include "journal.h"
#include "run.h"
#include "source.h"

struct handoff {
    struct run *run;
    struct peer peer;
    bool by_courier; /* one may be waited for: not in a prolog */
    bool from_login; /* a login node's plan: it holds no lease and writes no
                        journal, and its caller says what was found and
                        copied */
    struct source src;
    struct journal journal;
    struct manifest want; /* of the checkpoint that was taken last */
    struct meta meta;     /* of that checkpoint */
    /* What this very process has verified by digest in staging-<nonce> and in
     * final-<nonce>, where nobody else writes: it is not read again. */
    struct manifest staged;
    struct manifest taken;
    bool checked;         /* and the checkpoint in them is whole */
    char searched[65];    /* digest of the state last searched for paths */
    int64_t source_last;  /* handoff_last_step's answer, -1 before */
    bool used_wait;       /* handoff_stage_ahead was called */
    int64_t term;         /* of the target's claim */
    char *run_dir;        /* here, made; NULL when the meta has none */
    int64_t stopped_at;   /* when scancel was accepted, our clock; 0 */
};

/* Brings the run here from run->from_cluster (or goes on with the journal of
 * an earlier attempt) and claims the lease. On 0 the state is in place and
 * the journal at PUBLISHED or beyond, or nothing had to be done because an
 * earlier job of the run has brought it already. -1: err->code 65, 69, 73, 75,
 * 77, 78 as the table of doc/handoff.md. */
int handoff_run(struct run *run, struct relay_error *err);

/* Copies ahead, in the prolog, as far as time allows; decides nothing. */
int handoff_copy_ahead(struct run *run, struct relay_error *err);

/* Frees what the parts below have filled in. */
void handoff_free(struct handoff *h);

/* --- the parts, one file each --- */

/* handoff_plan.c: opens the peer, looks, checks all that can be checked
 * before anything is touched. */
int handoff_plan(struct handoff *h, struct relay_error *err);
/* After the plan: did the run come here from that source before, and is it
 * here still? */
bool handoff_came_here(struct handoff *h);
/* Is what the journal calls PUBLISHED (or COMMITTED) still the state here:
 * neither moved on nor moved aside? */
bool handoff_is_here(struct run *run);

/* handoff_stage.c: a verified copy in staging-<nonce> or final-<nonce>. */
int handoff_stage(struct handoff *h, struct relay_error *err);
int handoff_stage_final(struct handoff *h, const char *from, char *name,
                        size_t size, struct relay_error *err);
/* Waits until what handoff_stage has copied is on the disk: before the source
 * stops, because afterwards it would be waited for. 0 or -1. */
int handoff_sync_staged(struct handoff *h, struct relay_error *err);
/* Copies what the source wrote since it was staged, while it is being proved
 * dead: what handoff_stage_final then finds unchanged is not copied again.
 * Decides nothing; a failure is only logged. */
void handoff_stage_ahead(struct handoff *h);
/* Writes .relay/<hash>/NAME.json: the manifest of h->want; copy (may be NULL)
 * names the directory that is published by it. 0 or -1. */
int handoff_save_manifest(struct handoff *h, const char *name,
                          const char *copy, struct relay_error *err);

/* handoff_rundir.c: copies files of the source's run directory into h->run_dir
 * when the configuration asks for it; last: the source has stopped, they are
 * put in place. A failure is said and hinders nothing. */
void handoff_copy_run_dir(struct handoff *h, bool last);
/* Moves the files from dir/copies (copies may be absolute, too) to dir, each
 * when its digest is right and, if newer_stays, nothing newer is there.
 * *placed counts them. 0 or -1. */
int handoff_place_files(const char *dir, const char *copies,
                        const struct manifest *files, bool newer_stays,
                        size_t *placed, struct relay_error *err);

/* handoff_adopt.c: takes over what earlier, dead attempts left in
 * .relay/<hash>; needs the lease. 0 or -1. */
int handoff_adopt_staging(struct handoff *h, struct relay_error *err);
/* Says that staging-<nonce> is finished: the job that holds the lease takes it
 * over, though we live. 0 or -1. */
int handoff_offer_staging(struct handoff *h, struct relay_error *err);
/* Is staging-<nonce> on offer still? */
bool handoff_is_offered(const struct run *run, const char *nonce);
/* Takes the offer of staging-<nonce> back and removes that copy: false, and
 * nothing is done, when somebody has it by now. */
bool handoff_withdraw_staging(const struct run *run, const char *nonce);
/* Removes staging-<nonce>, which is ours. A failure is only logged. */
void handoff_drop_staging(const struct run *run, const char *nonce);
/* A name that is free for the state which a publish of nonce replaces. */
void handoff_kept_name(const struct handoff *h, const char *nonce, char *name,
                       size_t size);

/* handoff_stop.c: fence, stop, wait for dead. */
int handoff_stop(struct handoff *h, struct relay_error *err);
int handoff_wait_dead(struct handoff *h, struct relay_error *err);
/* The step that the source's output named last, -1 when it names none: what
 * lies between it and the checkpoint is computed again. */
int64_t handoff_last_step(struct handoff *h);

/* publish.c: .relay/<hash>/NAME becomes the state; what was there is kept. */
int publish_state(struct handoff *h, const char *name,
                  struct relay_error *err);
/* Warns of absolute paths in the state of .relay/<hash>/NAME, once for the
 * same bytes: they cannot be rewritten. */
void publish_warn_of_paths(struct handoff *h, const char *name);
/* Makes the run directory that the meta will name. */
int publish_run_dir(struct handoff *h, struct relay_error *err);

#endif
