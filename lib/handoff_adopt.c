/*
 * What earlier attempts left in .relay/<hash>: copies that go on being of
 * use, and a user's former state, which is kept.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "handoff.h"
#include "jsonfile.h"
#include "series.h"

#define OFFER ".offer"

/* A copy ahead, in another job's prolog, has no claim and lasts no longer. */
enum { PROLOG_SECONDS = 600 };

static bool exists(const struct handoff *h, const char *name)
{
    return faccessat(h->run->relayfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Did a run of that nonce ever hold the lease? We hold it now, so that it is
 * dead. */
static bool had_the_lease(const struct handoff *h, const char *nonce)
{
    struct series_record rec;
    bool found = false;
    int64_t gen;

    if (series_last(h->run->relayfd, "run", &rec, NULL) != 0)
        return false;
    for (gen = rec.gen; gen > 0 && !found; gen--) {
        series_free(&rec);
        if (series_read(h->run->relayfd, "run", gen, &rec, NULL) != 0)
            return false;
        found = strcmp(json_str(rec.body, "nonce", ""), nonce) == 0;
    }
    series_free(&rec);
    return found;
}

static void offer_name(const char *entry, char *name, size_t size)
{
    snprintf(name, size, "%s" OFFER, entry);
}

/* A copy that its writer has finished and offers to whoever takes it first:
 * the one whose unlink succeeds. */
static bool take_offer(const struct run *run, const char *entry)
{
    char name[300];

    offer_name(entry, name, sizeof(name));
    return unlinkat(run->relayfd, name, 0) == 0;
}

int handoff_offer_staging(struct handoff *h, struct relay_error *err)
{
    char entry[64], name[300];

    snprintf(entry, sizeof(entry), "staging-%s", h->run->nonce);
    offer_name(entry, name, sizeof(name));
    return file_write(h->run->relayfd, name, "", 0, 0600, err);
}

bool handoff_is_offered(const struct run *run, const char *nonce)
{
    char name[64];

    snprintf(name, sizeof(name), "staging-%.33s" OFFER, nonce);
    return faccessat(run->relayfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void handoff_drop_staging(const struct run *run, const char *nonce)
{
    struct relay_error err = {0};
    char name[64];

    snprintf(name, sizeof(name), "staging-%.33s.json", nonce);
    (void)unlinkat(run->relayfd, name, 0); /* it may not be there */
    snprintf(name, sizeof(name), "staging-%.33s", nonce);
    if (file_remove_tree(run->relayfd, name, &err) != 0)
        run_log(run, "%s", err.text);
}

bool handoff_withdraw_staging(const struct run *run, const char *nonce)
{
    char entry[64];

    snprintf(entry, sizeof(entry), "staging-%.33s", nonce);
    if (!take_offer(run, entry))
        return false;
    handoff_drop_staging(run, nonce);
    return true;
}

/* One writer each: a copy is taken over only from the dead. */
static bool writer_is_dead(const struct handoff *h, const char *entry,
                           const char *nonce)
{
    struct stat st;

    if (had_the_lease(h, nonce))
        return true;
    return fstatat(h->run->relayfd, entry, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           run_server_time(h->run) - st.st_mtime > PROLOG_SECONDS;
}

/* Is that copy the one which the run of nonce was about to publish, or had
 * published? Then the user's former state may stand under its name. */
static bool may_be_users(const struct handoff *h, const char *entry,
                         const char *nonce)
{
    struct json_object *doc;
    char name[300];
    bool same;

    snprintf(name, sizeof(name), "publish-%s.json", nonce);
    if (!exists(h, name))
        return false;
    doc = json_load(h->run->relayfd, name, NULL);
    same = strcmp(json_str(doc, "copy", entry), entry) == 0;
    json_object_put(doc);
    return same;
}

/* PREFIX-<nonce>, with a number behind it where that is taken. */
void handoff_kept_name(const struct handoff *h, const char *nonce, char *name,
                       size_t size)
{
    int i;

    snprintf(name, size, "kept-%.40s", nonce);
    for (i = 2; exists(h, name); i++)
        snprintf(name, size, "kept-%.40s-%d", nonce, i);
}

/* Of a writer that was killed: links on the source, which hold the room of a
 * whole checkpoint. Once the source is stopped nobody waits for that: it is
 * the last thing a handoff does. */
static void drop_its_snapshot(const struct handoff *h, const char *nonce)
{
    struct relay_error err = {0};

    if (h->src.peer != NULL && !h->src.shared &&
        !journal_in_flight(&h->journal) &&
        source_drop_snapshot(&h->src, nonce, &err) != 0)
        run_log(h->run, "%s", err.text);
}

static int adopt_one(struct handoff *h, const char *entry,
                     struct relay_error *err)
{
    const char *nonce = strchr(entry, '-') + 1;
    char json[300], to_json[300];
    char to[128];
    bool offered;

    if (may_be_users(h, entry, nonce)) {
        handoff_kept_name(h, nonce, to, sizeof(to));
        return file_rename(h->run->relayfd, entry, to, err);
    }
    if (strcmp(nonce, h->run->nonce) == 0)
        return 0;
    offered = take_offer(h->run, entry);
    if (!offered && !writer_is_dead(h, entry, nonce))
        return 0;
    if (!offered)
        drop_its_snapshot(h, nonce);
    snprintf(json, sizeof(json), "%s.json", entry);
    snprintf(to, sizeof(to), "%.*s%s", (int)(nonce - entry), entry,
             h->run->nonce);
    if (exists(h, to)) {
        (void)unlinkat(h->run->relayfd, json, 0); /* it may not be there */
        return file_remove_tree(h->run->relayfd, entry, err);
    }
    snprintf(to_json, sizeof(to_json), "%s.json", to);
    (void)renameat(h->run->relayfd, json, h->run->relayfd, to_json);
    return file_rename(h->run->relayfd, entry, to, err);
}

/* What the source's auto-sync brought is a staged copy of that time: what is
 * the same there still need not be copied. Links, for a push may be going on
 * that replaces names in the mirror. */
static int adopt_mirror(struct handoff *h, struct relay_error *err)
{
    char from[128], to[64], part[96];

    if (h->peer.cluster == NULL)
        return 0;
    snprintf(from, sizeof(from), "mirror/%s", h->peer.cluster->name);
    snprintf(to, sizeof(to), "staging-%s", h->run->nonce);
    if (exists(h, to) || !exists(h, from))
        return 0;
    if (file_clone_tree(h->run->relayfd, from, to, err) != 0)
        return -1;
    run_log(h->run, "beginning with what %s has synced", from + 7);
    snprintf(part, sizeof(part), "%s/.~tmp~", to); /* --delay-updates */
    return file_remove_tree(h->run->relayfd, part, err);
}

int handoff_adopt_staging(struct handoff *h, struct relay_error *err)
{
    DIR *dir = file_list(h->run->relayfd);
    struct dirent *entry;
    size_t len;
    int rc = 0;

    if (dir == NULL)
        return relay_fail_errno(err, EX_IOERR, "%s/.relay/%s", h->run->root,
                                h->run->hash);
    while (rc == 0 && (entry = readdir(dir)) != NULL) {
        len = strlen(entry->d_name);
        if (len < 6 || strcmp(entry->d_name + len - 5, ".json") == 0 ||
            strcmp(entry->d_name + len - 6, OFFER) == 0)
            continue;
        if (strncmp(entry->d_name, "staging-", 8) == 0 ||
            strncmp(entry->d_name, "final-", 6) == 0)
            rc = adopt_one(h, entry->d_name, err);
    }
    closedir(dir);
    return rc == 0 ? adopt_mirror(h, err) : -1;
}
