/*
 * A body that traps SIGTERM and exits looks, in the epilog, like one that has
 * ended by itself: its cell is unproven, or failed at last. The next stage-in has Slurm at
 * hand and finds out what ended the job (design section 7); a cell whose job
 * was cancelled, timed out or preempted waits again.
 */
#include <string.h>
#include <unistd.h>

#include "cause.h"
#include "clock.h"
#include "process.h"
#include "stage_cell.h"
#include "sweep/cellattempt.h"

enum {
    TIME_MS = 3000, /* for all: what is left is the next stage-in's */
    LOOK_MS = 1000  /* at submission, which has no more than two seconds */
};

struct resolving {
    const struct run_options *opt;
    const struct run *job;
    struct cellrun *c;
    const uint64_t *which; /* this cell alone; NULL: all */
    int64_t until;
};

static bool is_slurms(const char *cause)
{
    static const char *const causes[] = {"cancelled", "timeout", "preempted",
                                         "requeued", "node_fail"};
    size_t i;

    for (i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
        if (strcmp(cause, causes[i]) == 0)
            return true;
    return false;
}

/* Why the job of that nonce ended; "" when that cannot be said. */
static void find_cause(const struct resolving *r, uint64_t index,
                       const char *nonce, char *cause, size_t size)
{
    struct run_options opt = {.site_config = r->opt->site_config,
                              .nonce = r->job->nonce, .read_only = true,
                              .here = true};
    char id[CELL_ID_MAX + 1], key[KEY_MAX + 1];
    struct relay_error err = {0};
    struct lease lease;
    struct run run;

    cause[0] = '\0';
    opt.key = key;
    if (roster_id(r->c->sweep.roster, index, id, &err) != 0 ||
        sweep_cell_key(&r->c->sweep, id, key, sizeof(key), &err) != 0)
        return;
    if (run_open(&opt, &run, &err) == 0 && run.relayfd >= 0 &&
        lease_read(run.relayfd, &lease, &err) == 0) {
        if (lease.kind == LEASE_RELEASE &&
            strcmp(lease.owner.nonce, nonce) == 0 &&
            cause_resolve(&run, &lease, cause, size, &err) != 0)
            cause[0] = '\0';
        lease_free(&lease);
    }
    run_close(&run);
}

/* By what a body exited with, and nobody looks at it by itself any more. */
static bool is_final(const struct board_note *note, enum cell_state state)
{
    if (state == CELL_UNPROVEN)
        return strcmp(note->cause, "exited") == 0;
    return (state == CELL_FAILED || state == CELL_QUARANTINED) &&
           strcmp(note->cause, "failed") == 0;
}

/* Was it not the body that ended there, but Slurm? */
static bool was_stopped(const struct resolving *r,
                        const struct board_note *note, enum cell_state state,
                        char *cause, size_t size)
{
    struct owner own;

    if (!is_final(note, state) || clock_ms() >= r->until || process_cancelled() != 0 ||
        !queue_writer(r->c->queue, note->writer, &own) ||
        own.job_id[0] == '\0' ||
        strcmp(own.cluster, r->job->self.cluster) != 0)
        return false;
    find_cause(r, note->index, own.nonce, cause, size);
    return is_slurms(cause);
}

static int resolve(void *arg, const struct board_note *note,
                   enum cell_state state)
{
    struct resolving *r = arg;
    uint64_t index = note->index;
    char cause[32];

    /* It fails when somebody was quicker. */
    if (was_stopped(r, note, state, cause, sizeof(cause)) &&
        queue_settle(r->c->queue, index, "retry", true, NULL) == 0)
        cellattempt_resolve(r->c, index, cause);
    return 0;
}

void stage_cell_resolve(const struct run_options *opt, const struct run *run,
                        struct cellrun *c)
{
    struct resolving r = {.opt = opt, .job = run, .c = c,
                          .until = clock_ms() + TIME_MS};

    (void)queue_each_note(c->queue, resolve, &r);
}

static int look(void *arg, const struct board_note *note,
                enum cell_state state)
{
    struct resolving *r = arg;
    char cause[32];

    return (r->which == NULL || *r->which == note->index) &&
           was_stopped(r, note, state, cause, sizeof(cause));
}

bool stage_cell_will_wait(const struct run_options *opt,
                          const struct run *run, struct cellrun *c,
                          const uint64_t *which)
{
    struct resolving r = {.opt = opt, .job = run, .c = c, .which = which,
                          .until = clock_ms() + LOOK_MS};

    return queue_each_note(c->queue, look, &r) == 1;
}
