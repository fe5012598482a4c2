#include "marker.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "hostlist.h"

#define FIRST_LINE "relay-marker 1\n"
#define MARKER_MAX 8192
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

int marker_name(uint32_t jobid, const char *node, char name[MARKER_NAME_MAX],
                struct relay_error *err)
{
    if (node == NULL || !hostlist_is_name(node))
        return relay_fail(err, EX_OSERR, "this node's name is not known");
    snprintf(name, MARKER_NAME_MAX, "%" PRIu32 ".%s", jobid, node);
    return 0;
}

int marker_open_rundir(const char *rundir, bool create,
                       struct relay_error *err)
{
    struct stat st;
    int fd;

    fd = open(rundir, DIR_FLAGS);
    if (fd < 0 && errno == ENOENT && create) {
        /* The umask of a prolog is whatever slurmd was left with. */
        if (mkdir(rundir, 0755) == 0)
            (void)chmod(rundir, 0755); /* the check below says what is */
        fd = open(rundir, DIR_FLAGS);
    }
    if (fd < 0)
        return relay_fail_errno(err, errno == ENOENT ? EX_NOINPUT
                                                     : EX_CANTCREAT,
                                "%s", rundir);
    if (fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
        (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
        return fd;
    close(fd);
    return relay_fail(err, EX_CONFIG,
                      "%s must be root's and not writable by others", rundir);
}

/* --- writing ------------------------------------------------------------ */

static int make_user_dir(int dir, const struct marker *marker,
                         struct relay_error *err)
{
    int fd, rc = 0;

    if (mkdirat(dir, "user", 0700) != 0)
        return relay_fail_errno(err, EX_CANTCREAT, "marker: user/");
    fd = openat(dir, "user", DIR_FLAGS);
    if (fd < 0)
        return relay_fail_errno(err, EX_CANTCREAT, "marker: user/");
    if (fchmod(fd, 0700) != 0 || fchown(fd, marker->uid, marker->gid) != 0)
        rc = relay_fail_errno(err, EX_CANTCREAT, "marker: user/");
    close(fd);
    return rc;
}

static int write_text(int dir, const struct marker *m,
                      struct relay_error *err)
{
    char text[MARKER_MAX], name[64];
    size_t used;
    int i;

    snprintf(text, sizeof(text),
             FIRST_LINE "uid=%u\ngid=%u\njobid=%" PRIu32 "\nnode=%s\n"
                        "nonce=%s\nstart=%s\nrefused=%s\n",
             (unsigned)m->uid, (unsigned)m->gid, m->jobid, m->node, m->nonce,
             m->start, m->refused);
    for (i = 0; i < OPTION_COUNT; i++) {
        used = strlen(text);
        option_variable((enum relay_option)i, "", false, name, sizeof(name));
        snprintf(text + used, sizeof(text) - used, "%s=%s\n", name,
                 m->options.value[i]);
    }
    return file_write(dir, "marker", text, strlen(text), 0600, err);
}

/* Everything under a name that nobody looks for. */
static int prepare(int rundir, const struct marker *marker, const char *name,
                   struct relay_error *err)
{
    int dir, rc;

    if (mkdirat(rundir, name, 0700) != 0)
        return relay_fail_errno(err, EX_CANTCREAT, "marker %s", name);
    dir = openat(rundir, name, DIR_FLAGS);
    if (dir < 0)
        return relay_fail_errno(err, EX_CANTCREAT, "marker %s", name);
    rc = make_user_dir(dir, marker, err);
    if (rc == 0)
        rc = write_text(dir, marker, err);
    if (rc == 0 && (fchmod(dir, 0755) != 0 || fsync(dir) != 0))
        rc = relay_fail_errno(err, EX_CANTCREAT, "marker %s", name);
    close(dir);
    return rc;
}

int marker_set_aside(int rundir, const char *name,
                     char aside[MARKER_NAME_MAX], struct relay_error *err)
{
    char nonce[33];

    if (file_nonce(nonce, err) != 0)
        return -1;
    snprintf(aside, MARKER_NAME_MAX, ".old-%s", nonce);
    if (renameat(rundir, name, rundir, aside) != 0) {
        aside[0] = '\0';
        return relay_fail_errno(err, EX_IOERR, "marker %s", name);
    }
    return 0;
}

/* A directory that holds something is never the victim of a rename, so the
 * first one to arrive has the name. Returns 0, 1 when it is taken, or -1. */
static int take_name(int rundir, const char *from, const char *name,
                     struct relay_error *err)
{
    if (renameat(rundir, from, rundir, name) == 0)
        return 0;
    if (errno == ENOTEMPTY || errno == EEXIST)
        return 1;
    return relay_fail_errno(err, EX_CANTCREAT, "marker %s", name);
}

int marker_write(int rundir, struct marker *marker, bool replace,
                 char aside[MARKER_NAME_MAX], struct relay_error *err)
{
    char name[MARKER_NAME_MAX], fresh[MARKER_NAME_MAX];
    int rc;

    aside[0] = '\0';
    if (marker_name(marker->jobid, marker->node, name, err) != 0 ||
        file_nonce(marker->nonce, err) != 0)
        return -1;
    snprintf(fresh, sizeof(fresh), ".new-%s", marker->nonce);
    rc = prepare(rundir, marker, fresh, err);
    if (rc == 0)
        rc = take_name(rundir, fresh, name, err);
    if (rc == 1 && replace &&
        marker_set_aside(rundir, name, aside, err) == 0)
        rc = take_name(rundir, fresh, name, err);
    if (rc != 0)
        (void)marker_remove(rundir, fresh, NULL); /* empty: all of it is ours */
    else if (fsync(rundir) != 0)
        return relay_fail_errno(err, EX_IOERR, "marker %s", name);
    return rc;
}

/* --- reading ------------------------------------------------------------ */

static int read_number(const char *value, uint32_t *number)
{
    unsigned long long n;
    char *end;

    if (!isdigit((unsigned char)value[0]))
        return -1;
    n = strtoull(value, &end, 10);
    if (*end != '\0' || n > UINT32_MAX)
        return -1;
    *number = (uint32_t)n;
    return 0;
}

static int read_text(const char *value, char *text, size_t size)
{
    if (strlen(value) >= size)
        return -1;
    memcpy(text, value, strlen(value) + 1);
    return 0;
}

static int read_option(struct marker *m, const char *name, const char *value)
{
    char known[64];
    int i;

    for (i = 0; i < OPTION_COUNT; i++) {
        option_variable((enum relay_option)i, "", false, known,
                        sizeof(known));
        if (strcmp(name, known) == 0)
            return value[0] == '\0' ? 0
                                    : options_set(&m->options,
                                                  (enum relay_option)i, value,
                                                  NULL);
    }
    return 0; /* of a newer version */
}

static int read_line(struct marker *m, const char *name, const char *value)
{
    uint32_t id;
    int rc;

    if (strcmp(name, "uid") == 0) {
        rc = read_number(value, &id);
        m->uid = rc == 0 ? (uid_t)id : (uid_t)-1;
        return rc;
    }
    if (strcmp(name, "gid") == 0) {
        rc = read_number(value, &id);
        m->gid = rc == 0 ? (gid_t)id : (gid_t)-1;
        return rc;
    }
    if (strcmp(name, "jobid") == 0)
        return read_number(value, &m->jobid);
    if (strcmp(name, "node") == 0)
        return read_text(value, m->node, sizeof(m->node));
    if (strcmp(name, "nonce") == 0)
        return read_text(value, m->nonce, sizeof(m->nonce));
    if (strcmp(name, "start") == 0)
        return read_text(value, m->start, sizeof(m->start));
    if (strcmp(name, "refused") == 0)
        return read_text(value, m->refused, sizeof(m->refused));
    return read_option(m, name, value);
}

static int parse(char *text, struct marker *m)
{
    char *line, *next, *value;

    memset(m, 0, sizeof(*m));
    m->uid = (uid_t)-1;
    m->gid = (gid_t)-1;
    if (strncmp(text, FIRST_LINE, strlen(FIRST_LINE)) != 0)
        return -1;
    for (line = text + strlen(FIRST_LINE); *line != '\0'; line = next) {
        next = strchr(line, '\n');
        value = strchr(line, '=');
        if (next == NULL || value == NULL || value > next)
            return -1;
        *next++ = '\0';
        *value++ = '\0';
        if (read_line(m, line, value) != 0)
            return -1;
    }
    return m->uid != (uid_t)-1 && m->gid != (gid_t)-1 &&
                   strlen(m->nonce) == 32
               ? 0
               : -1;
}

int marker_read(int rundir, const char *name, struct marker *marker,
                struct relay_error *err)
{
    char own[MARKER_NAME_MAX], *text;
    int dir, rc;

    dir = openat(rundir, name, DIR_FLAGS);
    if (dir < 0)
        return errno == ENOENT ? 0
                               : relay_fail_errno(err, EX_IOERR, "marker %s",
                                                  name);
    text = file_read(dir, "marker", MARKER_MAX, NULL, err);
    close(dir);
    if (text == NULL)
        return -1;
    rc = parse(text, marker);
    free(text);
    if (rc != 0 || marker_name(marker->jobid, marker->node, own, err) != 0)
        return relay_fail(err, EX_DATAERR, "marker %s is damaged", name);
    if (name[0] != '.' && strcmp(own, name) != 0)
        return relay_fail(err, EX_DATAERR, "marker %s says it is %s", name,
                          own);
    return 1;
}

/* --- the status, and the end -------------------------------------------- */

int marker_write_status(int rundir, const char *name, int status,
                        struct relay_error *err)
{
    char text[16];
    int dir, rc;

    dir = openat(rundir, name, DIR_FLAGS);
    if (dir < 0)
        return relay_fail_errno(err, EX_IOERR, "marker %s", name);
    snprintf(text, sizeof(text), "%d\n", status);
    rc = file_write(dir, "status", text, strlen(text), 0644, err);
    close(dir);
    return rc;
}

int marker_read_status(int rundir, const char *name, int *status)
{
    uint32_t number;
    char *text;
    int dir, rc;

    dir = openat(rundir, name, DIR_FLAGS);
    if (dir < 0)
        return 0;
    text = file_read(dir, "status", 16, NULL, NULL);
    close(dir);
    if (text == NULL)
        return 0;
    text[strcspn(text, "\n")] = '\0';
    rc = read_number(text, &number);
    free(text);
    *status = rc == 0 ? (int)number : 0;
    return rc == 0;
}

int marker_note_script(int rundir, const char *name, struct relay_error *err)
{
    int dir, rc;

    dir = openat(rundir, name, DIR_FLAGS);
    if (dir < 0)
        return relay_fail_errno(err, EX_IOERR, "marker %s", name);
    rc = file_write(dir, "script", "", 0, 0644, err);
    close(dir);
    return rc;
}

bool marker_has_script(int rundir, const char *name)
{
    char path[MARKER_NAME_MAX + 8];
    struct stat st;

    snprintf(path, sizeof(path), "%s/script", name);
    return fstatat(rundir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int marker_empty_user(const char *rundir, const char *name,
                      struct relay_error *err)
{
    char path[2048];
    struct dirent *entry;
    DIR *dir;
    int fd, rc = 0;

    snprintf(path, sizeof(path), "%s/%s/user", rundir, name);
    fd = open(path, DIR_FLAGS);
    if (fd < 0)
        return relay_fail_errno(err, EX_IOERR, "%s", path);
    dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return relay_fail_errno(err, EX_OSERR, "%s", path);
    }
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0 &&
            file_remove_tree(dirfd(dir), entry->d_name, err) != 0)
            rc = -1;
    closedir(dir);
    return rc;
}

int marker_remove(int rundir, const char *name, struct relay_error *err)
{
    static const char *const ours[] = {"script", "status", "marker"};
    size_t i;
    int dir;

    dir = openat(rundir, name, DIR_FLAGS);
    if (dir < 0)
        return relay_fail_errno(err, EX_IOERR, "marker %s", name);
    /* First, because it fails when the user has left something. */
    if (unlinkat(dir, "user", AT_REMOVEDIR) != 0 && errno != ENOENT) {
        relay_fail_errno(err, EX_IOERR, "marker %s/user", name);
        close(dir);
        return -1;
    }
    for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (unlinkat(dir, ours[i], 0) != 0 && errno != ENOENT)
            relay_fail_errno(err, EX_IOERR, "marker %s", name);
    close(dir);
    if (unlinkat(rundir, name, AT_REMOVEDIR) != 0)
        return relay_fail_errno(err, EX_IOERR, "marker %s", name);
    return 0;
}
