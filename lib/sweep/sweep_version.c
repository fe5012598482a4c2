/* The versions of a sweep's source: source/N/NAME and source/N/ids. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "roster_kind.h"
#include "sweep_private.h"

/* Somebody may remove a version while it is opened: it is an old one then. */
enum { TRIES = 5 };

#define MAX_SCRIPT ((size_t)64 << 20)

/* ---- writing ------------------------------------------------------------- */

static int make_dir(int dirfd, const char *path, struct relay_error *err)
{
    char where[PATH_MAX];

    if (mkdirat(dirfd, path, 0777) == 0)
        return 0;
    file_where(dirfd, path, where, sizeof(where));
    return relay_fail_errno(err, EX_CANTCREAT, "cannot make the directory %s",
                            where);
}

/* Copies the script of one job. */
static int copy_job(int fd, const char *file, const struct roster *roster,
                    const char *job, struct relay_error *err)
{
    char from[PATH_MAX], to[PATH_MAX];
    const char *slash = strchr(job, '/');
    size_t len = 0;
    char *text;
    int rc;

    if (snprintf(from, sizeof(from), "%s/%s", roster->path, job) >=
            (int)sizeof(from) ||
        snprintf(to, sizeof(to), "%s/%.*s", file, (int)(slash - job), job) >=
            (int)sizeof(to))
        return relay_fail(err, EX_DATAERR, "%s: the path is too long", job);
    text = file_read(AT_FDCWD, from, MAX_SCRIPT, &len, err);
    if (text == NULL)
        return -1;
    rc = make_dir(fd, to, err);
    snprintf(to, sizeof(to), "%s/%s", file, job); /* as long as from or less */
    if (rc == 0)
        rc = file_write(fd, to, text, len, 0666, err);
    free(text);
    return rc;
}

static int copy_jobs(int fd, const char *file, const struct roster *roster,
                     struct relay_error *err)
{
    uint64_t i;

    if (make_dir(fd, file, err) != 0)
        return -1;
    for (i = 0; i < roster_size(roster); i++) {
        struct cell cell;
        const struct value *job = NULL;
        int rc = roster_cell(roster, i, &cell, err);

        if (rc == 0)
            job = value_get(&cell.params, "job");
        if (job != NULL)
            rc = copy_job(fd, file, roster, job->text, err);
        cell_free(&cell);
        if (rc != 0)
            return -1;
    }
    return 0;
}

static int write_into(int fd, const char *file, const struct roster *roster,
                      const struct id_index *ids, struct relay_error *err)
{
    if (roster_info(roster)->kind == ROSTER_JOBS) {
        if (copy_jobs(fd, file, roster, err) != 0 ||
            file_sync_tree(fd, file, err) != 0)
            return -1;
    } else if (file_write(fd, file, roster->text, roster->len, 0666, err) !=
               0) {
        return -1;
    }
    return file_write(fd, IDS_FILE, ids->file, ids->len, 0666, err);
}

int version_write(int dirfd, const char *dir, const char *file,
                  const struct roster *roster, const struct id_index *ids,
                  struct relay_error *err)
{
    int fd, rc;

    if (make_dir(dirfd, dir, err) != 0)
        return -1;
    fd = file_open_dir(dirfd, dir, err);
    if (fd < 0)
        return -1;
    rc = write_into(fd, file, roster, ids, err);
    close(fd);
    return rc;
}

/* ---- reading ------------------------------------------------------------- */

/* The largest N; 0: none. -1 on error. */
static int64_t newest(const struct sweep *sweep, struct relay_error *err)
{
    int64_t best;
    int fd = file_open_dir(sweep->fd, SOURCE_DIR, err);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (dir == NULL) {
        if (fd >= 0) {
            close(fd);
            relay_fail_errno(err, EX_IOERR, "cannot list %s/" SOURCE_DIR,
                             sweep->path);
        }
        return -1;
    }
    best = file_highest(dir);
    closedir(dir);
    return best;
}

static int load(const struct sweep *sweep, int64_t version,
                struct roster **roster, struct id_index *ids,
                struct relay_error *err)
{
    char path[PATH_MAX], file[PATH_MAX];
    enum roster_kind kind;

    if (snprintf(path, sizeof(path), "%s/" SOURCE_DIR "/%" PRId64 "/%s",
                 sweep->path, version, sweep->file) >= (int)sizeof(path))
        return relay_fail(err, EX_DATAERR, "%s: the path is too long",
                          sweep->path);
    if (roster_load(path, &sweep->options, sweep->configs, sweep->nconfigs,
                    roster, NULL, err) != 0)
        return -1;
    kind = roster_info(*roster)->kind;
    snprintf(file, sizeof(file), SOURCE_DIR "/%" PRId64 "/" IDS_FILE,
             version);
    /* Old versions of what grows are removed one day, and a map of a removed
     * file is a SIGBUS on NFS. */
    return id_index_load(sweep->fd, file, *roster,
                         kind == ROSTER_WANDB || kind == ROSTER_JOBS, ids,
                         err);
}

int version_load(struct sweep *sweep, struct relay_error *err)
{
    struct roster *roster = NULL;
    struct id_index ids = {0};
    struct relay_error why = {0};
    int tries;

    for (tries = 0; tries < TRIES; tries++) {
        int64_t version = newest(sweep, &why);

        if (version == 0)
            relay_fail(&why, EX_DATAERR, "sweep %s has no source",
                       sweep->path);
        if (version <= 0)
            break;
        if (version == sweep->version)
            return 0;
        if (load(sweep, version, &roster, &ids, &why) == 0) {
            roster_free(sweep->roster);
            id_index_free(&sweep->ids);
            sweep->roster = roster;
            sweep->ids = ids;
            sweep->version = version;
            return 1;
        }
        roster_free(roster);
        id_index_free(&ids);
        if (why.code != EX_NOINPUT)
            break;
    }
    return relay_fail(err, why.code == EX_NOINPUT ? EX_DATAERR : why.code,
                      "%s", why.text);
}
