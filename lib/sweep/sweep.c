#include "sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "roster_kind.h"
#include "sweep_private.h"

/* ---- paths --------------------------------------------------------------- */

/* Where the last component of path begins; *end is behind it. */
static size_t last_part(const char *path, size_t *end)
{
    size_t begin;

    for (*end = strlen(path); *end > 1 && path[*end - 1] == '/'; (*end)--)
        continue;
    for (begin = *end; begin > 0 && path[begin - 1] != '/'; begin--)
        continue;
    return begin;
}

static bool dots(const char *part, size_t len)
{
    return (len == 1 && part[0] == '.') ||
           (len == 2 && part[0] == '.' && part[1] == '.');
}

char *absolute_path(const char *path, struct relay_error *err)
{
    size_t end;
    size_t begin = last_part(path, &end);
    char *dir = NULL, *real = NULL, *whole = NULL;

    if (path[0] == '\0') {
        relay_fail(err, EX_NOINPUT, "an empty path");
        return NULL;
    }
    if (begin == end || dots(path + begin, end - begin)) {
        real = realpath(path, NULL); /* "/", ".", "..": there is no name */
        if (real == NULL)
            relay_fail_errno(err, EX_NOINPUT, "cannot find %s", path);
        return real;
    }
    dir = begin > 0 ? strndup(path, begin) : strdup(".");
    real = dir != NULL ? realpath(dir, NULL) : NULL;
    if (real == NULL)
        relay_fail_errno(err, EX_NOINPUT, "cannot find %s", path);
    else if (asprintf(&whole, "%s/%.*s", real[1] != '\0' ? real : "",
                      (int)(end - begin), path + begin) < 0) {
        relay_fail(err, EX_OSERR, "out of memory");
        whole = NULL;
    }
    free(real);
    free(dir);
    return whole;
}

char *sweep_default_dir(const char *source, struct relay_error *err)
{
    char *path = absolute_path(source, err);
    char *name = NULL, *cwd = NULL, *dir = NULL;

    if (path == NULL)
        return NULL;
    name = strrchr(path, '/')[1] != '\0' ? source_name(path) : NULL;
    cwd = getcwd(NULL, 0);
    if (name == NULL || cwd == NULL ||
        asprintf(&dir, "%s/%s" SWEEP_ENDING, cwd[1] != '\0' ? cwd : "",
                 name) < 0) {
        relay_fail_errno(err, EX_NOINPUT, "cannot tell the directory of the "
                         "sweep of %s: give one with -o", source);
        dir = NULL;
    }
    free(cwd);
    free(name);
    free(path);
    return dir;
}

bool sweep_is(const char *path)
{
    char file[PATH_MAX];
    struct stat st;
    int n = snprintf(file, sizeof(file), "%s/" SWEEP_FILE, path);

    return n > 0 && (size_t)n < sizeof(file) && lstat(file, &st) == 0 &&
           S_ISREG(st.st_mode);
}

void mark_of(const struct stat *st, struct sweep_mark *mark)
{
    mark->size = st->st_size;
    mark->sec = st->st_mtim.tv_sec;
    mark->nsec = st->st_mtim.tv_nsec;
    mark->inode = st->st_ino;
}

bool mark_equal(const struct sweep_mark *a, const struct sweep_mark *b)
{
    return a->size == b->size && a->sec == b->sec && a->nsec == b->nsec &&
           a->inode == b->inode;
}

/* ---- opening ------------------------------------------------------------- */

static bool has_jobs(const char *dir)
{
    static const struct roster_options plain = {.yaml_floats = false};
    struct roster *roster = NULL;
    bool jobs = roster_load(dir, &plain, NULL, 0, &roster, NULL, NULL) == 0;

    roster_free(roster);
    return jobs;
}

/* The directory of the sweep that path means; malloc'd, or NULL. */
static char *resolve(const char *path, struct relay_error *err)
{
    struct stat st;
    char *dir, *real;

    if (stat(path, &st) != 0) {
        relay_fail_errno(err, EX_NOINPUT, "cannot find the sweep %s", path);
        return NULL;
    }
    if (S_ISDIR(st.st_mode) && sweep_is(path)) {
        real = realpath(path, NULL);
        if (real == NULL)
            relay_fail_errno(err, EX_NOINPUT, "cannot find %s", path);
        return real;
    }
    dir = sweep_default_dir(path, err);
    if (dir == NULL || sweep_is(dir))
        return dir;
    if (S_ISDIR(st.st_mode))
        relay_fail(err, EX_NOINPUT, "%s is not a sweep: %s", path,
                   has_jobs(path) ? "its job scripts are submitted, not run; "
                                    "`ssweep cells` lists them"
                                  : "it has no " SWEEP_FILE);
    else
        relay_fail(err, EX_NOINPUT, "there is no sweep of %s yet (%s): "
                   "`ssweep create %s` makes it", path, dir, path);
    free(dir);
    return NULL;
}

int sweep_open(const char *path, struct sweep *sweep, struct relay_error *err)
{
    memset(sweep, 0, sizeof(*sweep));
    sweep->fd = -1;
    sweep->path = resolve(path, err);
    if (sweep->path == NULL)
        return -1;
    sweep->fd = file_open_dir(AT_FDCWD, sweep->path, err);
    if (sweep->fd < 0 || sweep_read_json(sweep, err) != 0 ||
        version_load(sweep, err) < 0)
        return -1;
    return sweep_find_out_root(sweep, err);
}

void sweep_close(struct sweep *sweep)
{
    size_t i;

    roster_free(sweep->roster);
    id_index_free(&sweep->ids);
    if (sweep->fd >= 0 && sweep->path != NULL)
        close(sweep->fd);
    for (i = 0; i < sweep->nconfigs; i++)
        free(sweep->configs[i].path);
    free(sweep->configs);
    free(sweep->path);
    free(sweep->name);
    free(sweep->entity);
    free(sweep->project);
    free(sweep->source);
    free(sweep->out);
    free(sweep->file);
    free(sweep->user);
    free(sweep->out_root);
    free(sweep->out_noted);
    free(sweep->out_trouble);
    memset(sweep, 0, sizeof(*sweep));
    sweep->fd = -1;
}
