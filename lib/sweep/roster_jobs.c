/* A directory of NAME/JOB.slurm as a roster: each is a cell, listed by name.
 * Its one parameter is where the script is, relative to the directory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "roster_kind.h"

#define JOB_FILE "JOB.slurm"

struct jobs_roster {
    char **names;
    size_t n;
    size_t room;
};

static const struct jobs_roster *data_of(const struct roster *r)
{
    return r->data;
}

static int add_name(struct jobs_roster *j, const char *name,
                    struct relay_error *err)
{
    if (j->n == j->room) {
        size_t room = j->room != 0 ? j->room * 2 : 64;
        char **names = realloc(j->names, room * sizeof(*names));

        if (names == NULL)
            return relay_fail(err, EX_OSERR, "out of memory");
        j->names = names;
        j->room = room;
    }
    j->names[j->n] = strdup(name);
    if (j->names[j->n] == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    j->n++;
    return 0;
}

static int look_at(struct roster *r, int dirfd, const char *name,
                   struct relay_error *err)
{
    char path[NAME_MAX + sizeof("/" JOB_FILE)];
    struct stat st;

    snprintf(path, sizeof(path), "%s/" JOB_FILE, name);
    if (name[0] == '.' || fstatat(dirfd, path, &st, 0) != 0 ||
        !S_ISREG(st.st_mode))
        return 0;
    if (!id_valid(name, strlen(name)))
        return relay_fail(err, EX_DATAERR,
                          "%s: the directory \"%.140s\" names a cell, and is "
                          "not of A-Z a-z 0-9 . _ - (beginning with a letter "
                          "or digit)", r->path, name);
    return add_name(r->data, name, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int jobs_open(struct roster *r, struct lint *lint,
                     struct relay_error *err)
{
    struct jobs_roster *j = calloc(1, sizeof(*j));
    const struct dirent *entry;
    int rc = 0;
    DIR *dir;

    (void)lint;
    if (j == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    r->data = j;
    dir = opendir(r->path);
    if (dir == NULL)
        return relay_fail_errno(err, EX_NOINPUT, "cannot read %s", r->path);
    while (rc == 0 && (errno = 0, entry = readdir(dir)) != NULL)
        rc = look_at(r, dirfd(dir), entry->d_name, err);
    if (rc == 0 && errno != 0)
        rc = relay_fail_errno(err, EX_IOERR, "cannot read %s", r->path);
    closedir(dir);
    if (rc == 0 && j->n == 0)
        rc = relay_fail(err, EX_DATAERR, "%s: no sweep, and there is no "
                        "NAME/" JOB_FILE " in it", r->path);
    if (rc == 0)
        qsort(j->names, j->n, sizeof(*j->names), by_name);
    return rc;
}

static void jobs_close(struct roster *r)
{
    struct jobs_roster *j = r->data;
    size_t i;

    if (j == NULL)
        return;
    for (i = 0; i < j->n; i++)
        free(j->names[i]);
    free(j->names);
    free(j);
}

static uint64_t jobs_size(const struct roster *r)
{
    return data_of(r)->n;
}

static int jobs_id(const struct roster *r, uint64_t index,
                   char id[CELL_ID_MAX + 1], struct relay_error *err)
{
    (void)err;
    snprintf(id, CELL_ID_MAX + 1, "%s", data_of(r)->names[index]);
    return 0;
}

static int jobs_params(const struct roster *r, uint64_t index,
                       struct value *params, struct relay_error *err)
{
    struct text path = {0};
    struct value v = {0};
    int rc = -1;

    *params = (struct value){.kind = VALUE_DICT};
    text_printf(&path, "%s/" JOB_FILE, data_of(r)->names[index]);
    if (path.failed)
        relay_fail(err, EX_OSERR, "out of memory");
    else if (value_set_str(&v, path.s, path.len, err) == 0)
        rc = value_put(params, "job", &v, err);
    text_free(&path);
    return rc;
}

const struct roster_kind_ops roster_jobs = {
    .open = jobs_open,
    .close = jobs_close,
    .size = jobs_size,
    .id = jobs_id,
    .params = jobs_params,
};
