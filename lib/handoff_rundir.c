/*
 * Handoff, beside the checkpoint: files of the run directory, where
 * handoff.copy_run_dir asks for them. They go through a directory of ours in
 * the new run directory and never replace what is newer there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "digest.h"
#include "file.h"
#include "handoff.h"
#include "transfer.h"

#define OURS ".relay-"

enum { STALL_SECONDS = 60, SMALL = 16 << 20 };

static bool is_newer(const struct stat *st, int64_t mtime_ns)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec >=
           mtime_ns;
}

/* Of what the source has, what is not here yet, or older. */
static int find_missing(int dirfd, const struct manifest *there,
                        struct manifest *missing, struct relay_error *err)
{
    struct stat st;
    size_t i;

    for (i = 0; i < there->n; i++) {
        const struct manifest_file *f = &there->files[i];

        if (fstatat(dirfd, f->path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (!S_ISREG(st.st_mode) || is_newer(&st, f->mtime_ns)))
            continue;
        if (manifest_add(missing, f->path, f->size, f->mtime_ns, f->sha256,
                         err) != 0)
            return -1;
    }
    return 0;
}

static int make_parents(const char *dir, const char *path,
                        struct relay_error *err)
{
    char parent[PATH_MAX];
    char *slash;

    if ((size_t)snprintf(parent, sizeof(parent), "%s/%s", dir, path) >=
        sizeof(parent))
        return relay_fail(err, EX_CANTCREAT, "%s: the path is too long", path);
    slash = strrchr(parent, '/');
    *slash = '\0';
    return file_make_dirs(parent, 0777, err);
}

int handoff_place_files(const char *dir, const char *copies,
                        const struct manifest *files, bool newer_stays,
                        size_t *placed, struct relay_error *err)
{
    int dirfd = file_open_dir(AT_FDCWD, dir, err);
    char from[PATH_MAX], hex[DIGEST_HEX];
    struct stat st;
    int rc = 0;
    size_t i;

    *placed = 0;
    if (dirfd < 0)
        return -1;
    for (i = 0; i < files->n && rc == 0; i++) {
        const struct manifest_file *f = &files->files[i];

        snprintf(from, sizeof(from), "%s/%s", copies, f->path);
        rc = digest_file(dirfd, from, hex, NULL, NULL, err);
        if (rc == 0 && strcmp(hex, f->sha256) != 0)
            rc = relay_fail(err, EX_IOERR, "%s differs from the source",
                            f->path);
        /* Looked at again: the copying took its time. */
        if (rc == 0 && newer_stays &&
            fstatat(dirfd, f->path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (!S_ISREG(st.st_mode) || is_newer(&st, f->mtime_ns)))
            continue;
        if (rc == 0)
            rc = make_parents(dir, f->path, err);
        if (rc == 0 && renameat(dirfd, from, dirfd, f->path) != 0)
            rc = relay_fail_errno(err, EX_CANTCREAT, "%s/%s", dir, f->path);
        *placed += rc == 0;
    }
    close(dirfd);
    return rc;
}

/* Directories of attempts that died, and our own when it has served. */
static void drop_copies(const struct handoff *h, int dirfd, bool own_too)
{
    DIR *dir = file_list(dirfd);
    struct dirent *entry;
    size_t len = strlen(OURS);

    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (strncmp(entry->d_name, OURS, len) == 0 &&
            strspn(entry->d_name + len, "0123456789abcdef") == 32 &&
            entry->d_name[len + 32] == '\0' &&
            (own_too || strcmp(entry->d_name + len, h->run->nonce) != 0))
            (void)file_remove_tree(dirfd, entry->d_name, NULL);
    if (dir != NULL)
        closedir(dir);
}

static int pull(struct handoff *h, int dirfd, const char *copies,
                const struct manifest *files, struct relay_error *err)
{
    char to[PATH_MAX];
    struct transfer t = {.peer = &h->peer,
                         .from = h->meta.run_dir,
                         .to = to,
                         .files = files,
                         .stall_s = STALL_SECONDS,
                         .wait_s = h->run->cfg.source_wait,
                         .say = run_say_line,
                         .arg = h->run};

    if ((size_t)snprintf(to, sizeof(to), "%s/%s", h->run_dir, copies) >=
        sizeof(to))
        return relay_fail(err, EX_CANTCREAT, "%s: the path is too long",
                          h->run_dir);
    if (transfer_room(dirfd, h->run_dir, files->bytes,
                      (int64_t)files->n + 16, err) != 0 ||
        file_make_dirs(to, 0700, err) != 0)
        return -1;
    return transfer_pull(&t, NULL, err);
}

static int copy_files(struct handoff *h, int dirfd, bool last,
                      const struct manifest *there, struct relay_error *err)
{
    struct manifest missing = {0};
    char copies[64];
    size_t placed = 0;
    int rc;

    snprintf(copies, sizeof(copies), OURS "%s", h->run->nonce);
    drop_copies(h, dirfd, false);
    rc = find_missing(dirfd, there, &missing, err);
    if (rc == 0 && missing.n > 0)
        rc = pull(h, dirfd, copies, &missing, err);
    if (rc == 0 && last && missing.n > 0)
        rc = handoff_place_files(h->run_dir, copies, &missing, true,
                                 &placed, err);
    if (rc == 0 && last)
        run_say(h->run, "%zu files of run_dir (%.1f MB) were copied; %zu that "
                        "are here already, and no older, stay", placed,
                (double)missing.bytes / 1e6, there->n - placed);
    if (last)
        drop_copies(h, dirfd, true);
    manifest_free(&missing);
    return rc;
}

void handoff_copy_run_dir(struct handoff *h, bool last)
{
    enum copy_run_dir which = h->run->cfg.copy_run_dir;
    struct manifest there = {0};
    struct relay_error err = {0};
    int64_t others = 0;
    int dirfd = -1;
    int rc;

    if (which == COPY_NONE || h->src.shared || h->run_dir == NULL ||
        h->meta.run_dir == NULL || h->meta.run_dir[0] != '/')
        return;
    rc = source_run_files(&h->src, h->meta.run_dir,
                          which == COPY_SMALL ? SMALL : 0, last, &there,
                          &others, &err);
    if (rc == 0) {
        dirfd = file_open_dir(AT_FDCWD, h->run_dir, &err);
        rc = dirfd >= 0 ? copy_files(h, dirfd, last, &there, &err) : -1;
    }
    if (rc == 0 && last && others > 0)
        run_say(h->run, "%lld links and special files of run_dir stay on %s",
                (long long)others, h->peer.cluster->name);
    /* The training trains without them; that they are missing is said. */
    if (rc != 0 && last)
        run_say(h->run, "warning: files of run_dir were not copied (%.600s): "
                        "they are in %s on %s", err.text, h->meta.run_dir,
                h->peer.cluster->name);
    else if (rc != 0)
        run_log(h->run, "files of run_dir, ahead: %s", err.text);
    if (dirfd >= 0)
        close(dirfd);
    manifest_free(&there);
}
