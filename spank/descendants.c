#include "descendants.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"

#define PAUSE_MS 10

struct family {
    struct member {
        pid_t pid;
        pid_t parent;
        bool ours;
    } *members;
    size_t count;
};

/* Field 4 of /proc/PID/stat, behind the command that can hold anything. */
static pid_t parent_of(int proc, const char *pid)
{
    char path[300], stat[1024], *end;
    ssize_t len;
    int fd;

    snprintf(path, sizeof(path), "%s/stat", pid);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    len = read(fd, stat, sizeof(stat) - 1);
    close(fd);
    if (len <= 0)
        return -1;
    stat[len] = '\0';
    end = strrchr(stat, ')');
    if (end == NULL || strlen(end) < 5)
        return -1;
    return (pid_t)strtol(end + 4, NULL, 10);
}

static int add_member(struct family *f, pid_t pid, pid_t parent)
{
    struct member *more;

    if ((f->count & (f->count - 1)) == 0) { /* grows by doubling */
        size_t room = f->count == 0 ? 1 : f->count * 2;

        more = realloc(f->members, room * sizeof(*more));
        if (more == NULL)
            return -1;
        f->members = more;
    }
    f->members[f->count++] = (struct member){.pid = pid, .parent = parent};
    return 0;
}

static int by_pid(const void *a, const void *b)
{
    const struct member *x = a, *y = b;

    return (x->pid > y->pid) - (x->pid < y->pid);
}

static int read_family(struct family *f)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int rc = 0;

    *f = (struct family){0};
    if (proc == NULL)
        return -1;
    while (rc == 0 && (entry = readdir(proc)) != NULL) {
        pid_t parent;

        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        parent = parent_of(dirfd(proc), entry->d_name);
        if (parent > 0)
            rc = add_member(f, (pid_t)strtol(entry->d_name, NULL, 10),
                            parent);
    }
    closedir(proc);
    if (f->count > 0)
        qsort(f->members, f->count, sizeof(*f->members), by_pid);
    return rc;
}

static bool was_before(const struct descendants *d, pid_t pid)
{
    size_t i;

    for (i = 0; i < d->before_count; i++)
        if (d->before[i] == pid)
            return true;
    return false;
}

static bool is_ours(const struct family *f, const struct descendants *d,
                    const struct member *m)
{
    struct member key = {.pid = m->parent};
    const struct member *parent;

    if (m->parent == getpid())
        return !was_before(d, m->pid);
    parent = bsearch(&key, f->members, f->count, sizeof(key), by_pid);
    return parent != NULL && parent->ours;
}

/* Marks whole generations until a pass finds no more. */
static size_t mark_ours(struct family *f, const struct descendants *d)
{
    size_t found = 0, before, i;

    do {
        before = found;
        for (i = 0; i < f->count; i++)
            if (!f->members[i].ours && is_ours(f, d, &f->members[i])) {
                f->members[i].ours = true;
                found++;
            }
    } while (found != before);
    return found;
}

int descendants_begin(struct descendants *d, struct relay_error *err)
{
    struct family f;
    size_t i;

    *d = (struct descendants){0};
    if (prctl(PR_GET_CHILD_SUBREAPER, &d->was_subreaper, 0, 0, 0) != 0 ||
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
        return relay_fail_errno(err, EX_OSERR, "PR_SET_CHILD_SUBREAPER");
    if (read_family(&f) != 0) {
        free(f.members);
        return relay_fail_errno(err, EX_OSERR, "/proc");
    }
    d->before = calloc(f.count + 1, sizeof(*d->before));
    for (i = 0; d->before != NULL && i < f.count; i++)
        if (f.members[i].parent == getpid())
            d->before[d->before_count++] = f.members[i].pid;
    free(f.members);
    return d->before != NULL
               ? 0
               : relay_fail(err, EX_OSERR, "out of memory");
}

/* One pass; returns how many there were, or -1 when /proc cannot be read. */
static int end_once(const struct descendants *d)
{
    struct family f;
    size_t found, i;

    if (read_family(&f) != 0) {
        free(f.members);
        return -1;
    }
    found = mark_ours(&f, d);
    for (i = 0; i < f.count; i++)
        if (f.members[i].ours)
            (void)kill(f.members[i].pid, SIGKILL); /* may be gone by now */
    for (i = 0; i < f.count; i++)
        if (f.members[i].ours && f.members[i].parent == getpid())
            (void)waitpid(f.members[i].pid, NULL, WNOHANG);
    free(f.members);
    return (int)found;
}

int descendants_end(struct descendants *d, int64_t until,
                    struct relay_error *err)
{
    int left;

    while ((left = end_once(d)) > 0 && clock_ms() < until)
        clock_sleep_ms(PAUSE_MS);
    (void)prctl(PR_SET_CHILD_SUBREAPER, d->was_subreaper, 0, 0, 0);
    free(d->before);
    *d = (struct descendants){0};
    if (left == 0)
        return 0;
    if (left < 0)
        return relay_fail_errno(err, EX_OSERR, "/proc");
    return relay_fail(err, EX_OSERR, "%d processes could not be ended", left);
}
