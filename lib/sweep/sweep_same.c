/* Is a sweep that is there the one that somebody wants to make? */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "file.h"
#include "queuefile.h"
#include "roster_kind.h"
#include "sweep_private.h"

#define MAX_TEXT ((size_t)UINT32_MAX - 1)

static int differs(const struct sweep *sweep, struct relay_error *err,
                   const char *what)
{
    return relay_fail(err, EX_CANTCREAT,
                      "%s is there, and %s: for another sweep say "
                      "`ssweep create -o NEW" SWEEP_ENDING " ...`",
                      sweep->path, what);
}

static int64_t epochs_of(const struct roster_options *opt)
{
    return opt->epochs > 0 ? opt->epochs : QUEUE_EPOCHS;
}

int sweep_same_options(const struct sweep *sweep,
                       const struct roster_options *opt,
                       struct relay_error *err)
{
    const struct roster_options *had = &sweep->options;
    char what[160];

    if (had->yaml_floats != opt->yaml_floats)
        return differs(sweep, err, had->yaml_floats
                                       ? "was made with --yaml-floats"
                                       : "was made without --yaml-floats");
    if (had->strict_wandb != opt->strict_wandb)
        return differs(sweep, err, had->strict_wandb
                                       ? "was made with --strict-wandb"
                                       : "was made without --strict-wandb");
    if (epochs_of(had) != epochs_of(opt)) {
        snprintf(what, sizeof(what), "was made with --epochs=%" PRId64
                 " and not %" PRId64, epochs_of(had), epochs_of(opt));
        return differs(sweep, err, what);
    }
    if (had->start_index != opt->start_index) {
        snprintf(what, sizeof(what), "was made with --start-index=%" PRId64
                 " and not %" PRId64, had->start_index, opt->start_index);
        return differs(sweep, err, what);
    }
    return 0;
}

static int same_configs(const struct sweep *sweep, const char *source,
                        struct relay_error *err)
{
    char digest[DIGEST_HEX];
    char what[PATH_MAX + 80];
    size_t i;

    for (i = 0; i < sweep->nconfigs; i++) {
        if (config_digest(source, &sweep->configs[i], digest, err) != 0)
            return -1;
        if (strcmp(digest, sweep->configs[i].digest) == 0)
            continue;
        snprintf(what, sizeof(what), "%.400s was edited since, which makes "
                 "other cells of it", sweep->configs[i].path);
        return differs(sweep, err, what);
    }
    return 0;
}

/* ---- the source ---------------------------------------------------------- */

static int first_difference(const char *a, size_t alen, const char *b,
                            size_t blen)
{
    int line = 1;
    size_t i;

    for (i = 0; i < alen && i < blen && a[i] == b[i]; i++)
        line += a[i] == '\n';
    return line;
}

static int same_text(const struct sweep *sweep, const char *source,
                     const char *text, size_t len, struct relay_error *err)
{
    const struct roster *r = sweep->roster;
    enum roster_kind kind = roster_info(r)->kind;
    struct relay_error why = {0};
    char what[PATH_MAX + 200];
    size_t whole;
    struct growth growth = {.path = source, .kind = kind, .old = r->text,
                            .old_len = r->len, .now = text, .now_len = len};

    if (len == r->len && memcmp(text, r->text, len) == 0)
        return 0;
    if (kind == ROSTER_WANDB) {
        snprintf(what, sizeof(what),
                 "%.400s was edited since the sweep was made of it (line %d "
                 "differs from " SOURCE_DIR "/%" PRId64 "/%.200s)", source,
                 first_difference(r->text, r->len, text, len),
                 sweep->version, sweep->file);
        return differs(sweep, err, what);
    }
    if (growth_check(&growth, &whole, &why) >= 0)
        return 0;
    return relay_fail(err, EX_CANTCREAT, "%s is there: %s", sweep->path,
                      why.text);
}

static int same_jobs(const struct sweep *sweep, const char *source,
                     struct relay_error *err)
{
    struct roster *now = NULL;
    char a[CELL_ID_MAX + 1], b[CELL_ID_MAX + 1];
    int rc = roster_load(source, &sweep->options, NULL, 0, &now, NULL, err);
    uint64_t i;

    if (rc == 0 && roster_size(now) != roster_size(sweep->roster))
        rc = differs(sweep, err, "the directory has other jobs now");
    for (i = 0; rc == 0 && i < roster_size(now); i++) {
        rc = roster_id(now, i, a, err) != 0 ||
             roster_id(sweep->roster, i, b, err) != 0 ? -1 : 0;
        if (rc == 0 && strcmp(a, b) != 0)
            rc = differs(sweep, err, "the directory has other jobs now");
    }
    roster_free(now);
    return rc;
}

/* A file that grows must be the one that the sweep looks at: another of the
 * same name and beginning would never be read. */
static int same_file(const struct sweep *sweep, const char *source,
                     struct relay_error *err)
{
    enum roster_kind kind = roster_info(sweep->roster)->kind;
    char what[2 * PATH_MAX];
    struct stat live, st;

    if (kind == ROSTER_WANDB || stat(sweep->source, &live) != 0 ||
        stat(source, &st) != 0 ||
        (live.st_dev == st.st_dev && live.st_ino == st.st_ino))
        return 0;
    snprintf(what, sizeof(what), "is of %.400s", sweep->source);
    return differs(sweep, err, what);
}

int sweep_same(const struct sweep *sweep, const struct sweep_create *create,
               struct relay_error *err)
{
    const char *source = create->source;
    char *real, *text;
    size_t len = 0;
    int rc;

    if (sweep_same_options(sweep, &create->options, err) != 0 ||
        same_file(sweep, source, err) != 0)
        return -1;
    if (roster_info(sweep->roster)->kind == ROSTER_JOBS)
        return same_jobs(sweep, source, err);
    real = realpath(source, NULL);
    if (real == NULL)
        return relay_fail_errno(err, EX_NOINPUT, "cannot read %s", source);
    text = file_read(AT_FDCWD, real, MAX_TEXT, &len, err);
    free(real);
    if (text == NULL)
        return -1;
    rc = same_text(sweep, source, text, len, err);
    free(text);
    return rc == 0 ? same_configs(sweep, source, err) : -1;
}
