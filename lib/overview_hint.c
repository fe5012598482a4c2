/* Which runs elsewhere a move to here would bring on (overview.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "overview.h"

/* Where a job goes that is submitted as the configuration says. */
struct here {
    const struct overview *o;
    char partition[64];
    double factor; /* of the slowest GPU there */
    char gpu[64];
    int64_t room; /* GPUs that are free for this user */
};

static double factor_of(const struct config *cfg, const char *gpu)
{
    size_t i;

    for (i = 0; gpu[0] != '\0' && i < cfg->nspeed; i++)
        if (strcasecmp(cfg->speed[i].gpu, gpu) == 0)
            return cfg->speed[i].factor;
    return 0;
}

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

/* The slowest GPU that such a job can get; false when one is not known. */
static bool find_speed(const struct config *cfg, struct here *here)
{
    size_t i;

    here->factor = 0;
    for (i = 0; i < here->o->npartitions; i++) {
        const struct overview_partition *p = &here->o->partitions[i];
        double factor;

        if (strcmp(p->name, here->partition) != 0 || p->gpus == 0)
            continue;
        factor = factor_of(cfg, p->gpu);
        if (factor <= 0)
            return false;
        if (here->factor > 0 && here->factor <= factor)
            continue;
        here->factor = factor;
        snprintf(here->gpu, sizeof(here->gpu), "%s", p->gpu);
    }
    return here->factor > 0;
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
                  const struct overview_run *run, struct overview_hint *hint)
{
    const struct overview_job *job = run->job;
    int64_t left = overview_eta(run);
    double there, speedup, even;
    char span[32];

    if (job == NULL || run->completed || run->stub || run->moving ||
        run->age < 0 || run->copy == OVERVIEW_OTHER ||
        run->copy == OVERVIEW_UNCLEAR || job->gpus <= 0 ||
        job->gpus > here->room || (there = factor_of(cfg, job->gpu)) <= 0)
        return false;
    speedup = here->factor / there;
    if (run->state == RUN_QUEUED && speedup >= 1) {
        snprintf(hint->why, sizeof(hint->why),
                 "it waits for %s%s%s%s; here is room on %s (%.1f times as "
                 "fast)",
                 job->gpu, job->reason[0] != '\0' ? " (" : "", job->reason,
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
             job->gpu, here->gpu, speedup, span);
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

            if (!gains(cfg, &here, &list[i].runs[k], hint))
                continue;
            hint->from = &list[i];
            hint->run = &list[i].runs[k];
            (*count)++;
        }
    }
    return 0;
}
