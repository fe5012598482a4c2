#include "worker.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "process.h"
#include "slurmenv.h"
#include "wandbsync.h"
#include "worker_state.h"

enum {
    ASK_MS = 3000,      /* was a cell's stop asked for? */
    LOOK_MS = 10000,    /* is there a new checkpoint? */
    FIRST_LOOK_MS = 1000, /* of a cell's first minute: short ones count, too */
    SOON_MS = 60000,
    SEND_MS = 300000,   /* between two sendings of a cell that runs */
    AWAY_MS = 15000,    /* the home is out of reach: it may be back then */
    TRY_MS = 30000,     /* nothing to claim: it may be different then */
    REFRESH_MS = 5000,  /* was something appended to the source? */
    MARGIN_S = 30,      /* for what comes after the last checkpoint */
    GUESS_MAX_S = 600   /* a cell that never checkpointed before our eyes */
};

/* Counted by the handler; what was passed on is in struct worker. */
static volatile sig_atomic_t warnings[2];

static void on_warning(int sig)
{
    warnings[sig == SIGUSR2]++;
}

void worker_say(const struct worker *w, const char *fmt, ...)
{
    va_list ap;

    if (w->opt->out == NULL)
        return;
    fputs("ssweep: ", w->opt->out);
    va_start(ap, fmt);
    vfprintf(w->opt->out, fmt, ap);
    va_end(ap);
    putc('\n', w->opt->out);
    fflush(w->opt->out);
}

/* --- time ---------------------------------------------------------------- */

static int64_t guess(const struct worker *w)
{
    struct board_counts counts;

    if (w->checkpoint_fresh > 0 || w->checkpoint_resumed > 0)
        return 0;
    home_counts(w->home, &counts);
    return counts.seconds < GUESS_MAX_S ? (int64_t)counts.seconds
                                        : GUESS_MAX_S;
}

/* Is there time for a cell? resumed: only for one that was begun before. */
static bool time_is_left(const struct worker *w, bool *resumed)
{
    int64_t left = jobtime_left(&w->time);
    int64_t fresh = w->checkpoint_fresh > 0 ? w->checkpoint_fresh : guess(w);
    int64_t again = w->checkpoint_resumed > 0 ? w->checkpoint_resumed : 0;

    *resumed = false;
    if (left == JOBTIME_UNLIMITED)
        return true;
    if (w->opt->min_time > 0)
        return left >= w->opt->min_time;
    *resumed = left < fresh + MARGIN_S;
    return left >= (*resumed ? again : fresh) + MARGIN_S;
}

/* --- claiming ------------------------------------------------------------ */

/* Takes in what was appended; true when something was. An edit that is refused
 * is said once in a while; the cells that are known go on. */
static bool take_appended(struct worker *w, bool now)
{
    struct relay_error err = {0};
    bool more;
    int rc;

    if (!now && clock_ms() < w->refresh_at)
        return false;
    w->refresh_at = clock_ms() + REFRESH_MS;
    rc = home_refresh(w->home, &err);
    more = rc > 0;
    w->refused = err;
    if (rc < 0) {
        worker_say(w, "%s", err.text);
        w->refresh_at = clock_ms() + TRY_MS;
    }
    return more;
}

/* The next cell, also of what was appended just now. 0 or -1. */
static int next_cell(struct worker *w, const struct queue_want *want,
                     struct slot *slot, struct relay_error *err)
{
    size_t number = (size_t)slot->number;

    (void)take_appended(w, false);
    if (home_next(w->home, number, want, &w->last_next, &slot->claim, err) !=
        0)
        return -1;
    if (w->last_next == QUEUE_CLAIMED || !take_appended(w, true))
        return 0;
    return home_next(w->home, number, want, &w->last_next, &slot->claim, err);
}

static void close_with(struct worker *w, enum closing why,
                       const struct relay_error *err)
{
    if (w->closing != OPEN)
        return;
    w->closing = why;
    if (err != NULL)
        w->trouble = *err;
}

static struct queue_want wanted(struct worker *w)
{
    if (w->navoid > 0 && clock_ms() >= w->avoid_until) {
        w->navoid = 0;
        w->stranded = false;
    }
    return (struct queue_want){
        .shard_index = (uint64_t)w->opt->shard_index,
        .shard_count = (uint64_t)w->opt->shard_count,
        .avoid = w->avoid,
        .navoid = w->navoid};
}

/* No claim could be had. A home on another cluster may be out of reach for a
 * while: what runs goes on, and it is tried again. */
static void no_claim(struct worker *w, const struct relay_error *err)
{
    int64_t now = clock_ms();

    if (process_cancelled() != 0)
        return;
    if (!w->home->remote || err->code != EX_TEMPFAIL) {
        close_with(w, CLOSED_TROUBLE, err);
        return;
    }
    if (w->away_since == 0) {
        w->away_since = now;
        worker_say(w, "%s; it is tried again", err->text);
    } else if (now - w->away_since > w->cfg.source_wait * 1000) {
        close_with(w, CLOSED_TROUBLE, err);
    }
    w->try_at = now + AWAY_MS;
}

/* Claims a cell for the slot and starts it. false: nothing (more) now. */
static bool fill(struct worker *w, struct slot *slot)
{
    struct queue_want want = wanted(w);
    struct relay_error err = {0};
    int rc;

    if (w->opt->max_cells > 0 && w->begun >= w->opt->max_cells) {
        close_with(w, CLOSED_ENOUGH, NULL);
        return false;
    }
    if (!time_is_left(w, &want.resumed_only)) {
        jobtime_ask(&w->time);
        if (!time_is_left(w, &want.resumed_only)) {
            close_with(w, CLOSED_TIME, NULL);
            return false;
        }
    }
    if (next_cell(w, &want, slot, &err) != 0) {
        no_claim(w, &err);
        return false;
    }
    w->away_since = 0;
    if (w->last_next != QUEUE_CLAIMED) {
        if (want.resumed_only && w->last_next == QUEUE_NOTHING_NOW)
            close_with(w, CLOSED_TIME, NULL);
        w->try_at = clock_ms() + TRY_MS;
        return false;
    }
    rc = cell_begin(w, slot, &err);
    if (rc < 0)
        close_with(w, CLOSED_TROUBLE, &err);
    w->begun += rc == 1 ? 1 : 0;
    return rc >= 0;
}

static size_t busy_slots(const struct worker *w)
{
    size_t i, n = 0;

    for (i = 0; i < w->nslots; i++)
        n += w->slots[i].busy ? 1 : 0;
    return n;
}

static void fill_slots(struct worker *w)
{
    size_t i;

    for (i = 0; i < w->nslots; i++) {
        if (w->closing == OPEN && process_cancelled() == 0 &&
            !w->slots[i].busy && clock_ms() >= w->try_at &&
            !fill(w, &w->slots[i]))
            return;
    }
}

/* --- stopping ------------------------------------------------------------ */

static void stop_cell(struct worker *w, struct slot *slot, int sig,
                      const char *why)
{
    int64_t grace = w->opt->grace > 0 ? w->opt->grace : WORKER_GRACE_S;

    slot->stopped = why;
    slot->kill_at = clock_ms() + grace * 1000;
    keeper_signal(&slot->keeper, sig);
}

/* Slurm kills us, too, when its KillWait is over. The programs have been told
 * to end already. */
static void hurry(struct worker *w)
{
    int64_t told = clock_ms();
    int64_t wait = w->opt->grace > 0 ? -1 : jobtime_kill_wait();
    size_t i;

    for (i = 0; wait > 0 && i < w->nslots; i++) {
        if (w->slots[i].busy)
            w->slots[i].kill_at = told + wait * 1000 -
                                  (wait > 15 ? 5000 : wait * 333);
    }
}

/* The cause to record of what a signal to us ended. */
static const char *cause_of(const struct worker *w)
{
    if (w->signal != SIGTERM || slurmenv("SLURM_JOB_ID") == NULL)
        return "cancelled";
    return jobtime_left(&w->time) < SOON_MS / 1000 ? "timeout" : "preempted";
}

static void take_signals(struct worker *w)
{
    static const int which[] = {SIGUSR1, SIGUSR2};
    size_t i, k;

    for (k = 0; k < 2; k++) {
        if (warnings[k] == w->warns[k])
            continue;
        w->warns[k] = warnings[k];
        for (i = 0; i < w->nslots; i++) {
            if (!w->slots[i].busy)
                continue;
            w->slots[i].warned = true;
            keeper_signal(&w->slots[i].keeper, which[k]);
        }
    }
    if (w->signal != 0 || process_cancelled() == 0)
        return;
    w->signal = process_cancelled();
    worker_say(w, "signal %d: %zu cell%s stopped and given back", w->signal,
               busy_slots(w), busy_slots(w) == 1 ? " is" : "s are");
    for (i = 0; i < w->nslots; i++) {
        if (w->slots[i].busy && w->slots[i].stopped == NULL)
            stop_cell(w, &w->slots[i], w->signal, cause_of(w));
    }
    if (w->signal == SIGTERM && busy_slots(w) > 0)
        hurry(w);
}

/* --- watching ------------------------------------------------------------ */

static void note_checkpoint(struct worker *w, struct slot *slot)
{
    int64_t took = (clock_ms() - slot->began) / 1000 + 1;
    int64_t *known = slot->start_step >= 0 ? &w->checkpoint_resumed
                                           : &w->checkpoint_fresh;

    home_progress(w->home, (size_t)slot->number, &slot->claim, slot->step);
    if (slot->first_checkpoint < 0) {
        slot->first_checkpoint = took;
        if (took > *known)
            *known = took;
    }
    if (slot->attempt_dir == NULL)
        return;
    wandbsync_reached(slot->attempt_dir);
    if (slot->sent_at == 0 || clock_ms() - slot->sent_at >= SEND_MS) {
        slot->sent_at = clock_ms();
        sender_begin(w, slot->env.dir, slot->attempt_dir);
    }
}

static void look_at(struct worker *w, struct slot *slot, int64_t now)
{
    int64_t step;

    if (slot->kill_at != 0) {
        if (now >= slot->kill_at) {
            keeper_signal(&slot->keeper, SIGKILL);
            slot->kill_at = now + SOON_MS;
        }
        return;
    }
    if (now >= slot->next_asked) {
        slot->next_asked = now + ASK_MS;
        if (home_asked(w->home, (size_t)slot->number, &slot->claim)) {
            worker_say(w, "cell %s: somebody asks for its stop",
                       slot->claim.id);
            slot->asked = true;
            stop_cell(w, slot, SIGTERM, "cancelled");
        }
    }
    if (now < slot->next_look)
        return;
    slot->next_look = now + (now - slot->began < SOON_MS ? FIRST_LOOK_MS
                                                         : LOOK_MS);
    step = outcome_step(slot->env.dir, slot->state_dir);
    if (step == slot->step)
        return;
    if (step >= 0 && step < slot->start_step && slot->step >= slot->start_step)
        worker_say(w, "cell %s: its checkpoint went back from step %" PRId64
                      " to %" PRId64 ": the program does not resume",
                   slot->claim.id, slot->start_step, step);
    slot->step = step;
    if (step >= 0)
        note_checkpoint(w, slot);
}

static void watch_slots(struct worker *w)
{
    int64_t now = clock_ms();
    int status;
    size_t i;

    for (i = 0; i < w->nslots; i++) {
        struct slot *slot = &w->slots[i];

        if (!slot->busy)
            continue;
        if (!keeper_ended(&slot->keeper, &status)) {
            look_at(w, slot, now);
            continue;
        }
        cell_end(w, slot, status);
    }
}

/* --- the loop ------------------------------------------------------------ */

static void add_wake(int64_t *wake, int64_t at)
{
    if (at < *wake)
        *wake = at;
}

/* When something is due without an event. */
static int64_t next_wake(const struct worker *w)
{
    int64_t wake = clock_ms() + TRY_MS;
    bool idle = false;
    size_t i;

    for (i = 0; i < w->nslots; i++) {
        const struct slot *slot = &w->slots[i];

        idle = idle || !slot->busy;
        if (slot->busy && slot->kill_at != 0) {
            add_wake(&wake, slot->kill_at);
        } else if (slot->busy) {
            add_wake(&wake, slot->next_asked);
            add_wake(&wake, slot->next_look);
        }
    }
    if (idle && w->closing == OPEN && w->signal == 0)
        add_wake(&wake, w->try_at);
    return wake;
}

static size_t fill_polls(const struct worker *w, struct pollfd *fds,
                         size_t room)
{
    const struct sender *s;
    size_t i, n = 0;

    for (i = 0; i < w->nslots && n < room; i++) {
        if (w->slots[i].busy)
            fds[n++] = (struct pollfd){.fd = w->slots[i].keeper.fd,
                                       .events = POLLIN};
    }
    for (s = w->senders; s != NULL && n < room; s = s->next) {
        if (s->keeper.fd >= 0)
            fds[n++] = (struct pollfd){.fd = s->keeper.fd, .events = POLLIN};
    }
    return n;
}

/* Waits for a child's end, a signal or the time. Signals reach us between the
 * look at their flags and the wait in ppoll alone. */
static void wait_for_news(struct worker *w, struct pollfd *fds, size_t room)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
    size_t n = fill_polls(w, fds, room);
    int64_t wait;
    struct timespec ts;
    sigset_t block, old;
    size_t i;

    sigemptyset(&block);
    for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaddset(&block, signals[i]);
    sigprocmask(SIG_BLOCK, &block, &old);
    wait = next_wake(w) - clock_ms();
    if (wait < 0 || (process_cancelled() != 0 && w->signal == 0) ||
        warnings[0] != w->warns[0] || warnings[1] != w->warns[1])
        wait = 0;
    ts = (struct timespec){.tv_sec = wait / 1000,
                           .tv_nsec = (wait % 1000) * 1000000};
    (void)ppoll(fds, n, &ts, &old); /* EINTR is news as well */
    sigprocmask(SIG_SETMASK, &old, NULL);
}

static int loop(struct worker *w, struct relay_error *err)
{
    /* A cell and the sending of the one before, for each slot, and some. */
    size_t room = w->nslots * 4 + 16;
    struct pollfd *fds = calloc(room, sizeof(*fds));

    if (fds == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    for (;;) {
        take_signals(w);
        if (w->signal == 0)
            fill_slots(w);
        senders_serve(w);
        if (busy_slots(w) == 0 && (w->senders == NULL || w->signal != 0) &&
            (w->closing != OPEN || w->signal != 0 ||
             (clock_ms() < w->try_at && w->away_since == 0)))
            break;
        wait_for_news(w, fds, room);
        watch_slots(w);
    }
    free(fds);
    senders_stop(w);
    return home_settle(w->home, err);
}

/* --- the end ------------------------------------------------------------- */

static void say_counts(const struct worker *w, const char *why)
{
    struct board_counts counts;
    char text[200] = "", shard[80] = "";
    size_t used = 0;
    int i;

    home_counts(w->home, &counts);
    if (w->opt->shard_count > 1)
        snprintf(shard, sizeof(shard), " in shard %" PRId64 " of %" PRId64
                 "; of the whole sweep", w->opt->shard_index,
                 w->opt->shard_count);
    for (i = 0; i < CELL_STATES && used < sizeof(text); i++) {
        if (counts.of[i] > 0)
            used += (size_t)snprintf(text + used, sizeof(text) - used,
                                     "%s%" PRIu64 " %s", used > 0 ? ", " : "",
                                     counts.of[i],
                                     cell_state_name((enum cell_state)i));
    }
    worker_say(w, "%s%s: %s", why, shard, used > 0 ? text : "there are no cells");
}

/* The time was looked at before the queue was: is there anything to claim, in
 * our shard? */
static bool cells_left(struct worker *w)
{
    const struct queue_want want = wanted(w);

    return home_left(w->home, &want, &w->last_next);
}

static int finish(struct worker *w, struct relay_error *err)
{
    if (w->signal != 0) {
        say_counts(w, "ended by a signal");
        return 128 + w->signal;
    }
    switch (w->closing) {
    case CLOSED_TROUBLE:
        *err = w->trouble;
        return -1;
    case CLOSED_QUICK:
        say_counts(w, "stopped");
        return relay_fail(err, EX_SOFTWARE,
                          "stopped: the first minute of a cell failed three "
                          "times in a row, the last time so: %s",
                          w->quick_why);
    case CLOSED_TIME:
        if (!cells_left(w))
            break;
        say_counts(w, "the time left is too short for another cell");
        return EX_TEMPFAIL;
    case CLOSED_ENOUGH:
        say_counts(w, "--max-cells is reached");
        return 0;
    case OPEN:
        break;
    }
    if (w->navoid > 0 && w->stranded) {
        say_counts(w, "what is left was begun on another cluster and cannot "
                      "be brought here now");
        return EX_TEMPFAIL;
    }
    say_counts(w, w->last_next == QUEUE_FINISHED
                      ? "nothing is left"
                      : "others hold the rest, nothing is left to claim");
    if (w->refused.code != 0)
        return relay_fail(err, w->refused.code,
                          "%s. What the file has now beyond that was not run",
                          w->refused.text);
    return 0;
}

static void catch_signals(void)
{
    struct sigaction act = {.sa_handler = on_warning};
    struct sigaction hup;
    bool nohup = sigaction(SIGHUP, NULL, &hup) == 0 &&
                 hup.sa_handler == SIG_IGN;

    process_catch_signals();
    if (nohup) /* somebody wants it to outlive the terminal */
        (void)sigaction(SIGHUP, &hup, NULL);
    sigemptyset(&act.sa_mask);
    (void)sigaction(SIGUSR1, &act, NULL);
    (void)sigaction(SIGUSR2, &act, NULL);
    act.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &act, NULL);
}

int worker_run(const struct worker_options *opt, struct relay_error *err)
{
    struct worker w;
    int rc;

    if (opt->dry_run)
        return worker_show(opt, err);
    catch_signals();
    rc = worker_open(opt, &w, err);
    if (rc == 0)
        rc = loop(&w, err);
    if (rc == 0)
        rc = finish(&w, err);
    worker_close(&w);
    return rc;
}
