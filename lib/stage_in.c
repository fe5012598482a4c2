/* stage-in: may this job run, and from what state? */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cause.h"
#include "clock.h"
#include "file.h"
#include "fresh.h"
#include "gate.h"
#include "handoff.h"
#include "history.h"
#include "jobenv.h"
#include "jsonfile.h"
#include "liveness.h"
#include "process.h"
#include "stage.h"

/* Finds a state that was kept, to be offered when the present one is broken:
 * the newest kept-* or verified-*. */
static bool find_kept(const struct run *run, char *name, size_t size)
{
    int fd = openat(run->relayfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    bool found = false;

    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, "verified-", 9) == 0 ||
            (!found && strncmp(entry->d_name, "kept-", 5) == 0)) {
            snprintf(name, size, "%.120s", entry->d_name);
            found = true;
        }
    }
    closedir(dir);
    return found;
}

static int refuse_broken(const struct run *run,
                         const struct run_state_info *info,
                         struct relay_error *err)
{
    char kept[128];

    if (find_kept(run, kept, sizeof(kept)))
        return relay_fail(err, EX_DATAERR,
                          "the state of %s in %s/%s is broken: %s; an earlier "
                          "one is kept in %s/.relay/%s/%s", run->key,
                          run->root, run->hash, info->why, run->root,
                          run->hash, kept);
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

static int resume_state(struct run *run, const struct run_state_info *info,
                        struct relay_error *err)
{
    char span[32];

    if (claim_here(run, info->meta.step, err) != 0)
        return -1;
    run->found_step = info->meta.step;
    clock_span(clock_wall() - info->saved, span, sizeof(span));
    run_say(run, "%s (%.8s) resumes at step %lld, saved %s ago (term %lld)",
            run->key, run->hash, (long long)info->meta.step, span,
            (long long)run->term);
    return run_keep_state(run, err);
}

static int start_fresh(struct run *run, struct relay_error *err)
{
    if (fresh_allowed(run, err) != 0 || claim_here(run, -1, err) != 0)
        return -1;
    run->found_step = -1;
    run_say(run, "%s (%.8s) is new here: it begins at step 0", run->key,
            run->hash);
    return 0;
}

/* What the lost run of an earlier job left undone. */
static void restore_if_lost(struct run *run)
{
    struct relay_error err = {0};
    struct lease lease;
    char lost[64];
    char nonce[33];

    if (lease_read(run->relayfd, &lease, &err) != 0)
        return;
    snprintf(lost, sizeof(lost), "restore-%s", lease.owner.nonce);
    if (lease.owner.nonce[0] != '\0' && !lease_held(&lease) &&
        faccessat(run->relayfd, lost, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        memcpy(nonce, run->nonce, sizeof(nonce));
        snprintf(run->nonce, sizeof(run->nonce), "%s", lease.owner.nonce);
        if (run_restore_state(run, &err) == 0)
            (void)unlinkat(run->relayfd, lost, 0); /* ours, a flag */
        else
            run_say(run, "the kept state could not be put back: %s",
                    err.text);
        memcpy(run->nonce, nonce, sizeof(nonce));
    }
    lease_free(&lease);
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

static int decide_by_state(struct run *run, enum stage_verdict *verdict,
                           char **run_dir, struct relay_error *err)
{
    struct run_state_info info;
    int rc;

    if (run_state_look(run, &info, err) != 0)
        return -1;
    if (info.kind == STATE_GOOD && info.meta.completed) {
        run_say(run, "%s is complete at step %lld: nothing to do (sresume "
                     "reopen %s lets it train on)", run->key,
                (long long)info.meta.step, run->key);
        *verdict = STAGE_DONE;
        rc = gate_release(run, 0, "completed", info.meta.step, err);
    } else if (info.kind == STATE_BROKEN) {
        rc = refuse_broken(run, &info, err);
    } else if (info.kind == STATE_GOOD) {
        rc = resume_state(run, &info, err);
        if (info.meta.run_dir != NULL)
            *run_dir = strdup(info.meta.run_dir);
    } else if (info.kind == STATE_STUB) {
        rc = relay_fail(err, EX_NOPERM,
                        "%s moved to %s; to bring it back: sbatch "
                        "--resume-key=%s --handoff-from=%s ...", run->key,
                        info.meta.moved_to, run->key, info.meta.moved_to);
    } else {
        rc = start_fresh(run, err);
    }
    run_state_free(&info);
    return rc;
}

static int decide(struct run *run, enum stage_verdict *verdict,
                  char **run_dir, struct relay_error *err)
{
    bool handoff;

    *verdict = STAGE_RUN;
    if (run->self.job_id[0] != '\0')
        (void)liveness_self(&run->self); /* else by the environment */
    if (wants_handoff(run, &handoff, err) != 0)
        return -1;
    restore_if_lost(run);
    if (refuse_twin(run, err) != 0)
        return -1;
    record_last_end(run);
    if (handoff && handoff_run(run, err) != 0)
        return -1;
    return decide_by_state(run, verdict, run_dir, err);
}

static int write_job_dir(struct run *run, const char *verdict, const char *env,
                         size_t len, struct relay_error *err)
{
    if (run->jobfd < 0)
        return 0;
    if (run_save_resolved(run, err) != 0 ||
        file_write(run->jobfd, "env", env, len, 0600, err) != 0)
        return -1;
    return file_write(run->jobfd, "verdict", verdict, strlen(verdict), 0600,
                      err);
}

/* Tells everybody who waits, and gives back what was claimed. */
static void tell_refusal(struct run *run, const struct relay_error *err)
{
    struct relay_error minor = {0};
    char verdict[16];

    snprintf(verdict, sizeof(verdict), "%d\n", err->code);
    if (gate_release(run, -1, process_cancelled() != 0 ? "cancelled"
                                                       : "refused",
                     -1, &minor) != 0 ||
        jobenv_publish(run, err->code, NULL, 0, &minor) != 0 ||
        write_job_dir(run, verdict, "", 0, &minor) != 0)
        run_log(run, "%s", minor.text);
}

static int finish_stage(struct run *run, enum stage_verdict verdict,
                        const char *run_dir, char **env, size_t *len,
                        struct relay_error *err)
{
    bool done = verdict == STAGE_DONE;

    *env = jobenv_make(run, run_dir, len);
    if (*env == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    if (!done && history_add(run->relayfd, run->nonce, "start", NULL, err))
        return -1;
    if (process_cancelled() != 0)
        return relay_fail(err, EX_TEMPFAIL, "ended by signal %d before the "
                                            "body ran", process_cancelled());
    if (jobenv_publish(run, done ? -2 : 0, *env, *len, err) != 0)
        return -1;
    return write_job_dir(run, done ? "done\n" : "0\n", *env, *len, err);
}

int stage_in(struct run *run, enum stage_verdict *verdict, char **env,
             size_t *env_len, struct relay_error *err)
{
    char *run_dir = NULL;
    int rc;

    *env = NULL;
    *env_len = 0;
    rc = decide(run, verdict, &run_dir, err);
    if (rc == 0)
        rc = finish_stage(run, *verdict, run_dir, env, env_len, err);
    free(run_dir);
    if (rc == 0)
        return 0;
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

int stage_follow(struct run *run, enum stage_verdict *verdict, char **env,
                 size_t *env_len, struct relay_error *err)
{
    int code = 0;

    *verdict = STAGE_REFUSED;
    if (jobenv_wait(run, &code, env, env_len, err) != 0)
        return -1;
    if (code > 0) {
        free(*env);
        *env = NULL;
        return relay_fail(err, code, "the first node refused this job (exit "
                                     "code %d); its reason is above", code);
    }
    *verdict = code == 0 ? STAGE_RUN : STAGE_DONE;
    return write_job_dir(run, code == 0 ? "0\n" : "done\n", *env, *env_len,
                         err);
}
