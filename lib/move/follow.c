#include "follow.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "history.h"
#include "jsonfile.h"
#include "process.h"

enum {
    LOOK_MS = 1000,        /* at the run's records, which are here */
    ASK_MS = 2000,         /* Slurm, when something is about to happen */
    ASK_PENDING_MS = 10000,
    GONE_MS = 60000,       /* Slurm answers, and knows no such job */
    OUTPUT_TAIL = 65536,
    LOG_MAX = 16 << 20
};

/* How trainings count: "step: 1000/300000". One that counts below k has not
 * loaded its state; what counts to less than k is an evaluation. */
#define COUNTS "[Ss]tep[ :=]+([0-9]+)/([0-9]+)"

struct follow {
    struct run *run;
    const struct target *target;
    const struct follow_options *opt;
    struct follow_result *result;
    int64_t ask_at;       /* clock_ms: Slurm is asked again then */
    int64_t gone_at;      /* clock_ms: first time it did not know it, 0 */
    char said[200];       /* of the job, last */
    int64_t gen;          /* of the journal, said last */
    bool published;       /* by this job */
    bool ours;            /* the job has written into the journal */
    char nonce[33];       /* of the job's run */
    bool watching;
    struct logwatch resumes; /* "Resuming from step N" */
    struct logwatch counts;  /* "step: N/TOTAL" */
    bool nothing_new;     /* committed at the very step that was taken */
    int64_t proved;       /* step, -1 */
    int64_t back;         /* step, -1 */
};

static void say(struct follow *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct follow *f, const char *fmt, ...)
{
    char text[1400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    f->opt->say(f->opt->arg, text);
}

/* --- the job -------------------------------------------------------------- */

static void say_job(struct follow *f)
{
    const struct target_job *job = &f->result->job;
    bool pending = strcmp(job->state, "PENDING") == 0;
    char text[200];

    snprintf(text, sizeof(text), "job %s is %s%s%s%s%s%s", f->target->job_id,
             job->state, pending ? " (" : "", pending ? job->reason : "",
             pending ? ")" : "",
             pending && job->starts[0] != '\0' ? ", expected to start at "
                                               : "",
             pending ? job->starts : "");
    if (strcmp(text, f->said) == 0)
        return;
    snprintf(f->said, sizeof(f->said), "%s", text);
    say(f, "%s", text);
}

static bool is_pending(const struct follow *f)
{
    return strcmp(f->result->job.state, "PENDING") == 0;
}

static void look_at_job(struct follow *f)
{
    if (clock_ms() < f->ask_at)
        return;
    target_look(f->target->job_id, &f->result->job);
    f->ask_at = clock_ms() + (is_pending(f) ? ASK_PENDING_MS : ASK_MS);
    if (f->result->job.known)
        say_job(f);
    if (f->result->job.known)
        f->gone_at = 0;
    else if (f->result->job.answered && f->gone_at == 0)
        f->gone_at = clock_ms();
}

/* Accounting hears of an end later than the queue, or there is none. */
static bool is_gone(struct follow *f)
{
    if (f->gone_at == 0 || clock_ms() - f->gone_at < GONE_MS)
        return false;
    snprintf(f->result->job.state, sizeof(f->result->job.state),
             "not known to Slurm any more");
    return true;
}

/* --- the handoff ---------------------------------------------------------- */

static const char *words_of(enum journal_state state)
{
    switch (state) {
    case JOURNAL_OPEN:
        return "it has looked at the source";
    case JOURNAL_STAGED:
        return "a verified copy is here";
    case JOURNAL_STOPPING:
        return "it stops the source";
    case JOURNAL_SOURCE_STOPPED:
        return "the source is dead, its state set aside";
    case JOURNAL_PUBLISHED:
        return "the state is in place here";
    case JOURNAL_COMMITTED:
        return "the handoff is committed";
    case JOURNAL_ABORTED:
        return "the handoff was given up";
    case JOURNAL_NONE:
        break;
    }
    return "nothing yet";
}

static int look_at_journal(struct follow *f, struct relay_error *err)
{
    struct journal j;

    if (journal_read(f->run, &j, err) != 0)
        return -1;
    if (!f->ours && j.gen > f->target->journal)
        f->ours = target_has_begun(f->run, f->target);
    f->result->journal = j.state;
    if (f->ours && j.gen > f->gen) {
        f->gen = j.gen;
        if (is_pending(f)) { /* it was, when we asked last */
            f->ask_at = 0;
            look_at_job(f);
        }
        if (j.step >= 0)
            say(f, "job %s: %s (step %" PRId64 ")", f->target->job_id,
                words_of(j.state), j.step);
        else
            say(f, "job %s: %s", f->target->job_id, words_of(j.state));
    }
    if (f->ours && (j.state == JOURNAL_PUBLISHED ||
                    j.state == JOURNAL_COMMITTED)) {
        f->published = true;
        f->result->step = json_int(j.body, "published_step", j.step);
        snprintf(f->nonce, sizeof(f->nonce), "%s", j.nonce);
        if (j.state == JOURNAL_COMMITTED) {
            f->proved = j.step;
            f->nothing_new = f->proved == f->result->step;
        }
    }
    journal_free(&j);
    return 0;
}

/* What the job's own watcher has seen. */
static void look_at_history(struct follow *f)
{
    struct json_object *events, *event;
    size_t i;

    if (!f->published || f->proved >= 0)
        return;
    events = history_read_of(f->run->relayfd, f->nonce, NULL);
    for (i = 0; events != NULL && i < json_object_array_length(events); i++) {
        const char *name;

        event = json_object_array_get_idx(events, i);
        name = json_str(event, "event", "");
        if (strcmp(name, "resumed") == 0)
            f->proved = json_int(event, "step", f->result->step);
        else if (strcmp(name, "lost_state") == 0)
            f->back = json_int(event, "step", 0);
    }
    json_object_put(events);
}

/* --- its output ----------------------------------------------------------- */

int64_t follow_output_from(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int64_t from = 0, at = 0;
    char buf[8192];
    char head[8] = "";
    size_t used = 0;
    bool ours = false;
    ssize_t n;
    ssize_t i;

    if (fd < 0)
        return 0;
    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        for (i = 0; i < n; i++, at++) {
            if (buf[i] == '\n') {
                if (ours)
                    from = at + 1;
                used = 0;
                ours = false;
            } else if (used < 7) {
                head[used++] = buf[i];
                ours = used == 7 && memcmp(head, "relay: ", 7) == 0;
            }
        }
    }
    close(fd); /* read only */
    return from;
}

static void watch_output(struct follow *f)
{
    const char *path = f->result->job.output;
    int64_t from;

    if (f->watching || !f->published || path[0] != '/' ||
        access(path, R_OK) != 0)
        return;
    from = follow_output_from(path);
    logwatch_begin(&f->resumes, path, from, f->result->step, NULL);
    logwatch_begin(&f->counts, path, from, f->result->step,
                   f->run->cfg.log_step != NULL ? f->run->cfg.log_step
                                                : COUNTS);
    f->watching = true;
}

/* TOTAL of the "step: N/TOTAL" in line; -1. */
static int64_t total_of(const char *line)
{
    const char *at = strchr(line, '/');

    while (at != NULL && (at == line || !isdigit((unsigned char)at[-1]) ||
                          !isdigit((unsigned char)at[1])))
        at = strchr(at + 1, '/');
    return at != NULL ? strtoll(at + 1, NULL, 10) : -1;
}

static void look_at_output(struct follow *f)
{
    enum log_says says;
    int64_t step = -1;

    watch_output(f);
    if (!f->watching)
        return;
    while (f->proved < 0 && f->back < 0 &&
           (says = logwatch_read(&f->resumes, &step)) != LOG_NOTHING) {
        if (says == LOG_RESUMED)
            f->proved = step;
        else if (strstr(f->resumes.line, "esum") != NULL)
            f->back = step; /* it says itself that it resumes from there */
    }
    while (f->proved < 0 && f->back < 0 &&
           (says = logwatch_read(&f->counts, &step)) != LOG_NOTHING)
        if (says == LOG_BACK && (f->run->cfg.log_step != NULL ||
                                 total_of(f->counts.line) > f->result->step))
            f->back = step;
}

/* --- the end -------------------------------------------------------------- */

/* The last line of the run's log that this job wrote and that begins with
 * what: refusals are said there as they were to the job. */
static bool words_in_log(const struct follow *f, const char *what, char *out,
                         size_t size)
{
    size_t len = 0;
    char *text = file_read(f->run->relayfd, "log", LOG_MAX, &len, NULL);
    char head[96];
    char *line, *rest;
    bool found = false;
    int n = snprintf(head, sizeof(head), " %s %s", f->target->job_id, what);

    for (line = text != NULL ? strtok_r(text, "\n", &rest) : NULL;
         line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        const char *at = strchr(line, ' ');

        if (at == NULL || strncmp(at, head, (size_t)n) != 0)
            continue;
        snprintf(out, size, "%s", at + strlen(f->target->job_id) + 2);
        found = true;
    }
    free(text);
    return found;
}

/* The last line that it printed, where its error is most often. */
static bool last_words(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    char *text = NULL;
    char *line;
    ssize_t n = -1;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        text = calloc(1, OUTPUT_TAIL + 1);
    if (text != NULL)
        n = pread(fd, text, OUTPUT_TAIL,
                  st.st_size > OUTPUT_TAIL ? st.st_size - OUTPUT_TAIL : 0);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        text[--n] = '\0';
    if (n > 0) {
        line = strrchr(text, '\n');
        snprintf(out, size, "%s", line != NULL ? line + 1 : text);
    }
    if (fd >= 0)
        close(fd); /* read only */
    free(text);
    return n > 0;
}

static bool run_is_complete(const struct follow *f)
{
    struct run_state_info info;
    bool complete;

    if (run_state_look(f->run, &info, NULL) != 0)
        return false;
    complete = info.kind == STATE_GOOD && info.meta.completed;
    if (complete)
        f->result->proved = info.meta.step;
    run_state_free(&info);
    return complete;
}

static enum follow_end judge_end(struct follow *f)
{
    struct follow_result *r = f->result;

    if (strcmp(r->job.state, "COMPLETED") == 0 && run_is_complete(f))
        return FOLLOW_COMPLETE;
    if (!words_in_log(f, "refused", r->why, sizeof(r->why)) &&
        !last_words(r->job.output, r->why, sizeof(r->why)))
        r->why[0] = '\0';
    return FOLLOW_ENDED;
}

/* It has not loaded its state: before it writes over it. */
static enum follow_end stop_it(struct follow *f, struct relay_error *err)
{
    f->result->proved = f->back;
    say(f, "job %s began from step %" PRId64 ", not from %" PRId64
           ": it is cancelled", f->target->job_id, f->back, f->result->step);
    if (!f->result->job.over && target_cancel(f->target->job_id, err) != 0)
        return FOLLOW_ERROR;
    (void)last_words(f->result->job.output, f->result->why,
                     sizeof(f->result->why));
    return FOLLOW_BACK;
}

/* One look at everything; true when *end says how it ended. */
static bool look(struct follow *f, enum follow_end *end,
                 struct relay_error *err)
{
    bool over;

    look_at_job(f);
    over = (f->result->job.known && f->result->job.over) || is_gone(f);
    if (look_at_journal(f, err) != 0) {
        *end = FOLLOW_ERROR;
        return true;
    }
    look_at_history(f);
    look_at_output(f);
    if (f->back >= 0) {
        *end = stop_it(f, err);
        return true;
    }
    if (f->proved >= 0) {
        f->result->proved = f->proved;
        *end = f->nothing_new && run_is_complete(f) ? FOLLOW_COMPLETE
                                                    : FOLLOW_PROVED;
        return true;
    }
    if (over)
        *end = judge_end(f);
    return over;
}

static void end_watch(struct follow *f)
{
    struct relay_error err = {0};

    if (f->watching) {
        logwatch_end(&f->resumes);
        logwatch_end(&f->counts);
    }
    if (commit_count(f->run, &f->result->numbers, &err) != 0)
        run_log(f->run, "%s", err.text);
}

enum follow_end follow_target(struct run *run, const struct target *target,
                              const struct follow_options *opt,
                              struct follow_result *result,
                              struct relay_error *err)
{
    struct follow f = {.run = run, .target = target, .opt = opt,
                       .result = result, .proved = -1, .back = -1};
    enum follow_end end = FOLLOW_LEFT;

    memset(result, 0, sizeof(*result));
    result->step = result->proved = -1;
    result->numbers = (struct commit_numbers){-1, -1, -1};
    while (process_cancelled() == 0) {
        if (look(&f, &end, err))
            break;
        if (opt->meanwhile != NULL)
            opt->meanwhile(opt->arg, is_pending(&f));
        clock_sleep_ms(LOOK_MS);
    }
    end_watch(&f);
    return end;
}
