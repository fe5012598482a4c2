/*
 * sresume rewrite: step 3b of a handoff by hand. run_dir in resume_meta.json
 * becomes a directory of this cluster, which is made first: a training dies
 * within seconds when it cannot make it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "gate.h"
#include "sresume.h"

#define ORIG_FILE META_FILE ".orig"

struct rewrite {
    struct place place;
    const char *run_root; /* --run-root, NULL: the configured one */
    const char *run_dir;  /* --run-dir, NULL: run_root and the old name */
    bool dry_run;
    struct config cfg;    /* of a DIR; a run has its own */
    struct run run;
    bool is_run;
    int dirfd;
    char dir[2048];
};

static int refuse_live(struct rewrite *rw, struct relay_error *err)
{
    struct gate_holder holder;
    struct lease lease;
    int status = 0;

    if (rw->run.relayfd < 0)
        return 0;
    if (lease_read(rw->run.relayfd, &lease, err) != 0)
        return -1;
    if (lease_held(&lease) &&
        !gate_look(&rw->run, &lease, NULL, &holder))
        status = relay_fail(err, EX_NOPERM, "%s: nothing was rewritten: %s",
                            rw->run.key, holder.why);
    lease_free(&lease);
    return status;
}

static int open_run(struct rewrite *rw, const char *typed,
                    struct relay_error *err)
{
    rw->is_run = true;
    if (place_open(&rw->place, typed, true, &rw->run, err) != 0)
        return -1;
    run_state_dir(&rw->run, rw->dir, sizeof(rw->dir));
    rw->dirfd = open(rw->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (rw->dirfd < 0)
        return relay_fail_errno(err, EX_NOINPUT, "%s (%s)", rw->run.key,
                                rw->dir);
    return refuse_live(rw, err);
}

/* Is dir <root>/<hash> of a run that we have records of? Then root (malloc'd)
 * and hash are set, so that the lease is asked however the run was named. */
static bool known_run(const char *dir, char **root, char hash[41])
{
    char *path = realpath(dir, NULL);
    char *slash = path != NULL ? strrchr(path, '/') : NULL;
    char records[4200];
    bool known = false;

    if (slash != NULL && slash != path && key_is_hash(slash + 1)) {
        *slash = '\0';
        snprintf(hash, 41, "%s", slash + 1);
        snprintf(records, sizeof(records), "%s/.relay/%s", path, hash);
        known = access(records, F_OK) == 0;
    }
    if (known)
        *root = path;
    else
        free(path);
    return known;
}

static int open_dir(struct rewrite *rw, const char *typed,
                    struct relay_error *err)
{
    char *root = NULL;
    char hash[41];
    int status;

    if (known_run(typed, &root, hash)) {
        rw->place.root = root;
        status = open_run(rw, hash, err);
        rw->place.root = NULL;
        free(root);
        return status;
    }
    snprintf(rw->dir, sizeof(rw->dir), "%s", typed);
    rw->dirfd = open(typed, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (rw->dirfd < 0)
        return relay_fail_errno(err, EX_NOINPUT, "%s", typed);
    if (rw->run_dir != NULL)
        return 0;
    return place_config(&rw->place, &rw->cfg, err);
}

/* The new text with run_dir as --run-dir says. */
static char *set_run_dir(const struct rewrite *rw, const struct meta *meta,
                         char **run_dir, size_t *len, struct relay_error *err)
{
    char *quoted;
    char *text = NULL;

    *run_dir = place_absolute(rw->run_dir, err);
    if (*run_dir == NULL)
        return NULL;
    quoted = meta_quote(*run_dir);
    if (quoted != NULL)
        text = meta_splice(meta->text, meta->len, "run_dir", quoted, len,
                           err);
    free(quoted);
    return text;
}

static char *configured_root(const struct rewrite *rw, struct relay_error *err)
{
    const struct config_cluster *here;
    const struct config *cfg = rw->is_run ? &rw->run.cfg : &rw->cfg;
    char dir[2048];
    struct config_names names = {.workdir = dir, .user = getenv("USER")};

    if (rw->run_root != NULL)
        return place_absolute(rw->run_root, err);
    if (rw->is_run && rw->run.run_root != NULL)
        return strdup(rw->run.run_root);
    here = config_find(cfg, cfg->cluster, err);
    if (here == NULL)
        return NULL;
    if (here->run_root == NULL || getcwd(dir, sizeof(dir)) == NULL) {
        relay_fail(err, EX_CONFIG,
                   "clusters.%s.run_root is not configured: use "
                   "--run-root=DIR or --run-dir=DIR", cfg->cluster);
        return NULL;
    }
    return config_path(cfg, here->run_root, &names, err);
}

static char *new_text(const struct rewrite *rw, const struct meta *meta,
                      char **run_dir, size_t *len, struct relay_error *err)
{
    const struct config *cfg = rw->is_run ? &rw->run.cfg : &rw->cfg;
    /* Who types a root wants it, whatever path_map says. */
    size_t nmaps = rw->run_root != NULL ? 0 : cfg->npath_map;
    char *root;
    char *text;

    if (rw->run_dir != NULL)
        return set_run_dir(rw, meta, run_dir, len, err);
    root = configured_root(rw, err);
    if (root == NULL)
        return NULL;
    text = meta_localise(meta, root, cfg->path_map, nmaps, run_dir, len, err);
    free(root);
    return text;
}

static int write_meta(const struct rewrite *rw, const struct meta *meta,
                      const char *text, size_t len, const char *run_dir,
                      struct relay_error *err)
{
    struct stat st;

    if (run_dir != NULL && file_make_dirs(run_dir, 0777, err) != 0)
        return relay_fail_in(err, "nothing was rewritten");
    if (len == meta->len && memcmp(text, meta->text, len) == 0)
        return 0;
    if (fstatat(rw->dirfd, META_FILE, &st, 0) != 0)
        return relay_fail_errno(err, EX_IOERR, "%s/" META_FILE, rw->dir);
    if (file_write(rw->dirfd, ORIG_FILE, meta->text, meta->len,
                   st.st_mode & 0777, err) != 0)
        return -1;
    return file_write(rw->dirfd, META_FILE, text, len, st.st_mode & 0777,
                      err);
}

static int rewrite(const struct rewrite *rw, struct relay_error *err)
{
    struct meta meta;
    char *run_dir = NULL;
    char *text = NULL;
    size_t len = 0;
    int status = meta_read(rw->dirfd, rw->dir, &meta, err);

    if (status == 0 && meta.moved_to != NULL)
        status = relay_fail(err, EX_DATAERR,
                            "%s is only a note that the run moved to %s",
                            rw->dir, meta.moved_to);
    if (status == 0) {
        text = new_text(rw, &meta, &run_dir, &len, err);
        status = text != NULL ? 0 : -1;
    }
    if (status == 0 && run_dir == NULL)
        status = relay_fail(err, EX_DATAERR,
                            "%s/" META_FILE " has no run_dir; --run-dir=DIR "
                            "adds one", rw->dir);
    if (status == 0 && !rw->dry_run)
        status = write_meta(rw, &meta, text, len, run_dir, err);
    if (status == 0)
        printf("%s%s: %s -> %s\n", rw->dry_run ? "would rewrite " : "",
               rw->dir, meta.run_dir != NULL ? meta.run_dir : "(none)",
               run_dir);
    free(text);
    free(run_dir);
    meta_free(&meta);
    return status;
}

int sresume_rewrite(int argc, char **argv)
{
    struct rewrite rw = {.dirfd = -1};
    const struct cli_option options[] = {
        {"run-root", '\0', CLI_TEXT, &rw.run_root, "DIR",
         "run_dir becomes DIR/<last part of the old one>"},
        {"run-dir", '\0', CLI_TEXT, &rw.run_dir, "DIR",
         "run_dir becomes DIR"},
        {"dry-run", 'n', CLI_FLAG, &rw.dry_run, NULL,
         "say what would be done"},
        PLACE_OPTIONS(rw.place),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SRESUME, "rewrite", "[OPTION]... KEY|DIR",
        "Makes run_dir in " META_FILE " a directory of this cluster and\n"
        "creates it. Every other byte of the file stays; the old file is kept\n"
        "as " ORIG_FILE ". Refused while the run may be running.",
        options, 1, 1};
    struct relay_error err = {0};
    char **args;
    int nargs, code, status;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    rw.run.rootfd = rw.run.relayfd = rw.run.jobfd = -1;
    if (rw.run_root != NULL && rw.run_dir != NULL) {
        relay_fail(&err, EX_USAGE, "--run-root and --run-dir exclude each "
                                   "other");
        return cli_fail(SRESUME, &err);
    }
    status = place_is_dir(args[0]) ? open_dir(&rw, args[0], &err)
                                   : open_run(&rw, args[0], &err);
    if (status != 0 || rewrite(&rw, &err) != 0)
        code = cli_fail(SRESUME, &err);
    if (rw.dirfd >= 0)
        close(rw.dirfd);
    config_free(&rw.cfg);
    run_close(&rw.run);
    return code;
}
