#include "handoff_abort.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "commit.h"
#include "handoff_undo.h"
#include "jsonfile.h"
#include "series.h"

/* --- what is to be undone ------------------------------------------------ */

static enum journal_state state_named(const char *name)
{
    int i;

    for (i = JOURNAL_NONE; i < JOURNAL_ABORTED; i++)
        if (strcmp(journal_state_name((enum journal_state)i), name) == 0)
            return (enum journal_state)i;
    return JOURNAL_NONE;
}

static int refuse_over(const struct undo *u, const char *why,
                       const char *where, struct relay_error *err)
{
    const struct journal *j = &u->h.journal;

    return relay_fail(err, EX_NOPERM,
                      "%s is not given back: %s; to move it back, on %s: "
                      "sbatch --resume-key=%s --handoff-from=%s ...",
                      u->h.run->key, why, j->source, u->h.run->key, where);
}

/* The step may have passed without anybody having seen it yet: then it is
 * committed now. */
static int commit_first(struct undo *u, struct relay_error *err)
{
    struct commit_numbers numbers;
    int rc = commit_if_passed(u->h.run, &numbers, err);

    if (rc <= 0)
        return rc;
    journal_free(&u->h.journal);
    return journal_read(u->h.run, &u->h.journal, err);
}

static int refuse_moved_on(const struct undo *u, struct relay_error *err)
{
    struct lease lease;
    char to[64], why[128];

    if (handoff_is_here(u->h.run))
        return 0;
    if (lease_read(u->h.run->relayfd, &lease, err) != 0)
        return -1;
    snprintf(to, sizeof(to), "%s",
             lease.kind == LEASE_FENCE ? lease.moved_to
                                       : u->h.run->cfg.cluster);
    lease_free(&lease);
    snprintf(why, sizeof(why), "its state is not here any more%s%s",
             strcmp(to, u->h.run->cfg.cluster) != 0 ? ", it moved on to " : "",
             strcmp(to, u->h.run->cfg.cluster) != 0 ? to : "");
    return refuse_over(u, why, to, err);
}

/* An abort that was cut off: what it had found. 1 to go on, 0 it is over. */
static int go_on_with(struct undo *u, struct json_object *abort)
{
    if (json_flag(abort, "done", abort == NULL)) {
        run_say(u->h.run, "the last handoff of %s was given up: it is %s's",
                u->h.run->key, u->h.journal.source);
        return 0;
    }
    u->from = state_named(json_str(abort, "from", "NONE"));
    snprintf(u->attempt, sizeof(u->attempt), "%s",
             json_str(abort, "attempt", ""));
    owner_from_json(json_get(abort, "target"), "", &u->target);
    return 1;
}

/* 1 there is something to undo, 0 not, -1. */
static int find_handoff(struct undo *u, struct relay_error *err)
{
    struct journal *j = &u->h.journal;
    struct owner *target = &u->target;

    if (journal_read(u->h.run, j, err) != 0 ||
        (j->state == JOURNAL_PUBLISHED && commit_first(u, err) != 0))
        return -1;
    if (j->state == JOURNAL_NONE) {
        run_say(u->h.run, "no handoff of %s has begun here: there is nothing "
                          "to give back", u->h.run->key);
        return 0;
    }
    if (j->state == JOURNAL_COMMITTED)
        return refuse_over(u, "it has trained on here past the step that was "
                              "taken (committed)", u->h.run->cfg.cluster, err);
    if (j->state == JOURNAL_ABORTED)
        return go_on_with(u, json_get(j->body, "abort"));
    if (j->state == JOURNAL_PUBLISHED && refuse_moved_on(u, err) != 0)
        return -1;
    u->from = j->state;
    snprintf(u->attempt, sizeof(u->attempt), "%s", j->nonce);
    owner_from_json(json_get(j->body, "owner"), j->nonce, target);
    return 1;
}

/* --- before anything is changed ------------------------------------------ */

/* It must answer, be fenced by this handoff alone, and have no other state by
 * now. */
static int check_source(const struct undo *u, struct relay_error *err)
{
    const struct journal *j = &u->h.journal;
    struct source now;
    bool others;
    int rc = 0;

    if (source_look(&u->h.peer, j->source_root, j->source_hash, NULL, NULL, "",
                    0, NULL, NULL, &now, err) != 0)
        return relay_fail_in(err, "nothing was changed");
    others = now.lease.kind == LEASE_FENCE &&
             strcmp(json_str(now.lease.body, "nonce", ""), j->opened_by) != 0;
    if (others && !j->shared)
        rc = relay_fail(err, EX_NOPERM, "%s is fenced on %s by another "
                        "handoff (to %s, job %s): nothing was changed",
                        u->h.run->key, j->source, now.lease.moved_to,
                        now.lease.moved_job);
    else if (now.found && !j->shared && j->state != JOURNAL_ABORTED &&
             j->state != JOURNAL_STOPPING)
        rc = relay_fail(err, EX_NOPERM, "%s has a state of %s again, in "
                        "%s/%s, that is not the one which was taken: see to "
                        "that first, nothing was changed", j->source,
                        u->h.run->key, j->source_root, j->source_hash);
    source_free(&now);
    return rc;
}

static int open_source(struct undo *u, struct relay_error *err)
{
    struct source *src = &u->h.src;
    const struct journal *j = &u->h.journal;

    if (peer_open(&u->h.run->cfg, j->source, &u->h.peer, err) != 0)
        return -1;
    src->peer = &u->h.peer;
    src->shared = j->shared;
    src->meta.step = src->lease.step = -1;
    snprintf(src->root, sizeof(src->root), "%s", j->source_root);
    snprintf(src->hash, sizeof(src->hash), "%s", j->source_hash);
    /* Before, it was not touched, and need not answer. */
    return undo_was_stopping(u) ? check_source(u, err) : 0;
}

static int check(struct undo *u, struct relay_error *err)
{
    struct owner holder;
    int64_t gen;

    if (peer_open(&u->h.run->cfg, u->h.run->cfg.cluster, &u->here, err) !=
            0 ||
        open_source(u, err) != 0 || undo_holder(u, &holder, &gen, err) != 0)
        return -1;
    if (undo_check_owner(u, &u->target, err) != 0)
        return -1;
    return undo_was_stopping(u) && !u->h.journal.shared
               ? undo_check_owner(u, &holder, err) : 0;
}

/* --- ABORTED ------------------------------------------------------------- */

static int link_aborted(struct undo *u, bool done, struct relay_error *err)
{
    struct json_object *extra = json_object_new_object();
    struct json_object *abort = json_object_new_object();
    int rc;

    json_add_str(abort, "by", u->h.run->self.user);
    json_add_str(abort, "from", journal_state_name(u->from));
    json_add_str(abort, "attempt", u->attempt);
    json_object_object_add(abort, "target", owner_to_json(&u->target));
    json_add_bool(abort, "done", done);
    json_add_str(extra, "why", "a person gave it back");
    json_object_object_add(extra, "abort", abort);
    rc = journal_next(u->h.run, &u->h.journal, JOURNAL_ABORTED, extra, err);
    json_object_put(extra);
    return rc;
}

/* --- the source ---------------------------------------------------------- */

/* On one file system: an abort that was cut off may have come so far, and who
 * has the lease since is nobody's to end. */
static bool is_lifted(const struct undo *u)
{
    struct series_record rec;
    bool found = false;
    int64_t gen;

    if (series_last(u->h.run->relayfd, "run", &rec, NULL) != 0)
        return false;
    for (gen = rec.gen; gen > 0 && !found; gen--) {
        series_free(&rec);
        if (series_read(u->h.run->relayfd, "run", gen, &rec, NULL) != 0)
            return false;
        found = strcmp(json_str(rec.body, "kind", ""), "reinstate") == 0 &&
                strcmp(json_str(rec.body, "nonce", ""),
                       u->h.journal.opened_by) == 0;
    }
    series_free(&rec);
    return found;
}

/* What the stop did there; it may be at work still. */
static int await_stop(struct undo *u, struct relay_error *err)
{
    const struct journal *j = &u->h.journal;
    enum stop_result result = STOP_NO_JOB;
    struct job_facts facts;
    char why[512] = "";
    int rc;

    u->stopped = j->source_job.job_id[0] != '\0';
    if (u->from != JOURNAL_STOPPING)
        return 0;
    rc = source_quiet(&u->h.src, j->opened_by, u->h.run->cfg.stop_timeout,
                      &result, why, sizeof(why), err);
    if (rc == 0)
        u->stopped = result == STOP_ACCEPTED;
    else if (rc > 0 && u->stopped) /* it died in the middle */
        u->stopped = liveness_of(&u->h.peer, &j->source_job, NULL, &facts, why,
                                 sizeof(why)) != ALIVE_YES;
    return rc < 0 ? -1 : 0;
}

static int reinstate(struct undo *u, struct relay_error *err)
{
    const struct journal *j = &u->h.journal;
    int rc = 1;

    /* What has not fenced yet must not do so later. */
    if (u->from == JOURNAL_STOPPING)
        rc = source_keep(&u->h.src, j->opened_by, err);
    if (rc <= 0)
        return rc;
    if (await_stop(u, err) != 0)
        return -1;
    return source_reinstate(&u->h.src, j->term, j->opened_by, err);
}

/* One lease series for both: who has it here ends, and the next record gives
 * it back. */
static int give_back_shared(struct undo *u, struct relay_error *err)
{
    struct owner holder;
    int64_t gen;
    int rc = -1;
    int i;

    if (is_lifted(u))
        return reinstate(u, err);
    for (i = 0; i < UNDO_TRIES && rc != 0; i++) {
        if (undo_holder(u, &holder, &gen, err) != 0 ||
            undo_end_job(u, &holder, err) != 0)
            return -1;
        rc = reinstate(u, err);
        if (rc != 0 && err->code != EX_IOERR)
            return -1; /* else a job came first */
    }
    return rc == 0 ? undo_restore_run_dir(u, err) : -1;
}

static int give_back(struct undo *u, struct relay_error *err)
{
    if (!undo_was_stopping(u))
        return 0;
    if (u->h.journal.shared)
        return give_back_shared(u, err);
    if (undo_close_here(u, err) != 0 || undo_supersede_here(u, err) != 0)
        return -1;
    return reinstate(u, err);
}

/* --- all of it ----------------------------------------------------------- */

static void say_what_is_left(const struct undo *u)
{
    const struct journal *j = &u->h.journal;
    const struct owner *job = &j->source_job;
    struct run *run = u->h.run;

    if (!undo_was_stopping(u) || !u->stopped) {
        run_say(run, "%s is %s's: nothing was stopped there%s%s", run->key,
                j->source, job->job_id[0] != '\0' ? ", it trains on as job "
                                                  : "", job->job_id);
        return;
    }
    run_say(run, "%s is %s's again, with the state that it had there; its job "
                 "%s%s%s%s was stopped for the move", run->key, j->source,
            job->job_id, job->name[0] != '\0' ? " (" : "", job->name,
            job->name[0] != '\0' ? ")" : "");
    run_say(run, "to start it again, on %s%s%s: sbatch --resume-key=%s "
                 "JOBSCRIPT", j->source,
            job->dir[0] != '\0' ? " in " : "", job->dir, run->key);
}

/* 1 ABORTED is ours now, or was; 0 the handoff went on meanwhile: look again;
 * -1. */
static int decide(struct undo *u, struct relay_error *err)
{
    if (u->h.journal.state == JOURNAL_ABORTED)
        return 1;
    if (link_aborted(u, false, err) == 0)
        return 1;
    return err->code == EX_TEMPFAIL ? 0 : -1;
}

static int finish(struct undo *u, struct relay_error *err)
{
    if (undo_end_job(u, &u->target, err) != 0 || give_back(u, err) != 0)
        return -1;
    undo_drop_copies(u, u->attempt);
    undo_drop_copies(u, u->h.journal.opened_by);
    if (link_aborted(u, true, err) != 0)
        return -1;
    say_what_is_left(u);
    return 0;
}

static void undo_free(struct undo *u)
{
    source_free(&u->h.src);
    journal_free(&u->h.journal);
}

int handoff_abort(struct run *run, struct relay_error *err)
{
    struct undo u;
    int rc = 0;
    int i;

    for (i = 0; i < UNDO_TRIES; i++) {
        memset(&u, 0, sizeof(u));
        u.h.run = run;
        rc = find_handoff(&u, err);
        if (rc <= 0 || (rc = check(&u, err)) != 0 ||
            (rc = decide(&u, err)) != 0)
            break;
        undo_free(&u);
    }
    if (rc > 0)
        rc = finish(&u, err);
    else if (i == UNDO_TRIES)
        return relay_fail(err, EX_TEMPFAIL, "%s: the handoff keeps going on; "
                                            "try again", run->key);
    undo_free(&u);
    return rc;
}
