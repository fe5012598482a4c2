/*
 * relay-job: what the plugin runs, as the job's user. `sresume run` does the
 * same where there is no plugin.
 */
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"
#include "file.h"
#include "liveness.h"
#include "process.h"
#include "stage_cell.h"

struct arguments {
    struct run_options run;
    bool prolog;
    bool follow;
    int life_fd;
    int status;
    long deadline;
};

static const char usage_text[] =
    "usage: relay-job check {--key KEY|--sweep-cell SWEEP[:CELL]}\n"
    "                 [--handoff-from CLUSTER[:JOBID]]\n"
    "       relay-job stage-in --job-dir DIR --nonce N\n"
    "                 {--key KEY|--sweep-cell SWEEP[:CELL]}\n"
    "                 [--handoff-from CLUSTER[:JOBID]] [--prolog] [--follow]\n"
    "                 [--network]\n"
    "       relay-job watch --job-dir DIR --nonce N --life-fd FD\n"
    "       relay-job stage-out --job-dir DIR --nonce N\n"
    "                 --status RAW_WAIT_STATUS|none [--deadline SECONDS]\n"
    "                 [--network]\n"
    "All take --config FILE. relay.so runs this; see relay-job(8). To look at\n"
    "runs use sresume(1).\n";

static int fail(const struct relay_error *err)
{
    fprintf(stderr, "relay: %s\n", err->text);
    return err->code != 0 ? err->code : EX_SOFTWARE;
}

static int parse_number(const char *text, long *number)
{
    char *end;

    *number = strtol(text, &end, 10);
    return *text != '\0' && *end == '\0' && *number >= 0 ? 0 : -1;
}

enum { OPT_CONFIG = 1000, OPT_KEY, OPT_CELL, OPT_FROM, OPT_DIR, OPT_NONCE,
       OPT_PROLOG, OPT_FOLLOW, OPT_NETWORK, OPT_LIFE, OPT_STATUS,
       OPT_DEADLINE };

static const struct option options[] = {
    {"config", required_argument, NULL, OPT_CONFIG},
    {"key", required_argument, NULL, OPT_KEY},
    {"sweep-cell", required_argument, NULL, OPT_CELL},
    {"handoff-from", required_argument, NULL, OPT_FROM},
    {"job-dir", required_argument, NULL, OPT_DIR},
    {"nonce", required_argument, NULL, OPT_NONCE},
    {"prolog", no_argument, NULL, OPT_PROLOG},
    {"follow", no_argument, NULL, OPT_FOLLOW},
    {"network", no_argument, NULL, OPT_NETWORK},
    {"life-fd", required_argument, NULL, OPT_LIFE},
    {"status", required_argument, NULL, OPT_STATUS},
    {"deadline", required_argument, NULL, OPT_DEADLINE},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static int take_option(struct arguments *a, int opt, struct relay_error *err)
{
    long number = 0;
    bool good = true;

    switch (opt) {
    case OPT_CONFIG:
        a->run.site_config = optarg;
        break;
    case OPT_KEY:
        a->run.key = optarg;
        break;
    case OPT_CELL:
        a->run.sweep_cell = optarg;
        break;
    case OPT_FROM:
        a->run.handoff_from = optarg;
        break;
    case OPT_DIR:
        a->run.job_dir = optarg;
        break;
    case OPT_NONCE:
        good = strlen(optarg) == 32;
        a->run.nonce = optarg;
        break;
    case OPT_PROLOG:
        a->prolog = true;
        break;
    case OPT_FOLLOW:
        a->follow = true;
        break;
    case OPT_NETWORK:
        a->run.network = true;
        break;
    case OPT_LIFE:
        good = parse_number(optarg, &number) == 0;
        a->life_fd = (int)number;
        break;
    case OPT_STATUS:
        if (strcmp(optarg, "none") != 0) {
            good = parse_number(optarg, &number) == 0;
            a->status = (int)number;
        }
        break;
    case OPT_DEADLINE:
        good = parse_number(optarg, &a->deadline) == 0;
        break;
    default:
        return relay_fail(err, EX_USAGE, "relay-job: see relay-job --help");
    }
    return good ? 0 : relay_fail(err, EX_USAGE, "relay-job: bad value %s",
                                 optarg);
}

static int parse(struct arguments *a, int argc, char **argv,
                 struct relay_error *err)
{
    int opt;

    a->life_fd = -1;
    a->status = -1;
    while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1)
        if (take_option(a, opt, err) != 0)
            return -1;
    if (optind != argc)
        return relay_fail(err, EX_USAGE, "relay-job: what is %s?",
                          argv[optind]);
    return 0;
}

static bool is_of_array(const char *key)
{
    return strstr(key, "%a") != NULL || strstr(key, "%A") != NULL;
}

static int check_cell(struct arguments *a, struct relay_error *err)
{
    struct run run;
    int rc;

    a->run.read_only = true;
    a->run.here = true;
    rc = stage_cell_check(&a->run, &run, err);
    run_close(&run);
    return rc;
}

static int do_check(struct arguments *a, struct relay_error *err)
{
    static const char any[] = "0000000000000000000000000000000000000000";
    bool array;
    struct run run;
    int rc;

    if (a->run.sweep_cell != NULL)
        return check_cell(a, err);
    if (a->run.key == NULL)
        return relay_fail(err, EX_USAGE, "--handoff-from needs --resume-key: "
                                         "which run is to be moved?");
    if (key_check(a->run.key, err) != 0)
        return -1;
    /* An array's %a is known in the job only: then the rest is checked. */
    array = is_of_array(a->run.key);
    if (array)
        a->run.key = any;
    a->run.read_only = true;
    a->run.here = true; /* sbatch's own, which becomes the job's */
    rc = run_open(&a->run, &run, err);
    if (rc == 0 && !array)
        rc = stage_check(&run, err);
    else if (rc == 0 && run.from_cluster[0] != '\0' &&
             config_find(&run.cfg, run.from_cluster, err) == NULL)
        rc = -1;
    run_close(&run);
    return rc;
}

static int stage_in_key(struct arguments *a, struct run *run,
                        enum stage_verdict *verdict, char **env, size_t *len,
                        struct relay_error *err)
{
    if (run_open(&a->run, run, err) != 0)
        return -1;
    if (a->prolog)
        return stage_prolog(run, err);
    return a->follow ? stage_follow(run, verdict, env, len, err)
                     : stage_in(run, verdict, env, len, err);
}

static int stage_in_cell(struct arguments *a, struct run *run,
                         enum stage_verdict *verdict, char **env, size_t *len,
                         struct relay_error *err)
{
    return a->follow ? stage_cell_follow(&a->run, run, verdict, env, len, err)
                     : stage_cell_in(&a->run, run, verdict, env, len, err);
}

static int do_stage_in(struct arguments *a, struct relay_error *err)
{
    bool is_cell = a->run.sweep_cell != NULL;
    enum stage_verdict verdict;
    struct run run;
    char *env = NULL;
    size_t len;
    int rc;

    if (is_cell == (a->run.key != NULL) || a->run.job_dir == NULL ||
        a->run.nonce == NULL)
        return relay_fail(err, EX_USAGE, "stage-in needs --key or "
                                         "--sweep-cell, --job-dir and "
                                         "--nonce");
    /* Which task of an array it is shows in the job only; a cell too. */
    if (a->prolog && (is_cell || is_of_array(a->run.key)))
        return 0;
    a->run.here = !a->prolog; /* the task is in the job's directory */
    rc = is_cell ? stage_in_cell(a, &run, &verdict, &env, &len, err)
                 : stage_in_key(a, &run, &verdict, &env, &len, err);
    free(env);
    run_close(&run);
    return rc;
}

/* Until stage-in has decided there is nothing to watch. True: it let the body
 * go; false: it did not, or the step is over. */
static bool wait_for_verdict(int jobfd, int lifefd)
{
    struct pollfd life = {.fd = lifefd, .events = POLLIN};
    char *text;
    bool go;

    for (;;) {
        text = file_read(jobfd, "verdict", 64, NULL, NULL);
        if (text != NULL) {
            go = strcmp(text, "0\n") == 0;
            free(text);
            return go;
        }
        if (process_cancelled() != 0 || poll(&life, 1, 200) > 0)
            return false;
    }
}

/* What the watcher has to say belongs into the job's output; slurmstepd's
 * own stderr is no place that a user sees. */
static void use_job_output(const struct run *run)
{
    struct relay_error err = {0};
    struct job_facts facts = {.stdout_path = ""};
    const char *path = run->out_path;
    struct peer here;
    int fd;

    /* Under srun the output is a pipe; then Slurm may know of a file. */
    if (path[0] == '\0' &&
        peer_open(&run->cfg, run->cfg.cluster, &here, &err) == 0 &&
        liveness_facts(&here, run->self.job_id, "", NULL, &facts, &err) == 0)
        path = facts.stdout_path;
    if (path[0] != '/')
        return;
    fd = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)dup2(fd, STDERR_FILENO); /* else it goes to the log alone */
    close(fd);
}

static int do_watch(struct arguments *a, struct relay_error *err)
{
    struct run run;
    int jobfd;
    int rc;

    if (a->run.job_dir == NULL || a->run.nonce == NULL || a->life_fd < 0)
        return relay_fail(err, EX_USAGE, "watch needs --job-dir, --nonce and "
                                         "--life-fd");
    jobfd = file_open_dir(AT_FDCWD, a->run.job_dir, err);
    if (jobfd < 0)
        return -1;
    if (!wait_for_verdict(jobfd, a->life_fd)) {
        close(jobfd);
        return 0;
    }
    close(jobfd);
    /* What a ssh of ours may leave behind is found by this in the epilog. */
    if (setenv("RELAY_RUN_NONCE", a->run.nonce, 1) != 0)
        return relay_fail_errno(err, EX_OSERR, "environment");
    rc = run_open_resolved(&a->run, &run, err);
    if (rc == 0) {
        use_job_output(&run);
        rc = stage_watch(&run, a->life_fd, err);
    }
    run_close(&run);
    return rc;
}

static int do_stage_out(struct arguments *a, struct relay_error *err)
{
    struct run run;
    int rc;

    if (a->run.job_dir == NULL || a->run.nonce == NULL)
        return relay_fail(err, EX_USAGE, "stage-out needs --job-dir and "
                                         "--nonce");
    rc = run_open_resolved(&a->run, &run, err);
    if (rc == 0)
        rc = stage_out(&run, a->status, a->deadline, err);
    run_close(&run);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(struct arguments *a, struct relay_error *err);
    } commands[] = {
        {"check", do_check},
        {"stage-in", do_stage_in},
        {"watch", do_watch},
        {"stage-out", do_stage_out},
    };
    struct arguments a = {.life_fd = -1};
    struct relay_error err = {0};
    size_t i;

    if (argc >= 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage_text, stdout);
        return 0;
    }
    if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
        puts("relay-job (slurm-relay) " RELAY_VERSION);
        return 0;
    }
    process_catch_signals();
    for (i = 0; argc >= 2 && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        if (parse(&a, argc - 1, argv + 1, &err) != 0 ||
            commands[i].run(&a, &err) != 0)
            return fail(&err);
        return 0;
    }
    fputs(usage_text, stderr);
    return EX_USAGE;
}
