/*
 * A run in the temporary directory, for tests of what decides about runs
 * without Slurm: cluster here, resume_root <temp>/root, no peer that answers.
 *     cmocka_run_group_tests(tests, runenv_setup, temp_teardown)
 */
#ifndef RUNENV_H
#define RUNENV_H

#include "tempdir.h"

#include <sys/wait.h>

#include "digest.h"
#include "file.h"
#include "jsonfile.h"
#include "lease.h"
#include "run.h"

/* more: further lines of the configuration, "" for none. */
static inline void runenv_config(const char *more)
{
    char text[4096];
    char path[600];

    snprintf(text, sizeof(text),
             "cluster: here\nclusters:\n"
             "  here:\n    resume_root: %s/root\n    run_root: %s/runs\n"
             "  there:\n    ssh: nobody.invalid\n    reach: none\n"
             "    resume_root: /there\n%s", temp.path, temp.path, more);
    temp_text("relay.yaml", text);
    assert_int_equal(
        setenv("RELAY_CONFIG",
               temp_join("relay.yaml", path, sizeof(path)), 1), 0);
}

static inline int runenv_setup(void **state)
{
    static const char *const gone[] = {
        "SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID",
        "SLURM_RESTART_COUNT", "SLURM_JOB_WORK_DIR", "SLURM_SUBMIT_DIR",
        "SLURM_JOB_NAME", "SLURM_CLUSTER_NAME"};
    size_t i;

    if (temp_setup(state) != 0)
        return -1;
    for (i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
        unsetenv(gone[i]);
    runenv_config("");
    return 0;
}

/* A run of that name, as this process: lab/unit/NAME. */
static inline struct run runenv_open(const char *name)
{
    char key[256];
    struct run_options opt = {.key = key};
    struct relay_error err = {0};
    struct run run;

    snprintf(key, sizeof(key), "lab/unit/%s", name);
    if (run_open(&opt, &run, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(owner_self("here", run.nonce, getpid(), &run.self, &err),
                     0);
    return run;
}

/* Makes it another one: an owner outside Slurm that has ended on this very
 * host. */
static inline void runenv_be_dead(struct run *run)
{
    struct relay_error err = {0};
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(owner_self("here", run->nonce, pid, &run->self, &err),
                     0);
    run->self.pid_start = 1;
}

/* The run's state: a meta with that step and, where text is not NULL, further
 * members; no checkpoint file. */
static inline void runenv_state(const struct run *run, int64_t step,
                                const char *members)
{
    char name[256];
    char text[1024];

    snprintf(name, sizeof(name), "root/%s", run->hash);
    if (mkdirat(temp.fd, name, 0750) != 0)
        assert_int_equal(faccessat(temp.fd, name, F_OK, 0), 0);
    snprintf(name, sizeof(name), "root/%s/resume_meta.json", run->hash);
    snprintf(text, sizeof(text), "{\"last_checkpoint_step\": %lld%s}\n",
             (long long)step, members != NULL ? members : "");
    /* As a training does it: another inode each time. */
    assert_int_equal(file_write(temp.fd, name, text, strlen(text), 0640,
                                NULL), 0);
}

/* The step of what is in place now, -1 for none. */
static inline int64_t runenv_step(const struct run *run)
{
    struct run_state_info info;
    int64_t step;

    assert_int_equal(run_state_look(run, &info, NULL), 0);
    step = info.kind == STATE_GOOD ? info.meta.step : -1;
    run_state_free(&info);
    return step;
}

/* Links a lease record of run->self. extra is put. */
static inline void runenv_lease(struct run *run, const char *kind,
                                int64_t term, struct json_object *extra)
{
    struct relay_error err = {0};
    struct lease last;

    assert_int_equal(lease_read(run->relayfd, &last, &err), 0);
    if (lease_link(run->relayfd, last.gen, kind, term, &run->self, extra,
                   &err) != 1)
        fail_msg("%s", err.text);
    lease_free(&last);
    json_object_put(extra);
}

static inline struct lease runenv_last(const struct run *run)
{
    struct relay_error err = {0};
    struct lease last;

    if (lease_read(run->relayfd, &last, &err) != 0)
        fail_msg("%s", err.text);
    return last;
}

static inline struct json_object *runenv_json(const char *text)
{
    struct relay_error err = {0};
    struct json_object *obj = json_parse(text, strlen(text), "test", &err);

    if (obj == NULL)
        fail_msg("%s", err.text);
    return obj;
}

/* Is there such a file or directory among our records of the run? */
static inline bool runenv_has(const struct run *run, const char *name)
{
    return faccessat(run->relayfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

#endif
