#include "past.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "peer.h"
#include "remote_scripts.h"

enum { ASK_MS = 60000 };

#define FIELDS 4

/* ends of a job that were not its own, its user's or its time limit's */
static bool is_preempted(const char *state)
{
    return strcmp(state, "PREEMPTED") == 0;
}

static bool is_broken(const char *state)
{
    return strcmp(state, "NODE_FAIL") == 0 ||
           strcmp(state, "BOOT_FAIL") == 0 ||
           strcmp(state, "LAUNCH_FAILED") == 0;
}

static void copy(char *to, size_t size, const char *from, size_t len)
{
    snprintf(to, size, "%.*s", (int)(len < size ? len : size - 1), from);
}

/* A whole number and nothing else, or -1. */
static int64_t number(const char *text, size_t len)
{
    int64_t value = 0;
    size_t i;

    if (len == 0 || len > 15)
        return -1;
    for (i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* False for a line of another form. */
static bool parse_line(const char *line, size_t len, struct past_job *job)
{
    const char *field[FIELDS];
    size_t size[FIELDS];
    const char *end = line + len;
    size_t i;

    for (i = 0; i < FIELDS; i++) {
        const char *bar = memchr(line, '|', (size_t)(end - line));

        if ((bar == NULL) != (i == FIELDS - 1))
            return false;
        field[i] = line;
        size[i] = (size_t)((bar != NULL ? bar : end) - line);
        line += size[i] + 1;
    }
    copy(job->id, sizeof(job->id), field[0], size[0]);
    copy(job->partition, sizeof(job->partition), field[1], size[1]);
    copy(job->state, sizeof(job->state), field[2], size[2]);
    job->state[strcspn(job->state, " +")] = '\0';
    job->elapsed = number(field[3], size[3]);
    return job->elapsed >= 0 && job->id[0] != '\0';
}

int past_parse(const char *text, size_t len, struct past *past)
{
    const char *end = text + len;
    struct past_job *more;
    size_t room = past->n;

    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((stop != NULL ? stop : end) - text);

        if (past->n == room) {
            room = room * 2 + 64;
            more = realloc(past->jobs, room * sizeof(*more));
            if (more == NULL)
                return -1;
            past->jobs = more;
        }
        if (parse_line(text, n, &past->jobs[past->n]))
            past->n++;
        text += n + 1;
    }
    return 0;
}

/* Is name one of the words between commas? */
static bool names(const char *list, const char *name)
{
    size_t want = strlen(name);

    while (*list != '\0') {
        size_t len = strcspn(list, ",");

        if (len == want && memcmp(list, name, len) == 0)
            return true;
        list += len + (list[len] == ',');
    }
    return false;
}

void past_sum(const struct past *past, const char *partition,
              struct past_sum *sum)
{
    size_t i;

    memset(sum, 0, sizeof(*sum));
    for (i = 0; i < past->n; i++) {
        const struct past_job *job = &past->jobs[i];

        if (job->elapsed == 0 ||
            (partition != NULL && !names(job->partition, partition)))
            continue;
        sum->jobs++;
        sum->exposure += job->elapsed;
        if (is_preempted(job->state))
            sum->preempted++;
        else if (is_broken(job->state))
            sum->broken++;
        else
            sum->censored++;
    }
    sum->failures = sum->preempted + sum->broken;
}

const char *past_partition_of(const struct past *past, const char *job_id)
{
    size_t i = past->n;

    while (i-- > 0) {
        if (strcmp(past->jobs[i].id, job_id) == 0)
            return past->jobs[i].partition;
    }
    return NULL;
}

const struct past_partition *past_settings(const struct past *past,
                                           const char *partition)
{
    size_t i;

    for (i = 0; i < past->npartitions; i++) {
        if (strcmp(past->partitions[i].name, partition) == 0)
            return &past->partitions[i];
    }
    return NULL;
}

static void add_partition(void *arg, const char *value, size_t len)
{
    struct past *past = arg;
    struct past_partition *more;
    struct past_partition one;
    char line[128], kind[16];

    copy(line, sizeof(line), value, len);
    if (sscanf(line, "%63s %" SCNd64 " %15s", one.name, &one.grace, kind) != 3)
        return;
    one.preempted = strcmp(kind, "preempted") == 0;
    more = realloc(past->partitions, (past->npartitions + 1) * sizeof(*more));
    if (more == NULL)
        return; /* then its settings are not known */
    past->partitions = more;
    more[past->npartitions++] = one;
}

static int take_reply(const struct peer_reply *reply, struct past *past,
                      struct relay_error *err)
{
    char problem[300];
    const char *text;
    size_t len = 0;

    past->kill_wait = peer_int(reply, "kill_wait", -1);
    peer_each(reply, "partition", add_partition, past);
    if (peer_value(reply, "problem", problem, sizeof(problem)))
        return relay_fail(err, EX_UNAVAILABLE, "how jobs ended is not known "
                                               "here: %s", problem);
    text = peer_section(reply, "past", &len);
    if (text == NULL)
        return relay_fail(err, EX_UNAVAILABLE, "sacct did not answer");
    if (past_parse(text, len, past) != 0)
        return relay_fail(err, EX_OSERR, "out of memory");
    return 0;
}

int past_ask(const struct config *cfg, int64_t seconds, struct past *past,
             struct relay_error *err)
{
    const char *args[] = {NULL, NULL};
    struct peer_reply reply;
    struct peer peer;
    char text[32];
    int rc;

    memset(past, 0, sizeof(*past));
    past->kill_wait = -1;
    snprintf(text, sizeof(text), "%" PRId64, seconds);
    args[0] = text;
    if (cfg->cluster == NULL)
        return relay_fail(err, EX_CONFIG, "this cluster's name is not known "
                                          "here: set cluster: in relay.yaml");
    if (peer_open(cfg, cfg->cluster, &peer, err) != 0 ||
        peer_script(&peer, remote_past, args, ASK_MS, &reply, err) != 0)
        return -1;
    rc = take_reply(&reply, past, err);
    peer_reply_free(&reply);
    return rc;
}

void past_free(struct past *past)
{
    free(past->jobs);
    free(past->partitions);
    memset(past, 0, sizeof(*past));
}
