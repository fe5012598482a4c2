#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "jsonfile.h"
#include "remote_scripts.h"
#include "source_script.h"

enum { META_TRIES = 3 };

/* What a stub is made of. */
struct moved {
    int64_t term;
    const char *cluster; /* where it went */
    const char *back;    /* the command that brings it back */
    const char *path;    /* of the superseded directory */
};

/* One call of supersede.sh. 0 done; 1 when the meta there is another than of,
 * the one that the stub was made of: then it is *there (free it); -1. */
static int call(const struct source *src, int64_t term, const char *stub,
                const char *moved, const char *of, struct meta *there,
                struct relay_error *err)
{
    const char *parts[] = {remote_moved, remote_supersede, NULL};
    char text[24];
    const char *args[] = {src->root, src->hash, text, stub, moved, of, NULL};
    struct peer_reply reply;
    char state[16] = "";
    char why[512] = "";
    int rc = 0;

    snprintf(text, sizeof(text), "%" PRId64, term);
    if (source_script_patiently(src, parts, args, SCRIPT_MS, &reply, err) !=
        0)
        return -1;
    snprintf(why, sizeof(why), "there is no state of the run in %.400s",
             src->root);
    peer_value(&reply, "why", why, sizeof(why));
    peer_value(&reply, "state", state, sizeof(state));
    if (strcmp(state, "here") == 0)
        rc = source_take_meta(&reply, src->peer->name, there, err) == 0 ? 1
                                                                        : -1;
    else if (strcmp(state, "done") != 0)
        rc = relay_fail(err, EX_IOERR, "%s: %s", src->peer->name, why);
    peer_reply_free(&reply);
    return rc;
}

/* The meta with run_dir and moved_to of a stub; malloc'd. */
static char *stub_text(const struct meta *meta, const char *to_cluster,
                       int64_t term, struct relay_error *err)
{
    struct json_object *moved = json_object_new_object();
    char dir[128];
    char *quoted, *first, *both = NULL;
    size_t len;

    snprintf(dir, sizeof(dir), "/dev/null/moved-to-%.100s", to_cluster);
    json_add_str(moved, "cluster", to_cluster);
    json_add_int(moved, "term", term);
    json_add_int(moved, "time", clock_wall());
    quoted = meta_quote(dir);
    first = quoted != NULL ? meta_splice(meta->text, meta->len, "run_dir",
                                         quoted, &len, err)
                           : NULL;
    if (first != NULL)
        both = meta_splice(first, len, "moved_to",
                           json_object_to_json_string_ext(
                               moved, JSON_C_TO_STRING_SPACED),
                           &len, err);
    if (quoted == NULL)
        relay_fail(err, EX_OSERR, "out of memory");
    free(first);
    free(quoted);
    json_object_put(moved);
    return both;
}

static void moved_text(const char *to_cluster, int64_t term, const char *path,
                       const char *back, char *text, size_t size)
{
    char when[32];

    clock_iso(clock_wall(), when, sizeof(when));
    snprintf(text, size,
             "This run moved to the cluster %s at %s (term %" PRId64 ").\n"
             "Its state as it was here is kept in\n"
             "    %s\n"
             "The %s beside this file is a stub that no training can "
             "resume from.\n"
             "To get the run back here:\n"
             "    %s\n",
             to_cluster, when, term, path, META_FILE, back);
}

/* As call, with a stub that is made of meta. */
static int put_stub(const struct source *src, const struct moved *m,
                    const struct meta *meta, struct meta *there,
                    struct relay_error *err)
{
    char moved[4096];
    char *stub = stub_text(meta, m->cluster, m->term, err);
    int rc;

    if (stub == NULL)
        return -1;
    moved_text(m->cluster, m->term, m->path, m->back, moved, sizeof(moved));
    rc = call(src, m->term, stub, moved, meta->text, there, err);
    free(stub);
    return rc;
}

int source_supersede(const struct source *src, int64_t term,
                     const char *to_cluster, const char *back_command,
                     char *path, size_t path_size, struct relay_error *err)
{
    const struct moved m = {.term = term,
                            .cluster = to_cluster,
                            .back = back_command,
                            .path = path};
    struct meta last = {.step = -1};
    struct meta newer;
    int rc;
    int i;

    snprintf(path, path_size, "%s/.relay/%s/superseded-%" PRId64, src->root,
             src->hash, term);
    /* The stub is made of the last meta: mostly of the one that we know. */
    if (src->meta.text != NULL)
        rc = put_stub(src, &m, &src->meta, &last, err);
    else
        rc = call(src, term, "", "", "", &last, err);
    for (i = 0; rc == 1 && i < META_TRIES; i++) {
        rc = put_stub(src, &m, &last, &newer, err);
        meta_free(&last);
        if (rc == 1)
            last = newer;
    }
    meta_free(&last);
    if (rc == 1)
        rc = relay_fail(err, EX_TEMPFAIL, "%s: the meta keeps changing in %s",
                        src->peer->name, src->root);
    return rc;
}

int source_check_stub(const struct source *src, int64_t term, char *why,
                      size_t why_size, struct relay_error *err)
{
    const char *parts[] = {remote_moved, remote_stub, NULL};
    const char *args[] = {src->root, src->hash, NULL};
    struct peer_reply reply;
    struct meta meta = {.step = -1};
    char state[16] = "";
    char found[300] = "";
    int rc = 1;

    if (source_script(src, parts, args, SCRIPT_MS, &reply, err) != 0)
        return -1;
    peer_value(&reply, "state", state, sizeof(state));
    peer_value(&reply, "why", found, sizeof(found));
    why[0] = '\0';
    if (strcmp(state, "stub") != 0) {
        rc = 0;
        snprintf(why, why_size, "%s/%s on %s %s%s", src->root, src->hash,
                 src->peer->name,
                 strcmp(state, "none") == 0 ? "is not there any more"
                                            : "was written to: ", found);
    } else if (source_take_meta(&reply, src->peer->name, &meta, err) != 0) {
        rc = -1;
    } else if (meta.moved_term != term) {
        rc = 0;
        snprintf(why, why_size, "the stub on %s is of term %" PRId64
                 ", not %" PRId64, src->peer->name, meta.moved_term, term);
    }
    meta_free(&meta);
    peer_reply_free(&reply);
    return rc;
}
