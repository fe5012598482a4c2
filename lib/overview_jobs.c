/* The queue of a cluster as runs.sh shows it (overview_int.h). */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overview_int.h"

#define SEPARATOR '\037'

/* Fields of a line of section jobs; the widths of section more. */
enum {
    ID,
    STATE,
    REASON,
    PARTITION,
    LEFT,
    START,
    NODES,
    NODE,
    DIR,
    SCRIPT,
    COMMENT,
    NAME,
    NFIELDS
};
/* What follows is for the script there alone. */
enum { MORE_ID, RESTARTS, PER_NODE, PER_JOB, PER_TASK, ALLOC, NMORE };
static const size_t widths[NMORE] = {40, 8, 96, 96, 96, 256};

/* --- lines --------------------------------------------------------------- */

/* Calls each for every line of a section, which it may change. */
static int each_line(const struct peer_reply *reply, const char *name,
                     int (*each)(struct overview *o, char *line),
                     struct overview *o)
{
    size_t len;
    const char *section = peer_section(reply, name, &len);
    char *text, *line, *end;
    int rc = 0;

    if (section == NULL)
        return 0;
    text = strndup(section, len);
    if (text == NULL)
        return -1;
    for (line = text; rc == 0 && *line != '\0'; line = end) {
        end = line + strcspn(line, "\n");
        if (*end != '\0')
            *end++ = '\0';
        rc = each(o, line);
    }
    free(text);
    return rc;
}

static size_t count_lines(const struct peer_reply *reply, const char *name)
{
    size_t len, i, n = 1;
    const char *section = peer_section(reply, name, &len);

    if (section == NULL)
        return 0;
    for (i = 0; i < len; i++)
        n += section[i] == '\n';
    return n;
}

/* Splits line at each separator; the last field keeps what is left. False
 * when there are fewer. */
static bool split(char *line, char separator, char **field, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        field[i] = line;
        if (i + 1 == n)
            return true;
        line = strchr(line, separator);
        if (line == NULL)
            return false;
        *line++ = '\0';
    }
    return true;
}

/* A number of Slurm's, 0 for what is none or makes no sense. */
static int count_of(const char *text)
{
    long n = strtol(text, NULL, 10);

    return n > 0 && n < 1000000 ? (int)n : 0;
}

/* [DAYS-][[HOURS:]MINUTES:]SECONDS; -1 for UNLIMITED, INVALID and the like. */
static int64_t span_of(const char *text)
{
    int64_t days = 0, total = 0;
    const char *at = strchr(text, '-');
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return -1;
    if (at != NULL) {
        days = strtoll(text, NULL, 10);
        text = at + 1;
    }
    for (;;) {
        int64_t part = strtoll(text, &end, 10);

        if (part < 0 || part > 1000000000 || total > 1000000000)
            return -1;
        total = total * 60 + part;
        if (*end != ':')
            break;
        text = end + 1;
    }
    if (*end != '\0' || days < 0 || days > 100000)
        return -1;
    return days * 86400 + total;
}

/* --- GPUs ---------------------------------------------------------------- */

/* One entry: the number behind the last ':' or '=', 1 without one. */
static void take_gres(const char *at, size_t len, int *count, char *type,
                      size_t size)
{
    char text[128];
    char *name = text, *number, *tail;
    long n = 1;

    if (len >= sizeof(text))
        return;
    memcpy(text, at, len);
    text[len] = '\0';
    text[strcspn(text, "(")] = '\0';
    if (strncmp(name, "gres:", 5) == 0 || strncmp(name, "gres/", 5) == 0)
        name += 5;
    if (strncmp(name, "gpu", 3) != 0 ||
        (name[3] != '\0' && name[3] != ':' && name[3] != '='))
        return;
    number = strpbrk(name, "=");
    if (number == NULL)
        number = strrchr(name, ':');
    if (number != NULL && isdigit((unsigned char)number[1])) {
        n = strtol(number + 1, &tail, 10);
        if (*tail == '\0' && n >= 0 && n < 1000000)
            *number = '\0';
        else
            n = 1; /* a type that begins with a digit */
    }
    if (name[3] != ':')
        name = "";
    else
        name += 4;
    if (*count < 1000000)
        *count = (*count < 0 ? 0 : *count) + (int)n;
    if (type[0] == '\0')
        snprintf(type, size, "%s", name);
    else if (name[0] != '\0' && strcmp(type, name) != 0)
        snprintf(type, size, "?"); /* two types */
}

int overview_gres(const char *text, char *type, size_t size)
{
    int count = -1;

    type[0] = '\0';
    while (*text != '\0') {
        size_t len = strcspn(text, ",");

        take_gres(text, len, &count, type, size);
        text += len + (text[len] == ',');
    }
    if (strcmp(type, "?") == 0)
        type[0] = '\0';
    return count;
}

/* What was allocated or asked for. "gres/gpu=2,gres/gpu:a100=2" of the
 * accounting names the same GPUs twice. */
static void take_alloc(const char *text, struct overview_job *job)
{
    const char *at = strstr(text, "gres/gpu=");
    const char *typed = strstr(text, "gres/gpu:");
    char type[64];
    int typed_count = -1;

    if (typed != NULL)
        typed_count = overview_gres(typed, type, sizeof(type));
    if (typed_count >= 0)
        snprintf(job->gpu, sizeof(job->gpu), "%s", type);
    if (at != NULL)
        job->gpus = count_of(at + 9);
    else if (typed_count >= 0)
        job->gpus = typed_count;
}

static void take_gpus(struct overview_job *job, char *const *field)
{
    char type[64];
    int n;

    job->gpus = 0;
    if ((n = overview_gres(field[PER_TASK], type, sizeof(type))) >= 0) {
        job->gpus = -1; /* the number of tasks is not known */
        snprintf(job->gpu, sizeof(job->gpu), "%s", type);
    }
    if ((n = overview_gres(field[PER_NODE], type, sizeof(type))) >= 0) {
        job->gpus = job->nodes > 0 && n < 1000 ? n * job->nodes : -1;
        snprintf(job->gpu, sizeof(job->gpu), "%s", type);
    }
    if ((n = overview_gres(field[PER_JOB], type, sizeof(type))) >= 0) {
        job->gpus = n;
        snprintf(job->gpu, sizeof(job->gpu), "%s", type);
    }
    take_alloc(field[ALLOC], job);
}

/* --- the sections -------------------------------------------------------- */

static void free_job(struct overview_job *job)
{
    free(job->name);
    free(job->comment);
    free(job->script);
    free(job->workdir);
    free(job->node);
}

/* "(null)" and "n/a" are Slurm's words for nothing. */
static char *text_of(const char *text)
{
    if (strcmp(text, "(null)") == 0 || strcasecmp(text, "n/a") == 0)
        text = "";
    return strdup(text);
}

static int take_job(struct overview *o, char *line)
{
    struct overview_job *job = &o->jobs[o->njobs];
    char *field[NFIELDS];
    char *task;

    if (!split(line, SEPARATOR, field, NFIELDS))
        return 0; /* the rest of a name or comment that holds a newline */
    memset(job, 0, sizeof(*job));
    snprintf(job->id, sizeof(job->id), "%s", field[ID]);
    task = strchr(field[ID], '_');
    if (task != NULL && task[1 + strspn(task + 1, "0123456789")] == '\0')
        snprintf(job->task, sizeof(job->task), "%s", task + 1);
    snprintf(job->state, sizeof(job->state), "%s", field[STATE]);
    if (strcmp(field[REASON], "None") != 0)
        snprintf(job->reason, sizeof(job->reason), "%s", field[REASON]);
    snprintf(job->partition, sizeof(job->partition), "%s", field[PARTITION]);
    job->limit_left = span_of(field[LEFT]);
    job->start = strtoll(field[START], NULL, 10); /* "N/A" is 0 */
    if (job->start < 0)
        job->start = 0;
    job->nodes = count_of(field[NODES]);
    job->gpus = job->restarts = -1;
    job->log_first = job->log_step = job->log_total = job->log_time = -1;
    job->name = strdup(field[NAME]);
    job->comment = text_of(field[COMMENT]);
    job->script = text_of(field[SCRIPT]);
    job->workdir = text_of(field[DIR]);
    job->node = text_of(field[NODE]);
    o->njobs++;
    return job->name != NULL && job->comment != NULL && job->script != NULL &&
                   job->workdir != NULL && job->node != NULL
               ? 0
               : -1;
}

/* Columns of fixed widths, padded with spaces. */
static int take_more(struct overview *o, char *line)
{
    char text[NMORE][257] = {{0}};
    char *field[NMORE];
    struct overview_job *job;
    size_t i, at = 0, len = strlen(line);

    for (i = 0; i < NMORE; i++) {
        size_t n = at < len ? len - at : 0;

        if (n > widths[i])
            n = widths[i];
        memcpy(text[i], line + at, n);
        at += n;
        while (n > 0 && text[i][n - 1] == ' ')
            n--;
        text[i][n] = '\0';
        field[i] = text[i];
    }
    job = overview_job_find(o, field[MORE_ID]);
    if (job == NULL)
        return 0; /* it came between the two looks */
    job->restarts = isdigit((unsigned char)field[RESTARTS][0])
                        ? count_of(field[RESTARTS])
                        : -1;
    take_gpus(job, field);
    return 0;
}

static int take_partition(struct overview *o, char *line)
{
    struct overview_partition *p = &o->partitions[o->npartitions];
    char *field[3];
    char *star;
    int gpus;

    if (!split(line, '|', field, 3))
        return 0;
    memset(p, 0, sizeof(*p));
    star = strchr(field[0], '*');
    p->usual = star != NULL;
    if (star != NULL)
        *star = '\0';
    snprintf(p->name, sizeof(p->name), "%s", field[0]);
    gpus = overview_gres(field[1], p->gpu, sizeof(p->gpu));
    p->gpus = gpus > 0 ? gpus : 0;
    p->nodes = count_of(field[2]);
    o->npartitions++;
    return 0;
}

/* What the job did not name, its node has. */
static int take_node(struct overview *o, char *line)
{
    char *field[2];
    char type[64];
    size_t i;

    if (!split(line, '|', field, 2) ||
        overview_gres(field[1], type, sizeof(type)) <= 0)
        return 0;
    for (i = 0; i < o->njobs; i++)
        if (o->jobs[i].gpu[0] == '\0' && o->jobs[i].gpus != 0 &&
            strcmp(o->jobs[i].node, field[0]) == 0)
            snprintf(o->jobs[i].gpu, sizeof(o->jobs[i].gpu), "%s", type);
    return 0;
}

/* ID WHAT NUMBER NUMBER */
static void take_log(void *arg, const char *value, size_t len)
{
    struct overview_job *job;
    long long a, b;
    char line[160];
    char id[32], what[8];

    snprintf(line, sizeof(line), "%.*s", (int)(len < 159 ? len : 159), value);
    if (sscanf(line, "%31s %7s %18lld %18lld", id, what, &a, &b) != 4 ||
        a < 0 || (job = overview_job_find(arg, id)) == NULL)
        return;
    if (strcmp(what, "time") == 0)
        job->log_time = a;
    if (strcmp(what, "head") == 0)
        job->log_first = a;
    if (strcmp(what, "tail") == 0) {
        job->log_step = a;
        job->log_total = b > 0 ? b : -1;
    }
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct overview_job *)a)->id,
                  ((const struct overview_job *)b)->id);
}

struct overview_job *overview_job_find(const struct overview *o, const char *id)
{
    struct overview_job want;

    if (o->njobs == 0)
        return NULL;
    snprintf(want.id, sizeof(want.id), "%s", id);
    return bsearch(&want, o->jobs, o->njobs, sizeof(want), by_id);
}

int overview_take_jobs(struct overview *o, const struct peer_reply *reply)
{
    size_t len;

    peer_value(reply, "slurm_problem", o->slurm_why, sizeof(o->slurm_why));
    o->slurm = peer_section(reply, "jobs", &len) != NULL;
    o->jobs = calloc(count_lines(reply, "jobs") + 1, sizeof(*o->jobs));
    o->partitions =
        calloc(count_lines(reply, "partitions") + 1, sizeof(*o->partitions));
    if (o->jobs == NULL || o->partitions == NULL ||
        each_line(reply, "jobs", take_job, o) != 0)
        return -1;
    qsort(o->jobs, o->njobs, sizeof(*o->jobs), by_id);
    if (each_line(reply, "more", take_more, o) != 0 ||
        each_line(reply, "partitions", take_partition, o) != 0 ||
        each_line(reply, "nodes", take_node, o) != 0)
        return -1;
    peer_each(reply, "log", take_log, o);
    return 0;
}

int64_t overview_gpus_in(const struct overview *o, const char *partition)
{
    int64_t sum = 0;
    size_t i;

    for (i = 0; i < o->njobs; i++)
        if (partition == NULL || strcmp(o->jobs[i].partition, partition) == 0)
            sum += o->jobs[i].gpus < 0 ? 1 : o->jobs[i].gpus;
    return sum;
}

static void free_run(struct overview_run *run)
{
    free(run->name);
    free(run->key);
}

void overview_free(struct overview *o)
{
    size_t i;

    for (i = 0; i < o->njobs; i++)
        free_job(&o->jobs[i]);
    for (i = 0; i < o->n; i++)
        free_run(&o->runs[i]);
    free(o->jobs);
    free(o->runs);
    free(o->partitions);
    memset(o, 0, sizeof(*o));
}
