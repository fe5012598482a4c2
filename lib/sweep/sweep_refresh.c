/* A sweep whose source grows while workers run. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "roster_kind.h"
#include "sweep_private.h"

/* Another worker was faster: so often one looks again. */
enum { TRIES = 16 };

#define MAX_TEXT ((size_t)UINT32_MAX - 1)

/* The live source, when it changed since it was last read. 1 with text; 0:
 * nothing to see; -1. */
static int read_live(const struct sweep *sweep, struct sweep_mark *mark,
                     char **text, size_t *len, struct relay_error *err)
{
    struct stat st;
    int fd, rc = 1;

    *text = NULL;
    if (stat(sweep->source, &st) != 0)
        return 0; /* gone, or not to be seen from here: nothing new */
    mark_of(&st, mark);
    if (mark_equal(mark, &sweep->seen) || !S_ISREG(st.st_mode))
        return 0;
    fd = open(sweep->source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0) {
        rc = errno == ENOENT ? 0
                             : relay_fail_errno(err, EX_IOERR,
                                                "cannot read %s",
                                                sweep->source);
    } else {
        mark_of(&st, mark); /* what grows while it is read differs from it */
        *text = file_read_fd(fd, sweep->source, MAX_TEXT, len, err);
        rc = *text != NULL ? 1 : -1;
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

/* Puts a new version in its place. 1 when it is ours; 0 when another was
 * faster; -1. */
static int put_version(struct sweep *sweep, const struct roster *roster,
                       const struct id_index *ids, struct relay_error *err)
{
    char nonce[33], temp[64], name[64];
    int rc;

    if (file_nonce(nonce, err) != 0)
        return -1;
    snprintf(temp, sizeof(temp), SOURCE_DIR "/.tmp-%s", nonce);
    snprintf(name, sizeof(name), SOURCE_DIR "/%" PRId64, sweep->version + 1);
    rc = version_write(sweep->fd, temp, sweep->file, roster, ids, err);
    if (rc == 0) {
        /* Onto a directory with something in it no rename succeeds. */
        if (renameat(sweep->fd, temp, sweep->fd, name) == 0)
            rc = 1;
        else if (errno != ENOTEMPTY && errno != EEXIST)
            rc = relay_fail_errno(err, EX_CANTCREAT, "cannot make %s/%s",
                                  sweep->path, name);
    }
    if (rc != 1)
        (void)file_remove_tree(sweep->fd, temp, NULL); /* our own, unseen */
    return rc;
}

/* Claimed lines that were commented out stay cells; somebody should say so. */
static void note_kept(struct sweep *sweep, const struct growth *g)
{
    char others[40] = "";

    sweep->note[0] = '\0';
    if (g->nkept > 1)
        snprintf(others, sizeof(others), " (so were %zu more)", g->nkept - 1);
    if (g->nkept > 0)
        snprintf(sweep->note, sizeof(sweep->note),
                 "%.300s:%d: this line was commented out%s, but its cell was "
                 "claimed before: it stays one (`ssweep cancel` stops it)",
                 g->path, g->kept_line, others);
}

/* Takes text in as a new version, if it is a continuation of what the sweep
 * has. 1: it was, and the sweep has it; 0: nothing new in it, or another
 * worker was faster (*again); -1. text is freed. */
static int take_in(struct sweep *sweep, struct growth *growth, char *text,
                   bool *again, struct relay_error *err)
{
    struct roster *roster = NULL;
    struct id_index ids = {0};
    size_t whole = 0;
    int rc;

    growth->old = sweep->roster->text;
    growth->old_len = sweep->roster->len;
    rc = growth_check(growth, &whole, err);
    note_kept(sweep, growth);
    if (rc == 1 && growth->nkept > 0) {
        free(text);
        text = growth->kept.s;
        growth->kept = (struct text){0};
    }
    growth_free(growth);
    if (rc != 1) {
        free(text);
        return rc;
    }
    text[whole] = '\0';
    rc = roster_parse(sweep->source, text, whole, &sweep->options,
                      sweep->configs, sweep->nconfigs, &roster, NULL, err);
    if (rc == 0)
        rc = id_index_make(roster, sweep->source, NULL, &ids, err);
    if (rc == 0)
        rc = put_version(sweep, roster, &ids, err);
    *again = rc == 0;
    roster_free(roster);
    id_index_free(&ids);
    return rc;
}

/* The version before the last one is kept for those who are just opening it;
 * older ones are nobody's. */
static void drop_old(const struct sweep *sweep)
{
    char name[64];

    if (sweep->version < 3)
        return;
    snprintf(name, sizeof(name), SOURCE_DIR "/%" PRId64, sweep->version - 2);
    /* It costs space only, should it stay. */
    (void)file_remove_tree(sweep->fd, name, NULL);
}

int sweep_refresh(struct sweep *sweep,
                  bool (*claimed)(void *arg, uint64_t index), void *arg,
                  struct relay_error *err)
{
    enum roster_kind kind = roster_info(sweep->roster)->kind;
    struct growth growth = {.path = sweep->source, .kind = kind,
                            .claimed = claimed, .arg = arg};
    int64_t before = sweep->version;
    struct sweep_mark versions = {0};
    struct stat st;
    int tries;

    if (kind != ROSTER_CSV && kind != ROSTER_QUEUE)
        return 0;
    for (tries = 0; tries < TRIES; tries++) {
        struct sweep_mark mark = sweep->seen;
        bool again = false;
        char *text;
        int rc;

        if (fstatat(sweep->fd, SOURCE_DIR, &st, 0) == 0) {
            mark_of(&st, &versions);
            if (!mark_equal(&versions, &sweep->versions) &&
                version_load(sweep, err) < 0)
                return -1;
            sweep->versions = versions;
        }
        rc = read_live(sweep, &mark, &text, &growth.now_len, err);
        growth.now = text;
        if (rc == 1)
            rc = take_in(sweep, &growth, text, &again, err);
        if (rc < 0)
            return -1;
        if (again)
            continue;
        sweep->seen = mark;
        if (rc == 1) {
            if (version_load(sweep, err) < 0)
                return -1;
            drop_old(sweep);
        }
        return sweep->version != before;
    }
    return sweep->version != before; /* the others take in what there is */
}
