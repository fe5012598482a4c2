#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "remote_scripts.h"
#include "source_script.h"

const char *source_copy_with(const struct source *src)
{
    const struct config_cluster *cluster = src->peer->cluster;

    return cluster != NULL && cluster->copy_with != NULL ? cluster->copy_with
                                                         : "";
}

static int64_t hash_ms(const struct source *src)
{
    return SCRIPT_MS + src->files.bytes / HASH_BYTES_PER_S * 1000;
}

/* state, why and, when all is well, the files with digests and the meta. As
 * source_snapshot returns. */
static int take_answer(const struct source *src,
                       const struct peer_reply *reply, struct manifest *files,
                       struct meta *meta, struct relay_error *err)
{
    char state[32] = "";
    char why[512] = "";

    peer_value(reply, "state", state, sizeof(state));
    peer_value(reply, "why", why, sizeof(why));
    if (strcmp(state, "changing") == 0) {
        relay_fail(err, EX_TEMPFAIL, "%s: the state of the run changed each "
                                     "time it was read", src->peer->name);
        return 1;
    }
    if (strcmp(state, "gone") == 0)
        return relay_fail(err, EX_NOINPUT, "%s: %s", src->peer->name, why);
    if (strcmp(state, "ok") != 0)
        return relay_fail(err, EX_UNAVAILABLE, "%s: %s", src->peer->name,
                          why[0] != '\0' ? why : "no answer to be understood");
    if (source_take_files(reply, true, files, err) != 0)
        return relay_fail_in(err, "%s", src->peer->name);
    if (source_take_meta(reply, src->peer->name, meta, err) != 0) {
        manifest_free(files);
        return -1;
    }
    return 0;
}

int source_snapshot(const struct source *src, const char *nonce,
                    struct manifest *files, struct meta *meta,
                    struct relay_error *err)
{
    const char *parts[] = {remote_tree, remote_snapshot, NULL};
    const char *args[] = {src->root, src->hash, nonce, source_copy_with(src),
                          NULL};
    struct peer_reply reply;
    int rc;

    memset(files, 0, sizeof(*files));
    /* Up to five tries, each of which may read all. */
    if (source_script_patiently(src, parts, args, 5 * hash_ms(src), &reply,
                                err) != 0)
        return -1;
    rc = take_answer(src, &reply, files, meta, err);
    peer_reply_free(&reply);
    return rc;
}

int source_drop_snapshot(const struct source *src, const char *nonce,
                         struct relay_error *err)
{
    const char *parts[] = {remote_drop, NULL};
    const char *args[] = {src->root, src->hash, nonce, NULL};
    struct peer_reply reply;

    if (source_script(src, parts, args, SCRIPT_MS, &reply, err) != 0)
        return -1;
    peer_reply_free(&reply);
    return 0;
}

int source_digest(const struct source *src, const char *path,
                  struct manifest *files, struct meta *meta,
                  struct relay_error *err)
{
    const char *parts[] = {remote_tree, remote_digest, NULL};
    char memory[1200];
    const char *args[] = {path, source_copy_with(src), memory, NULL};
    struct peer_reply reply;
    int rc;

    snprintf(memory, sizeof(memory), "%s/.relay/%s/digested", src->root,
             src->hash);
    memset(files, 0, sizeof(*files));
    if (source_script_patiently(src, parts, args, 2 * hash_ms(src), &reply,
                                err) != 0)
        return -1;
    rc = take_answer(src, &reply, files, meta, err);
    peer_reply_free(&reply);
    return rc == 0 ? 0 : -1; /* nobody writes there any more, or should */
}
