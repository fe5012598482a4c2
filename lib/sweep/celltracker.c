#include "celltracker.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "digest.h"
#include "liveness.h"
#include "slurmenv.h"

enum {
    BUDGET_S = 15,            /* of a question */
    AWAY_MS = 10 * 60 * 1000, /* until it is asked again */
    QUIET_S = 300             /* a run that was heard of later lives */
};

/* --- opening -------------------------------------------------------------- */

static void say(const struct celltracker *t, const char *what,
                const struct relay_error *why)
{
    char line[1400];

    if (t->say == NULL)
        return;
    snprintf(line, sizeof(line), "%s: %s", what, why->text);
    t->say(t->arg, line);
}

int celltracker_open(struct celltracker *t, const struct sweep *sweep,
                     struct relay_error *err)
{
    const struct roster_info *info = roster_info(sweep->roster);
    const struct tracker_options opt = {
        .wish = t->cfg->tracker,
        .entity = info->entity,
        /* As a cell's environment has it (cellenv.c). */
        .project = info->project != NULL                ? info->project
                   : slurmenv("WANDB_PROJECT") != NULL ? NULL
                                                         : sweep->project,
        .budget_s = BUDGET_S};
    struct relay_error why = {0};
    int rc = tracker_open(&opt, &t->tracker, &why);

    if (rc == 0 || (rc == 1 && !t->claims))
        return 0;
    if (t->claims && !t->optional)
        return relay_fail(err, rc == 1 ? EX_CONFIG : why.code,
                          "--tracker-claim: %s (--tracker-optional goes on "
                          "without)", why.text);
    say(t, "warning: no tracker is asked", &why);
    return 0;
}

void celltracker_close(struct celltracker *t)
{
    if (t->tracker != NULL)
        tracker_close(t->tracker);
    t->tracker = NULL;
}

/* --- who we are ----------------------------------------------------------- */

/* The nonce of our claim of a cell: the same each time, so that a claim whose
 * reply was lost is ours when it is asked for again. */
static int make_claimant(const struct celltracker *t, const char *id,
                         char nonce[33], char job[32],
                         struct tracker_claimant *who,
                         struct relay_error *err)
{
    char text[400], hex[DIGEST_HEX];

    snprintf(text, sizeof(text), "%s %s", t->own->nonce, id);
    if (digest_text(text, strlen(text), hex, err) != 0)
        return -1;
    snprintf(nonce, 33, "%.32s", hex);
    if (t->own->job_id[0] != '\0')
        snprintf(job, 32, "%s", t->own->job_id);
    else
        snprintf(job, 32, "pid%d", (int)t->own->pid);
    *who = (struct tracker_claimant){.cluster = t->own->cluster,
                                     .job = job,
                                     .nonce = nonce,
                                     .group = t->group};
    return 0;
}

int celltracker_tag(const struct celltracker *t, const char *id, char tag[65],
                    struct relay_error *err)
{
    struct tracker_claimant who;
    char nonce[33], job[32];

    if (t->tracker == NULL || !t->claims)
        return 1;
    return make_claimant(t, id, nonce, job, &who, err) == 0
               ? tracker_tag(&who, tag, err) : -1;
}

/* --- whose run it is ------------------------------------------------------ */

static bool is_ours(const struct celltracker *t,
                    const struct tracker_run *run, bool begun_here)
{
    return run->cluster != NULL ? strcmp(run->cluster, t->own->cluster) == 0
                                : begun_here;
}

/* Is the job that claimed it dead? Only its own cluster can say so. */
static bool job_is_dead(const struct celltracker *t,
                        const struct tracker_run *run, char *why, size_t size)
{
    struct relay_error err = {0};
    struct owner own = {.pid = 0};
    struct job_facts facts;
    struct peer peer;
    char evidence[300] = "";

    if (run->cluster == NULL || run->job == NULL ||
        run->job[strspn(run->job, "0123456789_")] != '\0') {
        snprintf(why, size, "nothing says whose it is");
        return false;
    }
    snprintf(own.cluster, sizeof(own.cluster), "%s", run->cluster);
    snprintf(own.job_id, sizeof(own.job_id), "%s", run->job);
    if (peer_open(t->cfg, run->cluster, &peer, &err) != 0) {
        snprintf(why, size, "%.350s", err.text);
        return false;
    }
    if (liveness_of(&peer, &own, NULL, &facts, evidence, sizeof(evidence)) ==
        ALIVE_DEAD) {
        snprintf(why, size, "job %s on %s has ended", run->job, run->cluster);
        return true;
    }
    snprintf(why, size, "job %s on %s has it: %s", run->job, run->cluster,
             evidence);
    return false;
}

/* Has another claim come since we looked at the run? Else err is what it is. */
static bool is_taken(struct celltracker *t, const char *id,
                     const struct tracker_run *run, char why[400],
                     const struct relay_error *err)
{
    struct tracker_runs now = {0};
    bool is = false;

    if (err->code == EX_NOPERM && run->nonce != NULL &&
        tracker_exact(t->tracker, &id, 1, &now, NULL) == 0)
        is = now.runs[0].nonce != NULL &&
             strcmp(now.runs[0].nonce, run->nonce) != 0;
    if (is)
        snprintf(why, 400, "%.399s", err->text);
    tracker_runs_free(&now);
    return is;
}

/* Records that its claimant is dead. 1, 0 another claim came first, -1. */
static int record_death(struct celltracker *t, const char *id,
                        const struct tracker_run *run, char why[400],
                        struct relay_error *err)
{
    if (!t->claims || run->life == TRACKER_DEAD ||
        tracker_fail(t->tracker, id, run->nonce, NULL, err) == 0)
        return 1;
    return is_taken(t, id, run, why, err) ? 0 : -1;
}

/* Takes over a run whose claimant is dead. 1, 0 it is not ours, -1. *taken
 * (may be NULL): somebody else did, or that is not known. */
static int retake(struct celltracker *t, const char *id, bool *taken,
                  char why[400], struct relay_error *err)
{
    struct tracker_claimant who;
    struct tracker_claim claim = {.outcome = TRACKER_UNSURE};
    char nonce[33], job[32];
    int rc;

    if (!t->claims)
        return 1;
    if (make_claimant(t, id, nonce, job, &who, err) != 0 ||
        tracker_retake(t->tracker, id, &who, &claim, err) != 0)
        return -1;
    rc = claim.outcome == TRACKER_CLAIMED;
    if (rc == 0)
        snprintf(why, 400, "%s", claim.why);
    if (taken != NULL)
        *taken = claim.outcome == TRACKER_UNSURE ||
                 (claim.outcome == TRACKER_HELD && claim.held.n > 0 &&
                  claim.held.runs[0].life == TRACKER_ALIVE);
    tracker_claim_free(&claim);
    return rc;
}

/* It is another cluster's, and not finished. */
static int judge_other(struct celltracker *t, const char *id,
                       const struct tracker_run *run,
                       enum celltracker_says *says, char from[64],
                       char why[400], struct relay_error *err)
{
    bool heard = run->quiet >= 0 && run->quiet < QUIET_S;
    int rc;

    *says = CELLTRACKER_SKIP;
    snprintf(from, 64, "%s", run->cluster != NULL ? run->cluster : "");
    if (run->life == TRACKER_ALIVE && heard) {
        snprintf(why, 400, "it is %s%s%s, says W&B",
                 run->state != NULL ? run->state : "there",
                 from[0] != '\0' ? " on " : "", from);
        return 0;
    }
    if (run->life != TRACKER_DEAD) {
        if (!job_is_dead(t, run, why, 400))
            return 0;
    } else if (from[0] == '\0') {
        snprintf(why, 400, "W&B says that it is %s, and not where it was",
                 run->state);
        return 0;
    }
    /* W&B lets nobody take that over: nothing is copied for it. */
    if (t->claims && strcmp(run->state != NULL ? run->state : "", "killed") ==
                         0) {
        snprintf(why, 400, "it was killed on %s, says W&B, which lets no other "
                           "go on with it", from);
        return 0;
    }
    rc = record_death(t, id, run, why, err);
    if (rc == 1)
        *says = CELLTRACKER_BRING;
    return rc < 0 ? -1 : 0;
}

/* It is our cluster's: the queue here has said that nobody runs it. */
static int judge_ours(struct celltracker *t, const char *id,
                      const struct tracker_run *run,
                      enum celltracker_says *says, char why[400],
                      struct relay_error *err)
{
    bool taken = false;
    int rc;

    if (!t->claims || run->finished)
        return 0;
    rc = record_death(t, id, run, why, err);
    taken = rc == 0;
    if (rc == 1)
        rc = retake(t, id, &taken, why, err);
    /* Another cluster was faster. */
    if (rc == 0 && taken)
        *says = CELLTRACKER_SKIP;
    return rc < 0 ? -1 : 0;
}

static int judge(struct celltracker *t, const char *id,
                 const struct tracker_run *run, bool begun_here,
                 enum celltracker_says *says, char from[64], char why[400],
                 struct relay_error *err)
{
    *says = CELLTRACKER_RUN;
    if (!run->exists)
        return 0;
    if (is_ours(t, run, begun_here))
        return judge_ours(t, id, run, says, why, err);
    if (!run->finished)
        return judge_other(t, id, run, says, from, why, err);
    *says = CELLTRACKER_DONE;
    snprintf(from, 64, "%s", run->cluster != NULL ? run->cluster : "");
    snprintf(why, 400, "finished%s%s, says W&B", from[0] != '\0' ? " on " : "",
             from[0] != '\0' ? from : " elsewhere");
    return 0;
}

/* --- asking --------------------------------------------------------------- */

static int read_only(struct celltracker *t, const char *id, bool begun_here,
                     enum celltracker_says *says, char from[64],
                     char why[400], struct relay_error *err)
{
    struct tracker_runs runs = {0};
    int rc = tracker_exact(t->tracker, &id, 1, &runs, err);

    if (rc == 0)
        rc = judge(t, id, &runs.runs[0], begun_here, says, from, why, err);
    tracker_runs_free(&runs);
    return rc;
}

static int claim(struct celltracker *t, const char *id, bool begun_here,
                 enum celltracker_says *says, char from[64], char why[400],
                 struct relay_error *err)
{
    struct tracker_claimant who;
    struct tracker_claim claim = {.outcome = TRACKER_UNSURE};
    char nonce[33], job[32];
    int rc;

    if (make_claimant(t, id, nonce, job, &who, err) != 0 ||
        tracker_claim(t->tracker, id, &who, &claim, err) != 0)
        return -1;
    snprintf(why, 400, "%s", claim.why);
    *says = claim.outcome == TRACKER_CLAIMED     ? CELLTRACKER_RUN
            : claim.outcome == TRACKER_TOMBSTONE ? CELLTRACKER_LOST
                                                 : CELLTRACKER_SKIP;
    rc = claim.outcome == TRACKER_HELD && claim.held.n > 0
             ? judge(t, id, &claim.held.runs[0], begun_here, says, from, why,
                     err)
             : 0;
    tracker_claim_free(&claim);
    return rc;
}

static int must_be_asked(const struct relay_error *why,
                         struct relay_error *err)
{
    return relay_fail(err, why->code, "%s (--tracker-optional goes on without "
                                      "the tracker)", why->text);
}

int celltracker_take(struct celltracker *t, const char *id, char why[400],
                     struct relay_error *err)
{
    struct relay_error none = {0};
    int rc = retake(t, id, NULL, why, &none);

    if (rc >= 0)
        return rc;
    if (!t->optional)
        return must_be_asked(&none, err);
    snprintf(why, 400, "%.399s", none.text);
    return 0;
}

int celltracker_ask(struct celltracker *t, const char *id, bool ours,
                    enum celltracker_says *says, char from[64],
                    char why[400], struct relay_error *err)
{
    struct relay_error none = {0};
    int rc;

    *says = CELLTRACKER_RUN;
    from[0] = why[0] = '\0';
    if (t->tracker == NULL || clock_ms() < t->not_before)
        return 0;
    rc = t->claims ? claim(t, id, ours, says, from, why, &none)
                   : read_only(t, id, ours, says, from, why, &none);
    if (rc == 0)
        return 0;
    if (t->claims && !t->optional)
        return must_be_asked(&none, err);
    if (*says == CELLTRACKER_SKIP) { /* it had said that it is another's */
        snprintf(why, 400, "%.399s", none.text);
        return 0;
    }
    t->not_before = clock_ms() + AWAY_MS;
    say(t, "warning: the tracker cannot be asked, other clusters may run the "
           "same cells", &none);
    return 0;
}
