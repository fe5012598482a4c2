/* check, at submission: what would be refused later is refused now. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "fresh.h"
#include "gate.h"
#include "journal.h"
#include "runs.h"
#include "stage_job.h"

/* Has the run come from there already, with the job that is submitted now or
 * its like? Then what is here is not older. */
static bool came_from(const struct journal *j, const char *cluster)
{
    return (j->state == JOURNAL_PUBLISHED || j->state == JOURNAL_COMMITTED) &&
           strcmp(j->source, cluster) == 0;
}

/* *moves: the state is to come from elsewhere, whatever is here. *held:
 * somebody may be writing the one here. */
static int check_lease(struct run *run, bool *moves, bool *held,
                       struct relay_error *err)
{
    struct lease lease;
    struct journal j;
    bool in_flight;
    struct gate_holder holder;
    int rc = 0;

    *held = false;
    *moves = run->from_cluster[0] != '\0';
    if (run->relayfd < 0)
        return 0;
    if (journal_read(run, &j, err) != 0)
        return -1;
    in_flight = journal_in_flight(&j);
    *moves = in_flight || (*moves && !came_from(&j, run->from_cluster));
    if (in_flight && run->from_cluster[0] == '\0')
        snprintf(run->from_cluster, sizeof(run->from_cluster), "%s",
                 j.source);
    journal_free(&j);
    if (lease_read(run->relayfd, &lease, err) != 0)
        return -1;
    if (lease.kind == LEASE_FENCE && run->from_cluster[0] == '\0' &&
        !in_flight && strcmp(lease.moved_to, run->cfg.cluster) != 0)
        rc = relay_fail(err, EX_NOPERM,
                        "%s moved to %s (job %s); to bring it back: sbatch "
                        "--resume-key=%s --handoff-from=%s ...", run->key,
                        lease.moved_to, lease.moved_job, run->key,
                        lease.moved_to);
    else if (lease_held(&lease) &&
             strcmp(run->from_cluster, run->cfg.cluster) != 0 &&
             strcmp(lease.owner.cluster, run->cfg.cluster) == 0)
        *held = gate_look_quickly(run, &lease, &holder) == 0;
    if (*held && holder.alive && !holder.ending && !stage_is_chained())
        rc = gate_refuse(run, &lease, &holder, err);
    lease_free(&lease);
    return rc;
}

static void say_new(struct run *run)
{
    struct run_list list = {0};
    char *near = NULL;
    char *end;

    if (runs_list(run->root, &list, NULL) == 0 && run->name[0] != '\0')
        near = runs_nearest(&list, run->name, 1);
    if (near != NULL && near[0] != '\0') {
        end = strchr(near, '\n');
        if (end != NULL)
            *end = '\0';
        fprintf(stderr, "relay: %s (%.8s) is new here; nearest: %s\n",
                run->key, run->hash, near + strspn(near, " "));
    } else {
        fprintf(stderr, "relay: %s (%.8s) is new here\n", run->key,
                run->hash);
    }
    free(near);
    runs_free(&list);
}

/* Nothing comes from elsewhere: what is here is what the job begins with. */
static int check_here(struct run *run, const struct run_state_info *info,
                      bool held, struct relay_error *err)
{
    char span[32];

    switch (info->kind) {
    case STATE_GOOD:
        clock_span(clock_wall() - info->saved, span, sizeof(span));
        fprintf(stderr, "relay: %s (%.8s) resumes at step %" PRId64
                        ", saved %s ago\n", run->key, run->hash,
                info->meta.step, span);
        return 0;
    case STATE_BROKEN:
        if (held)
            return 0; /* it may be in the making */
        return relay_fail(err, EX_DATAERR, "the state of %s is broken: %s",
                          run->key, info->why);
    case STATE_STUB:
        return relay_fail(err, EX_NOPERM,
                          "%s moved to %s; to bring it back: sbatch "
                          "--resume-key=%s --handoff-from=%s ...", run->key,
                          info->meta.moved_to, run->key, info->meta.moved_to);
    case STATE_NONE:
        break;
    }
    if (!held && fresh_allowed_here(run, err) != 0)
        return -1;
    say_new(run);
    return 0;
}

static int check_state(struct run *run, bool moves, bool held,
                       struct relay_error *err)
{
    struct run_state_info info;
    int rc = 0;

    if (run_state_look(run, &info, err) != 0)
        return -1;
    if (info.kind == STATE_GOOD && info.meta.completed && !moves)
        rc = relay_fail(err, EX_DATAERR,
                        "%s is complete at step %" PRId64 "; to train on: "
                        "sresume reopen %s", run->key, info.meta.step,
                        run->key);
    else if (run->from_cluster[0] != '\0')
        fprintf(stderr, "relay: %s (%.8s) is handed over from %s when the "
                        "job starts\n", run->key, run->hash,
                run->from_cluster);
    else
        rc = check_here(run, &info, held, err);
    run_state_free(&info);
    return rc;
}

int stage_check(struct run *run, struct relay_error *err)
{
    bool moves, held;

    if (run->from_cluster[0] != '\0' &&
        config_find(&run->cfg, run->from_cluster, err) == NULL)
        return -1;
    if (check_lease(run, &moves, &held, err) != 0)
        return -1;
    return check_state(run, moves, held, err);
}
