/* stage-in: may this job run, and from what state? */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cause.h"
#include "clock.h"
#include "commit.h"
#include "file.h"
#include "fresh.h"
#include "gate.h"
#include "handoff.h"
#include "history.h"
#include "jobenv.h"
#include "jsonfile.h"
#include "liveness.h"
#include "process.h"
#include "stage_cell.h"
#include "stage_job.h"

/* After a claim nobody else should write: more looks than this are none. */
enum { TRIES = 3 };

static int refuse_broken(const struct run *run,
                         const struct run_state_info *info,
                         struct relay_error *err)
{
    char kept[128];

    if (run_find_kept(run, kept, sizeof(kept)))
        return relay_fail(err, EX_DATAERR,
                          "the state of %s in %s/%s is broken: %s; to go on "
                          "from the one that is kept put %s/.relay/%s/%s in "
                          "its place", run->key, run->root, run->hash,
                          info->why, run->root, run->hash, kept);
    return relay_fail(err, EX_DATAERR,
                      "the state of %s in %s/%s is broken: %s", run->key,
                      run->root, run->hash, info->why);
}

/* The term of a state that a handoff put here, 0 for none: the attempt may
 * have been cut off before its claim said so. */
static int published_term(const struct run *run, int64_t *term,
                          struct relay_error *err)
{
    struct journal j;

    if (journal_read(run, &j, err) != 0)
        return -1;
    *term = j.state == JOURNAL_PUBLISHED || j.state == JOURNAL_COMMITTED
                ? j.term : 0;
    journal_free(&j);
    return 0;
}

/* A claim that only asks for what is here. */
static int claim_here(struct run *run, int64_t step, struct relay_error *err)
{
    struct gate_claim want = {.step = step};
    struct lease lease;

    if (published_term(run, &want.term, err) != 0 ||
        gate_claim(run, &want, &lease, err) != 0)
        return -1;
    run->term = lease.term;
    lease_free(&lease);
    return 0;
}

/* What the job begins with, which it has the lease of by now. */
static int begin_with(struct run *run, const struct run_state_info *info,
                      char **run_dir, struct relay_error *err)
{
    char span[32];

    run->found_step = info->kind == STATE_GOOD ? info->meta.step : -1;
    if (info->kind != STATE_GOOD) {
        run_say(run, "%s (%.8s) is new here: it begins at step 0", run->key,
                run->hash);
        return 0;
    }
    clock_span(clock_wall() - info->saved, span, sizeof(span));
    if (run->found_step >= 0)
        run_say(run, "%s (%.8s) resumes at step %lld, saved %s ago (term "
                     "%lld)", run->key, run->hash,
                (long long)run->found_step, span, (long long)run->term);
    else
        run_say(run, "%s (%.8s) has a state, saved %s ago, whose %s names no "
                     "step: nothing can tell whether it is resumed",
                run->key, run->hash, span, META_FILE);
    if (info->meta.run_dir != NULL)
        *run_dir = strdup(info->meta.run_dir);
    return run_keep_state(run, err);
}

/* A job that was stopped because it had lost its state may have died before
 * it could put it back. The owner of the lease is dead, or there is none. */
static int restore_lost(struct run *run, struct relay_error *err)
{
    struct lease lease;
    bool moved;
    int rc = run_is_lost(run);

    if (rc == 0)
        return 0;
    if (lease_read(run->relayfd, &lease, err) != 0)
        return -1;
    moved = lease.kind == LEASE_FENCE; /* there is nothing here any more */
    lease_free(&lease);
    if (moved)
        return 0;
    if (claim_here(run, -1, err) != 0)
        return -1;
    rc = run_restore_all(run, err);
    if (rc < 0)
        return relay_fail_in(err, "an earlier job did not load its state; to "
                                  "begin at step 0: sresume reset %s",
                             run->key);
    if (rc > 0)
        run_say(run, "the state that an earlier job did not load is put back");
    return 0;
}

/* Does this job bring the run from elsewhere (or go on with that)? */
static int wants_handoff(struct run *run, bool *yes, struct relay_error *err)
{
    struct journal j;

    if (journal_read(run, &j, err) != 0)
        return -1;
    *yes = journal_in_flight(&j) ||
           (run->from_cluster[0] != '\0' && !journal_consumed(run));
    if (j.state == JOURNAL_PUBLISHED &&
        strcmp(j.nonce, run->nonce) == 0)
        *yes = false; /* stage-in was called again in this very run */
    journal_free(&j);
    return 0;
}

/* Before any network: a twin here is refused at once. */
static int refuse_twin(struct run *run, struct relay_error *err)
{
    struct gate_holder holder;
    struct lease lease;
    int can = 1;

    if (lease_read(run->relayfd, &lease, err) != 0)
        return -1;
    if (lease_held(&lease) &&
        strcmp(run->from_cluster, run->cfg.cluster) != 0 &&
        strcmp(lease.owner.cluster, run->cfg.cluster) == 0)
        can = gate_look_patiently(run, &lease, NULL, &holder, err);
    if (can == 0 && !lease_held(&lease))
        can = 1; /* it has moved on meanwhile, which is another refusal */
    if (can == 0)
        gate_refuse(run, &lease, &holder, err);
    lease_free(&lease);
    return can == 1 ? 0 : -1;
}

/* Why the last job of this run ended is found out now, while Slurm still
 * knows it. This cluster's own alone: another's may be slow to answer. */
static void record_last_end(struct run *run)
{
    struct relay_error err = {0};
    struct lease lease;
    char cause[32];

    if (lease_read(run->relayfd, &lease, &err) != 0)
        return; /* the gate says it */
    if (lease.kind == LEASE_RELEASE &&
        strcmp(lease.owner.cluster, run->cfg.cluster) == 0 &&
        cause_resolve(run, &lease, cause, sizeof(cause), &err) != 0)
        run_log(run, "why the last job ended is not known: %s", err.text);
    lease_free(&lease);
}

/* May a body run with this state? */
static int judge_state(struct run *run, const struct run_state_info *info,
                       enum stage_verdict *verdict, struct relay_error *err)
{
    switch (info->kind) {
    case STATE_NONE:
        return fresh_allowed(run, err);
    case STATE_STUB:
        return relay_fail(err, EX_NOPERM,
                          "%s moved to %s; to bring it back: sbatch "
                          "--resume-key=%s --handoff-from=%s ...", run->key,
                          info->meta.moved_to, run->key, info->meta.moved_to);
    case STATE_BROKEN:
        return refuse_broken(run, info, err);
    case STATE_GOOD:
        break;
    }
    if (!info->meta.completed)
        return 0;
    *verdict = STAGE_DONE;
    run_say(run, "%s is complete at step %lld: nothing to do (sresume reopen "
                 "%s lets it train on)", run->key, (long long)info->meta.step,
            run->key);
    return gate_release(run, 0, "completed", info->meta.step, err);
}

static bool same_state(const struct run_state_info *a,
                       const struct run_state_info *b)
{
    return a->kind == b->kind && a->meta.step == b->meta.step &&
           a->meta.completed == b->meta.completed;
}

/* One look, one claim, and another look: until the claim another job may have
 * had the run, trained and gone. 1: it has changed meanwhile. */
static int try_state(struct run *run, enum stage_verdict *verdict,
                     char **run_dir, struct relay_error *err)
{
    struct run_state_info info, now;
    int rc;

    if (run_state_look(run, &info, err) != 0)
        return -1;
    rc = judge_state(run, &info, verdict, err);
    if (rc == 0 && *verdict == STAGE_RUN) {
        rc = claim_here(run, info.meta.step, err);
        if (rc == 0)
            rc = run_state_look(run, &now, err);
        if (rc == 0) {
            rc = same_state(&info, &now) ? begin_with(run, &now, run_dir, err)
                                         : 1;
            run_state_free(&now);
        }
    }
    run_state_free(&info);
    return rc;
}

static int decide_by_state(struct run *run, enum stage_verdict *verdict,
                           char **run_dir, struct relay_error *err)
{
    int rc = 1;
    int i;

    for (i = 0; rc == 1 && i < TRIES; i++)
        rc = try_state(run, verdict, run_dir, err);
    if (rc == 1)
        return relay_fail(err, EX_TEMPFAIL,
                          "something writes to %s/%s although nobody has the "
                          "lease of %s", run->root, run->hash, run->key);
    return rc;
}

/* What neither the watcher nor stage-out of the job before could commit any
 * more; and a run that came here complete. */
static void commit_late(struct run *run)
{
    struct commit_numbers numbers;
    struct relay_error err = {0};
    int rc = commit_if_passed(run, &numbers, &err);

    if (rc < 0)
        run_log(run, "%s", err.text);
    if (rc > 0)
        commit_say(run, &numbers);
}

static int decide(struct run *run, enum stage_verdict *verdict,
                  char **run_dir, struct relay_error *err)
{
    bool handoff;

    *verdict = STAGE_RUN;
    if (run->self.job_id[0] != '\0' && run->self.submit == 0)
        (void)liveness_self(&run->self); /* else by the environment */
    if (wants_handoff(run, &handoff, err) != 0)
        return -1;
    if (refuse_twin(run, err) != 0)
        return -1;
    record_last_end(run);
    if (restore_lost(run, err) != 0)
        return -1;
    if ((handoff && handoff_run(run, err) != 0) ||
        decide_by_state(run, verdict, run_dir, err) != 0)
        return -1;
    commit_late(run);
    return 0;
}

/* Tells everybody who waits, and gives back what was claimed. */
static void tell_refusal(struct run *run, const struct relay_error *err)
{
    struct relay_error minor = {0};
    char verdict[16];

    run_log(run, "refused (%d): %s", err->code, err->text);
    snprintf(verdict, sizeof(verdict), "%d\n", err->code);
    if (gate_release(run, -1, process_cancelled() != 0 ? "cancelled"
                                                       : "refused",
                     -1, &minor) != 0)
        run_log(run, "%s", minor.text);
    if (jobenv_publish(run, err->code, NULL, 0, &minor) != 0)
        run_log(run, "%s", minor.text);
    if (stage_write_job_dir(run, verdict, "", 0, &minor) != 0)
        run_log(run, "%s", minor.text);
    stage_cell_refused(run, err);
}

/* What a missing file means to the user: bad data of the run's. */
static void plain_code(struct relay_error *err)
{
    if (err->code == EX_NOINPUT)
        err->code = EX_DATAERR;
}

/* For stage-out, should we be killed: it ends what we hold. */
static int save_early(struct run *run, struct relay_error *err)
{
    return run->jobfd >= 0 ? run_save_resolved(run, err) : 0;
}

static int make_environment(struct run *run, const char *run_dir, char **env,
                            size_t *len, struct relay_error *err)
{
    bool is_cell = run->cell.open != NULL;
    struct cellenv cell = {0};
    int rc = is_cell ? stage_cell_env(run, &cell, err) : 0;

    if (rc == 0) {
        *env = jobenv_make(run, run_dir, is_cell ? &cell : NULL, len);
        if (*env == NULL)
            rc = relay_fail(err, EX_OSERR, "out of memory");
    }
    cellenv_free(&cell);
    return rc;
}

static int finish_stage(struct run *run, enum stage_verdict verdict,
                        const char *run_dir, char **env, size_t *len,
                        struct relay_error *err)
{
    bool done = verdict == STAGE_DONE;

    if (make_environment(run, run_dir, env, len, err) != 0)
        return -1;
    if (!done && history_add(run->relayfd, run->nonce, "start", NULL, err))
        return -1;
    if (process_cancelled() != 0)
        return relay_fail(err, EX_TEMPFAIL, "ended by signal %d before the "
                                            "body ran", process_cancelled());
    run->cell.began = clock_wall();
    run_note_output(run);
    if (jobenv_publish(run, done ? -2 : 0, *env, *len, err) != 0)
        return -1;
    return stage_write_job_dir(run, done ? "done\n" : "0\n", *env, *len, err);
}

int stage_in(struct run *run, enum stage_verdict *verdict, char **env,
             size_t *env_len, struct relay_error *err)
{
    char *run_dir = NULL;
    int rc;

    *env = NULL;
    *env_len = 0;
    rc = stage_adopt(run, env, env_len, err);
    if (rc != 0) {
        *verdict = rc == 1 ? STAGE_RUN : STAGE_REFUSED;
        return rc == 1 ? 0 : -1;
    }
    jobenv_withdraw(run);
    rc = save_early(run, err);
    if (rc == 0)
        rc = decide(run, verdict, &run_dir, err);
    if (rc == 0)
        rc = finish_stage(run, *verdict, run_dir, env, env_len, err);
    free(run_dir);
    if (rc == 0)
        return 0;
    plain_code(err);
    *verdict = STAGE_REFUSED;
    free(*env);
    *env = NULL;
    tell_refusal(run, err);
    return -1;
}

int stage_prolog(struct run *run, struct relay_error *err)
{
    struct lease lease;
    bool free_here;

    if (!run->network || run->from_cluster[0] == '\0' ||
        journal_consumed(run))
        return 0;
    if (lease_read(run->relayfd, &lease, err) != 0)
        return -1;
    free_here = !lease_held(&lease);
    lease_free(&lease);
    return free_here ? handoff_copy_ahead(run, err) : 0;
}
