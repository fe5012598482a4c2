/* What shandoff says: the plan, the proof, and what to do when it failed. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "jsonfile.h"
#include "shandoff.h"
#include "sweep/command.h"
#include "text.h"

static void size_text(int64_t bytes, char *text, size_t size)
{
    if (bytes < 0)
        snprintf(text, size, "unknown");
    else if (bytes < 10000000)
        snprintf(text, size, "%.1f kB", (double)bytes / 1e3);
    else
        snprintf(text, size, "%.1f MB", (double)bytes / 1e6);
}

static void span_text(int64_t seconds, char *text, size_t size)
{
    if (seconds < 0)
        snprintf(text, size, "unknown");
    else
        clock_span(seconds, text, size);
}

static void show_source(const struct plan *p)
{
    const struct source *src = &p->h.src;
    const struct overview_job *job = p->job;
    char text[1200], size[32], span[32], total[32] = "", gpus[100] = "";

    if (p->facts.total > 0)
        snprintf(total, sizeof(total), "/%" PRId64, p->facts.total);
    span_text(p->seen != NULL ? p->seen->age : -1, span, sizeof(span));
    if (job != NULL && job->gpus > 0)
        snprintf(gpus, sizeof(gpus), ", %d x %s", job->gpus,
                 job->gpu[0] != '\0' ? job->gpu : "GPU");
    if (src->job_id[0] != '\0')
        snprintf(text, sizeof(text),
                 "job %s on %s%s%s, step %" PRId64 "%s, saved %s ago",
                 src->job_id, p->h.peer.cluster->name,
                 job != NULL && job->node[0] != '\0' ? " node " : "",
                 job != NULL ? job->node : "", src->meta.step, total, span);
    else
        snprintf(text, sizeof(text), "not running on %s, step %" PRId64 "%s",
                 p->h.peer.cluster->name, src->meta.step, total);
    strncat(text, gpus, sizeof(text) - strlen(text) - 1);
    cli_field("there", text);
    size_text(src->files.bytes, size, sizeof(size));
    snprintf(text, sizeof(text), "%s in %zu files, %s/%s%s", size,
             src->files.n, src->root, src->hash,
             src->shared ? " (this very file system: nothing is copied)"
                         : "");
    cli_field("state", text);
}

static void rate_text(double rate, char *text, size_t size)
{
    if (rate > 0)
        snprintf(text, size, "%.0f steps/h", rate * 3600);
    else
        snprintf(text, size, "unknown");
}

static double rate_here(const struct plan *p)
{
    if (p->facts.rate_here > 0)
        return p->facts.rate_here;
    return p->facts.rate_there > 0 && p->estimate.speedup > 0
               ? p->facts.rate_there * p->estimate.speedup : -1;
}

static void show_rates(const struct plan *p)
{
    const struct gate_estimate *e = &p->estimate;
    char text[600], a[32], b[32], c[32];

    rate_text(p->facts.rate_there, a, sizeof(a));
    rate_text(rate_here(p), b, sizeof(b));
    snprintf(text, sizeof(text), "%s there, %s here%s", a, b,
             p->facts.rate_here > 0 || e->speedup <= 0
                 ? "" : " (measured there, times the ratio of the GPUs)");
    cli_field("rate", text);
    span_text(e->left_there, a, sizeof(a));
    span_text(e->left_here, b, sizeof(b));
    span_text(e->break_even, c, sizeof(c));
    snprintf(text, sizeof(text), "%s there, %s here; break-even %s", a, b, c);
    if (e->known) {
        span_text(e->gain < 0 ? -e->gain : e->gain, a, sizeof(a));
        snprintf(text + strlen(text), sizeof(text) - strlen(text),
                 ", %s %s", e->gain < 0 ? "loses" : "gains", a);
    }
    cli_field("left", text);
}

/* A stop takes some seconds; then what changed since the copy ahead is copied
 * and every digest compared. */
static void show_cost(const struct plan *p)
{
    char text[600], size[32], kept[32];
    const struct overview_run *seen = p->seen;

    size_text(p->h.src.files.bytes, size, sizeof(size));
    if (p->h.src.shared)
        snprintf(text, sizeof(text), "until the source is proved dead");
    else
        snprintf(text, sizeof(text), "until the source is proved dead, and "
                                     "the copy of what it saved since the "
                                     "copy ahead (%s at most)", size);
    cli_field("gap", text);
    if (seen != NULL && seen->rate > 0 && seen->interval > 0)
        snprintf(text, sizeof(text),
                 "%.0f steps if it were stopped now, %.0f (one interval) at "
                 "most", seen->age > 0 ? (double)seen->age * seen->rate : 0.0,
                 (double)seen->interval * seen->rate);
    else
        snprintf(text, sizeof(text), "what it trained since its last "
                                     "checkpoint");
    cli_field("recomputed", text);
    size_text(p->kept_here, kept, sizeof(kept));
    snprintf(text, sizeof(text), "%s on %s (set aside), %s here, until it is "
                                 "committed and pruned",
             p->h.src.shared ? "nothing" : size, p->h.peer.cluster->name,
             p->kept_here > 0 ? kept : "nothing");
    cli_field("keeps", text);
}

static void show_rest(const struct plan *p)
{
    const struct source *src = &p->h.src;
    char text[2200], size[32];
    size_t i;

    if (src->meta.run_dir != NULL && p->stays_files > 0) {
        size_text(p->stays_bytes, size, sizeof(size));
        snprintf(text, sizeof(text), "%" PRId64 " files (%s) of run_dir %s "
                                     "(handoff.copy_run_dir)",
                 p->stays_files, size, src->meta.run_dir);
        cli_field("stays", text);
    }
    for (i = 0; i < src->nfollowers; i++) {
        snprintf(text, sizeof(text), "job %s (%s), which waits there for the "
                                     "same run", src->followers[i].job_id,
                 src->followers[i].name);
        cli_field("holds", text);
    }
    snprintf(text, sizeof(text), "%.12s there, %.12s here%s",
             src->git[0] != '\0' ? src->git : "unknown",
             p->git_here[0] != '\0' ? p->git_here : "unknown",
             src->git[0] != '\0' && p->git_here[0] != '\0' &&
                     strcmp(src->git, p->git_here) != 0
                 ? ": NOT THE SAME CODE" : "");
    cli_field("git", text);
    snprintf(text, sizeof(text), "%d there, %d here%s", p->facts.gpus_there,
             p->facts.gpus_here,
             p->facts.gpus_there > 0 && p->facts.gpus_here >= 0 &&
                     p->facts.gpus_there != p->facts.gpus_here
                 ? ": not as many" : "");
    if (p->facts.gpus_there >= 0 && p->facts.gpus_here >= 0)
        cli_field("GPUs", text);
}

static void show_submission(const struct plan *p)
{
    const struct words args = {.word = p->args, .n = (size_t)p->nargs};
    struct text text = {0};

    text_add(&text, "sbatch ");
    if (plan_task(p)[0] != '\0' && !p->request.array_typed)
        text_printf(&text, "--array=%s ", plan_task(p));
    command_quote(&args, &text);
    cli_field("submits", text_str(&text));
    text_free(&text);
}

static void show_gates(const struct plan *p)
{
    static const char *const words[] = {"ok", "note", "unknown", "NO"};
    static const char *const colors[] = {"32", "33", "33", "31"};
    static const char *const heads[] = {"GATE", "", "FIGURE", NULL};
    struct cli_table table;
    size_t i;

    cli_table_init(&table, heads, "lll");
    for (i = 0; i < GATES; i++) {
        const struct gate_result *g = &p->results[i];

        cli_table_add(&table, gate_name(g->gate), NULL);
        cli_table_add(&table, g->overridden ? "overruled"
                                            : words[g->verdict],
                      g->overridden ? "33" : colors[g->verdict]);
        cli_table_add(&table, g->text, NULL);
    }
    putchar('\n');
    (void)cli_table_print(&table, stdout); /* cli_finish tells */
    cli_table_free(&table);
}

void show_plan(const struct plan *p, const struct shandoff *o)
{
    char text[KEY_MAX + 200];

    if (o->json && o->dry_run) {
        (void)cli_json(plan_json(p));
        return;
    }
    if (o->json)
        return; /* the end is what is printed */
    snprintf(text, sizeof(text), "%s (%.8s) from %s to %s", p->run->key,
             p->run->hash, p->h.peer.cluster->name, p->run->cfg.cluster);
    cli_field("move", text);
    show_source(p);
    show_rates(p);
    show_cost(p);
    show_rest(p);
    show_submission(p);
    show_gates(p);
    fflush(stdout);
}

static void number(int64_t value, const char *unit, char *text, size_t size)
{
    if (value < 0)
        snprintf(text, size, "unknown");
    else
        snprintf(text, size, "%" PRId64 "%s", value, unit);
}

void show_proof(const struct run *run, const char *from,
                const struct follow_result *r)
{
    char gap[32], steps[32], regain[60];

    number(r->numbers.gap, " s", gap, sizeof(gap));
    number(r->numbers.recomputed, "", steps, sizeof(steps));
    number(r->numbers.regain, " s", regain, sizeof(regain));
    if (r->numbers.regain < 0)
        snprintf(regain, sizeof(regain), "not yet (sresume show tells)");
    printf("%s has resumed here from step %" PRId64 " (seen at step %" PRId64
           "), taken from %s\n", run->key, r->step, r->proved, from);
    printf("GPU-idle gap: %s\nsteps recomputed: %s\nsource's step regained "
           "after: %s\n", gap, steps, regain);
}

void show_failure(const struct run *run, const char *from,
                  const struct follow_result *r, enum follow_end end,
                  struct relay_error *err)
{
    const char *copy = "the copy there counts, and it trains on there if it "
                       "did: the same command begins anew";
    char words[1300] = "";

    if (r->journal == JOURNAL_STOPPING || r->journal == JOURNAL_SOURCE_STOPPED)
        copy = "the source is stopped and its last checkpoint, set aside "
               "there, counts: the same command goes on";
    else if (r->journal == JOURNAL_PUBLISHED ||
             r->journal == JOURNAL_COMMITTED)
        copy = "the copy here counts: submit the job again with --resume-key, "
               "or give the run back with --abort";
    if (r->why[0] != '\0')
        snprintf(words, sizeof(words), "; it said: %.1100s", r->why);
    if (end == FOLLOW_BACK)
        relay_fail(err, EX_DATAERR,
                   "%s: the job here began from step %" PRId64 " and not from "
                   "%" PRId64 ", which it was given, and is stopped: does the "
                   "training use this key, and RELAY_RESUME_DIR?%s\n%s",
                   run->key, r->proved, r->step, words, copy);
    else
        relay_fail(err, EX_TEMPFAIL,
                   "%s: the job here is %s (%s) without proof that it "
                   "resumed what came from %s%s\n%s", run->key, r->job.state,
                   r->job.exit[0] != '\0' ? r->job.exit : "exit code unknown",
                   from, words, copy);
}
