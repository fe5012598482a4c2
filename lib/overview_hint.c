/* Which runs elsewhere a move to here would bring on (overview.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "move/gputype.h"
#include "overview.h"

/* Where a job goes that is submitted as the configuration says. */
struct here {
    const struct overview *o;
    char partition[64];
    double factor; /* of the slowest GPU there */
    char gpu[64];
    int64_t room; /* GPUs that are free for this user */
};

/* The partition of the configured sbatch arguments, else the usual one. */
static void find_partition(const struct config_cluster *c, struct here *here)
{
    size_t i;

    for (i = 0; c != NULL && i < c->nsubmit; i++) {
        const char *arg = c->submit[i];
        const char *value = NULL;

        if (strcmp(arg, "-p") == 0 || strcmp(arg, "--partition") == 0)
            value = i + 1 < c->nsubmit ? c->submit[i + 1] : NULL;
        else if (strncmp(arg, "--partition=", 12) == 0)
            value = arg + 12;
        else if (strncmp(arg, "-p", 2) == 0)
            value = arg + 2;
        if (value != NULL)
            snprintf(here->partition, sizeof(here->partition), "%s", value);
    }
    for (i = 0; here->partition[0] == '\0' && i < here->o->npartitions; i++)
        if (here->o->partitions[i].usual)
            snprintf(here->partition, sizeof(here->partition), "%s",
                     here->o->partitions[i].name);
}

/* The slowest GPU of a partition, NULL when one of its is not known. */
static const struct overview_partition *
slowest_in(const struct config *cfg, const struct overview *o,
           const char *partition, double *factor)
{
    const struct overview_partition *slowest = NULL;
    size_t i;

    *factor = 0;
    for (i = 0; i < o->npartitions; i++) {
        const struct overview_partition *p = &o->partitions[i];
        double one;

        if (strcmp(p->name, partition) != 0 || p->gpus == 0)
            continue;
        one = p->gpu[0] != '\0' ? gputype_factor(cfg, p->gpu) : 0;
        if (one <= 0)
            return NULL;
        if (slowest != NULL && *factor <= one)
            continue;
        *factor = one;
        slowest = p;
    }
    return slowest;
}

static bool find_speed(const struct config *cfg, struct here *here)
{
    const struct overview_partition *p =
        slowest_in(cfg, here->o, here->partition, &here->factor);

    if (p != NULL)
        snprintf(here->gpu, sizeof(here->gpu), "%s", p->gpu);
    return p != NULL;
}

/* The GPU that a job there has or, of any type, at worst waits for; NULL
 * unknown. */
static const char *gpu_there(const struct config *cfg,
                             const struct overview *there,
                             const struct overview_job *job, double *factor)
{
    const struct overview_partition *p;

    if (job->gpu[0] != '\0') {
        *factor = gputype_factor(cfg, job->gpu);
        return *factor > 0 ? job->gpu : NULL;
    }
    p = slowest_in(cfg, there, job->partition, factor);
    return p != NULL ? p->gpu : NULL;
}

/* max_gpus says it; without it, nobody of the user's may be waiting. */
static int64_t room_of(const struct config_cluster *c, const struct here *here)
{
    size_t i;

    if (c != NULL && c->max_gpus > 0)
        return c->max_gpus - overview_gpus_in(here->o, here->partition);
    for (i = 0; i < here->o->njobs; i++)
        if (strcmp(here->o->jobs[i].state, "PENDING") == 0 &&
            strcmp(here->o->jobs[i].partition, here->partition) == 0)
            return 0;
    return INT64_MAX;
}

static bool look_here(const struct config *cfg, const struct overview *list,
                      size_t n, struct here *here)
{
    const struct config_cluster *c;
    size_t i;

    memset(here, 0, sizeof(*here));
    for (i = 0; i < n; i++)
        if (list[i].local && list[i].answered && list[i].slurm)
            here->o = &list[i];
    if (here->o == NULL)
        return false;
    c = config_find(cfg, here->o->cluster, NULL);
    find_partition(c, here);
    here->room = room_of(c, here);
    return here->room > 0 && find_speed(cfg, here);
}

/* Why a move here gains; false when it does not, or is not known to. */
static bool gains(const struct config *cfg, const struct here *here,
                  const struct overview *from, const struct overview_run *run,
                  struct overview_hint *hint)
{
    const struct overview_job *job = run->job;
    int64_t left = overview_eta(run);
    double there, speedup, even;
    const char *gpu;
    char span[32];

    if (job == NULL || run->completed || run->stub || run->moving ||
        run->age < 0 || run->copy == OVERVIEW_OTHER ||
        run->copy == OVERVIEW_UNCLEAR || job->gpus <= 0 ||
        job->gpus > here->room ||
        (gpu = gpu_there(cfg, from, job, &there)) == NULL)
        return false;
    speedup = here->factor / there;
    if (run->state == RUN_QUEUED && speedup >= 1) {
        snprintf(hint->why, sizeof(hint->why),
                 "it waits for %s%s%s%s; here is room on %s (%.1f times as "
                 "fast)",
                 gpu, job->reason[0] != '\0' ? " (" : "", job->reason,
                 job->reason[0] != '\0' ? ")" : "", here->gpu, speedup);
        return true;
    }
    if (run->state != RUN_RUNNING || speedup <= 1 || left < 0)
        return false;
    even = (double)cfg->overhead / (1 - 1 / speedup);
    if ((double)left <= even || left <= cfg->min_remaining)
        return false;
    clock_span((int64_t)((double)left - (double)left / speedup) - cfg->overhead,
               span, sizeof(span));
    snprintf(hint->why, sizeof(hint->why),
             "%s there, room on %s here (%.1f times as fast): done %s "
             "earlier",
             gpu, here->gpu, speedup, span);
    return true;
}

int overview_hints(const struct config *cfg, const struct overview *list,
                   size_t n, struct overview_hint **hints, size_t *count,
                   struct relay_error *err)
{
    struct here here;
    size_t i, k, room = 1;

    *count = 0;
    for (i = 0; i < n; i++)
        room += list[i].n;
    *hints = calloc(room, sizeof(**hints));
    if (*hints == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    if (!look_here(cfg, list, n, &here))
        return 0;
    for (i = 0; i < n; i++) {
        for (k = 0; !list[i].local && k < list[i].n; k++) {
            struct overview_hint *hint = &(*hints)[*count];

            if (!gains(cfg, &here, &list[i], &list[i].runs[k],
                       hint))
                continue;
            hint->from = &list[i];
            hint->run = &list[i].runs[k];
            (*count)++;
        }
    }
    return 0;
}
