#include "twins.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "digest.h"
#include "file.h"
#include "peer.h"
#include "remote_scripts.h"
#include "roster_kind.h"
#include "text.h"

enum { LOOK_MS = 10 * 1000 };

int twins_id(const struct sweep *sweep, char id[17], struct relay_error *err)
{
    enum roster_kind kind = roster_info(sweep->roster)->kind;
    struct text what = {0};
    char hex[DIGEST_HEX];
    int rc;

    text_printf(&what, "%d\n%s\n%s\n", (int)kind, sweep->name,
                sweep->project);
    if (kind == ROSTER_WANDB)
        text_add_len(&what, sweep->roster->text, sweep->roster->len);
    rc = what.failed ? relay_fail(err, EX_OSERR, "out of memory")
                     : digest_text(what.s, what.len, hex, err);
    if (rc == 0)
        snprintf(id, 17, "%.16s", hex);
    text_free(&what);
    return rc;
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

bool twins_overlap(uint64_t index, uint64_t count, uint64_t other_index,
                   uint64_t other_count)
{
    uint64_t common = gcd(count > 0 ? count : 1,
                          other_count > 0 ? other_count : 1);

    return index % common == other_index % common;
}

/* --- noting --------------------------------------------------------------- */

/* The note of our shard. */
struct note {
    char dir[PATH_MAX];
    char file[PATH_MAX + 64];
    bool made; /* it is new */
};

static int make_note(const struct twins *t, const char *id, struct note *note,
                     struct relay_error *err)
{
    struct text line = {0};
    int rc;

    if ((size_t)snprintf(note->dir, sizeof(note->dir), "%s/.relay/sweeps/%s",
                         t->resume_root, id) >= sizeof(note->dir))
        return relay_fail(err, EX_CANTCREAT, "%s: the path is too long",
                          t->resume_root);
    snprintf(note->file, sizeof(note->file), "%s/%" PRIu64 "-%" PRIu64,
             note->dir, t->shard_index,
             t->shard_count > 0 ? t->shard_count : 1);
    if (file_make_dirs(note->dir, 0777, err) != 0)
        return -1;
    note->made = access(note->file, F_OK) != 0;
    text_printf(&line, "%s\n", t->sweep->path);
    rc = line.failed ? relay_fail(err, EX_OSERR, "out of memory")
                     : file_write(AT_FDCWD, note->file, line.s, line.len,
                                  0666, err);
    text_free(&line);
    return rc;
}

/* --- looking -------------------------------------------------------------- */

struct look {
    const struct twins *t;
    const char *cluster;
    char found[PATH_MAX]; /* "": nothing */
    uint64_t index;
    uint64_t count;
};

static void take_twin(void *arg, const char *value, size_t len)
{
    struct look *l = arg;
    char line[PATH_MAX + 64];
    uint64_t index, count;
    char *end;

    if (l->found[0] != '\0' || len >= sizeof(line))
        return;
    snprintf(line, sizeof(line), "%.*s", (int)len, value);
    index = strtoull(line, &end, 10);
    count = strtoull(end, &end, 10);
    if (count == 0 || *end != ' ' ||
        !twins_overlap(l->t->shard_index, l->t->shard_count, index, count))
        return;
    snprintf(l->found, sizeof(l->found), "%.*s", PATH_MAX - 1, end + 1);
    l->index = index;
    l->count = count;
}

static int refuse(const struct look *l, struct relay_error *err)
{
    char shard[80] = "all of it";

    if (l->count > 1)
        snprintf(shard, sizeof(shard), "shard %" PRIu64 " of %" PRIu64,
                 l->index, l->count);
    return relay_fail(
        err, EX_NOPERM,
        "%s has a copy of this sweep, %.300s, and works on %s: cells would be "
        "run twice. Let the tracker decide (--tracker-claim on both); or let "
        "one queue decide (ssweep run ssh://%s%.300s); or give each cluster "
        "cells of its own (--shard-index, --shard-count). --no-peers runs "
        "them all the same",
        l->cluster, l->found, shard, l->cluster, l->found);
}

static int ask(struct look *l, const struct config_cluster *cluster,
               const char *id, struct relay_error *err)
{
    const struct config_names names = {.entity = l->t->sweep->entity,
                                       .project = l->t->sweep->project};
    char problem[300];
    struct peer_reply reply;
    struct peer peer;
    char *root = config_path_for_peer(cluster->resume_root, &names, err);
    const char *args[] = {root, id, NULL};
    int rc = root != NULL ? peer_open(l->t->cfg, cluster->name, &peer, err)
                          : -1;

    if (rc == 0)
        rc = peer_script(&peer, remote_twins, args, LOOK_MS, &reply, err);
    free(root);
    if (rc != 0)
        return -1;
    if (peer_value(&reply, "problem", problem, sizeof(problem)))
        rc = relay_fail(err, EX_CONFIG, "%s: %s", cluster->name, problem);
    peer_each(&reply, "twin", take_twin, l);
    peer_reply_free(&reply);
    return rc;
}

static void warn(const struct twins *t, const char *what,
                 const struct relay_error *why)
{
    struct relay_error text = *why;

    relay_fail_in(&text, "warning: %s", what);
    if (t->say != NULL)
        t->say(t->arg, text.text);
}

/* What cannot be asked is a warning, unless the user wants it otherwise. */
static int unknown(const struct twins *t, const char *cluster,
                   const struct relay_error *why, struct relay_error *err)
{
    char what[200];

    snprintf(what, sizeof(what), "whether %s works on a copy of this sweep "
                                 "is not known", cluster);
    if (t->cfg->peers == PEERS_REQUIRE)
        return relay_fail(err, EX_TEMPFAIL, "%s: %s", what, why->text);
    warn(t, what, why);
    return 0;
}

static bool is_other(const struct config *cfg, const struct config_cluster *c)
{
    return c->ssh != NULL && c->reach != REACH_NONE &&
           c->resume_root != NULL &&
           (cfg->cluster == NULL || strcmp(c->name, cfg->cluster) != 0);
}

bool twins_possible(const struct config *cfg)
{
    size_t i;

    for (i = 0; i < cfg->nclusters; i++)
        if (is_other(cfg, &cfg->clusters[i]))
            return true;
    return false;
}

static int ask_all(const struct twins *t, const char *id,
                   struct relay_error *err)
{
    size_t i;

    for (i = 0; i < t->cfg->nclusters; i++) {
        const struct config_cluster *cluster = &t->cfg->clusters[i];
        struct look look = {.t = t, .cluster = cluster->name};
        struct relay_error why = {0};

        if (!is_other(t->cfg, cluster))
            continue;
        if (ask(&look, cluster, id, &why) != 0 &&
            unknown(t, cluster->name, &why, err) != 0)
            return -1;
        if (look.found[0] != '\0')
            return refuse(&look, err);
    }
    return 0;
}

/* Noted first, so that of two that begin at once one sees the other. */
int twins_check(const struct twins *t, struct relay_error *err)
{
    struct relay_error why = {0};
    struct note note = {.made = false};
    char id[17];
    int rc;

    /* Is there nobody who could look here, and to be looked at? */
    if (t->resume_root == NULL || !twins_possible(t->cfg))
        return 0;
    if (twins_id(t->sweep, id, err) != 0)
        return -1;
    if (make_note(t, id, &note, &why) != 0)
        warn(t, "others cannot be told that this sweep is worked on here",
             &why);
    rc = t->tracked ? 0 : ask_all(t, id, err);
    if (rc != 0 && note.made)
        (void)unlink(note.file); /* it is not, then */
    return rc;
}
