/* Making a sweep: all of it in a temporary directory beside, then one rename
 * that one of many succeeds in. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"
#include "file.h"
#include "roster_kind.h"
#include "sweep_private.h"

enum { SEEN_WITHIN_MS = 5000 };

/* ---- what is in it ------------------------------------------------------- */

static bool given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static char *user_name(void)
{
    const struct passwd *pw = getpwuid(geteuid());
    const char *env = getenv("USER");

    if (pw != NULL)
        return strdup(pw->pw_name);
    return strdup(given(env) ? env : "user");
}

/* Fills a sweep of a roster that was just read. */
static int fill(struct sweep *sweep, struct relay_error *err)
{
    const struct roster_info *info = roster_info(sweep->roster);
    const struct relay_lines *lines = info->lines;
    const char *out = lines->out != NULL    ? lines->out
                      : info->has_run_id    ? DEFAULT_OUT_RUN_ID
                      : given(info->project) ? DEFAULT_OUT
                                             : DEFAULT_OUT_NO_PROJECT;

    sweep->user = user_name();
    sweep->name = strdup(info->name);
    sweep->entity = strdup(given(info->entity)    ? info->entity
                           : sweep->user != NULL ? sweep->user
                                                 : "");
    sweep->project = strdup(given(info->project) ? info->project
                                                 : info->name);
    sweep->out = strdup(out);
    sweep->file = strdup(strrchr(sweep->source, '/') + 1);
    sweep->retries = lines->retries >= 0 ? lines->retries : DEFAULT_RETRIES;
    sweep->created = clock_wall();
    if (sweep->user == NULL || sweep->name == NULL || sweep->entity == NULL ||
        sweep->project == NULL || sweep->out == NULL || sweep->file == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    if (template_check(sweep->out, err) != 0)
        return relay_fail_in(err, "%s", sweep->source);
    return 0;
}

/* Says what counts as proof where the source does not. */
static void check_contract(const struct sweep *sweep, const char *name,
                           struct lint *lint)
{
    struct relay_error ignored;
    struct config cfg;
    bool known;

    if (lint == NULL || roster_info(sweep->roster)->lines->ndone > 0)
        return;
    known = config_load(NULL, NULL, &cfg, &ignored) == 0 && cfg.ndone > 0;
    config_free(&cfg);
    if (!known)
        lint_add(lint, name, 0, 0,
                 "no completion contract (#RELAY done ...): a cell is done "
                 "when it ends with 0 and leaves summary.json with ok true or "
                 "resume_meta.json with completed true; with 0 alone it is "
                 "unproven. `#RELAY done exit0` takes the 0 for proof");
}

/* ---- writing it ---------------------------------------------------------- */

static int write_parts(const struct sweep *sweep, int fd,
                       struct relay_error *err)
{
    static const char *const dirs[] = {SOURCE_DIR, "claims", "records",
                                       "ledgers", "snapshots"};
    size_t i;

    for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        if (mkdirat(fd, dirs[i], 0777) != 0)
            return relay_fail_errno(err, EX_CANTCREAT,
                                    "cannot make the directory %s", dirs[i]);
    }
    if (version_write(fd, SOURCE_DIR "/1", sweep->file, sweep->roster,
                      &sweep->ids, err) != 0 ||
        sweep_write_json(sweep, fd, err) != 0)
        return -1;
    if (fsync(fd) != 0 && errno != EINVAL && errno != EROFS)
        return relay_fail_errno(err, EX_IOERR, "cannot sync %s", sweep->path);
    return 0;
}

/* Names of the directory and of the temporary one, in the parent. */
struct place {
    int parent;
    const char *name;
    char temp[NAME_MAX + 1];
};

static int make_temp(const struct sweep *sweep, struct place *place,
                     struct relay_error *err)
{
    char prefix[NAME_MAX + 1];
    char nonce[33];
    int fd, rc;

    if (file_nonce(nonce, err) != 0)
        return -1;
    if (snprintf(place->temp, sizeof(place->temp), ".%s.tmp-%s", place->name,
                 nonce) >= (int)sizeof(place->temp))
        return relay_fail(err, EX_CANTCREAT, "cannot make %s: the name is too "
                          "long", sweep->path);
    if (mkdirat(place->parent, place->temp, 0777) != 0) {
        rc = relay_fail_errno(err, EX_CANTCREAT, "cannot make %s",
                              sweep->path);
        place->temp[0] = '\0';
        return rc;
    }
    snprintf(prefix, sizeof(prefix), ".%s.tmp-", place->name); /* shorter */
    stale_remove(place->parent, prefix, place->temp);
    fd = file_open_dir(place->parent, place->temp, err);
    if (fd < 0)
        return -1;
    rc = write_parts(sweep, fd, err);
    close(fd);
    return rc;
}

/* Waits until what another made is seen here too: a client of NFS may have
 * kept that it was not there. */
static void await_other(const struct sweep *sweep)
{
    int64_t end = clock_ms() + SEEN_WITHIN_MS;

    while (!sweep_is(sweep->path) && clock_ms() < end)
        clock_sleep_ms(SEEN_WITHIN_MS / 100);
}

/* Onto an empty directory rename succeeds, onto one with something in it it
 * does not: with renameat2's flag an empty one, which a person made for us,
 * would be in the way. */
static int put_in_place(const struct sweep *sweep, struct place *place,
                        struct relay_error *err)
{
    if (renameat(place->parent, place->temp, place->parent, place->name) !=
        0) {
        int why = errno;

        if (why == ENOTEMPTY || why == EEXIST)
            await_other(sweep);
        errno = why;
        return relay_fail_errno(err, EX_CANTCREAT, "cannot make %s",
                                sweep->path);
    }
    place->temp[0] = '\0';
    if (fsync(place->parent) != 0 && errno != EINVAL && errno != EROFS)
        return relay_fail_errno(err, EX_IOERR, "cannot sync the directory of "
                                "%s", sweep->path);
    return 0;
}

static int write_sweep(const struct sweep *sweep, struct relay_error *err)
{
    const char *slash = strrchr(sweep->path, '/');
    char *parent = slash == sweep->path
                       ? strdup("/")
                       : strndup(sweep->path, (size_t)(slash - sweep->path));
    struct place place = {.name = slash + 1};
    int rc;

    if (parent == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    place.parent = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(parent);
    if (place.parent < 0)
        return relay_fail_errno(err, EX_CANTCREAT, "cannot make %s",
                                sweep->path);
    rc = make_temp(sweep, &place, err);
    if (rc == 0)
        rc = put_in_place(sweep, &place, err);
    if (place.temp[0] != '\0')
        (void)file_remove_tree(place.parent, place.temp, NULL); /* ours */
    close(place.parent);
    if (rc != 0 && err != NULL && err->code == EX_IOERR)
        err->code = EX_CANTCREAT;
    return rc;
}

/* ---- creation ------------------------------------------------------------ */

/* The sweep at path is there: is it this one? */
static int use_existing(const char *path, const struct sweep_create *create,
                        struct relay_error *err)
{
    struct sweep sweep;
    int rc = sweep_open(path, &sweep, err);

    if (rc == 0)
        rc = sweep_same(&sweep, create, err);
    sweep_close(&sweep);
    return rc;
}

static int make(const struct sweep_create *create, const char *path,
                struct lint *lint, struct relay_error *err)
{
    struct id_progress progress = {create->progress, create->progress_arg};
    struct sweep sweep = {.fd = -1};
    int rc = -1;

    sweep.path = strdup(path);
    sweep.options = create->options;
    sweep.source = absolute_path(create->source, err);
    if (sweep.path != NULL && sweep.source != NULL &&
        roster_load(create->source, &create->options, NULL, 0, &sweep.roster,
                    lint, err) == 0 &&
        fill(&sweep, err) == 0 &&
        id_index_make(sweep.roster, create->source, &progress, &sweep.ids,
                      err) == 0) {
        check_contract(&sweep, create->source, lint);
        rc = write_sweep(&sweep, err);
    }
    sweep_close(&sweep);
    if (rc != 0 && sweep_is(path)) {
        struct relay_error why = {0};

        /* Another was faster, or the reply to our rename was lost. */
        rc = use_existing(path, create, &why);
        if (rc != 0)
            relay_fail(err, why.code, "%s", why.text);
    }
    return rc;
}

static char *target_of(const struct sweep_create *create,
                       struct relay_error *err)
{
    char *path;

    if (create->dir == NULL)
        return sweep_default_dir(create->source, err);
    path = absolute_path(create->dir, err);
    if (path == NULL && err != NULL)
        err->code = EX_CANTCREAT;
    return path;
}

/* What is there and is no sweep is left alone, but for an empty directory. */
static int check_free(const char *path, struct relay_error *err)
{
    struct stat st;
    DIR *dir;
    const struct dirent *entry = NULL;
    bool empty = true;

    if (lstat(path, &st) != 0)
        return 0; /* the rename says what else is wrong */
    dir = S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    while (dir != NULL && empty && (entry = readdir(dir)) != NULL)
        empty = strcmp(entry->d_name, ".") == 0 ||
                strcmp(entry->d_name, "..") == 0;
    if (dir != NULL)
        closedir(dir);
    /* Another may have made it in the meantime. */
    if ((S_ISDIR(st.st_mode) && empty) || sweep_is(path))
        return 0;
    return relay_fail(err, EX_CANTCREAT, "%s is there, and is not a sweep: "
                      "give another name with -o", path);
}

int sweep_create(const struct sweep_create *create, char *path, size_t size,
                 struct lint *lint, struct relay_error *err)
{
    char *target;
    int rc;

    if (access(create->source, R_OK) != 0)
        return relay_fail_errno(err, EX_NOINPUT, "cannot read %s",
                                create->source);
    if (sweep_is(create->source))
        return relay_fail(err, EX_USAGE, "%s is a sweep already",
                          create->source);
    target = target_of(create, err);
    if (target == NULL)
        return -1;
    if (strlen(target) >= size)
        rc = relay_fail(err, EX_CANTCREAT, "%s: the path is too long", target);
    else if (sweep_is(target))
        rc = use_existing(target, create, err);
    else if ((rc = check_free(target, err)) == 0)
        rc = make(create, target, lint, err);
    if (rc == 0)
        memcpy(path, target, strlen(target) + 1);
    free(target);
    return rc;
}
