#include "cellfetch.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "digest.h"
#include "file.h"
#include "handoff.h"
#include "key.h"
#include "meta.h"
#include "metadata.h"
#include "outcome.h"
#include "source.h"
#include "transfer.h"

/* Ours, beside what it becomes; left out when a directory is copied. */
#define STAGE ".relay-fetch"

enum { STALL_S = 60 };

/* One attempt's state, there and here. */
struct pull {
    const struct cellfetch *f;
    const struct queue_place *place;
    struct peer peer;
    struct source src; /* only to ask by */
    char hash[KEY_HASH_LEN + 1]; /* "": the cell has no resume directory */
    char *dir;                   /* there */
    char state[PATH_MAX];        /* there; "": none */
    char state_here[PATH_MAX];   /* "": none */
    char dir_stage[PATH_MAX];
    char state_stage[PATH_MAX];
    struct manifest files;       /* of dir */
    struct manifest state_files;
};

static bool is_here(const struct cellfetch *f, const struct queue_place *place)
{
    return f->cfg->cluster == NULL ||
           strcmp(place->cluster, f->cfg->cluster) == 0;
}

int cellfetch_where(const struct cellfetch *f, bool *elsewhere)
{
    struct metadata_last last;
    int found = -1;
    size_t i;

    metadata_read(f->dir, f->cell->id, &last);
    *elsewhere = false;
    for (i = 0; i < f->nplaces; i++) {
        bool here = is_here(f, &f->places[i]);

        *elsewhere = *elsewhere || !here;
        if (found < 0 &&
            (!here || (last.known && last.gen >= f->places[i].gen)))
            found = (int)i;
    }
    return found;
}

/* --- what there is -------------------------------------------------------- */

static int open_peer(struct pull *p, struct relay_error *err)
{
    const struct cellfetch *f = p->f;

    p->src.peer = &p->peer;
    p->src.wait_s = f->cfg->source_wait;
    p->src.say = f->say;
    p->src.say_arg = f->arg;
    if (f->home != NULL && strcmp(f->home_name, p->place->cluster) == 0) {
        p->peer = *f->home;
        return 0;
    }
    return peer_open(f->cfg, p->place->cluster, &p->peer, err);
}

/* Of a cluster whose queue is not ours it is only known where resume
 * directories are. */
static int find_state(struct pull *p, struct relay_error *err)
{
    const struct config_names names = {.entity = p->f->sweep->entity,
                                       .project = p->f->sweep->project};
    const struct config_cluster *cluster =
        config_find(p->f->cfg, p->place->cluster, err);
    struct source src;
    char *root;
    int rc;

    if (cluster == NULL)
        return -1;
    if (cluster->resume_root == NULL || p->hash[0] == '\0' ||
        p->state_here[0] == '\0')
        return relay_fail(err, EX_CONFIG, "relay.yaml does not say where its "
                                          "resume directory is, there and "
                                          "here (clusters.*.resume_root)");
    root = config_path_for_peer(cluster->resume_root, &names, err);
    if (root == NULL)
        return -1;
    rc = source_look(&p->peer, root, p->hash, NULL, NULL, "", p->src.wait_s,
                     p->f->say, p->f->arg, &src, err);
    free(root);
    if (rc == 0 && src.found)
        snprintf(p->state, sizeof(p->state), "%s/%s", src.root, p->hash);
    source_free(&src);
    return rc;
}

static int find_dir(struct pull *p, struct relay_error *err)
{
    const struct cellfetch *f = p->f;

    if (p->place->out_root[0] != '/' && f->sweep->out[0] != '/')
        return relay_fail(err, EX_NOINPUT, "nothing says where its directory "
                                           "on %s is", p->place->cluster);
    p->dir = sweep_cell_dir(f->sweep, f->cell, p->place->out_root, err);
    return p->dir != NULL ? 0 : -1;
}

static int find_dirs(struct pull *p, struct relay_error *err)
{
    const struct cellfetch *f = p->f;
    char key[KEY_MAX + 1];
    bool fits;

    fits = (size_t)snprintf(p->dir_stage, sizeof(p->dir_stage), "%s/" STAGE,
                            f->dir) < sizeof(p->dir_stage);
    if (sweep_cell_key(f->sweep, f->cell->id, key, sizeof(key), NULL) != 0 ||
        digest_key(key, p->hash, NULL) != 0)
        p->hash[0] = '\0'; /* a key that is none: there is no such directory */
    if (p->hash[0] != '\0' && p->place->resume_root[0] == '/')
        fits = fits && (size_t)snprintf(p->state, sizeof(p->state), "%s/%s",
                                        p->place->resume_root, p->hash) <
                           sizeof(p->state);
    if (p->hash[0] != '\0' && f->resume_root != NULL)
        fits = fits &&
               (size_t)snprintf(p->state_here, sizeof(p->state_here), "%s/%s",
                                f->resume_root, p->hash) <
                   sizeof(p->state_here) &&
               (size_t)snprintf(p->state_stage, sizeof(p->state_stage),
                                "%s/" STAGE "-%s", f->resume_root, p->hash) <
                   sizeof(p->state_stage);
    if (!fits)
        return relay_fail(err, EX_CANTCREAT, "%s: the path is too long",
                          f->dir);
    return p->place->gen == 0 ? find_state(p, err) : find_dir(p, err);
}

/* Made anew here, or sent to W&B from where it is. */
static bool stays(const char *path)
{
    return strncmp(path, ".relay/", 7) == 0 || strncmp(path, "wandb/", 6) == 0;
}

static int last_ones(const char *path)
{
    return strcmp(path, CELL_METADATA) == 0 ? 2
           : strcmp(path, META_FILE) == 0   ? 1
                                            : 0;
}

/* The files of a directory there, in the order in which they are put here. */
static int list(struct pull *p, const char *dir, struct manifest *files,
                struct relay_error *err)
{
    struct manifest all = {0};
    int64_t others = 0;
    int turn, rc;
    size_t i;

    rc = source_run_files(&p->src, dir, 0, true, &all, &others, err);
    for (turn = 0; turn < 3; turn++) {
        for (i = 0; rc == 0 && i < all.n; i++) {
            const struct manifest_file *file = &all.files[i];

            if (!stays(file->path) && last_ones(file->path) == turn)
                rc = manifest_add(files, file->path, file->size,
                                  file->mtime_ns, file->sha256, err);
        }
    }
    manifest_free(&all);
    return rc;
}

/* --- copying -------------------------------------------------------------- */

/* What an earlier try left is gone on with, but what it says is not believed:
 * it need not be there any more. */
static void drop_evidence(const char *stage, const char *name)
{
    char path[PATH_MAX];

    if ((size_t)snprintf(path, sizeof(path), "%s/%s", stage, name) <
        sizeof(path))
        (void)unlink(path);
}

static int copy(struct pull *p, const char *from, const char *to,
                const struct manifest *files, struct relay_error *err)
{
    struct transfer t = {.peer = &p->peer,
                         .from = from,
                         .to = to,
                         .files = files,
                         .stall_s = STALL_S,
                         .wait_s = p->src.wait_s,
                         .say = p->f->say,
                         .arg = p->f->arg};
    int fd, rc;

    if (to[0] == '\0')
        return 0; /* there is no such directory here */
    drop_evidence(to, META_FILE);
    drop_evidence(to, CELL_METADATA);
    if (files->n == 0)
        return 0;
    if (file_make_dirs(to, 0700, err) != 0)
        return -1;
    fd = file_open_dir(AT_FDCWD, to, err);
    if (fd < 0)
        return -1;
    rc = transfer_room(fd, to, files->bytes, (int64_t)files->n + 16, err);
    close(fd);
    return rc == 0 ? transfer_pull(&t, NULL, err) : -1;
}

/* A meta's paths are those of the other cluster. */
static int localise(struct pull *p, const char *dir, struct relay_error *err)
{
    const struct cellfetch *f = p->f;
    size_t n = f->cfg->npath_map, len = 0;
    struct path_map *maps = calloc(n + 2, sizeof(*maps));
    struct relay_error none = {0};
    struct meta meta;
    char *run_dir = NULL, *text;
    int fd = file_open_dir(AT_FDCWD, dir, err);
    int rc = -1;

    if (maps == NULL || fd < 0) {
        free(maps);
        return fd < 0 ? -1 : relay_fail(err, EX_OSERR, "out of memory");
    }
    if (meta_read(fd, dir, &meta, &none) != 0) {
        rc = 0; /* none, or none that we could put right */
    } else {
        if (n > 0)
            memcpy(maps, f->cfg->path_map, n * sizeof(*maps));
        if (p->dir != NULL)
            maps[n++] = (struct path_map){p->dir, (char *)(uintptr_t)f->dir};
        if (p->state[0] != '\0' && p->state_here[0] != '\0')
            maps[n++] = (struct path_map){p->state, p->state_here};
        text = meta_localise(&meta, f->run_root, maps, n, &run_dir, &len, err);
        if (text != NULL)
            rc = file_write(fd, META_FILE, text, len, 0666, err);
        free(text);
    }
    meta_free(&meta);
    free(run_dir);
    free(maps);
    close(fd);
    return rc;
}

/* Puts files from..to-1 of a manifest in their place. */
static int place(const char *stage, const char *dir,
                 const struct manifest *files, size_t from, size_t to,
                 struct relay_error *err)
{
    struct manifest some = {.files = files->files + from, .n = to - from};
    size_t placed;

    return handoff_place_files(dir, stage, &some, false, &placed, err);
}

/* run_metadata.json, which says that the state is here, is the last. */
static int install(struct pull *p, struct relay_error *err)
{
    const char *dir = p->f->dir;
    size_t n = p->files.n;
    int rc = 0;

    if (p->state_files.n > 0 &&
        (file_make_dirs(p->state_here, 0777, err) != 0 ||
         place(p->state_stage, p->state_here, &p->state_files, 0,
               p->state_files.n, err) != 0 ||
         localise(p, p->state_here, err) != 0))
        return -1;
    if (n == 0)
        return 0;
    rc = place(p->dir_stage, dir, &p->files, 0, n - 1, err);
    if (rc == 0)
        rc = localise(p, dir, err);
    return rc == 0 ? place(p->dir_stage, dir, &p->files, n - 1, n, err) : -1;
}

/* --- the attempt ---------------------------------------------------------- */

/* Was the claim run there, by what was copied? What it reached, at least, has
 * to be here then. 1, 0 not, -1. */
static int check(const struct pull *p, struct relay_error *err)
{
    const struct cellfetch *f = p->f;
    struct metadata_last last;
    int64_t step;

    if (p->place->gen == 0)
        return p->state_files.n > 0;
    metadata_read(p->dir_stage, f->cell->id, &last);
    if (!last.known || last.gen < p->place->gen)
        return 0;
    step = outcome_step(p->dir_stage,
                        p->state_files.n > 0 ? p->state_stage : NULL);
    if (step < f->claim->step)
        return relay_fail(err, EX_NOINPUT,
                          "it had reached step %" PRId64 ", but %s and its "
                          "resume directory on %s have %s%" PRId64,
                          f->claim->step, p->dir, p->place->cluster,
                          step < 0 ? "no step: " : "step ", step);
    return 1;
}

/* Is there a later step here than that of a cluster whose queue is not ours?
 * It stays. */
static bool is_ahead_here(const struct pull *p)
{
    return p->place->gen == 0 &&
           outcome_step(p->state_here, NULL) >
               outcome_step(p->state_stage, NULL);
}

static void say_fetched(const struct pull *p)
{
    char line[400];

    if (p->f->say == NULL)
        return;
    snprintf(line, sizeof(line), "cell %s: %.1f MB in %zu files came from %s",
             p->f->cell->id,
             (double)(p->files.bytes + p->state_files.bytes) / 1e6,
             p->files.n + p->state_files.n, p->place->cluster);
    p->f->say(p->f->arg, line);
}

static int pull_all(struct pull *p, struct relay_error *err)
{
    int rc = open_peer(p, err);

    if (rc == 0)
        rc = find_dirs(p, err);
    if (rc == 0 && p->dir != NULL)
        rc = list(p, p->dir, &p->files, err);
    if (rc == 0 && p->state[0] != '\0' && p->state_here[0] != '\0')
        rc = list(p, p->state, &p->state_files, err);
    if (rc == 0)
        rc = copy(p, p->dir, p->dir_stage, &p->files, err);
    if (rc == 0)
        rc = copy(p, p->state, p->state_stage, &p->state_files, err);
    return rc;
}

/* 1 its state is here now, 0 it was not run there, -1. */
static int fetch(const struct cellfetch *f, const struct queue_place *from,
                 struct relay_error *err)
{
    struct pull *p = calloc(1, sizeof(*p));
    int rc;

    if (p == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    p->f = f;
    p->place = from;
    rc = pull_all(p, err);
    if (rc == 0)
        rc = check(p, err);
    if (rc == 1 && !is_ahead_here(p)) {
        rc = install(p, err) == 0 ? 1 : -1;
        if (rc == 1)
            say_fetched(p);
    }
    /* What was copied for nothing; after an error it serves the next try. */
    if (rc >= 0 && p->dir_stage[0] != '\0')
        (void)file_remove_tree(AT_FDCWD, p->dir_stage, NULL);
    if (rc >= 0 && p->state_stage[0] != '\0')
        (void)file_remove_tree(AT_FDCWD, p->state_stage, NULL);
    manifest_free(&p->files);
    manifest_free(&p->state_files);
    free(p->dir);
    free(p);
    return rc;
}

int cellfetch(const struct cellfetch *f, struct relay_error *err)
{
    struct cellfetch left = *f;
    bool elsewhere, any;
    int at, rc = 0;

    at = cellfetch_where(&left, &any);
    while (at >= 0 && !is_here(f, &left.places[at])) {
        if (file_make_dirs(f->dir, 0777, err) != 0)
            return -1;
        rc = fetch(f, &left.places[at], err);
        if (rc != 0)
            return rc < 0 ? relay_fail_in(err, "its state on %s",
                                          left.places[at].cluster) : 1;
        left.places += at + 1;
        left.nplaces -= (size_t)at + 1;
        at = cellfetch_where(&left, &elsewhere);
    }
    if (at >= 0 || !any || f->claim->step < 0)
        return 0;
    return relay_fail(err, EX_NOINPUT, "it had reached step %" PRId64 ", and "
                                       "no cluster that ran it has that",
                      f->claim->step);
}
