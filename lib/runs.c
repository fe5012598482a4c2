#include "runs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "digest.h"
#include "key.h"
#include "meta.h"

enum { SHOWN = 5, NAME_MAX_COMPARED = 255 };

static int copy_meta(struct run_entry *e, const struct meta *meta)
{
    const char *name = meta_name(meta);

    e->step = meta->step;
    e->completed = meta->completed;
    e->stub = meta->moved_to != NULL;
    if (e->stub)
        snprintf(e->moved_to, sizeof(e->moved_to), "%s", meta->moved_to);
    if (name == NULL)
        return 0;
    e->name = strdup(name);
    if (e->name == NULL)
        return -1;
    if (meta->entity != NULL && meta->project != NULL &&
        asprintf(&e->key, "%s/%s/%s", meta->entity, meta->project, name) < 0) {
        e->key = NULL;
        return -1;
    }
    return 0;
}

/* A key that does not hash to its directory is not the run's key. */
static void check_key(struct run_entry *e)
{
    char hash[41];

    if (e->key != NULL && (digest_key(e->key, hash, NULL) != 0 ||
                           strcmp(hash, e->hash) != 0)) {
        free(e->key);
        e->key = NULL;
    }
}

/* 1 added, 0 no run, -1 out of memory. */
static int read_entry(int rootfd, const char *hash, struct run_entry *e)
{
    struct meta meta;
    struct stat st;
    int rc = 0;
    int dirfd;

    memset(e, 0, sizeof(*e));
    e->step = -1;
    snprintf(e->hash, sizeof(e->hash), "%.40s", hash);
    dirfd = openat(rootfd, hash, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        return 0;
    if (fstatat(dirfd, META_FILE, &st, 0) != 0) {
        close(dirfd);
        return 0;
    }
    e->mtime = st.st_mtime;
    /* One that cannot be parsed is listed too, without a name. */
    if (meta_read(dirfd, hash, &meta, NULL) == 0) {
        rc = copy_meta(e, &meta);
        check_key(e);
        meta_free(&meta);
    }
    close(dirfd);
    return rc == 0 ? 1 : -1;
}

static int by_name(const void *a, const void *b)
{
    const struct run_entry *x = a;
    const struct run_entry *y = b;
    int order;

    if (x->name == NULL || y->name == NULL)
        return (x->name == NULL) - (y->name == NULL);
    order = strcmp(x->name, y->name);
    return order != 0 ? order : strcmp(x->hash, y->hash);
}

static int add_entry(struct run_list *list, size_t *room,
                     const struct run_entry *e)
{
    struct run_entry *grown;

    if (list->n == *room) {
        *room = *room > 0 ? *room * 2 : 64;
        grown = realloc(list->runs, *room * sizeof(*grown));
        if (grown == NULL)
            return -1;
        list->runs = grown;
    }
    list->runs[list->n++] = *e;
    return 0;
}

static int read_all(int rootfd, DIR *dir, struct run_list *list,
                    struct relay_error *err)
{
    struct dirent *entry;
    struct run_entry e;
    size_t room = 0;
    int rc;

    while ((errno = 0, entry = readdir(dir)) != NULL) {
        if (!key_is_hash(entry->d_name) ||
            strpbrk(entry->d_name, "ABCDEF") != NULL)
            continue; /* the hashes of trainings are in lower case */
        rc = read_entry(rootfd, entry->d_name, &e);
        if (rc == 1)
            rc = add_entry(list, &room, &e);
        if (rc < 0) {
            free(e.name);
            free(e.key);
            return relay_fail(err, EX_OSERR, "out of memory");
        }
    }
    if (errno != 0)
        return relay_fail_errno(err, EX_IOERR, "cannot read the directory");
    return 0;
}

int runs_list(const char *root, struct run_list *list, struct relay_error *err)
{
    DIR *dir;
    int fd;
    int rc;

    memset(list, 0, sizeof(*list));
    fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        relay_fail_errno(err, EX_IOERR, "%s", root);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    rc = read_all(fd, dir, list, err);
    closedir(dir);
    if (rc != 0) {
        runs_free(list);
        return relay_fail_in(err, "%s", root);
    }
    if (list->n > 1)
        qsort(list->runs, list->n, sizeof(list->runs[0]), by_name);
    return 0;
}

void runs_free(struct run_list *list)
{
    size_t i;

    for (i = 0; i < list->n; i++) {
        free(list->runs[i].name);
        free(list->runs[i].key);
    }
    free(list->runs);
    memset(list, 0, sizeof(*list));
}

/* Levenshtein's distance, of the first NAME_MAX_COMPARED bytes. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_COMPARED + 1];
    size_t la = strnlen(a, NAME_MAX_COMPARED);
    size_t lb = strnlen(b, NAME_MAX_COMPARED);
    size_t i, j, left_up, up, best;

    for (j = 0; j <= lb; j++)
        row[j] = j;
    for (i = 1; i <= la; i++) {
        left_up = row[0];
        row[0] = i;
        for (j = 1; j <= lb; j++) {
            up = row[j];
            best = left_up + (a[i - 1] != b[j - 1]);
            if (up + 1 < best)
                best = up + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            left_up = up;
        }
    }
    return row[lb];
}

struct near {
    size_t distance;
    size_t at;
};

static int by_distance(const void *a, const void *b)
{
    const struct near *x = a;
    const struct near *y = b;

    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static void print_entry(FILE *out, const struct run_entry *e)
{
    const char *name = e->key != NULL    ? e->key
                       : e->name != NULL ? e->name : e->hash;
    size_t i;

    fputs("  ", out);
    for (i = 0; name[i] != '\0'; i++)
        putc(iscntrl((unsigned char)name[i]) ? '?' : name[i], out);
    if (e->step >= 0)
        fprintf(out, " (step %lld)", (long long)e->step);
    putc('\n', out);
}

char *runs_nearest(const struct run_list *list, const char *name, size_t n)
{
    struct near *near = calloc(list->n + 1, sizeof(*near));
    char *text = NULL;
    size_t size;
    size_t i;
    FILE *out = open_memstream(&text, &size);

    if (near == NULL || out == NULL) {
        free(near);
        if (out != NULL)
            fclose(out);
        free(text);
        return NULL;
    }
    for (i = 0; i < list->n; i++) {
        near[i].at = i;
        near[i].distance = list->runs[i].name != NULL
                               ? distance(list->runs[i].name, name)
                               : NAME_MAX_COMPARED + 1;
    }
    qsort(near, list->n, sizeof(*near), by_distance);
    for (i = 0; i < n && i < list->n; i++)
        print_entry(out, &list->runs[near[i].at]);
    free(near);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static bool fits(const struct run_entry *e, const char *typed)
{
    size_t len = strlen(typed);

    if (e->name != NULL && strcmp(e->name, typed) == 0)
        return true;
    return len >= 6 && len <= KEY_HASH_LEN &&
           strspn(typed, "0123456789abcdef") == len &&
           strncmp(e->hash, typed, len) == 0;
}

static int refuse_many(const struct run_list *list, const char *typed,
                       struct relay_error *err)
{
    char text[800] = "";
    size_t used = 0;
    size_t i;

    for (i = 0; i < list->n && used < sizeof(text) - 160; i++)
        if (fits(&list->runs[i], typed))
            used += (size_t)snprintf(text + used, sizeof(text) - used,
                                     "\n  %s %.100s", list->runs[i].hash,
                                     list->runs[i].name != NULL
                                         ? list->runs[i].name : "");
    return relay_fail(err, EX_DATAERR, "%.100s is more than one run; name it "
                                       "by its hash:%s", typed, text);
}

int runs_resolve(const struct run_list *list, const char *typed,
                 char hash[41], struct relay_error *err)
{
    const struct run_entry *found = NULL;
    size_t count = 0;
    char *near;
    size_t i;

    if (key_is_hash(typed) || (strchr(typed, '/') != NULL &&
                               key_check(typed, NULL) == 0))
        return digest_key(typed, hash, err);
    for (i = 0; i < list->n; i++) {
        if (fits(&list->runs[i], typed)) {
            found = &list->runs[i];
            count++;
        }
    }
    if (count > 1)
        return refuse_many(list, typed, err);
    if (count == 1) {
        memcpy(hash, found->hash, sizeof(found->hash));
        return 0;
    }
    near = runs_nearest(list, typed, SHOWN);
    relay_fail(err, EX_DATAERR, "no run is called %.200s%s%s", typed,
               near != NULL && near[0] != '\0' ? "; nearest:\n" : "",
               near != NULL ? near : "");
    free(near);
    return -1;
}
