#include "cause.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "done.h"
#include "history.h"
#include "jsonfile.h"
#include "peer.h"

/* How sacct's and squeue's words for the end of a job are recorded. Slurm
 * adds text ("CANCELLED by 1000"), so that the first word counts. */
static const struct {
    const char *slurm;
    const char *cause;
} slurm_states[] = {
    {"CANCELLED", "cancelled"},
    {"REVOKED", "cancelled"},
    {"TIMEOUT", "timeout"},
    {"DEADLINE", "timeout"},
    {"PREEMPTED", "preempted"},
    {"REQUEUED", "requeued"},
    {"REQUEUE_HOLD", "requeued"},
    {"REQUEUE_FED", "requeued"},
    {"SPECIAL_EXIT", "requeued"},
    {"PENDING", "requeued"}, /* it ran, and waits again */
    {"NODE_FAIL", "node_fail"},
    {"BOOT_FAIL", "node_fail"},
    {"LAUNCH_FAILED", "node_fail"},
    {"OUT_OF_MEMORY", "out_of_memory"},
    {"FAILED", "failed"},
};

static const char *of_state(const char *state)
{
    size_t len = strcspn(state, " +");
    size_t i;

    for (i = 0; i < sizeof(slurm_states) / sizeof(slurm_states[0]); i++) {
        if (strlen(slurm_states[i].slurm) == len &&
            strncmp(state, slurm_states[i].slurm, len) == 0)
            return slurm_states[i].cause;
    }
    return NULL;
}

enum proof cause_proof(const struct meta *meta)
{
    struct json_object *summary = NULL;
    struct json_object *ok;
    enum proof proof = meta->completed ? PROOF_DONE : PROOF_NONE;
    char path[4096];

    if (meta->refuted)
        return PROOF_REFUTED;
    if (meta->run_dir == NULL || meta->run_dir[0] != '/')
        return proof;
    snprintf(path, sizeof(path), "%s/summary.json", meta->run_dir);
    summary = json_load(AT_FDCWD, path, NULL);
    ok = summary != NULL && json_object_is_type(summary, json_type_object)
             ? json_get(summary, "ok")
             : NULL;
    if (ok != NULL && json_object_is_type(ok, json_type_boolean))
        proof = json_object_get_boolean(ok) ? PROOF_DONE : PROOF_REFUTED;
    json_object_put(summary);
    return proof;
}

enum proof cause_proof_by(const struct run *run, const struct meta *meta,
                          const char *log, bool exited_0, bool deep)
{
    const char *dir = meta->run_dir;
    const struct done_run facts = {.dir = dir != NULL && dir[0] == '/' ? dir
                                                                       : NULL,
                                   .log = log,
                                   .step = meta->step,
                                   .exited_0 = exited_0,
                                   .deep = deep};
    char why[300];

    if (run->cfg.ndone == 0)
        return cause_proof(meta);
    return done_look(run->cfg.done, run->cfg.ndone, &facts, why,
                     sizeof(why)) == DONE_YES ? PROOF_DONE : PROOF_NONE;
}

/* A process outside Slurm: its wait status is all there is. */
static const char *of_status(int status, enum proof proof)
{
    int sig;

    if (status < 0)
        return CAUSE_UNRESOLVED;
    if (WIFSIGNALED(status)) {
        sig = WTERMSIG(status);
        return sig == SIGTERM || sig == SIGINT || sig == SIGHUP ? "cancelled"
                                                                : "failed";
    }
    if (WEXITSTATUS(status) != 0)
        return "failed";
    return proof == PROOF_DONE ? "completed" : "exited";
}

/* A later run of the same job id: this one was requeued. Both numbers are of
 * the owner's own slurmctld. */
static bool ran_again(const struct owner *own, const struct job_facts *facts)
{
    return facts->restarts > own->restart ||
           (own->submit > 0 && facts->submit > own->submit);
}

const char *cause_judge(const struct owner *own, int status,
                        const struct job_facts *facts, enum proof proof)
{
    const char *state;
    const char *cause;

    if (own->job_id[0] == '\0')
        return of_status(status, proof);
    if (facts == NULL)
        return CAUSE_UNRESOLVED;
    if (ran_again(own, facts))
        return "requeued";
    /* sacct and squeue can differ for a moment; what is in the queue is
     * newer. */
    state = facts->in_squeue || facts->sacct_state[0] == '\0'
                ? facts->state
                : facts->sacct_state;
    if (facts->completing || state[0] == '\0')
        return CAUSE_UNRESOLVED;
    cause = of_state(state);
    if (cause != NULL)
        return cause;
    if (strncmp(state, "COMPLETED", 9) != 0)
        return CAUSE_UNRESOLVED;
    /* The job exited 0; its body need not have (a script that ends with
     * `python train.py || true` is one process, sresume run another). */
    if (status > 0)
        return of_status(status, proof);
    return status == 0 && proof == PROOF_DONE ? "completed" : "exited";
}

const char *cause_recorded(const struct lease *lease,
                           struct json_object *events)
{
    const char *cause = json_str(lease->body, "cause", CAUSE_UNRESOLVED);
    size_t i, n = events != NULL ? json_object_array_length(events) : 0;

    if (lease->kind == LEASE_RELEASE && strcmp(cause, CAUSE_UNRESOLVED) != 0)
        return cause;
    for (i = n; i-- > 0;) {
        struct json_object *event = json_object_array_get_idx(events, i);

        if (strcmp(json_str(event, "event", ""), "cause") == 0 &&
            strcmp(json_str(event, "of", ""), lease->owner.nonce) == 0)
            return json_str(event, "cause", CAUSE_UNRESOLVED);
    }
    return CAUSE_UNRESOLVED;
}

/* Asks Slurm on the owner's cluster. */
static int look_up(struct run *run, const struct owner *own,
                   struct job_facts *facts, struct relay_error *err)
{
    struct peer peer;

    if (peer_open(&run->cfg, own->cluster, &peer, err) != 0)
        return -1;
    return liveness_facts(&peer, own->job_id, "", NULL, facts, err);
}

/* Where the body of the run of that nonce printed to; "" for unknown. */
static void output_of(const struct run *run, const char *nonce, char *path,
                      size_t size)
{
    struct json_object *events = history_read_of(run->relayfd, nonce, NULL);
    size_t i, n = events != NULL ? json_object_array_length(events) : 0;

    path[0] = '\0';
    for (i = n; i-- > 0 && path[0] == '\0';)
        snprintf(path, size, "%s",
                 json_str(json_object_array_get_idx(events, i), "output",
                          ""));
    json_object_put(events);
}

static enum proof proof_of_run(const struct run *run, const char *nonce,
                               int status)
{
    struct run_state_info info;
    enum proof proof = PROOF_NONE;
    char output[1024];

    if (run_state_look(run, &info, NULL) != 0)
        return PROOF_NONE;
    output_of(run, nonce, output, sizeof(output));
    if (info.kind == STATE_GOOD)
        proof = cause_proof_by(run, &info.meta, output, status == 0, true);
    run_state_free(&info);
    return proof;
}

/* Into this reader's own history file ("of" names the run that ended), for
 * each of those has one writer. */
static void record(const struct run *run, const struct lease *lease,
                   const char *cause, const struct job_facts *facts)
{
    struct json_object *extra = json_object_new_object();

    if (extra == NULL)
        return;
    json_add_str(extra, "of", lease->owner.nonce);
    json_add_str(extra, "cause", cause);
    if (facts != NULL && facts->sacct_state[0] != '\0')
        json_add_str(extra, "slurm", facts->sacct_state);
    /* A reader without the right to write knows it all the same. */
    (void)history_add(run->relayfd, run->nonce, "cause", extra, NULL);
    json_object_put(extra);
}

static int find_out(struct run *run, const struct lease *lease, char *cause,
                    size_t size, struct relay_error *err)
{
    const struct owner *own = &lease->owner;
    bool in_slurm = own->job_id[0] != '\0';
    int status = (int)json_int(lease->body, "status", -1);
    struct job_facts facts;

    if (lease->kind != LEASE_RELEASE)
        status = -1;
    if (in_slurm && look_up(run, own, &facts, err) != 0)
        return -1;
    snprintf(cause, size, "%s",
             cause_judge(own, status, in_slurm ? &facts : NULL,
                         proof_of_run(run, own->nonce, status)));
    if (strcmp(cause, CAUSE_UNRESOLVED) != 0)
        record(run, lease, cause, in_slurm ? &facts : NULL);
    return 0;
}

int cause_resolve(struct run *run, struct lease *lease, char *cause,
                  size_t size, struct relay_error *err)
{
    struct json_object *events;

    snprintf(cause, size, "%s", "");
    if (lease->kind != LEASE_RELEASE && lease->kind != LEASE_CLAIM &&
        lease->kind != LEASE_REINSTATE)
        return 0;
    if (run->relayfd < 0)
        return 0;
    events = history_read(run->relayfd, err);
    if (events == NULL)
        return -1;
    snprintf(cause, size, "%s", cause_recorded(lease, events));
    json_object_put(events);
    if (strcmp(cause, CAUSE_UNRESOLVED) != 0)
        return 0;
    return find_out(run, lease, cause, size, err);
}
