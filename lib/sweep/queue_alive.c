/* Is the owner of a claim alive? On its host its process tells, elsewhere its
 * job; outside Slurm on another host nothing does (design section 8). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "peer.h"
#include "queue_state.h"

enum { ASK_MS = 30000 };

/* YES or DEAD by the process table, when it is this host's, in the same boot,
 * and counts in the same pid namespace. */
static enum alive by_process(const struct owner *own, const struct owner *self,
                             char *why, size_t size)
{
    bool gone;
    uint64_t start;

    if (own->pid <= 0 || own->pid_start == 0 ||
        strcmp(self->host, own->host) != 0 ||
        strcmp(self->boot_id, own->boot_id) != 0) {
        snprintf(why, size, "it ran on %s",
                 own->host[0] != '\0' ? own->host : "an unknown host");
        return ALIVE_UNKNOWN;
    }
    if (own->pid_ns != 0 && own->pid_ns != self->pid_ns) {
        snprintf(why, size, "it runs in a container on this host");
        return ALIVE_UNKNOWN;
    }
    gone = kill(own->pid, 0) != 0 && errno == ESRCH;
    start = gone ? 0 : owner_pid_start(own->pid);
    if (start == own->pid_start) {
        snprintf(why, size, "its process %d runs on this host",
                 (int)own->pid);
        return ALIVE_YES;
    }
    /* /proc may hide other users' processes (hidepid). */
    if (start == 0 && (kill(own->pid, 0) == 0 || errno != ESRCH)) {
        snprintf(why, size, "its process %d on this host may not be seen",
                 (int)own->pid);
        return ALIVE_UNKNOWN;
    }
    snprintf(why, size, "its process %d on this host has ended",
             (int)own->pid);
    return ALIVE_DEAD;
}

/* NULL: there is none, why says so. */
static const struct config *configure(struct queue *queue, char *why,
                                      size_t size)
{
    struct relay_error err = {0};

    if (queue->given != NULL)
        return queue->given;
    if (queue->configured)
        return &queue->cfg;
    if (config_load(NULL, NULL, &queue->cfg, &err) != 0) {
        config_free(&queue->cfg);
        snprintf(why, size, "%s", err.text);
        return NULL;
    }
    queue->configured = true;
    return &queue->cfg;
}

static enum alive by_job(struct queue *queue, const struct owner *own,
                         char *why, size_t size)
{
    struct relay_error err = {0};
    struct job_facts facts;
    struct peer peer;
    struct owner job = *own;
    const struct config *cfg = configure(queue, why, size);

    if (cfg == NULL)
        return ALIVE_UNKNOWN;
    if (peer_open(cfg, own->cluster, &peer, &err) != 0) {
        snprintf(why, size, "%s", err.text);
        return ALIVE_UNKNOWN;
    }
    return liveness_of(&peer, &job, NULL, &facts, why, size);
}

/* why has what by_process() said. */
static enum alive outside_slurm(const struct owner *own,
                                const struct owner *self, bool elsewhere,
                                char *why, size_t size)
{
    if (strcmp(own->host, self->host) != 0 || own->boot_id[0] == '\0') {
        snprintf(why, size, "it runs outside Slurm on %s: only that host can "
                            "tell whether it has ended", own->host);
        return ALIVE_UNKNOWN;
    }
    if (strcmp(own->boot_id, self->boot_id) == 0)
        return ALIVE_UNKNOWN;
    if (elsewhere) {
        snprintf(why, size, "it runs outside Slurm on %s of %s: only that "
                            "host can tell whether it has ended", own->host,
                 own->cluster);
        return ALIVE_UNKNOWN;
    }
    snprintf(why, size, "this host was booted since");
    return ALIVE_DEAD;
}

/* Is it of another cluster? A host there may have our host's name. */
static bool is_elsewhere(struct queue *queue, const struct owner *own)
{
    char why[sizeof(((struct relay_error *)0)->text)];
    const struct config *cfg = configure(queue, why, sizeof(why));

    return own->cluster[0] != '\0' &&
           (cfg == NULL || cfg->cluster == NULL ||
            strcmp(cfg->cluster, own->cluster) != 0);
}

enum alive queue_judge_owner(struct queue *queue, const struct owner *own,
                             bool job_owned, bool ask, char *why,
                             size_t why_size)
{
    const struct owner *self = &queue->here;
    enum alive alive = ALIVE_UNKNOWN;

    snprintf(why, why_size, "nothing tells");
    if (self->host[0] == '\0' &&
        owner_self("", "", getpid(), &queue->here, NULL) != 0)
        return ALIVE_UNKNOWN;
    if (!job_owned)
        alive = by_process(own, self, why, why_size);
    if (alive != ALIVE_UNKNOWN)
        return alive;
    if (own->job_id[0] == '\0')
        return outside_slurm(own, self, is_elsewhere(queue, own), why,
                             why_size);
    if (!ask) {
        snprintf(why, why_size, "Slurm was not asked about job %s",
                 own->job_id);
        return ALIVE_UNKNOWN;
    }
    return by_job(queue, own, why, why_size);
}

enum alive queue_owner_alive(struct queue *queue, uint32_t number, bool ask,
                             char *why, size_t why_size)
{
    struct ledger_writer *writer = &queue->writers.all[number];
    char room[512];
    enum alive alive;
    bool now;

    if (why == NULL) {
        why = room;
        why_size = sizeof(room);
    }
    if (writer->dead)
        return ALIVE_DEAD; /* which does not change */
    if (!ledger_know(queue->ledgers, writer)) {
        snprintf(why, why_size, "nothing says who it is");
        return ALIVE_UNKNOWN;
    }
    now = ask && (writer->looked == 0 ||
                  clock_ms() - writer->looked > ASK_MS);
    alive = queue_judge_owner(queue, &writer->owner, writer->job_owned, now,
                              why, why_size);
    if (now)
        writer->looked = clock_ms();
    writer->dead = alive == ALIVE_DEAD;
    return alive;
}

bool queue_abandoned(struct queue *queue, const struct board_note *note)
{
    return board_state(&queue->board, note->index) == CELL_RUNNING &&
           queue_owner_alive(queue, note->writer, false, NULL, 0) ==
               ALIVE_DEAD;
}
