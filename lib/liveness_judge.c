#include "liveness.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A verdict while its sentence is put together. */
struct verdict {
    char *why;
    size_t size;
};

static enum alive say(const struct verdict *v, enum alive alive,
                      const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static enum alive say(const struct verdict *v, enum alive alive,
                      const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (v->size > 0)
        vsnprintf(v->why, v->size, fmt, ap);
    va_end(ap);
    return alive;
}

bool liveness_terminal(const char *state)
{
    static const char *const ended[] = {
        "COMPLETED", "CANCELLED",     "FAILED",    "TIMEOUT",   "DEADLINE",
        "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "BOOT_FAIL",
    };
    size_t i;

    for (i = 0; i < sizeof(ended) / sizeof(ended[0]); i++)
        if (strcmp(state, ended[i]) == 0)
            return true;
    return false;
}

/* Is this the host that the record was written on, in the same boot? */
static bool written_here(const struct owner *own, bool *same_boot)
{
    char host[256] = "", boot[40] = "";
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

    if (file != NULL) {
        if (fgets(boot, sizeof(boot), file) == NULL)
            boot[0] = '\0';
        fclose(file); /* read only */
    }
    boot[strcspn(boot, "\n")] = '\0';
    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = '\0';
    *same_boot = boot[0] != '\0' && strcmp(boot, own->boot_id) == 0;
    return host[0] != '\0' && strcmp(host, own->host) == 0;
}

static bool pid_runs(const struct owner *own)
{
    return own->pid > 0 && own->pid_start != 0 &&
           owner_pid_start(own->pid) == own->pid_start;
}

static enum alive say_processes(const struct verdict *v,
                                const struct job_facts *facts,
                                const char *how)
{
    return say(v, ALIVE_YES,
               "%s, but %d of its processes still run on %s (pid %" PRId64 ")",
               how, facts->processes, facts->host, facts->process);
}

/* Clauses 4 and 5 of the protocol, and then the owner is dead. how: what
 * showed its end. */
static enum alive judge_traces(const struct verdict *v,
                               const struct job_facts *before,
                               const struct job_facts *facts,
                               const char *how)
{
    char looked[320] = "";

    if (facts->processes > 0)
        return say_processes(v, facts, how);
    if (facts->processes == 0)
        snprintf(looked, sizeof(looked), "; none of its processes is on %s",
                 facts->host);
    if (facts->fingerprint[0] == '\0')
        return say(v, ALIVE_DEAD, "%s%s", how, looked);
    if (before == NULL)
        return say(v, ALIVE_UNKNOWN,
                   "%s, but its state directory was looked at once only", how);
    if (strcmp(before->fingerprint, facts->fingerprint) != 0)
        return say(v, ALIVE_UNKNOWN,
                   "%s, but its state directory is still being changed", how);
    return say(v, ALIVE_DEAD, "%s%s; its state directory does not change",
               how, looked);
}

static enum alive judge_process(const struct verdict *v,
                                const struct owner *own,
                                const struct job_facts *before,
                                const struct job_facts *facts, bool here,
                                bool same_boot)
{
    char how[400];

    if (!here)
        return say(v, ALIVE_UNKNOWN,
                   "process %d ran outside Slurm on %s: only that host can "
                   "tell whether it has ended", (int)own->pid,
                   own->host[0] != '\0' ? own->host : "an unknown host");
    if (own->boot_id[0] == '\0' || own->pid <= 0 || own->pid_start == 0)
        return say(v, ALIVE_UNKNOWN,
                   "its record does not say which process it was");
    if (same_boot)
        snprintf(how, sizeof(how), "process %d on this host has ended",
                 (int)own->pid);
    else
        snprintf(how, sizeof(how),
                 "this host was booted since process %d was started",
                 (int)own->pid);
    return judge_traces(v, before, facts, how);
}

/* Has a later run of the same job id taken this run's place? */
static bool ran_again(const struct owner *own, const struct job_facts *facts)
{
    if (facts->later_submit > 0)
        return true;
    if (!facts->in_squeue)
        return false;
    if (own->submit > 0)
        return facts->submit > own->submit;
    return facts->restarts > own->restart;
}

/* Clause 1. ALIVE_DEAD: the job's run has ended by Slurm's account, and how
 * says so; else the verdict. */
static enum alive judge_end(const struct verdict *v, const struct owner *own,
                            const struct job_facts *before,
                            const struct job_facts *facts, char *how,
                            size_t size)
{
    const char *id = own->job_id;

    /* sacct calls the last task by the array's id until it knows better. */
    if (facts->members > 0)
        return say(v, ALIVE_UNKNOWN,
                   "job %s is an array, of which squeue shows %" PRId64
                   ": that is no proof of the end of any", id,
                   facts->members);
    if (ran_again(own, facts)) {
        snprintf(how, size, "job %s was requeued: a later run of it %s", id,
                 facts->in_squeue ? facts->state : "is in sacct");
        return ALIVE_DEAD;
    }
    if (facts->in_squeue) {
        if (facts->state[0] == '\0')
            return say(v, ALIVE_UNKNOWN, "squeue gives no state of job %s",
                       id);
        if (!liveness_terminal(facts->state))
            return say(v, ALIVE_YES, "job %s is %s", id, facts->state);
        snprintf(how, size, "squeue says that job %s is %s", id,
                 facts->state);
        return ALIVE_DEAD;
    }
    if (facts->in_sacct &&
        (own->submit == 0 || facts->sacct_submit == own->submit)) {
        if (!liveness_terminal(facts->sacct_state))
            return say(v, ALIVE_UNKNOWN,
                       "squeue does not show job %s, but sacct says that it "
                       "is %s", id, facts->sacct_state);
        snprintf(how, size, "sacct says that job %s is %s", id,
                 facts->sacct_state);
        return ALIVE_DEAD;
    }
    if (!facts->invalid_id)
        return say(v, ALIVE_UNKNOWN,
                   "neither squeue nor sacct shows job %s, which is no proof "
                   "of its end", id);
    if (before == NULL || !before->invalid_id)
        return say(v, ALIVE_UNKNOWN,
                   "squeue does not know job %s and sacct cannot tell; that "
                   "was asked once only", id);
    snprintf(how, size, "squeue says twice that job %s does not exist", id);
    return ALIVE_DEAD;
}

enum alive liveness_judge(const struct owner *own,
                          const struct job_facts *before,
                          const struct job_facts *facts, char *why,
                          size_t why_size)
{
    const struct verdict v = {.why = why, .size = why_size};
    bool same_boot;
    bool here = written_here(own, &same_boot);
    char how[400];
    enum alive end;

    if (here && same_boot && pid_runs(own))
        return say(&v, ALIVE_YES, "its process %d runs on this host",
                   (int)own->pid);
    if (own->job_id[0] == '\0')
        return judge_process(&v, own, before, facts, here, same_boot);
    if (!facts->squeue_answered)
        return say(&v, ALIVE_UNKNOWN, "squeue of %s does not answer",
                   own->cluster);
    if (facts->completing)
        return say(&v, ALIVE_YES, "job %s is COMPLETING on %s", own->job_id,
                   facts->nodes[0] != '\0' ? facts->nodes : "its nodes");
    end = judge_end(&v, own, before, facts, how, sizeof(how));
    if (end != ALIVE_DEAD)
        return end;
    if (facts->processes > 0)
        return say_processes(&v, facts, how);
    if (facts->bad_node[0] != '\0')
        return say(&v, ALIVE_UNKNOWN, "%s, but node %s: it may train on", how,
                   facts->bad_node);
    if (!facts->nodes_known)
        return say(&v, ALIVE_UNKNOWN,
                   "%s, but nothing says which nodes it ran on, or how they "
                   "are", how);
    return judge_traces(&v, before, facts, how);
}
