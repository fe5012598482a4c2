#include "history.h"

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

#include "clock.h"
#include "file.h"
#include "jsonfile.h"

#define DIR_NAME "history"

enum { MAX_FILE = 64 << 20 };

int history_add(int relayfd, const char *nonce, const char *event,
                struct json_object *extra, struct relay_error *err)
{
    struct json_object *line = json_object_new_object();
    char path[128];
    int rc;

    json_add_int(line, "format", 1);
    json_add_int(line, "time", clock_wall());
    json_add_str(line, "event", event);
    if (extra != NULL) {
        json_object_object_foreach(extra, name, val)
            json_object_object_add(line, name, json_object_get(val));
    }
    snprintf(path, sizeof(path), DIR_NAME "/%s.jsonl", nonce);
    if (mkdirat(relayfd, DIR_NAME, 0700) != 0 && errno != EEXIST)
        rc = relay_fail_errno(err, EX_CANTCREAT, "%s", DIR_NAME);
    else
        rc = file_append_line(relayfd, path,
                              json_object_to_json_string_ext(
                                  line, JSON_C_TO_STRING_PLAIN),
                              err);
    json_object_put(line);
    return rc;
}

/* Events of all writers, with their places for a stable order. */
struct events {
    struct event {
        struct json_object *obj;
        int64_t time;
        size_t place;
    } *list;
    size_t n;
    size_t room;
};

/* Takes obj over. 0, or -1 out of memory. */
static int add_event(struct events *all, struct json_object *obj)
{
    if (all->n == all->room) {
        size_t room = all->room > 0 ? all->room * 2 : 64;
        struct event *more = realloc(all->list, room * sizeof(*more));

        if (more == NULL) {
            json_object_put(obj);
            return -1;
        }
        all->list = more;
        all->room = room;
    }
    all->list[all->n] =
        (struct event){obj, json_int(obj, "time", 0), all->n};
    all->n++;
    return 0;
}

/* The lines of one writer; a torn last line (or any that is not ours to
 * read) is left out. */
static int add_lines(struct events *all, const char *text, size_t len)
{
    const char *end;

    while ((end = memchr(text, '\n', len)) != NULL) {
        size_t n = (size_t)(end - text);
        struct json_object *obj = json_parse(text, n, DIR_NAME, NULL);

        if (json_object_is_type(obj, json_type_object) &&
            json_int(obj, "format", 0) == 1) {
            if (add_event(all, obj) != 0)
                return -1;
        } else {
            json_object_put(obj);
        }
        text = end + 1;
        len -= n + 1;
    }
    return 0;
}

/* By time; what one writer wrote in one second stays in its order. */
static int by_time(const void *a, const void *b)
{
    const struct event *x = a;
    const struct event *y = b;

    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static bool is_history(const char *name)
{
    size_t len = strlen(name);

    return name[0] != '.' && len > 6 && strcmp(name + len - 6, ".jsonl") == 0;
}

static int read_files(DIR *dir, struct events *all, struct relay_error *err)
{
    struct dirent *entry;

    while ((errno = 0, entry = readdir(dir)) != NULL) {
        struct relay_error why = {0};
        size_t len = 0;
        char *text;
        int rc;

        if (!is_history(entry->d_name))
            continue;
        text = file_read(dirfd(dir), entry->d_name, MAX_FILE, &len, &why);
        if (text == NULL && why.code == EX_NOINPUT)
            continue; /* reset has moved it aside meanwhile */
        if (text == NULL)
            return relay_fail(err, why.code, "%s", why.text);
        rc = add_lines(all, text, len);
        free(text);
        if (rc != 0)
            return relay_fail(err, EX_OSERR, "out of memory");
    }
    if (errno != 0)
        return relay_fail_errno(err, EX_IOERR, "cannot read the directory "
                                               DIR_NAME);
    return 0;
}

static struct json_object *to_array(struct events *all)
{
    struct json_object *array = json_object_new_array();
    size_t i;

    if (all->n > 1)
        qsort(all->list, all->n, sizeof(*all->list), by_time);
    for (i = 0; i < all->n; i++)
        json_object_array_add(array, all->list[i].obj);
    all->n = 0;
    return array;
}

struct json_object *history_read(int relayfd, struct relay_error *err)
{
    int fd = openat(relayfd, DIR_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct json_object *array = NULL;
    struct events all = {0};
    size_t i;

    if (fd < 0 && errno == ENOENT)
        return json_object_new_array();
    if (dir == NULL) {
        relay_fail_errno(err, EX_IOERR, "cannot read the directory " DIR_NAME);
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    if (read_files(dir, &all, err) == 0)
        array = to_array(&all);
    closedir(dir);
    for (i = 0; i < all.n; i++)
        json_object_put(all.list[i].obj);
    free(all.list);
    return array;
}

struct json_object *history_read_of(int relayfd, const char *nonce,
                                    struct relay_error *err)
{
    struct relay_error why = {0};
    struct events all = {0};
    struct json_object *array = NULL;
    char path[128];
    size_t len = 0;
    size_t i;
    char *text;
    int rc;

    snprintf(path, sizeof(path), DIR_NAME "/%s.jsonl", nonce);
    text = file_read(relayfd, path, MAX_FILE, &len, &why);
    if (text == NULL && why.code == EX_NOINPUT)
        return json_object_new_array();
    if (text == NULL) {
        relay_fail(err, why.code, "%s", why.text);
        return NULL;
    }
    rc = add_lines(&all, text, len);
    free(text);
    if (rc == 0)
        array = to_array(&all);
    else
        relay_fail(err, EX_OSERR, "out of memory");
    for (i = 0; i < all.n; i++)
        json_object_put(all.list[i].obj);
    free(all.list);
    return array;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

int64_t history_interval(struct json_object *events)
{
    size_t n = json_object_array_length(events);
    int64_t *gaps = calloc(n + 1, sizeof(*gaps));
    int64_t last_step = -1;
    int64_t last_time = 0;
    int64_t median = 0;
    size_t found = 0;
    size_t i;

    if (gaps == NULL)
        return 0;
    for (i = 0; i < n; i++) {
        struct json_object *event = json_object_array_get_idx(events, i);
        const char *name = json_str(event, "event", "");
        int64_t step = json_int(event, "step", -1);
        int64_t time = json_int(event, "time", 0) - json_int(event, "age", 0);

        if (strcmp(name, "start") == 0)
            last_step = -1; /* the pause between two jobs is no interval */
        if (strcmp(name, "progress") != 0 || step == last_step)
            continue;
        if (last_step >= 0 && step > last_step)
            gaps[found++] = time - last_time;
        last_step = step;
        last_time = time;
    }
    if (found > 0) {
        qsort(gaps, found, sizeof(*gaps), by_value);
        median = gaps[found / 2];
    }
    free(gaps);
    return median;
}

double history_rate(struct json_object *events)
{
    size_t n = json_object_array_length(events);
    int64_t last_step = -1;
    int64_t last_time = 0;
    int64_t steps = 0;
    int64_t seconds = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        struct json_object *event = json_object_array_get_idx(events, i);
        const char *name = json_str(event, "event", "");
        int64_t step = json_int(event, "step", -1);
        int64_t time = json_int(event, "time", 0) - json_int(event, "age", 0);

        if (strcmp(name, "start") == 0)
            last_step = -1;
        if (strcmp(name, "progress") != 0)
            continue;
        if (last_step >= 0 && step > last_step && time > last_time) {
            steps += step - last_step;
            seconds += time - last_time;
        }
        last_step = step;
        last_time = time;
    }
    return seconds > 0 ? (double)steps / (double)seconds : 0;
}
