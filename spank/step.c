#include "step.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "environment.h"
#include "names.h"
#include "watch.h"

/* Of slurm.h, which the plugin does not use. */
#define STEP_BATCH 0xfffffffbU
#define STEP_EXTERN 0xfffffffcU
#define STEP_INTERACTIVE 0xfffffffaU
#define NO_ARRAY_TASK 0xfffffffeU

static bool is_script(const struct relay_step *step)
{
    return step->stepid == STEP_BATCH || step->stepid == STEP_INTERACTIVE;
}

/* The batch and the interactive step lead. Where there is neither, the first
 * node of a step does, unless a script has started it: that one has passed a
 * gate already, perhaps on another node, and its environment says so. */
static bool is_leading(const struct relay_step *step, int rundir, spank_t sp)
{
    char **env = NULL;

    if (is_script(step))
        return true;
    if (step->nodeid != 0 || marker_has_script(rundir, step->name))
        return false;
    return spank_get_item(sp, S_JOB_ENV, &env) == ESPANK_SUCCESS &&
           environment_get(env, "RELAY_RUN_NONCE") == NULL;
}

/* --- before the tasks --------------------------------------------------- */

static void clean_environment(spank_t sp)
{
    static const char *const prefixes[] = {NAMES_EXPORTED, NAMES_OPTION};
    static const char *const twins[] = {NAMES_TWIN_SBATCH, NAMES_TWIN_SALLOC,
                                        NAMES_TWIN_SRUN};
    char name[NAMES_MAX];
    size_t k;
    int i;

    for (i = 0; i < OPTION_COUNT; i++) {
        for (k = 0; k < sizeof(prefixes) / sizeof(prefixes[0]); k++) {
            option_variable((enum relay_option)i, prefixes[k], false, name,
                            sizeof(name));
            (void)spank_unsetenv(sp, name); /* mostly not there */
        }
        for (k = 0; k < sizeof(twins) / sizeof(twins[0]); k++) {
            option_variable((enum relay_option)i, twins[k], true, name,
                            sizeof(name));
            (void)spank_unsetenv(sp, name);
        }
    }
}

static int identify(struct relay_step *step, const struct relay_args *args,
                    spank_t sp, struct relay_error *err)
{
    step->stepd = getpid();
    step->life[0] = step->life[1] = -1;
    if (spank_get_item(sp, S_JOB_ID, &step->jobid) != ESPANK_SUCCESS ||
        spank_get_item(sp, S_JOB_STEPID, &step->stepid) != ESPANK_SUCCESS ||
        spank_get_item(sp, S_JOB_NODEID, &step->nodeid) != ESPANK_SUCCESS ||
        spank_get_item(sp, S_JOB_UID, &step->uid) != ESPANK_SUCCESS ||
        spank_get_item(sp, S_JOB_GID, &step->gid) != ESPANK_SUCCESS ||
        spank_get_item(sp, S_JOB_LOCAL_TASK_COUNT, &step->tasks_left) !=
            ESPANK_SUCCESS)
        return relay_fail(err, EX_SOFTWARE, "Slurm does not say which step "
                                            "this is");
    /* slurmstepd has it from slurmd, not from the job. */
    if (marker_name(step->jobid, getenv("SLURMD_NODENAME"), step->name,
                    err) != 0)
        return -1;
    snprintf(step->job_dir, sizeof(step->job_dir), "%s/%s/user",
             args->rundir, step->name);
    return 0;
}

/* A batch step is the first of its run: a marker that has seen one is of an
 * earlier run, whose epilog did not come (PrologFlags=RunInJob has none). It
 * would let this run through on the verdict of that one. */
static int renew_marker(struct relay_step *step, int rundir,
                        struct relay_error *err)
{
    char aside[MARKER_NAME_MAX];

    if (step->stepid != STEP_BATCH || !marker_has_script(rundir, step->name))
        return 0;
    return marker_write(rundir, &step->marker, true, aside, err);
}

/* Returns 1 when this job's marker was read into step, 0 when there is none,
 * -1 on error. Another user's is one that a crash left: job ids come again. */
static int find_marker(struct relay_step *step, int rundir,
                       struct relay_error *err)
{
    char aside[MARKER_NAME_MAX];
    int found = marker_read(rundir, step->name, &step->marker, err);

    if (found != 1)
        return found;
    if (step->marker.uid != step->uid)
        return marker_set_aside(rundir, step->name, aside, err);
    if (renew_marker(step, rundir, err) != 0)
        return -1;
    step->marked = true;
    return 1;
}

static int write_marker(struct relay_context *c, int rundir,
                        struct relay_error *err)
{
    struct relay_step *step = &c->step;
    struct relay_error why = {0};
    char aside[MARKER_NAME_MAX];
    int rc;

    step->marker = (struct marker){.uid = step->uid, .gid = step->gid,
                                   .jobid = step->jobid,
                                   .options = c->options};
    snprintf(step->marker.node, sizeof(step->marker.node), "%s",
             strchr(step->name, '.') + 1);
    if (options_check(&c->options, &why) != 0)
        snprintf(step->marker.refused, sizeof(step->marker.refused), "%.*s",
                 OPTION_REASON_MAX - 1, why.text);
    rc = marker_write(rundir, &step->marker, false, aside, err);
    if (rc == 1) /* another step was quicker */
        rc = find_marker(step, rundir, err) == 1 ? 0 : -1;
    step->marked = rc == 0;
    return rc;
}

static int switched_off(const struct relay_context *c, struct relay_error *err)
{
    return relay_fail(err, EX_TEMPFAIL,
                      "slurm-relay is switched off on this node (%s/off); "
                      "nothing was started, submit again later",
                      c->args.rundir);
}

static int get_marker(struct relay_context *c, spank_t sp,
                      struct relay_error *err)
{
    bool given = options_given(&c->options);
    int rundir, rc;

    rundir = marker_open_rundir(c->args.rundir, given, err);
    if (rundir < 0)
        return !given && err->code == EX_NOINPUT ? 0 : -1;
    rc = find_marker(&c->step, rundir, err);
    if (rc == 0 && given && args_switched_off(&c->args))
        rc = switched_off(c, err);
    else if (rc == 0 && given)
        rc = write_marker(c, rundir, err);
    if (rc >= 0 && c->step.marked) {
        c->step.leading = is_leading(&c->step, rundir, sp);
        if (is_script(&c->step))
            rc = marker_note_script(rundir, c->step.name, err);
    }
    close(rundir);
    return rc < 0 ? -1 : 0;
}

/* A job has one identity. */
static void check_conflict(struct relay_context *c)
{
    int i;

    for (i = 0; i < OPTION_COUNT; i++) {
        const char *here = c->options.value[i];
        const char *job = c->step.marker.options.value[i];

        if (here[0] != '\0' && strcmp(here, job) != 0)
            (void)relay_fail(&c->step.refused, EX_USAGE,
                             "this job has %s%s%s, a step of it cannot have "
                             "--%s=%s", job[0] != '\0' ? "--" : "no --",
                             option_name((enum relay_option)i),
                             job[0] != '\0' ? " already" : "",
                             option_name((enum relay_option)i), here);
    }
}

static void check_marked(struct relay_context *c)
{
    struct relay_step *step = &c->step;

    if (step->marker.refused[0] != '\0') {
        (void)relay_fail(&step->refused, EX_USAGE, "%s",
                         step->marker.refused);
        return;
    }
    check_conflict(c);
    if (args_switched_off(&c->args))
        (void)switched_off(c, &step->blocked);
    else
        (void)args_check_files(&c->args, &step->blocked);
    if (step->leading && step->blocked.code == 0 && step->refused.code == 0)
        watch_prepare(step);
}

/* A job that a member of an array submits inherits SLURM_ARRAY_* and would be
 * taken for its parent (measured on 22.05); the item tells the truth. */
static void drop_foreign_array(spank_t sp)
{
    static const char *const names[] = {
        "SLURM_ARRAY_JOB_ID",   "SLURM_ARRAY_TASK_ID",
        "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX",
        "SLURM_ARRAY_TASK_STEP", "SLURM_ARRAY_TASK_COUNT",
    };
    uint32_t task = 0;
    size_t i;

    if (spank_get_item(sp, S_JOB_ARRAY_TASK_ID, &task) != ESPANK_SUCCESS ||
        task != NO_ARRAY_TASK)
        return;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)spank_unsetenv(sp, names[i]); /* mostly not there */
}

void step_begin(struct relay_context *context, spank_t sp)
{
    struct relay_step *step = &context->step;
    struct relay_error err = {0};

    clean_environment(sp);
    if (context->inert.code != 0) {
        if (options_given(&context->options))
            (void)relay_fail(&step->blocked, EX_CONFIG,
                             "slurm-relay is misconfigured on this node, "
                             "tell your administrator: %s",
                             context->inert.text);
        return;
    }
    if (identify(step, &context->args, sp, &err) == 0) {
        if (step->stepid == STEP_EXTERN || get_marker(context, sp, &err) == 0)
            err.code = 0;
    }
    if (step->marked) {
        drop_foreign_array(sp);
        check_marked(context);
    } else if (err.code != 0 && options_given(&context->options)) {
        step->blocked = err;
    }
    if (err.code != 0)
        slurm_error("relay: job %" PRIu32 ": %s", step->jobid, err.text);
}

/* --- beside and after them ---------------------------------------------- */

void step_started(struct relay_context *context, spank_t sp)
{
    struct relay_error err = {0};
    int task;

    if (context->step.life[0] < 0 ||
        spank_get_item(sp, S_TASK_ID, &task) != ESPANK_SUCCESS || task != 0)
        return;
    if (watch_start(context, sp, &err) != 0)
        slurm_error("relay: job %" PRIu32 ": watcher: %s",
                    context->step.jobid, err.text);
}

static void write_status(struct relay_context *c)
{
    struct relay_error err = {0};
    int rundir = marker_open_rundir(c->args.rundir, false, &err);

    if (rundir < 0 || marker_write_status(rundir, c->step.name,
                                          c->step.status, &err) != 0)
        slurm_error("relay: job %" PRIu32 ": %s", c->step.jobid, err.text);
    if (rundir >= 0)
        close(rundir);
}

void step_task_ended(struct relay_context *context, spank_t sp)
{
    struct relay_step *step = &context->step;
    int status = 0;

    if (!step->leading || step->tasks_left == 0 ||
        spank_get_item(sp, S_TASK_EXIT_STATUS, &status) != ESPANK_SUCCESS)
        return;
    step->tasks_left--;
    if (step->status == 0)
        step->status = status;
    /* 0 only when the last one has ended well too. */
    if (step->status != 0 || step->tasks_left == 0)
        write_status(context);
    if (step->tasks_left == 0)
        step_end(context);
}

void step_end(struct relay_context *context)
{
    watch_end(&context->step);
}
