#include "outcome.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "done.h"
#include "errorline.h"
#include "file.h"
#include "jsonfile.h"
#include "meta.h"

/* What the files of a cell say about it. */
struct evidence {
    bool ok;       /* summary.json's ok is true */
    bool not_ok;   /* it is there and not true */
    bool complete; /* a resume_meta.json says completed: true */
    bool not_complete;
    int64_t step;
};

/* --- evidence ------------------------------------------------------------ */

static void look_at_summary(const char *dir, struct evidence *e)
{
    struct json_object *doc, *ok = NULL;
    char path[4200];

    snprintf(path, sizeof(path), "%s/summary.json", dir);
    doc = json_load(AT_FDCWD, path, NULL);
    /* "ok": null is there and is not true. */
    if (json_object_is_type(doc, json_type_object) &&
        json_object_object_get_ex(doc, "ok", &ok)) {
        e->ok = json_object_is_type(ok, json_type_boolean) &&
                json_object_get_boolean(ok);
        e->not_ok = !e->ok;
    }
    json_object_put(doc);
}

static void look_at_meta(const char *dir, struct evidence *e)
{
    struct meta meta;
    int fd;

    if (dir == NULL)
        return;
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (meta_read(fd, dir, &meta, NULL) == 0) {
        if (meta.step > e->step)
            e->step = meta.step;
        e->complete = e->complete || meta.completed;
        e->not_complete = e->not_complete || meta.refuted;
        meta_free(&meta);
    }
    close(fd);
}

static void gather(const char *dir, const char *state_dir, struct evidence *e)
{
    *e = (struct evidence){.step = -1};
    look_at_summary(dir, e);
    look_at_meta(dir, e);
    look_at_meta(state_dir, e);
}

int64_t outcome_step(const char *dir, const char *state_dir)
{
    struct evidence e = {.step = -1};

    look_at_meta(dir, &e);
    look_at_meta(state_dir, &e);
    return e.step;
}

/* --- judgement ----------------------------------------------------------- */

static void end(struct outcome *out, enum cell_state state, const char *cause)
{
    out->state = state;
    snprintf(out->cause, sizeof(out->cause), "%s", cause);
}

static void say(struct outcome *out, const char *text)
{
    snprintf(out->why, sizeof(out->why), "%s", text);
}

/* Adds ": LINE" of the log, the reason as the program gave it. */
static void add_reason(const struct outcome_facts *facts, bool any,
                       struct outcome *out)
{
    char line[200];
    size_t used = strlen(out->why);

    if (facts->log != NULL && errorline_find(facts->log, facts->log_from, any,
                                             line, sizeof(line)))
        snprintf(out->why + used, sizeof(out->why) - used, "%s%s",
                 used > 0 ? ": " : "", line);
}

/* The signal that ended it as a signal or by a shell's exit code; 0: none. */
static int ended_by(int status)
{
    if (status < 0)
        return 0;
    if (WIFSIGNALED(status))
        return WTERMSIG(status);
    if (WIFEXITED(status) && WEXITSTATUS(status) > 128 &&
        WEXITSTATUS(status) < 128 + NSIG)
        return WEXITSTATUS(status) - 128;
    return 0;
}

static void judge_stopped(const struct outcome_facts *facts,
                          struct outcome *out)
{
    const char *cause = facts->stopped != NULL ? facts->stopped : "terminated";

    end(out, CELL_PARTIAL, cause);
    snprintf(out->why, sizeof(out->why),
             facts->stopped != NULL ? "it was stopped (%.20s)"
                                    : "a signal ended it (%.20s)",
             facts->stopped != NULL ? cause
                                    : strsignal(ended_by(facts->status)));
}

static void judge_failed(const struct outcome_facts *facts,
                         struct outcome *out)
{
    int status = facts->status;

    end(out, CELL_FAILED, "failed");
    out->counts = true;
    if (WIFSIGNALED(status))
        snprintf(out->why, sizeof(out->why), "signal %d (%s) ended it%s",
                 WTERMSIG(status), strsignal(WTERMSIG(status)),
                 WTERMSIG(status) == SIGKILL
                     ? ", as when memory runs out"
                     : "");
    else
        snprintf(out->why, sizeof(out->why), "it exited with %d",
                 WEXITSTATUS(status));
    add_reason(facts, true, out);
}

static void judge_refuted(const struct outcome_facts *facts,
                          const struct evidence *e, struct outcome *out)
{
    end(out, CELL_FAILED, "refuted");
    out->refuted = true;
    out->counts = true;
    say(out, e->not_ok ? "summary.json is there and its ok is not true"
                       : "resume_meta.json says completed: false");
    add_reason(facts, false, out);
}

/* Exit 0, or nobody knows with what. */
static void judge_contract(const struct outcome_facts *facts,
                           const struct evidence *e, struct outcome *out)
{
    const struct done_run run = {.dir = facts->dir,
                                 .log = facts->log != NULL ? facts->log : "",
                                 .step = e->step,
                                 .exited_0 = facts->status == 0,
                                 .deep = facts->deep};
    char why[200];

    switch (done_look(facts->checks, facts->n, &run, why, sizeof(why))) {
    case DONE_YES:
        end(out, CELL_DONE, "completed");
        return;
    case DONE_LATER:
        end(out, CELL_UNPROVEN, "exited");
        say(out, why);
        return;
    case DONE_NOT:
        break;
    }
    if (e->not_ok) {
        judge_refuted(facts, e, out);
        return;
    }
    end(out, facts->status == 0 ? CELL_FAILED : CELL_UNPROVEN,
        facts->status == 0 ? "failed" : "exited");
    out->counts = facts->status == 0;
    snprintf(out->why, sizeof(out->why), "%s%s",
             facts->status == 0 ? "it exited with 0, but " : "", why);
    add_reason(facts, false, out);
}

static void judge_proof(const struct outcome_facts *facts,
                        const struct evidence *e, struct outcome *out)
{
    if (e->not_ok || e->not_complete) {
        judge_refuted(facts, e, out);
    } else if (e->ok || e->complete) {
        end(out, CELL_DONE, "completed");
    } else {
        end(out, CELL_UNPROVEN, "exited");
        say(out, facts->status == 0
                     ? "it exited with 0, but there is no proof: no ok in "
                       "summary.json, no completed in resume_meta.json"
                     : "no ok in summary.json, no completed in "
                       "resume_meta.json");
        add_reason(facts, false, out);
    }
}

void outcome_judge(const struct outcome_facts *facts, struct outcome *out)
{
    struct evidence e;
    int sig = ended_by(facts->status);
    bool ended_0 = facts->status == 0;

    memset(out, 0, sizeof(*out));
    gather(facts->dir, facts->state_dir, &e);
    out->step = e.step;
    if (ended_0 || facts->status == -1) {
        if (facts->n > 0)
            judge_contract(facts, &e, out);
        else
            judge_proof(facts, &e, out);
    }
    /* What we stopped, and what is not done all the same. */
    if (facts->stopped != NULL) {
        if (out->state != CELL_DONE) {
            out->counts = out->refuted = false;
            judge_stopped(facts, out);
        }
        return;
    }
    if (ended_0 || facts->status == -1)
        return;
    if (sig == SIGTERM || sig == SIGINT || sig == SIGHUP)
        judge_stopped(facts, out);
    else if (e.not_ok)
        judge_refuted(facts, &e, out);
    else
        judge_failed(facts, out);
}

enum cell_state outcome_end_state(const struct outcome *out)
{
    return out->refuted ? CELL_QUARANTINED : out->state;
}

struct queue_end outcome_end(const struct outcome *out)
{
    return (struct queue_end){.state = outcome_end_state(out),
                              .cause = out->cause,
                              .why = out->why[0] != '\0' ? out->why : NULL,
                              .step = out->step,
                              .counts = out->counts};
}
