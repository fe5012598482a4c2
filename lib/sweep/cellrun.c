#include "cellrun.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "cause.h"
#include "cellattempt.h"
#include "cellfetch.h"
#include "clock.h"
#include "file.h"
#include "gate.h"
#include "process.h"
#include "slurmenv.h"

/* --- opening ------------------------------------------------------------- */

static int open_sweep(const char *path, struct cellrun *c,
                      struct relay_error *err)
{
    if (sweep_open(path, &c->sweep, err) != 0) {
        /* For the user a wrong value of an option, not a missing file. */
        if (err != NULL && err->code == EX_NOINPUT)
            err->code = EX_USAGE;
        return -1;
    }
    if (roster_info(c->sweep.roster)->kind == ROSTER_JOBS)
        return relay_fail(err, EX_USAGE,
                          "the cells of %s are job scripts, which are "
                          "submitted and not run by a job", c->sweep.path);
    return 0;
}

static int open_queue(const struct run *run, bool change, struct cellrun *c,
                      struct relay_error *err)
{
    const struct queue_options opt = {
        .read_only = !change,
        .nonce = run->nonce,
        .cfg = &run->cfg,
        .job_owned = run->self.job_id[0] != '\0',
        .out_root = c->sweep.out_root,
        .resume_root = run->root,
    };

    if (change && faccessat(c->sweep.fd, ".", W_OK | X_OK, AT_EACCESS) != 0)
        return relay_fail_errno(err, EX_CANTCREAT,
                                "%s may not be written, which is needed to "
                                "claim a cell", c->sweep.path);
    return queue_open(&c->sweep, change ? &run->self : NULL, &opt, &c->queue,
                      err);
}

static void begin(struct cellrun *c)
{
    memset(c, 0, sizeof(*c));
    c->sweep.fd = -1;
}

int cellrun_open(struct run *run, const char *path, bool change,
                 struct cellrun *c, struct relay_error *err)
{
    begin(c);
    if (open_sweep(path, c, err) != 0)
        return -1;
    if (strlen(c->sweep.path) >= sizeof(run->cell.sweep))
        return relay_fail(err, EX_USAGE, "%s: the path is too long",
                          c->sweep.path);
    snprintf(run->cell.sweep, sizeof(run->cell.sweep), "%s", c->sweep.path);
    run->cell.fd = file_open_dir(AT_FDCWD, c->sweep.path, err);
    if (run->cell.fd < 0)
        return -1;
    return open_queue(run, change, c, err);
}

int cellrun_reopen(const struct run *run, struct cellrun *c,
                   struct relay_error *err)
{
    begin(c);
    if (open_sweep(run->cell.sweep, c, err) != 0 ||
        roster_cell(c->sweep.roster, run->cell.index, &c->cell, err) != 0)
        return -1;
    return open_queue(run, true, c, err);
}

void cellrun_close(struct cellrun *c)
{
    queue_close(c->queue);
    cell_free(&c->cell);
    sweep_close(&c->sweep);
    begin(c);
}

/* --- claiming ------------------------------------------------------------ */

void cellrun_counts(const struct cellrun *c, char *text, size_t size)
{
    struct board_counts n;
    uint64_t waiting, held;
    size_t used;

    queue_counts(c->queue, &n);
    waiting = n.of[CELL_WAITING] + n.of[CELL_PARTIAL];
    held = n.of[CELL_FAILED] + n.of[CELL_UNPROVEN] + n.of[CELL_QUARANTINED];
    snprintf(text, size, "%" PRIu64 " cell%s wait%s, %" PRIu64 " run%s, "
             "%" PRIu64 " of %" PRIu64 " %s done", waiting,
             waiting == 1 ? "" : "s", waiting == 1 ? "s" : "",
             n.of[CELL_RUNNING], n.of[CELL_RUNNING] == 1 ? "s" : "",
             n.of[CELL_DONE], n.cells, n.of[CELL_DONE] == 1 ? "is" : "are");
    used = strlen(text);
    if (held > 0 && used < size)
        snprintf(text + used, size - used, ", %" PRIu64 " for you to look at "
                 "(ssweep status)", held);
}

int cellrun_find(const struct cellrun *c, const char *which, uint64_t *index,
                 struct relay_error *err)
{
    if (sweep_find(&c->sweep, which, index, err) != 0)
        return -1;
    if (roster_withdrawn(c->sweep.roster, *index))
        return relay_fail(err, EX_DATAERR, "cell %s of %s is withdrawn: its "
                                           "line is commented out", which,
                          c->sweep.path);
    return 0;
}

/* What was appended to the source since, and what the others did. A source
 * that was edited otherwise stops no job: the cells that are known go on. */
static int refresh(const struct run *run, struct cellrun *c,
                   struct relay_error *err)
{
    struct relay_error changed = {0};

    if (sweep_refresh(&c->sweep, queue_is_claimed, c->queue, &changed) < 0) {
        if (changed.code != EX_DATAERR)
            return relay_fail(err, changed.code, "%s", changed.text);
        run_say(run, "%s", changed.text);
    }
    if (c->sweep.note[0] != '\0')
        run_say(run, "%s", c->sweep.note);
    return queue_refresh(c->queue, err);
}

struct search {
    const struct run *run;
    struct cellrun *c;
    uint64_t index;
};

static bool is_earlier_run(const struct owner *own, const struct owner *self)
{
    return strcmp(own->job_id, self->job_id) == 0 &&
           strcmp(own->cluster, self->cluster) == 0 &&
           strcmp(own->user, self->user) == 0 &&
           own->restart < self->restart;
}

static int is_ours(void *arg, const struct board_note *note,
                   enum cell_state state)
{
    struct search *s = arg;
    struct owner own;

    if ((state != CELL_PARTIAL && state != CELL_RUNNING) ||
        !queue_writer(s->c->queue, note->writer, &own) ||
        !is_earlier_run(&own, &s->run->self))
        return 0;
    s->index = note->index;
    return 1;
}

/* A requeued job goes on with what it had. 1 claimed, 0 not. */
static int claim_former(struct run *run, struct cellrun *c,
                        struct queue_claim *claim)
{
    struct search search = {.run = run, .c = c};

    return run->self.restart > 0 &&
           queue_each_note(c->queue, is_ours, &search) == 1 &&
           queue_claim_cell(c->queue, search.index, claim, NULL) == 0;
}

/* --- cells that are on another cluster ------------------------------------ */

enum { MAX_PLACES = 64, MAX_AVOIDED = 64 };

/* Was the claimed cell begun on another cluster, by `ssweep run` there? Its
 * state is there, and a job's stage-in takes none from a worker. 1, 0, -1. */
static int is_elsewhere(const struct run *run, struct cellrun *c,
                        const struct queue_claim *claim,
                        struct relay_error *err)
{
    struct queue_place places[MAX_PLACES];
    struct cellfetch where = {.cfg = &run->cfg, .sweep = &c->sweep,
                              .claim = claim, .places = places};
    struct cell cell = {0};
    char *dir = NULL;
    bool elsewhere = false;
    int at, rc;

    if (queue_places(c->queue, claim, places, MAX_PLACES, &where.nplaces,
                     err) != 0)
        return -1;
    if (where.nplaces == 0)
        return 0;
    rc = roster_cell(c->sweep.roster, claim->index, &cell, err);
    if (rc == 0)
        dir = sweep_cell_dir(&c->sweep, &cell, NULL, err);
    if (dir != NULL) {
        where.cell = &cell;
        where.dir = dir;
        at = cellfetch_where(&where, &elsewhere);
        /* Nothing is lost of a cell that never reached a step. */
        elsewhere = elsewhere && claim->step >= 0 &&
                    (at < 0 || strcmp(places[at].cluster,
                                      run->cfg.cluster) != 0);
    }
    rc = dir != NULL ? elsewhere : -1;
    free(dir);
    cell_free(&cell);
    return rc;
}

/* Gives a claim back that is not to be run here. 1 it was, 0 it is to be run,
 * -1. */
static int refuse_elsewhere(const struct run *run, struct cellrun *c,
                            const struct queue_claim *claim,
                            struct relay_error *err)
{
    static const char why[] = "it was begun on another cluster: `ssweep run` "
                              "brings its checkpoint, a job with --sweep-cell "
                              "does not";
    const struct queue_end back = {.state = CELL_PARTIAL, .cause = "released",
                                   .why = why, .step = claim->step};
    int rc = is_elsewhere(run, c, claim, err);

    if (rc == 0)
        return 0;
    if (queue_end(c->queue, claim->index, claim->gen, &back, NULL,
                  rc > 0 ? err : NULL) != 0 || rc < 0)
        return -1;
    run_say(run, "cell %s is left alone: %s", claim->id, why);
    return 1;
}

/* 1 claimed, 0 none, -1. */
static int next_here(struct run *run, struct cellrun *c,
                     struct queue_claim *claim, struct relay_error *err)
{
    uint64_t avoid[MAX_AVOIDED];
    struct queue_want want = {.avoid = avoid};
    enum queue_next what = QUEUE_CLAIMED;
    int rc;

    for (;;) {
        if (queue_next(c->queue, &want, &what, claim, err) != 0)
            return -1;
        if (what != QUEUE_CLAIMED)
            return 0;
        rc = refuse_elsewhere(run, c, claim, err);
        if (rc <= 0)
            return rc == 0 ? 1 : -1;
        if (want.navoid == MAX_AVOIDED)
            return 0;
        avoid[want.navoid++] = claim->index;
    }
}

static int claim_next(struct run *run, struct cellrun *c,
                      struct queue_claim *claim, char *why, size_t why_size,
                      struct relay_error *err)
{
    char counts[300];
    int rc;

    if (claim_former(run, c, claim) == 1)
        return 1;
    rc = next_here(run, c, claim, err);
    if (rc != 0)
        return rc;
    cellrun_counts(c, counts, sizeof(counts));
    snprintf(why, why_size, "sweep %s has no cell for this job (%s): it is "
                            "surplus and ends", c->sweep.name, counts);
    return 0;
}

static int say_done(const struct cellrun *c, const char *which, char *why,
                    size_t why_size)
{
    snprintf(why, why_size, "cell %s of sweep %s is done: nothing to do "
                            "(ssweep retry --force %s %s runs it again)",
             which, c->sweep.name, c->sweep.path, which);
    return 0;
}

static int claim_named(struct run *run, struct cellrun *c, const char *which,
                       struct queue_claim *claim, char *why, size_t why_size,
                       struct relay_error *err)
{
    uint64_t index;

    run->cell.named = true;
    if (cellrun_find(c, which, &index, err) != 0)
        return -1;
    if (queue_state(c->queue, index) == CELL_DONE)
        return say_done(c, which, why, why_size);
    if (queue_claim_cell(c->queue, index, claim, err) == 0) {
        int rc = refuse_elsewhere(run, c, claim, err);

        if (rc == 1)
            return relay_fail(err, EX_DATAERR,
                              "cell %s was begun on another cluster: `ssweep "
                              "run %s` brings its checkpoint here", which,
                              c->sweep.path);
        return rc == 0 ? 1 : -1;
    }
    return queue_state(c->queue, index) == CELL_DONE
               ? say_done(c, which, why, why_size) : -1;
}

static int try_claim(struct run *run, struct cellrun *c, const char *which,
                     struct queue_claim *claim, char *why, size_t why_size,
                     struct relay_error *err)
{
    if (refresh(run, c, err) != 0)
        return -1;
    return which[0] != '\0'
               ? claim_named(run, c, which, claim, why, why_size, err)
               : claim_next(run, c, claim, why, why_size, err);
}

/* --- jobs that are about to give a cell back ------------------------------ */

/* An epilog has PrologEpilogTimeout and a little more; ours ends sooner. */
enum { ENDING_MS = 60000, ENDING_PAUSE_MS = 500, MAX_LOOKS = 8 };

struct ending {
    struct run *run;
    struct cellrun *c;
    const char *which; /* "": any */
    int looks;
    char job[32];
};

static int is_ending(void *arg, const struct board_note *note,
                     enum cell_state state)
{
    struct ending *e = arg;
    struct lease lease = {.kind = LEASE_CLAIM};
    struct gate_holder holder;
    uint64_t index = note->index;

    if (state != CELL_RUNNING ||
        (e->which[0] != '\0' &&
         (sweep_find(&e->c->sweep, e->which, &index, NULL) != 0 ||
          index != note->index)))
        return 0;
    if (++e->looks > MAX_LOOKS)
        return -1;
    if (!queue_writer(e->c->queue, note->writer, &lease.owner) ||
        gate_look_quickly(e->run, &lease, &holder) != 0 || !holder.ending)
        return 0;
    snprintf(e->job, sizeof(e->job), "%s", lease.owner.job_id);
    return 1;
}

/* A cancelled job has its cell until its epilog has run, which takes some
 * seconds: a cell that is about to be free is waited for. */
static bool worth_waiting(struct run *run, struct cellrun *c,
                          const char *which, bool *said)
{
    struct ending e = {.run = run, .c = c, .which = which};

    if (process_cancelled() != 0 ||
        queue_each_note(c->queue, is_ending, &e) != 1)
        return false;
    if (!*said)
        run_say(run, "sweep %s: waiting for job %s to end", c->sweep.name,
                e.job);
    *said = true;
    clock_sleep_ms(ENDING_PAUSE_MS);
    return true;
}

int cellrun_claim(struct run *run, struct cellrun *c, const char *which,
                  char *why, size_t why_size, struct relay_error *err)
{
    int64_t until = clock_ms() + ENDING_MS;
    struct queue_claim claim = {0};
    struct relay_error none = {0};
    bool said = false;
    int rc;

    do {
        rc = try_claim(run, c, which, &claim, why, why_size, &none);
    } while ((rc == 0 || (rc < 0 && none.code == EX_NOPERM)) &&
             clock_ms() < until && worth_waiting(run, c, which, &said));
    if (rc < 0)
        return relay_fail(err, none.code, "%s", none.text);
    if (rc == 0)
        return 0;
    run->cell.index = claim.index;
    run->cell.gen = claim.gen;
    if (roster_cell(c->sweep.roster, claim.index, &c->cell, err) == 0)
        return 1;
    (void)cellrun_give_back(run, c, "refused", NULL, NULL);
    return -1;
}

/* --- ending -------------------------------------------------------------- */

/* The signal that ended the body, as a signal or by a shell's exit code; 0:
 * none did. */
static int ended_by(int status)
{
    if (WIFSIGNALED(status))
        return WTERMSIG(status);
    if (WIFEXITED(status) && WEXITSTATUS(status) > 128)
        return WEXITSTATUS(status) - 128;
    return 0;
}

/* Slurm ends jobs by these; the epilog cannot tell why (design section 7). */
static bool may_be_slurm(int status)
{
    switch (ended_by(status)) {
    case SIGTERM:
    case SIGKILL:
    case SIGINT:
    case SIGHUP:
    case SIGXCPU:
    case SIGUSR1: /* sbatch --signal, of a body that does not know it */
    case SIGUSR2:
        return true;
    default:
        return false;
    }
}

/* In the epilog of a run that was requeued the count is the next run's already
 * (measured on Slurm 22.05 and 26.05); elsewhere it is not set. */
static bool was_requeued(const struct run *run)
{
    const char *count = slurmenv("SLURM_JOB_RESTART_COUNT");

    return count != NULL && strtoll(count, NULL, 10) > run->self.restart;
}

static const char *stopped_by(const struct run *run, struct cellrun *c,
                              int status)
{
    if (queue_asked(c->queue, run->cell.index, run->cell.gen))
        return "cancelled";
    if (was_requeued(run))
        return "requeued";
    return status < 0 || may_be_slurm(status) ? CAUSE_UNRESOLVED : NULL;
}

void cellrun_judge(const struct run *run, struct cellrun *c, int status,
                   bool ran, struct outcome *out)
{
    const struct relay_lines *lines = roster_info(c->sweep.roster)->lines;
    bool own = lines != NULL && lines->ndone > 0;
    char state[2048];
    struct outcome_facts facts = {
        .dir = run->cell.dir,
        .state_dir = state,
        .log = run->out_path[0] != '\0' ? run->out_path : NULL,
        .log_from = run->out_from,
        .checks = own ? lines->done : run->cfg.done,
        .n = own ? lines->ndone : run->cfg.ndone,
        .status = status,
        .stopped = ran ? stopped_by(run, c, status) : NULL,
    };

    run_state_dir(run, state, sizeof(state));
    outcome_judge(&facts, out);
    if (out->state == CELL_PARTIAL && facts.stopped != NULL &&
        strcmp(out->cause, CAUSE_UNRESOLVED) == 0)
        snprintf(out->why, sizeof(out->why), status < 0
                     ? "nothing is known of its end"
                     : "signal %d ended it; Slurm knows why",
                 status < 0 ? 0 : ended_by(status));
}

/* A claim that is another's by now is none of ours to end. */
static int record(struct run *run, struct cellrun *c,
                  const struct queue_end *end, struct relay_error *err)
{
    enum cell_state final = end->state;
    struct relay_error why = {0};

    if (run->cell.gen == 0)
        return 0;
    if (queue_end(c->queue, run->cell.index, run->cell.gen, end, &final,
                  &why) != 0 && why.code != EX_NOPERM)
        return relay_fail(err, why.code, "%s", why.text);
    if (why.code == EX_NOPERM)
        run_log(run, "cell %s: nothing is recorded: %s", c->cell.id, why.text);
    else
        run_log(run, "cell %s is %s (%s)%s%s", c->cell.id,
                cell_state_name(final), end->cause,
                end->why != NULL && end->why[0] != '\0' ? ": " : "",
                end->why != NULL ? end->why : "");
    return 0;
}

int cellrun_record(struct run *run, struct cellrun *c, int status,
                   const struct outcome *out, struct relay_error *err)
{
    int64_t now = clock_wall();
    struct queue_end end = outcome_end(out);

    if (run->cell.began > 0 && now > run->cell.began)
        end.seconds = now - run->cell.began;
    if (run->cell.began > 0)
        cellattempt_end(run, status, &end);
    return record(run, c, &end, err);
}

int cellrun_end(struct run *run, struct cellrun *c, int status,
                struct relay_error *err)
{
    struct outcome out;

    cellrun_judge(run, c, status, true, &out);
    return cellrun_record(run, c, status, &out, err);
}

int cellrun_give_back(struct run *run, struct cellrun *c, const char *cause,
                      const char *why, struct relay_error *err)
{
    const struct queue_end end = {.state = CELL_PARTIAL, .cause = cause,
                                  .why = why, .step = run->found_step};

    return record(run, c, &end, err);
}

int cellrun_hold(struct run *run, struct cellrun *c, const char *why,
                 struct relay_error *err)
{
    const struct queue_end end = {.state = CELL_QUARANTINED,
                                  .cause = "refused", .why = why,
                                  .step = run->found_step};

    return record(run, c, &end, err);
}
