#include "handoff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "courier.h"
#include "file.h"
#include "gate.h"
#include "jsonfile.h"
#include "process.h"

void handoff_free(struct handoff *h)
{
    courier_leave(&h->peer);
    source_free(&h->src);
    journal_free(&h->journal);
    manifest_free(&h->want);
    manifest_free(&h->staged);
    manifest_free(&h->taken);
    meta_free(&h->meta);
    free(h->run_dir);
}

/* Only what is in place here has the handoff's term: an attempt that failed
 * must not make the old state here look newer than the source's. */
static int claim(struct handoff *h, bool moving, struct relay_error *err)
{
    struct gate_claim want = {.term = moving ? 0 : h->term,
                              .moving = moving,
                              .step = h->meta.step,
                              .back_from = h->peer.cluster->name};
    struct lease lease;

    if (gate_claim(h->run, &want, &lease, err) != 0)
        return -1;
    lease_free(&lease);
    return 0;
}

static int journal_open_record(struct handoff *h, struct relay_error *err)
{
    struct json_object *extra = json_object_new_object();
    struct json_object *source = json_object_new_object();
    int rc;

    json_add_str(source, "cluster", h->peer.cluster->name);
    json_add_str(source, "root", h->src.root);
    json_add_str(source, "hash", h->src.hash);
    json_add_int(source, "step", h->src.meta.step);
    json_add_int(source, "term", h->src.lease.term);
    json_add_bool(source, "shared", h->src.shared);
    json_object_object_add(extra, "source", source);
    json_add_int(extra, "term", h->term);
    rc = journal_next(h->run, &h->journal, JOURNAL_OPEN, extra, err);
    json_object_put(extra);
    return rc;
}

/* Before the source was fenced: all that has to be undone is ours. */
static void give_up(struct handoff *h, const struct relay_error *why)
{
    struct json_object *extra;
    struct relay_error err = {0};

    if (h->journal.state == JOURNAL_OPEN ||
        h->journal.state == JOURNAL_STAGED) {
        extra = json_object_new_object();
        json_add_str(extra, "why", why->text);
        if (journal_next(h->run, &h->journal, JOURNAL_ABORTED, extra, &err) !=
            0)
            run_log(h->run, "%s", err.text);
        json_object_put(extra);
    }
    if (!h->src.shared &&
        source_drop_snapshot(&h->src, h->run->nonce, &err) != 0)
        run_log(h->run, "%s", err.text);
}

/* An attempt that was killed has left its snapshot there: links that hold the
 * room of a whole checkpoint. */
static void drop_earlier_snapshot(struct handoff *h, const char *nonce)
{
    struct relay_error err = {0};

    if (!h->src.shared && nonce[0] != '\0' &&
        strcmp(nonce, h->run->nonce) != 0 &&
        source_drop_snapshot(&h->src, nonce, &err) != 0)
        run_log(h->run, "%s", err.text);
}

/* Up to the point where the source is asked to stop. */
static int prepare(struct handoff *h, struct relay_error *err)
{
    char earlier[33] = "";

    if (!h->src.shared && claim(h, true, err) != 0)
        return -1;
    if (h->journal.state == JOURNAL_OPEN ||
        h->journal.state == JOURNAL_STAGED ||
        h->journal.state == JOURNAL_ABORTED)
        snprintf(earlier, sizeof(earlier), "%s", h->journal.nonce);
    if (journal_open_record(h, err) != 0)
        return -1;
    drop_earlier_snapshot(h, earlier);
    if (handoff_stage(h, err) != 0 || publish_run_dir(h, err) != 0 ||
        handoff_sync_staged(h, err) != 0) {
        give_up(h, err);
        return -1;
    }
    handoff_copy_run_dir(h, false);
    return 0;
}

static int supersede(struct handoff *h, char *path, size_t size,
                     struct relay_error *err)
{
    struct json_object *extra;
    char back[KEY_MAX + 200];
    int rc;

    snprintf(back, sizeof(back),
             "sbatch --resume-key=%s --handoff-from=%s JOBSCRIPT", h->run->key,
             h->run->cfg.cluster);
    if (source_supersede(&h->src, h->term, h->run->cfg.cluster, back, path,
                         size, err) != 0)
        return relay_fail_in(err, "the source is stopped and fenced, %s "
                                  "still has the only copy; submit the same "
                                  "job again to go on", h->peer.cluster->name);
    if (h->journal.state == JOURNAL_SOURCE_STOPPED)
        return 0;
    extra = json_object_new_object();
    json_add_str(extra, "superseded", path);
    json_add_int(extra, "source_last", handoff_last_step(h));
    if (h->stopped_at > 0)
        json_add_int(extra, "stopped_at", h->stopped_at);
    rc = journal_next(h->run, &h->journal, JOURNAL_SOURCE_STOPPED, extra, err);
    json_object_put(extra);
    return rc;
}

/* One file system: nothing moves but the lease (and run_dir). */
static int finish_shared(struct handoff *h, struct relay_error *err)
{
    if (h->journal.state == JOURNAL_STOPPING &&
        journal_next(h->run, &h->journal, JOURNAL_SOURCE_STOPPED, NULL,
                     err) != 0)
        return -1;
    if (claim(h, false, err) != 0)
        return -1;
    return publish_state(h, NULL, err);
}

/* Copies of ours that nobody needs any more; what cannot be removed is only
 * in the way. */
static void tidy(struct handoff *h)
{
    static const char *const dirs[] = {"staging", "final"};
    struct relay_error err = {0};
    char name[64];
    size_t i;

    for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        snprintf(name, sizeof(name), "%s-%s", dirs[i], h->run->nonce);
        if (file_remove_tree(h->run->relayfd, name, &err) != 0)
            run_log(h->run, "%s", err.text);
    }
    snprintf(name, sizeof(name), "staging-%s.json", h->run->nonce);
    (void)unlinkat(h->run->relayfd, name, 0); /* it may not be there */
    if (source_drop_snapshot(&h->src, h->journal.opened_by, &err) != 0)
        run_log(h->run, "%s", err.text);
}

static int finish(struct handoff *h, struct relay_error *err)
{
    char path[2048];
    char name[64];

    if (h->src.shared)
        return finish_shared(h, err);
    if (supersede(h, path, sizeof(path), err) != 0 ||
        handoff_stage_final(h, path, name, sizeof(name), err) != 0 ||
        publish_run_dir(h, err) != 0)
        return -1;
    handoff_copy_run_dir(h, true);
    if (process_cancelled() != 0)
        return relay_fail(err, EX_TEMPFAIL,
                          "ended by signal %d before the state was published; "
                          "submit the same job again to go on from here",
                          process_cancelled());
    if (publish_state(h, name, err) != 0)
        return -1;
    tidy(h);
    return claim(h, false, err);
}


static int go_on(struct handoff *h, struct relay_error *err)
{
    struct run *run = h->run;

    run_say(run, "going on with the handoff from %s that stands at %s",
            h->journal.source, journal_state_name(h->journal.state));
    h->term = h->journal.term;
    h->meta.step = h->journal.step;
    if (!h->src.shared && (claim(h, true, err) != 0 ||
                           handoff_adopt_staging(h, err) != 0))
        return -1;
    if (h->journal.state == JOURNAL_STOPPING &&
        (handoff_stop(h, err) != 0 || handoff_wait_dead(h, err) != 0))
        return -1;
    return finish(h, err);
}

static int begin(struct handoff *h, struct relay_error *err)
{
    if (prepare(h, err) != 0)
        return -1;
    if (process_cancelled() != 0) {
        relay_fail(err, EX_TEMPFAIL, "ended by signal %d before the source "
                                     "was touched: it trains on",
                   process_cancelled());
        give_up(h, err);
        return -1;
    }
    if (handoff_stop(h, err) != 0 || handoff_wait_dead(h, err) != 0)
        return -1;
    return finish(h, err);
}

int handoff_run(struct run *run, struct relay_error *err)
{
    struct handoff h = {.run = run, .meta = {.step = -1},
                        .source_last = -1, .by_courier = true};
    int rc;

    rc = journal_read(run, &h.journal, err);
    if (rc == 0 && h.journal.state == JOURNAL_PUBLISHED &&
        handoff_is_here(run)) {
        journal_free(&h.journal);
        return 0;
    }
    if (rc == 0)
        rc = handoff_plan(&h, err);
    if (rc == 0 && !handoff_came_here(&h))
        rc = journal_in_flight(&h.journal) ? go_on(&h, err)
                                           : begin(&h, err);
    handoff_free(&h);
    return rc;
}

int handoff_copy_ahead(struct run *run, struct relay_error *err)
{
    struct handoff h = {.run = run, .meta = {.step = -1},
                        .source_last = -1};
    int rc;

    rc = journal_read(run, &h.journal, err);
    if (rc == 0 && !journal_open(&h.journal))
        rc = handoff_plan(&h, err);
    if (rc == 0 && h.src.found && !h.src.shared)
        rc = handoff_stage(&h, err);
    handoff_free(&h);
    return rc;
}
