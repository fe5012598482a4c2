#include "done.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "jsonfile.h"
#include "ptcheck.h"

/* A safetensors header is JSON of so many bytes at most. */
#define MAX_HEADER ((uint64_t)100 << 20)
#define MAX_JSON ((off_t)16 << 20) /* as jsonfile.h has it */

enum kind { EXISTS, NONEMPTY, LOADS, JSON, LOG, STEP, EXIT0 };

/* A check taken apart. */
struct check {
    enum kind kind;
    char file[512];
    char path[256];
    char value[512]; /* of JSON; the expression of LOG */
    int64_t step;
};

/* --- form ---------------------------------------------------------------- */

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

/* The next word; false when there is none or it is too long. */
static bool next_word(const char **at, char *word, size_t size)
{
    size_t len;

    *at = skip_blanks(*at);
    len = strcspn(*at, " \t");
    if (len == 0 || len >= size)
        return false;
    snprintf(word, size, "%.*s", (int)len, *at);
    *at = skip_blanks(*at + len);
    return true;
}

static const char *take_rest(const char *at, char *value, size_t size)
{
    size_t len = strlen(at);

    while (len > 0 && isspace((unsigned char)at[len - 1]))
        len--;
    if (len == 0 || len >= size)
        return "what it is to be compared with is missing, or too long";
    snprintf(value, size, "%.*s", (int)len, at);
    return NULL;
}

static const char *parse_json(const char *at, struct check *c)
{
    char word[8];

    c->kind = JSON;
    if (!next_word(&at, c->path, sizeof(c->path)) ||
        !next_word(&at, word, sizeof(word)) || strcmp(word, "==") != 0)
        return "write FILE json PATH == VALUE";
    return take_rest(at, c->value, sizeof(c->value));
}

static const char *parse_log(const char *at, struct check *c)
{
    const char *why;
    char word[16];
    regex_t regex;

    c->kind = LOG;
    if (!next_word(&at, word, sizeof(word)) || strcmp(word, "matches") != 0)
        return "write log matches REGEX";
    why = take_rest(at, c->value, sizeof(c->value));
    if (why != NULL)
        return why;
    if (regcomp(&regex, c->value, REG_EXTENDED | REG_NOSUB) != 0)
        return "that is no extended regular expression";
    regfree(&regex);
    return NULL;
}

static const char *parse_step(const char *at, struct check *c)
{
    char word[32];
    char *end;

    c->kind = STEP;
    if (!next_word(&at, word, sizeof(word)) || strcmp(word, ">=") != 0 ||
        !next_word(&at, word, sizeof(word)) || *at != '\0')
        return "write step >= N";
    errno = 0;
    c->step = strtoll(word, &end, 10);
    return errno == 0 && *end == '\0' && c->step >= 0
               ? NULL : "N of step >= N is to be a whole number";
}

static const char *parse_file(const char *at, struct check *c)
{
    char word[16] = "";

    if (c->file[0] == '/' || strncmp(c->file, "../", 3) == 0 ||
        strstr(c->file, "/../") != NULL)
        return "FILE is to be inside the run's directory";
    if (!next_word(&at, word, sizeof(word)))
        word[0] = '\0';
    if (strcmp(word, "json") == 0)
        return parse_json(at, c);
    if (*at != '\0')
        return "there is something behind it";
    if (strcmp(word, "exists") == 0)
        c->kind = EXISTS;
    else if (strcmp(word, "nonempty") == 0)
        c->kind = NONEMPTY;
    else if (strcmp(word, "loads") == 0)
        c->kind = LOADS;
    else
        return "expected FILE exists, FILE nonempty, FILE loads, FILE json "
               "PATH == VALUE, log matches REGEX, step >= N or exit0";
    return NULL;
}

static const char *parse(const char *text, struct check *c)
{
    const char *at = text;

    memset(c, 0, sizeof(*c));
    if (!next_word(&at, c->file, sizeof(c->file)))
        return "it is empty";
    if (strcmp(c->file, "exit0") == 0) {
        c->kind = EXIT0;
        return *at == '\0' ? NULL : "there is something behind exit0";
    }
    if (strcmp(c->file, "log") == 0 && strncmp(at, "matches", 7) == 0)
        return parse_log(at, c);
    if (strcmp(c->file, "step") == 0 && *at == '>')
        return parse_step(at, c);
    return parse_file(at, c);
}

const char *done_check_form(const char *text)
{
    struct check c;

    return parse(text, &c);
}

/* --- looking ------------------------------------------------------------- */

/* The member of obj at "a.b.c"; NULL when there is none. */
static struct json_object *member_at(struct json_object *obj, char *path)
{
    char *save = path;
    char *name;

    while (obj != NULL && (name = strsep(&save, ".")) != NULL)
        obj = json_object_is_type(obj, json_type_object) ? json_get(obj, name)
                                                         : NULL;
    return obj;
}

/* A value as it stands in a check: JSON, or a word that is a string. */
static struct json_object *value_of(const char *text)
{
    struct json_object *value = json_parse(text, strlen(text), "value", NULL);

    if (value == NULL && strcmp(text, "null") != 0)
        value = json_object_new_string(text);
    return value;
}

static enum done look_at_json(const struct check *c, int dirfd)
{
    struct json_object *doc = json_load(dirfd, c->file, NULL);
    struct json_object *want = value_of(c->value);
    struct json_object *found;
    char path[sizeof(c->path)];
    bool same;

    memcpy(path, c->path, sizeof(path));
    found = member_at(doc, path);
    /* 1 and 1.0 are one number to who wrote the check. */
    if (json_object_is_type(found, json_type_double) &&
        json_object_is_type(want, json_type_int))
        same = json_object_get_double(found) >=
                   (double)json_object_get_int64(want) &&
               json_object_get_double(found) <=
                   (double)json_object_get_int64(want);
    else
        same = doc != NULL && json_object_equal(found, want) != 0;
    json_object_put(want);
    json_object_put(doc);
    return same ? DONE_YES : DONE_NOT;
}

/* Where the last tensor ends, behind the header; 0 for none. */
static uint64_t tensors_end(struct json_object *header)
{
    uint64_t last = 0;

    json_object_object_foreach(header, name, tensor) {
        struct json_object *at = json_object_is_type(tensor, json_type_object)
                                     ? json_get(tensor, "data_offsets")
                                     : NULL;
        uint64_t end = 0;

        (void)name;
        if (json_object_is_type(at, json_type_array) &&
            json_object_array_length(at) == 2)
            end = json_object_get_uint64(json_object_array_get_idx(at, 1));
        last = end > last ? end : last;
    }
    return last;
}

static bool header_loads(int fd, uint64_t size)
{
    unsigned char raw[8];
    struct json_object *doc;
    uint64_t len = 0;
    char *text;
    bool loads;
    int i;

    if (pread(fd, raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
        return false;
    for (i = 7; i >= 0; i--)
        len = len << 8 | raw[i];
    if (len < 2 || len > MAX_HEADER || len > size - sizeof(raw))
        return false;
    text = malloc((size_t)len);
    loads = text != NULL &&
            pread(fd, text, (size_t)len, 8) == (ssize_t)len;
    doc = loads ? json_parse(text, (size_t)len, "header", NULL) : NULL;
    loads = json_object_is_type(doc, json_type_object) &&
            tensors_end(doc) <= size - sizeof(raw) - len;
    json_object_put(doc);
    free(text);
    return loads;
}

static bool ends_in(const char *name, const char *end)
{
    size_t len = strlen(name), n = strlen(end);

    return len > n && strcmp(name + len - n, end) == 0;
}

static bool safetensors_load(int dirfd, const char *file)
{
    int fd = openat(dirfd, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    bool loads = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
                 header_loads(fd, (uint64_t)st.st_size);

    if (fd >= 0)
        close(fd);
    return loads;
}

/* What is too long to be parsed must at least end as JSON does. */
static bool long_json_ends(int fd, off_t size)
{
    char tail[64];
    ssize_t got = pread(fd, tail, sizeof(tail), size - (off_t)sizeof(tail));

    while (got > 0 && isspace((unsigned char)tail[got - 1]))
        got--;
    return got > 0 && (tail[got - 1] == '}' || tail[got - 1] == ']');
}

static bool json_loads(int dirfd, const char *file, struct relay_error *err)
{
    int fd = openat(dirfd, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct json_object *doc = NULL;
    struct stat st;
    bool loads;

    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > MAX_JSON) {
        loads = long_json_ends(fd, st.st_size);
        relay_fail(err, EX_DATAERR, "it ends in the middle");
    } else {
        doc = json_load(dirfd, file, err);
        loads = doc != NULL;
    }
    if (fd >= 0)
        close(fd);
    json_object_put(doc);
    return loads;
}

bool done_file_loads(int dirfd, const char *file, char *why, size_t why_size)
{
    struct relay_error err = {0};
    bool loads;

    if (ends_in(file, ".json")) {
        loads = json_loads(dirfd, file, &err);
    } else if (ends_in(file, ".safetensors")) {
        loads = safetensors_load(dirfd, file);
        relay_fail(&err, EX_DATAERR, "its header is damaged, or tells of more "
                                     "bytes than there are");
    } else {
        loads = ptcheck_file(dirfd, file, 0, NULL, 0, &err) != PT_BAD;
    }
    snprintf(why, why_size, "%s", loads ? "" : err.text);
    return loads;
}

static enum done look_whether_loads(const struct check *c, int dirfd)
{
    char why[8];

    return done_file_loads(dirfd, c->file, why, sizeof(why)) ? DONE_YES
                                                             : DONE_NOT;
}

static enum done look_at_file(const struct check *c,
                              const struct done_run *run)
{
    enum done done = DONE_NOT;
    struct stat st;
    int dirfd = -1;

    if (run->dir != NULL)
        dirfd = open(run->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        return DONE_NOT;
    if (c->kind == JSON)
        done = look_at_json(c, dirfd);
    else if (c->kind == LOADS)
        done = run->deep ? look_whether_loads(c, dirfd) : DONE_LATER;
    else if (fstatat(dirfd, c->file, &st, 0) == 0)
        done = c->kind == EXISTS || st.st_size > 0 ? DONE_YES : DONE_NOT;
    close(dirfd);
    return done;
}

static enum done look_at_log(const struct check *c, const char *path)
{
    enum done done = DONE_NOT;
    FILE *file = path[0] == '/' ? fopen(path, "re") : NULL;
    char *line = NULL;
    size_t room = 0;
    regex_t regex;
    ssize_t n;

    if (file == NULL)
        return DONE_NOT;
    if (regcomp(&regex, c->value, REG_EXTENDED | REG_NOSUB) == 0) {
        while (done == DONE_NOT && (n = getline(&line, &room, file)) > 0) {
            if (line[n - 1] == '\n')
                line[n - 1] = '\0';
            if (regexec(&regex, line, 0, NULL, 0) == 0)
                done = DONE_YES;
        }
        regfree(&regex);
    }
    free(line);
    fclose(file); /* read only */
    return done;
}

static enum done look_one(const struct check *c, const struct done_run *run)
{
    switch (c->kind) {
    case EXIT0:
        return run->exited_0 ? DONE_YES : DONE_NOT;
    case STEP:
        return run->step >= c->step ? DONE_YES : DONE_NOT;
    case LOG:
        return look_at_log(c, run->log);
    case EXISTS:
    case NONEMPTY:
    case LOADS:
    case JSON:
        break;
    }
    return look_at_file(c, run);
}

enum done done_look(char *const *checks, size_t n, const struct done_run *run,
                    char *why, size_t why_size)
{
    enum done all = n > 0 ? DONE_YES : DONE_NOT;
    const char *wrong;
    struct check c;
    enum done one;
    size_t i;

    snprintf(why, why_size, "%s", n > 0 ? "" : "there is no contract");
    for (i = 0; i < n && all != DONE_NOT; i++) {
        wrong = parse(checks[i], &c);
        one = wrong == NULL ? look_one(&c, run) : DONE_NOT;
        if (one == DONE_YES)
            continue;
        all = one;
        snprintf(why, why_size, "%.200s: %s", checks[i],
                 wrong != NULL ? wrong
                 : one == DONE_LATER ? "files are not read here"
                                     : "not so");
    }
    return all;
}
