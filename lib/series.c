#include "series.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "jsonfile.h"

#define MAX_RECORD ((size_t)1 << 20)
#define MAX_GEN ((int64_t)1000000000)
#define NAME_SIZE 80

/* A reader on NFS may be told for a moment that a name which it has just
 * failed to make does not exist. */
#define READ_TRIES 10
#define READ_PAUSE_MS 200

static int name_of(const char *series, int64_t gen, char name[NAME_SIZE],
                   struct relay_error *err)
{
    int n = snprintf(name, NAME_SIZE, "%s.%" PRId64, series, gen);

    if (n < 0 || n >= NAME_SIZE || gen < 1 || gen > MAX_GEN)
        return relay_fail(err, EX_SOFTWARE,
                          "%s.%" PRId64 " cannot be a generation", series,
                          gen);
    return 0;
}

/* The generation that a file name stands for, 0 for another file. */
static int64_t gen_of(const char *series, const char *name)
{
    size_t len = strlen(series);
    int64_t gen = 0;

    if (strncmp(name, series, len) != 0 || name[len] != '.' ||
        name[len + 1] == '0')
        return 0;
    for (name += len + 1; *name != '\0'; name++) {
        if (!isdigit((unsigned char)*name) || gen > MAX_GEN / 10)
            return 0;
        gen = gen * 10 + (*name - '0');
    }
    return gen;
}

static int highest_listed(int dirfd, const char *series, int64_t *gen,
                          struct relay_error *err)
{
    DIR *dir = file_list(dirfd);
    struct dirent *entry;
    int failed;

    *gen = 0;
    if (dir == NULL) {
        return relay_fail_errno(err, EX_IOERR,
                                "cannot list the records of %s", series);
    }
    for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
        int64_t found = gen_of(series, entry->d_name);

        if (found > *gen)
            *gen = found;
    }
    failed = errno;
    closedir(dir); /* read only: nothing to lose */
    if (failed != 0) {
        errno = failed;
        return relay_fail_errno(err, EX_IOERR,
                                "cannot list the records of %s", series);
    }
    return 0;
}

int series_read(int dirfd, const char *series, int64_t gen,
                struct series_record *rec, struct relay_error *err)
{
    char name[NAME_SIZE], where[PATH_MAX];
    char *text;
    size_t len;

    memset(rec, 0, sizeof(*rec));
    if (name_of(series, gen, name, err) != 0)
        return -1;
    text = file_read(dirfd, name, MAX_RECORD, &len, err);
    if (text == NULL)
        return -1;
    file_where(dirfd, name, where, sizeof(where));
    rec->body = json_parse(text, len, where, err);
    free(text);
    if (rec->body == NULL)
        return relay_fail_in(err, "a record is damaged");
    if (json_check_format(rec->body, where, err) != 0) {
        series_free(rec);
        return -1;
    }
    if (strcmp(json_str(rec->body, "series", ""), series) != 0 ||
        json_int(rec->body, "gen", 0) != gen) {
        series_free(rec);
        return relay_fail(err, EX_DATAERR,
                          "%s is not what its name says: its series and gen "
                          "are others", where);
    }
    rec->gen = gen;
    return 0;
}

int series_last(int dirfd, const char *series, struct series_record *rec,
                struct relay_error *err)
{
    struct relay_error why = {0};
    int64_t gen;

    memset(rec, 0, sizeof(*rec));
    if (highest_listed(dirfd, series, &gen, err) != 0)
        return -1;
    if (gen > 0 && series_read(dirfd, series, gen, rec, err) != 0)
        return -1;
    for (;;) {
        struct series_record next;

        if (series_read(dirfd, series, gen + 1, &next, &why) != 0)
            break;
        series_free(rec);
        *rec = next;
        gen++;
    }
    if (why.code == EX_NOINPUT)
        return 0;
    series_free(rec);
    return relay_fail(err, why.code, "%s", why.text);
}

void series_free(struct series_record *rec)
{
    if (rec->body != NULL)
        json_object_put(rec->body);
    memset(rec, 0, sizeof(*rec));
}

/* --- linking ------------------------------------------------------------- */

/* Several processes write with one nonce (the gate, the watcher, the end of
 * the job), so a counter would not tell their records apart. */
static int fresh_seq(int64_t *seq, struct relay_error *err)
{
    uint64_t bits;

    if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
        return relay_fail_errno(err, EX_OSERR, "getrandom");
    *seq = (int64_t)(bits >> 11); /* 53 bits: exact in every JSON reader */
    return 0;
}

static char *record_text(const char *series, int64_t gen,
                         struct json_object *body, struct relay_error *err)
{
    const char *text;
    size_t len;
    char *copy;

    json_add_int(body, "format", 1);
    json_add_str(body, "series", series);
    json_add_int(body, "gen", gen);
    json_add_int(body, "time", clock_wall());
    text = json_object_to_json_string_ext(body, JSON_C_TO_STRING_PRETTY |
                                                JSON_C_TO_STRING_SPACED |
                                                JSON_C_TO_STRING_NOSLASHESCAPE);
    len = text != NULL ? strlen(text) : 0;
    copy = malloc(len + 2);
    if (text == NULL || copy == NULL) {
        free(copy);
        relay_fail(err, EX_OSERR, "out of memory");
        return NULL;
    }
    memcpy(copy, text, len);
    memcpy(copy + len, "\n", 2);
    return copy;
}

static int write_temp(int dirfd, const char *name, const char *text,
                      struct relay_error *err)
{
    int fd = openat(dirfd, name,
                    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                    0600);
    bool ok = fd >= 0 && file_write_all(fd, text, strlen(text)) == 0 &&
              fsync(fd) == 0;

    if (fd >= 0 && close(fd) != 0)
        ok = false;
    if (ok)
        return 0;
    relay_fail_errno(err, EX_CANTCREAT, "cannot write %s", name);
    if (fd >= 0)
        unlinkat(dirfd, name, 0); /* a leftover is harmless */
    return -1;
}

/* Who stands at NAME? 1 text, 0 another, -1 nobody (EX_NOINPUT) or error. */
static int whose(int dirfd, const char *name, const char *text,
                 bool must_exist, struct relay_error *err)
{
    struct relay_error why = {0};
    char *found = NULL;
    size_t len;
    int try, same;

    for (try = 0; try < READ_TRIES; try++) {
        found = file_read(dirfd, name, MAX_RECORD, &len, &why);
        if (found != NULL || !must_exist)
            break;
        clock_sleep_ms(READ_PAUSE_MS);
    }
    if (found == NULL)
        return relay_fail(err, why.code, "%s", why.text);
    /* Our nonce and seq are in text, so equal bytes are ours. */
    same = len == strlen(text) && memcmp(found, text, len) == 0;
    free(found);
    return same;
}

static int check_dense(int dirfd, const char *series, int64_t gen,
                       struct relay_error *err)
{
    char name[NAME_SIZE];
    struct stat st;

    if (gen == 1)
        return 0;
    if (name_of(series, gen - 1, name, err) != 0)
        return -1;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return relay_fail_errno(err, EX_IOERR,
                                "%s.%" PRId64 " cannot be made before %s",
                                series, gen, name);
    return 0;
}

int series_link(int dirfd, const char *series, int64_t gen,
                struct json_object *body, struct relay_error *err)
{
    char name[NAME_SIZE], temp[NAME_SIZE];
    char *text;
    int64_t seq = 0;
    int linked, why, won;

    if (name_of(series, gen, name, err) != 0 ||
        check_dense(dirfd, series, gen, err) != 0 ||
        fresh_seq(&seq, err) != 0)
        return -1;
    json_add_int(body, "seq", seq);
    snprintf(temp, sizeof(temp), ".tmp-%.33s-%" PRId64,
             json_str(body, "nonce", "none"), seq);
    text = record_text(series, gen, body, err);
    if (text == NULL || write_temp(dirfd, temp, text, err) != 0) {
        free(text);
        return -1;
    }
    linked = linkat(dirfd, temp, dirfd, name, 0);
    why = errno;
    /* Whatever it said: only what can be read at the name counts. */
    won = whose(dirfd, name, text, linked == 0 || why == EEXIST, err);
    free(text);
    unlinkat(dirfd, temp, 0); /* a leftover is harmless */
    if (won < 0 && linked != 0) {
        errno = why;
        return relay_fail_errno(err, EX_CANTCREAT, "cannot link %s", name);
    }
    if (won == 1 && fsync(dirfd) != 0)
        return relay_fail_errno(err, EX_IOERR, "cannot fsync after linking %s",
                                name);
    return won;
}
