#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "digest.h"
#include "jsonfile.h"
#include "slurmenv.h"

enum { QUEUE_MS = 5000 };

char *place_absolute(const char *path, struct relay_error *err)
{
    char dir[PATH_MAX];
    char *text = NULL;

    if (path[0] == '/')
        text = strdup(path);
    else if (getcwd(dir, sizeof(dir)) == NULL ||
             asprintf(&text, "%s/%s", dir, path) < 0)
        text = NULL;
    if (text == NULL)
        relay_fail_errno(err, EX_OSERR, "%s", path);
    return text;
}

/* --config is $RELAY_CONFIG for us and for what we start. */
static int use_config(const struct place *place, struct relay_error *err)
{
    char *path;

    if (place->config == NULL)
        return 0;
    if (access(place->config, R_OK) != 0)
        return relay_fail_errno(err, EX_CONFIG, "--config=%s", place->config);
    path = place_absolute(place->config, err);
    if (path == NULL)
        return -1;
    if (setenv("RELAY_CONFIG", path, 1) != 0) {
        free(path);
        return relay_fail_errno(err, EX_OSERR, "--config=%s", place->config);
    }
    free(path);
    return 0;
}

/* As run_open finds it: in a job, the directory it was submitted from. */
static int find_workdir(char *dir, size_t size, struct relay_error *err)
{
    const char *job = slurmenv("SLURM_JOB_WORK_DIR");

    if (job == NULL || access(job, X_OK) != 0)
        job = slurmenv("SLURM_SUBMIT_DIR");
    if (job != NULL && job[0] == '/' && access(job, X_OK) == 0) {
        snprintf(dir, size, "%s", job);
        return 0;
    }
    if (getcwd(dir, size) == NULL)
        return relay_fail_errno(err, EX_IOERR, "no working directory");
    return 0;
}

int place_config(const struct place *place, struct config *cfg,
                 struct relay_error *err)
{
    char dir[PATH_MAX];

    memset(cfg, 0, sizeof(*cfg));
    if (use_config(place, err) != 0 || find_workdir(dir, sizeof(dir), err))
        return -1;
    return config_load(NULL, dir, cfg, err);
}

char *place_root(const struct place *place, const struct config *cfg,
                 struct relay_error *err)
{
    const struct config_cluster *here;
    char dir[PATH_MAX];
    struct config_names names = {.workdir = dir};
    struct owner self;

    if (place->root != NULL)
        return place_absolute(place->root, err);
    here = config_find(cfg, cfg->cluster, err);
    if (here == NULL)
        return NULL;
    if (here->resume_root == NULL) {
        relay_fail(err, EX_CONFIG,
                   "clusters.%s.resume_root is not configured: say where the "
                   "resume directories are, or use --root=DIR", cfg->cluster);
        return NULL;
    }
    if (find_workdir(dir, sizeof(dir), err) != 0 ||
        owner_self(cfg->cluster, "", getpid(), &self, err) != 0)
        return NULL;
    names.user = self.user;
    return config_path(cfg, here->resume_root, &names, err);
}

/* Among the runs that have no state here yet, only records of ours. 1 when
 * there is just one that fits. */
static int resolve_recorded(const char *root, const char *cluster,
                            const char *typed, char hash[41])
{
    struct report_list list;
    size_t len = strlen(typed);
    size_t i, found = 0;

    if (report_all(root, cluster, &list, NULL) != 0)
        return 0;
    for (i = 0; i < list.n; i++) {
        const struct report *r = &list.reports[i];

        if (r->saved != 0 ||
            !((r->name != NULL && strcmp(r->name, typed) == 0) ||
              (len >= 6 && strncasecmp(r->hash, typed, len) == 0)))
            continue;
        found++;
        snprintf(hash, 41, "%s", r->hash);
    }
    report_list_free(&list);
    return found == 1;
}

/* A run's hash by something shorter than its key. */
static int resolve(const struct place *place, const char *typed,
                   char hash[41], struct relay_error *err)
{
    struct run_list list;
    struct config cfg;
    char *root = NULL;
    int status = place_config(place, &cfg, err);

    if (status == 0) {
        root = place_root(place, &cfg, err);
        status = root != NULL ? 0 : -1;
    }
    if (status == 0)
        status = runs_list(root, &list, err);
    if (status == 0) {
        status = runs_resolve(&list, typed, hash, err);
        runs_free(&list);
        if (status != 0 && resolve_recorded(root, cfg.cluster, typed, hash))
            status = 0;
    }
    free(root);
    config_free(&cfg);
    return status;
}

/* True when key is the run's: then it is the one that messages use. */
static bool adopt(struct run *run, const char *key)
{
    char hash[41];

    if (key_check(key, NULL) != 0 || key_is_hash(key) ||
        digest_key(key, hash, NULL) != 0 || strcmp(hash, run->hash) != 0)
        return false;
    snprintf(run->key, sizeof(run->key), "%s", key);
    snprintf(run->name, sizeof(run->name), "%s", key_run_name(key));
    return true;
}

/* The key of a run that was opened by its hash: from our records, else from
 * the meta. */
static void find_key(struct run *run)
{
    struct run_state_info info;
    struct lease lease;
    char key[KEY_MAX + 1];
    bool found = false;

    if (!key_is_hash(run->key))
        return;
    if (run->relayfd >= 0 && lease_read(run->relayfd, &lease, NULL) == 0) {
        found = adopt(run, json_str(lease.body, "key", ""));
        lease_free(&lease);
    }
    if (found || run_state_look(run, &info, NULL) != 0)
        return;
    if (info.meta.entity != NULL && info.meta.project != NULL &&
        meta_name(&info.meta) != NULL &&
        (size_t)snprintf(key, sizeof(key), "%s/%s/%s", info.meta.entity,
                         info.meta.project,
                         meta_name(&info.meta)) < sizeof(key))
        (void)adopt(run, key);
    run_state_free(&info);
}

int place_open(const struct place *place, const char *typed, bool read_only,
               struct run *run, struct relay_error *err)
{
    struct run_options opt = {.key = typed,
                              .handoff_from = place->handoff_from,
                              .read_only = read_only,
                              .network = true};
    struct relay_error form;
    char hash[41];
    char *root = NULL;
    int status = use_config(place, err);

    memset(run, 0, sizeof(*run));
    run->rootfd = run->relayfd = run->jobfd = run->cell.fd = -1;
    if (status == 0 && key_check(typed, &form) != 0) {
        status = resolve(place, typed, hash, err);
        opt.key = hash;
        /* Who types slashes means a key: say what is wrong with it. */
        if (status != 0 && strchr(typed, '/') != NULL)
            *err = form;
    }
    if (status == 0 && place->root != NULL) {
        root = place_absolute(place->root, err);
        status = root != NULL ? 0 : -1;
        opt.root = root;
    }
    if (status == 0)
        status = run_open(&opt, run, err);
    free(root);
    if (status != 0)
        return -1;
    find_key(run);
    /* The process that a record of ours speaks of is this tool. */
    return owner_self(run->cfg.cluster, run->nonce, getpid(), &run->self, err);
}

int place_open_known(const struct place *place, const char *typed,
                     struct run *run, struct relay_error *err)
{
    bool known;

    if (place_open(place, typed, true, run, err) != 0)
        return -1;
    known = run->relayfd >= 0 ||
            (run->rootfd >= 0 && faccessat(run->rootfd, run->hash, F_OK,
                                           AT_SYMLINK_NOFOLLOW) == 0);
    if (!known)
        return relay_fail(err, EX_DATAERR, "%s (%.8s) is not in %s", run->key,
                          run->hash, run->root);
    if (run->relayfd >= 0)
        return 0;
    run_close(run);
    return place_open(place, typed, false, run, err);
}

bool place_is_dir(const char *typed)
{
    char path[PATH_MAX];

    if (typed[0] == '/' || typed[0] == '.')
        return true;
    snprintf(path, sizeof(path), "%s/" META_FILE, typed);
    return access(path, F_OK) == 0;
}

int place_report(const struct run *run, struct report *report,
                 struct run_state_info *info, struct relay_error *err)
{
    struct job_list jobs;
    int status;

    jobs_list(&jobs, QUEUE_MS);
    status = place_report_of(run, &jobs, report, info, err);
    jobs_free(&jobs);
    return status;
}

int place_report_of(const struct run *run, const struct job_list *jobs,
                    struct report *report, struct run_state_info *info,
                    struct relay_error *err)
{
    struct run_entry entry = {.step = -1};
    const char *name;

    if (run_state_look(run, info, err) != 0)
        return -1;
    name = meta_name(&info->meta);
    snprintf(entry.hash, sizeof(entry.hash), "%s", run->hash);
    entry.name = (char *)(run->name[0] != '\0' ? run->name : name);
    if (!key_is_hash(run->key))
        entry.key = (char *)run->key;
    entry.step = info->meta.step;
    entry.mtime = info->saved;
    entry.completed = info->meta.completed;
    entry.stub = info->kind == STATE_STUB;
    if (info->meta.moved_to != NULL)
        snprintf(entry.moved_to, sizeof(entry.moved_to), "%s",
                 info->meta.moved_to);
    report_one(run->rootfd, &entry, run->cfg.cluster, jobs, report);
    return 0;
}

enum alive place_evidence(const struct run *run, const struct lease *lease,
                          char *why, size_t why_size)
{
    struct relay_error err = {0};
    struct job_facts facts;
    struct peer peer;

    if (!lease_held(lease)) {
        snprintf(why, why_size, "nobody holds the lease");
        return ALIVE_UNKNOWN;
    }
    memset(&facts, 0, sizeof(facts));
    facts.processes = facts.requeue = -1;
    if (lease->owner.job_id[0] != '\0' &&
        (peer_open(&run->cfg, lease->owner.cluster, &peer, &err) != 0 ||
         liveness_facts(&peer, lease->owner.job_id, lease->owner.nonce, NULL,
                        &facts, &err) != 0)) {
        snprintf(why, why_size, "%s", err.text);
        return ALIVE_UNKNOWN;
    }
    return liveness_judge(&lease->owner, NULL, &facts, why, why_size);
}

const char *place_name(const struct run *run, const struct report *report)
{
    return report->key != NULL ? report->key : run->key;
}
