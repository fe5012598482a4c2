#include "wandbsync.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"

/* Marks in an attempt's directory. */
#define START "resumed-from" /* the step it began with */
#define REACHED "reached"    /* it left a checkpoint */
#define SENT "sent"

enum { PATH_SIZE = 4300 };

/* --- marks --------------------------------------------------------------- */

static bool marked(const char *path, const char *mark)
{
    char file[PATH_SIZE + 64];

    snprintf(file, sizeof(file), "%s/%s", path, mark);
    return access(file, F_OK) == 0;
}

/* A mark that cannot be made costs a second sending, or a look at the step:
 * nothing is lost. */
static void mark(const char *path, const char *name, const char *text)
{
    char file[PATH_SIZE + 64];

    snprintf(file, sizeof(file), "%s/%s", path, name);
    (void)file_write(AT_FDCWD, file, text, strlen(text), 0666, NULL);
}

void wandbsync_reached(const char *path)
{
    if (!marked(path, REACHED))
        mark(path, REACHED, "");
}

void wandbsync_sent(const char *path)
{
    mark(path, SENT, "");
}

static int64_t started_at(const char *path)
{
    char file[PATH_SIZE + 64];
    char *text;
    int64_t step = -1;

    snprintf(file, sizeof(file), "%s/" START, path);
    text = file_read(AT_FDCWD, file, 64, NULL, NULL);
    if (text != NULL)
        step = strtoll(text, NULL, 10);
    free(text);
    return step;
}

/* --- attempts ------------------------------------------------------------ */

static int64_t attempt_number(const char *name)
{
    char *end;
    int64_t n;

    if (strncmp(name, "attempt-", 8) != 0 || name[8] < '1' || name[8] > '9')
        return 0;
    n = strtoll(name + 8, &end, 10);
    return *end == '\0' ? n : 0;
}

/* The smallest number above after; 0: none. max gets the largest. */
static int64_t scan(const char *path, int64_t after, int64_t *max)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int64_t next = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        int64_t n = attempt_number(entry->d_name);

        if (n > after && (next == 0 || n < next))
            next = n;
        if (max != NULL && n > *max)
            *max = n;
    }
    if (dir != NULL)
        closedir(dir);
    return next;
}

static void attempt_path(const char *dir, int64_t n, char *path, size_t size)
{
    snprintf(path, size, "%s/wandb/attempt-%" PRId64, dir, n);
}

int wandbsync_settle(const char *dir, const char *path, int64_t step,
                     struct relay_error *err)
{
    char root[PATH_SIZE], from[PATH_SIZE], to[PATH_SIZE];
    int64_t n = 0;

    snprintf(root, sizeof(root), "%s/wandb", dir);
    while ((n = scan(root, n, NULL)) != 0) {
        attempt_path(dir, n, from, sizeof(from));
        if ((path != NULL && strcmp(path, from) == 0) ||
            marked(from, REACHED) || marked(from, SENT))
            continue;
        if (step > started_at(from)) {
            wandbsync_reached(from); /* its worker was not there to see it */
            continue;
        }
        snprintf(to, sizeof(to), "%s/wandb/aside", dir);
        if (file_make_dirs(to, 0777, err) != 0)
            return -1;
        snprintf(to, sizeof(to), "%s/wandb/aside/attempt-%" PRId64, dir, n);
        if (rename(from, to) != 0)
            return relay_fail_errno(err, EX_IOERR, "%s cannot be moved aside",
                                    from);
    }
    return 0;
}

int wandbsync_begin(const char *dir, int64_t step, char *path, size_t size,
                    struct relay_error *err)
{
    char root[PATH_SIZE], text[32];
    int64_t max = 0;

    if (wandbsync_settle(dir, NULL, step, err) != 0)
        return -1;
    snprintf(root, sizeof(root), "%s/wandb", dir);
    (void)scan(root, 0, &max);
    snprintf(root, sizeof(root), "%s/wandb/aside", dir);
    (void)scan(root, 0, &max);
    attempt_path(dir, max + 1, path, size);
    if (file_make_dirs(path, 0777, err) != 0)
        return -1;
    snprintf(text, sizeof(text), "%" PRId64 "\n", step);
    mark(path, START, text);
    return 0;
}

/* --- sending ------------------------------------------------------------- */

static int is_offline_run(const struct dirent *entry)
{
    return strncmp(entry->d_name, "offline-run-", 12) == 0;
}

/* Adds the runs of an attempt, oldest first: their number, or -1. */
static int add_runs(const char *path, struct words *argv,
                    struct relay_error *err)
{
    struct dirent **list = NULL;
    char run[PATH_SIZE + 300];
    int i, n, rc = 0;

    snprintf(run, sizeof(run), "%s/wandb", path);
    n = scandir(run, &list, is_offline_run, alphasort);
    for (i = 0; i < n; i++) {
        snprintf(run, sizeof(run), "%s/wandb/%.255s", path, list[i]->d_name);
        if (rc == 0)
            rc = words_add(argv, run, err);
        free(list[i]);
    }
    free(list);
    return rc != 0 ? -1 : n > 0 ? n : 0;
}

int wandbsync_next(const char *dir, const char *program, const char *live,
                   int64_t *after, struct words *argv, char *path, size_t size,
                   struct relay_error *err)
{
    char root[PATH_SIZE];
    int runs;

    snprintf(root, sizeof(root), "%s/wandb", dir);
    while ((*after = scan(root, *after, NULL)) != 0) {
        attempt_path(dir, *after, path, size);
        if (!marked(path, REACHED) || marked(path, SENT))
            continue;
        words_free(argv);
        if (words_add(argv, program, err) != 0 ||
            words_add(argv, "sync", err) != 0)
            return -1;
        if (live != NULL && strcmp(live, path) == 0 &&
            words_add(argv, "--no-mark-synced", err) != 0)
            return -1;
        runs = add_runs(path, argv, err);
        if (runs != 0)
            return runs < 0 ? -1 : 1;
    }
    return 0;
}

/* --- whose run it is ----------------------------------------------------- */

static const char *value_of(char *const *env, const char *name)
{
    size_t len = strlen(name);

    for (; env != NULL && *env != NULL; env++) {
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return *env + len + 1;
    }
    return NULL;
}

/* run-20261122_151200-ID and offline-run-...-ID */
static const char *id_in(const char *name)
{
    const char *at = strncmp(name, "offline-", 8) == 0 ? name + 8 : name;

    if (strncmp(at, "run-", 4) != 0)
        return NULL;
    at = strchr(at + 4, '-');
    return at != NULL && at[1] != '\0' ? at + 1 : NULL;
}

bool wandbsync_other_id(char *const *env, int64_t started, char *id,
                        size_t size)
{
    const char *root = value_of(env, "WANDB_DIR");
    const char *own = value_of(env, "WANDB_RUN_ID");
    bool other = false, ours = false;
    struct dirent *entry;
    char path[PATH_SIZE];
    struct stat st;
    DIR *dir;

    if (root == NULL || own == NULL)
        return false;
    snprintf(path, sizeof(path), "%s/wandb", root);
    dir = opendir(path);
    while (dir != NULL && !ours && (entry = readdir(dir)) != NULL) {
        const char *theirs = id_in(entry->d_name);

        /* Another clock wrote the times: a minute more is allowed for. */
        if (theirs == NULL ||
            fstatat(dirfd(dir), entry->d_name, &st, 0) != 0 ||
            st.st_mtime < started - 60)
            continue;
        ours = strcmp(theirs, own) == 0;
        other = true;
        snprintf(id, size, "%s", theirs);
    }
    if (dir != NULL)
        closedir(dir);
    return other && !ours;
}
