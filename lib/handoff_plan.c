/* Handoff, first part: look at the source and check before touching. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "handoff.h"

/* Where this host may not connect by itself, the user's own connection from
 * the login node is waited for. */
static int look(struct handoff *h, struct relay_error *err)
{
    struct run *run = h->run;
    bool going_on = journal_in_flight(&h->journal);
    char probe[64];
    char *root;
    int rc;

    root = run_peer_root(run, h->peer.cluster, err);
    if (root == NULL)
        return -1;
    snprintf(probe, sizeof(probe), "probe-%s", run->nonce);
    if (file_write(run->relayfd, probe, run->nonce, strlen(run->nonce), 0600,
                   err) != 0) {
        free(root);
        return -1;
    }
    rc = source_look(&h->peer, root,
                     going_on ? h->journal.source_hash : run->hash,
                     run->name[0] != '\0' && !going_on ? run->name : NULL,
                     going_on ? "" : run->from_job, probe,
                     run->cfg.source_wait, run_say_line, run, &h->src, err);
    (void)unlinkat(run->relayfd, probe, 0); /* ours */
    free(root);
    return rc;
}

static int not_found(struct handoff *h, struct relay_error *err)
{
    const char *cluster = h->peer.cluster->name;

    if (h->src.stub)
        return relay_fail(err, EX_NOPERM,
                          "%s is not on %s any more: it moved to %s", h->run->key,
                          cluster, h->src.meta.moved_to != NULL
                                       ? h->src.meta.moved_to : "?");
    if (h->src.nearest != NULL && h->src.nearest[0] != '\0')
        return relay_fail(err, EX_DATAERR,
                          "%s is not on %s (no %s in %s, or no checkpoint "
                          "yet); nearest there:\n%s", h->run->key, cluster,
                          h->run->hash, h->src.root, h->src.nearest);
    return relay_fail(err, EX_DATAERR,
                      "%s is not on %s: %s has no run with a checkpoint",
                      h->run->key, cluster, h->src.root);
}

/* A run that was never handed over has term 1, whether it has records of ours
 * or not. */
static int64_t term_of(const struct lease *lease)
{
    return lease->term > 0 ? lease->term : 1;
}

/* A newer copy here is never overwritten; a superseded one never blocks. */
static int compare_copies(struct handoff *h, struct relay_error *err)
{
    const int64_t there_term = term_of(&h->src.lease);
    struct run_state_info here;
    struct lease lease;
    int64_t here_term;
    int rc = 0;

    if (lease_read(h->run->relayfd, &lease, err) != 0)
        return -1;
    if (run_state_look(h->run, &here, err) != 0) {
        lease_free(&lease);
        return -1;
    }
    here_term = term_of(&lease);
    h->term = (here_term > there_term ? here_term : there_term) + 1;
    if (!h->src.shared && here.kind == STATE_GOOD &&
        lease.kind != LEASE_FENCE &&
        (here_term > there_term ||
         (here_term == there_term && here.meta.step > h->src.meta.step)))
        rc = relay_fail(err, EX_NOPERM,
                        "%s is newer here: step %lld (term %lld) here, step "
                        "%lld (term %lld) on %s; to go on from this copy "
                        "leave --handoff-from out, to take that one: sresume "
                        "reset %s", h->run->key, (long long)here.meta.step,
                        (long long)here_term, (long long)h->src.meta.step,
                        (long long)there_term, h->peer.cluster->name,
                        h->run->key);
    run_state_free(&here);
    lease_free(&lease);
    return rc;
}

/* While the writer of an unfinished journal lives, nobody else goes on. */
static int check_journal_writer(struct handoff *h, struct relay_error *err)
{
    struct owner writer;
    struct job_facts facts;
    struct peer here;
    char why[512];
    char who[256];

    if (!journal_open(&h->journal) ||
        strcmp(h->journal.nonce, h->run->nonce) == 0)
        return 0;
    owner_from_json(json_object_object_get(h->journal.body, "owner"),
                    h->journal.nonce, &writer);
    if (owner_same_job(&writer, &h->run->self))
        return 0;
    if (peer_open(&h->run->cfg, writer.cluster, &here, err) != 0)
        return -1;
    if (liveness_of(&here, &writer, NULL, &facts, why, sizeof(why)) ==
        ALIVE_DEAD)
        return 0;
    owner_describe(&writer, who, sizeof(who));
    return relay_fail(err, EX_NOPERM, "%s is being moved by %s already: %s",
                      h->run->key, who, why);
}

static int check_source(struct handoff *h, struct relay_error *err)
{
    const struct source *src = &h->src;
    const char *cluster = h->peer.cluster->name;

    if (!src->found)
        return not_found(h, err);
    if (src->meta.step < 0)
        return relay_fail(err, EX_DATAERR,
                          "%s has no checkpoint on %s yet: its %s names no "
                          "step", h->run->key, cluster, META_FILE);
    if (src->has_special)
        return relay_fail(err, EX_DATAERR,
                          "%s: %s/%s on %s holds something that is no plain "
                          "file: %s", h->run->key, src->root, src->hash,
                          cluster, src->special);
    if (src->lease.kind == LEASE_FENCE &&
        strcmp(src->lease.moved_to, h->run->cfg.cluster) != 0)
        return relay_fail(err, EX_NOPERM,
                          "%s is leaving %s for %s already (job %s)",
                          h->run->key, cluster, src->lease.moved_to,
                          src->lease.moved_job);
    if (!src->shared && !h->peer.local && src->rsync[0] == '\0')
        return relay_fail(err, EX_UNAVAILABLE,
                          "rsync is missing on %s (%s): install it there",
                          cluster, h->peer.host);
    return compare_copies(h, err);
}

/* The run was found by its name under another hash than the key's. */
static int adopt_hash(struct handoff *h, struct relay_error *err)
{
    if (!h->src.found || strcmp(h->src.hash, h->run->hash) == 0 ||
        journal_in_flight(&h->journal))
        return 0;
    run_say(h->run, "%s is under %.8s on %s, found by its run name: going on "
                    "with that", h->run->name, h->src.hash,
            h->peer.cluster->name);
    if (run_adopt_hash(h->run, h->src.hash, err) != 0)
        return -1;
    journal_free(&h->journal);
    return journal_read(h->run, &h->journal, err);
}

static void say_plan(struct handoff *h)
{
    const struct source *src = &h->src;

    run_say(h->run, "%s is on %s at step %lld (%.1f MB%s%s)%s", h->run->key,
            h->peer.cluster->name, (long long)src->meta.step,
            (double)src->files.bytes / 1e6,
            src->job_id[0] != '\0' ? ", running as job " : ", not running",
            src->job_id, src->shared ? ", on this very file system" : "");
}

int handoff_plan(struct handoff *h, struct relay_error *err)
{
    struct run *run = h->run;

    if (run->from_cluster[0] == '\0')
        snprintf(run->from_cluster, sizeof(run->from_cluster), "%s",
                 h->journal.source);
    if (peer_open(&run->cfg, run->from_cluster, &h->peer, err) != 0 ||
        check_journal_writer(h, err) != 0 || look(h, err) != 0 ||
        adopt_hash(h, err) != 0)
        return -1;
    if (journal_in_flight(&h->journal)) {
        h->src.shared = h->journal.shared;
        snprintf(h->src.root, sizeof(h->src.root), "%s",
                 h->journal.source_root);
        snprintf(h->src.hash, sizeof(h->src.hash), "%s",
                 h->journal.source_hash);
        return 0;
    }
    if (h->src.stub && h->journal.state == JOURNAL_COMMITTED)
        return 0; /* handoff_run sees that it is here already */
    if (check_source(h, err) != 0)
        return -1;
    say_plan(h);
    return 0;
}
