/* Which copy of a run counts (overview.h). */
#include <stdlib.h>
#include <string.h>

#include "overview.h"

static int by_hash(const void *a, const void *b)
{
    return strcmp((*(struct overview_run *const *)a)->hash,
                  (*(struct overview_run *const *)b)->hash);
}

/* A run that was never handed over has term 1. */
static int64_t term_of(const struct overview_run *run)
{
    return run->term > 0 ? run->term : 1;
}

/* Something that could be trained on. */
static bool has_state(const struct overview_run *run)
{
    return run->age >= 0 && !run->stub;
}

/* --- marks: of those that may be the one, the highest -------------------- */

static int64_t mark_job(const struct overview_run *run)
{
    return run->job != NULL && strcmp(run->job->state, "PENDING") != 0;
}

static int64_t mark_lease(const struct overview_run *run)
{
    return run->lease != LEASE_FENCE;
}

static int64_t mark_step(const struct overview_run *run)
{
    return run->step;
}

/* Leaves those in best whose mark is highest; returns how many. */
static size_t keep_highest(struct overview_run **best, size_t n,
                           int64_t (*mark)(const struct overview_run *run))
{
    int64_t highest = 0;
    size_t i, kept = 0;

    for (i = 0; i < n; i++)
        if (i == 0 || mark(best[i]) > highest)
            highest = mark(best[i]);
    for (i = 0; i < n; i++)
        if (mark(best[i]) == highest)
            best[kept++] = best[i];
    return kept;
}

static struct overview_run *choose(struct overview_run *const *copies, size_t n,
                                   struct overview_run **best)
{
    int64_t moved_term = 0;
    size_t i, left = 0;

    for (i = 0; i < n; i++) {
        const struct overview_run *run = copies[i];

        if (run->trouble[0] != '\0')
            return NULL;
        if (run->stub && run->moved_term > moved_term)
            moved_term = run->moved_term;
        if (has_state(run))
            best[left++] = copies[i];
    }
    left = keep_highest(best, left, term_of);
    /* What a handoff took away and has not put in place yet is in neither. */
    if (left == 0 || term_of(best[0]) < moved_term)
        return NULL;
    left = keep_highest(best, left, mark_job);
    if (left > 1 && mark_job(best[0]) != 0)
        return NULL; /* several run it */
    left = keep_highest(best, left, mark_lease);
    left = keep_highest(best, left, mark_step);
    return left == 1 ? best[0] : NULL;
}

static void settle(struct overview_run *const *copies, size_t n,
                   struct overview_run **best)
{
    struct overview_run *one = choose(copies, n, best);
    size_t i;

    for (i = 0; i < n; i++)
        copies[i]->copy = one == NULL        ? OVERVIEW_UNCLEAR
                          : copies[i] == one ? OVERVIEW_AUTHORITATIVE
                                             : OVERVIEW_OTHER;
}

void overview_pair(struct overview *list, size_t n)
{
    struct overview_run **copies, **best;
    size_t i, k, end, total = 0;

    for (i = 0; i < n; i++)
        total += list[i].n;
    copies = calloc(total + 1, sizeof(struct overview_run *));
    best = calloc(n + 1, sizeof(struct overview_run *));
    for (i = 0, total = 0; copies != NULL && best != NULL && i < n; i++)
        for (k = 0; k < list[i].n; k++)
            copies[total++] = &list[i].runs[k];
    if (total > 0)
        qsort(copies, total, sizeof(struct overview_run *), by_hash);
    for (i = 0; i < total; i = end) {
        for (end = i + 1; end < total && by_hash(&copies[i], &copies[end]) == 0;
             end++)
            ;
        if (end - i > 1)
            settle(&copies[i], end - i, best);
    }
    free(copies);
    free(best);
}
