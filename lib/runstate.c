/* What is in <root>/<hash>: look at it, keep it, put it back. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "ptcheck.h"
#include "run.h"

static void look_at_checkpoint(int dirfd, struct run_state_info *info)
{
    struct relay_error why = {0};
    struct stat st;

    info->kind = STATE_GOOD;
    if (fstatat(dirfd, STATE_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return; /* other layouts keep their state in files of other names */
    if (ptcheck_file(dirfd, STATE_FILE, 1, NULL, 0, &why) == PT_BAD) {
        info->kind = STATE_BROKEN;
        snprintf(info->why, sizeof(info->why), "%.500s", why.text);
    }
}

int run_state_look(const struct run *run, struct run_state_info *info,
                   struct relay_error *err)
{
    struct relay_error why = {0};
    struct stat st;
    int dirfd;

    memset(info, 0, sizeof(*info));
    info->meta.step = -1;
    if (run->rootfd < 0)
        return 0;
    dirfd = openat(run->rootfd, run->hash, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0 && errno == ENOENT)
        return 0;
    if (dirfd < 0)
        return relay_fail_errno(err, EX_IOERR, "%s/%s", run->root, run->hash);
    if (fstatat(dirfd, META_FILE, &st, 0) == 0)
        info->saved = st.st_mtime;
    if (meta_read(dirfd, run->hash, &info->meta, &why) != 0) {
        if (why.code != EX_NOINPUT) {
            info->kind = STATE_BROKEN;
            snprintf(info->why, sizeof(info->why), "%.500s", why.text);
        }
    } else if (info->meta.moved_to != NULL) {
        info->kind = STATE_STUB;
    } else {
        look_at_checkpoint(dirfd, info);
    }
    close(dirfd);
    return 0;
}

void run_state_free(struct run_state_info *info)
{
    meta_free(&info->meta);
    memset(info, 0, sizeof(*info));
}

int64_t run_state_changed(const struct run *run)
{
    int fd = openat(run->rootfd, run->hash,
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    int64_t newest = 0;
    struct stat st;

    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, "..") != 0 &&
            fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_mtime > newest)
            newest = st.st_mtime;
    closedir(dir);
    return newest;
}

int64_t run_server_time(const struct run *run)
{
    char name[64];
    struct stat st;
    int64_t now = 0;

    snprintf(name, sizeof(name), ".clock-%s", run->nonce);
    if (file_write(run->relayfd, name, "", 0, 0600, NULL) == 0 &&
        fstatat(run->relayfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        now = st.st_mtime;
    (void)unlinkat(run->relayfd, name, 0); /* ours, empty */
    return now;
}
