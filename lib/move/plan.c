#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "file.h"
#include "manifest.h"
#include "plan_facts.h"
#include "process.h"
#include "submit.h"

enum { LOOK_MS = 30000, SMALL_FILE = 16 << 20 };

/* --- the submission ------------------------------------------------------- */

static int read_request(struct plan *p, struct relay_error *err)
{
    const struct plan_options *o = p->opt;

    p->args = submit_args(&p->run->cfg, o->profile, o->sbatch, o->nsbatch,
                          &p->nargs, err);
    if (p->args == NULL || request_read(p->args, p->nargs, &p->request, err))
        return -1;
    if (p->request.script == NULL)
        return relay_fail(err, EX_USAGE, "the job script is missing behind "
                                         "--: [SBATCH_OPTION]... SCRIPT");
    if (p->request.ours_typed)
        return relay_fail(err, EX_USAGE,
                          "--resume-key, --handoff-from and --sweep-cell are "
                          "not for the arguments of sbatch here: which run it "
                          "is, and from where, stands before the --");
    if (p->request.clusters[0] != '\0' &&
        strcmp(p->request.clusters, p->run->cfg.cluster) != 0)
        return relay_fail(err, EX_USAGE,
                          "--clusters=%s: a run moves to the cluster that this "
                          "is typed on, %s", p->request.clusters,
                          p->run->cfg.cluster);
    return 0;
}

/* Of an array's tasks the run is one: that which was typed, else the source's,
 * whatever the script's own lines say. */
static int check_array(const struct plan *p, struct relay_error *err)
{
    const char *array = submit_array(&p->request, plan_task(p));

    if (array[strspn(array, "0123456789")] == '\0')
        return 0;
    return relay_fail(err, EX_USAGE,
                      "--array=%s: a run is one task of an array%s", array,
                      p->request.array_typed
                          ? "; that of the source is taken without --array"
                          : ", and the source's job is none: say which, with "
                            "--array=N");
}

/* --- the source ----------------------------------------------------------- */

static void start(struct plan *p)
{
    p->h = (struct handoff){.run = p->run, .from_login = true,
                            .meta = {.step = -1}, .source_last = -1};
}

static int look_at_source(struct plan *p, struct relay_error *err)
{
    if (journal_read(p->run, &p->h.journal, err) != 0 ||
        handoff_plan(&p->h, err) != 0)
        return -1;
    if (!handoff_came_here(&p->h))
        return 0;
    return relay_fail(err, EX_DATAERR,
                      "%s came here from %s and is here: to go on with it, "
                      "sbatch --resume-key=%s ... SCRIPT", p->run->key,
                      p->h.peer.cluster->name, p->run->key);
}

/* The run and its job in what the source's cluster said. */
static void find_there(struct plan *p)
{
    size_t i;

    for (i = 0; i < p->there.n; i++)
        if (strcmp(p->there.runs[i].hash, p->h.src.hash) == 0)
            p->seen = &p->there.runs[i];
    for (i = 0; p->h.src.job_id[0] != '\0' && i < p->there.njobs; i++)
        if (strcmp(p->there.jobs[i].id, p->h.src.job_id) == 0)
            p->job = &p->there.jobs[i];
}

/* Files of run_dir that the handoff leaves where they are. */
static void look_at_run_dir(struct plan *p)
{
    const struct source *src = &p->h.src;
    enum copy_run_dir copy = p->run->cfg.copy_run_dir;
    struct manifest files = {0};
    struct relay_error err = {0};
    int64_t others;
    size_t i;

    p->stays_files = p->stays_bytes = -1;
    if (src->meta.run_dir == NULL || src->shared ||
        source_run_files(src, src->meta.run_dir, 0, false, &files, &others,
                         &err) != 0)
        return;
    p->stays_files = p->stays_bytes = 0;
    for (i = 0; i < files.n; i++) {
        if (copy == COPY_ALL ||
            (copy == COPY_SMALL && files.files[i].size < SMALL_FILE))
            continue;
        p->stays_files++;
        p->stays_bytes += files.files[i].size;
    }
    manifest_free(&files);
}

/* --- here ----------------------------------------------------------------- */

/* What a publish will keep until the handoff is committed. */
static void look_at_state(struct plan *p)
{
    struct manifest files = {0};
    struct run_state_info info;
    struct relay_error err = {0};

    if (p->h.src.shared || run_state_look(p->run, &info, &err) != 0)
        return;
    if (info.kind == STATE_GOOD &&
        manifest_of_dir(p->run->rootfd, p->run->hash, 0, &files, &err) == 0)
        p->kept_here = files.bytes;
    manifest_free(&files);
    run_state_free(&info);
}

static void look_at_git(struct plan *p)
{
    const char *argv[] = {NULL, "rev-parse", "HEAD", NULL};
    struct process_spec spec = {.argv = argv, .deadline_ms = 5000};
    struct process_result res = {0};
    char git[256];

    argv[0] = git;
    if (process_find("git", git, sizeof(git), NULL) == 0 &&
        process_run(&spec, &res, NULL) == 0 && process_ok(&res))
        snprintf(p->git_here, sizeof(p->git_here), "%.*s",
                 (int)strcspn(res.out, "\n"), res.out);
    process_free(&res);
}

const char *plan_task(const struct plan *plan)
{
    const char *at = strrchr(plan->h.src.job_id, '_');

    return at != NULL ? at + 1 : "";
}

/* A source that a handoff has stopped: it is to be finished, whatever it is
 * worth. */
static void overrule_in_flight(const struct plan *p, bool override[GATES])
{
    static const enum gate gates[] = {GATE_RUNNING, GATE_GPU, GATE_REMAINING,
                                      GATE_GAIN};
    size_t i;

    for (i = 0; journal_in_flight(&p->h.journal) &&
                i < sizeof(gates) / sizeof(gates[0]); i++)
        override[gates[i]] = true;
}

int plan_make(struct run *run, const struct plan_options *opt,
              struct overview *there, struct plan *plan,
              struct relay_error *err)
{
    struct overview_want want = {.pattern = run->hash, .root = run->root,
                                 .deadline_ms = LOOK_MS};
    bool override[GATES];

    memset(plan, 0, sizeof(*plan));
    plan->opt = opt;
    plan->run = run;
    start(plan);
    plan->there = *there;
    memset(there, 0, sizeof(*there));
    if (read_request(plan, err) != 0 || look_at_source(plan, err) != 0 ||
        check_array(plan, err) != 0 ||
        overview_look(&run->cfg, run->cfg.cluster, &want, &plan->here, err))
        return -1;
    find_there(plan);
    look_at_run_dir(plan);
    look_at_state(plan);
    look_at_git(plan);
    plan_facts(plan);
    gates_estimate(&plan->facts, &plan->estimate);
    memcpy(override, opt->override, sizeof(override));
    overrule_in_flight(plan, override);
    plan->in_the_way = gates_judge(&plan->facts, override, plan->results);
    return 0;
}

void plan_free(struct plan *plan)
{
    if (plan->run != NULL)
        handoff_free(&plan->h);
    overview_free(&plan->there);
    overview_free(&plan->here);
    free(plan->args);
    memset(plan, 0, sizeof(*plan));
}

/* --- the copy ahead ------------------------------------------------------- */

/* Copies what is there now into staging-<nonce>. 0; 1 it could not be had
 * while the source writes, which was said; -1. */
static int copy_ahead(struct plan *plan, struct relay_error *err)
{
    struct handoff *h = &plan->h;
    struct relay_error minor = {0};
    int rc = handoff_stage(h, err);

    /* Links there, which hold the room of a whole checkpoint. */
    if (source_drop_snapshot(&h->src, plan->run->nonce, &minor) != 0)
        run_log(plan->run, "%s", minor.text);
    if (rc != 0)
        return -1;
    if (!h->checked)
        return 1;
    return handoff_sync_staged(h, err) != 0 ||
                   handoff_offer_staging(h, err) != 0
               ? -1 : 0;
}

int plan_stage(struct plan *plan, double *seconds, struct relay_error *err)
{
    struct handoff *h = &plan->h;
    int64_t began = clock_ms();
    int rc;

    if (h->src.shared || !h->src.found || journal_in_flight(&h->journal))
        return 1;
    rc = copy_ahead(plan, err);
    if (rc != 0)
        handoff_drop_staging(plan->run, plan->run->nonce);
    *seconds = (double)(clock_ms() - began) / 1000;
    return rc;
}

/* The source has gone on: another look, for another checkpoint. */
static int look_again(struct plan *plan, struct relay_error *err)
{
    handoff_free(&plan->h);
    start(plan);
    plan->seen = NULL;
    plan->job = NULL;
    return look_at_source(plan, err);
}

int plan_stage_again(struct plan *plan, struct relay_error *err)
{
    struct run *run = plan->run;
    char old[sizeof(run->nonce)];
    int rc;

    snprintf(old, sizeof(old), "%s", run->nonce);
    if (!handoff_is_offered(run, old))
        return 1;
    /* A copy of its own: the job may take the old one while this is made. */
    if (file_nonce(run->nonce, err) != 0)
        return -1;
    rc = look_again(plan, err);
    if (rc == 0)
        rc = copy_ahead(plan, err);
    if (rc == 0 && handoff_withdraw_staging(run, old))
        return 0;
    if (rc == 0)
        (void)handoff_withdraw_staging(run, run->nonce);
    else
        handoff_drop_staging(run, run->nonce);
    snprintf(run->nonce, sizeof(run->nonce), "%s", old);
    return rc == 0 ? 1 : rc;
}
