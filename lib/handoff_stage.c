/*
 * Handoff, second part: verified copies. staging-<nonce> is made while the
 * source trains; final-<nonce> is what it wrote since, and links to what
 * did not change.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "digest.h"
#include "file.h"
#include "handoff.h"
#include "jsonfile.h"
#include "process.h"
#include "ptcheck.h"
#include "transfer.h"

enum { SNAPSHOT_TRIES = 3, STALL_SECONDS = 60, SAY_EVERY_MS = 10000 };
enum { SHARED_TRIES = 5, SHARED_PAUSE_MS = 500 };

/* What is said of a copy while it goes on: a job's output is no terminal. */
struct progress {
    struct run *run;
    int64_t said; /* clock_ms */
};

static void relay_path(const struct handoff *h, const char *name, char *path,
                       size_t size)
{
    snprintf(path, size, "%s/.relay/%s/%s", h->run->root, h->run->hash, name);
}

static int make_dir(const struct handoff *h, const char *name,
                    struct relay_error *err)
{
    char path[2048];

    relay_path(h, name, path, sizeof(path));
    return file_make_dirs(path, 0700, err);
}

static void say_line(void *arg, const char *text)
{
    struct progress *p = arg;

    run_say(p->run, "%s", text);
}

static void say_progress(void *arg, int64_t done, int64_t total)
{
    struct progress *p = arg;

    if (total <= 0 || clock_ms() - p->said < SAY_EVERY_MS)
        return;
    p->said = clock_ms();
    run_say(p->run, "copied %.0f of %.0f MB (%lld %%)", (double)done / 1e6,
            (double)total / 1e6, (long long)(done * 100 / total));
}

static int pull(struct handoff *h, const char *from, const char *name,
                const struct manifest *files, struct relay_error *err)
{
    char to[2048];
    int64_t took = 0;
    struct progress progress = {.run = h->run, .said = clock_ms()};
    struct transfer t = {.peer = &h->peer,
                         .from = from,
                         .to = to,
                         .files = files,
                         .stall_s = STALL_SECONDS,
                         .wait_s = h->run->cfg.source_wait,
                         .say = say_line,
                         .progress = say_progress,
                         .arg = &progress};

    relay_path(h, name, to, sizeof(to));
    if (transfer_pull(&t, &took, err) != 0)
        return -1;
    run_log(h->run, "copied %.1f MB in %.1f s", (double)files->bytes / 1e6,
            (double)took / 1e3);
    return 0;
}

/* Removes copies of files that the checkpoint no longer has. */
static int prune(struct handoff *h, const char *name,
                 const struct manifest *have, struct relay_error *err)
{
    char path[2048];
    size_t i;

    for (i = 0; i < have->n; i++) {
        if (manifest_find(&h->want, have->files[i].path) != NULL)
            continue;
        snprintf(path, sizeof(path), "%s/%s", name, have->files[i].path);
        if (unlinkat(h->run->relayfd, path, 0) != 0)
            return relay_fail_errno(err, EX_IOERR, "%s", path);
    }
    return 0;
}

static int copy_manifest(const struct manifest *from, struct manifest *to,
                         struct relay_error *err)
{
    size_t i;

    manifest_free(to);
    for (i = 0; i < from->n; i++) {
        const struct manifest_file *f = &from->files[i];

        if (manifest_add(to, f->path, f->size, f->mtime_ns, f->sha256, err) !=
            0)
            return -1;
    }
    return 0;
}

/* Does m have a file of that name with those bytes? */
static bool has(const struct manifest *m, const struct manifest_file *file)
{
    const struct manifest_file *same = manifest_find(m, file->path);

    return same != NULL && strcmp(same->sha256, file->sha256) == 0;
}

/* Digests of the copies of the files in unsure; those of the others, which
 * were compared before, are known to be right. */
static int digest_unsure(struct handoff *h, const char *name,
                         const struct manifest *unsure, struct manifest *have,
                         struct relay_error *err)
{
    int dirfd = file_open_dir(h->run->relayfd, name, err);
    int rc = 0;
    size_t i;

    if (dirfd < 0)
        return -1;
    for (i = 0; i < have->n && rc == 0; i++) {
        struct manifest_file *f = &have->files[i];
        const struct manifest_file *want = manifest_find(&h->want, f->path);

        if (manifest_find(unsure, f->path) != NULL)
            rc = digest_file(dirfd, f->path, f->sha256, NULL, NULL, err);
        else if (want != NULL)
            memcpy(f->sha256, want->sha256, sizeof(f->sha256));
    }
    close(dirfd);
    return rc;
}

/* Is the copy, byte for byte, the checkpoint whose digests the source gave?
 * unsure: the files of it that have not been compared yet. 1 yes, 0 no (why
 * says which file), -1 error. */
static int same_bytes(struct handoff *h, const char *name,
                      const struct manifest *unsure, char *why, size_t size,
                      struct relay_error *err)
{
    struct manifest have = {0};
    int rc;

    if (manifest_of_dir(h->run->relayfd, name, 0, &have, err) != 0 ||
        prune(h, name, &have, err) != 0 ||
        digest_unsure(h, name, unsure, &have, err) != 0)
        rc = -1;
    else
        rc = manifest_diff(&h->want, &have, why, size) == 0;
    manifest_free(&have);
    return rc;
}

/* The checkpoint itself: of the step the meta says, and (state_too) whole. */
static int check_copy(struct handoff *h, const char *name, bool state_too,
                      struct relay_error *err)
{
    char path[128];
    char note[256] = "";
    struct meta meta;
    int dirfd;
    int rc;

    dirfd = file_open_dir(h->run->relayfd, name, err);
    if (dirfd < 0)
        return -1;
    rc = meta_read(dirfd, name, &meta, err);
    if (rc == 0 && meta.step != h->meta.step)
        rc = relay_fail(err, EX_DATAERR, "%s says step %lld, expected %lld",
                        META_FILE, (long long)meta.step,
                        (long long)h->meta.step);
    meta_free(&meta);
    snprintf(path, sizeof(path), "%s", STATE_FILE);
    if (rc == 0 && state_too && manifest_find(&h->want, path) != NULL)
        switch (ptcheck_file(dirfd, path, 0, note, sizeof(note), err)) {
        case PT_BAD:
            rc = relay_fail_in(err, "the checkpoint on %s is damaged",
                               h->peer.cluster->name);
            break;
        case PT_UNVERIFIABLE:
            run_say(h->run, "%s has no checksums of its own (%s); its digest "
                            "is the source's", path, note);
            break;
        case PT_GOOD:
            break;
        }
    close(dirfd);
    return rc;
}

int handoff_save_manifest(struct handoff *h, const char *name,
                          const char *copy, struct relay_error *err)
{
    struct json_object *doc = json_object_new_object();
    char file[128];
    int rc;

    snprintf(file, sizeof(file), "%s.json", name);
    json_add_int(doc, "format", 1);
    json_add_int(doc, "step", h->meta.step);
    json_add_int(doc, "term", h->term);
    json_add_str(doc, "source", h->peer.cluster->name);
    if (copy != NULL)
        json_add_str(doc, "copy", copy);
    json_object_object_add(doc, "files", manifest_to_json(&h->want));
    rc = json_save(h->run->relayfd, file, doc, err);
    json_object_put(doc);
    return rc;
}

static int check_room(struct handoff *h, int64_t bytes, size_t files,
                      struct relay_error *err)
{
    char dir[1100];

    snprintf(dir, sizeof(dir), "%s/.relay/%s", h->run->root, h->run->hash);
    return transfer_room(h->run->relayfd, dir, bytes, (int64_t)files + 16,
                         err);
}

/* The bytes of h->want that the copy does not have yet. */
static int64_t missing_bytes(const struct handoff *h, const char *name)
{
    int64_t bytes = h->want.bytes;
    char path[2048];
    struct stat st;
    size_t i;

    for (i = 0; i < h->want.n; i++) {
        snprintf(path, sizeof(path), "%s/%s", name, h->want.files[i].path);
        if (fstatat(h->run->relayfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_size <= h->want.files[i].size)
            bytes -= st.st_size;
    }
    return bytes;
}

/* The source stands still: rather than that there is no room, the copy that
 * was staged before goes, of which only changed files are left. */
static int make_room(struct handoff *h, const char *name,
                     struct relay_error *err)
{
    int64_t bytes = missing_bytes(h, name);
    char staging[64];

    snprintf(staging, sizeof(staging), "staging-%s", h->run->nonce);
    if (check_room(h, bytes, h->want.n, err) == 0)
        return 0;
    if (err->code != EX_CANTCREAT ||
        faccessat(h->run->relayfd, staging, F_OK, AT_SYMLINK_NOFOLLOW) != 0 ||
        file_remove_tree(h->run->relayfd, staging, err) != 0)
        return -1;
    return check_room(h, bytes, h->want.n, err);
}

static int take_snapshot(struct handoff *h, struct relay_error *err)
{
    manifest_free(&h->want);
    meta_free(&h->meta);
    return source_snapshot(&h->src, h->run->nonce, &h->want, &h->meta, err);
}

static int journal_staged(struct handoff *h, struct relay_error *err)
{
    struct json_object *extra;
    int rc;

    if (h->journal.state != JOURNAL_OPEN || h->from_login)
        return 0; /* copying ahead in the prolog: no journal yet */
    extra = json_object_new_object();
    json_add_str(extra, "staging", h->run->nonce);
    json_add_int(extra, "step", h->meta.step);
    json_add_int(extra, "bytes", h->want.bytes);
    rc = journal_next(h->run, &h->journal, JOURNAL_STAGED, extra, err);
    json_object_put(extra);
    return rc;
}

enum copied { COPY_ERROR = -1, COPY_DIFFERS, COPY_SAME, COPY_BROKE };

/* COPY_BROKE: files could not be read to their end, which is what a writer
 * looks like that shortens them, and a bad disk. */
static enum copied copy_once(struct handoff *h, const char *from,
                             const char *name, char *why, size_t size,
                             struct relay_error *err)
{
    int rc;

    if (pull(h, from, name, &h->want, err) != 0) {
        snprintf(why, size, "%.250s", err->text);
        return err->code == EX_IOERR ? COPY_BROKE : COPY_ERROR;
    }
    rc = same_bytes(h, name, &h->want, why, size, err);
    return rc < 0 ? COPY_ERROR : rc == 0 ? COPY_DIFFERS : COPY_SAME;
}

static bool same_files(const struct manifest *a, const struct manifest *b)
{
    char text[64];

    return manifest_diff(a, b, text, sizeof(text)) == 0;
}

/* 0; 1 when the checkpoint changed during each try; -1. */
static int copy_tries(struct handoff *h, const char *from, const char *name,
                      struct manifest *broke, struct relay_error *err)
{
    char why[300] = "";
    enum copied copied;
    int rc;
    int i;

    for (i = 0; i < SNAPSHOT_TRIES; i++) {
        rc = take_snapshot(h, err);
        if (rc != 0)
            return rc;
        /* Nothing changed: trying again would change nothing. */
        if (broke->n > 0 && same_files(broke, &h->want))
            return relay_fail(err, EX_IOERR, "%s", why);
        manifest_free(broke);
        copied = copy_once(h, from, name, why, sizeof(why), err);
        if (copied == COPY_ERROR)
            return -1;
        if (copied == COPY_SAME)
            return 0;
        if (copied == COPY_BROKE) {
            *broke = h->want;
            memset(&h->want, 0, sizeof(h->want));
        }
        run_say(h->run, "the copy differs from the source (%s): again", why);
    }
    relay_fail(err, EX_TEMPFAIL,
               "the checkpoint changed during each of %d copies (%s)",
               SNAPSHOT_TRIES, why);
    return 1;
}

static int copy_snapshot(struct handoff *h, const char *name,
                         struct relay_error *err)
{
    struct manifest broke = {0};
    int64_t began = clock_ms();
    char from[2048];
    int rc;

    snprintf(from, sizeof(from), "%s/.relay/%s/snap-%s", h->src.root,
             h->src.hash, h->run->nonce);
    rc = copy_tries(h, from, name, &broke, err);
    manifest_free(&broke);
    if (rc != 0)
        return rc;
    (h->from_login ? run_log : run_say)(
        h->run, "step %lld staged and verified while %s trains: %.1f MB "
                "in %.1f s", (long long)h->meta.step, h->peer.cluster->name,
        (double)h->want.bytes / 1e6, (double)(clock_ms() - began) / 1e3);
    if (check_copy(h, name, true, err) != 0 ||
        copy_manifest(&h->want, &h->staged, err) != 0)
        return -1;
    h->checked = true;
    return 0;
}

static int look_at_shared(struct handoff *h, struct relay_error *err)
{
    int dirfd = file_open_dir(h->run->rootfd, h->src.hash, err);
    int rc = 0;

    if (dirfd < 0)
        return -1;
    meta_free(&h->meta);
    rc = meta_read(dirfd, h->src.hash, &h->meta, err);
    if (rc == 0 && faccessat(dirfd, STATE_FILE, F_OK, 0) == 0 &&
        ptcheck_file(dirfd, STATE_FILE, 0, NULL, 0, err) == PT_BAD)
        rc = relay_fail_in(err, "the checkpoint is damaged");
    close(dirfd);
    return rc;
}

/* A training that writes in place is in the middle of it now and then. */
static int stage_shared(struct handoff *h, struct relay_error *err)
{
    int rc = look_at_shared(h, err);
    int i;

    for (i = 1; rc != 0 && err->code == EX_DATAERR && i < SHARED_TRIES &&
                process_cancelled() == 0; i++) {
        clock_sleep_ms(SHARED_PAUSE_MS);
        rc = look_at_shared(h, err);
    }
    return rc;
}

int handoff_stage(struct handoff *h, struct relay_error *err)
{
    char name[64];
    int rc;

    if (h->src.shared)
        return stage_shared(h, err);
    /* In the prolog there is no claim: others' copies are theirs. */
    if (check_room(h, h->src.files.bytes, h->src.files.n, err) != 0 ||
        (h->journal.state == JOURNAL_OPEN && !h->from_login &&
         handoff_adopt_staging(h, err) != 0))
        return -1;
    snprintf(name, sizeof(name), "staging-%s", h->run->nonce);
    if (make_dir(h, name, err) != 0)
        return -1;
    rc = copy_snapshot(h, name, err);
    if (rc < 0)
        return -1;
    if (rc == 0)
        return handoff_save_manifest(h, name, NULL, err) != 0
                   ? -1 : journal_staged(h, err);
    run_say(h->run, "%s; it is copied when the source has stopped",
            err->text);
    meta_free(&h->meta);
    return meta_parse(h->src.meta.text, h->src.meta.len, META_FILE, &h->meta,
                      err);
}

int handoff_sync_staged(struct handoff *h, struct relay_error *err)
{
    char name[64];

    snprintf(name, sizeof(name), "staging-%s", h->run->nonce);
    return h->checked ? file_sync_tree(h->run->relayfd, name, err) : 0;
}

/* Links file from staging when the bytes there are the right ones. What
 * cannot be linked (into a subdirectory that is not there yet) is copied. */
static bool link_staged(const struct handoff *h, const char *staging,
                        const char *name, const struct manifest_file *file)
{
    char from[2048];
    char to[2048];
    struct stat st;

    snprintf(from, sizeof(from), "%s/%s", staging, file->path);
    snprintf(to, sizeof(to), "%s/%s", name, file->path);
    /* Bytes may be appended to what is there, which must be no link. */
    if (fstatat(h->run->relayfd, to, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        st.st_nlink > 1)
        (void)unlinkat(h->run->relayfd, to, 0); /* else rsync replaces it */
    return has(&h->staged, file) &&
           linkat(h->run->relayfd, from, h->run->relayfd, to, 0) == 0;
}

/* What has to be copied: neither taken before nor, with the right bytes,
 * staged. */
static int find_rest(struct handoff *h, const char *name,
                     struct manifest *rest, struct relay_error *err)
{
    char staging[64];
    size_t i;

    snprintf(staging, sizeof(staging), "staging-%s", h->run->nonce);
    /* Another process staged it: only the bytes tell what it is. */
    if (h->staged.n == 0 &&
        faccessat(h->run->relayfd, staging, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
        manifest_of_dir(h->run->relayfd, staging, 1, &h->staged, err) != 0)
        return -1;
    for (i = 0; i < h->want.n; i++) {
        const struct manifest_file *f = &h->want.files[i];

        if (!has(&h->taken, f) && !link_staged(h, staging, name, f) &&
            manifest_add(rest, f->path, f->size, f->mtime_ns, f->sha256,
                         err) != 0)
            return -1;
    }
    return 0;
}

/* What an attempt staged and verified while the source trained: h->want and
 * h->meta become it. */
static int load_staged(struct handoff *h, const char *staging,
                       struct relay_error *err)
{
    struct json_object *doc;
    char file[128];
    char why[300];
    int dirfd;
    int rc;

    manifest_free(&h->want);
    meta_free(&h->meta);
    snprintf(file, sizeof(file), "%s.json", staging);
    doc = json_load(h->run->relayfd, file, err);
    if (doc == NULL)
        return -1;
    rc = manifest_from_json(json_get(doc, "files"), &h->want, err);
    json_object_put(doc);
    if (rc != 0 ||
        same_bytes(h, staging, &h->want, why, sizeof(why), err) != 1)
        return -1;
    dirfd = file_open_dir(h->run->relayfd, staging, err);
    if (dirfd < 0)
        return -1;
    rc = meta_read(dirfd, staging, &h->meta, err);
    close(dirfd);
    return rc == 0 ? check_copy(h, staging, true, err) : -1;
}

/* A training that saves in place and is killed meanwhile leaves a torn state;
 * what was staged before is the last good one. */
static int fall_back(struct handoff *h, const char *from, char *name,
                     size_t size, struct relay_error *err)
{
    struct relay_error minor = {0};
    char staging[64];

    relay_fail_in(err, "what the source left in %s", from);
    snprintf(staging, sizeof(staging), "staging-%s", h->run->nonce);
    if (err->code != EX_DATAERR || load_staged(h, staging, &minor) != 0)
        return -1;
    run_say(h->run, "%s; step %lld, which was staged before, is taken "
                    "instead", err->text, (long long)h->meta.step);
    snprintf(name, size, "%s", staging);
    return 0;
}

static int copy_rest(struct handoff *h, const char *from, const char *name,
                     const struct manifest *rest, struct relay_error *err)
{
    char why[300];
    int rc;
    int i;

    for (i = 0; i < SNAPSHOT_TRIES; i++) {
        if (rest->n > 0 && pull(h, from, name, rest, err) != 0)
            return -1;
        rc = same_bytes(h, name, rest, why, sizeof(why), err);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
        run_say(h->run, "the copy differs from the source (%s): again", why);
    }
    return relay_fail(err, EX_IOERR,
                      "the copy of %s keeps differing from the source (%s): "
                      "the source has the only good copy, in %s",
                      h->run->key, why, from);
}

/* Brings final-<nonce> up to what is in the directory from; ahead: of the
 * stop's proof. 1 when it is no checkpoint. */
static int take(struct handoff *h, const char *from, const char *name,
                bool ahead, struct relay_error *err)
{
    struct manifest rest = {0};
    bool state_too;
    int rc = -1;

    manifest_free(&h->want);
    meta_free(&h->meta);
    if (source_digest(&h->src, from, &h->want, &h->meta, err) == 0 &&
        make_dir(h, name, err) == 0 && find_rest(h, name, &rest, err) == 0 &&
        (ahead ? check_room(h, missing_bytes(h, name), h->want.n, err)
               : make_room(h, name, err)) == 0)
        rc = copy_rest(h, from, name, &rest, err);
    state_too = !h->checked || manifest_find(&rest, STATE_FILE) != NULL;
    manifest_free(&rest);
    if (rc != 0)
        return -1;
    if (check_copy(h, name, state_too, err) != 0)
        return 1;
    return copy_manifest(&h->want, &h->taken, err);
}

int handoff_stage_final(struct handoff *h, const char *from, char *name,
                        size_t size, struct relay_error *err)
{
    int rc;

    snprintf(name, size, "final-%s", h->run->nonce);
    rc = take(h, from, name, false, err);
    if (rc != 0)
        return rc < 0 ? -1 : fall_back(h, from, name, size, err);
    run_say(h->run, "last checkpoint of %s, step %lld, is here and verified",
            h->peer.cluster->name, (long long)h->meta.step);
    return 0;
}

void handoff_stage_ahead(struct handoff *h)
{
    struct relay_error err = {0};
    char name[64];
    char from[2048];

    if (!h->checked)
        return; /* nothing is staged: the last checkpoint is not half here */
    snprintf(name, sizeof(name), "final-%s", h->run->nonce);
    snprintf(from, sizeof(from), "%s/%s", h->src.root, h->src.hash);
    if (take(h, from, name, true, &err) != 0 ||
        file_sync_tree(h->run->relayfd, name, &err) != 0) {
        manifest_free(&h->taken);
        run_log(h->run, "not copied ahead: %s", err.text);
        return;
    }
    publish_warn_of_paths(h, name);
    /* What the stub will be made of. */
    meta_free(&h->src.meta);
    if (meta_parse(h->meta.text, h->meta.len, META_FILE, &h->src.meta, &err) !=
        0)
        run_log(h->run, "%s", err.text);
}
