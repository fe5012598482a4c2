/* Which run is meant, by what its cluster says (one ssh). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "digest.h"
#include "runs.h"
#include "shandoff.h"
#include "move/submit.h"

enum { LOOK_MS = 60000, LIST_MAX = 10 };

/* name as a pattern that fits it alone. */
static void escape(const char *name, char *out, size_t size)
{
    size_t used = 0;

    for (; *name != '\0' && used + 3 < size; name++) {
        if (strchr("*?[\\", *name) != NULL)
            out[used++] = '\\';
        out[used++] = *name;
    }
    out[used] = '\0';
}

static bool is_prefix(const char *typed)
{
    size_t len = strlen(typed);

    return len >= 6 && len <= 40 &&
           strspn(typed, "0123456789abcdef") == len;
}

static bool fits(const struct overview_run *r, const char *typed,
                 const char *hash)
{
    if (hash[0] != '\0')
        return strcmp(r->hash, hash) == 0;
    return (r->name != NULL && strcmp(r->name, typed) == 0) ||
           (is_prefix(typed) && strncmp(r->hash, typed, strlen(typed)) == 0);
}

static int several(const struct overview *there, const char *typed,
                   struct relay_error *err)
{
    char list[1200] = "";
    size_t i, used = 0, n = 0;

    for (i = 0; i < there->n && n < LIST_MAX; i++) {
        const struct overview_run *r = &there->runs[i];

        if (!fits(r, typed, "") || used + 200 > sizeof(list))
            continue;
        used += (size_t)snprintf(list + used, sizeof(list) - used,
                                 "\n  %s  step %lld%s%.100s", r->hash,
                                 (long long)r->step,
                                 r->key != NULL ? "  " : "",
                                 r->key != NULL ? r->key : "");
        n++;
    }
    return relay_fail(err, EX_DATAERR,
                      "%s is the name of several runs on %s; give the key or "
                      "the hash of one:%s", typed, there->cluster, list);
}

/* A name that nobody has there: the nearest ones. */
static int not_there(const struct config *cfg, const struct overview *there,
                     const char *typed, struct relay_error *err)
{
    struct overview_want want = {.deadline_ms = LOOK_MS};
    struct run_list list = {0};
    struct overview all;
    char *nearest = NULL;
    size_t i;

    if (overview_look(cfg, there->cluster, &want, &all, err) == 0 &&
        all.answered && all.n > 0)
        list.runs = calloc(all.n, sizeof(*list.runs));
    for (i = 0; list.runs != NULL && i < all.n; i++) {
        if (all.runs[i].name == NULL)
            continue;
        list.runs[list.n].name = all.runs[i].name;
        list.runs[list.n++].step = all.runs[i].step;
    }
    if (list.n > 0)
        nearest = runs_nearest(&list, typed, 5);
    relay_fail(err, EX_DATAERR, "%s has no run named %s in %s%s%s",
               there->cluster, typed, there->root,
               nearest != NULL ? "; nearest there:\n" : "",
               nearest != NULL ? nearest : "");
    free(nearest);
    free(list.runs); /* the names are the overview's */
    overview_free(&all);
    return -1;
}

/* What the run is opened by: its key, unless the training keeps it under
 * another hash than that one's, and the hash was typed. */
static int name_it(const struct overview_run *found, bool by_hash, char *key,
                   struct relay_error *err)
{
    char hash[41];

    if (found->key == NULL ||
        (by_hash && (digest_key(found->key, hash, NULL) != 0 ||
                     strcmp(hash, found->hash) != 0)))
        return submit_escape(found->hash, key, KEY_MAX + 1, err);
    return submit_escape(found->key, key, KEY_MAX + 1, err);
}

static int choose(const struct config *cfg, const struct overview *there,
                  const char *typed, const char *hash, char *key,
                  struct relay_error *err)
{
    const struct overview_run *found = NULL;
    size_t i;

    for (i = 0; i < there->n; i++) {
        if (!fits(&there->runs[i], typed, hash))
            continue;
        if (found != NULL)
            return several(there, typed, err);
        found = &there->runs[i];
    }
    if (found == NULL && hash[0] == '\0')
        return not_there(cfg, there, typed, err);
    if (found != NULL && (hash[0] == '\0' || key_is_hash(typed)))
        return name_it(found, is_prefix(hash[0] != '\0' ? hash : typed), key,
                       err);
    return submit_escape(typed, key, KEY_MAX + 1, err);
}

/* CLUSTER of CLUSTER:JOB. */
static void cluster_of(const char *from, char *cluster, size_t size)
{
    snprintf(cluster, size, "%.*s", (int)strcspn(from, ":"), from);
}

int shandoff_find(const struct shandoff *o, const char *typed,
                  struct overview *there, char *key, struct relay_error *err)
{
    struct overview_want want = {.deadline_ms = LOOK_MS};
    char pattern[2 * KEY_MAX + 2], cluster[64], hash[41] = "";
    char plain[KEY_MAX + 1];
    struct config cfg;
    int rc = -1;

    memset(there, 0, sizeof(*there));
    cluster_of(o->plan.from, cluster, sizeof(cluster));
    /* A key is typed as sbatch is given it: with %% for %. */
    if (key_check(typed, NULL) == 0) {
        if (key_expand(typed, NULL, NULL, plain, sizeof(plain), err) != 0 ||
            digest_key(plain, hash, err) != 0)
            return -1;
        typed = plain;
    }
    /* A training may keep a run under another hash than the key's: then its
     * name finds it. */
    if (key_is_hash(typed) || is_prefix(typed))
        snprintf(pattern, sizeof(pattern), "%s*", typed);
    else
        escape(hash[0] != '\0' ? key_run_name(typed) : typed, pattern,
               sizeof(pattern));
    want.pattern = pattern;
    if (place_config(&o->place, &cfg, err) == 0 &&
        config_find(&cfg, cluster, err) != NULL &&
        overview_look(&cfg, cluster, &want, there, err) == 0)
        rc = there->answered
                 ? choose(&cfg, there, typed, hash, key, err)
                 : relay_fail(err, EX_TEMPFAIL, "%s", there->why);
    config_free(&cfg);
    return rc;
}
