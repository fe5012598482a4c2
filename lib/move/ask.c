#include "ask.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"

/* Runs program with args (NULL-terminated, room for argv[0] in front). */
static void run(const char *program, const char **argv, int64_t deadline_ms,
                struct ask_text *answer)
{
    struct process_spec spec = {.argv = argv, .deadline_ms = deadline_ms};
    struct process_result res = {0};
    struct relay_error err = {0};
    char path[4096], end[100];

    answer->text = NULL;
    answer->why[0] = '\0';
    if (process_find(program, path, sizeof(path), &err) != 0) {
        snprintf(answer->why, sizeof(answer->why), "%.250s", err.text);
        return;
    }
    argv[0] = path;
    if (process_run(&spec, &res, &err) != 0) {
        snprintf(answer->why, sizeof(answer->why), "%.250s", err.text);
    } else if (!process_ok(&res)) {
        process_describe(&res, end, sizeof(end));
        snprintf(answer->why, sizeof(answer->why), "%s %s%s%.*s", program,
                 end, res.err[0] != '\0' ? ": " : "",
                 (int)strcspn(res.err, "\n") < 150
                     ? (int)strcspn(res.err, "\n")
                     : 150,
                 res.err);
    } else {
        answer->text = res.out;
        res.out = NULL;
    }
    process_free(&res);
}

static void run_assoc(int64_t deadline_ms, struct ask_text *answer)
{
    struct passwd *pw = getpwuid(geteuid());
    char user[300];
    const char *argv[] = {NULL, "-nP", "show", "assoc", user,
                          "format=" ASK_ASSOC, NULL};

    answer->text = NULL;
    if (pw == NULL) {
        snprintf(answer->why, sizeof(answer->why),
                 "this user has no name here");
        return;
    }
    snprintf(user, sizeof(user), "user=%.250s", pw->pw_name);
    run("sacctmgr", argv, deadline_ms, answer);
}

void ask_here(int64_t deadline_ms, struct ask *ask)
{
    const char *sinfo[] = {NULL, "-a", "-h", "-N", "-o", GPUTYPE_SINFO, NULL};
    const char *squeue[] = {NULL, "-h", "-a", "-r", "--me", "-O",
                            SLOTS_SQUEUE, NULL};
    const char *partitions[] = {NULL, "-a", "-o", "show", "partition", NULL};
    const char *qos[] = {NULL, "-nP", "show", "qos", "format=" SLOTS_QOS,
                         NULL};

    run("sinfo", sinfo, deadline_ms, &ask->sinfo);
    run("squeue", squeue, deadline_ms, &ask->squeue);
    run("scontrol", partitions, deadline_ms, &ask->partitions);
    run("sacctmgr", qos, deadline_ms, &ask->qos);
    if (ask->qos.text != NULL) {
        run_assoc(deadline_ms, &ask->assoc);
    } else {
        ask->assoc.text = NULL;
        snprintf(ask->assoc.why, sizeof(ask->assoc.why), "%s", ask->qos.why);
    }
}

void ask_free(struct ask *ask)
{
    free(ask->sinfo.text);
    free(ask->squeue.text);
    free(ask->partitions.text);
    free(ask->qos.text);
    free(ask->assoc.text);
    memset(ask, 0, sizeof(*ask));
}

int ask_gputypes(const struct ask *ask, const struct request *req,
                 const struct config *cfg, struct gputypes *types,
                 struct relay_error *err)
{
    if (ask->sinfo.text != NULL || req->gpus == 0)
        return gputypes_read(ask->sinfo.text != NULL ? ask->sinfo.text : "",
                             req, cfg, types, err);
    memset(types, 0, sizeof(*types));
    snprintf(types->why, sizeof(types->why), "%s", ask->sinfo.why);
    return 0;
}

/* The value of "KEY=value" in a line of scontrol's, up to a blank. */
static void value_of(const char *line, size_t len, const char *key,
                     char *value, size_t size)
{
    size_t key_len = strlen(key);
    size_t i;

    value[0] = '\0';
    for (i = 0; i + key_len < len; i++) {
        if ((i == 0 || line[i - 1] == ' ') &&
            strncmp(line + i, key, key_len) == 0) {
            line += i + key_len;
            len -= i + key_len;
            i = strcspn(line, " \n");
            snprintf(value, size, "%.*s", (int)(i < len ? i : len), line);
            return;
        }
    }
}

/* The partition that a request goes to (of several the first; the default one
 * when it names none), and that one's QOS; "" unknown or none. */
static void find_partition(const struct ask *ask, const struct request *req,
                           char name[128], char qos[64])
{
    const char *text = ask->partitions.text != NULL ? ask->partitions.text
                                                    : "";
    char found[128], is_default[8];

    snprintf(name, 128, "%.*s", (int)strcspn(req->partition, ","),
             req->partition);
    qos[0] = '\0';
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        value_of(text, len, "PartitionName=", found, sizeof(found));
        value_of(text, len, "Default=", is_default, sizeof(is_default));
        if (name[0] != '\0' ? strcmp(found, name) == 0
                            : strcmp(is_default, "YES") == 0) {
            snprintf(name, 128, "%s", found);
            value_of(text, len, "QoS=", qos, 64);
            if (strcmp(qos, "N/A") == 0)
                qos[0] = '\0';
            return;
        }
        text += len + (text[len] == '\n');
    }
}

/* Cuts "a|b|c" into three; false for another line. */
static bool cut_assoc(char *line, const char **account, const char **qos)
{
    char *a = strchr(line, '|');
    char *q = a != NULL ? strchr(a + 1, '|') : NULL;

    if (q == NULL)
        return false;
    *a++ = '\0';
    *q++ = '\0';
    *account = a;
    *qos = *q != '\0' ? q : "normal";
    return true;
}

/* The QOS of a job that asks for none: the one default of all the user's
 * associations that fit, of this cluster where its name is among them; "" when
 * they differ. */
static void default_qos(const struct ask *ask, const struct request *req,
                        const struct config *cfg, char qos[64])
{
    const char *text = ask->assoc.text != NULL ? ask->assoc.text : "";
    bool here = false;
    size_t n = 0;

    qos[0] = '\0';
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        const char *account, *own;
        char line[400];
        bool is_here;

        snprintf(line, sizeof(line), "%.*s", (int)len, text);
        text += len + (text[len] == '\n');
        if (!cut_assoc(line, &account, &own) ||
            (req->account[0] != '\0' && strcmp(account, req->account) != 0))
            continue;
        is_here = cfg->cluster != NULL && strcmp(line, cfg->cluster) == 0;
        if (here && !is_here)
            continue;
        if (is_here && !here)
            n = 0;
        here = here || is_here;
        if (n++ == 0)
            snprintf(qos, 64, "%.63s", own);
        else if (strcmp(qos, own) != 0)
            qos[0] = '\0';
    }
}

void ask_slots(const struct ask *ask, const struct request *req,
               const struct config *cfg, const struct config_cluster *cluster,
               const struct config_profile *profile, struct slots *slots)
{
    struct slot_use use = {-1, -1}, in_qos = {-1, -1};
    int max_jobs = cluster->max_jobs, max_gpus = cluster->max_gpus;
    char partition[128], own[64], qos[64];

    slots_init(slots);
    if (profile != NULL && profile->max_jobs > 0)
        max_jobs = profile->max_jobs;
    if (profile != NULL && profile->max_gpus > 0)
        max_gpus = profile->max_gpus;
    find_partition(ask, req, partition, own);
    if (ask->squeue.text != NULL)
        slots_use(ask->squeue.text, partition, NULL, &use);
    else
        snprintf(slots->why, sizeof(slots->why), "%s", ask->squeue.why);
    slots_configured(slots, &use, max_jobs, max_gpus);
    if (ask->qos.text == NULL) {
        if (slots->why[0] == '\0')
            snprintf(slots->why, sizeof(slots->why),
                     "no limit of a QOS is known: %s", ask->qos.why);
        return;
    }
    /* What runs in the partition counts for that one's QOS, whatever QOS the
     * jobs themselves are in. */
    if (own[0] != '\0')
        slots_of_qos(slots, &use, ask->qos.text, own);
    snprintf(qos, sizeof(qos), "%s", req->qos);
    if (qos[0] == '\0')
        default_qos(ask, req, cfg, qos);
    if (qos[0] == '\0')
        return;
    if (ask->squeue.text != NULL)
        slots_use(ask->squeue.text, NULL, qos, &in_qos);
    slots_of_qos(slots, &in_qos, ask->qos.text, qos);
}
