#include "commit.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cause.h"
#include "clock.h"
#include "courier.h"
#include "history.h"
#include "journal.h"
#include "jsonfile.h"
#include "peer.h"
#include "source.h"

/* When the body of the first run after the stop was let go. */
static int64_t body_start(const struct run *run, int64_t stopping_at)
{
    struct json_object *events = history_read(run->relayfd, NULL);
    struct json_object *event;
    int64_t start = -1;
    size_t i;

    if (events == NULL)
        return -1;
    for (i = 0; i < json_object_array_length(events) && start < 0; i++) {
        event = json_object_array_get_idx(events, i);
        if (strcmp(json_str(event, "event", ""), "start") == 0 &&
            json_int(event, "time", 0) >= stopping_at)
            start = json_int(event, "time", 0);
    }
    json_object_put(events);
    return start;
}

/* When the source stopped: while it was asked for a last checkpoint it went
 * on training. */
static int64_t stopped_at(const struct journal *j)
{
    return json_int(j->body, "stopped_at", j->stopping_at);
}

static void count(const struct run *run, const struct journal *j,
                  struct commit_numbers *n)
{
    int64_t stopped = stopped_at(j);
    int64_t start = body_start(run, stopped);
    int64_t last = json_int(j->body, "source_last", -1);

    n->gap = start >= 0 && stopped > 0 ? start - stopped : -1;
    n->recomputed = last < 0 ? -1 : last > j->step ? last - j->step : 0;
    n->regain = -1;
}

static int link_committed(struct run *run, struct journal *j, int64_t step,
                          struct commit_numbers *n, struct relay_error *err)
{
    struct json_object *extra = json_object_new_object();
    int rc;

    count(run, j, n);
    json_add_int(extra, "published_step", j->step);
    json_add_int(extra, "step", step);
    json_add_int(extra, "gap", n->gap);
    json_add_int(extra, "recomputed", n->recomputed);
    rc = journal_next(run, j, JOURNAL_COMMITTED, extra, err);
    json_object_put(extra);
    return rc == 0 ? 1 : -1;
}

/* By its own word, or by its contract. */
static bool is_done(const struct run *run, const struct meta *meta)
{
    return meta->completed ||
           (run->cfg.ndone > 0 &&
            cause_proof_by(run, meta, run->out_path, false, false) ==
                PROOF_DONE);
}

int commit_if_passed(struct run *run, struct commit_numbers *numbers,
                     struct relay_error *err)
{
    struct run_state_info info;
    struct journal j;
    int rc = 0;

    if (journal_read(run, &j, err) != 0)
        return -1;
    if (j.state == JOURNAL_PUBLISHED) {
        if (run_state_look(run, &info, err) != 0) {
            journal_free(&j);
            return -1;
        }
        if (info.kind == STATE_GOOD &&
            (info.meta.step > j.step ||
             (info.meta.step >= j.step && is_done(run, &info.meta))))
            rc = link_committed(run, &j, info.meta.step, numbers, err);
        run_state_free(&info);
    }
    journal_free(&j);
    return rc;
}

/* Seconds until the source's step was reached, as recorded after since; -1. */
static int64_t regained(struct json_object *events, int64_t since)
{
    struct json_object *event;
    int64_t seconds = -1;
    size_t i;

    for (i = 0; events != NULL && i < json_object_array_length(events); i++) {
        event = json_object_array_get_idx(events, i);
        if (strcmp(json_str(event, "event", ""), "regained") == 0 &&
            json_int(event, "time", 0) >= since)
            seconds = json_int(event, "seconds", 0);
    }
    return seconds;
}

int commit_count(const struct run *run, struct commit_numbers *numbers,
                 struct relay_error *err)
{
    struct json_object *events;
    struct journal j;

    *numbers = (struct commit_numbers){-1, -1, -1};
    if (journal_read(run, &j, err) != 0)
        return -1;
    if (j.state == JOURNAL_PUBLISHED || j.state == JOURNAL_COMMITTED) {
        count(run, &j, numbers);
        /* Its step is no longer the one that was taken. */
        if (j.state == JOURNAL_COMMITTED)
            numbers->recomputed = json_int(j.body, "recomputed", -1);
        events = history_read(run->relayfd, NULL);
        numbers->regain = regained(events, stopped_at(&j));
        json_object_put(events);
    }
    journal_free(&j);
    return 0;
}

void commit_say(const struct run *run, const struct commit_numbers *numbers)
{
    char gap[32] = "unknown";
    char steps[32] = "unknown";

    if (numbers->gap >= 0)
        snprintf(gap, sizeof(gap), "%lld s", (long long)numbers->gap);
    if (numbers->recomputed >= 0)
        snprintf(steps, sizeof(steps), "%lld",
                 (long long)numbers->recomputed);
    run_say(run, "the handoff is committed: GPU-idle gap %s, steps "
                 "recomputed %s", gap, steps);
}

int64_t commit_regained(struct run *run, int64_t step)
{
    struct json_object *events = NULL;
    struct json_object *extra;
    struct relay_error err = {0};
    struct journal j;
    int64_t seconds = COMMIT_OVER;

    if (journal_read(run, &j, &err) != 0)
        return COMMIT_NOT_YET;
    if (j.state == JOURNAL_PUBLISHED)
        seconds = COMMIT_NOT_YET;
    else if (j.state == JOURNAL_COMMITTED && stopped_at(&j) > 0)
        events = history_read(run->relayfd, &err);
    if (events != NULL && regained(events, stopped_at(&j)) >= 0) {
        seconds = COMMIT_OVER;
    } else if (events != NULL && step < json_int(j.body, "source_last", 0)) {
        seconds = COMMIT_NOT_YET;
    } else if (events != NULL) {
        seconds = clock_wall() - stopped_at(&j);
        extra = json_object_new_object();
        json_add_int(extra, "seconds", seconds);
        json_add_int(extra, "step", step);
        if (history_add(run->relayfd, run->nonce, "regained", extra, &err) !=
            0)
            run_log(run, "%s", err.text);
        json_object_put(extra);
    }
    json_object_put(events);
    journal_free(&j);
    return seconds;
}

int commit_check_stub(struct run *run, char *why, size_t size,
                      struct relay_error *err)
{
    struct source src = {0};
    struct journal j;
    struct peer peer;
    int rc = 1;

    if (journal_read(run, &j, err) != 0)
        return -1;
    if (!j.shared && j.state == JOURNAL_COMMITTED) {
        rc = peer_open(&run->cfg, j.source, &peer, err);
        if (rc == 0)
            rc = courier_use(run, 0, &peer, err);
        if (rc == 0) {
            src.peer = &peer;
            snprintf(src.root, sizeof(src.root), "%s", j.source_root);
            snprintf(src.hash, sizeof(src.hash), "%s", j.source_hash);
            rc = source_check_stub(&src, j.term, why, size, err);
            courier_leave(&peer);
        }
    }
    journal_free(&j);
    return rc;
}
