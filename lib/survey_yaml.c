/* A survey as a relay.yaml (survey.h). */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "gpuspeed.h"
#include "survey.h"
#include "text.h"

/* A scalar that YAML reads as this text: what is not plain is quoted. */
static void put_scalar(struct text *t, const char *value)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-@$~%";
    bool begins = isalnum((unsigned char)value[0]) || value[0] == '/' ||
                  value[0] == '$' || strncmp(value, "./", 2) == 0 ||
                  strncmp(value, "~/", 2) == 0;

    if (begins && value[strspn(value, plain)] == '\0') {
        text_add(t, value);
        return;
    }
    text_add_char(t, '\'');
    for (; *value != '\0'; value++) {
        if (*value == '\'')
            text_add_char(t, '\'');
        text_add_char(t, *value);
    }
    text_add_char(t, '\'');
}

static void put_key(struct text *t, const char *key, const char *value)
{
    text_printf(t, "    %s: ", key);
    put_scalar(t, value);
    text_add_char(t, '\n');
}

/* The directory that holds it, as the run directories' parent usually is. */
static void put_parent(struct text *t, const char *root)
{
    char parent[1024];
    char *slash;

    snprintf(parent, sizeof(parent), "%s", root);
    slash = strrchr(parent, '/');
    if (slash == NULL || slash == parent)
        return;
    *slash = '\0';
    put_key(t, "run_root", parent);
}

static void put_roots(struct text *t, const struct survey *s)
{
    size_t i;

    if (s->resume_root[0] != '\0') {
        put_key(t, "resume_root", s->resume_root);
        if (s->run_root[0] != '\0')
            put_key(t, "run_root", s->run_root);
        else
            put_parent(t, s->resume_root);
        return;
    }
    if (s->nroots == 0) {
        text_add(t, "    # Nothing was found there: say where the training "
                    "keeps its state.\n"
                    "    #resume_root: ~/checkpoints/_resume\n"
                    "    #run_root: ~/checkpoints\n");
        return;
    }
    put_key(t, "resume_root", s->roots[0].path);
    put_parent(t, s->roots[0].path);
    for (i = 1; i < s->nroots; i++)
        text_printf(t, "    # or: %s (runs: %lld)\n", s->roots[i].path,
                    (long long)s->roots[i].runs);
}

static void put_partitions(struct text *t, const struct survey *s)
{
    const struct survey_partition *must = survey_partition(s);
    size_t i;

    if (s->npartitions == 0)
        return;
    text_add(t, "    # partitions:");
    for (i = 0; i < s->npartitions; i++)
        text_printf(t, "%s %s%s%s", i > 0 ? "," : "", s->partitions[i].name,
                    s->partitions[i].usual ? " (default)" : "",
                    s->partitions[i].gpus ? " (GPUs)" : "");
    text_add_char(t, '\n');
    if (must == NULL)
        return;
    text_add(t, "    submit: [-p, ");
    put_scalar(t, must->name);
    text_add(t, "]\n");
}

static void put_cluster(struct text *t, const struct survey *s)
{
    text_printf(t, "  %s:\n", s->cluster);
    if (s->ssh[0] != '\0')
        put_key(t, "ssh", s->ssh);
    if (s->login)
        text_add(t, "    # The connection is yours (ControlMaster): jobs have "
                    "none.\n    reach: login\n");
    else if (s->ssh[0] == '\0' && s->resume_root[0] == '\0' && s->nroots == 0)
        text_add(t, "    reach: job\n"); /* a mapping needs a member */
    put_roots(t, s);
    put_partitions(t, s);
}

static bool has_gpu(const struct survey *s, const char *type)
{
    size_t i;

    for (i = 0; s != NULL && i < s->ngpus; i++) {
        if (strcmp(s->gpus[i], type) == 0)
            return true;
    }
    return false;
}

static void put_gpus(struct text *known, struct text *unknown,
                     const struct survey *s, const struct survey *before)
{
    size_t i;

    for (i = 0; s != NULL && i < s->ngpus; i++) {
        double factor = gpuspeed(s->gpus[i]);

        if (has_gpu(before, s->gpus[i]))
            continue;
        if (factor > 0) {
            text_add(known, "  ");
            put_scalar(known, s->gpus[i]);
            text_printf(known, ": %g\n", factor);
        } else {
            text_printf(unknown, "#  %s: 1 # not measured by us: put your "
                                 "own\n", s->gpus[i]);
        }
    }
}

static void put_speed(struct text *t, const struct survey *here,
                      const struct survey *there)
{
    struct text known = {0}, unknown = {0};

    put_gpus(&known, &unknown, here, NULL);
    put_gpus(&known, &unknown, there, here);
    if (known.len + unknown.len > 0)
        text_add(t, "\n# Against an RTX 2080 Ti, by steps an hour of one "
                    "training; yours may differ.\n");
    if (known.len > 0)
        text_add(t, "speed:\n");
    else if (unknown.len > 0)
        text_add(t, "#speed:\n");
    text_add(t, text_str(&known));
    text_add(t, text_str(&unknown));
    t->failed = t->failed || known.failed || unknown.failed;
    text_free(&known);
    text_free(&unknown);
}

char *survey_yaml(const struct survey *here, const struct survey *there,
                  bool named)
{
    struct text t = {0};
    char *copy;

    text_add(&t, "# Written by sresume init, of what it found. Every key is "
                 "explained in\n# relay.yaml(5). `sresume doctor` checks "
                 "it.\n");
    if (named)
        text_printf(&t, "cluster: %s\n", here->cluster);
    text_add(&t, "clusters:\n");
    put_cluster(&t, here);
    if (there != NULL)
        put_cluster(&t, there);
    put_speed(&t, here, there);
    copy = t.failed ? NULL : strdup(text_str(&t));
    text_free(&t);
    return copy;
}
