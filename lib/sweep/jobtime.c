#include "jobtime.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "process.h"
#include "slurmenv.h"

enum { ASK_MS = 60000, DEADLINE_MS = 10000, KILL_WAIT_MS = 2000 };

int64_t jobtime_parse(const char *text)
{
    int64_t days = 0, part[3] = {0};
    int parts = 0;
    char *end;

    if (strncmp(text, "UNLIMITED", 9) == 0)
        return JOBTIME_UNLIMITED;
    for (;;) {
        int64_t n;

        if (!isdigit((unsigned char)*text) || parts == 3)
            return -1;
        n = strtoll(text, &end, 10);
        text = end + 1;
        if (*end == '-' && parts == 0 && days == 0) {
            days = n;
            continue;
        }
        part[parts++] = n;
        if (*end != ':')
            break;
    }
    if ((*end != '\0' && !isspace((unsigned char)*end)) || parts < 2)
        return -1;
    if (parts == 2)
        return days * 86400 + part[0] * 60 + part[1];
    return days * 86400 + part[0] * 3600 + part[1] * 60 + part[2];
}

static void set_left(struct jobtime *time, int64_t left)
{
    time->until = left == JOBTIME_UNLIMITED ? JOBTIME_UNLIMITED
                                            : clock_ms() + left * 1000;
}

static void ask(struct jobtime *time)
{
    const char *argv[] = {NULL, "-h", "-j", NULL, "-o", "%L", NULL};
    struct process_spec spec = {.argv = argv, .deadline_ms = DEADLINE_MS};
    struct process_result res;
    char squeue[4096], id[64];
    int64_t left = -1;

    time->asked = clock_ms();
    slurmenv_job_id(id, sizeof(id));
    if (id[0] == '\0' ||
        process_find("squeue", squeue, sizeof(squeue), NULL) != 0)
        return;
    argv[0] = squeue;
    argv[3] = id;
    if (process_run(&spec, &res, NULL) == 0 && process_ok(&res))
        left = jobtime_parse(res.out + strspn(res.out, " "));
    process_free(&res);
    if (left >= 0)
        set_left(time, left);
}

void jobtime_begin(struct jobtime *time)
{
    const char *end = slurmenv("SLURM_JOB_END_TIME");
    int64_t at = end != NULL ? strtoll(end, NULL, 10) : 0;
    int64_t now = clock_wall();

    *time = (struct jobtime){.until = JOBTIME_UNLIMITED};
    if (slurmenv("SLURM_JOB_ID") == NULL)
        return;
    if (at > 0)
        set_left(time, at > now ? at - now : 0);
    else
        ask(time);
}

int64_t jobtime_left(const struct jobtime *time)
{
    int64_t now = clock_ms();

    if (time->until == JOBTIME_UNLIMITED)
        return JOBTIME_UNLIMITED;
    return time->until > now ? (time->until - now) / 1000 : 0;
}

void jobtime_ask(struct jobtime *time)
{
    if (slurmenv("SLURM_JOB_ID") == NULL ||
        (time->asked != 0 && clock_ms() - time->asked < ASK_MS))
        return;
    ask(time);
}

int64_t jobtime_kill_wait(void)
{
    const char *argv[] = {NULL, "show", "config", NULL};
    struct process_spec spec = {.argv = argv, .deadline_ms = KILL_WAIT_MS,
                                .clean_up = true};
    struct process_result res;
    char scontrol[4096];
    const char *at = NULL;
    int64_t wait = -1;

    if (slurmenv("SLURM_JOB_ID") == NULL ||
        process_find("scontrol", scontrol, sizeof(scontrol), NULL) != 0)
        return -1;
    argv[0] = scontrol;
    if (process_run(&spec, &res, NULL) == 0 && process_ok(&res))
        at = strstr(res.out, "\nKillWait ");
    if (at != NULL && (at = strchr(at, '=')) != NULL)
        wait = strtoll(at + 1, NULL, 10);
    process_free(&res);
    return wait > 0 ? wait : -1;
}
