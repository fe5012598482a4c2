#include "watch.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "become.h"
#include "environment.h"
#include "helper.h"

struct watcher {
    const struct helper *helper;
    const struct relay_user *user;
    const char *job_dir;
    const char *cwd;
    char *const *argv;
    char *const *env;
};

void watch_prepare(struct relay_step *step)
{
    if (pipe2(step->life, O_CLOEXEC) != 0) {
        step->life[0] = step->life[1] = -1;
        slurm_error("relay: pipe: %m");
    }
}

void watch_end(struct relay_step *step)
{
    int i;

    for (i = 0; i < 2; i++)
        if (step->life[i] >= 0) {
            close(step->life[i]);
            step->life[i] = -1;
        }
}

/* A child dies with the thread that made it, which is slurmstepd's main one
 * unless Slurm runs its hooks elsewhere. The pipe is there in any case. */
static bool is_stepd(const struct relay_step *step)
{
    return getpid() == step->stepd && syscall(SYS_gettid) == step->stepd;
}

/* Held, through exec, for the watcher's life. */
static int take_lock(const char *job_dir)
{
    int dir, fd;

    dir = open(job_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return -1;
    fd = openat(dir, "watch", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    close(dir);
    return fd >= 0 ? flock(fd, LOCK_EX | LOCK_NB) : -1;
}

static int watcher_body(void *arg)
{
    const struct watcher *w = arg;

    if (user_become(w->user, NULL) != 0)
        return EX_OSERR;
    /* That the helper cannot be executed is said by the gate. */
    if (access(w->argv[0], X_OK) != 0 || take_lock(w->job_dir) != 0)
        return 0;
    return helper_exec(w->helper, w->argv, w->env, w->cwd);
}

/* All groups, as Slurm gives them to the tasks. */
static int get_user(const struct relay_step *step, spank_t sp,
                    struct relay_user *user, struct relay_error *err)
{
    gid_t *groups = NULL;
    int count = 0;

    if (user_lookup(step->uid, step->gid, user, err) != 0)
        return -1;
    if (spank_get_item(sp, S_JOB_SUPPLEMENTARY_GIDS, &groups, &count) ==
            ESPANK_SUCCESS &&
        count > 0 && count <= USER_GROUPS_MAX) {
        memcpy(user->groups, groups, (size_t)count * sizeof(*groups));
        user->group_count = count;
    }
    return 0;
}

/* The step's environment does not name the job's working directory, but the
 * task is in it. Read as root: the task lets nobody else look. */
static void get_directory(spank_t sp, char *dir, size_t size)
{
    char link[32];
    ssize_t len = -1;
    pid_t pid;

    if (spank_get_item(sp, S_TASK_PID, &pid) == ESPANK_SUCCESS) {
        snprintf(link, sizeof(link), "/proc/%d/cwd", (int)pid);
        len = readlink(link, dir, size - 1);
    }
    if (len > 0 && dir[0] == '/')
        dir[len] = '\0';
    else
        snprintf(dir, size, "/");
}

int watch_start(struct relay_context *context, spank_t sp,
                struct relay_error *err)
{
    struct relay_step *step = &context->step;
    char life_fd[12];
    const char *argv[] = {context->args.helper, "watch", "--config",
                          context->args.config, "--job-dir", step->job_dir,
                          "--nonce", step->marker.nonce, "--life-fd",
                          life_fd, NULL};
    struct helper helper = {.body = watcher_body, .out = -1,
                            .keep_fd = step->life[0], .session = true,
                            .orphan = !is_stepd(step),
                            .reset = true};
    char cwd[4096];
    struct watcher watcher = {.helper = &helper, .cwd = cwd,
                              .job_dir = step->job_dir,
                              .argv = (char *const *)(uintptr_t)argv};
    struct relay_user user;
    char **job_env = NULL, **env;
    pid_t pid;

    snprintf(life_fd, sizeof(life_fd), "%d", HELPER_KEPT_FD);
    if (get_user(step, sp, &user, err) != 0)
        return -1;
    get_directory(sp, cwd, sizeof(cwd));
    (void)spank_get_item(sp, S_JOB_ENV, &job_env); /* else NULL: fewer */
    env = environment_short(&user, job_env);
    if (env == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    watcher.user = &user;
    watcher.env = env;
    helper.arg = &watcher;
    pid = helper_start(&helper, err);
    environment_free(env);
    close(step->life[0]);
    step->life[0] = -1;
    return pid < 0 ? -1 : 0;
}
