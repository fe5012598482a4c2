#define _GNU_SOURCE 1
#include "meta.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "meta_scan.h"

#define BLOCK ((size_t)1 << 20)

/* A text that grows. */
struct text {
    char *data;
    size_t len;
    size_t room;
};

static int add(struct text *t, const char *data, size_t len)
{
    if (t->len + len + 1 > t->room) {
        size_t room = (t->len + len + 1) * 2;
        char *more = realloc(t->data, room);

        if (more == NULL)
            return -1;
        t->data = more;
        t->room = room;
    }
    memcpy(t->data + t->len, data, len);
    t->len += len;
    t->data[t->len] = '\0';
    return 0;
}

static size_t length_without_slashes(const char *path)
{
    size_t len = strlen(path);

    while (len > 0 && path[len - 1] == '/')
        len--;
    return len;
}

static char *join(const char *dir, const char *rest, size_t rest_len)
{
    size_t len = length_without_slashes(dir);
    char *out = malloc(len + rest_len + 2);

    if (out == NULL)
        return NULL;
    memcpy(out, dir, len);
    out[len] = '/';
    memcpy(out + len + 1, rest, rest_len);
    out[len + 1 + rest_len] = '\0';
    return out;
}

/* The map whose old path is the longest that path is at or under. */
static const struct path_map *find_map(const char *path,
                                       const struct path_map *maps, size_t n)
{
    const struct path_map *best = NULL;
    size_t best_len = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        size_t len = length_without_slashes(maps[i].from);

        if (strncmp(path, maps[i].from, len) != 0 ||
            (path[len] != '/' && path[len] != '\0'))
            continue;
        if (best == NULL || len > best_len) {
            best = &maps[i];
            best_len = len;
        }
    }
    return best;
}

/* path with its map applied, malloc'd. */
static char *follow_map(const char *path, const struct path_map *map)
{
    const char *rest = path + length_without_slashes(map->from);

    while (*rest == '/')
        rest++;
    if (*rest == '\0')
        return strdup(map->to);
    return join(map->to, rest, strlen(rest));
}

static bool climbs(const char *path)
{
    const char *p = path;

    for (;;) {
        size_t len = strcspn(p, "/");

        if (len == 2 && p[0] == '.' && p[1] == '.')
            return true;
        if (p[len] == '\0')
            return false;
        p += len + 1;
    }
}

static char *local_run_dir(const char *old, const char *run_root,
                           const struct path_map *maps, size_t nmaps,
                           struct relay_error *err)
{
    const struct path_map *map =
        old[0] == '/' ? find_map(old, maps, nmaps) : NULL;
    size_t end = length_without_slashes(old);
    size_t begin = end;
    size_t len;
    char *out;

    while (begin > 0 && old[begin - 1] != '/')
        begin--;
    len = end - begin;
    if (len == 0 || (len == 1 && old[begin] == '.') ||
        (len == 2 && old[begin] == '.' && old[begin + 1] == '.')) {
        relay_fail(err, EX_DATAERR, "%s: run_dir \"%.200s\" does not end in "
                                    "the name of a directory", META_FILE, old);
        return NULL;
    }
    if (map == NULL && run_root == NULL) {
        relay_fail(err, EX_CONFIG, "where is run_dir \"%.200s\" to go? No "
                                   "entry of path_map: fits it", old);
        return NULL;
    }
    if (map != NULL && climbs(old)) {
        relay_fail(err, EX_DATAERR, "%s: run_dir \"%.200s\" has \"..\" in it",
                   META_FILE, old);
        return NULL;
    }
    out = map != NULL ? follow_map(old, map) : join(run_root, old + begin, len);
    if (out == NULL)
        relay_fail(err, EX_OSERR, "%s: out of memory", META_FILE);
    return out;
}

/* What a member's value becomes, malloc'd, or NULL: it stays. */
static char *local_value(const struct scan *scan, const struct member *m,
                         const char *run_dir, const struct path_map *maps,
                         size_t nmaps)
{
    const struct path_map *map = NULL;
    char *old = scan_string(scan, m->value, NULL);
    char *path = NULL;
    char *quoted = NULL;

    if (old == NULL)
        return NULL;
    if (run_dir != NULL && scan_key_is(scan, m, "run_dir"))
        quoted = meta_quote(run_dir);
    else if (old[0] == '/' && !climbs(old))
        map = find_map(old, maps, nmaps);
    if (map != NULL) {
        path = follow_map(old, map);
        quoted = path != NULL ? meta_quote(path) : NULL;
    }
    free(path);
    free(old);
    return quoted;
}

static int rewrite(const struct meta *meta, const struct scan *scan,
                   const char *run_dir, const struct path_map *maps,
                   size_t nmaps, struct text *out)
{
    size_t pos = 0;
    size_t i;

    for (i = 0; i < scan->n; i++) {
        const struct member *m = &scan->members[i];
        char *value = local_value(scan, m, run_dir, maps, nmaps);
        int rc = 0;

        if (value == NULL)
            continue;
        rc |= add(out, meta->text + pos, m->value.begin - pos);
        rc |= add(out, value, strlen(value));
        pos = m->value.end;
        free(value);
        if (rc != 0)
            return -1;
    }
    return add(out, meta->text + pos, meta->len - pos);
}

char *meta_localise(const struct meta *meta, const char *run_root,
                    const struct path_map *maps, size_t nmaps, char **run_dir,
                    size_t *out_len, struct relay_error *err)
{
    struct text out = {0};
    struct scan scan;
    char *text = NULL;

    *run_dir = NULL;
    if (meta->run_dir != NULL) {
        *run_dir = local_run_dir(meta->run_dir, run_root, maps, nmaps, err);
        if (*run_dir == NULL)
            return NULL;
    }
    if (scan_text(meta->text, meta->len, META_FILE, &scan, err) == 0) {
        if (rewrite(meta, &scan, *run_dir, maps, nmaps, &out) == 0)
            text = meta_remove(out.data, out.len, "moved_to", out_len, err);
        else
            relay_fail(err, EX_OSERR, "%s: out of memory", META_FILE);
        scan_free(&scan);
    }
    free(out.data);
    if (text == NULL) {
        free(*run_dir);
        *run_dir = NULL;
    }
    return text;
}

/* Reads into buf + have until it is full or the file ends. */
static size_t fill(int fd, char *buf, size_t have, size_t room)
{
    while (have < room) {
        ssize_t n = read(fd, buf + have, room - have);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    return have;
}

bool meta_path_in_file(int dirfd, const char *path, const char *needle)
{
    size_t want = strlen(needle);
    char *buf = want > 0 && want < BLOCK ? malloc(BLOCK) : NULL;
    int fd = openat(dirfd, path,
                    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool found = false;
    size_t have = 0;

    while (buf != NULL && fd >= 0 && !found) {
        size_t before = have;

        have = fill(fd, buf, have, BLOCK);
        if (have == before)
            break;
        found = memmem(buf, have, needle, want) != NULL;
        if (have >= want) { /* the end may be a needle's beginning */
            memmove(buf, buf + have - (want - 1), want - 1);
            have = want - 1;
        }
    }
    if (fd >= 0)
        close(fd);
    free(buf);
    return found;
}
