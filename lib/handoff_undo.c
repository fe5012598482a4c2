/* Giving a run back: what is here. */
#include "handoff_undo.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "jsonfile.h"
#include "process.h"

enum { SCANCEL_MS = 60000, AGAIN_MS = 500, MAX_META = 16 << 20 };

/* Can what runs here be ended from here? */
int undo_check_owner(const struct undo *u, const struct owner *own,
                       struct relay_error *err)
{
    const struct run *run = u->h.run;
    struct job_facts facts;
    enum alive alive;
    char why[512], who[256];

    if (own->cluster[0] == '\0')
        return 0;
    owner_describe(own, who, sizeof(who));
    if (own->job_id[0] != '\0') {
        if (strcmp(own->cluster, run->cfg.cluster) != 0)
            return relay_fail(err, EX_NOPERM, "%s is %s's: call this there",
                              run->key, own->cluster);
        if (liveness_look(&u->here, own, NULL, &facts, err) != 0)
            return relay_fail_in(err, "nothing was changed; whether %s runs "
                                      "is not known", who);
        return 0;
    }
    alive = liveness_of(&u->here, own, NULL, &facts, why, sizeof(why));
    if (alive == ALIVE_DEAD)
        return 0;
    return relay_fail(err, alive == ALIVE_YES ? EX_NOPERM : EX_TEMPFAIL,
                      "%s is run outside Slurm, by %s (%.300s): end it first, "
                      "nothing was changed", run->key, who, why);
}

/* Who holds the lease here; owner.cluster is "" for nobody. Of one file
 * system's source it is not asked. */
int undo_holder(const struct undo *u, struct owner *own,
                       int64_t *gen, struct relay_error *err)
{
    struct lease lease;

    memset(own, 0, sizeof(*own));
    if (lease_read(u->h.run->relayfd, &lease, err) != 0)
        return -1;
    *gen = lease.gen;
    /* On one file system the source's own lease may be the last. */
    if (lease_held(&lease) &&
        !(u->h.journal.shared &&
          owner_same_job(&lease.owner, &u->h.journal.source_job)))
        *own = lease.owner;
    lease_free(&lease);
    return 0;
}

/* --- the job here -------------------------------------------------------- */

static void cancel(struct undo *u, const struct owner *own)
{
    static const char script[] = "scancel \"$1\" 2>&1\n";
    const char *args[] = {own->job_id, NULL};
    struct relay_error err = {0};
    struct peer_reply reply;

    if (peer_script(&u->here, script, args, SCANCEL_MS, &reply, &err) != 0) {
        run_log(u->h.run, "scancel %s: %s", own->job_id, err.text);
        return;
    }
    if (reply.exit_code != 0)
        run_log(u->h.run, "scancel %s: %s", own->job_id, reply.out);
    peer_reply_free(&reply);
}

static int fail_not_dead(const struct undo *u, const struct owner *own,
                         const char *why, struct relay_error *err)
{
    return relay_fail(err, EX_TEMPFAIL,
                      "job %s was cancelled but is not provably dead%s: "
                      "%.300s; %s is nobody's until it is; then: shandoff %s "
                      "--abort", own->job_id,
                      process_cancelled() != 0 ? " (ended by a signal)" : "",
                      why, u->h.run->key, u->h.run->key);
}

/* Cancels a job of this cluster and waits until it is dead. */
int undo_end_job(struct undo *u, const struct owner *own,
                   struct relay_error *err)
{
    int64_t until = clock_ms() + u->h.run->cfg.stop_timeout * 1000;
    struct job_facts facts;
    char state[2048], why[512];

    /* Nor is that number this cluster's job: on one file system the source may
     * have the run again. */
    if (own->job_id[0] == '\0' ||
        strcmp(own->cluster, u->h.run->cfg.cluster) != 0)
        return undo_check_owner(u, own, err);
    run_state_dir(u->h.run, state, sizeof(state));
    if (liveness_of(&u->here, own, NULL, &facts, why, sizeof(why)) ==
        ALIVE_DEAD)
        return 0;
    run_say(u->h.run, "cancelling job %s", own->job_id);
    cancel(u, own);
    while (liveness_of(&u->here, own, state, &facts, why, sizeof(why)) !=
           ALIVE_DEAD) {
        if (process_cancelled() != 0 || clock_ms() >= until)
            return fail_not_dead(u, own, why, err);
        clock_sleep_ms(AGAIN_MS);
    }
    run_say(u->h.run, "job %s is gone: %s", own->job_id, why);
    return 0;
}

/* From now on nobody runs here: the last one is dead. 1, 0 another came
 * first, -1. */
static int fence_here(struct undo *u, int64_t after, struct relay_error *err)
{
    struct json_object *extra = json_object_new_object();
    struct json_object *to = json_object_new_object();
    const struct journal *j = &u->h.journal;
    struct run *run = u->h.run;
    int won;

    json_add_str(to, "cluster", j->source);
    json_add_str(to, "root", j->source_root);
    json_add_str(to, "nonce", run->nonce);
    json_object_object_add(extra, "moved_to", to);
    json_object_object_add(extra, "fenced", owner_to_json(&u->target));
    json_add_str(extra, "why", "given back");
    if (!key_is_hash(run->key))
        json_add_str(extra, "key", run->key);
    won = lease_link(run->relayfd, after, "fence", j->term, &run->self, extra,
                     err);
    json_object_put(extra);
    return won;
}

static bool is_fenced_here(const struct undo *u)
{
    struct lease lease;
    bool is;

    if (lease_read(u->h.run->relayfd, &lease, NULL) != 0)
        return false;
    is = lease.kind == LEASE_FENCE &&
         strcmp(lease.moved_to, u->h.journal.source) == 0;
    lease_free(&lease);
    return is;
}

/* Ends whoever has the run here, and sees to it that nobody follows. */
int undo_close_here(struct undo *u, struct relay_error *err)
{
    struct owner holder;
    int64_t gen;
    int won = 0;
    int i;

    for (i = 0; i < UNDO_TRIES && won == 0 && !is_fenced_here(u); i++) {
        if (undo_holder(u, &holder, &gen, err) != 0 ||
            undo_end_job(u, &holder, err) != 0)
            return -1;
        won = fence_here(u, gen, err);
    }
    if (won < 0 || i == UNDO_TRIES)
        return won < 0 ? -1
                       : relay_fail(err, EX_TEMPFAIL, "%s: jobs keep taking "
                                    "the run here; try again",
                                    u->h.run->key);
    return 0;
}

/* --- copies -------------------------------------------------------------- */

static bool exists(const struct run *run, const char *name)
{
    return faccessat(run->relayfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What the attempt copied. Once it has published, the user's former state may
 * stand under those names. */
void undo_drop_copies(struct undo *u, const char *nonce)
{
    static const char *const kinds[] = {"staging", "final"};
    struct run *run = u->h.run;
    struct relay_error err = {0};
    char name[80];
    size_t i;

    snprintf(name, sizeof(name), "publish-%s.json", nonce);
    if (nonce[0] == '\0' || u->h.journal.shared || exists(run, name))
        return;
    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        snprintf(name, sizeof(name), "%s-%s", kinds[i], nonce);
        if (file_remove_tree(run->relayfd, name, &err) != 0)
            run_log(run, "%s", err.text);
    }
    snprintf(name, sizeof(name), "staging-%s.json", nonce);
    (void)unlinkat(run->relayfd, name, 0); /* it may not be there */
    if (source_drop_snapshot(&u->h.src, nonce, &err) != 0)
        run_log(run, "%s", err.text);
}

/* --- the state here ------------------------------------------------------ */

/* Was it published, or in the middle of that? Then the marker is there. */
static bool is_published(const struct undo *u)
{
    DIR *dir = file_list(u->h.run->relayfd);
    struct dirent *entry;
    struct json_object *doc;
    bool found = u->from == JOURNAL_PUBLISHED;

    while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, "publish-", 8) != 0)
            continue;
        doc = json_load(u->h.run->relayfd, entry->d_name, NULL);
        found = json_int(doc, "term", 0) == u->h.journal.term;
        json_object_put(doc);
    }
    if (dir != NULL)
        closedir(dir);
    return found;
}

/* As when a run is moved on: its state aside, a stub in its place. */
int undo_supersede_here(struct undo *u, struct relay_error *err)
{
    struct run *run = u->h.run;
    struct run_state_info info;
    struct source here = {.peer = &u->here, .meta = {.step = -1}};
    char back[KEY_MAX + 200], path[2048];
    bool there;

    if (!is_published(u))
        return 0;
    if (run_state_look(run, &info, err) != 0)
        return -1;
    there = info.kind == STATE_GOOD || info.kind == STATE_BROKEN;
    run_state_free(&info);
    snprintf(path, sizeof(path), "superseded-%lld",
             (long long)u->h.journal.term);
    if (!there && !exists(run, path))
        return 0;
    snprintf(here.root, sizeof(here.root), "%s", run->root);
    snprintf(here.hash, sizeof(here.hash), "%s", run->hash);
    snprintf(back, sizeof(back),
             "sbatch --resume-key=%s --handoff-from=%s JOBSCRIPT", run->key,
             u->h.journal.source);
    if (source_supersede(&here, u->h.journal.term, u->h.journal.source, back,
                         path, sizeof(path), err) != 0)
        return -1;
    run_say(run, "what was published here is kept in %s", path);
    return 0;
}

/* One file system: only run_dir was changed. */
int undo_restore_run_dir(struct undo *u, struct relay_error *err)
{
    int dirfd = file_open_dir(u->h.run->rootfd, u->h.run->hash, err);
    struct meta now, before;
    struct stat st;
    char *text = NULL, *quoted = NULL;
    size_t size, len;
    char *orig;
    int rc = 0;

    if (dirfd < 0)
        return -1;
    memset(&before, 0, sizeof(before));
    orig = file_read(dirfd, META_FILE ".orig", MAX_META, &size, NULL);
    rc = meta_read(dirfd, u->h.run->hash, &now, err);
    if (rc == 0 && orig != NULL &&
        meta_parse(orig, size, META_FILE ".orig", &before, err) == 0 &&
        before.run_dir != NULL && now.run_dir != NULL &&
        strcmp(before.run_dir, now.run_dir) != 0) {
        quoted = meta_quote(before.run_dir);
        text = quoted != NULL ? meta_splice(now.text, now.len, "run_dir",
                                            quoted, &len, err) : NULL;
        rc = text == NULL || fstatat(dirfd, META_FILE, &st, 0) != 0
                 ? -1 : file_write(dirfd, META_FILE, text, len,
                                   st.st_mode & 0777, err);
    }
    free(text);
    free(quoted);
    free(orig);
    meta_free(&now);
    meta_free(&before);
    close(dirfd);
    return rc;
}
