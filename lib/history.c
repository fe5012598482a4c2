#include "history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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

/* The lines of one writer; a torn last line (or any that is not ours to
 * read) is left out. */
static void add_lines(char *text, struct json_object *events)
{
    struct json_object *event;
    char *line = text;
    char *end;

    for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        event = json_parse(line, (size_t)(end - line), DIR_NAME, NULL);
        if (event != NULL && json_object_is_type(event, json_type_object) &&
            json_int(event, "format", 0) == 1)
            json_object_array_add(events, event);
        else
            json_object_put(event);
    }
}

static int by_time(const void *a, const void *b)
{
    struct json_object *const *x = a;
    struct json_object *const *y = b;
    int64_t tx = json_int(*x, "time", 0);
    int64_t ty = json_int(*y, "time", 0);

    return (tx > ty) - (tx < ty);
}

struct json_object *history_read(int relayfd, struct relay_error *err)
{
    struct json_object *events = json_object_new_array();
    int fd = openat(relayfd, DIR_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    char *text;

    if (dir == NULL) {
        if (errno == ENOENT)
            return events;
        if (fd >= 0)
            close(fd);
        json_object_put(events);
        relay_fail_errno(err, EX_IOERR, DIR_NAME);
        return NULL;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (strstr(entry->d_name, ".jsonl") == NULL)
            continue;
        text = file_read(fd, entry->d_name, MAX_FILE, NULL, NULL);
        if (text != NULL)
            add_lines(text, events);
        free(text);
    }
    closedir(dir);
    json_object_array_sort(events, by_time);
    return events;
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
        int64_t time = json_int(event, "time", 0);

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
