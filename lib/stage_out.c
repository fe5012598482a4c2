/*
 * stage-out: the record of how a run ended. The epilog cannot tell a
 * cancelled job from one that timed out: what it cannot know stays
 * "unresolved" for the next reader.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cause.h"
#include "commit.h"
#include "file.h"
#include "gate.h"
#include "history.h"
#include "jobenv.h"
#include "jsonfile.h"
#include "lease.h"
#include "stage_cell.h"
#include "sync.h"

/* The verdict of stage-in: did a body run at all? */
static bool body_was_let_go(const struct run *run)
{
    char *text;
    bool yes;

    if (run->jobfd < 0)
        return true; /* sresume run comes here only after its body */
    text = file_read(run->jobfd, "verdict", 64, NULL, NULL);
    yes = text != NULL && strcmp(text, "0\n") == 0;
    free(text);
    return yes;
}

/* A training that traps TERM and exits looks like one that ended by itself:
 * what Slurm did to the job is for a reader that may ask it. */
static const char *cause_of(const struct run *run, int status,
                            const struct run_state_info *info)
{
    enum proof proof = PROOF_NONE;

    if (info->kind == STATE_GOOD)
        proof = cause_proof_by(run, &info->meta, run->out_path, status == 0,
                               false);

    if (!body_was_let_go(run))
        return "cancelled";
    if (status == 0 && proof == PROOF_DONE)
        return "completed";
    return cause_judge(&run->self, status, NULL, proof);
}

static void restore(struct run *run)
{
    struct relay_error err = {0};
    int rc = run_restore_state(run, run->nonce, &err);

    if (rc < 0)
        run_log(run, "%s", err.text);
    if (rc > 0)
        run_log(run, "the state that the training did not load is put back");
}

static void record_end(struct run *run, int status)
{
    struct json_object *extra = json_object_new_object();
    struct relay_error err = {0};

    if (status >= 0)
        json_add_int(extra, "status", status);
    if (run->out_path[0] != '\0')
        json_add_str(extra, "output", run->out_path);
    if (history_add(run->relayfd, run->nonce, "end", extra, &err) != 0)
        run_log(run, "%s", err.text);
    json_object_put(extra);
}

static int end_run(struct run *run, int status, struct relay_error *err)
{
    struct commit_numbers numbers;
    struct relay_error minor = {0};
    struct run_state_info info;
    int64_t step;
    int rc;

    restore(run);
    if (commit_if_passed(run, &numbers, &minor) < 0)
        run_log(run, "%s", minor.text);
    record_end(run, status);
    if (run_state_look(run, &info, err) != 0)
        return -1;
    step = info.kind == STATE_GOOD ? info.meta.step : -1;
    rc = gate_release(run, status, cause_of(run, status, &info), step, err);
    run_state_free(&info);
    return rc;
}

/* Whatever we hold is ours alone to end: an old run's epilog comes after the
 * new run of a requeued job has begun, and must not touch it. */
static bool still_ours(struct run *run, struct relay_error *err)
{
    struct lease lease;
    bool ours;

    if (lease_read(run->relayfd, &lease, err) != 0)
        return false;
    ours = lease_held(&lease) && strcmp(lease.owner.nonce, run->nonce) == 0;
    lease_free(&lease);
    return ours;
}

/* Auto-sync, as far as it is allowed and time reaches; the rest is pending. */
static void sync_state(struct run *run, int64_t deadline_s)
{
    const char *to = run->cfg.sync_to;
    struct relay_error err = {0};

    if (to == NULL || !sync_has_state(run))
        return;
    if (!run->network && strchr(to, '/') == NULL) {
        sync_record(run, to, false);
        run_log(run, "auto-sync to %s is for who may use the network: sresume "
                     "sync --pending", to);
    } else if (sync_push(run, to, deadline_s, &err) != 0) {
        run_log(run, "auto-sync to %s is not finished (%s): sresume sync "
                     "--pending", to, err.text);
    }
}

int stage_out(struct run *run, int status, int64_t deadline_s,
              struct relay_error *err)
{
    bool ours;
    int rc = 0;

    if (run->marker_nonce[0] != '\0')
        return 0; /* the node of the gate says how it ended */
    jobenv_withdraw(run);
    ours = still_ours(run, err);
    if (!ours)
        run_log(run, "the run is another job's by now, or was never this "
                     "one's: nothing is recorded");
    else
        rc = end_run(run, status, err);
    /* After the lease: who takes the cell finds its run free. */
    stage_cell_out(run, status, body_was_let_go(run));
    if (ours && rc == 0)
        sync_state(run, deadline_s);
    return rc;
}
