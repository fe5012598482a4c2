#define _GNU_SOURCE 1
#include "transfer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "courier.h"
#include "digest.h"
#include "file.h"
#include "process.h"
#include "transfer_rsync.h"

#define MAX_WAIT_S 60
#define MKDIR_MS 30000

/* The state of one transfer between its runs of rsync. */
struct work {
    const struct transfer *t;
    int dirfd;            /* our side */
    bool *good;           /* files known to be here already, whole */
    struct manifest part; /* here in part: to be gone on with */
    struct manifest rest; /* to be copied whole */
    int64_t part_bytes;
    int64_t good_bytes;
    bool once;            /* the one more try of RSYNC_ONCE was made */
};

/* --- what is here already ------------------------------------------------ */

/* rsync that was killed leaves .NAME.XXXXXX: taken as the beginning of NAME
 * when NAME is still missing and the piece is no larger, else removed. */
static void adopt_temp(const struct work *w, const char *dir, int fd,
                       const char *name)
{
    char path[PATH_MAX + NAME_MAX + 2];
    char of[NAME_MAX + 1];
    const struct manifest_file *file;
    struct stat temp, st;

    if (!rsync_temp_name(name, of, sizeof(of)))
        return;
    snprintf(path, sizeof(path), "%s%s%s", dir, dir[0] != '\0' ? "/" : "", of);
    file = manifest_find(w->t->files, path);
    if (file == NULL ||
        fstatat(fd, name, &temp, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(temp.st_mode))
        return;
    if (temp.st_size > 0 && temp.st_size <= file->size &&
        fstatat(fd, of, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT &&
        renameat(fd, name, fd, of) == 0)
        return;
    (void)unlinkat(fd, name, 0); /* a leftover costs room, nothing else */
}

/* For every directory that the manifest names. */
static void adopt_temps(const struct work *w)
{
    const struct manifest *files = w->t->files;
    char last[PATH_MAX] = "/"; /* no relative directory is that */
    const struct dirent *d;
    size_t i;

    for (i = 0; i < files->n; i++) {
        const char *path = files->files[i].path;
        const char *slash = strrchr(path, '/');
        int len = slash != NULL ? (int)(slash - path) : 0;
        char dir[PATH_MAX];
        DIR *stream;
        int fd;

        snprintf(dir, sizeof(dir), "%.*s", len, path);
        if (strcmp(dir, last) == 0)
            continue;
        memcpy(last, dir, sizeof(last));
        fd = openat(w->dirfd, len > 0 ? dir : ".",
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        stream = fd >= 0 ? fdopendir(fd) : NULL;
        if (stream == NULL) {
            if (fd >= 0)
                close(fd);
            continue; /* not made yet */
        }
        while ((d = readdir(stream)) != NULL)
            adopt_temp(w, dir, fd, d->d_name);
        closedir(stream);
    }
}

static int64_t mtime_ns(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* Is the file with these bytes here? A digest is only worth its reading when
 * the time is the same too: rsync sets it at the end of each file. */
static bool is_here(const struct work *w, const struct manifest_file *file,
                    const struct stat *st)
{
    char hex[DIGEST_HEX];

    return S_ISREG(st->st_mode) && st->st_size == file->size &&
           mtime_ns(st) == file->mtime_ns && file->sha256[0] != '\0' &&
           digest_file(w->dirfd, file->path, hex, NULL, NULL, NULL) == 0 &&
           strcmp(hex, file->sha256) == 0;
}

/* Sorts the files into good, part and rest. */
static int look_here(struct work *w, struct relay_error *err)
{
    const struct manifest *files = w->t->files;
    size_t i;

    manifest_free(&w->part);
    manifest_free(&w->rest);
    memset(&w->part, 0, sizeof(w->part));
    memset(&w->rest, 0, sizeof(w->rest));
    w->part_bytes = w->good_bytes = 0;
    adopt_temps(w);
    for (i = 0; i < files->n; i++) {
        const struct manifest_file *f = &files->files[i];
        struct manifest *into = &w->rest;
        struct stat st;
        bool there = fstatat(w->dirfd, f->path, &st,
                             AT_SYMLINK_NOFOLLOW) == 0;

        if (!w->good[i] && there)
            w->good[i] = is_here(w, f, &st);
        if (w->good[i]) {
            w->good_bytes += f->size;
            continue;
        }
        /* --append-verify leaves a file alone that is as long or longer,
         * whatever its bytes: only shorter ones are gone on with. */
        if (there && S_ISREG(st.st_mode) && st.st_size > 0 &&
            st.st_size < f->size) {
            into = &w->part;
            w->part_bytes += st.st_size;
        }
        if (manifest_add(into, f->path, f->size, f->mtime_ns, f->sha256,
                         err) != 0)
            return -1;
    }
    return 0;
}

/* --- the loop ------------------------------------------------------------ */

static void say(const struct transfer *t, const char *text)
{
    if (t->say != NULL)
        t->say(t->arg, text);
}

/* What is not here yet, by the login node: the pieces go on there. */
static enum rsync_end pass_by_courier(struct work *w, int64_t *grown_at,
                                      struct relay_error *err)
{
    const struct manifest *files = w->t->files;
    struct manifest missing = {0};
    size_t i;
    int rc = 0;

    for (i = 0; i < files->n && rc == 0; i++) {
        const struct manifest_file *f = &files->files[i];

        if (!w->good[i])
            rc = manifest_add(&missing, f->path, f->size, f->mtime_ns,
                              f->sha256, err);
    }
    if (rc == 0 && missing.n > 0)
        rc = courier_pull(w->t, &missing, grown_at, err);
    manifest_free(&missing);
    if (rc > 0)
        relay_fail(err, EX_TEMPFAIL, "your own connection to %s is there now",
                   w->t->peer->data);
    if (rc < 0 && process_cancelled() != 0)
        return RSYNC_ENDED;
    return rc == 0 ? RSYNC_GOOD
                   : err->code == EX_TEMPFAIL ? RSYNC_AGAIN : RSYNC_NEVER;
}

/* One pass over what is missing: the pieces first, then the rest. */
static enum rsync_end pass(struct work *w, enum rsync_mode mode,
                           int64_t *grown_at, struct relay_error *err)
{
    struct rsync_run run = {.t = w->t, .dirfd = w->dirfd,
                            .total = w->t->files->bytes};
    enum rsync_end end = RSYNC_GOOD;

    if (mode == RSYNC_PUSH) {
        run.mode = mode;
        run.files = w->t->files;
        return rsync_run(&run, err);
    }
    if (!peer_may_log_in(w->t->peer, w->t->peer->data) &&
        w->t->peer->post != NULL)
        return pass_by_courier(w, grown_at, err);
    run.had = w->good_bytes + w->part_bytes;
    if (w->part.n > 0) {
        run.mode = RSYNC_APPEND;
        run.files = &w->part;
        run.hash_bytes = w->part_bytes;
        end = rsync_run(&run, err);
        run.had += w->part.bytes - w->part_bytes;
    }
    if (end == RSYNC_GOOD && w->rest.n > 0) {
        run.mode = RSYNC_WHOLE;
        run.files = &w->rest;
        run.hash_bytes = 0;
        end = rsync_run(&run, err);
    }
    if (run.grown_at > *grown_at)
        *grown_at = run.grown_at;
    return end;
}

/* Waits before the next pass; false when a signal told us to end. */
static bool pause_before_next(const struct work *w, int64_t wait_s,
                              const struct relay_error *why)
{
    char text[1200];

    snprintf(text, sizeof(text), "%s; again in %lld s", why->text,
             (long long)wait_s);
    say(w->t, text);
    return peer_pause(w->t->peer, wait_s * 1000 + clock_ms() % 250);
}

/* Passes until one is content or there is no hope. */
static int go(struct work *w, enum rsync_mode mode, struct relay_error *err)
{
    int64_t progress_at = clock_ms();
    int64_t wait_s = 1;

    for (;;) {
        int64_t grown_at = 0;
        enum rsync_end end;

        if (mode != RSYNC_PUSH && look_here(w, err) != 0)
            return -1;
        end = pass(w, mode, &grown_at, err);
        if (end == RSYNC_GOOD)
            return 0;
        if (grown_at > progress_at) {
            progress_at = grown_at;
            wait_s = 1;
        }
        if (end == RSYNC_ONCE && !w->once)
            w->once = true;
        else if (end != RSYNC_AGAIN)
            return -1;
        /* The wait counts: a next try would come too late. */
        if (clock_ms() - progress_at + wait_s * 1000 > w->t->wait_s * 1000)
            return -1;
        if (!pause_before_next(w, wait_s, err))
            return relay_fail(err, EX_TEMPFAIL, "the copy was ended by "
                              "signal %d; what has come is kept",
                              process_cancelled());
        wait_s = wait_s * 2 < MAX_WAIT_S ? wait_s * 2 : MAX_WAIT_S;
    }
}

static int run_work(const struct transfer *t, const char *here,
                    enum rsync_mode mode, struct relay_error *err)
{
    struct work w = {.t = t};
    int rc = -1;

    w.dirfd = file_open_dir(AT_FDCWD, here, err);
    if (w.dirfd < 0)
        return -1;
    w.good = calloc(t->files->n + 1, sizeof(*w.good));
    if (w.good == NULL)
        relay_fail(err, EX_OSERR, "out of memory");
    else
        rc = go(&w, mode, err);
    if (rc == 0 && t->progress != NULL)
        t->progress(t->arg, t->files->bytes, t->files->bytes);
    if (rc == 0 && mode != RSYNC_PUSH)
        adopt_temps(&w); /* every name is there: leftovers go */
    manifest_free(&w.part);
    manifest_free(&w.rest);
    free(w.good);
    close(w.dirfd);
    return rc;
}

int transfer_pull(const struct transfer *t, int64_t *took_ms,
                  struct relay_error *err)
{
    int64_t start = clock_ms();
    int rc = run_work(t, t->to, RSYNC_WHOLE, err);

    if (took_ms != NULL)
        *took_ms = clock_ms() - start;
    return rc;
}

int transfer_push(const struct transfer *t, struct relay_error *err)
{
    static const char script[] = "umask 077; mkdir -p -- \"$1\"\n";
    const char *args[] = {t->to, NULL};
    struct peer_reply reply;
    struct peer peer = *t->peer;
    int code;

    memcpy(peer.host, peer.data, sizeof(peer.host));
    if (peer_script_retry(&peer, script, args, MKDIR_MS, t->wait_s, t->say,
                          t->arg, &reply, err) != 0)
        return -1;
    code = reply.exit_code;
    peer_reply_free(&reply);
    if (code != 0)
        return relay_fail(err, EX_CANTCREAT, "cannot make the directory %s "
                          "on %s", t->to,
                          peer.local ? "this host" : peer.data);
    return run_work(t, t->from, RSYNC_PUSH, err);
}
