/* check for --sweep-cell, at submission. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "gate.h"
#include "stage_cell.h"
#include "stage_job.h"
#include "sweep/cellref.h"

/* SWEEP alone, its patterns unexpanded. */
static void cut_cell(const char *value, char *sweep, size_t size)
{
    int len = cellref_names_cell(value)
                  ? (int)(strrchr(value, ':') - value) : (int)strlen(value);

    snprintf(sweep, size, "%.*s", len, value);
}

/* sbatch --chdir DIR: the job will be there, we are not. */
static void resolve(const char *sweep, char *path, size_t size)
{
    char dir[1024];

    if (sweep[0] != '/' && stage_chdir(dir, sizeof(dir)) &&
        (size_t)snprintf(path, size, "%s/%s", dir, sweep) < size &&
        access(path, F_OK) == 0)
        return;
    snprintf(path, size, "%s", sweep);
}

static int refuse_state(const struct cellrun *c, uint64_t index,
                        const char *which, enum cell_state state,
                        struct relay_error *err)
{
    const struct board_note *note = queue_note(c->queue, index);
    const char *why = note != NULL ? note->why : "";

    switch (state) {
    case CELL_DONE:
        return relay_fail(err, EX_DATAERR,
                          "cell %s of %s is done; to run it again: ssweep "
                          "retry --force %s %s", which, c->sweep.path,
                          c->sweep.path, which);
    case CELL_FAILED:
    case CELL_QUARANTINED:
        return relay_fail(err, EX_DATAERR,
                          "cell %s of %s is %s%s%s; to run it again: ssweep "
                          "retry %s %s", which, c->sweep.path,
                          cell_state_name(state), why[0] != '\0' ? ": " : "",
                          why, c->sweep.path, which);
    case CELL_UNPROVEN:
        return relay_fail(err, EX_DATAERR,
                          "cell %s of %s is unproven%s%s; when it is done: "
                          "ssweep accept %s %s, to run it again: ssweep retry "
                          "--force %s %s", which, c->sweep.path,
                          why[0] != '\0' ? ": " : "", why, c->sweep.path,
                          which, c->sweep.path, which);
    default:
        return 0;
    }
}

/* Somebody has it now and is alive for certain. What is not certain is for
 * the job to find out. */
static int refuse_running(struct run *run, const struct cellrun *c,
                          uint64_t index, const char *which,
                          struct relay_error *err)
{
    const struct board_note *note = queue_note(c->queue, index);
    struct lease lease = {.kind = LEASE_CLAIM};
    struct gate_holder holder;
    char span[32];

    if (queue_state(c->queue, index) != CELL_RUNNING || note == NULL ||
        !queue_writer(c->queue, note->writer, &lease.owner) ||
        gate_look_quickly(run, &lease, &holder) != 0 || !holder.alive ||
        holder.ending || stage_is_chained())
        return 0;
    clock_span(clock_wall() - note->time, span, sizeof(span));
    return relay_fail(err, EX_NOPERM,
                      "cell %s of %s runs already, since %s: %s", which,
                      c->sweep.path, span, holder.why);
}

static int open_key(const struct run_options *opt, struct run *run,
                    const struct cellrun *c, uint64_t index,
                    struct relay_error *err)
{
    struct run_options own = *opt;
    char id[CELL_ID_MAX + 1], key[KEY_MAX + 1];

    own.key = key;
    if (roster_id(c->sweep.roster, index, id, err) != 0 ||
        sweep_cell_key(&c->sweep, id, key, sizeof(key), err) != 0)
        return -1;
    return run_set_key(&own, run, err);
}

static int check_one(const struct run_options *opt, struct run *run,
                     struct cellrun *c, const char *which,
                     struct relay_error *err)
{
    enum cell_state state;
    uint64_t index;

    if (cellrun_find(c, which, &index, err) != 0)
        return -1;
    state = queue_state(c->queue, index);
    if (stage_cell_will_wait(opt, run, c, &index))
        state = CELL_PARTIAL;
    if (refuse_state(c, index, which, state, err) != 0 ||
        open_key(opt, run, c, index, err) != 0 ||
        refuse_running(run, c, index, which, err) != 0)
        return -1;
    return stage_check(run, err);
}

/* The source may have grown since somebody last looked: an empty queue is no
 * reason to refuse then. */
static bool may_grow(const struct cellrun *c)
{
    enum roster_kind kind = roster_info(c->sweep.roster)->kind;

    return kind == ROSTER_CSV || kind == ROSTER_QUEUE;
}

static int check_any(const struct run_options *opt, struct run *run,
                     struct cellrun *c, struct relay_error *err)
{
    uint64_t size = roster_size(c->sweep.roster), i = 0;
    struct board_counts n;
    char text[300];

    /* Only to see that a cell has a key, and that key a place. */
    while (i < size && roster_withdrawn(c->sweep.roster, i))
        i++;
    if (i < size && open_key(opt, run, c, i, err) != 0)
        return -1;
    if (run->from_cluster[0] != '\0' &&
        config_find(&run->cfg, run->from_cluster, err) == NULL)
        return -1;
    queue_counts(c->queue, &n);
    cellrun_counts(c, text, sizeof(text));
    if (n.of[CELL_WAITING] + n.of[CELL_PARTIAL] + n.of[CELL_RUNNING] == 0 &&
        !may_grow(c) && !stage_is_chained() &&
        !stage_cell_will_wait(opt, run, c, NULL))
        return relay_fail(err, EX_DATAERR, "sweep %s has nothing left to run: "
                                           "%s", c->sweep.path, text);
    fprintf(stderr, "relay: sweep %s: %s\n", c->sweep.name, text);
    return 0;
}

int stage_cell_check(const struct run_options *opt, struct run *run,
                     struct relay_error *err)
{
    struct cellrun c = {.sweep.fd = -1};
    char sweep[CELLREF_MAX + 1], path[2048];
    struct cellref ref = {.cell = ""};
    bool array = cellref_is_of_array(opt->sweep_cell);
    int rc;

    if (run_begin(opt, run, err) != 0 ||
        cellref_check(opt->sweep_cell, err) != 0)
        return -1;
    cut_cell(opt->sweep_cell, sweep, sizeof(sweep));
    if (cellref_is_of_array(sweep))
        return 0; /* which sweep it is shows in the job only */
    /* Which cell, too: then the sweep is looked at. */
    if (cellref_parse(array ? sweep : opt->sweep_cell, NULL, NULL, &ref,
                      err) != 0)
        return -1;
    resolve(ref.sweep, path, sizeof(path));
    rc = cellrun_open(run, path, false, &c, err);
    /* What the script says of --chdir we do not see. */
    if (rc != 0 && ref.sweep[0] != '/' && access(path, F_OK) != 0)
        (void)relay_fail(err, EX_USAGE,
                         "--sweep-cell=%.200s: there is no such sweep here; "
                         "with --chdir in the script write the whole path",
                         opt->sweep_cell);
    if (rc == 0)
        rc = ref.cell[0] != '\0' ? check_one(opt, run, &c, ref.cell, err)
                                 : check_any(opt, run, &c, err);
    cellrun_close(&c);
    return rc;
}
