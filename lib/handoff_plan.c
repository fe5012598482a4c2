/* Handoff, first part: look at the source and check before touching. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "courier.h"
#include "file.h"
#include "handoff.h"
#include "jsonfile.h"

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
    /* Who only looks, and has no records here, makes none. */
    snprintf(probe, sizeof(probe), "probe-%s", run->nonce);
    if (run->relayfd < 0) {
        probe[0] = '\0';
    } else if (file_write(run->relayfd, probe, run->nonce,
                          strlen(run->nonce), 0600, err) != 0) {
        free(root);
        return -1;
    }
    rc = source_look(&h->peer, root,
                     going_on ? h->journal.source_hash : run->hash,
                     run->name[0] != '\0' && !going_on ? run->name : NULL,
                     going_on ? NULL : run->from_job, probe,
                     run->cfg.source_wait, run_say_line, run, &h->src, err);
    if (probe[0] != '\0')
        (void)unlinkat(run->relayfd, probe, 0); /* ours */
    free(root);
    return rc;
}

static int not_found(struct handoff *h, struct relay_error *err)
{
    const char *cluster = h->peer.cluster->name;
    const char *to = h->src.meta.moved_to;

    if (h->src.stub && strcmp(to, h->run->cfg.cluster) == 0)
        return relay_fail(err, EX_DATAERR,
                          "%s came here from %s before, and there is no state "
                          "of it here now; what it left there is kept on %s "
                          "in %s/.relay/%s/superseded-%lld", h->run->key,
                          cluster, cluster, h->src.root, h->src.hash,
                          (long long)h->src.meta.moved_term);
    if (h->src.stub)
        return relay_fail(err, EX_NOPERM,
                          "%s is not on %s any more: it moved to %s; from "
                          "there: --handoff-from=%s", h->run->key, cluster, to,
                          to);
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
    struct lease lease = {.kind = LEASE_NONE};
    int64_t here_term;
    int rc = 0;

    if (h->run->relayfd >= 0 && lease_read(h->run->relayfd, &lease, err) != 0)
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

/* Outside Slurm there is nothing that could be cancelled. */
static int check_process(struct handoff *h, struct relay_error *err)
{
    const struct lease *lease = &h->src.lease;
    struct job_facts facts;
    char why[512];
    char who[256];

    if (liveness_of(&h->peer, &lease->owner, NULL, &facts, why,
                    sizeof(why)) == ALIVE_DEAD)
        return 0;
    owner_describe(&lease->owner, who, sizeof(who));
    return relay_fail(err, EX_NOPERM,
                      "%s is run outside Slurm, by %s (%.300s): end it there "
                      "first; when you know that it has ended, type there: "
                      "sresume unlock %s --gen %lld", h->run->key, who, why,
                      h->run->key, (long long)lease->gen);
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
    if (src->lost && !src->shared)
        return relay_fail(err, EX_TEMPFAIL,
                          "the last training of %s on %s had not loaded its "
                          "state, which is kept there and not put back yet: "
                          "its job does that when it has ended, else the next "
                          "one there (sbatch --resume-key=%s ...)",
                          h->run->key, cluster, h->run->key);
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
    if (lease_held(&src->lease) && src->lease.owner.job_id[0] == '\0' &&
        check_process(h, err) != 0)
        return -1;
    if (!src->shared && !h->peer.local && src->rsync[0] == '\0')
        return relay_fail(err, EX_UNAVAILABLE,
                          "rsync is missing on %s (%s): install it there",
                          cluster, h->peer.host);
    return compare_copies(h, err);
}

static bool stub_points_here(const struct handoff *h)
{
    return h->src.stub && strcmp(h->src.meta.moved_to,
                                 h->run->cfg.cluster) == 0;
}

/* The run was found by its name under another hash than the key's; also by a
 * later job, when it has come here under that. */
static int adopt_hash(struct handoff *h, struct relay_error *err)
{
    if ((!h->src.found && !stub_points_here(h)) ||
        strcmp(h->src.hash, h->run->hash) == 0 ||
        journal_in_flight(&h->journal))
        return 0;
    run_say(h->run, "%s is under %.8s on %s, found by its run name: going on "
                    "with that; its own name is --resume-key=%s",
            h->run->name, h->src.hash, h->peer.cluster->name, h->src.hash);
    if (run_adopt_hash(h->run, h->src.hash, err) != 0)
        return -1;
    journal_free(&h->journal);
    if (journal_read(h->run, &h->journal, err) != 0)
        return -1;
    return check_journal_writer(h, err);
}

static void say_plan(struct handoff *h)
{
    const struct source *src = &h->src;
    size_t i;

    run_say(h->run, "%s is on %s at step %lld (%.1f MB%s%s)%s", h->run->key,
            h->peer.cluster->name, (long long)src->meta.step,
            (double)src->files.bytes / 1e6,
            src->job_id[0] != '\0' ? ", running as job " : ", not running",
            src->job_id, src->shared ? ", on this very file system" : "");
    for (i = 0; i < src->nfollowers; i++)
        run_say(h->run, "job %s (%s) waits on %s for the same run: it will be "
                        "held", src->followers[i].job_id,
                src->followers[i].name, h->peer.cluster->name);
}

/* Does the source's lease end with the fence of the journal's own stop? */
static bool is_fenced(const struct handoff *h)
{
    const struct lease *lease = &h->src.lease;

    return lease->kind == LEASE_FENCE &&
           strcmp(json_str(lease->body, "nonce", ""),
                  h->journal.opened_by) == 0;
}

/* Which handoff it is that goes on is the journal's to say. */
static int go_on_with(struct handoff *h, struct relay_error *err)
{
    struct json_object *extra;
    int rc;

    h->src.shared = h->journal.shared;
    snprintf(h->src.root, sizeof(h->src.root), "%s", h->journal.source_root);
    snprintf(h->src.hash, sizeof(h->src.hash), "%s", h->journal.source_hash);
    snprintf(h->src.job_id, sizeof(h->src.job_id), "%s",
             h->journal.source_job.job_id);
    /* A fence is the first thing that is done there, and stays. Without it
     * nothing was stopped, or the run was given back: a new handoff. On one
     * file system our own claim follows it. */
    if (is_fenced(h) || (h->journal.state != JOURNAL_STOPPING &&
                         (h->journal.shared || !h->src.found)))
        return 0;
    if (h->from_login) { /* the job will say so, and record it */
        h->journal.state = JOURNAL_ABORTED;
        return 1;
    }
    run_say(h->run, "the handoff from %s that was cut off had not stopped the "
                    "run there: beginning anew", h->journal.source);
    extra = json_object_new_object();
    json_add_str(extra, "why", "the source is not fenced by it");
    rc = journal_next(h->run, &h->journal, JOURNAL_ABORTED, extra, err);
    json_object_put(extra);
    return rc == 0 ? 1 : -1;
}

bool handoff_is_here(struct run *run)
{
    struct run_state_info info;
    struct lease lease;
    bool here;

    if (lease_read(run->relayfd, &lease, NULL) != 0)
        return false;
    here = lease.kind != LEASE_FENCE ||
           strcmp(lease.moved_to, run->cfg.cluster) == 0;
    lease_free(&lease);
    if (!here || run_state_look(run, &info, NULL) != 0)
        return false;
    here = info.kind == STATE_GOOD || info.kind == STATE_BROKEN;
    run_state_free(&info);
    return here;
}

bool handoff_came_here(struct handoff *h)
{
    return stub_points_here(h) &&
           (h->journal.state == JOURNAL_PUBLISHED ||
            h->journal.state == JOURNAL_COMMITTED) &&
           strcmp(h->journal.source, h->run->from_cluster) == 0 &&
           handoff_is_here(h->run);
}

/* The cluster to bring the run from: what was typed, else the journal's. */
static int choose_source(struct handoff *h, struct relay_error *err)
{
    struct run *run = h->run;

    if (run->from_cluster[0] == '\0')
        snprintf(run->from_cluster, sizeof(run->from_cluster), "%s",
                 h->journal.source);
    if (journal_in_flight(&h->journal) &&
        strcmp(run->from_cluster, h->journal.source) != 0)
        return relay_fail(err, EX_NOPERM,
                          "%s is on its way here from %s, which was stopped "
                          "for it: that must be finished first, with "
                          "--handoff-from=%s or without it, not from %s",
                          run->key, h->journal.source, h->journal.source,
                          run->from_cluster);
    courier_leave(&h->peer); /* of an earlier plan */
    if (peer_open(&run->cfg, run->from_cluster, &h->peer, err) != 0)
        return -1;
    return h->by_courier ? courier_use(run, run->cfg.source_wait, &h->peer,
                                       err)
                         : 0;
}

int handoff_plan(struct handoff *h, struct relay_error *err)
{
    int rc;

    if (choose_source(h, err) != 0 || check_journal_writer(h, err) != 0 ||
        look(h, err) != 0 || adopt_hash(h, err) != 0)
        return -1;
    if (journal_in_flight(&h->journal)) {
        rc = go_on_with(h, err);
        if (rc <= 0)
            return rc;
        source_free(&h->src);
        return handoff_plan(h, err); /* once: nothing is in flight now */
    }
    if (handoff_came_here(h))
        return 0;
    if (check_source(h, err) != 0)
        return -1;
    if (!h->from_login)
        say_plan(h);
    return 0;
}
