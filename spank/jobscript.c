#include "jobscript.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "account.h"
#include "clock.h"
#include "hostlist.h"
#include "leftovers.h"
#include "verdict.h"

#define GRACE_MS 500
/* A marker on its way in or out that is older than this was cut off. */
#define LEFTOVER_S 600

/* What both hooks begin with. */
struct script {
    const struct relay_args *args;
    int64_t end; /* clock_ms: when the hook must have returned */
    uint32_t jobid;
    const char *node;
    char name[MARKER_NAME_MAX];
    int rundir;
};

static void log_output(const struct script *s, const char *output)
{
    const char *line = output;

    while (*line != '\0') {
        size_t len = strcspn(line, "\n");

        slurm_info("relay: job %" PRIu32 ": helper: %.*s", s->jobid,
                   (int)len, line);
        line += len + (line[len] == '\n');
    }
}

static void log_error(const struct script *s, const char *what,
                      const struct relay_error *err)
{
    slurm_error("relay: job %" PRIu32 ": %s: %s", s->jobid, what, err->text);
}

static int script_begin(struct script *s, const struct relay_args *args,
                        unsigned deadline, spank_t sp)
{
    *s = (struct script){.args = args, .rundir = -1};
    s->end = clock_ms() + (int64_t)deadline * 1000;
    s->node = getenv("SLURMD_NODENAME");
    if (spank_get_item(sp, S_JOB_ID, &s->jobid) != ESPANK_SUCCESS)
        return -1;
    return marker_name(s->jobid, s->node, s->name, NULL);
}

/* --- removing a marker -------------------------------------------------- */

struct emptying {
    const char *rundir;
    const char *name;
};

static int empty_user(void *arg)
{
    const struct emptying *e = arg;

    return marker_empty_user(e->rundir, e->name, NULL) == 0 ? 0 : 1;
}

/* The user is whom root once gave user/ to, whatever the marker says. */
static void discard(const struct script *s, const char *name)
{
    struct emptying emptying = {.rundir = s->args->rundir, .name = name};
    struct account account = {.deadline = s->end, .grace_ms = 0};
    struct relay_error err = {0};
    char path[MARKER_NAME_MAX + 8];
    struct stat st;

    snprintf(path, sizeof(path), "%s/user", name);
    if (fstatat(s->rundir, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        account.uid = st.st_uid;
        account.gid = st.st_gid;
        if (account_run(&account, empty_user, &emptying, &err) < 0)
            log_error(s, "emptying the marker", &err);
    }
    if (marker_remove(s->rundir, name, &err) != 0)
        log_error(s, "removing the marker", &err);
}

static void set_aside_and_discard(const struct script *s)
{
    struct relay_error err = {0};
    char aside[MARKER_NAME_MAX];

    if (marker_set_aside(s->rundir, s->name, aside, &err) != 0)
        log_error(s, "removing the marker", &err);
    else
        discard(s, aside);
}

/* Markers whose hook was killed while it wrote or removed them. */
static void discard_leftovers(const struct script *s)
{
    int fd = openat(s->rundir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    struct stat st;

    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while (clock_ms() < s->end && (entry = readdir(dir)) != NULL)
        if ((strncmp(entry->d_name, ".old-", 5) == 0 ||
             strncmp(entry->d_name, ".new-", 5) == 0) &&
            fstatat(s->rundir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
                0 &&
            S_ISDIR(st.st_mode) && st.st_ctime + LEFTOVER_S < time(NULL))
            discard(s, entry->d_name);
    closedir(dir);
}

/* --- the prolog --------------------------------------------------------- */

/* Here the callbacks are never called; getopt is the only way. */
static bool read_options(struct relay_context *c, spank_t sp)
{
    int i;

    for (i = 0; i < OPTION_COUNT; i++) {
        char *value = NULL;

        if (spank_option_getopt(sp, &c->table[i], &value) == ESPANK_SUCCESS)
            (void)options_set(&c->options, (enum relay_option)i, value, NULL);
    }
    return options_given(&c->options);
}

/* Job ids come again: a marker that a crash left must not be taken for that
 * of a job which uses no option. */
static void forget_stale_marker(struct script *s)
{
    char path[JOB_DIR_MAX];

    snprintf(path, sizeof(path), "%s/%s", s->args->rundir, s->name);
    if (access(path, F_OK) != 0)
        return;
    s->rundir = marker_open_rundir(s->args->rundir, false, NULL);
    if (s->rundir < 0)
        return;
    set_aside_and_discard(s);
    close(s->rundir);
}

static int fill_marker(const struct script *s,
                       const struct relay_options *options, spank_t sp,
                       struct marker *marker)
{
    const char *start = getenv("SLURM_JOB_START_TIME");
    struct relay_error why = {0};

    *marker = (struct marker){.jobid = s->jobid, .options = *options};
    if (spank_get_item(sp, S_JOB_UID, &marker->uid) != ESPANK_SUCCESS ||
        spank_get_item(sp, S_JOB_GID, &marker->gid) != ESPANK_SUCCESS)
        return -1;
    snprintf(marker->node, sizeof(marker->node), "%s", s->node);
    if (start != NULL && strspn(start, "0123456789") == strlen(start))
        snprintf(marker->start, sizeof(marker->start), "%s", start);
    if (options_check(options, &why) != 0)
        snprintf(marker->refused, sizeof(marker->refused), "%.*s",
                 OPTION_REASON_MAX - 1, why.text);
    return 0;
}

static bool is_first_node(const struct script *s)
{
    const char *list = getenv("SLURM_JOB_NODELIST");
    char first[256];

    if (list == NULL)
        list = getenv("SLURM_NODELIST"); /* before Slurm 23.02.6 */
    return list != NULL && hostlist_first(list, first, sizeof(first)) == 0 &&
           strcmp(first, s->node) == 0;
}

static void stage_in(const struct script *s, const struct marker *marker)
{
    struct account account = {.uid = marker->uid, .gid = marker->gid,
                              .allow_groups = s->args->allow_groups,
                              .deadline = s->end - GRACE_MS,
                              .grace_ms = GRACE_MS / 2};
    struct relay_error err = {0};
    char job_dir[JOB_DIR_MAX];
    const char *from = marker->options.value[OPTION_HANDOFF_FROM];
    const char *argv[16] = {s->args->helper, "stage-in", "--config",
                            s->args->config, "--job-dir", job_dir, "--nonce",
                            marker->nonce, "--key",
                            marker->options.value[OPTION_RESUME_KEY]};
    size_t n = 10;
    int code;

    snprintf(job_dir, sizeof(job_dir), "%s/%s/user", s->args->rundir,
             s->name);
    if (from[0] != '\0') {
        argv[n++] = "--handoff-from";
        argv[n++] = from;
    }
    argv[n++] = "--prolog";
    if (s->args->network)
        argv[n++] = "--network";
    code = account_run_program(&account, (char *const *)(uintptr_t)argv,
                               &err);
    if (code < 0)
        log_error(s, "stage-in in the prolog", &err);
    else if (code != 0)
        slurm_info("relay: job %" PRIu32 ": stage-in in the prolog: exit "
                   "code %d; the job's first step goes on", s->jobid, code);
    if (code != 0)
        log_output(s, account.output);
}

static void write_marker_and_stage_in(struct script *s,
                                      const struct relay_options *options,
                                      spank_t sp)
{
    struct relay_error err = {0};
    char aside[MARKER_NAME_MAX];
    struct marker marker;

    if (fill_marker(s, options, sp, &marker) != 0 ||
        marker_write(s->rundir, &marker, true, aside, &err) != 0) {
        log_error(s, "writing the marker", &err);
        return;
    }
    if (aside[0] != '\0')
        discard(s, aside);
    if (marker.refused[0] != '\0')
        slurm_info("relay: job %" PRIu32 " is refused: %s", s->jobid,
                   marker.refused);
    /* Which cell it is shows in the job only. */
    else if (!is_first_node(s) ||
             marker.options.value[OPTION_SWEEP_CELL][0] != '\0')
        return;
    else if (args_check_files(s->args, &err) != 0)
        log_error(s, "not run", &err);
    else
        stage_in(s, &marker);
}

void jobscript_prolog(struct relay_context *context, spank_t sp)
{
    struct relay_error err = {0};
    struct script s;

    if (script_begin(&s, &context->args, context->args.prolog_deadline,
                     sp) != 0)
        return;
    if (!read_options(context, sp)) {
        forget_stale_marker(&s);
        return;
    }
    if (context->inert.code != 0) {
        log_error(&s, "misconfigured", &context->inert);
        return;
    }
    if (args_switched_off(&context->args))
        return;
    s.rundir = marker_open_rundir(s.args->rundir, true, &err);
    if (s.rundir < 0) {
        log_error(&s, "writing the marker", &err);
        return;
    }
    write_marker_and_stage_in(&s, &context->options, sp);
    close(s.rundir);
}

/* --- the epilog --------------------------------------------------------- */

/* From what happens as the user, by its exit code. */
enum { NO_GATE = 0, GATE_RAN = 1 };

struct aftermath {
    const struct script *script;
    const struct marker *marker;
    char own_nonce[33];
    int64_t until;
};

static int keep_nonce(void *arg, const char *name, const char *value)
{
    struct aftermath *a = arg;

    if (value != NULL && strcmp(name, "RELAY_RUN_NONCE") == 0 &&
        strlen(value) < sizeof(a->own_nonce))
        snprintf(a->own_nonce, sizeof(a->own_nonce), "%s", value);
    return 0;
}

/* As the user. On the other nodes of a job the nonce in the environment is
 * that of the node where the gate was. */
static int end_processes(void *arg)
{
    struct aftermath *a = arg;
    const char *nonces[2] = {a->marker->nonce, a->own_nonce};
    char path[JOB_DIR_MAX];
    int dir, code = NO_GATE;

    snprintf(path, sizeof(path), "%s/%s/user", a->script->args->rundir,
             a->script->name);
    dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return NO_GATE;
    if (faccessat(dir, VERDICT_GATE, F_OK, 0) == 0)
        code = GATE_RAN;
    (void)verdict_environment(dir, keep_nonce, a, NULL); /* may be missing */
    close(dir);
    (void)leftovers_end(a->script->jobid, nonces,
                          a->own_nonce[0] != '\0' ? 2 : 1, a->until);
    return code;
}

static bool clean_up_processes(const struct script *s,
                               const struct marker *marker)
{
    int64_t now = clock_ms(), half = now + (s->end - now) / 2;
    struct account account = {.uid = marker->uid, .gid = marker->gid,
                              .deadline = half};
    struct aftermath aftermath = {.script = s, .marker = marker,
                                  .until = half - GRACE_MS / 2};
    struct relay_error err = {0};
    int code;

    code = account_run(&account, end_processes, &aftermath, &err);
    if (code < 0)
        log_error(s, "ending what the run left behind", &err);
    return code != NO_GATE;
}

static void stage_out(const struct script *s, const struct marker *marker)
{
    int64_t left = s->end - clock_ms(), reserve = left / 4;
    struct account account = {.uid = marker->uid, .gid = marker->gid,
                              .allow_groups = ""};
    struct relay_error err = {0};
    char job_dir[JOB_DIR_MAX], status[16] = "none", seconds[24];
    const char *argv[16] = {s->args->helper, "stage-out", "--config",
                            s->args->config, "--job-dir", job_dir, "--nonce",
                            marker->nonce, "--status", status, "--deadline",
                            seconds};
    int raw, code;

    /* A quarter, at most a second, is for ending it and for the marker. */
    account.deadline = s->end - (reserve < 1000 ? reserve : 1000);
    account.grace_ms = GRACE_MS / 2;
    left = (account.deadline - clock_ms()) / 1000;
    snprintf(seconds, sizeof(seconds), "%" PRId64, left > 1 ? left : 1);
    snprintf(job_dir, sizeof(job_dir), "%s/%s/user", s->args->rundir,
             s->name);
    if (marker_read_status(s->rundir, s->name, &raw) == 1)
        snprintf(status, sizeof(status), "%d", raw);
    if (s->args->network)
        argv[12] = "--network";
    code = account_run_program(&account, (char *const *)(uintptr_t)argv,
                               &err);
    if (code < 0)
        log_error(s, "stage-out", &err);
    else if (code != 0)
        slurm_info("relay: job %" PRIu32 ": stage-out: exit code %d",
                   s->jobid, code);
    if (code != 0)
        log_output(s, account.output);
}

/* An old run's epilog that comes after the new run has begun must not touch
 * what is the new one's. Slurm tells the start since 23.02. */
static bool is_of_this_run(const struct marker *marker)
{
    const char *start = getenv("SLURM_JOB_START_TIME");

    return start == NULL || marker->start[0] == '\0' ||
           strcmp(start, marker->start) == 0;
}

static void clean_up(const struct script *s)
{
    struct relay_error err = {0};
    struct marker marker;
    int found = marker_read(s->rundir, s->name, &marker, &err);

    if (found == 0)
        return;
    if (found < 0) {
        log_error(s, "epilog", &err);
    } else if (!is_of_this_run(&marker)) {
        slurm_info("relay: job %" PRIu32 " has started again; this epilog "
                   "is of an earlier run", s->jobid);
        return;
    } else if (clean_up_processes(s, &marker)) {
        if (args_check_files(s->args, &err) != 0)
            log_error(s, "stage-out", &err);
        else
            stage_out(s, &marker);
    }
    set_aside_and_discard(s);
    discard_leftovers(s);
}

void jobscript_epilog(struct relay_context *context, spank_t sp)
{
    struct script s;

    if (context->inert.code != 0 ||
        script_begin(&s, &context->args, context->args.epilog_deadline,
                     sp) != 0)
        return;
    s.rundir = marker_open_rundir(s.args->rundir, false, NULL);
    if (s.rundir < 0)
        return; /* no job here has ever used an option */
    if (!args_switched_off(&context->args))
        clean_up(&s);
    close(s.rundir);
}
