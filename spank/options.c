#include "options.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "key.h"
#include "sweep/cellref.h"

static int check_handoff_from(const char *value, struct relay_error *err)
{
    char cluster[128], jobid[32];

    return key_check_handoff(value, cluster, sizeof(cluster), jobid,
                             sizeof(jobid), err);
}

static const struct {
    const char *name;
    const char *arginfo;
    const char *usage;
    int (*check)(const char *value, struct relay_error *err);
} table[OPTION_COUNT] = {
    [OPTION_RESUME_KEY] = {
        "resume-key", "ENTITY/PROJECT/RUN",
        "the run that this job is: resumes its state, refuses a twin",
        key_check},
    [OPTION_HANDOFF_FROM] = {
        "handoff-from", "CLUSTER[:JOBID]",
        "move the run of --resume-key here from that cluster",
        check_handoff_from},
    [OPTION_SWEEP_CELL] = {
        "sweep-cell", "SWEEP[:CELL]",
        "the cell of a sweep that this job runs: by id, #INDEX or %a, else "
        "the next one that waits",
        cellref_check},
};

const char *option_name(enum relay_option which)
{
    return table[which].name;
}

const char *option_arginfo(enum relay_option which)
{
    return table[which].arginfo;
}

const char *option_usage(enum relay_option which)
{
    return table[which].usage;
}

void option_variable(enum relay_option which, const char *prefix, bool upper,
                     char *text, size_t size)
{
    const char *p = table[which].name;
    size_t used;

    snprintf(text, size, "%s", prefix);
    for (used = strlen(text); *p != '\0' && used + 1 < size; p++, used++) {
        char c = *p == '-' ? '_' : *p;

        text[used] = upper ? (char)toupper((unsigned char)c) : c;
    }
    text[used] = '\0';
}

/* The reason goes into the marker and into logs: one line, plain bytes. */
static void keep_reason(char *reason, const char *text)
{
    size_t i;

    for (i = 0; text[i] != '\0' && i + 1 < OPTION_REASON_MAX; i++)
        reason[i] = iscntrl((unsigned char)text[i]) ? '?' : text[i];
    reason[i] = '\0';
}

int options_set(struct relay_options *options, enum relay_option which,
                const char *value, struct relay_error *err)
{
    struct relay_error bad = {0};
    int rc;

    options->value[which][0] = '\0';
    options->refused[which][0] = '\0';
    if (value == NULL || value[0] == '\0')
        rc = relay_fail(&bad, EX_USAGE, "--%s needs a value",
                        table[which].name);
    else if (strlen(value) > OPTION_VALUE_MAX)
        rc = relay_fail(&bad, EX_USAGE, "--%s has more than %d bytes",
                        table[which].name, OPTION_VALUE_MAX);
    else
        rc = table[which].check(value, &bad);
    if (rc == 0) {
        memcpy(options->value[which], value, strlen(value) + 1);
        return 0;
    }
    keep_reason(options->refused[which], bad.text);
    return relay_fail(err, bad.code, "%s", options->refused[which]);
}

static bool is_given(const struct relay_options *options, int which)
{
    return options->value[which][0] != '\0' ||
           options->refused[which][0] != '\0';
}

bool options_given(const struct relay_options *options)
{
    return options_first(options)[0] != '\0';
}

const char *options_first(const struct relay_options *options)
{
    int i;

    for (i = 0; i < OPTION_COUNT; i++)
        if (is_given(options, i))
            return table[i].name;
    return "";
}

/* One job is one run; what comes from elsewhere must be known by name. */
static int check_together(const char *key, const char *from, const char *cell,
                          struct relay_error *err)
{
    if (key[0] != '\0' && cell[0] != '\0')
        return relay_fail(err, EX_USAGE,
                          "--sweep-cell and --resume-key exclude each other: "
                          "the resume key of a cell is made of its sweep and "
                          "its id");
    if (from[0] == '\0' || key[0] != '\0')
        return 0;
    if (cell[0] == '\0')
        return relay_fail(err, EX_USAGE,
                          "--handoff-from needs --resume-key=ENTITY/PROJECT/"
                          "RUN_NAME: which run is to move");
    if (!cellref_names_cell(cell))
        return relay_fail(err, EX_USAGE,
                          "--handoff-from needs one cell: --sweep-cell=%.100s:"
                          "CELL, for each cell has a state of its own", cell);
    return 0;
}

int options_check(const struct relay_options *options,
                  struct relay_error *err)
{
    int i;

    for (i = 0; i < OPTION_COUNT; i++)
        if (options->refused[i][0] != '\0')
            return relay_fail(err, EX_USAGE, "%s", options->refused[i]);
    return check_together(options->value[OPTION_RESUME_KEY],
                          options->value[OPTION_HANDOFF_FROM],
                          options->value[OPTION_SWEEP_CELL], err);
}
