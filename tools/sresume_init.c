/* sresume init: a first configuration, of what the clusters say. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "gpuspeed.h"
#include "sresume.h"
#include "survey.h"
#include "text.h"

#define FILE_NAME "relay.yaml"

struct init {
    const char *ssh;
    bool dry_run;
    bool force;
    struct survey here, there;
    char dir[PATH_MAX]; /* of the file */
    char path[PATH_MAX + 16];
    char *yaml;
};

/* ---- what was found --------------------------------------------------- */

static void show_roots(const struct survey *s)
{
    char text[1200];
    size_t i;

    if (s->resume_root[0] != '\0') {
        snprintf(text, sizeof(text), "%s: configured there", s->resume_root);
        cli_field("root", text);
        return;
    }
    if (s->nroots == 0)
        cli_field("root", "no directory named _resume, or with the resume "
                          "directories of runs, was found: say it by hand");
    for (i = 0; i < s->nroots; i++) {
        snprintf(text, sizeof(text), "%s: %" PRId64 " runs%s",
                 s->roots[i].path, s->roots[i].runs,
                 i == 0 ? (s->nroots > 1 ? ", the most: taken" : ": taken")
                        : "");
        cli_field("root", text);
    }
}

static void show_partitions(const struct survey *s)
{
    const struct survey_partition *must = survey_partition(s);
    struct text t = {0};
    size_t i;

    for (i = 0; i < s->npartitions; i++)
        text_printf(&t, "%s%s%s", i > 0 ? ", " : "", s->partitions[i].name,
                    s->partitions[i].usual ? " (default)" : "");
    if (must != NULL)
        text_printf(&t, "; jobs are submitted to %s, which alone has GPUs",
                    must->name);
    if (s->npartitions > 0)
        cli_field("partitions", text_str(&t));
    text_clear(&t);
    for (i = 0; i < s->ngpus; i++) {
        double factor = gpuspeed(s->gpus[i]);

        text_printf(&t, "%s%s", i > 0 ? ", " : "", s->gpus[i]);
        if (factor > 0)
            text_printf(&t, " (speed %g)", factor);
        else
            text_add(&t, " (speed not known: put yours)");
    }
    if (s->untyped)
        text_printf(&t, "%ssome without a type in their Gres",
                    s->ngpus > 0 ? ", " : "");
    if (t.len > 0)
        cli_field("GPUs", text_str(&t));
    text_free(&t);
}

static void show_survey(const struct survey *s)
{
    char text[500];

    if (s->ssh[0] != '\0')
        snprintf(text, sizeof(text), "%s, by ssh %s as %s%s", s->cluster,
                 s->ssh, s->user, s->login ? " over your open connection, "
                                             "which jobs do not have" : "");
    else
        snprintf(text, sizeof(text), "%s, here, as %s", s->cluster, s->user);
    cli_field("cluster", text);
    if (s->slurm_problem[0] != '\0') {
        snprintf(text, sizeof(text), "does not answer: %s", s->slurm_problem);
        cli_field("Slurm", text);
    }
    show_roots(s);
    show_partitions(s);
    printf("\n");
}

/* ---- asking ----------------------------------------------------------- */

static int check_names(const struct init *in, struct relay_error *err)
{
    const char *nameless = in->here.cluster[0] == '\0' ? "this machine" : NULL;

    if (nameless == NULL && in->ssh != NULL && in->there.cluster[0] == '\0')
        nameless = in->ssh;
    if (nameless != NULL)
        return relay_fail(err, EX_CONFIG,
                          "%s does not say which cluster it is: scontrol does "
                          "not answer there, and slurm.conf has no "
                          "ClusterName; is it a login node of one?", nameless);
    if (in->ssh != NULL && strcmp(in->here.cluster, in->there.cluster) == 0)
        return relay_fail(err, EX_USAGE, "--ssh=%s leads to %s, which is this "
                                         "cluster: name another one's host",
                          in->ssh, in->here.cluster);
    return 0;
}

static int ask(struct init *in, struct relay_error *err)
{
    char workdir[PATH_MAX];

    if (getcwd(workdir, sizeof(workdir)) == NULL)
        return relay_fail_errno(err, EX_IOERR, "no working directory");
    if (survey_ask(NULL, workdir, &in->here, err) != 0)
        return -1;
    if (in->ssh != NULL && survey_ask(in->ssh, "", &in->there, err) != 0)
        return -1;
    return check_names(in, err);
}

/* Does every command here know this cluster's name without being told? A
 * user's file that is to be replaced does not count. */
static bool is_known(const struct init *in)
{
    struct config cfg;
    bool known;
    size_t i;

    if (config_load(NULL, NULL, &cfg, NULL) != 0)
        return false;
    known = cfg.cluster != NULL && strcmp(cfg.cluster, in->here.cluster) == 0;
    for (i = 0; i < cfg.norigins; i++) {
        if (strcmp(cfg.origins[i].key, "cluster") == 0 &&
            strcmp(cfg.origins[i].file, in->path) == 0)
            known = false;
    }
    config_free(&cfg);
    return known;
}

/* ---- writing ---------------------------------------------------------- */

static int find_path(struct init *in, struct relay_error *err)
{
    const char *home = getenv("HOME");
    struct passwd *pw = getpwuid(geteuid());

    if ((home == NULL || home[0] != '/') && pw != NULL)
        home = pw->pw_dir;
    if (home == NULL || home[0] != '/')
        return relay_fail(err, EX_CONFIG, "this user has no home directory");
    if ((size_t)snprintf(in->dir, sizeof(in->dir), "%s/.config/slurm-relay",
                         home) >= sizeof(in->dir))
        return relay_fail(err, EX_CONFIG, "the path of the home directory is "
                                          "too long");
    snprintf(in->path, sizeof(in->path), "%s/" FILE_NAME, in->dir);
    return 0;
}

/* Reads the file as every command of ours will. */
static int check_file(const char *path, struct relay_error *err)
{
    const char *before = getenv("RELAY_CONFIG");
    char *kept = before != NULL ? strdup(before) : NULL;
    struct config cfg;
    int rc;

    if (setenv("RELAY_CONFIG", path, 1) != 0) {
        free(kept);
        return relay_fail_errno(err, EX_OSERR, "RELAY_CONFIG");
    }
    rc = config_load(NULL, NULL, &cfg, err);
    if (kept != NULL)
        (void)setenv("RELAY_CONFIG", kept, 1); /* it was there before */
    else
        (void)unsetenv("RELAY_CONFIG");
    free(kept);
    if (rc == 0)
        config_free(&cfg);
    return rc;
}

/* What is there stays, under a name of its own: two of a second have a number
 * behind it. */
static int keep_old(const struct init *in, struct relay_error *err)
{
    char when[32], number[16] = "";
    char path[PATH_MAX + 128];
    int n = 1;

    clock_iso(clock_wall(), when, sizeof(when));
    for (;;) {
        snprintf(path, sizeof(path), "%s.bak-%s%s", in->path, when, number);
        if (link(in->path, path) == 0)
            break;
        if (errno == ENOENT)
            return 0;
        if (errno != EEXIST || ++n > 1000)
            return relay_fail_errno(err, EX_CANTCREAT, "cannot keep %s as %s",
                                    in->path, path);
        snprintf(number, sizeof(number), "-%d", n);
    }
    printf("kept       %s\n", path);
    return 0;
}

/* tmp gets the name; one that has it is never lost. */
static int put_in_place(const struct init *in, const char *tmp,
                        struct relay_error *err)
{
    if (in->force) {
        if (keep_old(in, err) != 0)
            return -1;
        return rename(tmp, in->path) == 0
                   ? 0
                   : relay_fail_errno(err, EX_CANTCREAT, "%s", in->path);
    }
    if (link(tmp, in->path) == 0)
        return 0;
    if (errno == EEXIST)
        return relay_fail(err, EX_CANTCREAT, "%s is there already: add what "
                          "it lacks of the above, or use --force (the old "
                          "one is kept)", in->path);
    return relay_fail_errno(err, EX_CANTCREAT, "%s", in->path);
}

static int write_file(const struct init *in, struct relay_error *err)
{
    char nonce[33];
    char tmp[PATH_MAX + 80];
    int rc;

    if (file_make_dirs(in->dir, 0700, err) != 0 ||
        file_nonce(nonce, err) != 0)
        return -1;
    snprintf(tmp, sizeof(tmp), "%s/." FILE_NAME "-%s", in->dir, nonce);
    rc = file_write(AT_FDCWD, tmp, in->yaml, strlen(in->yaml), 0600, err);
    if (rc == 0)
        rc = check_file(tmp, err);
    if (rc == 0)
        rc = put_in_place(in, tmp, err);
    (void)unlink(tmp); /* gone after a rename, ours in any case */
    return rc;
}

static void say_next(const struct init *in)
{
    const char *alone = getenv("RELAY_CONFIG");

    if (alone != NULL && alone[0] != '\0')
        fprintf(stderr, SRESUME ": $RELAY_CONFIG is set: %s is read, and not "
                                "this file\n", alone);
    printf("written    %s\n", in->path);
    printf("next       " SRESUME " doctor\n");
    if (in->ssh != NULL)
        printf("           and on %s: " SRESUME " init --ssh=HOST, with this "
               "cluster's host as it is called there\n", in->there.cluster);
}

static int run_init(struct init *in, struct relay_error *err)
{
    if (find_path(in, err) != 0 || ask(in, err) != 0)
        return -1;
    show_survey(&in->here);
    if (in->ssh != NULL)
        show_survey(&in->there);
    in->yaml = survey_yaml(&in->here, in->ssh != NULL ? &in->there : NULL,
                           !is_known(in));
    if (in->yaml == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    if (in->dry_run || (!in->force && access(in->path, F_OK) == 0))
        printf("%s", in->yaml);
    if (in->dry_run)
        return 0;
    if (write_file(in, err) != 0)
        return -1;
    say_next(in);
    return 0;
}

int sresume_init(int argc, char **argv)
{
    struct init in = {.ssh = NULL};
    const struct cli_option options[] = {
        {"ssh", '\0', CLI_TEXT, &in.ssh, "HOST",
         "the other cluster's login node, as ssh takes it"},
        {"dry-run", 'n', CLI_FLAG, &in.dry_run, NULL,
         "print the file, write nothing"},
        {"force", '\0', CLI_FLAG, &in.force, NULL,
         "replace a file that is there; it is kept beside"},
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SRESUME, "init", "[OPTION]...",
        "Writes ~/.config/slurm-relay/relay.yaml, of what this cluster and\n"
        "the one behind HOST say: names, resume directories, partitions,\n"
        "GPUs. Says what it found; replaces no file.",
        options, 0, 0};
    struct relay_error err = {0};
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    code = run_init(&in, &err);
    free(in.yaml);
    return code != 0 ? cli_fail(SRESUME, &err) : 0;
}
