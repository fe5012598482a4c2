#define _GNU_SOURCE 1 /* statx */
#include "savetime.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

enum { MAX_FILES = 1024 };

/* A file that is written in place was born one interval ago or more. What we
 * know of the interval is to a second or so. */
#define DISTINCT 0.8

/* One file of a checkpoint; seconds since the epoch. */
struct written {
    double born; /* 0: not known */
    double last;
};

static double seconds_of(const struct statx_timestamp *t)
{
    return (double)t->tv_sec + (double)t->tv_nsec / 1e9;
}

static bool look_at(int dirfd, const char *name, struct written *file)
{
    struct statx st;

    if (name[0] == '.' ||
        statx(dirfd, name, AT_SYMLINK_NOFOLLOW,
              STATX_TYPE | STATX_MTIME | STATX_BTIME, &st) != 0 ||
        !S_ISREG(st.stx_mode))
        return false;
    file->last = seconds_of(&st.stx_mtime);
    file->born = (st.stx_mask & STATX_BTIME) != 0 ? seconds_of(&st.stx_btime)
                                                  : 0;
    return true;
}

/* Files of one directory; how many, or 0. */
static size_t list_files(int dirfd, struct written *files)
{
    DIR *dir = file_list(dirfd);
    struct dirent *entry;
    size_t n = 0;

    if (dir == NULL)
        return 0;
    while (n < MAX_FILES && (entry = readdir(dir)) != NULL) {
        /* What a rewrite of ours has kept was not written by the training. */
        if (strstr(entry->d_name, ".orig") == NULL &&
            look_at(dirfd, entry->d_name, &files[n]))
            n++;
    }
    closedir(dir);
    return n;
}

static void take(struct savetime *save, enum savetime_kind kind,
                 double seconds)
{
    if (save->kind == SAVETIME_WHOLE && kind != SAVETIME_WHOLE)
        return; /* what is less certain adds nothing */
    if (save->kind != kind)
        *save = (struct savetime){.kind = kind};
    save->seen++;
    if (seconds > save->seconds)
        save->seconds = seconds;
}

/* Of the files that were written since the checkpoint before: a file that was
 * born longer ago is written in place, and its birth says nothing. */
static void measure(const struct written *files, size_t n, double interval,
                    struct savetime *save)
{
    double end = 0, first_birth, first_write;
    bool whole = interval > 0;
    size_t i, fresh = 0;

    for (i = 0; i < n; i++)
        end = files[i].last > end ? files[i].last : end;
    first_birth = first_write = end;
    for (i = 0; i < n; i++) {
        if (interval > 0 && end - files[i].last >= interval)
            continue;
        fresh++;
        if (files[i].last < first_write)
            first_write = files[i].last;
        if (files[i].born == 0 || files[i].born > files[i].last ||
            end - files[i].born >= interval * DISTINCT)
            whole = false;
        else if (files[i].born < first_birth)
            first_birth = files[i].born;
    }
    if (whole)
        take(save, SAVETIME_WHOLE, end - first_birth);
    else if (interval > 0 && fresh > 1 && end > first_write)
        take(save, SAVETIME_AT_LEAST, end - first_write);
}

static void look_in(int dirfd, const char *name, double interval,
                    struct savetime *save)
{
    struct written files[MAX_FILES];
    int fd = file_open_dir(dirfd, name, NULL);
    size_t n = fd >= 0 ? list_files(fd, files) : 0;

    if (fd >= 0)
        close(fd);
    if (n > 0)
        measure(files, n, interval, save);
}

void savetime_look(const struct run *run, int64_t interval,
                   struct savetime *save)
{
    struct dirent *entry;
    DIR *dir;

    memset(save, 0, sizeof(*save));
    if (run->rootfd >= 0)
        look_in(run->rootfd, run->hash, (double)interval, save);
    dir = run->relayfd >= 0 ? file_list(run->relayfd) : NULL;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, "verified-", 9) == 0)
            look_in(run->relayfd, entry->d_name, (double)interval, save);
    }
    if (dir != NULL)
        closedir(dir);
}
