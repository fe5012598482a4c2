#include "manifest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "digest.h"
#include "file.h"
#include "jsonfile.h"

enum { MAX_DEPTH = 32 };

#define MAX_SIZE ((int64_t)1 << 53) /* so that no sum overflows */

/* Names come from other machines and from files: none may lead out of the
 * directory that it is relative to. */
static bool stays_inside(const char *path)
{
    for (;;) {
        size_t len = strcspn(path, "/");

        if (len == 0 || (len == 1 && path[0] == '.') ||
            (len == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        if (path[len] == '\0')
            return true;
        path += len + 1;
    }
}

static int check_file(const char *path, int64_t size, const char *sha256,
                      struct relay_error *err)
{
    size_t hex = sha256 != NULL ? strlen(sha256) : 0;

    if (!stays_inside(path))
        return relay_fail(err, EX_DATAERR,
                          "\"%.200s\" is not the name of a file inside the "
                          "directory", path);
    if (size < 0 || size > MAX_SIZE)
        return relay_fail(err, EX_DATAERR, "%.200s cannot have %lld bytes",
                          path, (long long)size);
    if (hex != 0 && (hex != DIGEST_HEX - 1 ||
                     strspn(sha256, "0123456789abcdef") != hex))
        return relay_fail(err, EX_DATAERR, "%.200s: \"%.80s\" is not a "
                                           "SHA-256", path, sha256);
    return 0;
}

int manifest_add(struct manifest *m, const char *path, int64_t size,
                 int64_t mtime_ns, const char *sha256, struct relay_error *err)
{
    struct manifest_file *files;
    struct manifest_file *f;

    if (check_file(path, size, sha256, err) != 0)
        return -1;
    files = realloc(m->files, (m->n + 1) * sizeof(*files));
    if (files == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    m->files = files;
    f = &files[m->n];
    memset(f, 0, sizeof(*f));
    f->path = strdup(path);
    if (f->path == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    f->size = size;
    f->mtime_ns = mtime_ns;
    snprintf(f->sha256, sizeof(f->sha256), "%s",
             sha256 != NULL ? sha256 : "");
    m->n++;
    m->bytes += size;
    return 0;
}

void manifest_free(struct manifest *m)
{
    size_t i;

    for (i = 0; i < m->n; i++)
        free(m->files[i].path);
    free(m->files);
    memset(m, 0, sizeof(*m));
}

const struct manifest_file *manifest_find(const struct manifest *m,
                                          const char *path)
{
    size_t i;

    for (i = 0; i < m->n; i++)
        if (strcmp(m->files[i].path, path) == 0)
            return &m->files[i];
    return NULL;
}

/* One walk: what is passed down. */
struct walk {
    struct manifest *m;
    int with_digests;
    struct relay_error *err;
};

static int walk_dir(const struct walk *w, int dirfd, const char *prefix,
                    int depth);

static int add_file(const struct walk *w, int dirfd, const char *name,
                    const char *path, const struct stat *st)
{
    char hex[DIGEST_HEX] = "";

    if (w->with_digests &&
        digest_file(dirfd, name, hex, NULL, NULL, w->err) != 0)
        return relay_fail_in(w->err, "%s", path);
    return manifest_add(w->m, path, st->st_size,
                        (int64_t)st->st_mtim.tv_sec * 1000000000 +
                            st->st_mtim.tv_nsec,
                        hex, w->err);
}

static int walk_entry(const struct walk *w, int dirfd, const char *prefix,
                      const char *name, int depth)
{
    char path[4096];
    struct stat st;
    int sub;
    int rc;

    if ((size_t)snprintf(path, sizeof(path), "%s%s", prefix, name) >=
        sizeof(path) - 2)
        return relay_fail(w->err, EX_DATAERR, "%.200s...: the path is too "
                                              "long", path);
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return relay_fail_errno(w->err, EX_IOERR, "%s", path);
    if (S_ISREG(st.st_mode))
        return add_file(w, dirfd, name, path, &st);
    if (!S_ISDIR(st.st_mode))
        return relay_fail(w->err, EX_DATAERR,
                          "%s is a symlink or a special file, which is not "
                          "copied", path);
    if (depth >= MAX_DEPTH)
        return relay_fail(w->err, EX_DATAERR, "%s: more than %d directories "
                                              "deep", path, MAX_DEPTH);
    sub = file_open_dir(dirfd, name, w->err);
    if (sub < 0)
        return -1;
    memcpy(path + strlen(path), "/", 2); /* two bytes were left for it */
    rc = walk_dir(w, sub, path, depth + 1);
    close(sub);
    return rc;
}

static int walk_dir(const struct walk *w, int dirfd, const char *prefix,
                    int depth)
{
    DIR *dir = file_list(dirfd);
    struct dirent *entry;
    int rc = 0;

    if (dir == NULL)
        return relay_fail_errno(w->err, EX_IOERR, "%s", prefix);
    while (rc == 0 && (errno = 0, entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0)
            rc = walk_entry(w, dirfd, prefix, entry->d_name, depth);
    if (rc == 0 && errno != 0) /* half a list is no list */
        rc = relay_fail_errno(w->err, EX_IOERR, "cannot read the directory "
                                                "\"%s\"", prefix);
    closedir(dir);
    return rc;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct manifest_file *)a)->path,
                  ((const struct manifest_file *)b)->path);
}

int manifest_of_dir(int dirfd, const char *path, int with_digests,
                    struct manifest *m, struct relay_error *err)
{
    struct walk w = {.m = m, .with_digests = with_digests, .err = err};
    int fd = file_open_dir(dirfd, path, err);
    int rc;

    if (fd < 0)
        return -1;
    rc = walk_dir(&w, fd, "", 0);
    close(fd);
    if (rc == 0 && m->n > 1)
        qsort(m->files, m->n, sizeof(m->files[0]), by_path);
    return rc;
}

static size_t note_difference(char *text, size_t size, size_t count,
                              const char *path, const char *what)
{
    size_t used = strlen(text);

    if (count < 3 && used < size)
        snprintf(text + used, size - used, "%s%.200s %s",
                 count > 0 ? ", " : "", path, what);
    return count + 1;
}

size_t manifest_diff(const struct manifest *want, const struct manifest *have,
                     char *text, size_t size)
{
    const struct manifest_file *a;
    const struct manifest_file *b;
    size_t count = 0;
    size_t i;

    text[0] = '\0';
    for (i = 0; i < want->n; i++) {
        a = &want->files[i];
        b = manifest_find(have, a->path);
        if (b == NULL)
            count = note_difference(text, size, count, a->path, "is missing");
        else if (a->size != b->size)
            count = note_difference(text, size, count, a->path,
                                    "has another size");
        else if (strcmp(a->sha256, b->sha256) != 0)
            count = note_difference(text, size, count, a->path,
                                    "has another digest");
    }
    return count;
}

struct json_object *manifest_to_json(const struct manifest *m)
{
    struct json_object *array = json_object_new_array();
    struct json_object *one;
    size_t i;

    for (i = 0; i < m->n; i++) {
        one = json_object_new_object();
        json_add_str(one, "path", m->files[i].path);
        json_add_int(one, "size", m->files[i].size);
        json_add_int(one, "mtime_ns", m->files[i].mtime_ns);
        json_add_str(one, "sha256", m->files[i].sha256);
        json_object_array_add(array, one);
    }
    return array;
}

int manifest_from_json(struct json_object *array, struct manifest *m,
                       struct relay_error *err)
{
    struct json_object *one;
    const char *path;
    size_t i;

    if (!json_object_is_type(array, json_type_array))
        return relay_fail(err, EX_DATAERR, "the manifest has no list of "
                                           "files");
    for (i = 0; i < json_object_array_length(array); i++) {
        one = json_object_array_get_idx(array, i);
        path = json_str(one, "path", NULL);
        if (path == NULL)
            return relay_fail(err, EX_DATAERR,
                              "file %zu of the manifest has no path", i + 1);
        if (manifest_add(m, path, json_int(one, "size", 0),
                         json_int(one, "mtime_ns", 0),
                         json_str(one, "sha256", ""), err) != 0)
            return -1;
    }
    return 0;
}
