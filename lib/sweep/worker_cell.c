/* The start of a cell: directory, environment, words, child. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cellfetch.h"
#include "cellfiles.h"
#include "clock.h"
#include "metadata.h"
#include "wandbsync.h"
#include "worker_state.h"

enum {
    LOOK_FIRST_MS = 500, /* a short cell is over by then */
    MAX_PLACES = 64,
    AVOID_MS = 10 * 60 * 1000,
    /* Codes of errors that are no more than that: it is given back. */
    SKIPPED = -1,
    STRANDED = -2
};

/* --- words --------------------------------------------------------------- */

/* The place of NAME=... in w, or NULL. */
static char **find_word(const struct words *w, const char *name)
{
    size_t len = strlen(name);
    size_t i;

    for (i = 0; i < w->n; i++) {
        if (strncmp(w->word[i], name, len) == 0 && w->word[i][len] == '=')
            return &w->word[i];
    }
    return NULL;
}

/* Sets NAME=VALUE, in the place of an older one. */
static int set_word(struct words *w, const char *name, const char *value,
                    struct relay_error *err)
{
    char **old = find_word(w, name);
    char *word;
    int rc = 0;

    if (asprintf(&word, "%s=%s", name, value) < 0)
        return relay_fail(err, EX_OSERR, "out of memory");
    if (old != NULL) {
        free(*old);
        *old = word;
        return 0;
    }
    rc = words_add(w, word, err);
    free(word);
    return rc;
}

/* --- evidence of earlier attempts ---------------------------------------- */

void cell_facts(const struct worker *w, const struct slot *slot, int status,
                char *log, size_t size, struct outcome_facts *facts)
{
    const struct relay_lines *lines = roster_info(w->sweep.roster)->lines;
    bool own = lines != NULL && lines->ndone > 0;

    snprintf(log, size, "%s/" CELL_LOG, slot->env.dir);
    *facts = (struct outcome_facts){
        .dir = slot->env.dir,
        .state_dir = slot->state_dir,
        .log = log,
        .log_from = slot->log_from,
        .checks = own ? lines->done : w->cfg.done,
        .n = own ? lines->ndone : w->cfg.ndone,
        .status = status,
        .deep = true};
}

/* What an attempt left that was judged already says nothing of the next one.
 * Done and unproven cells are begun anew by --force alone. */
static int clear_evidence(struct slot *slot, const struct metadata_last *last,
                          struct relay_error *err)
{
    if (!last->known || !last->ended)
        return 0;
    return cellfiles_clear(slot->env.dir,
                           metadata_redone(last, slot->claim.gen), err);
}

/* What nobody has judged yet for this sweep may be proof (metadata.h). 1 when
 * it says that the cell is done or refuted (recorded then), 0 when the cell is
 * to be run, -1. */
static int adopt(struct worker *w, struct slot *slot,
                 const struct metadata_last *last, struct relay_error *err)
{
    struct outcome_facts facts;
    struct queue_end end;
    struct outcome out;
    char log[4200];

    if (metadata_judged(last, w->sweep.path, slot->claim.gen))
        return 0;
    cell_facts(w, slot, -1, log, sizeof(log), &facts);
    outcome_judge(&facts, &out);
    /* completed: false of a run that was interrupted refutes nothing. */
    if (out.state != CELL_DONE &&
        !(out.refuted && cellfiles_summary_judges(slot->env.dir)))
        return 0;
    end = outcome_end(&out);
    if (cell_record(w, slot, &end, NULL, err) != 0)
        return -1;
    worker_say(w, "cell %s was %s already%s%s", slot->claim.id,
               out.state == CELL_DONE ? "done" : "tried",
               out.refuted ? "; it waits for a person: " : "",
               out.refuted ? out.why : "");
    return 1;
}

/* --- environment --------------------------------------------------------- */

static int number(struct slot *slot, const char *name, int64_t value,
                  struct relay_error *err)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, value);
    return set_word(&slot->env.set, name, text, err);
}

/* Buffered W&B: a directory for this attempt alone. */
static int begin_buffer(struct worker *w, struct slot *slot,
                        struct relay_error *err)
{
    char path[4300];

    if (!w->opt->wandb_buffer || w->opt->no_wandb)
        return 0;
    if (wandbsync_begin(slot->env.dir, slot->start_step, path, sizeof(path),
                        err) != 0)
        return -1;
    slot->attempt_dir = strdup(path);
    if (slot->attempt_dir == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    return set_word(&slot->env.set, "WANDB_DIR", path, err);
}

/* What is a worker's to say, beside what every cell's environment has. */
static int finish_env(struct worker *w, struct slot *slot,
                      struct relay_error *err)
{
    if (begin_buffer(w, slot, err) != 0)
        return -1;
    if (slot->gpus != NULL &&
        set_word(&slot->env.set, "CUDA_VISIBLE_DEVICES", slot->gpus, err) != 0)
        return -1;
    if (words_add(&slot->env.unset, "RELAY_RESUME_STEP", err) != 0)
        return -1;
    if (slot->start_step >= 0 &&
        number(slot, "RELAY_RESUME_STEP", slot->start_step, err) != 0)
        return -1;
    return cellenv_apply(&slot->env, environ, &slot->all_env, err);
}

static int find_state_dir(struct slot *slot, struct relay_error *err)
{
    char **word = find_word(&slot->env.set, "RELAY_RESUME_DIR");

    if (word == NULL)
        return 0;
    slot->state_dir = strdup(strchr(*word, '=') + 1);
    return slot->state_dir != NULL ? 0
                                   : relay_fail(err, EX_OSERR, "out of memory");
}

/* The directory has to be known before the environment: it tells how often
 * the cell was begun anew. */
static int make_env(struct worker *w, struct slot *slot,
                    struct metadata_last *last, struct relay_error *err)
{
    const struct cellenv_options opt = {.group = w->opt->group,
                                        .no_wandb = w->opt->no_wandb,
                                        .offline = w->opt->wandb_buffer,
                                        .cluster = w->opt->cluster,
                                        .resume_root = w->resume_root};
    char *dir;

    if (roster_cell(w->sweep.roster, slot->claim.index, &slot->cell, err) != 0)
        return -1;
    dir = sweep_cell_dir(&w->sweep, &slot->cell, w->out_root, err);
    if (dir == NULL)
        return -1;
    metadata_read(dir, slot->cell.id, last);
    free(dir);
    if (last->first_checkpoint > w->checkpoint_fresh)
        w->checkpoint_fresh = last->first_checkpoint; /* as it took then */
    slot->attempt = last->attempt + 1;
    slot->redone = last->redone;
    if (metadata_redone(last, slot->claim.gen))
        slot->redone++;
    if (cellenv_make(&w->sweep, &slot->cell, w->out_root, &opt,
                     slot->redone > 0 ? (int)slot->redone + 1 : 0, &slot->env,
                     err) != 0)
        return -1;
    return find_state_dir(slot, err);
}

/* --- the child ----------------------------------------------------------- */

/* The log, opened to append; of a later attempt with a line that says so. */
static int open_log(struct slot *slot, struct relay_error *err)
{
    char path[4200], now[32];
    struct stat st;
    int fd;

    snprintf(path, sizeof(path), "%s/" CELL_LOG, slot->env.dir);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        return relay_fail_errno(err, EX_CANTCREAT, "cannot open %s", path);
    if (fstat(fd, &st) == 0 && st.st_size > 0) {
        clock_iso(slot->started, now, sizeof(now));
        dprintf(fd, "--- ssweep: attempt %" PRId64 ", %s ---\n",
                slot->attempt, now);
        if (fstat(fd, &st) != 0)
            st.st_size = 0;
    }
    slot->log_from = st.st_size;
    return fd;
}

static int start(struct worker *w, struct slot *slot, struct relay_error *err)
{
    struct keeper_spec spec = {.dir = w->workdir};
    int rc;

    slot->began = clock_ms();
    slot->started = clock_wall();
    spec.log = open_log(slot, err);
    if (spec.log < 0)
        return -1;
    spec.argv = slot->argv.word;
    spec.env = slot->all_env.word;
    rc = cell_metadata(w, slot, -1, NULL, err);
    if (rc == 0)
        rc = keeper_start(&spec, &slot->keeper, err);
    close(spec.log);
    return rc;
}

/* --- state on another cluster --------------------------------------------- */

static void say(void *arg, const char *text)
{
    worker_say(arg, "%s", text);
}

/* Brings the cell's state from one of these places. 0, or -1: it must not be
 * begun here. */
static int fetch_from(struct worker *w, struct slot *slot,
                      const struct queue_place *places, size_t n,
                      struct relay_error *err)
{
    struct cellfetch fetch = {.cfg = &w->cfg,
                              .home = w->home->peer,
                              .home_name = w->home->name,
                              .sweep = &w->sweep,
                              .claim = &slot->claim,
                              .places = places,
                              .nplaces = n,
                              .resume_root = w->resume_root,
                              .run_root = w->run_root,
                              .say = say,
                              .arg = w};
    struct cell cell = {0};
    char *dir = NULL;
    int rc;

    rc = roster_cell(w->sweep.roster, slot->claim.index, &cell, err);
    if (rc == 0)
        dir = sweep_cell_dir(&w->sweep, &cell, w->out_root, err);
    fetch.cell = &cell;
    fetch.dir = dir;
    rc = dir != NULL ? cellfetch(&fetch, err) : -1;
    free(dir);
    cell_free(&cell);
    return rc < 0 ? -1 : 0;
}

/* What the cell reached elsewhere, by the queue. 0, or -1. */
static int bring_state(struct worker *w, struct slot *slot,
                       struct relay_error *err)
{
    struct queue_place places[MAX_PLACES];
    size_t n;

    if (home_places(w->home, &slot->claim, places, MAX_PLACES, &n, err) != 0)
        return -1;
    return n > 0 ? fetch_from(w, slot, places, n, err) : 0;
}

/* Gives back a cell whose state cannot be had: others may have it, and so may
 * we, later. */
static int set_aside(struct worker *w, struct slot *slot,
                     const struct relay_error *why, struct relay_error *err)
{
    const struct queue_end back = {.state = CELL_PARTIAL, .cause = "released",
                                   .why = why->text, .step = -1};
    uint64_t *avoid = realloc(w->avoid, (w->navoid + 1) * sizeof(*avoid));
    int rc = cell_record(w, slot, &back, NULL, err);

    if (avoid == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    worker_say(w, "cell %s is given back: %s", slot->claim.id, why->text);
    w->avoid = avoid;
    w->avoid[w->navoid++] = slot->claim.index;
    w->avoid_until = clock_ms() + AVOID_MS;
    w->stranded = w->stranded || why->code != SKIPPED;
    slot_clear(slot);
    return rc;
}

/* --- the tracker ---------------------------------------------------------- */

/* What the cell reached on a cluster whose queue is not ours: its resume
 * directory is where that cluster has them. */
static int bring_from(struct worker *w, struct slot *slot, const char *from,
                      struct relay_error *err)
{
    const struct queue_place place = {.gen = 0};
    struct queue_place places[1] = {place};

    snprintf(places[0].cluster, sizeof(places[0].cluster), "%s", from);
    return fetch_from(w, slot, places, 1, err);
}

static int done_elsewhere(struct worker *w, struct slot *slot,
                          const char *why, struct relay_error *err)
{
    const struct queue_end end = {.state = CELL_DONE, .cause = "elsewhere",
                                  .why = why, .step = -1};

    if (cell_record(w, slot, &end, NULL, err) != 0)
        return -1;
    worker_say(w, "cell %s is done: %s", slot->claim.id, why);
    return 1;
}

/* The claim's tag, beside those that the run is to have. */
static int add_tag(struct worker *w, struct slot *slot, const char *id,
                   struct relay_error *err)
{
    char tag[65], tags[700];
    char **old = find_word(&slot->env.set, "WANDB_TAGS");
    int rc = celltracker_tag(&w->tracker, id, tag, err);

    if (rc != 0)
        return rc < 0 ? -1 : 0;
    snprintf(tags, sizeof(tags), "%s%s%s",
             old != NULL ? strchr(*old, '=') + 1 : "", old != NULL ? "," : "",
             tag);
    return set_word(&slot->env.set, "WANDB_TAGS", tags, err);
}

/* Has another cluster the cell? 0 it is to be run here; 1 it is not, and that
 * is recorded; -1, with the code SKIPPED or STRANDED when it is to be given
 * back. */
static int ask_tracker(struct worker *w, struct slot *slot, bool ours,
                       struct relay_error *err)
{
    char **word = find_word(&slot->env.set, "WANDB_RUN_ID");
    const char *id = word != NULL ? strchr(*word, '=') + 1 : NULL;
    enum celltracker_says says;
    struct queue_end held = {.state = CELL_QUARANTINED, .cause = "tombstone",
                             .step = -1};
    char from[64], why[400];
    int rc;

    if (id == NULL || w->tracker.tracker == NULL)
        return 0;
    if (celltracker_ask(&w->tracker, id, ours, &says, from, why, err) != 0)
        return -1;
    switch (says) {
    case CELLTRACKER_RUN:
        break;
    case CELLTRACKER_BRING:
        if (bring_from(w, slot, from, err) != 0) {
            err->code = STRANDED;
            return -1;
        }
        rc = celltracker_take(&w->tracker, id, why, err);
        if (rc <= 0)
            return rc < 0 ? -1 : relay_fail(err, SKIPPED, "%s", why);
        break;
    case CELLTRACKER_DONE:
        return done_elsewhere(w, slot, why, err);
    case CELLTRACKER_SKIP:
        return relay_fail(err, SKIPPED, "%s", why);
    case CELLTRACKER_LOST:
        held.why = why;
        worker_say(w, "cell %s waits for a person: %s", slot->claim.id, why);
        return cell_record(w, slot, &held, NULL, err) == 0 ? 1 : -1;
    }
    return add_tag(w, slot, id, err);
}

static int prepare(struct worker *w, struct slot *slot,
                   struct relay_error *err)
{
    struct metadata_last last;
    char json[4200];
    int rc;

    slot->first_checkpoint = -1;
    if (make_env(w, slot, &last, err) != 0)
        return -1;
    rc = adopt(w, slot, &last, err);
    if (rc != 0)
        return rc;
    rc = ask_tracker(w, slot, last.known, err);
    if (rc != 0)
        return rc;
    if (clear_evidence(slot, &last, err) != 0)
        return -1;
    slot->start_step = outcome_step(slot->env.dir, slot->state_dir);
    slot->step = slot->start_step;
    snprintf(json, sizeof(json), "%s/.relay/params.json", slot->env.dir);
    if (finish_env(w, slot, err) != 0 ||
        worker_words(&w->sweep, &slot->cell, w->opt->command, json,
                     &slot->argv, err) != 0)
        return -1;
    return start(w, slot, err);
}

void slot_clear(struct slot *slot)
{
    cell_free(&slot->cell);
    cellenv_free(&slot->env);
    words_free(&slot->all_env);
    words_free(&slot->argv);
    free(slot->state_dir);
    free(slot->attempt_dir);
    *slot = (struct slot){.number = slot->number, .gpus = slot->gpus,
                          .keeper = {.pid = -1, .fd = -1}};
}

static void say_begin(const struct worker *w, const struct slot *slot)
{
    char how[80] = "begins";

    if (slot->start_step >= 0)
        snprintf(how, sizeof(how), "resumes at step %" PRId64,
                 slot->start_step);
    else if (slot->attempt > 1)
        snprintf(how, sizeof(how), "begins anew (attempt %" PRId64 ")",
                 slot->attempt);
    worker_say(w, "cell %s (#%" PRIu64 ") %s%s%s: %s/" CELL_LOG,
               slot->claim.id, slot->claim.index, how,
               slot->gpus != NULL ? " on GPU " : "",
               slot->gpus != NULL ? slot->gpus : "", slot->env.dir);
}

int cell_begin(struct worker *w, struct slot *slot, struct relay_error *err)
{
    struct queue_end back = {.state = CELL_PARTIAL, .cause = "released",
                             .step = -1};
    struct relay_error why = {0};
    int rc;

    if (slot->claim.gen > 1 && bring_state(w, slot, &why) != 0)
        return set_aside(w, slot, &why, err);
    rc = prepare(w, slot, &why);
    if (rc < 0 && why.code < 0)
        return set_aside(w, slot, &why, err);
    if (rc < 0) {
        if (err != NULL)
            *err = why;
        relay_fail_in(err, "cell %s", slot->claim.id);
        back.why = err->text;
        (void)cell_record(w, slot, &back, NULL, NULL); /* err says more */
    }
    if (rc != 0) {
        slot_clear(slot);
        return rc < 0 ? -1 : 0;
    }
    slot->busy = true;
    slot->next_asked = slot->next_look = slot->began + LOOK_FIRST_MS;
    say_begin(w, slot);
    return 1;
}
