#include "plan_facts.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ask.h"
#include "gputype.h"
#include "hosts.h"
#include "key.h"
#include "tracker/tracker.h"

enum { ASK_MS = 10000, TRACKER_S = 15 };

/* --- there ---------------------------------------------------------------- */

static double factor_of(const struct plan *p, const char *gpu)
{
    return gpu[0] != '\0' ? gputype_factor(&p->run->cfg, gpu) : 0;
}

/* The median over the nodes with GPUs of the source job's partition. */
static double usual_factor(const struct plan *p)
{
    const struct overview *o = &p->there;
    double best = 0;
    int nodes = 0, below;
    size_t i, k;

    for (i = 0; i < o->npartitions; i++) {
        const struct overview_partition *a = &o->partitions[i];
        double factor = factor_of(p, a->gpu);

        if (strcmp(a->name, p->job->partition) != 0 || factor <= 0)
            continue;
        nodes = below = 0;
        for (k = 0; k < o->npartitions; k++) {
            const struct overview_partition *b = &o->partitions[k];
            double other = factor_of(p, b->gpu);

            if (strcmp(b->name, a->name) != 0 || other <= 0)
                continue;
            nodes += b->nodes;
            below += other <= factor ? b->nodes : 0;
        }
        if (2 * below >= nodes && (best <= 0 || factor < best))
            best = factor;
    }
    return best;
}

static void facts_there(struct plan *p)
{
    struct gate_facts *f = &p->facts;

    f->completed = p->h.src.meta.completed;
    f->job = p->h.src.job_id[0] != '\0' ? p->h.src.job_id : NULL;
    f->step = p->h.src.meta.step;
    f->total = p->opt->total;
    f->gpu_there = "";
    f->gpus_there = -1;
    f->rate_there = p->opt->rate_there;
    f->rate_here = p->opt->rate_here;
    if (p->seen != NULL) {
        f->total = f->total < 0 ? p->seen->total : f->total;
        f->rate_there = f->rate_there > 0 ? f->rate_there : p->seen->rate;
    }
    if (p->job == NULL)
        return;
    f->gpu_there = p->job->gpu;
    f->gpus_there = p->job->gpus;
    f->factor_there = factor_of(p, p->job->gpu);
    f->factor_usual = usual_factor(p);
}

/* --- here ----------------------------------------------------------------- */

static void facts_gpu(struct plan *p, const struct ask *ask)
{
    struct gate_facts *f = &p->facts;
    const struct gputype *slowest;
    struct gputypes types;

    f->gpus_here = p->request.gpus;
    f->gpu_here = p->gpu_here;
    if (ask_gputypes(ask, &p->request, &p->run->cfg, &types, NULL) == 0 &&
        (slowest = gputypes_slowest(&types)) != NULL) {
        snprintf(p->gpu_here, sizeof(p->gpu_here), "%s", slowest->name);
        f->factor_here = slowest->factor;
    }
    snprintf(p->why_gpu, sizeof(p->why_gpu), "%s", types.why);
    if (p->why_gpu[0] != '\0')
        f->gpu_here_why = p->why_gpu;
    gputypes_free(&types);
}

static void facts_slots(struct plan *p, const struct ask *ask)
{
    const struct config *cfg = &p->run->cfg;
    const struct config_cluster *here = p->run->here;
    struct gate_facts *f = &p->facts;

    slots_init(&p->slots);
    if (here != NULL)
        ask_slots(ask, &p->request, cfg, here,
                  p->opt->profile != NULL
                      ? config_profile_of(here, p->opt->profile, NULL) : NULL,
                  &p->slots);
    f->jobs_now = p->slots.jobs.now;
    f->jobs_max = p->slots.jobs.max;
    f->gpus_now = p->slots.gpus.now;
    f->gpus_max = p->slots.gpus.max;
    f->jobs_whose = p->slots.jobs.whose;
    f->gpus_whose = p->slots.gpus.whose;
    if (p->slots.why[0] != '\0')
        f->slots_why = p->slots.why;
}

/* Of a move on one cluster: the source itself, and what it holds. */
static bool is_source(const struct plan *p, const struct overview_job *job)
{
    size_t i;

    if (!p->h.peer.local)
        return false;
    for (i = 0; i < p->h.src.nfollowers; i++)
        if (strcmp(p->h.src.followers[i].job_id, job->id) == 0)
            return true;
    return strcmp(p->h.src.job_id, job->id) == 0;
}

static bool is_named_for(const struct run *run, const struct overview_job *job)
{
    return (run->name[0] != '\0' && job->name != NULL &&
            strcmp(job->name, run->name) == 0) ||
           (job->comment != NULL && strcmp(job->comment, run->key) == 0);
}

/* A job here that runs or waits for this very run: by its records, its name,
 * or its comment. */
static void facts_twin(struct plan *p)
{
    const struct overview_job *twin = NULL;
    size_t i;

    for (i = 0; i < p->here.n && twin == NULL; i++)
        if (strcmp(p->here.runs[i].hash, p->run->hash) == 0 &&
            p->here.runs[i].job != NULL &&
            !is_source(p, p->here.runs[i].job))
            twin = p->here.runs[i].job;
    for (i = 0; i < p->here.njobs && twin == NULL; i++)
        if (is_named_for(p->run, &p->here.jobs[i]) &&
            !is_source(p, &p->here.jobs[i]))
            twin = &p->here.jobs[i];
    if (twin == NULL)
        return;
    snprintf(p->twin, sizeof(p->twin), "job %s (%s)", twin->id, twin->state);
    p->facts.twin = p->twin;
}

/* --- the tracker ---------------------------------------------------------- */

static void say_runs(struct plan *p, const struct tracker_runs *runs)
{
    size_t i, used = 0;

    for (i = 0; i < runs->n && used < sizeof(p->tracker_why); i++)
        used += (size_t)snprintf(p->tracker_why + used,
                                 sizeof(p->tracker_why) - used, "%s%s",
                                 i > 0 ? ", " : "", runs->runs[i].id);
}

static void ask_tracker(struct plan *p, struct tracker *t)
{
    struct tracker_runs runs = {0};
    struct relay_error err = {0};
    int64_t count = 0;

    if (tracker_finished(t, p->run->name, &count, &runs, &err) != 0) {
        p->facts.tracker = -2;
        snprintf(p->tracker_why, sizeof(p->tracker_why), "%.390s", err.text);
    } else {
        p->facts.tracker = count > 1000 ? 1000 : (int)count;
        say_runs(p, &runs);
    }
    tracker_runs_free(&runs);
}

/* A name without an entity and a project has no place to be looked for. */
static void facts_tracker(struct plan *p)
{
    char entity[KEY_MAX + 1], project[KEY_MAX + 1];
    struct tracker_options opt = {.wish = p->run->cfg.tracker,
                                  .entity = entity, .project = project,
                                  .budget_s = TRACKER_S};
    struct relay_error err = {0};
    struct tracker *t = NULL;
    int rc;

    p->facts.tracker = -1;
    p->facts.tracker_why = p->tracker_why;
    if (p->opt->no_tracker || key_is_hash(p->run->key))
        return;
    snprintf(entity, sizeof(entity), "%.*s", (int)strcspn(p->run->key, "/"),
             p->run->key);
    snprintf(project, sizeof(project), "%s", p->run->key + strlen(entity) + 1);
    project[strcspn(project, "/")] = '\0';
    rc = tracker_open(&opt, &t, &err);
    if (rc == 0)
        ask_tracker(p, t);
    else if (rc < 0)
        p->facts.tracker = -2;
    if (rc != 0)
        snprintf(p->tracker_why, sizeof(p->tracker_why), "%.390s", err.text);
    tracker_close(t);
}

void plan_facts(struct plan *p)
{
    const struct config *cfg = &p->run->cfg;
    struct gate_facts *f = &p->facts;
    struct ask ask;

    f->min_remaining = cfg->min_remaining;
    f->overhead = cfg->overhead;
    facts_there(p);
    ask_here(ASK_MS, &ask);
    facts_gpu(p, &ask);
    facts_slots(p, &ask);
    ask_free(&ask);
    facts_twin(p);
    facts_tracker(p);
    f->nodes = p->request.nodes;
    f->nodelist_hosts = hosts_count(p->request.nodelist);
}
