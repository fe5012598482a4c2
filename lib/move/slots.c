#include "slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "move/gres.h"

enum field {
    ID,
    STATE,
    PARTITION,
    QOS,
    NODES,
    TASKS,
    ALLOC,
    PER_JOB,
    PER_NODE,
    PER_SOCKET,
    PER_TASK,
    FIELDS
};

enum { QOS_NAME, QOS_JOBS, QOS_SUBMIT, QOS_TRES, QOS_FIELDS };

/* Cuts a copy of the next line of *text into n fields at '|'. Lines with
 * fewer, and such as do not fit, are passed over. false at the end. */
static bool next_line(const char **text, char *copy, size_t size,
                      char **fields, size_t n)
{
    while (**text != '\0') {
        size_t len = strcspn(*text, "\n");
        const char *line = *text;
        char *p = copy;
        size_t i = 1;

        *text += len + (line[len] == '\n');
        if (len >= size)
            continue;
        memcpy(copy, line, len);
        copy[len] = '\0';
        fields[0] = copy;
        while (i < n && (p = strchr(p, '|')) != NULL) {
            *p++ = '\0';
            fields[i++] = p;
        }
        if (i == n)
            return true;
    }
    return false;
}

/* Have two lists (commas between) an element in common? */
static bool share_element(const char *a, const char *b)
{
    while (*a != '\0') {
        size_t len = strcspn(a, ",");
        const char *at = b;

        while (*at != '\0') {
            size_t n = strcspn(at, ",");

            if (n == len && strncmp(a, at, n) == 0)
                return true;
            at += n + (at[n] == ',');
        }
        a += len + (a[len] == ',');
    }
    return false;
}

/* Jobs that have ended, or are about to, take no slot. */
static bool takes_slot(const char *state)
{
    static const char *const ended[] = {
        "BOOT_FAIL", "CANCELLED", "COMPLETED", "COMPLETING", "DEADLINE",
        "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",
        "TIMEOUT"};
    size_t i;

    for (i = 0; i < sizeof(ended) / sizeof(ended[0]); i++) {
        if (strcmp(state, ended[i]) == 0)
            return false;
    }
    return true;
}

static int64_t at_least_one(char *text)
{
    int64_t n;

    text[strcspn(text, "-")] = '\0'; /* "2-4" */
    n = gres_number(text);
    return n > 0 ? n : 1;
}

static int64_t job_gpus(char **field)
{
    int64_t n = gres_gpus(field[ALLOC], false);
    int64_t nodes = at_least_one(field[NODES]);

    if (n == 0)
        n = gres_gpus(field[PER_JOB], false);
    if (n == 0)
        n = gres_gpus(field[PER_NODE], false) * nodes;
    if (n == 0)
        n = gres_gpus(field[PER_SOCKET], false) * nodes;
    if (n == 0)
        n = gres_gpus(field[PER_TASK], false) * at_least_one(field[TASKS]);
    return n;
}

void slots_use(const char *squeue, const char *partition, const char *qos,
               struct slot_use *use)
{
    char copy[4096];
    char *field[FIELDS];

    *use = (struct slot_use){0, 0};
    while (next_line(&squeue, copy, sizeof(copy), field, FIELDS)) {
        if (!takes_slot(field[STATE]) ||
            (partition != NULL && partition[0] != '\0' &&
             !share_element(partition, field[PARTITION])) ||
            (qos != NULL && qos[0] != '\0' && strcmp(qos, field[QOS]) != 0))
            continue;
        use->jobs++;
        use->gpus += job_gpus(field);
    }
}

void slots_init(struct slots *s)
{
    memset(s, 0, sizeof(*s));
    s->jobs = s->gpus = (struct slot_limit){.now = -1, .max = -1};
}

int64_t slots_room(const struct slot_limit *limit)
{
    if (limit->max < 0 || limit->now < 0)
        return INT64_MAX;
    return limit->max > limit->now ? limit->max - limit->now : 0;
}

void slots_limit(struct slot_limit *limit, int64_t now, int64_t max,
                 const char *whose)
{
    struct slot_limit other = {.now = now, .max = max};

    if (max < 0)
        return;
    if (limit->max >= 0 &&
        (limit->now < 0 || (now >= 0 && slots_room(&other) >=
                                            slots_room(limit))))
        return;
    *limit = other;
    snprintf(limit->whose, sizeof(limit->whose), "%s", whose);
}

void slots_configured(struct slots *s, const struct slot_use *use,
                      int max_jobs, int max_gpus)
{
    slots_limit(&s->jobs, use->jobs, max_jobs > 0 ? max_jobs : -1, "max_jobs");
    slots_limit(&s->gpus, use->gpus, max_gpus > 0 ? max_gpus : -1, "max_gpus");
}

/* The GPUs of "cpu=64,gres/gpu=6"; -1 when it has no limit for all types. */
static int64_t tres_gpus(const char *tres)
{
    struct gres_gpu gpu;

    while (gres_next(&tres, false, &gpu)) {
        if (gpu.type[0] == '\0')
            return gpu.count;
    }
    return -1;
}

bool slots_of_qos(struct slots *s, const struct slot_use *use,
                  const char *sacctmgr, const char *qos)
{
    char copy[4096], whose[96];
    char *field[QOS_FIELDS];

    while (next_line(&sacctmgr, copy, sizeof(copy), field, QOS_FIELDS)) {
        if (strcmp(field[QOS_NAME], qos) != 0)
            continue;
        snprintf(whose, sizeof(whose), "MaxJobsPU of QOS %.60s", qos);
        slots_limit(&s->jobs, use->jobs, gres_number(field[QOS_JOBS]), whose);
        snprintf(whose, sizeof(whose), "MaxSubmitPU of QOS %.60s", qos);
        slots_limit(&s->jobs, use->jobs, gres_number(field[QOS_SUBMIT]),
                    whose);
        snprintf(whose, sizeof(whose), "MaxTRESPU of QOS %.60s", qos);
        slots_limit(&s->gpus, use->gpus, tres_gpus(field[QOS_TRES]), whose);
        return true;
    }
    return false;
}

/* Who gains more comes first; where they stand decides between equals. */
static int by_gain(const void *a, const void *b)
{
    struct slot_candidate *const *x = a;
    struct slot_candidate *const *y = b;

    if ((*x)->known != (*y)->known)
        return (*x)->known ? -1 : 1;
    if ((*x)->known && (*x)->gain != (*y)->gain)
        return (*x)->gain > (*y)->gain ? -1 : 1;
    return (*x > *y) - (*x < *y);
}

int slots_share(struct slot_candidate *candidates, size_t n,
                const struct slots *s, size_t max)
{
    int64_t jobs = slots_room(&s->jobs), gpus = slots_room(&s->gpus);
    struct slot_candidate **order;
    size_t i;

    if (max > 0 && jobs > (int64_t)max)
        jobs = (int64_t)max;
    order = calloc(n + 1, sizeof(*order));
    if (order == NULL)
        return -1;
    for (i = 0; i < n; i++)
        order[i] = &candidates[i];
    qsort(order, n, sizeof(*order), by_gain);
    for (i = 0; i < n; i++) {
        int need = order[i]->gpus >= 0 ? order[i]->gpus : 1;

        order[i]->goes = jobs > 0 && need <= gpus;
        if (order[i]->goes) {
            jobs--;
            gpus -= gpus == INT64_MAX ? 0 : need;
        }
    }
    free(order);
    return 0;
}
