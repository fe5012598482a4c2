#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "digest.h"
#include "file.h"
#include "slurmenv.h"

#define RECORDS ".relay"

/* The job's directory: what relative paths of the configuration follow. With
 * sbatch --chdir it is not where the job was submitted. */
static int find_workdir(const struct run_options *opt, struct run *run,
                        struct relay_error *err)
{
    const char *dir = getenv("SLURM_JOB_WORK_DIR");
    struct stat st;

    if (dir == NULL || stat(dir, &st) != 0)
        dir = getenv("SLURM_SUBMIT_DIR");
    if (!opt->here && dir != NULL && dir[0] == '/' && stat(dir, &st) == 0) {
        snprintf(run->workdir, sizeof(run->workdir), "%s", dir);
        return 0;
    }
    if (getcwd(run->workdir, sizeof(run->workdir)) == NULL)
        return relay_fail_errno(err, EX_IOERR, "no working directory");
    return 0;
}

static int open_key(const struct run_options *opt, struct run *run,
                    struct relay_error *err)
{
    const char *name;

    if (key_check(opt->key, err) != 0 ||
        key_expand(opt->key, slurmenv("SLURM_ARRAY_JOB_ID"),
                   slurmenv("SLURM_ARRAY_TASK_ID"), run->key,
                   sizeof(run->key), err) != 0 ||
        digest_key(run->key, run->hash, err) != 0)
        return -1;
    name = key_run_name(run->key);
    snprintf(run->name, sizeof(run->name), "%s", name != NULL ? name : "");
    if (opt->handoff_from != NULL && opt->handoff_from[0] != '\0')
        return key_check_handoff(opt->handoff_from, run->from_cluster,
                                 sizeof(run->from_cluster), run->from_job,
                                 sizeof(run->from_job), err);
    return 0;
}

/* %e and %p of paths: the parts of the key. */
static void split_key(const struct run *run, char *entity, char *project,
                      size_t size)
{
    const char *first = strchr(run->key, '/');
    const char *second = first != NULL ? strchr(first + 1, '/') : NULL;

    entity[0] = project[0] = '\0';
    if (second == NULL)
        return;
    snprintf(entity, size, "%.*s", (int)(first - run->key), run->key);
    snprintf(project, size, "%.*s", (int)(second - first - 1), first + 1);
}

static int open_paths(const struct run_options *opt, struct run *run,
                      struct relay_error *err)
{
    char entity[KEY_MAX + 1];
    char project[KEY_MAX + 1];
    struct config_names names = {.workdir = run->workdir,
                                 .user = run->self.user};

    split_key(run, entity, project, sizeof(entity));
    if (entity[0] != '\0') {
        names.entity = entity;
        names.project = project;
    }
    run->here = config_find(&run->cfg, run->cfg.cluster, err);
    if (run->here == NULL)
        return -1;
    if (opt->root == NULL && run->here->resume_root == NULL)
        return relay_fail(err, EX_CONFIG,
                          "clusters.%s.resume_root is not configured: say "
                          "where the resume directories are",
                          run->cfg.cluster);
    run->root = config_path(&run->cfg,
                            opt->root != NULL ? opt->root
                                              : run->here->resume_root,
                            &names, err);
    if (run->root == NULL)
        return -1;
    if (run->here->run_root != NULL) {
        run->run_root = config_path(&run->cfg, run->here->run_root, &names,
                                    err);
        if (run->run_root == NULL)
            return -1;
    }
    return 0;
}

/* .relay, which is as open as the root is (a group may share that), and the
 * run's own directory in it, which is not. */
static int make_records(struct run *run, const char *path,
                        struct relay_error *err)
{
    struct stat st;

    if (mkdirat(run->rootfd, RECORDS, 0700) == 0) {
        if (fstat(run->rootfd, &st) != 0 ||
            fchmodat(run->rootfd, RECORDS, st.st_mode & 07777, 0) != 0)
            return relay_fail_errno(err, EX_CANTCREAT, "%s/" RECORDS,
                                    run->root);
    } else if (errno != EEXIST) {
        return relay_fail_errno(err, EX_CANTCREAT, "cannot make %s/" RECORDS,
                                run->root);
    }
    if (mkdirat(run->rootfd, path, 0700) != 0 && errno != EEXIST)
        return relay_fail_errno(err, EX_CANTCREAT, "cannot make %s/%s",
                                run->root, path);
    return 0;
}

static int open_dirs(bool make, struct run *run, struct relay_error *err)
{
    char path[64];

    snprintf(path, sizeof(path), RECORDS "/%s", run->hash);
    if (make && file_make_dirs(run->root, 0777, err) != 0)
        return -1;
    run->rootfd = open(run->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (run->rootfd < 0 && (make || errno != ENOENT))
        return relay_fail_errno(err, EX_CANTCREAT, "resume_root %s",
                                run->root);
    if (run->rootfd < 0)
        return 0;
    if (make && make_records(run, path, err) != 0)
        return -1;
    run->relayfd = openat(run->rootfd, path,
                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (run->relayfd < 0 && (make || errno != ENOENT))
        return relay_fail_errno(err, EX_CANTCREAT, "%s/%s", run->root, path);
    return 0;
}

int run_begin(const struct run_options *opt, struct run *run,
              struct relay_error *err)
{
    memset(run, 0, sizeof(*run));
    run->rootfd = run->relayfd = run->jobfd = run->cell.fd = -1;
    run->network = opt->network;
    run->found_step = -1;
    if (opt->nonce != NULL)
        snprintf(run->nonce, sizeof(run->nonce), "%s", opt->nonce);
    else if (file_nonce(run->nonce, err) != 0)
        return -1;
    if (find_workdir(opt, run, err) != 0 ||
        config_load(opt->site_config, run->workdir, &run->cfg, err) != 0 ||
        owner_self(run->cfg.cluster, run->nonce, getppid(), &run->self,
                   err) != 0)
        return -1;
    if (opt->job_dir != NULL) {
        run->jobfd = file_open_dir(AT_FDCWD, opt->job_dir, err);
        if (run->jobfd < 0)
            return -1;
    }
    return 0;
}

static void close_key(struct run *run)
{
    if (run->rootfd >= 0)
        close(run->rootfd);
    if (run->relayfd >= 0)
        close(run->relayfd);
    free(run->root);
    free(run->run_root);
    run->root = run->run_root = NULL;
    run->rootfd = run->relayfd = -1;
}

int run_set_key(const struct run_options *opt, struct run *run,
                struct relay_error *err)
{
    close_key(run);
    if (open_key(opt, run, err) != 0 || open_paths(opt, run, err) != 0)
        return -1;
    run->read_only = opt->read_only;
    return open_dirs(!opt->read_only, run, err);
}

int run_open(const struct run_options *opt, struct run *run,
             struct relay_error *err)
{
    return run_begin(opt, run, err) == 0 ? run_set_key(opt, run, err) : -1;
}

int run_adopt_hash(struct run *run, const char *hash, struct relay_error *err)
{
    if (run->rootfd >= 0)
        close(run->rootfd);
    if (run->relayfd >= 0)
        close(run->relayfd);
    run->rootfd = run->relayfd = -1;
    if (hash != run->hash)
        snprintf(run->hash, sizeof(run->hash), "%s", hash);
    return open_dirs(!run->read_only, run, err);
}

int run_reopen(struct run *run, struct relay_error *err)
{
    if (open_dirs(false, run, err) != 0)
        return -1;
    if (run->relayfd < 0)
        return relay_fail(err, EX_IOERR, "%s/" RECORDS "/%s is not there any "
                                         "more", run->root, run->hash);
    return 0;
}

void run_close(struct run *run)
{
    close_key(run);
    if (run->jobfd >= 0)
        close(run->jobfd);
    if (run->cell.fd >= 0)
        close(run->cell.fd);
    config_free(&run->cfg);
    memset(run, 0, sizeof(*run));
    run->rootfd = run->relayfd = run->jobfd = run->cell.fd = -1;
}

char *run_peer_root(const struct run *run, const struct config_cluster *peer,
                    struct relay_error *err)
{
    char entity[KEY_MAX + 1];
    char project[KEY_MAX + 1];
    struct config_names names = {0};

    if (peer->resume_root == NULL) {
        relay_fail(err, EX_CONFIG, "clusters.%s.resume_root is not "
                                   "configured", peer->name);
        return NULL;
    }
    split_key(run, entity, project, sizeof(entity));
    if (entity[0] != '\0') {
        names.entity = entity;
        names.project = project;
    }
    return config_path_for_peer(peer->resume_root, &names, err);
}

void run_state_dir(const struct run *run, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", run->root, run->hash);
}
