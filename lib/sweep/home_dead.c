/* The home cannot always ask our cluster about the jobs that own its cells; we
 * can. */
#include <stdlib.h>
#include <sysexits.h>

#include "clock.h"
#include "home_ssh.h"
#include "liveness.h"

enum { MAX_JOBS = 8, AGAIN_MS = 60 * 1000 };

/* What was found of a job, which may own several claims. */
struct found {
    struct owner own;
    bool dead;
};

static bool is_dead(const struct peer *here, const struct owner *own)
{
    struct job_facts facts;
    char why[512];

    return liveness_of(here, own, NULL, &facts, why, sizeof(why)) ==
           ALIVE_DEAD;
}

/* The finding about own's job, made when there is none; NULL: enough asked. */
static const struct found *find(const struct peer *here, struct found *all,
                                size_t *n, const struct owner *own)
{
    size_t i;

    for (i = 0; i < *n; i++)
        if (owner_same_job(&all[i].own, own))
            return &all[i];
    if (*n == MAX_JOBS)
        return NULL;
    all[*n] = (struct found){*own, is_dead(here, own)};
    return &all[(*n)++];
}

struct json_object *home_dead_owners(struct ssh_home *h,
                                     struct json_object *owners)
{
    const struct config *cfg = h->opt.cfg;
    size_t n = json_object_is_type(owners, json_type_array)
                   ? json_object_array_length(owners) : 0;
    struct found *all = calloc(MAX_JOBS, sizeof(*all));
    struct json_object *dead = NULL;
    struct peer here;
    size_t found = 0, i;

    if (all == NULL || n == 0 || clock_ms() < h->judge_at ||
        peer_open(cfg, cfg->cluster, &here, NULL) != 0) {
        free(all);
        return NULL;
    }
    for (i = 0; i < n; i++) {
        const struct found *job;
        struct owner own;

        owner_from_json(json_object_array_get_idx(owners, i), "", &own);
        if (owner_same_process(&own, h->opt.own))
            continue;
        job = find(&here, all, &found, &own);
        if (job == NULL || !job->dead)
            continue;
        if (dead == NULL)
            dead = json_object_new_array();
        json_object_array_add(dead, owner_to_json(&own));
    }
    free(all);
    h->judge_at = clock_ms() + AGAIN_MS;
    return dead;
}
