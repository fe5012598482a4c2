#define _GNU_SOURCE 1 /* utimensat of a descriptor's file */
#include "courier_mail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "jsonfile.h"

enum { SIGN_NAME = 64 };

void courier_box_name(const char *kind, const char *id, char *name,
                      size_t size)
{
    snprintf(name, size, "%s%.47s", kind, id);
}

/* Scripts are taken from there and run: it is the user's alone. */
static int open_dir(const struct run *run, struct relay_error *err)
{
    struct stat st;
    int fd;

    if (mkdirat(run->relayfd, COURIER_DIR, 0700) != 0 && errno != EEXIST)
        return relay_fail_errno(err, EX_CANTCREAT, "cannot make %s/.relay/%s/"
                                COURIER_DIR, run->root, run->hash);
    fd = file_open_dir(run->relayfd, COURIER_DIR, err);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
        (st.st_mode & 077) == 0)
        return fd;
    close(fd);
    return relay_fail(err, EX_NOPERM, "%s/.relay/%s/" COURIER_DIR " must be "
                                      "yours, with mode 0700", run->root,
                      run->hash);
}

static void make_sign(struct courier_box *box, const struct owner *own,
                      const char *cluster)
{
    struct json_object *sign = json_object_new_object();

    json_add_int(sign, "format", 1);
    json_add_str(sign, "cluster", cluster);
    json_add_str(sign, "host", own->host);
    json_add_int(sign, "pid", getpid());
    json_add_str(sign, "job", own->job_id);
    snprintf(box->says, sizeof(box->says), "%s",
             json_object_to_json_string_ext(sign, JSON_C_TO_STRING_PLAIN));
    json_object_put(sign);
}

int courier_box_open(const struct run *run, const char *kind,
                     const char *cluster, struct courier_box *box,
                     struct relay_error *err)
{
    memset(box, 0, sizeof(*box));
    box->fd = open_dir(run, err);
    if (box->fd < 0 || file_nonce(box->nonce, err) != 0)
        return -1;
    courier_box_name(kind, box->nonce, box->sign, sizeof(box->sign));
    make_sign(box, &run->self, cluster);
    return courier_box_beat(box, err);
}

void courier_box_close(struct courier_box *box)
{
    if (box->fd < 0)
        return;
    if (box->sign[0] != '\0')
        (void)unlinkat(box->fd, box->sign, 0); /* else it grows old */
    close(box->fd);
    box->fd = -1;
}

int courier_box_beat(struct courier_box *box, struct relay_error *err)
{
    int64_t now = clock_ms();
    struct stat st;

    if (now < box->beat_at)
        return 0;
    box->beat_at = now + COURIER_BEAT_MS;
    /* Without a time: the server's own, and not this host's. */
    if (utimensat(box->fd, box->sign, NULL, AT_SYMLINK_NOFOLLOW) != 0 &&
        file_write(box->fd, box->sign, box->says, strlen(box->says), 0600,
                   err) != 0)
        return -1;
    if (fstatat(box->fd, box->sign, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return relay_fail_errno(err, EX_IOERR, "the mailbox of the courier");
    box->now = st.st_mtime;
    return 0;
}

/* Opened and not only looked at: that is what NFS asks its server for. */
static bool is_new(const struct courier_box *box, const char *name)
{
    int fd = openat(box->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    bool is;

    if (fd < 0)
        return false;
    is = fstat(fd, &st) == 0 && box->now - st.st_mtime < COURIER_QUIET_S;
    close(fd);
    return is;
}

bool courier_box_alive(const struct courier_box *box, const char *kind,
                       const char *nonce)
{
    char name[SIGN_NAME];

    courier_box_name(kind, nonce, name, sizeof(name));
    return is_new(box, name);
}

static bool is_of(const struct courier_box *box, const char *name,
                  const char *cluster, char *who, size_t size)
{
    struct json_object *sign = json_load(box->fd, name, NULL);
    const char *job = json_str(sign, "job", "");
    bool is = sign != NULL && json_check_format(sign, name, NULL) == 0 &&
              (cluster == NULL ||
               strcmp(json_str(sign, "cluster", ""), cluster) == 0);

    if (is && who != NULL && job[0] != '\0')
        snprintf(who, size, "%s", job);
    else if (is && who != NULL)
        snprintf(who, size, "%s", json_str(sign, "host", "another host"));
    json_object_put(sign);
    return is;
}

bool courier_box_find(const struct courier_box *box, const char *kind,
                      const char *cluster, char *who, size_t size)
{
    DIR *dir = file_list(box->fd);
    size_t len = strlen(kind);
    struct dirent *entry;
    bool found = false;

    while (dir != NULL && !found && (entry = readdir(dir)) != NULL)
        found = strncmp(entry->d_name, kind, len) == 0 &&
                is_new(box, entry->d_name) &&
                is_of(box, entry->d_name, cluster, who, size);
    if (dir != NULL)
        closedir(dir);
    return found;
}

bool courier_box_has(const struct courier_box *box, const char *kind,
                     const char *id)
{
    char name[SIGN_NAME];
    DIR *dir;
    struct dirent *entry;
    bool found = false;

    courier_box_name(kind, id, name, sizeof(name));
    /* A name that was missing is remembered by NFS; a listing is not. */
    dir = file_list(box->fd);
    while (dir != NULL && !found && (entry = readdir(dir)) != NULL)
        found = strcmp(entry->d_name, name) == 0;
    if (dir != NULL)
        closedir(dir);
    return found;
}

void courier_box_drop(const struct courier_box *box, const char *id)
{
    static const char *const kinds[] = {COURIER_ASK, COURIER_OUT,
                                        COURIER_REPLY};
    char name[SIGN_NAME + 24];
    size_t i;
    int gen;

    /* What is not there needs not be removed. */
    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        courier_box_name(kinds[i], id, name, sizeof(name));
        (void)unlinkat(box->fd, name, 0);
    }
    for (gen = 1;; gen++) {
        snprintf(name, sizeof(name), COURIER_TAKE "%.47s.%d", id, gen);
        if (unlinkat(box->fd, name, 0) != 0)
            break;
    }
}
