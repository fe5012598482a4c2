#include "cellfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "jsonfile.h"

enum { SAME_SECOND = 100 };

/* A name that is free: a second attempt within the second gets -2. */
static int free_name(int fd, const char *name, char *to, size_t size)
{
    time_t now = (time_t)clock_wall();
    char stamp[32];
    struct stat st;
    struct tm tm;
    int i;

    if (gmtime_r(&now, &tm) == NULL ||
        strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm) == 0)
        return -1;
    for (i = 1; i < SAME_SECOND; i++) {
        snprintf(to, size, i == 1 ? "%.64s.bak-%s" : "%.64s.bak-%s-%d", name,
                 stamp, i);
        if (fstatat(fd, to, &st, AT_SYMLINK_NOFOLLOW) != 0)
            return errno == ENOENT ? 0 : -1;
    }
    errno = EEXIST;
    return -1;
}

/* Renames name, where it is, and says what it is called now (else ""). */
static int set_aside(const char *dir, const char *name, char *to, size_t size,
                     struct relay_error *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = 0;

    to[0] = '\0';
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return relay_fail_errno(err, EX_IOERR, "%s", dir);
    if (faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
        (free_name(fd, name, to, size) != 0 ||
         renameat(fd, name, fd, to) != 0)) {
        rc = relay_fail_errno(err, EX_IOERR, "%s/%s cannot be set aside", dir,
                              name);
        to[0] = '\0';
    }
    close(fd);
    return rc;
}

/* Undoes it. Who wrote a new file in the meantime keeps that. */
static void put_back(const char *dir, const char *name, const char *from)
{
    int fd;

    if (from[0] == '\0')
        return;
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        (void)renameat(fd, from, fd, name); /* it is kept in any case */
    close(fd);
}

int cellfiles_set_aside(const char *dir, const char *name,
                        struct relay_error *err)
{
    char to[CELLFILES_NAME];

    return set_aside(dir, name, to, sizeof(to), err);
}

int cellfiles_keep(const char *dir, struct cellfiles_kept *kept,
                   struct relay_error *err)
{
    kept->summary[0] = '\0';
    if (set_aside(dir, CELL_LOG, kept->log, sizeof(kept->log), err) != 0)
        return -1;
    if (set_aside(dir, CELL_SUMMARY, kept->summary, sizeof(kept->summary),
                  err) == 0)
        return 0;
    cellfiles_put_back(dir, kept);
    return -1;
}

void cellfiles_put_back(const char *dir, const struct cellfiles_kept *kept)
{
    put_back(dir, CELL_LOG, kept->log);
    put_back(dir, CELL_SUMMARY, kept->summary);
}

int cellfiles_back_up(const char *dir, struct relay_error *err)
{
    struct cellfiles_kept kept;

    return cellfiles_keep(dir, &kept, err);
}

bool cellfiles_summary_judges(const char *dir)
{
    struct json_object *doc, *ok = NULL;
    char path[4200];
    bool judges;

    snprintf(path, sizeof(path), "%s/" CELL_SUMMARY, dir);
    doc = json_load(AT_FDCWD, path, NULL);
    judges = json_object_is_type(doc, json_type_object) &&
             json_object_object_get_ex(doc, "ok", &ok);
    json_object_put(doc);
    return judges;
}

int cellfiles_clear(const char *dir, bool redone, struct relay_error *err)
{
    if (redone)
        return cellfiles_back_up(dir, err);
    return cellfiles_summary_judges(dir)
               ? cellfiles_set_aside(dir, CELL_SUMMARY, err) : 0;
}
