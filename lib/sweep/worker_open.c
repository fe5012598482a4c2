/* All that a worker needs before its first claim. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "gpus.h"
#include "liveness.h"
#include "onpath.h"
#include "process.h"
#include "slurmenv.h"
#include "twins.h"
#include "worker_state.h"

enum { MAX_SLOTS = 1024 };

static char *absolute(const char *path, struct relay_error *err)
{
    char dir[PATH_MAX];
    char *whole = NULL;

    if (path[0] == '/') {
        whole = strdup(path);
    } else if (getcwd(dir, sizeof(dir)) == NULL) {
        relay_fail_errno(err, EX_IOERR, "no working directory");
        return NULL;
    } else if (asprintf(&whole, "%s/%s", dir, path) < 0) {
        whole = NULL;
    }
    if (whole == NULL)
        relay_fail(err, EX_OSERR, "out of memory");
    return whole;
}

static int open_workdir(struct worker *w, struct relay_error *err)
{
    const char *dir = w->opt->workdir;
    struct stat st;

    w->workdir = absolute(dir != NULL ? dir : ".", err);
    if (w->workdir == NULL)
        return -1;
    if (dir == NULL) {
        free(w->workdir);
        w->workdir = getcwd(NULL, 0);
    }
    if (w->workdir == NULL || stat(w->workdir, &st) != 0)
        return relay_fail_errno(err, EX_NOINPUT, "the working directory %s",
                                dir != NULL ? dir : ".");
    if (!S_ISDIR(st.st_mode))
        return relay_fail(err, EX_NOINPUT, "--workdir=%s is no directory", dir);
    return 0;
}

/* --cluster names this cluster where that is a name; beside a configured one
 * it may be a mere label for W&B. */
static int open_config(struct worker *w, struct relay_error *err)
{
    const char *name = w->opt->cluster;

    if (config_load(NULL, w->workdir, &w->cfg, err) != 0)
        return -1;
    if (name == NULL || (w->cfg.cluster != NULL &&
                         config_find(&w->cfg, name, NULL) == NULL))
        return 0;
    free(w->cfg.cluster);
    w->cfg.cluster = strdup(name);
    return w->cfg.cluster != NULL ? 0
                                  : relay_fail(err, EX_OSERR, "out of memory");
}

/* --- the sweep ----------------------------------------------------------- */

struct roster_options worker_reading(const struct worker_options *opt,
                                     const struct sweep *made)
{
    struct roster_options read = opt->read;

    if (made == NULL)
        return read;
    read.yaml_floats |= made->options.yaml_floats;
    read.strict_wandb |= made->options.strict_wandb;
    if (read.epochs == 0)
        read.epochs = made->options.epochs;
    if (!opt->start_said)
        read.start_index = made->options.start_index;
    return read;
}

/* Makes the sweep of a file, or sees whether the one that is there is the
 * file's still. */
static int make_sweep(struct worker *w, const struct sweep *made,
                      struct lint *lint, struct relay_error *err)
{
    struct sweep_create create = {.source = w->opt->source,
                                  .options = worker_reading(w->opt, made)};
    char path[4096];

    return sweep_create(&create, path, sizeof(path), lint, err);
}

int worker_check_sweep(struct worker *w, struct relay_error *err)
{
    struct roster_options read = worker_reading(w->opt, &w->sweep);
    struct stat st;

    if (stat(w->opt->source, &st) == 0 && S_ISREG(st.st_mode))
        return make_sweep(w, &w->sweep, NULL, err);
    return sweep_same_options(&w->sweep, &read, err);
}

/* Where the copy of a sweep elsewhere is, in a cache, nothing is written. */
static int open_url(struct worker *w, struct relay_error *err)
{
    struct roster_options read;

    if (home_ssh_open(w->opt->source, &w->cfg, &w->sweep, &w->home, err) != 0)
        return -1;
    if (w->out_root == NULL && w->sweep.out_beside && w->sweep.out[0] != '/')
        return relay_fail(err, EX_CONFIG,
                          "where are the cells of %s to write on this "
                          "cluster? Say --out-root=DIR, set RELAY_OUT_ROOT, "
                          "or clusters.%s.out_root in relay.yaml",
                          w->opt->source, w->cfg.cluster);
    read = worker_reading(w->opt, &w->sweep);
    return sweep_same_options(&w->sweep, &read, err);
}

static int open_sweep(struct worker *w, struct relay_error *err)
{
    const char *source = w->opt->source;
    struct relay_error none = {0};
    struct lint lint = {0};
    struct stat st;
    int rc;
    bool file = stat(source, &st) == 0 && S_ISREG(st.st_mode);

    if (home_is_url(source))
        return open_url(w, err);
    if (sweep_open(source, &w->sweep, &none) == 0)
        return worker_check_sweep(w, err);
    sweep_close(&w->sweep);
    if (none.code != EX_NOINPUT || !file)
        return relay_fail(err, none.code, "%s", none.text);
    rc = make_sweep(w, NULL, &lint, err);
    w->opt->warn(&lint);
    return rc == 0 ? sweep_open(source, &w->sweep, err) : -1;
}

static int open_roots(struct worker *w, struct relay_error *err)
{
    const struct config_cluster *here =
        w->cfg.cluster != NULL ? config_find(&w->cfg, w->cfg.cluster, NULL)
                               : NULL;
    const struct config_names names = {.user = w->own.user,
                                       .entity = w->sweep.entity,
                                       .project = w->sweep.project,
                                       .workdir = w->workdir};

    if (here == NULL)
        return 0;
    if (here->resume_root != NULL &&
        (w->resume_root = config_path(&w->cfg, here->resume_root, &names,
                                      err)) == NULL)
        return -1;
    if (here->run_root != NULL) /* only what comes from elsewhere needs it */
        w->run_root = config_path(&w->cfg, here->run_root, &names, NULL);
    return 0;
}

/* Who is not told where the cells are finds it noted in the sweep. */
static int note_out_root(struct worker *w, struct relay_error *err)
{
    const char *env = getenv("RELAY_OUT_ROOT");
    const char *root = w->out_root != NULL               ? w->out_root
                       : env != NULL && env[0] != '\0' ? w->sweep.out_root
                                                         : NULL;
    int rc = root != NULL ? sweep_note_out_root(&w->sweep, root, err) : 0;

    if (rc == 1)
        worker_say(w, "other cells of this sweep are below %s: tell "
                      "`ssweep verify` and the others --out-root=%s for these",
                   w->sweep.out_noted, root);
    return rc < 0 ? -1 : 0;
}

/* Is there a program for the cells? The first cell tells, before any is
 * claimed. */
static int check_command(const struct worker *w, struct relay_error *err)
{
    struct words argv = {0};
    struct cell cell = {0};
    int rc = 0;

    if (roster_size(w->sweep.roster) > 0) {
        rc = roster_cell(w->sweep.roster, 0, &cell, err);
        if (rc == 0)
            rc = worker_words(&w->sweep, &cell, w->opt->command, "", &argv,
                              err);
    }
    words_free(&argv);
    cell_free(&cell);
    return rc;
}

static int open_owner(struct worker *w, struct relay_error *err)
{
    char nonce[33];

    if (file_nonce(nonce, err) != 0 ||
        owner_self(w->cfg.cluster, nonce, getpid(), &w->own, err) != 0)
        return -1;
    if (w->own.job_raw[0] != '\0')
        (void)liveness_self(&w->own); /* else by the environment */
    return 0;
}

static void say(void *arg, const char *text)
{
    worker_say(arg, "%s", text);
}

/* With one queue for all clusters nobody has to be asked. */
static int open_tracker(struct worker *w, struct relay_error *err)
{
    const struct worker_options *opt = w->opt;

    if (opt->tracker_claim && (opt->no_tracker || opt->no_wandb))
        return relay_fail(err, EX_USAGE, "--tracker-claim goes with neither "
                                         "--no-tracker nor --no-wandb");
    if (opt->tracker_claim && w->home != NULL)
        return relay_fail(err, EX_USAGE,
                          "--tracker-claim is for copies of a sweep: %s has "
                          "one queue", opt->source);
    if (opt->tracker_claim && w->cfg.cluster == NULL)
        return relay_fail(err, EX_CONFIG, "--tracker-claim: this cluster has "
                                          "no name (cluster: in relay.yaml)");
    if (w->home != NULL || opt->no_tracker || opt->no_wandb ||
        (!opt->tracker_claim && !twins_possible(&w->cfg)))
        return 0;
    w->tracker = (struct celltracker){
        .cfg = &w->cfg,
        .own = &w->own,
        .group = opt->group != NULL ? opt->group : w->sweep.name,
        .claims = opt->tracker_claim,
        .optional = opt->tracker_optional,
        .say = say,
        .arg = w};
    return celltracker_open(&w->tracker, &w->sweep, err);
}

/* Does another cluster work on the same cells? With one queue it may. */
static int check_twins(struct worker *w, struct relay_error *err)
{
    const struct twins twins = {
        .sweep = &w->sweep,
        .cfg = &w->cfg,
        .resume_root = w->resume_root,
        .shard_index = (uint64_t)w->opt->shard_index,
        .shard_count = (uint64_t)w->opt->shard_count,
        .tracked = w->tracker.claims && w->tracker.tracker != NULL,
        .say = say,
        .arg = w};

    if (w->home != NULL || w->opt->no_peers || w->cfg.peers == PEERS_OFF)
        return 0;
    return twins_check(&twins, err);
}

static int open_home(struct worker *w, struct relay_error *err)
{
    const struct home_options opt = {
        .cfg = &w->cfg,
        .sweep = &w->sweep,
        .own = &w->own,
        .out_root = w->out_root != NULL ? w->out_root : w->sweep.out_root,
        .resume_root = w->resume_root,
        .slots = w->nslots,
        .say = say,
        .arg = w};

    return w->home != NULL ? home_ssh_begin(w->home, &opt, err)
                           : home_local(&opt, &w->home, err);
}

/* --- slots --------------------------------------------------------------- */

/* The GPUs of this task: all that the job has here, or its share of them. */
static int open_gpus(struct worker *w, struct relay_error *err)
{
    const char *given = w->opt->cuda_devices;
    const char *here = slurmenv("SLURM_GPUS_ON_NODE");
    struct words all = {0};
    int64_t task, tasks;
    int rc = gpus_parse(given != NULL ? given : getenv("CUDA_VISIBLE_DEVICES"),
                        given != NULL ? "--cuda-devices"
                                      : "CUDA_VISIBLE_DEVICES", &all, err);

    gpus_local_task(&task, &tasks);
    /* Fewer than the node's: Slurm has bound them to the task already. */
    if (given == NULL && here != NULL &&
        (int64_t)all.n < strtoll(here, NULL, 10))
        task = 0, tasks = 1;
    if (rc == 0)
        rc = gpus_share(&all, task, tasks, &w->gpus, err);
    words_free(&all);
    return rc;
}

static int open_slots(struct worker *w, struct relay_error *err)
{
    int64_t per = w->opt->gpus_per_cell > 0 ? w->opt->gpus_per_cell : 1;
    int64_t n = w->opt->slots;
    int64_t i;

    if (open_gpus(w, err) != 0)
        return -1;
    if (n == 0)
        n = (int64_t)w->gpus.n / per;
    if (n == 0)
        n = 1;
    if (n > MAX_SLOTS)
        return relay_fail(err, EX_USAGE, "--slots: %d at most", MAX_SLOTS);
    w->slots = calloc((size_t)n, sizeof(*w->slots));
    if (w->slots == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    w->nslots = (size_t)n;
    for (i = 0; i < n; i++) {
        w->slots[i].number = i;
        w->slots[i].keeper = (struct keeper){.pid = -1, .fd = -1};
        w->slots[i].gpus = gpus_of_slot(&w->gpus, i, per);
    }
    if (w->gpus.n > 0 && n * per > (int64_t)w->gpus.n)
        worker_say(w, "%d slots share %zu GPU%s", (int)n, w->gpus.n,
                   w->gpus.n == 1 ? "" : "s");
    return 0;
}

/* --- what runs ----------------------------------------------------------- */

static int check_code(struct worker *w, struct relay_error *err)
{
    char note[400] = "";

    if (!w->opt->allow_behind &&
        gitcheck_behind(w->workdir, note, sizeof(note), err) != 0)
        return -1;
    if (note[0] != '\0')
        worker_say(w, "%s", note);
    gitcheck_info(w->workdir, &w->git);
    return process_cancelled() == 0
               ? 0 : relay_fail(err, 128 + process_cancelled(),
                                "ended by signal %d before the first cell",
                                process_cancelled());
}

static void find_wandb(struct worker *w)
{
    if (!w->opt->wandb_buffer || w->opt->no_wandb ||
        onpath_find("wandb", w->wandb, sizeof(w->wandb)))
        return;
    w->wandb[0] = '\0';
    worker_say(w, "there is no program wandb on PATH: what is logged is kept "
                  "in each cell's wandb directory, to be sent with `wandb "
                  "sync`");
}

static int check_options(const struct worker_options *opt,
                         struct relay_error *err)
{
    if (opt->shard_count > 0 && opt->shard_index >= opt->shard_count)
        return relay_fail(err, EX_USAGE, "--shard-index: 0 to %lld (one less "
                                         "than --shard-count)",
                          (long long)opt->shard_count - 1);
    if (opt->shard_count == 0 && opt->shard_index > 0)
        return relay_fail(err, EX_USAGE, "--shard-index needs --shard-count");
    return 0;
}

int worker_open(const struct worker_options *opt, struct worker *w,
                struct relay_error *err)
{
    memset(w, 0, sizeof(*w));
    w->opt = opt;
    w->sweep.fd = -1;
    if (check_options(opt, err) != 0 || open_workdir(w, err) != 0 ||
        open_config(w, err) != 0 || open_slots(w, err) != 0 ||
        check_code(w, err) != 0)
        return -1;
    if (opt->out_root != NULL &&
        (w->out_root = absolute(opt->out_root, err)) == NULL)
        return -1;
    if (open_sweep(w, err) != 0 || check_command(w, err) != 0 ||
        note_out_root(w, err) != 0 || open_owner(w, err) != 0 ||
        open_roots(w, err) != 0 || open_tracker(w, err) != 0 ||
        check_twins(w, err) != 0 || open_home(w, err) != 0)
        return -1;
    find_wandb(w);
    jobtime_begin(&w->time);
    return 0;
}

void worker_close(struct worker *w)
{
    size_t i;

    for (i = 0; i < w->nslots; i++) {
        slot_clear(&w->slots[i]);
        free(w->slots[i].gpus);
    }
    free(w->slots);
    words_free(&w->gpus);
    home_close(w->home);
    celltracker_close(&w->tracker);
    sweep_close(&w->sweep);
    free(w->workdir);
    free(w->out_root);
    free(w->resume_root);
    free(w->run_root);
    free(w->avoid);
    config_free(&w->cfg);
}
