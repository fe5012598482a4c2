/* The end of a cell: judged by evidence, recorded, said. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "clock.h"
#include "metadata.h"
#include "wandbsync.h"
#include "worker_state.h"

enum {
    QUICK_MS = 60000,
    QUICK_TIMES = 3,
    UNASKED_TIMES = 4,
    TRIES = 5,
    TRY_MS = 1000
};

int cell_metadata(const struct worker *w, const struct slot *slot, int status,
                  const struct outcome *out, struct relay_error *err)
{
    struct metadata m = {.sweep = w->sweep.path,
                         .name = w->sweep.name,
                         .id = slot->cell.id,
                         .index = slot->cell.index,
                         .gen = slot->claim.gen,
                         .attempt = slot->attempt,
                         .redone = slot->redone,
                         .params = &slot->cell.params,
                         .argv = slot->argv.word,
                         .env = slot->all_env.word,
                         .workdir = w->workdir,
                         .gpus = slot->gpus,
                         .own = &w->own,
                         .git = &w->git,
                         .started = slot->started,
                         .status = status,
                         .step = slot->step,
                         .first_checkpoint = slot->first_checkpoint};

    if (out != NULL) {
        m.ended = clock_wall();
        m.seconds = (clock_ms() - slot->began) / 1000;
        m.state = out->state;
        m.cause = out->cause;
        m.why = out->why;
    }
    return metadata_write(slot->env.dir, &m, err);
}

int cell_record(struct worker *w, const struct slot *slot,
                const struct queue_end *end, enum cell_state *final,
                struct relay_error *err)
{
    struct relay_error why = {0};
    int tries;

    for (tries = 0; tries < TRIES; tries++) {
        if (home_end(w->home, (size_t)slot->number, &slot->claim, end, final,
                     &why) == 0)
            return 0;
        if (why.code != EX_IOERR && why.code != EX_CANTCREAT)
            break;
        clock_sleep_ms(TRY_MS);
    }
    return relay_fail(err, why.code, "%s", why.text);
}

/* --- judging ------------------------------------------------------------- */

/* A program that was told to leave its node (USR1, USR2) and left it. */
static bool left_when_warned(const struct slot *slot, int status)
{
    int code;

    if (!slot->warned || status < 0)
        return false;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGUSR1 || WTERMSIG(status) == SIGUSR2;
    code = WEXITSTATUS(status);
    return code == 0 || code == 128 + SIGUSR1 || code == 128 + SIGUSR2;
}

/* A signal that is not ours is most often Slurm's, which comes for us as well.
 * A program that ends itself by one, again and again and without a step
 * forward, has failed: else it would be begun for ever. */
static void judge_unasked(struct worker *w, const struct slot *slot,
                          bool asked, struct outcome *out)
{
    size_t used = strlen(out->why);

    if (out->state != CELL_PARTIAL || asked || out->step > slot->start_step) {
        w->unasked = 0;
        return;
    }
    if (++w->unasked < UNASKED_TIMES)
        return;
    out->state = CELL_FAILED;
    out->counts = true;
    snprintf(out->cause, sizeof(out->cause), "failed");
    snprintf(out->why + used, sizeof(out->why) - used,
             ", again and again, and nobody sent it");
}

static void judge(struct worker *w, struct slot *slot, int status,
                  struct outcome *out)
{
    struct outcome_facts facts;
    char log[4200];

    cell_facts(w, slot, status, log, sizeof(log), &facts);
    facts.stopped = slot->stopped;
    if (facts.stopped == NULL && left_when_warned(slot, status)) {
        facts.stopped = "preempted";
        if (w->closing == OPEN)
            w->closing = CLOSED_TIME;
    }
    outcome_judge(&facts, out);
    out->state = outcome_end_state(out);
    judge_unasked(w, slot, facts.stopped != NULL, out);
    /* Somebody wanted this very cell to end: it is not begun again at once. */
    if (slot->asked && out->state != CELL_DONE) {
        out->state = CELL_QUARANTINED;
        snprintf(out->why, sizeof(out->why), "somebody cancelled it");
    }
    if (out->step > slot->step)
        slot->step = out->step;
    /* One that was not seen to come was there by now. */
    if (slot->first_checkpoint < 0 && slot->step > slot->start_step)
        slot->first_checkpoint = (clock_ms() - slot->began) / 1000 + 1;
}

/* Three failed first minutes in a row are the worker's, not the cells':
 * a missing module, a broken GPU. One bad cell that is tried again and again
 * is not. */
static void count_quick(struct worker *w, const struct slot *slot,
                        const struct outcome *out)
{
    if (slot->stopped != NULL || out->state == CELL_PARTIAL)
        return;
    if (out->state != CELL_FAILED || clock_ms() - slot->began >= QUICK_MS) {
        w->quick = 0;
        return;
    }
    if (w->quick == 0) {
        w->quick_of = slot->claim.index;
        w->quick_others = false;
    }
    w->quick++;
    w->quick_others = w->quick_others || slot->claim.index != w->quick_of;
    snprintf(w->quick_why, sizeof(w->quick_why), "%s", out->why);
    if (w->quick >= QUICK_TIMES && w->quick_others && w->closing == OPEN)
        w->closing = CLOSED_QUICK;
}

/* --- afterwards ---------------------------------------------------------- */

static void end_buffer(struct worker *w, struct slot *slot,
                       const struct outcome *out)
{
    struct relay_error err = {0};

    if (slot->attempt_dir == NULL)
        return;
    /* A whole run, whatever it left. */
    if (out->state == CELL_DONE || out->state == CELL_UNPROVEN)
        wandbsync_reached(slot->attempt_dir);
    if (wandbsync_settle(slot->env.dir, NULL, slot->step, &err) != 0)
        worker_say(w, "%s", err.text);
    if (w->signal == 0)
        sender_begin(w, slot->env.dir, NULL);
}

/* A program that gives wandb.init an id of its own is another run to W&B each
 * time: then nothing continues there, and it should be known. */
static void check_wandb(const struct worker *w, const struct slot *slot)
{
    char theirs[80];

    if (!w->opt->no_wandb &&
        wandbsync_other_id(slot->all_env.word, slot->started, theirs,
                           sizeof(theirs)))
        worker_say(w, "cell %s: the program named its W&B run %s itself, "
                      "without regard to WANDB_RUN_ID: W&B will not see "
                      "attempts as one run", slot->claim.id, theirs);
}

static void say_end(const struct worker *w, const struct slot *slot,
                    const struct outcome *out, enum cell_state final)
{
    char span[32], step[40] = "";

    clock_span((clock_ms() - slot->began) / 1000, span, sizeof(span));
    if (slot->step >= 0)
        snprintf(step, sizeof(step), ", step %" PRId64, slot->step);
    worker_say(w, "cell %s is %s after %s%s%s%s%s", slot->claim.id,
               cell_state_name(final), span, step,
               out->why[0] != '\0' ? ": " : "", out->why,
               out->refuted ? "; it waits for a person (ssweep retry)" : "");
}

void cell_end(struct worker *w, struct slot *slot, int status)
{
    struct relay_error err = {0};
    struct queue_end end;
    struct outcome out;
    enum cell_state final;

    judge(w, slot, status, &out);
    final = out.state;
    end = outcome_end(&out);
    end.step = slot->step;
    end.seconds = (clock_ms() - slot->began) / 1000;
    if (cell_metadata(w, slot, status, &out, &err) != 0)
        worker_say(w, "%s", err.text); /* the record counts more */
    if (cell_record(w, slot, &end, &final, &err) == 0) {
        say_end(w, slot, &out, final);
    } else {
        worker_say(w, "cell %s is %s, but that cannot be recorded: %s",
                   slot->claim.id, cell_state_name(out.state), err.text);
        if (err.code != EX_NOPERM && w->closing == OPEN) {
            w->closing = CLOSED_TROUBLE;
            w->trouble = err;
        }
    }
    check_wandb(w, slot);
    count_quick(w, slot, &out);
    end_buffer(w, slot, &out);
    slot_clear(slot);
    w->try_at = 0;
}
