/* Handoff, third part: fence the source, stop it, see it dead. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "gate.h"
#include "handoff.h"
#include "jsonfile.h"
#include "process.h"
#include "remote_scripts.h"

enum { LAST_STEP_MS = 10000 };

/* Who is stopped: what the lease says, else what Slurm says of the job. */
static void source_owner(const struct handoff *h, struct owner *own)
{
    const struct source *src = &h->src;
    bool fenced = src->lease.kind == LEASE_FENCE;

    memset(own, 0, sizeof(*own));
    /* A fence of ours whose journal was lost: its owner may not be dead. */
    if (fenced)
        owner_from_json(json_get(src->lease.body, "fenced"), "", own);
    if (lease_held(&src->lease))
        *own = src->lease.owner;
    if (src->job_id[0] == '\0' || strcmp(own->job_id, src->job_id) == 0)
        return;
    memset(own, 0, sizeof(*own));
    snprintf(own->cluster, sizeof(own->cluster), "%s",
             h->peer.cluster->name);
    snprintf(own->job_id, sizeof(own->job_id), "%s", src->job_id);
    snprintf(own->user, sizeof(own->user), "%s", src->user);
    own->submit = src->job.submit;
    own->restart = src->job.restarts;
}

static int journal_stopping(struct handoff *h, struct relay_error *err)
{
    struct json_object *extra;
    struct json_object *source;
    struct owner own;
    int rc;

    if (h->journal.state == JOURNAL_STOPPING)
        return 0;
    source_owner(h, &own);
    source = json_object_get(json_object_object_get(h->journal.body,
                                                    "source"));
    if (own.job_id[0] != '\0') {
        json_object_object_add(source, "job", owner_to_json(&own));
        json_add_str(source, "job_nonce", own.nonce);
    }
    if (h->src.job.stdout_path[0] == '/')
        json_add_str(source, "output", h->src.job.stdout_path);
    extra = json_object_new_object();
    json_object_object_add(extra, "source", source);
    json_add_str(extra, "opened_by", h->run->nonce);
    json_add_int(extra, "stopping_at", clock_wall());
    json_add_int(extra, "step", h->meta.step);
    rc = journal_next(h->run, &h->journal, JOURNAL_STOPPING, extra, err);
    json_object_put(extra);
    return rc;
}

/* The fence as it will stand in the source's lease series. */
static struct json_object *fence_record(const struct handoff *h)
{
    struct json_object *fence = json_object_new_object();
    struct json_object *to = json_object_new_object();
    const struct run *run = h->run;

    json_add_int(fence, "format", 1);
    json_add_str(fence, "series", "run");
    json_add_str(fence, "kind", "fence");
    json_add_str(fence, "nonce", h->journal.opened_by);
    json_add_int(fence, "seq", 1);
    json_add_int(fence, "time", clock_wall());
    json_add_int(fence, "term", h->term);
    json_object_object_add(fence, "owner", owner_to_json(&run->self));
    json_add_str(to, "cluster", run->cfg.cluster);
    json_add_str(to, "job_id", run->self.job_id);
    json_add_str(to, "root", run->root);
    json_add_str(to, "nonce", h->journal.opened_by);
    json_object_object_add(fence, "moved_to", to);
    json_object_object_add(fence, "fenced",
                           h->journal.source_job.job_id[0] != '\0'
                               ? owner_to_json(&h->journal.source_job)
                               : NULL);
    return fence;
}

/* Nothing was stopped: the source is as it was. */
static int undone(struct handoff *h, const char *why, struct relay_error *err)
{
    struct json_object *extra = json_object_new_object();
    struct relay_error minor = {0};

    json_add_str(extra, "why", why);
    if (journal_next(h->run, &h->journal, JOURNAL_ABORTED, extra, &minor) != 0)
        run_log(h->run, "%s", minor.text);
    json_object_put(extra);
    if (!h->src.shared &&
        source_drop_snapshot(&h->src, h->run->nonce, &minor) != 0)
        run_log(h->run, "%s", minor.text);
    return relay_fail(err, EX_TEMPFAIL,
                      "%s was not taken from %s: %s; it is still %s's",
                      h->run->key, h->peer.cluster->name, why,
                      h->peer.cluster->name);
}

static int stop_once(struct handoff *h, enum stop_result *result, char *why,
                     size_t size, struct relay_error *err)
{
    struct source_stop stop = {.nonce = h->journal.opened_by,
                               .fence = fence_record(h),
                               .signal = h->run->cfg.checkpoint_signal,
                               .signal_wait = h->run->cfg.stop_timeout};
    int rc = source_stop(&h->src, &stop, result, why, size, err);

    json_object_put(stop.fence);
    return rc;
}

int handoff_stop(struct handoff *h, struct relay_error *err)
{
    int64_t until = clock_ms() + h->run->cfg.source_wait * 1000;
    enum stop_result result;
    char why[512] = "";

    if (journal_stopping(h, err) != 0)
        return -1;
    run_say(h->run, "stopping %s%s on %s",
            h->journal.source_job.job_id[0] != '\0' ? "job " : "the run",
            h->journal.source_job.job_id, h->peer.cluster->name);
    while (stop_once(h, &result, why, sizeof(why), err) != 0) {
        if (err->code != EX_TEMPFAIL || clock_ms() >= until ||
            process_cancelled() != 0)
            return relay_fail(
                err, EX_TEMPFAIL,
                "lost %s while stopping the run there (%.300s); submit the "
                "same job again to go on: it looks up what happened",
                h->peer.cluster->name, err->text);
        clock_sleep_ms(2000);
    }
    switch (result) {
    case STOP_REFUSED:
    case STOP_LOST:
        return undone(h, why, err);
    case STOP_ACCEPTED:
        /* Else it was another attempt that stopped it, at a time unknown. */
        if (strcmp(h->journal.opened_by, h->run->nonce) == 0)
            h->stopped_at = clock_wall();
        break;
    case STOP_NO_JOB:
        break;
    }
    run_say(h->run, "%s is fenced%s", h->peer.cluster->name,
            result == STOP_NO_JOB ? "; no job of it ran"
                                  : " and its job cancelled");
    return 0;
}

int64_t handoff_last_step(struct handoff *h)
{
    struct json_object *source = json_get(h->journal.body, "source");
    const char *args[] = {json_str(source, "output", ""), NULL};
    struct relay_error err = {0};
    struct peer_reply reply;

    if (h->source_last < 0 && args[0][0] == '/' &&
        peer_script(&h->peer, remote_laststep, args, LAST_STEP_MS, &reply,
                    &err) == 0) {
        h->source_last = peer_int(&reply, "step", -1);
        peer_reply_free(&reply);
    }
    return h->source_last;
}

/* Two looks at a dead source lie some seconds apart. What has to be done
 * anyway and is not wrong when the source should be alive is done meanwhile. */
static void use_the_wait(void *arg)
{
    struct handoff *h = arg;

    if (h->used_wait || h->src.shared)
        return;
    h->used_wait = true;
    (void)handoff_last_step(h);
    handoff_stage_ahead(h);
}

int handoff_wait_dead(struct handoff *h, struct relay_error *err)
{
    int64_t until = clock_ms() + h->run->cfg.stop_timeout * 1000;
    struct job_facts facts;
    enum alive verdict;
    char state[2048];
    char why[512];

    if (h->journal.source_job.job_id[0] == '\0')
        return 0; /* there was nothing to stop */
    snprintf(state, sizeof(state), "%s/%s", h->src.root, h->src.hash);
    for (;;) {
        verdict = liveness_of_meanwhile(&h->peer, &h->journal.source_job,
                                        state, use_the_wait, h, &facts, why,
                                        sizeof(why));
        if (verdict == ALIVE_DEAD)
            break;
        if (process_cancelled() != 0)
            return relay_fail(
                err, EX_TEMPFAIL,
                "ended by signal %d while job %s on %s was ending: %.300s; "
                "the fence stays; submit the same job again to go on from "
                "here", process_cancelled(), h->journal.source_job.job_id,
                h->peer.cluster->name, why);
        if (clock_ms() >= until)
            return relay_fail(
                err, EX_TEMPFAIL,
                "job %s on %s was cancelled but is not provably dead after "
                "%lld s: %.300s; the fence stays and nothing was taken as "
                "final; submit the same job again to go on from here",
                h->journal.source_job.job_id, h->peer.cluster->name,
                (long long)h->run->cfg.stop_timeout, why);
        clock_sleep_ms(500);
    }
    run_say(h->run, "job %s on %s is gone: %s", h->journal.source_job.job_id,
            h->peer.cluster->name, why);
    return 0;
}
