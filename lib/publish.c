/* Handoff, last part: the verified copy becomes the state. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "handoff.h"
#include "jsonfile.h"

static char *localise(struct handoff *h, char **run_dir, size_t *len,
                      struct relay_error *err)
{
    char *text = meta_localise(&h->meta, h->run->run_root,
                               h->run->cfg.path_map, h->run->cfg.npath_map,
                               run_dir, len, err);

    if (text == NULL && err->code == EX_CONFIG)
        relay_fail_in(err, "clusters.%s.run_root is not configured",
                      h->run->cfg.cluster);
    return text;
}

int publish_run_dir(struct handoff *h, struct relay_error *err)
{
    size_t len;
    char *text;

    if (h->meta.text == NULL)
        return 0; /* the checkpoint itself comes when the source stopped */
    free(h->run_dir);
    h->run_dir = NULL;
    text = localise(h, &h->run_dir, &len, err);
    if (text == NULL)
        return -1;
    free(text);
    if (h->run_dir == NULL)
        return 0;
    if (file_make_dirs(h->run_dir, 0777, err) != 0 ||
        access(h->run_dir, W_OK | X_OK) != 0)
        return relay_fail(err, EX_CANTCREAT,
                          "run_dir %s cannot be made here (run_root of %s)",
                          h->run_dir, h->run->cfg.cluster);
    return 0;
}

/* Rewrites the meta in dir, keeping the old one beside it. */
static int rewrite_meta(struct handoff *h, int dirfd, struct relay_error *err)
{
    char *run_dir = NULL;
    struct stat st;
    mode_t mode;
    size_t len;
    char *text;
    int rc;

    if (fstatat(dirfd, META_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return relay_fail_errno(err, EX_IOERR, "%s", META_FILE);
    mode = st.st_mode & 0777;
    text = localise(h, &run_dir, &len, err);
    if (text == NULL)
        return -1;
    rc = file_write(dirfd, META_FILE ".orig", h->meta.text, h->meta.len, mode,
                    err);
    if (rc == 0)
        rc = file_write(dirfd, META_FILE, text, len, mode, err);
    if (rc == 0 && run_dir != NULL && h->meta.run_dir != NULL &&
        strcmp(run_dir, h->meta.run_dir) != 0)
        run_say(h->run, "run_dir %s -> %s", h->meta.run_dir, run_dir);
    free(run_dir);
    free(text);
    return rc;
}

/* Absolute paths inside a checkpoint cannot be rewritten. */
static void warn_of_paths(struct handoff *h, int dirfd)
{
    const struct manifest_file *state = manifest_find(&h->want, STATE_FILE);
    char *slash;
    char *root;

    if (h->meta.run_dir == NULL || h->run_dir == NULL || state == NULL ||
        strcmp(h->meta.run_dir, h->run_dir) == 0 ||
        strcmp(state->sha256, h->searched) == 0)
        return;
    memcpy(h->searched, state->sha256, sizeof(h->searched));
    root = strdup(h->meta.run_dir);
    slash = root != NULL ? strrchr(root, '/') : NULL;
    if (slash != NULL && slash != root) {
        *slash = '\0';
        if (meta_path_in_file(dirfd, STATE_FILE, root))
            run_say(h->run, "warning: %s holds the path %s of %s as text; "
                            "what reads it there must cope", STATE_FILE, root,
                    h->peer.cluster->name);
    }
    free(root);
}

void publish_warn_of_paths(struct handoff *h, const char *name)
{
    int dirfd = file_open_dir(h->run->relayfd, name, NULL);

    if (dirfd < 0)
        return; /* a later step says so */
    warn_of_paths(h, dirfd);
    close(dirfd);
}

/* Purge policies go by age: the files arrived today. */
static int touch_all(struct handoff *h, int dirfd, struct relay_error *err)
{
    size_t i;

    for (i = 0; i < h->want.n; i++)
        if (utimensat(dirfd, h->want.files[i].path, NULL,
                      AT_SYMLINK_NOFOLLOW) != 0)
            return relay_fail_errno(err, EX_IOERR, "%s",
                                    h->want.files[i].path);
    return 0;
}

/* The swap. From the moment publish-<nonce>.json is there, what stands under
 * the copy's name may be the user's former state and is kept. */
static int swap(struct handoff *h, const char *name, struct relay_error *err)
{
    struct run *run = h->run;
    char marker[64];
    char free_name[64];
    char copy[128];
    char kept[128];
    bool exchanged = false;

    snprintf(marker, sizeof(marker), "publish-%s", run->nonce);
    snprintf(copy, sizeof(copy), ".relay/%s/%s", run->hash, name);
    handoff_kept_name(h, run->nonce, free_name, sizeof(free_name));
    snprintf(kept, sizeof(kept), ".relay/%s/%s", run->hash, free_name);
    if (handoff_save_manifest(h, marker, name, err) != 0)
        return -1;
    if (faccessat(run->rootfd, run->hash, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return file_rename(run->rootfd, copy, run->hash, err);
    if (file_exchange(run->rootfd, copy, run->hash, &exchanged, err) != 0)
        return -1;
    if (exchanged)
        return file_rename(run->rootfd, copy, kept, err);
    if (file_rename(run->rootfd, run->hash, kept, err) != 0)
        return -1;
    return file_rename(run->rootfd, copy, run->hash, err);
}

/* The copies were made where nobody else may look: the state gets the mode of
 * the one it replaces, else what any new directory would have. */
static int open_up(const struct run *run, int dirfd, struct relay_error *err)
{
    struct stat st;
    mode_t mask;
    mode_t mode;

    if (fstatat(run->rootfd, run->hash, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISDIR(st.st_mode)) {
        mode = st.st_mode & 07777;
    } else {
        mask = umask(0);
        (void)umask(mask);
        mode = 0777 & ~mask;
    }
    if (fchmod(dirfd, mode | 0700) != 0)
        return relay_fail_errno(err, EX_IOERR, "the mode of the new state");
    return 0;
}

static int prepare_copy(struct handoff *h, const char *name,
                        struct relay_error *err)
{
    int dirfd = file_open_dir(h->run->relayfd, name, err);
    int rc;

    if (dirfd < 0)
        return -1;
    rc = touch_all(h, dirfd, err);
    if (rc == 0)
        rc = rewrite_meta(h, dirfd, err);
    if (rc == 0)
        rc = open_up(h->run, dirfd, err);
    if (rc == 0)
        warn_of_paths(h, dirfd);
    close(dirfd);
    return rc == 0 ? file_sync_tree(h->run->relayfd, name, err) : -1;
}

static int rewrite_in_place(struct handoff *h, struct relay_error *err)
{
    int dirfd = file_open_dir(h->run->rootfd, h->run->hash, err);
    int rc;

    if (dirfd < 0)
        return -1;
    meta_free(&h->meta);
    rc = meta_read(dirfd, h->run->hash, &h->meta, err);
    if (rc == 0)
        rc = publish_run_dir(h, err);
    if (rc == 0 && h->run_dir != NULL && h->meta.run_dir != NULL &&
        strcmp(h->run_dir, h->meta.run_dir) != 0)
        rc = rewrite_meta(h, dirfd, err);
    close(dirfd);
    return rc;
}

int publish_state(struct handoff *h, const char *name,
                  struct relay_error *err)
{
    struct json_object *extra;
    int rc;

    if (name == NULL)
        rc = rewrite_in_place(h, err);
    else
        rc = prepare_copy(h, name, err) == 0 ? swap(h, name, err) : -1;
    if (rc != 0)
        return relay_fail_in(err, "publishing %s (the source's copy stays "
                                  "good)", h->run->key);
    extra = json_object_new_object();
    json_add_int(extra, "step", h->meta.step);
    rc = journal_next(h->run, &h->journal, JOURNAL_PUBLISHED, extra, err);
    json_object_put(extra);
    if (rc == 0)
        run_say(h->run, "step %lld is published here (term %lld)",
                (long long)h->meta.step, (long long)h->term);
    return rc;
}
