#include "fresh.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "history.h"
#include "journal.h"
#include "jsonfile.h"
#include "lease.h"
#include "peers.h"

/* The highest step that one run of ours has recorded; -1: none. */
static int64_t step_of(const struct run *run, const char *nonce)
{
    struct json_object *events = history_read_of(run->relayfd, nonce, NULL);
    struct json_object *event;
    int64_t step = -1;
    size_t i;

    if (events == NULL)
        return -1;
    for (i = 0; i < json_object_array_length(events); i++) {
        event = json_object_array_get_idx(events, i);
        if (json_int(event, "step", -1) > step)
            step = json_int(event, "step", -1);
    }
    json_object_put(events);
    return step;
}

/* The highest step that is known of since a person last began the run anew;
 * -1: none. */
static int last_known_step(const struct run *run, int64_t last, int64_t *step,
                           struct relay_error *err)
{
    struct series_record rec;
    char seen[33] = "";
    int64_t gen, found;
    bool anew = false;

    *step = -1;
    for (gen = last; gen > 0 && !anew; gen--) {
        const char *nonce;

        if (series_read(run->relayfd, "run", gen, &rec, err) != 0)
            return -1;
        anew = strcmp(json_str(rec.body, "kind", ""), "reset") == 0;
        nonce = json_str(rec.body, "nonce", "");
        found = json_int(rec.body, "step", -1);
        if (!anew && strcmp(nonce, seen) != 0) {
            int64_t more = step_of(run, nonce);

            found = more > found ? more : found;
            snprintf(seen, sizeof(seen), "%s", nonce);
        }
        if (!anew && found > *step)
            *step = found;
        series_free(&rec);
    }
    return 0;
}

/* A handoff that was begun and not finished: the run is the source's. */
static int check_journal(struct run *run, struct relay_error *err)
{
    struct journal j;
    int rc = 0;

    if (journal_read(run, &j, err) != 0)
        return -1;
    if (j.state == JOURNAL_OPEN || j.state == JOURNAL_STAGED)
        rc = relay_fail(err, EX_NOPERM,
                        "%s lives on %s: its handoff to here was begun (job "
                        "%s) and not finished; to go on with that: sbatch "
                        "--resume-key=%s --handoff-from=%s ...; to begin at "
                        "step 0 here: sresume reset %s", run->key, j.source,
                        j.job_id[0] != '\0' ? j.job_id : "none", run->key,
                        j.source, run->key);
    journal_free(&j);
    return rc;
}

/* State was here once and is not now: only a person may begin anew. */
int fresh_allowed_here(struct run *run, struct relay_error *err)
{
    struct lease lease;
    int64_t step;
    int rc = 0;

    if (run->relayfd < 0)
        return 0; /* the first that is heard of it */
    if (lease_read(run->relayfd, &lease, err) != 0)
        return -1;
    if (lease.kind == LEASE_FENCE && lease.moved_to[0] != '\0')
        rc = relay_fail(err, EX_NOPERM,
                        "%s does not run here: it moved to %s (job %s); to "
                        "bring it back: sbatch --resume-key=%s "
                        "--handoff-from=%s ...", run->key, lease.moved_to,
                        lease.moved_job, run->key, lease.moved_to);
    if (rc == 0 && lease.kind != LEASE_RESET)
        rc = check_journal(run, err);
    if (rc == 0)
        rc = last_known_step(run, lease.gen, &step, err);
    if (rc == 0 && step >= 0)
        rc = relay_fail(err, EX_DATAERR,
                        "%s was at step %lld here, but %s/%s is gone; put it "
                        "back, or, to begin at step 0: sresume reset %s",
                        run->key, (long long)step, run->root, run->hash,
                        run->key);
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
    if (has->has && has->job[0] != '\0')
        a->rc = relay_fail(a->err, EX_NOPERM,
                           "%s does not run twice: job %s on %s has begun it, "
                           "without a checkpoint yet; to move it here when it "
                           "has one: sbatch --resume-key=%s --handoff-from=%s "
                           "...", run->key, has->job, has->cluster, run->key,
                           has->cluster);
    else if (has->has)
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

    if (fresh_allowed_here(run, err) != 0)
        return -1;
    /* A sweep has one home, which says who may run its cells. */
    if (run->cfg.peers == PEERS_OFF || run->cell.sweep[0] != '\0')
        return 0;
    if (peers_ask(run, false, take_answer, &answers, err) != 0)
        return -1;
    if (answers.rc == 0)
        return 0;
    /* Nobody is refused by what was so a minute ago. */
    answers.rc = 0;
    if (peers_ask(run, true, take_answer, &answers, err) != 0)
        return -1;
    return answers.rc;
}
