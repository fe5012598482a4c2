/* What stage-in leaves for the tasks of a job, on this node and on others. */
#include "stage_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "file.h"
#include "jobenv.h"
#include "lease.h"

int stage_write_verdict(struct run *run, const char *verdict, const char *env,
                        size_t len, struct relay_error *err)
{
    if (run->jobfd < 0)
        return 0;
    if (file_write(run->jobfd, "env", env, len, 0600, err) != 0)
        return -1;
    return file_write(run->jobfd, "verdict", verdict, strlen(verdict), 0600,
                      err);
}

int stage_write_job_dir(struct run *run, const char *verdict, const char *env,
                        size_t len, struct relay_error *err)
{
    if (run->jobfd < 0)
        return 0;
    return run_save_resolved(run, err) == 0
               ? stage_write_verdict(run, verdict, env, len, err) : -1;
}

/* --- other nodes ---------------------------------------------------------- */

/* The nonce in env is worth as much as the lease says. */
static bool job_holds(const struct run *run, const char *nonce)
{
    struct lease lease;
    bool holds;

    if (nonce == NULL || strlen(nonce) >= sizeof(run->nonce) ||
        strcmp(nonce, run->nonce) == 0 || run->relayfd < 0 ||
        lease_read(run->relayfd, &lease, NULL) != 0)
        return false;
    holds = lease_held(&lease) && strcmp(lease.owner.nonce, nonce) == 0 &&
            strcmp(lease.owner.cluster, run->self.cluster) == 0 &&
            strcmp(lease.owner.job_id, run->self.job_id) == 0 &&
            lease.owner.restart == run->self.restart;
    lease_free(&lease);
    return holds;
}

static int64_t number(const char *env, size_t len, const char *name,
                      int64_t otherwise)
{
    const char *text = jobenv_get(env, len, name);

    return text != NULL ? strtoll(text, NULL, 10) : otherwise;
}

static int take_over(struct run *run, const char *env, size_t len,
                     struct relay_error *err)
{
    memcpy(run->marker_nonce, run->nonce, sizeof(run->marker_nonce));
    snprintf(run->nonce, sizeof(run->nonce), "%s",
             jobenv_get(env, len, "RELAY_RUN_NONCE"));
    memcpy(run->self.nonce, run->nonce, sizeof(run->self.nonce));
    run->found_step = number(env, len, "RELAY_RESUME_STEP", -1);
    run->term = number(env, len, "RELAY_TERM", 0);
    run_note_output(run);
    run_say(run, "%s: this job has it already, by its first step on another "
                 "node", run->key);
    return stage_write_job_dir(run, "0\n", env, len, err);
}

int stage_adopt(struct run *run, char **env, size_t *env_len,
                struct relay_error *err)
{
    struct relay_error why = {0};
    int code = 0;

    /* Of the plugin's steps alone: two `sresume run` in one job are twins. */
    if (run->jobfd < 0 || run->self.job_id[0] == '\0' ||
        jobenv_look(run, &code, env, env_len, &why) != 1)
        return 0;
    if (code == 0 &&
        job_holds(run, jobenv_get(*env, *env_len, "RELAY_RUN_NONCE")))
        return take_over(run, *env, *env_len, err) == 0 ? 1 : -1;
    free(*env);
    *env = NULL;
    *env_len = 0;
    return 0;
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
    return stage_write_verdict(run, code == 0 ? "0\n" : "done\n", *env,
                               *env_len, err);
}
