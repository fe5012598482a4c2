#include "sbatchopt.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum value { NONE, VALUE, MAYBE };

struct option {
    const char *name;
    char letter; /* 0 for none */
    enum value value;
    enum sbatch_id id;
};

static const struct option table[] = {
    {"account", 'A', VALUE, SB_ACCOUNT},
    {"acctg-freq", 0, VALUE, 0},
    {"array", 'a', VALUE, SB_ARRAY},
    {"batch", 0, VALUE, 0},
    {"bb", 0, VALUE, 0},
    {"bbf", 0, VALUE, 0},
    {"begin", 'b', VALUE, 0},
    {"chdir", 'D', VALUE, 0},
    {"cluster", 0, VALUE, SB_CLUSTERS},
    {"cluster-constraint", 0, VALUE, 0},
    {"clusters", 'M', VALUE, SB_CLUSTERS},
    {"comment", 0, VALUE, SB_COMMENT},
    {"constraint", 'C', VALUE, SB_CONSTRAINT},
    {"container", 0, VALUE, 0},
    {"context", 0, VALUE, 0},
    {"contiguous", 0, NONE, 0},
    {"core-spec", 'S', VALUE, 0},
    {"cores-per-socket", 0, VALUE, 0},
    {"cpu-freq", 0, VALUE, 0},
    {"cpus-per-gpu", 0, VALUE, 0},
    {"cpus-per-task", 'c', VALUE, 0},
    {"deadline", 0, VALUE, 0},
    {"delay-boot", 0, VALUE, 0},
    {"dependency", 'd', VALUE, 0},
    {"distribution", 'm', VALUE, 0},
    {"error", 'e', VALUE, 0},
    {"exclude", 'x', VALUE, SB_EXCLUDE},
    {"exclusive", 0, MAYBE, 0},
    {"export", 0, VALUE, 0},
    {"export-file", 0, VALUE, 0},
    {"extra-node-info", 'B', VALUE, 0},
    {"get-user-env", 0, MAYBE, 0},
    {"gid", 0, VALUE, 0},
    {"gpu-bind", 0, VALUE, 0},
    {"gpu-freq", 0, VALUE, 0},
    {"gpus", 'G', VALUE, SB_GPUS},
    {"gpus-per-node", 0, VALUE, SB_GPUS_NODE},
    {"gpus-per-socket", 0, VALUE, SB_GPUS_SOCKET},
    {"gpus-per-task", 0, VALUE, SB_GPUS_TASK},
    {"gres", 0, VALUE, SB_GRES},
    {"gres-flags", 0, VALUE, 0},
    {"help", 'h', NONE, 0},
    {"hint", 0, VALUE, 0},
    {"hold", 'H', NONE, 0},
    {"ignore-pbs", 0, NONE, 0},
    {"input", 'i', VALUE, 0},
    {"job-name", 'J', VALUE, SB_JOB_NAME},
    {"kill-on-invalid-dep", 0, VALUE, 0},
    {"licenses", 'L', VALUE, 0},
    {"mail-type", 0, VALUE, 0},
    {"mail-user", 0, VALUE, 0},
    {"mcs-label", 0, VALUE, 0},
    {"mem", 0, VALUE, 0},
    {"mem-bind", 0, VALUE, 0},
    {"mem-per-cpu", 0, VALUE, 0},
    {"mem-per-gpu", 0, VALUE, 0},
    {"mincpus", 0, VALUE, 0},
    {"network", 0, VALUE, 0},
    {"nice", 0, MAYBE, 0},
    {"no-kill", 'k', MAYBE, 0},
    {"no-requeue", 0, NONE, 0},
    {"nodefile", 'F', VALUE, SB_NODEFILE},
    {"nodelist", 'w', VALUE, SB_NODELIST},
    {"nodes", 'N', VALUE, SB_NODES},
    {"ntasks", 'n', VALUE, SB_NTASKS},
    {"ntasks-per-core", 0, VALUE, 0},
    {"ntasks-per-gpu", 0, VALUE, SB_NTASKS_GPU},
    {"ntasks-per-node", 0, VALUE, SB_NTASKS_NODE},
    {"ntasks-per-socket", 0, VALUE, 0},
    {"ntasks-per-tres", 0, VALUE, 0},
    {"open-mode", 0, VALUE, 0},
    {"output", 'o', VALUE, 0},
    {"overcommit", 'O', NONE, 0},
    {"oversubscribe", 's', NONE, 0},
    {"parsable", 0, NONE, 0},
    {"partition", 'p', VALUE, SB_PARTITION},
    {"power", 0, VALUE, 0},
    {"prefer", 0, VALUE, 0},
    {"priority", 0, VALUE, 0},
    {"profile", 0, VALUE, 0},
    {"propagate", 0, MAYBE, 0},
    {"qos", 'q', VALUE, SB_QOS},
    {"quiet", 'Q', NONE, 0},
    {"reboot", 0, NONE, 0},
    {"requeue", 0, NONE, 0},
    {"reservation", 0, VALUE, SB_RESERVATION},
    {"signal", 0, VALUE, 0},
    {"sockets-per-node", 0, VALUE, SB_SOCKETS},
    {"spread-job", 0, NONE, 0},
    {"switches", 0, VALUE, 0},
    {"tasks-per-node", 0, VALUE, SB_NTASKS_NODE},
    {"test-only", 0, NONE, 0},
    {"thread-spec", 0, VALUE, 0},
    {"threads-per-core", 0, VALUE, 0},
    {"time", 't', VALUE, SB_TIME},
    {"time-min", 0, VALUE, 0},
    {"tmp", 0, VALUE, 0},
    {"uid", 0, VALUE, 0},
    {"usage", 0, NONE, 0},
    {"use-min-nodes", 0, NONE, 0},
    {"verbose", 'v', NONE, 0},
    {"version", 'V', NONE, 0},
    {"wait", 'W', NONE, 0},
    {"wait-all-nodes", 0, VALUE, 0},
    {"wckey", 0, VALUE, 0},
    {"wrap", 0, VALUE, SB_WRAP},
    {0},
};

/* Not every sbatch has these: an abbreviation means one of them only where it
 * means none of the table. */
static const struct option added[] = {
    {"consolidate-segments", 0, NONE, 0},
    {"container-id", 0, VALUE, 0},
    {"extra", 0, VALUE, 0},
    {"handoff-from", 0, VALUE, SB_HANDOFF_FROM},
    {"oom-kill-step", 0, MAYBE, 0},
    {"resume-key", 0, VALUE, SB_RESUME_KEY},
    {"resv-ports", 0, MAYBE, 0},
    {"segment", 0, VALUE, 0},
    {"spread-segments", 0, NONE, 0},
    {"stepmgr", 0, NONE, 0},
    {"sweep-cell", 0, VALUE, SB_SWEEP_CELL},
    {"tres-bind", 0, VALUE, 0},
    {"tres-per-task", 0, VALUE, SB_TRES_TASK},
    {0},
};

/* How many options of a table the name (of len) may mean: one when it is all
 * of its name. */
static int matches(const struct option *options, const char *name, size_t len,
                   const struct option **found)
{
    const struct option *o;
    int n = 0;

    for (o = options; o->name != NULL; o++) {
        if (strncmp(o->name, name, len) != 0)
            continue;
        *found = o;
        if (o->name[len] == '\0')
            return 1;
        n++;
    }
    return n;
}

static int ambiguous(const char *word, size_t len, struct relay_error *err)
{
    char all[400] = "";
    const struct option *o;
    size_t used = 0;

    for (o = table; o->name != NULL && used < sizeof(all); o++) {
        if (strncmp(o->name, word + 2, len) == 0)
            used += (size_t)snprintf(all + used, sizeof(all) - used, " --%s",
                                     o->name);
    }
    return relay_fail(err, EX_USAGE, "sbatch's \"%.100s\" may be any of%s",
                      word, all);
}

/* An option that is in no table. */
static int unknown(struct sbatch_words *words, const char *word,
                   struct relay_error *err)
{
    const char *next =
        words->at < words->argc ? words->argv[words->at] : NULL;

    if (strchr(word, '=') != NULL || next == NULL || next[0] == '-')
        return 1;
    return relay_fail(err, EX_USAGE,
                      "\"%.100s\" is not known here as an option of sbatch, "
                      "so that \"%.100s\" behind it may be its value or the "
                      "script: write %.100s=VALUE, or put it before another "
                      "option when it takes none",
                      word, next, word);
}

/* The value that has to follow word, the next one. */
static int take_next(struct sbatch_words *words, const char *word,
                     struct sbatch_found *found, struct relay_error *err)
{
    if (words->at >= words->argc)
        return relay_fail(err, EX_USAGE, "sbatch's \"%.100s\" needs a value",
                          word);
    found->value = words->argv[words->at++];
    return 1;
}

static int long_option(struct sbatch_words *words, struct sbatch_found *found,
                       struct relay_error *err)
{
    const char *word = words->argv[words->at++];
    const char *name = word + 2;
    size_t len = strcspn(name, "=");
    const struct option *o = NULL;
    int n = matches(table, name, len, &o);

    if (n == 0 || (n > 1 && matches(added, name, len, &o) == 1 &&
                   strlen(o->name) == len)) {
        n = matches(added, name, len, &o);
        if (n != 1)
            return unknown(words, word, err);
    }
    if (n > 1)
        return ambiguous(word, len, err);
    found->id = o->id;
    if (name[len] == '=' && o->value == NONE)
        return relay_fail(err, EX_USAGE, "sbatch's --%s takes no value: "
                                         "\"%.100s\"", o->name, word);
    if (name[len] == '=')
        found->value = name + len + 1;
    else if (o->value == VALUE)
        return take_next(words, word, found, err);
    return 1;
}

/* One letter of words->letters. */
static int short_option(struct sbatch_words *words,
                        struct sbatch_found *found, struct relay_error *err)
{
    char word[3] = {'-', *words->letters++, '\0'};
    const struct option *o = table;
    const char *rest = words->letters;

    if (*rest == '\0')
        words->letters = NULL;
    while (o->name != NULL && o->letter != word[1])
        o++;
    if (o->name == NULL)
        return relay_fail(err, EX_USAGE, "\"%s\" is no option of sbatch", word);
    found->id = o->id;
    if (o->value == NONE)
        return 1;
    words->letters = NULL;
    if (*rest != '\0')
        found->value = rest;
    else if (o->value == VALUE)
        return take_next(words, word, found, err);
    return 1;
}

int sbatch_next(struct sbatch_words *words, struct sbatch_found *found,
                struct relay_error *err)
{
    const char *word;

    *found = (struct sbatch_found){SB_OTHER, NULL};
    if (words->letters != NULL)
        return short_option(words, found, err);
    if (words->at >= words->argc)
        return 0;
    word = words->argv[words->at];
    if (word[0] != '-' || word[1] == '\0')
        return 0;
    if (strcmp(word, "--") == 0) {
        words->at++;
        return 0;
    }
    if (word[1] == '-')
        return long_option(words, found, err);
    words->at++;
    words->letters = word + 1;
    return short_option(words, found, err);
}
