/*
 * The copy here of a sweep on another cluster: sweep.json and the frozen
 * source with its ids, from which cells, ids and commands are computed as at
 * home. It is in the user's cache directory, in one named by where the sweep
 * is and what it is, so that another sweep at that place is another copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "digest.h"
#include "file.h"
#include "home_ssh.h"
#include "sweep_private.h"

enum { COPY_MS = 10 * 60 * 1000 };

/* --- where ---------------------------------------------------------------- */

static int cache_dir(const struct ssh_home *h, const char *text,
                     char *dir, size_t size, struct relay_error *err)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    const char *slash = strrchr(h->path, '/');
    struct text what = {0};
    char hex[DIGEST_HEX];
    int n, rc;

    if ((cache == NULL || cache[0] != '/') &&
        (home == NULL || home[0] != '/'))
        return relay_fail(err, EX_CONFIG, "neither $XDG_CACHE_HOME nor $HOME "
                                          "says where a copy of %s can be "
                                          "kept", h->home.url);
    text_printf(&what, "%s\n%s\n%s", h->peer.name, h->path, text);
    rc = what.failed ? relay_fail(err, EX_OSERR, "out of memory")
                     : digest_text(what.s, what.len, hex, err);
    text_free(&what);
    if (rc != 0)
        return -1;
    n = cache != NULL && cache[0] == '/'
            ? snprintf(dir, size, "%s/slurm-relay/sweeps/%.16s/%s", cache,
                       hex, slash + 1)
            : snprintf(dir, size, "%s/.cache/slurm-relay/sweeps/%.16s/%s",
                       home, hex, slash + 1);
    return (size_t)n < size ? 0 : relay_fail(err, EX_CONFIG,
                                             "%s: the path is too long", dir);
}

/* --- fetching ------------------------------------------------------------- */

static int put_section(const struct peer_reply *reply, const char *section,
                       int dirfd, const char *name, struct relay_error *err)
{
    size_t len;
    const char *bytes = peer_section(reply, section, &len);

    if (bytes == NULL)
        return relay_fail(err, EX_DATAERR, "its %s did not come", section);
    return file_write(dirfd, name, bytes, len, 0666, err);
}

/* Source and ids of the version there, into the directory dir. */
static int fetch_version(struct ssh_home *h, int dirfd, const char *dir,
                         struct relay_error *err)
{
    char version[24], problem[300];
    const char *args[] = {h->path, "copy", version, h->file, NULL};
    struct peer_reply reply;
    int fd, rc;

    snprintf(version, sizeof(version), "%" PRId64, h->version);
    if (ssh_home_script(h, args, COPY_MS, &reply, err) != 0)
        return -1;
    rc = peer_value(&reply, "problem", problem, sizeof(problem))
             ? relay_fail(err, EX_TEMPFAIL, "%s: %s", h->peer.name, problem)
             : 0;
    if (rc == 0 && mkdirat(dirfd, dir, 0777) != 0)
        rc = relay_fail_errno(err, EX_CANTCREAT, "cannot make %s", dir);
    fd = rc == 0 ? file_open_dir(dirfd, dir, err) : -1;
    rc = fd < 0 ? -1 : put_section(&reply, "source", fd, h->file, err);
    if (rc == 0)
        rc = put_section(&reply, "ids", fd, IDS_FILE, err);
    if (fd >= 0)
        close(fd);
    peer_reply_free(&reply);
    return rc;
}

/* Puts temp in the place of name, which of several one does first. */
static int put(int dirfd, const char *temp, const char *name,
               struct relay_error *err)
{
    int rc = 0;

    if (renameat(dirfd, temp, dirfd, name) == 0)
        return 0;
    if (errno != ENOTEMPTY && errno != EEXIST)
        rc = relay_fail_errno(err, EX_CANTCREAT, "cannot make %s", name);
    (void)file_remove_tree(dirfd, temp, NULL); /* our own, unseen */
    return rc;
}

static int fill(struct ssh_home *h, int fd, const char *text,
                struct relay_error *err)
{
    char version[64];

    snprintf(version, sizeof(version), SOURCE_DIR "/%" PRId64, h->version);
    if (mkdirat(fd, SOURCE_DIR, 0777) != 0)
        return relay_fail_errno(err, EX_CANTCREAT, "cannot make " SOURCE_DIR);
    if (fetch_version(h, fd, version, err) != 0 ||
        file_write(fd, COPY_FILE, h->home.url, strlen(h->home.url), 0666,
                   err) != 0)
        return -1;
    return file_write(fd, SWEEP_FILE, text, strlen(text), 0666, err);
}

static int make(struct ssh_home *h, const char *dir, const char *text,
                struct relay_error *err)
{
    char parent[PATH_MAX], temp[48], nonce[33];
    const char *name = strrchr(dir, '/') + 1;
    int dirfd, fd, rc;

    snprintf(parent, sizeof(parent), "%.*s", (int)(name - 1 - dir), dir);
    if (file_nonce(nonce, err) != 0 ||
        file_make_dirs(parent, 0777, err) != 0)
        return -1;
    dirfd = file_open_dir(AT_FDCWD, parent, err);
    if (dirfd < 0)
        return -1;
    snprintf(temp, sizeof(temp), ".tmp-%s", nonce);
    rc = mkdirat(dirfd, temp, 0777) == 0
             ? 0 : relay_fail_errno(err, EX_CANTCREAT, "cannot make %s", dir);
    fd = rc == 0 ? file_open_dir(dirfd, temp, err) : -1;
    rc = fd < 0 ? -1 : fill(h, fd, text, err);
    if (fd >= 0)
        close(fd);
    if (rc == 0)
        rc = put(dirfd, temp, name, err);
    else
        (void)file_remove_tree(dirfd, temp, NULL); /* our own, unseen */
    close(dirfd);
    return rc;
}

/* --- the copy ------------------------------------------------------------- */

int home_copy_update(struct ssh_home *h, struct relay_error *err)
{
    struct sweep *sweep = h->opt.sweep;
    char temp[64], name[64], nonce[33];

    if (h->version <= sweep->version)
        return 0;
    if (file_nonce(nonce, err) != 0)
        return -1;
    snprintf(temp, sizeof(temp), SOURCE_DIR "/.tmp-%s", nonce);
    snprintf(name, sizeof(name), SOURCE_DIR "/%" PRId64, h->version);
    if (faccessat(sweep->fd, name, F_OK, 0) != 0 &&
        (fetch_version(h, sweep->fd, temp, err) != 0 ||
         put(sweep->fd, temp, name, err) != 0)) {
        (void)file_remove_tree(sweep->fd, temp, NULL);
        return relay_fail_in(err, "the copy %s of %s", sweep->path,
                             h->home.url);
    }
    return version_load(sweep, err);
}

int home_copy_open(struct ssh_home *h, const char *text, struct sweep *sweep,
                   struct relay_error *err)
{
    char dir[PATH_MAX];

    if (cache_dir(h, text, dir, sizeof(dir), err) != 0)
        return -1;
    if (!sweep_is(dir) && make(h, dir, text, err) != 0)
        return relay_fail_in(err, "the copy %s of %s", dir, h->home.url);
    if (sweep_open(dir, sweep, err) != 0)
        return -1;
    h->opt.sweep = sweep;
    return home_copy_update(h, err) < 0 ? -1 : 0;
}
