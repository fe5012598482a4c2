#include "survey.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "config_read.h"
#include "config_value.h"
#include "peer.h"
#include "remote_scripts.h"

enum { ASK_MS = 150000 };

#define SEARCH_S "8" /* of one directory tree */

/* ---- GPUs ------------------------------------------------------------- */

static void add_gpu(struct survey *s, const char *type, size_t len)
{
    size_t i;

    if (len == 0 || len >= sizeof(s->gpus[0]) || s->ngpus == SURVEY_GPUS)
        return;
    for (i = 0; i < s->ngpus; i++) {
        if (strlen(s->gpus[i]) == len && memcmp(s->gpus[i], type, len) == 0)
            return;
    }
    memcpy(s->gpus[s->ngpus], type, len);
    s->gpus[s->ngpus++][len] = '\0';
}

bool survey_gres(struct survey *survey, const char *gres)
{
    bool any = false;

    while (*gres != '\0') {
        const char *type = gres + 4;
        size_t len;

        if (strncmp(gres, "gpu:", 4) == 0) {
            any = true;
            len = strcspn(type, ":(,");
            if (type[strspn(type, "0123456789")] == type[len] &&
                strspn(type, "0123456789") == len)
                survey->untyped = true;
            else
                add_gpu(survey, type, len);
        }
        /* The commas inside (S:0,2) part no GPUs. */
        while (*gres != '\0' && *gres != ',') {
            if (*gres == '(')
                gres += strcspn(gres, ")");
            if (*gres != '\0')
                gres++;
        }
        if (*gres == ',')
            gres++;
    }
    return any;
}

/* ---- the answer ------------------------------------------------------- */

static void add_root(void *arg, const char *value, size_t len)
{
    struct survey *s = arg;
    struct survey_root one = {.runs = 0};
    char line[1100];
    char *path;
    size_t i;

    snprintf(line, sizeof(line), "%.*s", (int)len, value);
    path = strchr(line, ' ');
    if (path == NULL || s->nroots == SURVEY_ROOTS)
        return;
    one.runs = strtoll(line, NULL, 10);
    snprintf(one.path, sizeof(one.path), "%.1023s", path + 1);
    /* The one with most runs first; of equals, the one that was found so. */
    for (i = s->nroots; i > 0 && s->roots[i - 1].runs < one.runs; i--)
        s->roots[i] = s->roots[i - 1];
    s->roots[i] = one;
    s->nroots++;
}

static void add_partition(void *arg, const char *value, size_t len)
{
    struct survey *s = arg;
    struct survey_partition one = {.usual = false};
    char line[600], kind[16], up[16], gres[400] = "";
    size_t i = 0;

    snprintf(line, sizeof(line), "%.*s", (int)len, value);
    if (sscanf(line, "%63s %15s %15s %*s %399s", one.name, kind, up, gres) < 3)
        return;
    while (i < s->npartitions && strcmp(s->partitions[i].name, one.name) != 0)
        i++;
    if (i == SURVEY_PARTITIONS)
        return;
    if (i == s->npartitions)
        s->partitions[s->npartitions++] = one;
    s->partitions[i].usual = strcmp(kind, "default") == 0;
    s->partitions[i].up = strcmp(up, "up") == 0;
    if (survey_gres(s, gres))
        s->partitions[i].gpus = true;
}

/* What is configured over there, as far as it can be read. */
static void take_config(const struct peer_reply *reply, struct survey *s)
{
    static const char *const sections[] = {"site", "own"};
    const struct config_cluster *c;
    struct config cfg;
    size_t i;

    config_defaults(&cfg);
    for (i = 0; i < 2; i++) {
        size_t len = 0;
        const char *text = peer_section(reply, sections[i], &len);

        if (text != NULL)
            (void)config_read(text, len, sections[i], &cfg, NULL);
    }
    c = config_find(&cfg, cfg.cluster != NULL ? cfg.cluster : s->cluster,
                    NULL);
    if (c != NULL && c->resume_root != NULL)
        snprintf(s->resume_root, sizeof(s->resume_root), "%s",
                 c->resume_root);
    if (c != NULL && c->run_root != NULL)
        snprintf(s->run_root, sizeof(s->run_root), "%s", c->run_root);
    if (cfg.cluster != NULL)
        snprintf(s->cluster, sizeof(s->cluster), "%s", cfg.cluster);
    config_free(&cfg);
}

static void take_reply(const struct peer_reply *reply, struct survey *s)
{
    const char *why = "";

    peer_value(reply, "cluster", s->cluster, sizeof(s->cluster));
    if (value_name(s->cluster, &why) != 0)
        s->cluster[0] = '\0';
    peer_value(reply, "user", s->user, sizeof(s->user));
    peer_value(reply, "slurm_problem", s->slurm_problem,
               sizeof(s->slurm_problem));
    take_config(reply, s);
    peer_each(reply, "root", add_root, s);
    peer_each(reply, "partition", add_partition, s);
}

/* A configuration that knows this one host; under the host's own name, which
 * is what messages then say. */
static int host_config(const char *ssh, struct config *cfg,
                       struct relay_error *err)
{
    const char *why = "";

    config_defaults(cfg);
    if (value_host(ssh, &why) != 0)
        return relay_fail(err, EX_USAGE, "--ssh=%.100s is %s", ssh, why);
    cfg->clusters = calloc(1, sizeof(*cfg->clusters));
    if (cfg->clusters == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    cfg->nclusters = 1;
    cfg->clusters[0].reach = REACH_JOB;
    cfg->clusters[0].name = strdup(ssh);
    cfg->clusters[0].ssh = strdup(ssh);
    if (cfg->clusters[0].name == NULL || cfg->clusters[0].ssh == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    return 0;
}

static int here_config(struct config *cfg, struct relay_error *err)
{
    config_defaults(cfg);
    cfg->cluster = strdup("here");
    return cfg->cluster != NULL ? 0 : relay_fail(err, EX_OSERR,
                                                 "out of memory");
}

int survey_ask(const char *ssh, const char *workdir, struct survey *survey,
               struct relay_error *err)
{
    const char *args[] = {ssh == NULL ? workdir : "", SEARCH_S, NULL};
    struct peer_reply reply = {0};
    struct config cfg;
    struct peer peer;
    int rc;

    memset(survey, 0, sizeof(*survey));
    rc = ssh != NULL ? host_config(ssh, &cfg, err) : here_config(&cfg, err);
    if (rc == 0)
        rc = peer_open(&cfg, ssh != NULL ? ssh : "here", &peer, err);
    if (rc == 0) {
        survey->login = ssh != NULL && peer.own_master;
        snprintf(survey->ssh, sizeof(survey->ssh), "%s",
                 ssh != NULL ? ssh : "");
        rc = peer_script(&peer, remote_survey, args, ASK_MS, &reply, err);
    }
    if (rc == 0)
        take_reply(&reply, survey);
    peer_reply_free(&reply);
    config_free(&cfg);
    return rc;
}

const struct survey_partition *survey_partition(const struct survey *survey)
{
    const struct survey_partition *only = NULL;
    size_t i;

    for (i = 0; i < survey->npartitions; i++) {
        const struct survey_partition *p = &survey->partitions[i];

        if (!p->gpus || !p->up)
            continue;
        if (p->usual || only != NULL)
            return NULL;
        only = p;
    }
    return only;
}
