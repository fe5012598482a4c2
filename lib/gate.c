#include "gate.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "history.h"
#include "liveness.h"
#include "process.h"

/* One claim may have to be decided again when another linked first; a
 * handful of times says that something is wrong with the file system. */
enum { TRIES = 8 };

/* An epilog has PrologEpilogTimeout and a little more; ours ends sooner. */
enum { ENDING_MS = 60000, ENDING_PAUSE_MS = 500 };

static void describe_fence(const struct lease *lease, char *why, size_t size)
{
    char when[32];

    clock_iso(lease->time, when, sizeof(when));
    snprintf(why, size, "it moved to %s (job %s) at %s",
             lease->moved_to[0] != '\0' ? lease->moved_to : "another cluster",
             lease->moved_job[0] != '\0' ? lease->moved_job : "unknown",
             when);
}

/* Has nothing of the run's state changed for takeover_quiet? Both times are
 * the file server's: of a file that is written now, and of the state. */
static bool quiet_long_enough(struct run *run)
{
    int64_t wanted = run->cfg.takeover_quiet;
    struct json_object *events;
    int64_t changed, now;

    if (wanted < 0) {
        events = history_read(run->relayfd, NULL);
        wanted = events != NULL ? 2 * history_interval(events) : 0;
        json_object_put(events);
    }
    if (wanted <= 0)
        return false;
    now = run_server_time(run);
    changed = run_state_changed(run);
    return now > 0 && changed > 0 && now - changed >= wanted;
}

static int judge_owner(struct run *run, const struct lease *lease,
                       struct gate_holder *holder)
{
    struct relay_error err = {0};
    struct job_facts facts;
    struct peer peer;
    char state[2048];
    char who[256];
    char evidence[512];
    enum alive verdict;

    owner_describe(&lease->owner, who, sizeof(who));
    if (peer_open(&run->cfg, lease->owner.cluster, &peer, &err) != 0) {
        snprintf(holder->why, sizeof(holder->why), "%s holds it; %.400s", who,
                 err.text);
        return 0;
    }
    run_state_dir(run, state, sizeof(state));
    verdict = liveness_of(&peer, &lease->owner, peer.local ? state : NULL,
                          &facts, evidence, sizeof(evidence));
    holder->alive = verdict == ALIVE_YES;
    holder->ending = holder->alive && facts.completing;
    if (verdict == ALIVE_DEAD)
        return 1;
    if (verdict == ALIVE_UNKNOWN && quiet_long_enough(run)) {
        run_log(run, "%s is unknown (%s) but has been quiet for "
                     "takeover_quiet: taken over", who, evidence);
        return 1;
    }
    snprintf(holder->why, sizeof(holder->why), "%s holds it and %s: %s", who,
             holder->alive ? "is alive" : "may be alive", evidence);
    return 0;
}

int gate_look(struct run *run, const struct lease *lease,
              const char *back_from, struct gate_holder *holder)
{
    memset(holder, 0, sizeof(*holder));
    /* One file system for both: the fence is the handoff's own, in the one
     * lease series there is. */
    if (lease->kind == LEASE_FENCE &&
        strcmp(lease->moved_to, run->cfg.cluster) == 0) {
        if (strcmp(lease->owner.nonce, run->nonce) == 0)
            return 1;
        return judge_owner(run, lease, holder);
    }
    if (lease->kind == LEASE_FENCE) {
        if (back_from != NULL && strcmp(lease->moved_to, back_from) == 0)
            return 1;
        describe_fence(lease, holder->why, sizeof(holder->why));
        return 0;
    }
    if (!lease_held(lease) || strcmp(lease->owner.nonce, run->nonce) == 0)
        return 1;
    return judge_owner(run, lease, holder);
}

int gate_look_quickly(struct run *run, const struct lease *lease,
                      struct gate_holder *holder)
{
    struct job_facts facts = {.completing = false};
    char who[256], evidence[512] = "";
    struct relay_error err = {0};
    enum alive verdict = ALIVE_UNKNOWN;
    struct peer peer;

    memset(holder, 0, sizeof(*holder));
    if (peer_open(&run->cfg, lease->owner.cluster, &peer, &err) == 0 &&
        liveness_look(&peer, &lease->owner, NULL, &facts, &err) == 0)
        verdict = liveness_judge(&lease->owner, NULL, &facts, evidence,
                                 sizeof(evidence));
    holder->alive = verdict == ALIVE_YES;
    holder->ending = holder->alive && facts.completing;
    owner_describe(&lease->owner, who, sizeof(who));
    if (evidence[0] == '\0')
        snprintf(evidence, sizeof(evidence), "%.500s", err.text);
    snprintf(holder->why, sizeof(holder->why), "%s holds it and %s: %s", who,
             holder->alive ? "is alive" : "may be alive", evidence);
    return verdict == ALIVE_DEAD;
}

int gate_look_patiently(struct run *run, struct lease *lease,
                        const char *back_from, struct gate_holder *holder,
                        struct relay_error *err)
{
    int64_t until = clock_ms() + ENDING_MS;
    bool said = false;
    int can;

    for (;;) {
        can = gate_look(run, lease, back_from, holder);
        if (can != 0 || !holder->ending || clock_ms() >= until ||
            process_cancelled() != 0)
            return can;
        if (!said)
            run_say(run, "%s: waiting for job %s to end", run->key,
                    lease->owner.job_id);
        said = true;
        clock_sleep_ms(ENDING_PAUSE_MS);
        lease_free(lease);
        if (lease_read(run->relayfd, lease, err) != 0)
            return -1;
    }
}

int gate_free(struct run *run, const struct lease *lease,
              const char *back_from, bool *alive, char *why, size_t why_size)
{
    struct gate_holder holder;
    int can = gate_look(run, lease, back_from, &holder);

    *alive = holder.alive;
    snprintf(why, why_size, "%s", holder.why);
    return can;
}

int gate_refuse(struct run *run, const struct lease *lease,
                const struct gate_holder *holder, struct relay_error *err)
{
    const char *cluster = lease->owner.cluster;

    if (lease->kind == LEASE_FENCE &&
        strcmp(lease->moved_to, run->cfg.cluster) != 0)
        return relay_fail(err, EX_NOPERM,
                          "%s does not run here: %s; to bring it back: sbatch "
                          "--resume-key=%s --handoff-from=%s ...",
                          run->key, holder->why, run->key, lease->moved_to);
    if (holder->alive && strcmp(cluster, run->cfg.cluster) != 0 &&
        config_find(&run->cfg, cluster, NULL) != NULL)
        return relay_fail(err, EX_NOPERM,
                          "%s does not run twice: %s; to move it here: sbatch "
                          "--resume-key=%s --handoff-from=%s ...", run->key,
                          holder->why, run->key, cluster);
    if (holder->alive)
        return relay_fail(err, EX_NOPERM, "%s does not run twice: %s",
                          run->key, holder->why);
    return relay_fail(err, EX_NOPERM,
                      "%s may be running: %s; when you know that it is not: "
                      "sresume unlock %s --gen %lld", run->key, holder->why,
                      run->key, (long long)lease->gen);
}

/* For listings: a run without a state has its name nowhere else. */
static void add_key(struct json_object *extra, const struct run *run)
{
    if (!key_is_hash(run->key))
        json_object_object_add(extra, "key", json_object_new_string(run->key));
}

static int link_claim(struct run *run, const struct gate_claim *claim,
                      const struct lease *last, struct relay_error *err)
{
    struct json_object *extra = json_object_new_object();
    int64_t term = last->term > 0 ? last->term : 1;
    int won;

    if (claim->term > term)
        term = claim->term; /* it only grows */
    json_object_object_add(extra, "doing",
                           json_object_new_string(claim->moving ? "moving"
                                                                : "running"));
    add_key(extra, run);
    if (claim->step >= 0)
        json_object_object_add(extra, "step",
                               json_object_new_int64(claim->step));
    won = lease_link(run->relayfd, last->gen, "claim", term, &run->self,
                     extra, err);
    json_object_put(extra);
    return won;
}

int gate_claim(struct run *run, const struct gate_claim *claim,
               struct lease *lease, struct relay_error *err)
{
    struct gate_holder holder;
    int i, can, won;

    for (i = 0; i < TRIES; i++) {
        if (lease_read(run->relayfd, lease, err) != 0)
            return -1;
        can = gate_look_patiently(run, lease, claim->back_from, &holder, err);
        if (can != 1) {
            if (can == 0)
                gate_refuse(run, lease, &holder, err);
            lease_free(lease);
            return -1;
        }
        won = link_claim(run, claim, lease, err);
        lease_free(lease);
        if (won < 0)
            return -1;
        if (won > 0)
            return lease_read(run->relayfd, lease, err);
    }
    return relay_fail(err, EX_TEMPFAIL,
                      "%s: another job keeps changing the lease; try again",
                      run->key);
}

int gate_release(struct run *run, int status, const char *cause, int64_t step,
                 struct relay_error *err)
{
    struct json_object *extra;
    struct lease last;
    int won = 0;

    if (lease_read(run->relayfd, &last, err) != 0)
        return -1;
    if (lease_held(&last) && strcmp(last.owner.nonce, run->nonce) == 0) {
        extra = json_object_new_object();
        if (status >= 0)
            json_object_object_add(extra, "status",
                                   json_object_new_int(status));
        json_object_object_add(extra, "cause", json_object_new_string(cause));
        add_key(extra, run);
        if (step >= 0)
            json_object_object_add(extra, "step",
                                   json_object_new_int64(step));
        won = lease_link(run->relayfd, last.gen, "release", last.term,
                         &run->self, extra, err);
        json_object_put(extra);
    }
    lease_free(&last);
    return won < 0 ? -1 : 0;
}
