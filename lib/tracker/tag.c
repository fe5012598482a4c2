#include "tag.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define PREFIX "slurmclaim:"
enum { PREFIX_LEN = sizeof(PREFIX) - 1, NONCE_LEN = 16, TAG_MAX = 64 };

/* The parts of slurmclaim:CLUSTER/JOB/NONCE; false: a person's own tag. */
static bool split(const char *tag, const char **job, const char **nonce)
{
    if (strncmp(tag, PREFIX, PREFIX_LEN) != 0)
        return false;
    *job = strchr(tag + PREFIX_LEN, '/');
    *nonce = *job != NULL ? strchr(*job + 1, '/') : NULL;
    return *nonce != NULL && strchr(*nonce + 1, '/') == NULL;
}

static int put(char **slot, const char *from, size_t len)
{
    free(*slot);
    *slot = strndup(from, len);
    return *slot != NULL ? 0 : -1;
}

int tag_read(struct tracker_run *run)
{
    const char *cluster, *job, *nonce;
    size_t i;

    for (i = 0; i < run->ntags; i++) {
        if (!split(run->tags[i], &job, &nonce))
            continue;
        cluster = run->tags[i] + PREFIX_LEN;
        if (put(&run->cluster, cluster, (size_t)(job - cluster)) != 0 ||
            put(&run->job, job + 1, (size_t)(nonce - job - 1)) != 0 ||
            put(&run->nonce, nonce + 1, strlen(nonce + 1)) != 0)
            return -1;
    }
    return 0;
}

bool tag_is_of(const struct tracker_run *run, const char *nonce)
{
    return run->nonce != NULL && strlen(run->nonce) == NONCE_LEN &&
           strncmp(run->nonce, nonce, NONCE_LEN) == 0;
}

struct json_object *tag_replace(const struct tracker_run *run, const char *tag)
{
    struct json_object *tags = json_object_new_array();
    const char *job, *nonce;
    size_t i;

    for (i = 0; tags != NULL && run != NULL && i < run->ntags; i++) {
        if (!split(run->tags[i], &job, &nonce))
            json_object_array_add(tags, json_object_new_string(run->tags[i]));
    }
    if (tags != NULL)
        json_object_array_add(tags, json_object_new_string(tag));
    return tags;
}

int tracker_tag(const struct tracker_claimant *who, char tag[65],
                struct relay_error *err)
{
    int n;

    if (strlen(who->nonce) < NONCE_LEN)
        return relay_fail(err, EX_DATAERR, "a claim's nonce is shorter than "
                                            "16 digits");
    if (who->cluster[0] == '\0' || strchr(who->cluster, '/') != NULL ||
        strchr(who->job, '/') != NULL)
        return relay_fail(err, EX_CONFIG, "\"%.60s\" and \"%.60s\" cannot be "
                                          "the cluster and job of a claim",
                          who->cluster, who->job);
    n = snprintf(tag, TAG_MAX + 1, PREFIX "%s/%s/%.*s", who->cluster, who->job,
                 (int)NONCE_LEN, who->nonce);
    if (n < 0 || n > TAG_MAX)
        return relay_fail(err, EX_CONFIG, "a tag of W&B has 64 characters at "
                                          "most, and the claim of cluster "
                                          "%.60s, job %.60s would have %d",
                          who->cluster, who->job, n);
    return 0;
}
