/*
 * watch: looks at the run while its body trains. Records progress, commits a
 * handoff, and stops a job that lost its state.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "commit.h"
#include "file.h"
#include "history.h"
#include "jsonfile.h"
#include "lease.h"
#include "logwatch.h"
#include "process.h"
#include "stage_cell.h"
#include "wrongkey.h"

enum { EAGER_MS = 1000, CALM_MS = 30000, EAGER_FOR_MS = 300000 };

struct watch {
    struct run *run;
    int64_t began;
    int64_t last_step;  /* seen last; found_step at first */
    bool completed;     /* as the meta said last */
    bool resumed;       /* proof was recorded */
    bool handed_over;   /* a handoff's end is not recorded yet, it may be */
    bool stopped;       /* the job was told to end */
    bool over;          /* the body has ended: this is the last look */
    struct wrongkey key;
    struct logwatch log;
    struct cellrun cell; /* its queue is NULL for a run that is none */
};

/* Where a step is not the gate, the run's history has its writer already. */
static const char *writer(const struct run *run)
{
    return run->marker_nonce[0] != '\0' ? run->marker_nonce : run->nonce;
}

/* more: what the event has besides, -1 for none. */
static void record(struct watch *w, const char *event, int64_t step,
                   int64_t more)
{
    struct json_object *extra = json_object_new_object();
    struct relay_error err = {0};

    json_add_int(extra, "step", step);
    if (more >= 0)
        json_add_int(extra, strcmp(event, "progress") == 0 ? "age"
                                                           : "expected",
                     more);
    if (history_add(w->run->relayfd, writer(w->run), event, extra, &err) != 0)
        run_log(w->run, "%s", err.text);
    json_object_put(extra);
}

/* Ends the job: scancel by its own name, or, for `sresume run`, the process
 * that we are the child of. */
static void stop_job(struct watch *w)
{
    const char *argv[] = {NULL, w->run->self.job_id, NULL};
    struct process_spec spec = {.argv = argv, .deadline_ms = 20000};
    struct process_result res = {0};
    struct relay_error err = {0};
    char scancel[256];

    w->stopped = true;
    if (w->over)
        return; /* there is nothing left to be stopped */
    if (w->run->jobfd >= 0 && w->run->self.job_id[0] != '\0') {
        argv[0] = scancel;
        if (process_find("scancel", scancel, sizeof(scancel), &err) == 0 &&
            process_run(&spec, &res, &err) == 0 && process_ok(&res)) {
            process_free(&res);
            return;
        }
        process_free(&res);
        run_log(w->run, "scancel did not work (%s): signalling the body",
                err.text);
    }
    if (owner_pid_start(w->run->self.pid) == w->run->self.pid_start)
        kill(w->run->self.pid, SIGTERM);
}

/* The training did not load what it was given. Its state is put back when
 * the body is dead: stage-out does it, or the next stage-in. */
static void lost_state(struct watch *w, int64_t step)
{
    struct relay_error err = {0};

    if (run_flag_lost(w->run, &err) != 0)
        run_log(w->run, "%s", err.text);
    record(w, "lost_state", step, w->run->found_step);
    run_say(w->run, "%s went back to step %lld, though its state was at step "
                    "%lld: the training did not load it; the job is stopped "
                    "and the state put back", w->run->key, (long long)step,
            (long long)w->run->found_step);
    stop_job(w);
}

static void prove(struct watch *w, int64_t step)
{
    if (w->resumed)
        return;
    w->resumed = true;
    record(w, "resumed", step, w->run->found_step);
    run_log(w->run, "resumed: step %lld, found at %lld", (long long)step,
            (long long)w->run->found_step);
}

static void look_at_log(struct watch *w)
{
    int64_t step = -1;

    while (!w->stopped) {
        switch (logwatch_read(&w->log, &step)) {
        case LOG_NOTHING:
            return;
        case LOG_RESUMED:
            prove(w, step);
            break;
        case LOG_BACK:
            lost_state(w, step);
            break;
        case LOG_DOUBT:
            record(w, "log_back", step, w->run->found_step);
            run_say(w->run, "warning: the output names step %lld, but the "
                            "state is at step %lld: did the training load "
                            "it? When it saves an earlier step it is stopped "
                            "(log_step: in relay.yaml says how to read the "
                            "output)", (long long)step,
                    (long long)w->run->found_step);
            break;
        }
    }
}

static void check_source(struct watch *w)
{
    struct relay_error err = {0};
    char why[512];
    int rc = commit_check_stub(w->run, why, sizeof(why), &err);

    if (rc == 1)
        return;
    if (rc < 0) {
        run_log(w->run, "the source could not be looked at after the commit: "
                        "%s", err.text);
        return;
    }
    run_say(w->run, "somebody still writes %s on the source (%s): this job "
                    "is stopped, look at both before you go on", w->run->key,
            why);
    stop_job(w);
}
static void try_commit(struct watch *w, int64_t step)
{
    struct commit_numbers numbers;
    struct relay_error err = {0};
    int64_t regain;
    int rc = commit_if_passed(w->run, &numbers, &err);

    if (rc < 0)
        run_log(w->run, "%s", err.text);
    if (rc == 1) {
        commit_say(w->run, &numbers);
        check_source(w);
    }
    regain = commit_regained(w->run, step);
    if (regain >= 0)
        run_say(w->run, "the source's step is regained, %lld s after it was "
                        "stopped", (long long)regain);
    w->handed_over = rc < 0 || regain == COMMIT_NOT_YET;
}

static void open_cell(struct watch *w)
{
    const struct run *run = w->run;
    struct relay_error err = {0};

    if (run->cell.sweep[0] == '\0' || run->cell.gen == 0)
        return;
    if (cellrun_reopen(run, &w->cell, &err) != 0) {
        run_log(run, "%s", err.text);
        cellrun_close(&w->cell);
    }
}

/* ssweep cancel CELL, from wherever. */
static void heed_the_queue(struct watch *w)
{
    if (w->stopped || w->over || w->cell.queue == NULL ||
        !queue_asked(w->cell.queue, w->run->cell.index, w->run->cell.gen))
        return;
    run_say(w->run, "cell %s: somebody asked for its stop (ssweep cancel)",
            w->cell.cell.id);
    stop_job(w);
}

static void new_step(struct watch *w, const struct run_state_info *info)
{
    int64_t step = info->meta.step;
    int64_t now = run_server_time(w->run);

    w->last_step = step;
    w->completed = info->meta.completed;
    record(w, "progress", step, now > info->saved ? now - info->saved : 0);
    if (w->cell.queue != NULL && step >= 0)
        queue_progress(w->cell.queue, w->run->cell.index, w->run->cell.gen,
                       step);
    if (w->run->found_step >= 0 && step > w->run->found_step)
        prove(w, step);
    if (w->handed_over)
        try_commit(w, step);
}

static void look(struct watch *w)
{
    struct run_state_info info;
    struct relay_error err = {0};

    if (w->stopped || run_state_look(w->run, &info, &err) != 0)
        return;
    if (info.kind == STATE_GOOD) {
        if (w->run->found_step >= 0 && info.meta.step >= 0 &&
            info.meta.step < w->run->found_step)
            lost_state(w, info.meta.step);
        else if (info.meta.step != w->last_step ||
                 info.meta.completed != w->completed)
            new_step(w, &info);
    }
    if (wrongkey_look(&w->key, w->run, info.saved))
        record(w, "wrong_key", info.meta.step, -1);
    run_state_free(&info);
    look_at_log(w);
}

/* Waits for the next look; false when the body has ended. */
static bool pause_until_next(const struct watch *w, int lifefd)
{
    struct pollfd life = {.fd = lifefd, .events = POLLIN};
    int64_t age = clock_ms() - w->began;
    int wait = age < EAGER_FOR_MS ? EAGER_MS : CALM_MS;

    if (process_cancelled() != 0)
        return false;
    if (lifefd < 0) {
        clock_sleep_ms(wait);
        return process_cancelled() == 0;
    }
    return poll(&life, 1, wait) == 0 || errno == EINTR;
}

int stage_watch(struct run *run, int lifefd, struct relay_error *err)
{
    struct watch w = {.run = run,
                      .began = clock_ms(),
                      .last_step = run->found_step,
                      .handed_over = true};

    (void)err; /* nothing that is seen here may end the watch */
    open_cell(&w);
    wrongkey_begin(&w.key, run);
    logwatch_begin(&w.log, run->out_path, run->out_from, run->found_step,
                   run->cfg.log_step);
    do {
        errno = 0;
        look(&w);
        heed_the_queue(&w);
        errno = 0;
    } while (pause_until_next(&w, lifefd));
    w.over = true;
    look(&w);
    logwatch_end(&w.log);
    if (w.cell.queue != NULL)
        cellrun_close(&w.cell);
    return 0;
}
