#include "fresh.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "history.h"
#include "jsonfile.h"
#include "lease.h"
#include "peers.h"

/* The last step that our own records know of; -1: none. */
static int64_t last_known_step(struct run *run, const struct lease *lease)
{
    struct json_object *events = history_read(run->relayfd, NULL);
    struct json_object *event;
    int64_t step = lease->step;
    size_t i;

    if (events == NULL)
        return step;
    for (i = 0; i < json_object_array_length(events); i++) {
        event = json_object_array_get_idx(events, i);
        if (json_int(event, "step", -1) > step)
            step = json_int(event, "step", -1);
    }
    json_object_put(events);
    return step;
}

/* State was here once and is not now: only a person may begin anew. */
static int check_history(struct run *run, struct relay_error *err)
{
    struct lease lease;
    int64_t step;
    int rc = 0;

    if (lease_read(run->relayfd, &lease, err) != 0)
        return -1;
    if (lease.kind == LEASE_FENCE && lease.moved_to[0] != '\0') {
        rc = relay_fail(err, EX_NOPERM,
                        "%s does not run here: it moved to %s (job %s); to "
                        "bring it back: sbatch --resume-key=%s "
                        "--handoff-from=%s ...", run->key, lease.moved_to,
                        lease.moved_job, run->key, lease.moved_to);
    } else if (lease.kind != LEASE_NONE && lease.kind != LEASE_RESET) {
        step = last_known_step(run, &lease);
        if (step >= 0)
            rc = relay_fail(err, EX_DATAERR,
                            "%s was at step %lld here, but %s/%s is gone; put "
                            "it back, or, to begin at step 0: sresume reset "
                            "%s", run->key, (long long)step, run->root,
                            run->hash, run->key);
    }
    lease_free(&lease);
    return rc;
}

struct answers {
    struct run *run;
    struct relay_error *err;
    int rc;
};

static void take_answer(void *arg, const struct peer_has *has)
{
    struct answers *a = arg;
    struct run *run = a->run;
    char step[64] = "";

    if (a->rc != 0)
        return;
    if (has->step >= 0)
        snprintf(step, sizeof(step), " at step %lld", (long long)has->step);
    if (has->has)
        a->rc = relay_fail(a->err, EX_NOPERM,
                           "%s lives on %s%s; to move it here: sbatch "
                           "--resume-key=%s --handoff-from=%s ...", run->key,
                           has->cluster, step, run->key, has->cluster);
    else if (!has->answered && run->cfg.peers == PEERS_REQUIRE)
        a->rc = relay_fail(a->err, EX_TEMPFAIL,
                           "%s is new here, but %s could not be asked "
                           "(peers: require): %.300s", run->key,
                           has->cluster, has->why);
    else if (!has->answered)
        run_say(run, "warning: %s could not be asked for %s: %.300s",
                has->cluster, run->key, has->why);
}

int fresh_allowed(struct run *run, struct relay_error *err)
{
    struct answers answers = {.run = run, .err = err};

    if (check_history(run, err) != 0)
        return -1;
    if (run->cfg.peers == PEERS_OFF)
        return 0;
    if (peers_ask(run, take_answer, &answers, err) != 0)
        return -1;
    return answers.rc;
}
