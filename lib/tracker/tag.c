#include "tag.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define PREFIX "slurmclaim:"
enum { PREFIX_LEN = sizeof(PREFIX) - 1, NONCE_LEN = 16, TAG_MAX = 64 };

static bool is_claim_tag(const char *tag)
{
    return strncmp(tag, PREFIX, PREFIX_LEN) == 0;
}

static int put(char **slot, const char *from, size_t len)
{
    free(*slot);
    *slot = strndup(from, len);
    return *slot != NULL ? 0 : -1;
}

int tag_read(struct tracker_run *run)
{
    size_t i;

    for (i = 0; i < run->ntags; i++) {
        const char *cluster = run->tags[i] + PREFIX_LEN;
        const char *job, *nonce;

        if (!is_claim_tag(run->tags[i]))
            continue;
        job = strchr(cluster, '/');
        nonce = job != NULL ? strchr(job + 1, '/') : NULL;
        if (nonce == NULL || strchr(nonce + 1, '/') != NULL)
            continue; /* a person's own */
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
    size_t i;

    for (i = 0; tags != NULL && run != NULL && i < run->ntags; i++) {
        if (!is_claim_tag(run->tags[i]))
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
        return relay_fail(err, EX_SOFTWARE, "a claim's nonce is shorter than "
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
