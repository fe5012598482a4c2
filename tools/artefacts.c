#include "artefacts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "done.h"
#include "sweep/roster.h"

enum {
    DEEPEST = 32,
    PATH_LEN = 4096,
    MANY_PARENTS = 256 /* each cell has its own: there is no beside */
};

static bool is_artefact(const char *name)
{
    static const char *const ends[] = {".pt", ".pth", ".ckpt", ".safetensors",
                                       ".json", ".npz", NULL};
    size_t len = strlen(name), i;

    for (i = 0; ends[i] != NULL; i++) {
        size_t n = strlen(ends[i]);

        if (len > n && strcasecmp(name + len - n, ends[i]) == 0)
            return true;
    }
    return false;
}

/* The reason alone: "/long/way/NAME: why" tells again where it is. */
static const char *reason(const char *why, const char *name)
{
    const char *at = why[0] == '/' ? strstr(why, name) : NULL;

    if (at == NULL)
        return why;
    at += strlen(name);
    return at + strspn(at, ": ");
}

struct walk {
    bool deep;
    artefact_fn *bad;
    void *arg;
    size_t looked;
};

/* A symlink may name a file outside: then its target is what is checked. */
static void check_file(struct walk *w, int dirfd, const char *name,
                       const char *path)
{
    char why[400] = "";
    char target[PATH_LEN];
    struct stat st;

    w->looked++;
    if (fstatat(dirfd, name, &st, 0) != 0) {
        w->bad(w->arg, path, errno == ENOENT ? "a symlink to nothing"
                                             : strerror(errno));
        return;
    }
    if (!S_ISREG(st.st_mode))
        return;
    if (st.st_size == 0) {
        w->bad(w->arg, path, "");
        return;
    }
    if (!w->deep)
        return;
    snprintf(target, sizeof(target), "/proc/self/fd/%d/%s", dirfd, name);
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(st.st_mode)) {
        char *real = realpath(target, NULL);

        if (real != NULL && !done_file_loads(AT_FDCWD, real, why,
                                             sizeof(why)))
            w->bad(w->arg, path, reason(why, basename(real)));
        free(real);
        return;
    }
    if (!done_file_loads(dirfd, name, why, sizeof(why)))
        w->bad(w->arg, path, reason(why, name));
}

static void walk_dir(struct walk *w, int fd, const char *path, int depth);

static void look_at(struct walk *w, int fd, const struct dirent *entry,
                    const char *path, int depth)
{
    char below[PATH_LEN];
    struct stat st;
    int sub;

    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
        snprintf(below, sizeof(below), "%s%s%s", path,
                 path[0] != '\0' ? "/" : "", entry->d_name) >=
            (int)sizeof(below) ||
        fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    if (S_ISDIR(st.st_mode) && depth < DEEPEST) {
        sub = openat(fd, entry->d_name,
                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub >= 0)
            walk_dir(w, sub, below, depth + 1);
        else
            w->bad(w->arg, below, strerror(errno));
    } else if (is_artefact(entry->d_name)) {
        check_file(w, fd, entry->d_name, below);
    }
}

/* Closes fd. */
static void walk_dir(struct walk *w, int fd, const char *path, int depth)
{
    DIR *dir = fdopendir(fd);
    const struct dirent *entry;

    if (dir == NULL) {
        close(fd);
        return;
    }
    while ((entry = readdir(dir)) != NULL)
        look_at(w, fd, entry, path, depth);
    closedir(dir);
}

size_t artefacts_check(const char *dir, bool deep, artefact_fn *bad,
                       void *arg)
{
    struct walk w = {.deep = deep, .bad = bad, .arg = arg};
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0)
        walk_dir(&w, fd, "", 0);
    return w.looked;
}

/* --- directories of nobody ----------------------------------------------- */

static int know_parent(struct strays *s, const char *dir, size_t len)
{
    char **more;
    size_t i = s->nparents;

    while (i-- > 0) /* the last one fits, mostly */
        if (strncmp(s->parents[i], dir, len) == 0 &&
            s->parents[i][len] == '\0')
            return 0;
    if (s->nparents == MANY_PARENTS)
        return 0;
    more = realloc(s->parents, (s->nparents + 1) * sizeof(*more));
    if (more == NULL)
        return -1;
    s->parents = more;
    s->parents[s->nparents] = strndup(dir, len);
    return s->parents[s->nparents++] != NULL ? 0 : -1;
}

int strays_know(struct strays *s, const char *dir)
{
    const char *slash = strrchr(dir, '/');
    size_t room = s->room == 0 ? 1024 : s->room * 2;
    unsigned long long *more;

    if (s->nknown == s->room) {
        more = realloc(s->known, room * sizeof(*more));
        if (more == NULL)
            return -1;
        s->known = more;
        s->room = room;
    }
    s->known[s->nknown++] = roster_id_key(dir);
    return slash == NULL || slash == dir
               ? 0
               : know_parent(s, dir, (size_t)(slash - dir));
}

static int by_value(const void *a, const void *b)
{
    unsigned long long x = *(const unsigned long long *)a;
    unsigned long long y = *(const unsigned long long *)b;

    return (x > y) - (x < y);
}

static bool is_ours(const struct strays *s, const char *dir)
{
    unsigned long long key = roster_id_key(dir);
    size_t len = strlen(dir), i;
    char path[PATH_LEN + 16];

    if (bsearch(&key, s->known, s->nknown, sizeof(key), by_value) != NULL)
        return true;
    for (i = 0; i < s->nparents; i++)
        if (strncmp(s->parents[i], dir, len) == 0 &&
            (s->parents[i][len] == '\0' || s->parents[i][len] == '/'))
            return true;
    snprintf(path, sizeof(path), "%s/sweep.json", dir);
    return access(path, F_OK) == 0;
}

static void look_beside(const struct strays *s, const char *parent,
                        void (*found)(void *arg, const char *dir), void *arg)
{
    DIR *dir = opendir(parent);
    const struct dirent *entry;
    char path[PATH_LEN];
    struct stat st;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.' ||
            snprintf(path, sizeof(path), "%s/%s", parent, entry->d_name) >=
                (int)sizeof(path) ||
            lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) || is_ours(s, path))
            continue;
        found(arg, path);
    }
    if (dir != NULL)
        closedir(dir);
}

void strays_find(struct strays *s, void (*found)(void *arg, const char *dir),
                 void *arg)
{
    size_t i;

    if (s->nknown > 1)
        qsort(s->known, s->nknown, sizeof(*s->known), by_value);
    for (i = 0; i < s->nparents; i++)
        look_beside(s, s->parents[i], found, arg);
}

void strays_free(struct strays *s)
{
    size_t i;

    for (i = 0; i < s->nparents; i++)
        free(s->parents[i]);
    free(s->parents);
    free(s->known);
    *s = (struct strays){0};
}
