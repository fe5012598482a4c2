#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "move/batchlines.h"
#include "move/gres.h"
#include "move/sbatchopt.h"
#include "sweep/onpath.h"

#define MAX_SCRIPT ((size_t)16 << 20)
#define MAX_NODEFILE ((size_t)1 << 20)

/* Values by option, the strongest that was read; NULL: not asked for. */
struct asked {
    const char *value[SB_IDS];
};

static const struct {
    const char *name;
    enum sbatch_id id;
} variables[] = {
    {"SBATCH_ACCOUNT", SB_ACCOUNT},
    {"SBATCH_ARRAY_INX", SB_ARRAY},
    {"SLURM_CLUSTERS", SB_CLUSTERS},
    {"SBATCH_CLUSTERS", SB_CLUSTERS},
    {"SBATCH_CONSTRAINT", SB_CONSTRAINT},
    {"SBATCH_GPUS", SB_GPUS},
    {"SBATCH_GPUS_PER_NODE", SB_GPUS_NODE},
    {"SBATCH_GPUS_PER_SOCKET", SB_GPUS_SOCKET},
    {"SBATCH_GPUS_PER_TASK", SB_GPUS_TASK},
    {"SBATCH_GRES", SB_GRES},
    {"SBATCH_JOB_NAME", SB_JOB_NAME},
    {"SBATCH_PARTITION", SB_PARTITION},
    {"SBATCH_QOS", SB_QOS},
    {"SBATCH_RESERVATION", SB_RESERVATION},
    {"SBATCH_TIMELIMIT", SB_TIME},
    {"SBATCH_RESUME_KEY", SB_RESUME_KEY},
    {"SBATCH_HANDOFF_FROM", SB_HANDOFF_FROM},
    {"SBATCH_SWEEP_CELL", SB_SWEEP_CELL},
};

/* All options of words; words->at is then the first word that is none. */
static int take_options(struct sbatch_words *words, struct asked *asked,
                        struct relay_error *err)
{
    struct sbatch_found found;
    int rc;

    while ((rc = sbatch_next(words, &found, err)) == 1) {
        if (found.id != SB_OTHER)
            asked->value[found.id] = found.value;
    }
    return rc;
}

static void take_environment(struct asked *asked)
{
    size_t i;

    for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        const char *value = getenv(variables[i].name);

        if (value != NULL)
            asked->value[variables[i].id] = value;
    }
}

/* As sbatch finds it: here, else, when it is a mere name, on $PATH. */
static char *read_script(const char *script, struct relay_error *err)
{
    char path[4096];
    char *text = NULL;
    int fd = open(script, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT && strchr(script, '/') == NULL &&
        onpath_find(script, path, sizeof(path)))
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        relay_fail_errno(err, EX_NOINPUT, "cannot read the script %.300s",
                         script);
        return NULL;
    }
    text = file_read_fd(fd, script, MAX_SCRIPT, NULL, err);
    if (text == NULL && err != NULL)
        err->code = EX_NOINPUT;
    close(fd);
    return text;
}

/* The words of the script's #SBATCH lines. */
static int script_words(const char *script, struct words *out,
                        struct relay_error *err)
{
    char *text = read_script(script, err);
    int rc = text != NULL ? batchlines_read(text, script, out, err) : -1;

    free(text);
    return rc;
}

static int take_script(const char *script, struct words *lines,
                       struct asked *asked, struct relay_error *err)
{
    struct sbatch_words words = {.argv = lines->word, .argc = (int)lines->n};

    if (take_options(&words, asked, err) != 0) {
        relay_fail_in(err, "the #SBATCH lines of %.300s", script);
        if (err != NULL)
            err->code = EX_DATAERR;
        return -1;
    }
    if (words.at < words.argc)
        return relay_fail(err, EX_DATAERR, "the #SBATCH lines of %.300s: "
                                           "\"%.100s\" is no option", script,
                          words.argv[words.at]);
    return 0;
}

/* The option id as text; too long for it is an error. */
static int put(const struct asked *asked, enum sbatch_id id, char *text,
               size_t size, const char *name, struct relay_error *err)
{
    const char *value = asked->value[id];

    if (value == NULL)
        return 0;
    if (strlen(value) >= size)
        return relay_fail(err, EX_USAGE, "sbatch's --%s is longer than %zu "
                                         "characters", name, size - 1);
    snprintf(text, size, "%s", value);
    return 0;
}

/* Hosts of a file, apart by blanks, lines or commas: a list. */
static int read_hosts(const char *path, char *list, size_t size,
                      struct relay_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char *text = NULL, *word, *rest = NULL;
    size_t used = 0;
    int rc = 0;

    list[0] = '\0';
    if (fd >= 0) {
        text = file_read_fd(fd, path, MAX_NODEFILE, NULL, err);
        close(fd);
    }
    if (text == NULL)
        return relay_fail(err, EX_NOINPUT, "cannot read the list of nodes "
                                           "%.300s", path);
    for (word = strtok_r(text, " \t\r\n,", &rest); word != NULL && rc == 0;
         word = strtok_r(NULL, " \t\r\n,", &rest)) {
        int n = snprintf(list + used, size - used, "%s%s",
                         used > 0 ? "," : "", word);

        used += (size_t)n;
        if (used >= size)
            rc = relay_fail(err, EX_DATAERR, "%.300s names too many nodes",
                            path);
    }
    free(text);
    return rc;
}

static int set_nodelist(const struct asked *asked, struct request *req,
                        struct relay_error *err)
{
    const char *list = asked->value[SB_NODELIST];
    const char *file = asked->value[SB_NODEFILE];

    if (list != NULL && strchr(list, '/') != NULL)
        file = list;
    else if (list != NULL)
        return put(asked, SB_NODELIST, req->nodelist, sizeof(req->nodelist),
                   "nodelist", err);
    return file != NULL ? read_hosts(file, req->nodelist,
                                     sizeof(req->nodelist), err)
                        : 0;
}

/* The number of an option ("4k", the smaller of "2-8"); or_else without it. */
static int64_t number(const struct asked *asked, enum sbatch_id id,
                      int64_t or_else)
{
    const char *value = asked->value[id];
    char first[32];
    int64_t n;

    if (value == NULL)
        return or_else;
    snprintf(first, sizeof(first), "%.*s", (int)strcspn(value, "-,"), value);
    n = gres_number(first);
    return n > 0 ? n : or_else;
}

static int64_t tasks(const struct asked *asked, int64_t nodes)
{
    return number(asked, SB_NTASKS,
                  nodes * number(asked, SB_NTASKS_NODE, 1));
}

static void set_nodes(const struct asked *asked, struct request *req)
{
    int64_t per_node = number(asked, SB_NTASKS_NODE, 0);
    int64_t all = number(asked, SB_NTASKS, 1);

    req->nodes = per_node > 0 ? (all + per_node - 1) / per_node : 1;
    req->nodes = number(asked, SB_NODES, req->nodes);
}

/* The first of the ways to ask for GPUs that was used: how many, and which
 * types. */
static int set_gpus(const struct asked *asked, struct request *req,
                    struct relay_error *err)
{
    const struct {
        enum sbatch_id id;
        bool bare;
        int64_t times;
    } ways[] = {
        {SB_GPUS, true, 1},
        {SB_GPUS_NODE, true, req->nodes},
        {SB_GPUS_TASK, true, tasks(asked, req->nodes)},
        {SB_GPUS_SOCKET, true, req->nodes * number(asked, SB_SOCKETS, 1)},
        {SB_TRES_TASK, false, tasks(asked, req->nodes)},
        {SB_GRES, false, req->nodes},
    };
    int64_t per_gpu = number(asked, SB_NTASKS_GPU, 0);
    int64_t n = 0;
    size_t i;

    for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        const char *value = asked->value[ways[i].id];

        if (value == NULL)
            continue;
        if (n == 0)
            n = gres_gpus(value, ways[i].bare) * ways[i].times;
        if (req->gpu[0] == '\0' &&
            gres_types(value, ways[i].bare, req->gpu, sizeof(req->gpu)) != 0)
            return relay_fail(err, EX_USAGE, "\"%.100s\" names too many types "
                                             "of GPU", value);
    }
    if (n == 0 && per_gpu > 0 && asked->value[SB_NTASKS] != NULL)
        n = (tasks(asked, 1) + per_gpu - 1) / per_gpu;
    req->gpus = n < 1000000 ? (int)n : 1000000;
    return 0;
}

static int set_texts(const struct asked *asked, struct request *req,
                     struct relay_error *err)
{
    const struct {
        enum sbatch_id id;
        const char *name;
        char *text;
        size_t size;
    } texts[] = {
#define TEXT(id, name, field) {id, name, req->field, sizeof(req->field)}
        TEXT(SB_PARTITION, "partition", partition),
        TEXT(SB_EXCLUDE, "exclude", exclude),
        TEXT(SB_CONSTRAINT, "constraint", constraint),
        TEXT(SB_ARRAY, "array", array),
        TEXT(SB_QOS, "qos", qos),
        TEXT(SB_JOB_NAME, "job-name", job_name),
        TEXT(SB_ACCOUNT, "account", account),
        TEXT(SB_CLUSTERS, "clusters", clusters),
        TEXT(SB_RESERVATION, "reservation", reservation),
        TEXT(SB_TIME, "time", time),
        TEXT(SB_RESUME_KEY, "resume-key", resume_key),
        TEXT(SB_HANDOFF_FROM, "handoff-from", handoff_from),
        TEXT(SB_SWEEP_CELL, "sweep-cell", sweep_cell),
#undef TEXT
    };
    size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (put(asked, texts[i].id, texts[i].text, texts[i].size,
                texts[i].name, err) != 0)
            return -1;
    }
    req->has_comment = asked->value[SB_COMMENT] != NULL;
    if (req->has_comment)
        snprintf(req->comment, sizeof(req->comment), "%s",
                 asked->value[SB_COMMENT]);
    return 0;
}

/* Which word of argv is the script. */
static int find_script(const struct sbatch_words *words,
                       const struct asked *asked, struct request *req,
                       struct relay_error *err)
{
    const char *script = words->at < words->argc ? words->argv[words->at]
                                                 : NULL;

    req->script_at = words->at;
    req->wrap = asked->value[SB_WRAP] != NULL;
    if (script != NULL && strcmp(script, ":") == 0)
        return relay_fail(err, EX_USAGE, "\":\" makes a heterogeneous job, "
                                         "which cannot be moved");
    if (script != NULL && req->wrap)
        return relay_fail(err, EX_USAGE, "--wrap and the script \"%.100s\": "
                                         "sbatch takes one of them", script);
    req->script = script;
    return 0;
}

int request_read(char *const *argv, int argc, struct request *req,
                 struct relay_error *err)
{
    struct sbatch_words words = {.argv = argv, .argc = argc};
    struct asked typed = {{NULL}}, asked = {{NULL}};
    struct words lines = {0};
    size_t i;
    int rc;

    memset(req, 0, sizeof(*req));
    rc = take_options(&words, &typed, err);
    if (rc == 0)
        rc = find_script(&words, &typed, req, err);
    if (rc == 0 && req->script != NULL)
        rc = script_words(req->script, &lines, err);
    if (rc == 0)
        rc = take_script(req->script != NULL ? req->script : "", &lines,
                         &asked, err);
    if (rc == 0) {
        take_environment(&asked);
        for (i = 0; i < SB_IDS; i++) {
            if (typed.value[i] != NULL)
                asked.value[i] = typed.value[i];
        }
        req->array_typed = typed.value[SB_ARRAY] != NULL;
        req->ours_typed = typed.value[SB_RESUME_KEY] != NULL ||
                          typed.value[SB_HANDOFF_FROM] != NULL ||
                          typed.value[SB_SWEEP_CELL] != NULL;
        set_nodes(&asked, req);
        rc = set_texts(&asked, req, err);
    }
    if (rc == 0)
        rc = set_nodelist(&asked, req, err);
    if (rc == 0)
        rc = set_gpus(&asked, req, err);
    words_free(&lines);
    return rc;
}
