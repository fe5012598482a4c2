/* How a claim ends, and what a person says of a cell. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "queue_state.h"

/* --- the end of a claim --------------------------------------------------- */

static enum cell_state again(const struct board_note *note, int64_t step)
{
    return step >= 0 || (note != NULL && note->step >= 0) ? CELL_PARTIAL
                                                          : CELL_WAITING;
}

/* Did another worker end the cell in the very same way? Then it is not the
 * worker's fault, and one more try would end so too. */
static bool same_error(const struct queue *queue,
                       const struct board_note *note, const char *why)
{
    return note != NULL && note->failures > 0 && why[0] != '\0' &&
           note->ended_by != queue->self && strcmp(note->why, why) == 0;
}

/* What the end makes of the cell; failures is counted. */
static enum cell_state decide(const struct queue *queue,
                              const struct board_note *note,
                              const struct queue_end *end, const char *why,
                              int *failures)
{
    *failures = note != NULL ? note->failures : 0;
    if (end->state == CELL_PARTIAL)
        return again(note, end->step);
    if (end->state != CELL_FAILED)
        return end->state;
    if (!end->counts)
        return again(note, end->step);
    (*failures)++;
    if (*failures > queue->sweep->retries)
        return CELL_FAILED;
    return same_error(queue, note, why) ? CELL_QUARANTINED
                                        : again(note, end->step);
}

static int refuse_moved(struct queue *queue, const char *id, int64_t gen,
                        const struct claim_record *rec, int64_t last,
                        struct relay_error *err)
{
    char who[300];

    owner_describe(&rec->owner, who, sizeof(who));
    return relay_fail(err, EX_NOPERM,
                      "cell %s of %s is not at claim %" PRId64 " any more: %s "
                      "made it %s (generation %" PRId64 ")", id,
                      queue->sweep->path, gen, who,
                      rec->state == CELL_RUNNING ? "its own"
                                                 : cell_state_name(rec->state),
                      last);
}

/* Is generation gen a claim, and the last one (or followed by our own end)?
 * 1 it is the last, 2 its end stands already, -1 neither. */
static int check_claim(struct queue *queue, uint64_t index, const char *id,
                       int64_t gen, enum cell_state *state,
                       struct relay_error *err)
{
    struct claim_record rec = {.state = CELL_WAITING};
    struct relay_error none = {0};
    int64_t last;

    if (gen >= 1 && board_gen(&queue->board, index) == gen &&
        board_state(&queue->board, index) == CELL_RUNNING)
        return 1; /* the link tells if that is old */
    if (gen < 1 || claim_read(&queue->store, id, gen, &rec, &none) != 0 ||
        rec.state != CELL_RUNNING)
        return relay_fail(err, EX_NOPERM,
                          "cell %s of %s has no claim of generation %" PRId64,
                          id, queue->sweep->path, gen);
    if (queue_probe(queue, index, id, gen, &rec, &last, err) != 0)
        return -1;
    if (last == gen)
        return 1;
    *state = rec.state;
    if (last == gen + 1 && rec.state != CELL_RUNNING &&
        strcmp(rec.writer, queue->store.writer) == 0)
        return 2;
    return refuse_moved(queue, id, gen, &rec, last, err);
}

/* Links and notes what line says. */
static int record(struct queue *queue, const char *id,
                  const struct board_line *line, struct relay_error *err)
{
    struct claim_record rec = {.state = CELL_WAITING};
    int64_t last;
    int won = claim_link(&queue->store, id, line->gen, line->state, err);

    if (won < 0)
        return -1;
    if (won == 1)
        return queue_say(queue, line, err);
    if (queue_probe(queue, line->index, id, line->gen, &rec, &last, err) != 0)
        return -1;
    return refuse_moved(queue, id, line->gen - 1, &rec, last, err);
}

int queue_end(struct queue *queue, uint64_t index, int64_t gen,
              const struct queue_end *end, enum cell_state *final,
              struct relay_error *err)
{
    const struct board_note *note;
    struct board_line line = {.index = index, .gen = gen + 1,
                              .time = clock_wall(), .step = end->step,
                              .seconds = end->seconds};
    char id[CELL_ID_MAX + 1], why[sizeof(note->why)];
    int rc;

    snprintf(why, sizeof(why), "%s", end->why != NULL ? end->why : "");
    if (roster_id(queue->sweep->roster, index, id, err) != 0)
        return -1;
    rc = check_claim(queue, index, id, gen, &line.state, err);
    if (rc < 0)
        return -1;
    if (rc == 1) {
        note = board_note(&queue->board, index);
        line.state = decide(queue, note, end, why, &line.failures);
        line.cause = end->cause != NULL ? end->cause : "";
        line.why = why;
        if (record(queue, id, &line, err) != 0)
            return -1;
    }
    queue->ended = true;
    if (final != NULL)
        *final = line.state;
    return 0;
}

void queue_progress(struct queue *queue, uint64_t index, int64_t gen,
                    int64_t step)
{
    const struct board_note *note = board_note(&queue->board, index);
    struct board_line line = {.state = CELL_RUNNING, .index = index,
                              .gen = gen, .time = clock_wall(), .step = step,
                              .failures = note != NULL ? note->failures : 0,
                              .cause = "", .why = ""};

    (void)queue_say(queue, &line, NULL); /* only status would miss it */
}

/* --- a person's word ------------------------------------------------------ */

static int settle_retry(enum cell_state state, bool force,
                        enum cell_state *to)
{
    *to = CELL_WAITING;
    return state == CELL_FAILED || state == CELL_QUARANTINED ||
           (force && (state == CELL_UNPROVEN || state == CELL_DONE));
}

static int settle_accept(enum cell_state state, bool force,
                         enum cell_state *to)
{
    (void)force;
    *to = CELL_DONE;
    return state == CELL_UNPROVEN;
}

static int settle_hold(enum cell_state state, bool force,
                       enum cell_state *to)
{
    (void)force;
    *to = CELL_QUARANTINED;
    return state == CELL_WAITING || state == CELL_PARTIAL;
}

static const struct {
    const char *word;
    const char *cause;
    int (*may)(enum cell_state state, bool force, enum cell_state *to);
} words[] = {
    {"retry", "retry", settle_retry},
    {"accept", "accepted", settle_accept},
    {"hold", "cancelled", settle_hold},
};

static int settle(struct queue *queue, uint64_t index, size_t w, bool force,
                  struct relay_error *err)
{
    char id[CELL_ID_MAX + 1], why[400];
    struct claim_record rec;
    const struct board_note *note;
    struct board_line line = {.index = index, .time = clock_wall(),
                              .step = -1, .cause = words[w].cause,
                              .why = why};
    enum cell_state state;
    int64_t last;

    if (roster_id(queue->sweep->roster, index, id, err) != 0 ||
        queue_probe(queue, index, id, board_gen(&queue->board, index), &rec,
                    &last, err) != 0)
        return -1;
    state = board_state(&queue->board, index);
    note = board_note(&queue->board, index);
    if (state == CELL_RUNNING)
        return relay_fail(err, EX_NOPERM,
                          "cell %s is running; to stop it: ssweep cancel %s "
                          "%s", id, queue->sweep->path, id);
    if (!words[w].may(state, force, &line.state))
        return relay_fail(err, EX_DATAERR, "cell %s is %s: %s is not for "
                                           "that%s", id,
                          cell_state_name(state), words[w].word,
                          settle_retry(state, true, &line.state) &&
                                  strcmp(words[w].word, "retry") == 0
                              ? " without --force"
                              : "");
    if (line.state == CELL_WAITING && note != NULL && note->step >= 0)
        line.state = CELL_PARTIAL; /* it goes on from its checkpoint */
    snprintf(why, sizeof(why), "said by %s on %s", queue->own.user,
             queue->own.host);
    line.gen = board_gen(&queue->board, index) + 1;
    return record(queue, id, &line, err);
}

int queue_settle(struct queue *queue, uint64_t index, const char *word,
                 bool force, struct relay_error *err)
{
    size_t w;

    for (w = 0; w < sizeof(words) / sizeof(words[0]); w++)
        if (strcmp(words[w].word, word) == 0)
            return settle(queue, index, w, force, err);
    return relay_fail(err, EX_SOFTWARE, "%s is no word about a cell", word);
}

/* --- asking for a stop ---------------------------------------------------- */

int queue_ask_stop(struct queue *queue, uint64_t index,
                   struct relay_error *err)
{
    char id[CELL_ID_MAX + 1];

    if (roster_id(queue->sweep->roster, index, id, err) != 0)
        return -1;
    if (board_state(&queue->board, index) != CELL_RUNNING)
        return relay_fail(err, EX_DATAERR, "cell %s is not running but %s",
                          id, cell_state_name(board_state(&queue->board,
                                                          index)));
    return claim_ask_stop(&queue->store, id, board_gen(&queue->board, index),
                          err);
}

bool queue_asked(struct queue *queue, uint64_t index, int64_t gen)
{
    char id[CELL_ID_MAX + 1];

    return roster_id(queue->sweep->roster, index, id, NULL) == 0 &&
           claim_asked_stop(&queue->store, id, gen);
}
