/* The state that a job begins with is kept, and put back when the training
 * did not load it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "jsonfile.h"
#include "manifest.h"
#include "run.h"

#define KEPT "verified-"
#define FLAG "restore-"
#define NEW ".new"
#define JSON ".json"

enum { NONCE_LEN = 32 };

static bool exists(int dirfd, const char *name)
{
    return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The nonce in PREFIX<nonce>SUFFIX; false for another name. */
static bool nonce_of(const char *name, const char *prefix, const char *suffix,
                     char nonce[33])
{
    size_t len = strlen(prefix);

    if (strncmp(name, prefix, len) != 0 ||
        strspn(name + len, "0123456789abcdef") != NONCE_LEN ||
        strcmp(name + len + NONCE_LEN, suffix) != 0)
        return false;
    snprintf(nonce, NONCE_LEN + 1, "%s", name + len);
    return true;
}

/* ---- keeping ---------------------------------------------------------- */

/* The step of a state that is kept, -1 when it has none that can be read. */
static int64_t step_in(const struct run *run, const char *name)
{
    int fd = file_open_dir(run->relayfd, name, NULL);
    struct meta meta;
    int64_t step = -1;

    if (fd < 0)
        return -1;
    if (meta_read(fd, name, &meta, NULL) == 0)
        step = meta.step;
    meta_free(&meta);
    close(fd);
    return step;
}

/* Drops what earlier runs kept: links of ours, not the state. One of a later
 * step than what is there now is somebody's last hope and stays. */
static void drop_earlier(const struct run *run, int64_t step)
{
    DIR *dir = file_list(run->relayfd);
    struct dirent *entry;
    char name[64], nonce[33];

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (nonce_of(entry->d_name, KEPT, NEW, nonce)) {
            (void)file_remove_tree(run->relayfd, entry->d_name, NULL);
        } else if (nonce_of(entry->d_name, KEPT, "", nonce) &&
                   strcmp(nonce, run->nonce) != 0 &&
                   step_in(run, entry->d_name) <= step) {
            snprintf(name, sizeof(name), KEPT "%s" JSON, nonce);
            (void)unlinkat(run->relayfd, name, 0); /* may be missing */
            (void)file_remove_tree(run->relayfd, entry->d_name, NULL);
        }
    }
    if (dir != NULL)
        closedir(dir);
}

/* Sizes and times of what is kept: hard links share the bytes with the state,
 * and a training that writes in place changes both. */
static int note_kept(const struct run *run, const char *name,
                     struct relay_error *err)
{
    struct manifest files = {0};
    struct json_object *doc;
    struct stat st;
    char file[64];
    int rc;

    if (fstatat(run->rootfd, run->hash, &st, 0) != 0)
        return relay_fail_errno(err, EX_IOERR, "%s/%s", run->root, run->hash);
    rc = manifest_of_dir(run->relayfd, name, 0, &files, err);
    if (rc == 0) {
        doc = json_object_new_object();
        json_add_int(doc, "format", 1);
        json_add_int(doc, "mode", st.st_mode & 07777);
        json_object_object_add(doc, "files", manifest_to_json(&files));
        snprintf(file, sizeof(file), KEPT "%s" JSON, run->nonce);
        rc = json_save(run->relayfd, file, doc, err);
        json_object_put(doc);
    }
    manifest_free(&files);
    return rc;
}

int run_keep_state(const struct run *run, struct relay_error *err)
{
    char name[64], making[80], from[128], to[128];

    snprintf(name, sizeof(name), KEPT "%s", run->nonce);
    snprintf(making, sizeof(making), "%s" NEW, name);
    if (exists(run->relayfd, name))
        return 0;
    snprintf(from, sizeof(from), ".relay/%s/%s", run->hash, making);
    snprintf(to, sizeof(to), ".relay/%s/%s", run->hash, name);
    if (file_remove_tree(run->relayfd, making, err) != 0 ||
        file_clone_tree(run->rootfd, run->hash, from, err) != 0 ||
        note_kept(run, making, err) != 0 ||
        file_rename(run->rootfd, from, to, err) != 0)
        return relay_fail_in(err, "keeping the state of %s", run->hash);
    drop_earlier(run, step_in(run, name));
    return 0;
}

/* ---- putting back ----------------------------------------------------- */

int run_flag_lost(const struct run *run, struct relay_error *err)
{
    char flag[64];

    snprintf(flag, sizeof(flag), FLAG "%s", run->nonce);
    return file_write(run->relayfd, flag, "", 0, 0600, err);
}

/* The file that is another now than when it was kept, or NULL. */
static const char *changed_file(const struct manifest *was,
                                const struct manifest *is)
{
    const struct manifest_file *file;
    size_t i;

    for (i = 0; i < was->n; i++) {
        file = manifest_find(is, was->files[i].path);
        if (file == NULL || file->size != was->files[i].size ||
            file->mtime_ns != was->files[i].mtime_ns)
            return was->files[i].path;
    }
    return NULL;
}

/* Is what was kept as it was? *mode is the state directory's, if known. */
static int check_kept(const struct run *run, const char *nonce, mode_t *mode,
                      struct relay_error *err)
{
    struct manifest was = {0}, is = {0};
    struct json_object *doc;
    const char *changed;
    char name[64], file[64];
    int rc;

    snprintf(name, sizeof(name), KEPT "%s", nonce);
    snprintf(file, sizeof(file), KEPT "%s" JSON, nonce);
    doc = json_load(run->relayfd, file, NULL);
    if (doc == NULL)
        return 0; /* nothing to compare with */
    *mode = (mode_t)json_int(doc, "mode", *mode);
    rc = manifest_from_json(json_get(doc, "files"), &was, err);
    if (rc == 0)
        rc = manifest_of_dir(run->relayfd, name, 0, &is, err);
    changed = rc == 0 ? changed_file(&was, &is) : NULL;
    if (changed != NULL)
        rc = relay_fail(err, EX_DATAERR,
                        "the training wrote over %s in place, and with it "
                        "over the copy that was kept in %s/.relay/%s/%s",
                        changed, run->root, run->hash, name);
    manifest_free(&was);
    manifest_free(&is);
    json_object_put(doc);
    return rc;
}

/* Each step can be the last one of a call; the next call goes on. */
static int put_back(const struct run *run, const char *nonce,
                    struct relay_error *err)
{
    char kept[128], lost[128];
    mode_t mode = 0700;
    struct stat st;

    snprintf(kept, sizeof(kept), ".relay/%s/" KEPT "%s", run->hash, nonce);
    snprintf(lost, sizeof(lost), ".relay/%s/lost-%s", run->hash, nonce);
    if (!exists(run->rootfd, kept) && exists(run->rootfd, lost) &&
        exists(run->rootfd, run->hash))
        return 0; /* an earlier call was cut off behind its last step */
    if (!exists(run->rootfd, kept))
        return relay_fail(err, EX_DATAERR, "%s/%s, which was kept, is gone",
                          run->root, kept);
    if (fstatat(run->rootfd, run->hash, &st, 0) == 0)
        mode = st.st_mode & 07777;
    if (check_kept(run, nonce, &mode, err) != 0)
        return -1;
    if (!exists(run->rootfd, lost) && exists(run->rootfd, run->hash) &&
        file_rename(run->rootfd, run->hash, lost, err) != 0)
        return -1;
    if (exists(run->rootfd, run->hash))
        return relay_fail(err, EX_IOERR,
                          "%s/%s was made anew while %s was being put back: "
                          "move the one aside that is not to be gone on with",
                          run->root, run->hash, kept);
    if (fchmodat(run->rootfd, kept, mode, 0) != 0)
        return relay_fail_errno(err, EX_IOERR, "%s/%s", run->root, kept);
    return file_rename(run->rootfd, kept, run->hash, err);
}

int run_restore_state(const struct run *run, const char *nonce,
                      struct relay_error *err)
{
    char name[64];

    snprintf(name, sizeof(name), FLAG "%s", nonce);
    if (!exists(run->relayfd, name))
        return 0;
    if (put_back(run, nonce, err) != 0)
        return relay_fail_in(err, "the state of %s cannot be put back",
                             run->key);
    if (unlinkat(run->relayfd, name, 0) != 0 && errno != ENOENT)
        return relay_fail_errno(err, EX_IOERR, "%s", name);
    snprintf(name, sizeof(name), KEPT "%s" JSON, nonce);
    (void)unlinkat(run->relayfd, name, 0); /* may be missing */
    return 1;
}

int run_is_lost(const struct run *run)
{
    DIR *dir = file_list(run->relayfd);
    struct dirent *entry;
    char nonce[33];
    int found = 0;

    while (dir != NULL && found == 0 && (entry = readdir(dir)) != NULL)
        found = nonce_of(entry->d_name, FLAG, "", nonce);
    if (dir != NULL)
        closedir(dir);
    return found;
}

int run_restore_all(const struct run *run, struct relay_error *err)
{
    DIR *dir = file_list(run->relayfd);
    struct dirent *entry;
    char nonce[33];
    int done = 0;
    int rc = 0;

    if (dir == NULL)
        return relay_fail_errno(err, EX_IOERR, "%s/.relay/%s", run->root,
                                run->hash);
    while (rc >= 0 && (entry = readdir(dir)) != NULL) {
        if (!nonce_of(entry->d_name, FLAG, "", nonce))
            continue;
        rc = run_restore_state(run, nonce, err);
        done += rc > 0;
    }
    closedir(dir);
    return rc < 0 ? -1 : done;
}

int run_forget_lost(const struct run *run, struct relay_error *err)
{
    DIR *dir = file_list(run->relayfd);
    struct dirent *entry;
    char nonce[33];
    int rc = 0;

    if (dir == NULL)
        return relay_fail_errno(err, EX_IOERR, "%s/.relay/%s", run->root,
                                run->hash);
    while (rc == 0 && (entry = readdir(dir)) != NULL)
        if (nonce_of(entry->d_name, FLAG, "", nonce) &&
            unlinkat(run->relayfd, entry->d_name, 0) != 0)
            rc = relay_fail_errno(err, EX_IOERR, "%s", entry->d_name);
    closedir(dir);
    return rc;
}

bool run_find_kept(const struct run *run, char *name, size_t size)
{
    DIR *dir = file_list(run->relayfd);
    struct dirent *entry;
    int64_t best = -1;
    int64_t step;
    char nonce[33];
    bool found = false;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (!nonce_of(entry->d_name, KEPT, "", nonce) &&
            strncmp(entry->d_name, "kept-", 5) != 0)
            continue;
        step = step_in(run, entry->d_name);
        if (step > best) {
            best = step;
            snprintf(name, size, "%s", entry->d_name);
            found = true;
        }
    }
    if (dir != NULL)
        closedir(dir);
    return found;
}
