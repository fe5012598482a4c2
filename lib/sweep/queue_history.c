/* The whole story of a cell, for a person. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "queue_state.h"

/* What a ledger adds to a record. */
struct detail {
    int64_t gen;
    bool found;
    int64_t time;
    int64_t step;
    int64_t seconds;
    char cause[24];
    char why[200];
};

static void take_detail(void *arg, const struct board_line *line)
{
    struct detail *d = arg;

    if (line->gen != d->gen || line->observed)
        return;
    if (!d->found) {
        d->time = line->time;
        d->seconds = line->seconds;
        snprintf(d->cause, sizeof(d->cause), "%s", line->cause);
        snprintf(d->why, sizeof(d->why), "%s", line->why);
    }
    d->found = true;
    if (line->step >= 0)
        d->step = line->step; /* of a running one: the latest */
}

static void add_detail(const struct detail *d, struct text *out)
{
    char when[32], span[32];

    if (!d->found)
        return;
    clock_iso(d->time, when, sizeof(when));
    text_printf(out, " at %s", when);
    if (d->step >= 0)
        text_printf(out, ", step %" PRId64, d->step);
    if (d->seconds > 0) {
        clock_span(d->seconds, span, sizeof(span));
        text_printf(out, ", after %s", span);
    }
    if (d->cause[0] != '\0')
        text_printf(out, ", %s", d->cause);
    if (d->why[0] != '\0')
        text_printf(out, ": %s", d->why);
}

static int add_record(struct queue *queue, uint64_t index, int64_t gen,
                      const struct claim_record *rec, struct text *out,
                      struct relay_error *err)
{
    struct detail d = {.gen = gen, .step = -1};
    int64_t number = ledger_number(&queue->writers, rec->writer, err);
    char who[300];

    if (number < 0 ||
        ledger_each(queue->ledgers, &queue->writers.all[number], index,
                    take_detail, &d, err) != 0)
        return -1;
    owner_describe(&rec->owner, who, sizeof(who));
    text_printf(out, "gen %" PRId64 "  %s by %s", gen,
                rec->state == CELL_RUNNING ? "claim"
                                           : cell_state_name(rec->state),
                who);
    add_detail(&d, out);
    text_add_char(out, '\n');
    return 0;
}

static void add_evidence(struct queue *queue, const struct claim_record *rec,
                         struct text *out)
{
    static const char *const words[] = {[ALIVE_YES] = "alive",
                                        [ALIVE_DEAD] = "dead",
                                        [ALIVE_UNKNOWN] = "unknown"};
    char why[512] = "";
    enum alive alive = queue_judge_owner(queue, &rec->owner, rec->job_owned,
                                         true, why, sizeof(why));

    text_printf(out, "its owner is %s: %s\n", words[alive], why);
}

int queue_history(struct queue *queue, uint64_t index, struct text *out,
                  struct relay_error *err)
{
    struct claim_record rec = {.state = CELL_WAITING}, next;
    struct relay_error why = {0};
    char id[CELL_ID_MAX + 1];
    int64_t gen;

    if (roster_id(queue->sweep->roster, index, id, err) != 0)
        return -1;
    for (gen = 1; claim_read(&queue->store, id, gen, &next, &why) == 0;
         gen++) {
        rec = next;
        if (add_record(queue, index, gen, &rec, out, err) != 0)
            return -1;
    }
    if (why.code != EX_NOINPUT)
        return relay_fail(err, why.code, "%s", why.text);
    if (rec.state == CELL_RUNNING)
        add_evidence(queue, &rec, out);
    return out->failed ? relay_fail(err, EX_OSERR, "out of memory") : 0;
}
