/* The cell of a sweep that a job runs. */
#include "stage_cell.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "jobenv.h"
#include "liveness.h"
#include "process.h"
#include "slurmenv.h"
#include "stage_job.h"
#include "sweep/cellattempt.h"
#include "sweep/cellref.h"

/* --- before there is a key ----------------------------------------------- */

static int parse_value(const struct run_options *opt, struct cellref *ref,
                       struct relay_error *err)
{
    return cellref_parse(opt->sweep_cell, slurmenv("SLURM_ARRAY_JOB_ID"),
                         slurmenv("SLURM_ARRAY_TASK_ID"), ref, err);
}

/* Ends the job without a body, here and on its other nodes. */
static int end_surplus(struct run *run, const char *why,
                       enum stage_verdict *verdict, struct relay_error *err)
{
    *verdict = STAGE_DONE;
    run_say(run, "%s", why);
    if (jobenv_publish(run, -2, NULL, 0, err) != 0)
        return -1;
    return stage_write_verdict(run, "done\n", "", 0, err);
}

/* Refuses a job whose run is not open: nobody else says so to its tasks. */
static void tell_refusal(struct run *run, const struct relay_error *err)
{
    char verdict[16];

    snprintf(verdict, sizeof(verdict), "%d\n", err->code);
    (void)jobenv_publish(run, err->code, NULL, 0, NULL);
    (void)stage_write_verdict(run, verdict, "", 0, NULL);
}

/* An array with more tasks than there are cells is not wrong. */
static bool is_beyond(const struct run_options *opt, const struct cellref *ref,
                      const struct cellrun *c, char *why, size_t size)
{
    uint64_t cells = roster_size(c->sweep.roster);
    const char *last = strrchr(opt->sweep_cell, ':');

    if (last == NULL || strcmp(last, ":%a") != 0 ||
        strtoull(ref->cell + 1, NULL, 10) < cells)
        return false;
    snprintf(why, size, "sweep %s has %" PRIu64 " cells, counted from #0: "
                        "there is none for array task %s, which is surplus "
                        "and ends", c->sweep.name, cells, ref->cell + 1);
    return true;
}

static int claim(const struct run_options *opt, struct run *run,
                 struct cellrun *c, char *why, size_t size,
                 struct relay_error *err)
{
    struct cellref ref;

    if (parse_value(opt, &ref, err) != 0)
        return -1;
    if (is_beyond(opt, &ref, c, why, size))
        return 0;
    return cellrun_claim(run, c, ref.cell, why, size, err);
}

/* --- under its key ------------------------------------------------------- */

static int open_under_key(const struct run_options *opt, struct run *run,
                          const char *key, struct relay_error *err)
{
    struct run_options own = *opt;

    own.key = key;
    return run_set_key(&own, run, err);
}

static int open_cell_key(const struct run_options *opt, struct run *run,
                         const struct cellrun *c, const char *id,
                         struct relay_error *err)
{
    char key[KEY_MAX + 1];

    return sweep_cell_key(&c->sweep, id, key, sizeof(key), err) == 0
               ? open_under_key(opt, run, key, err) : -1;
}

/* A job that trained to the end and could not say so any more. */
static int end_complete(struct run *run, struct cellrun *c,
                        struct relay_error *err)
{
    struct outcome out;

    cellrun_judge(run, c, -1, false, &out);
    return cellrun_record(run, c, -1, &out, err);
}

static int refuse_early(struct run *run, const struct relay_error *err)
{
    tell_refusal(run, err);
    stage_cell_refused(run, err);
    return -1;
}

static int stage_claimed(const struct run_options *opt, struct run *run,
                         struct cellrun *c, enum stage_verdict *verdict,
                         char **env, size_t *env_len, struct relay_error *err)
{
    char why[700] = "";
    int rc;

    if (open_cell_key(opt, run, c, c->cell.id, err) != 0)
        return refuse_early(run, err);
    rc = cellattempt_prepare(run, c, why, sizeof(why), err);
    if (rc < 0)
        return refuse_early(run, err);
    if (rc == 0)
        return end_surplus(run, why, verdict, err);
    run_say(run, "cell %s (#%" PRIu64 ") of sweep %s", c->cell.id,
            c->cell.index, c->sweep.name);
    if (stage_in(run, verdict, env, env_len, err) != 0)
        return -1; /* which has given the cell back */
    return *verdict == STAGE_DONE ? end_complete(run, c, err) : 0;
}

/* The gate of this very job may be on another node: its key is known then. */
static int adopt(const struct run_options *opt, struct run *run,
                 char **env, size_t *env_len, struct relay_error *err)
{
    struct relay_error why = {0};
    const char *key;
    int code, rc = 0;

    if (run->jobfd < 0 || jobenv_look(run, &code, env, env_len, &why) != 1)
        return 0;
    key = jobenv_get(*env, *env_len, "RELAY_RESUME_KEY");
    if (code == 0 && key != NULL)
        rc = open_under_key(opt, run, key, err) == 0 ? 1 : -1;
    free(*env);
    *env = NULL;
    return rc == 1 ? stage_adopt(run, env, env_len, err) : rc;
}

/* Opened: claims, and stages in what it got. */
static int stage_opened(const struct run_options *opt, struct run *run,
                        struct cellrun *c, enum stage_verdict *verdict,
                        char **env, size_t *env_len, struct relay_error *err)
{
    char why[700] = "";
    int rc = adopt(opt, run, env, env_len, err);

    if (rc != 0) {
        *verdict = STAGE_RUN;
        return rc == 1 ? 0 : -1;
    }
    jobenv_withdraw(run);
    stage_cell_resolve(opt, run, c);
    rc = claim(opt, run, c, why, sizeof(why), err);
    if (rc == 1)
        return stage_claimed(opt, run, c, verdict, env, env_len, err);
    if (rc == 0)
        return end_surplus(run, why, verdict, err);
    tell_refusal(run, err);
    return -1;
}

int stage_cell_in(const struct run_options *opt, struct run *run,
                  enum stage_verdict *verdict, char **env, size_t *env_len,
                  struct relay_error *err)
{
    struct cellrun c = {.sweep.fd = -1};
    struct cellref ref;
    int rc;

    *verdict = STAGE_REFUSED;
    *env = NULL;
    *env_len = 0;
    if (run_begin(opt, run, err) != 0 || parse_value(opt, &ref, err) != 0)
        return -1;
    if (run->self.job_id[0] != '\0')
        (void)liveness_self(&run->self); /* else by the environment */
    if (cellrun_open(run, ref.sweep, true, &c, err) != 0) {
        tell_refusal(run, err);
        rc = -1;
    } else {
        run->cell.open = &c;
        rc = stage_opened(opt, run, &c, verdict, env, env_len, err);
        run->cell.open = NULL;
    }
    cellrun_close(&c);
    return rc;
}

int stage_cell_follow(const struct run_options *opt, struct run *run,
                      enum stage_verdict *verdict, char **env,
                      size_t *env_len, struct relay_error *err)
{
    struct cellrun c = {.sweep.fd = -1};
    struct cellref ref;
    int rc;

    *verdict = STAGE_REFUSED;
    *env = NULL;
    if (run_begin(opt, run, err) != 0 || parse_value(opt, &ref, err) != 0)
        return -1;
    rc = cellrun_open(run, ref.sweep, false, &c, err);
    cellrun_close(&c);
    return rc == 0 ? stage_follow(run, verdict, env, env_len, err) : -1;
}

int stage_cell_env(struct run *run, struct cellenv *env,
                   struct relay_error *err)
{
    struct cellrun *c = run->cell.open;
    const struct cellenv_options opt = {.cluster = run->cfg.cluster};

    if (cellenv_make(&c->sweep, &c->cell, NULL, &opt,
                     cellattempt_redone(run, c), env, err) != 0)
        return -1;
    run_note_output(run);
    return cellattempt_begin(run, c, env, err);
}

/* --- its end ------------------------------------------------------------- */

/* What is wrong with a cell's own state, or who else has its run, does not
 * change by itself: the next job would meet it too. */
static bool is_for_a_person(const struct run *run,
                            const struct relay_error *err)
{
    return !run->cell.named && process_cancelled() == 0 &&
           (err->code == EX_DATAERR || err->code == EX_NOPERM);
}

void stage_cell_refused(struct run *run, const struct relay_error *err)
{
    struct relay_error minor = {0};
    bool cancelled = process_cancelled() != 0;
    int rc;

    if (run->cell.open == NULL)
        return;
    if (is_for_a_person(run, err))
        rc = cellrun_hold(run, run->cell.open, err->text, &minor);
    else
        rc = cellrun_give_back(run, run->cell.open,
                               cancelled ? "cancelled" : "refused",
                               cancelled ? NULL : err->text, &minor);
    if (rc != 0)
        run_say(run, "the cell could not be given back: %s", minor.text);
}

void stage_cell_out(struct run *run, int status, bool let_go)
{
    struct cellrun c = {.sweep.fd = -1};
    struct relay_error err = {0};
    int rc = -1;

    if (run->cell.sweep[0] == '\0' || run->cell.gen == 0)
        return;
    if (cellrun_reopen(run, &c, &err) == 0)
        rc = let_go ? cellrun_end(run, &c, status, &err)
                    : cellrun_give_back(run, &c, "cancelled", NULL, &err);
    if (rc != 0)
        run_log(run, "how the cell ended is not recorded: %s", err.text);
    cellrun_close(&c);
}
