#include "queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "digest.h"
#include "file.h"
#include "queue_state.h"
#include "sweep_private.h"

enum {
    SNAPSHOT_CLOSE = 64,   /* lines of ours that are worth one at the end */
    SNAPSHOT_NEWS = 1024,  /* or of others, who close too soon for theirs */
    SNAPSHOT_RUN = 20000,  /* and on the way */
    SYNC_MS = 1000
};

/* --- who writes ----------------------------------------------------------- */

static bool is_writer(const char *nonce)
{
    return strlen(nonce) == CLAIM_WRITER - 1 &&
           strspn(nonce, "0123456789abcdef") == CLAIM_WRITER - 1;
}

static int digested(const char *text, char writer[CLAIM_WRITER],
                    struct relay_error *err)
{
    char hex[DIGEST_HEX];

    if (digest_text(text, strlen(text), hex, err) != 0)
        return -1;
    snprintf(writer, CLAIM_WRITER, "%.32s", hex);
    return 0;
}

/* One writer is one process; or all that write for one nonce; or all calls
 * of one script, whose owner is the script. */
static int name_writer(struct queue *queue, const struct queue_options *opt,
                       char writer[CLAIM_WRITER], struct relay_error *err)
{
    const struct owner *own = &queue->own;
    char text[512];

    if (opt->nonce != NULL) {
        queue->shared = queue->by_nonce = true;
        if (!is_writer(opt->nonce))
            return digested(opt->nonce, writer, err);
        snprintf(writer, CLAIM_WRITER, "%s", opt->nonce);
        return 0;
    }
    if (own->pid == getpid())
        return file_nonce(writer, err);
    queue->shared = true;
    snprintf(text, sizeof(text), "%s %s %d %" PRIu64, own->host, own->boot_id,
             (int)own->pid, own->pid_start);
    return digested(text, writer, err);
}

/* --- opening -------------------------------------------------------------- */

static int open_board(struct queue *queue, struct relay_error *err)
{
    uint64_t size = roster_size(queue->sweep->roster);
    uint64_t i;

    if (board_grow(&queue->board, size, err) != 0)
        return -1;
    if (roster_info(queue->sweep->roster)->kind == ROSTER_WANDB)
        return 0;
    for (i = 0; i < size; i++)
        if (board_gen(&queue->board, i) == 0)
            board_withdraw(&queue->board, i,
                           roster_withdrawn(queue->sweep->roster, i));
    return 0;
}

int queue_refresh(struct queue *queue, struct relay_error *err)
{
    uint64_t news = 0;
    int rc;

    queue->refreshed = clock_ms();
    if (open_board(queue, err) != 0)
        return -1;
    rc = snapshot_load(queue->snapshots, &queue->snapshot, &queue->board,
                       &queue->writers, err);
    if (rc < 0)
        return -1;
    if (rc > 0)
        queue->news = 0;
    if (ledger_read_all(queue->ledgers, &queue->writers, &queue->board,
                        queue->shared ? "" : queue->store.writer, &news,
                        err) != 0)
        return -1;
    queue->news += news;
    queue->begun.stale = queue->begun.stale || rc > 0 || news > 0;
    return 0;
}

static int open_dirs(struct queue *queue, const char *writer,
                     const struct queue_options *opt, struct relay_error *err)
{
    if (faccessat(queue->sweep->fd, COPY_FILE, F_OK, 0) == 0)
        return relay_fail(err, EX_USAGE,
                          "this is a copy that a worker made of a sweep on "
                          "another cluster: name that one as `cat %s/"
                          COPY_FILE "` does", queue->sweep->path);
    queue->store.job_owned = opt->job_owned;
    queue->store.shared = queue->shared;
    queue->store.out_root = opt->out_root;
    queue->store.resume_root = opt->resume_root;
    if (claim_open(queue->sweep->fd, queue->read_only ? NULL : &queue->own,
                   queue->read_only ? NULL : writer, &queue->store, err) != 0)
        return -1;
    queue->ledgers = file_open_dir(queue->sweep->fd, LEDGER_DIR, err);
    if (queue->ledgers < 0)
        return -1;
    queue->snapshots = file_open_dir(queue->sweep->fd, SNAPSHOT_DIR, err);
    return queue->snapshots < 0 ? -1 : 0;
}

static int open_self(struct queue *queue, const char *writer,
                     struct relay_error *err)
{
    struct ledger_writer *self;
    int64_t number = ledger_number(&queue->writers, writer, err);

    if (number < 0)
        return -1;
    queue->self = (uint32_t)number;
    self = &queue->writers.all[number];
    self->owner = queue->own;
    self->job_owned = queue->store.job_owned;
    self->known = true;
    if (queue->board.size > 0)
        queue->cursor = roster_id_key(writer) % queue->board.size;
    return 0;
}

int queue_open(const struct sweep *sweep, const struct owner *own,
               const struct queue_options *opt, struct queue **out,
               struct relay_error *err)
{
    struct queue *queue = calloc(1, sizeof(*queue));
    char writer[CLAIM_WRITER] = "";
    int rc = 0;

    if (queue == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    queue->sweep = sweep;
    queue->given = opt->cfg;
    queue->read_only = opt->read_only || own == NULL;
    queue->store.claims = queue->store.records = -1;
    queue->ledgers = queue->snapshots = queue->ledger = -1;
    if (!queue->read_only) {
        queue->own = *own;
        rc = name_writer(queue, opt, writer, err);
        snprintf(queue->own.nonce, sizeof(queue->own.nonce), "%s", writer);
    }
    if (rc == 0)
        rc = open_dirs(queue, writer, opt, err);
    if (rc == 0)
        rc = queue_refresh(queue, err);
    if (rc == 0 && !queue->read_only)
        rc = open_self(queue, writer, err);
    if (rc != 0) {
        queue_close(queue);
        return relay_fail_in(err, "sweep %s", sweep->path);
    }
    *out = queue;
    return 0;
}

/* --- snapshots ------------------------------------------------------------ */

static bool *running_writers(const struct queue *queue)
{
    const struct board *board = &queue->board;
    bool *running = calloc(queue->writers.n + 1, sizeof(*running));
    size_t i;

    for (i = 0; running != NULL && i < board->nroom; i++)
        if (board->notes[i] != NULL &&
            board_state(board, board->notes[i]->index) == CELL_RUNNING)
            running[board->notes[i]->writer] = true;
    return running;
}

/* What nobody will write to any more. */
static void fold_ledgers(struct queue *queue)
{
    bool *running = running_writers(queue);
    uint32_t i;

    for (i = 0; running != NULL && i < queue->writers.n; i++) {
        struct ledger_writer *writer = &queue->writers.all[i];

        if (writer->folded || running[i])
            continue;
        if (writer->sealed ||
            (i != queue->self &&
             queue_owner_alive(queue, i, false, NULL, 0) == ALIVE_DEAD))
            ledger_fold(queue->ledgers, writer);
    }
    free(running);
}

/* Failures cost time only. */
static void make_snapshot(struct queue *queue)
{
    queue->lines = queue->news = 0;
    if (queue_refresh(queue, NULL) == 0 &&
        snapshot_save(queue->snapshots, &queue->snapshot, &queue->board,
                      &queue->writers, queue->store.writer, NULL) == 1)
        fold_ledgers(queue);
}

/* --- saying --------------------------------------------------------------- */

/* The ledger's fsync stands for the links too: they were made before its
 * last line, and a journal is written in order. (An NFS server commits each
 * link before it answers.) Once a second is enough: what an outage takes is
 * a second of very short cells, which are then run again. */
static int sync_ledger(struct queue *queue, bool now, struct relay_error *err)
{
    if (!queue->dirty || (!now && clock_ms() - queue->synced < SYNC_MS))
        return 0;
    queue->synced = clock_ms();
    queue->dirty = false;
    if (fsync(queue->ledger) != 0)
        return relay_fail_errno(err, EX_IOERR, "fsync of the ledger in %s",
                                queue->sweep->path);
    return 0;
}

int queue_need_ledger(struct queue *queue, struct relay_error *err)
{
    if (queue->ledger >= 0)
        return 0;
    queue->ledger = ledger_open(queue->ledgers, &queue->store,
                                queue->shared
                                    ? NULL
                                    : &queue->writers.all[queue->self].offset,
                                err);
    if (queue->ledger < 0)
        return -1;
    queue->synced = clock_ms();
    return 0;
}

int queue_say(struct queue *queue, const struct board_line *line,
              struct relay_error *err)
{
    int64_t len;

    if (board_apply(&queue->board, line, queue->self, err) < 0)
        return -1;
    if (queue->read_only)
        return 0;
    if (queue_need_ledger(queue, err) != 0)
        return -1;
    queue_came_back(queue, line);
    len = ledger_append(queue->ledger, line, err);
    if (len < 0)
        return -1;
    if (!queue->shared)
        queue->writers.all[queue->self].offset += len;
    queue->lines++;
    queue->dirty = true;
    if (sync_ledger(queue, line->seconds > 0, err) != 0)
        return -1;
    if (queue->lines >= SNAPSHOT_RUN)
        make_snapshot(queue);
    return 0;
}

/* --- closing ------------------------------------------------------------- */

static bool holds_claims(const struct queue *queue)
{
    bool *running = running_writers(queue);
    bool holds = running == NULL || running[queue->self];

    free(running);
    return holds;
}

/* Will nobody write as this writer any more? A job's one cell has ended. */
static bool is_through(const struct queue *queue)
{
    if (queue->shared && !(queue->store.job_owned && queue->ended))
        return false;
    return !holds_claims(queue);
}

void queue_close(struct queue *queue)
{
    if (queue == NULL)
        return;
    if (queue->ledger >= 0) {
        (void)sync_ledger(queue, true, NULL); /* nobody is left to be told */
        if (is_through(queue) && ledger_seal(queue->ledger, NULL) == 0)
            queue->writers.all[queue->self].sealed = true;
        if (queue->lines >= SNAPSHOT_CLOSE || queue->news >= SNAPSHOT_NEWS)
            make_snapshot(queue);
        close(queue->ledger);
    }
    claim_close(&queue->store);
    if (queue->ledgers >= 0)
        close(queue->ledgers);
    if (queue->snapshots >= 0)
        close(queue->snapshots);
    if (queue->configured)
        config_free(&queue->cfg);
    board_free(&queue->board);
    ledger_writers_free(&queue->writers);
    free(queue->order);
    queue_forget_begun(queue);
    free(queue);
}

/* --- looking -------------------------------------------------------------- */

enum cell_state queue_state(const struct queue *queue, uint64_t index)
{
    return board_state(&queue->board, index);
}

int64_t queue_generation(const struct queue *queue, uint64_t index)
{
    return index < queue->board.size ? board_gen(&queue->board, index) : 0;
}

bool queue_touched(const struct queue *queue, uint64_t index)
{
    return index < queue->board.size && board_gen(&queue->board, index) > 0;
}

bool queue_is_claimed(void *arg, uint64_t index)
{
    return queue_touched(arg, index) ||
           (queue_refresh(arg, NULL) == 0 && queue_touched(arg, index));
}

const struct board_note *queue_note(const struct queue *queue,
                                    uint64_t index)
{
    return board_note(&queue->board, index);
}

static int by_index(const void *a, const void *b)
{
    uint64_t x = (*(struct board_note *const *)a)->index;
    uint64_t y = (*(struct board_note *const *)b)->index;

    return (x > y) - (x < y);
}

int queue_each_note(const struct queue *queue,
                    int (*each)(void *arg, const struct board_note *note,
                                enum cell_state state), void *arg)
{
    const struct board *board = &queue->board;
    struct board_note **sorted = calloc(board->nnotes + 1, sizeof(*sorted));
    size_t i, n = 0;
    int rc = 0;

    if (sorted == NULL)
        return -1;
    for (i = 0; i < board->nroom; i++)
        if (board->notes[i] != NULL)
            sorted[n++] = board->notes[i];
    qsort(sorted, n, sizeof(*sorted), by_index);
    for (i = 0; i < n && rc == 0; i++)
        rc = each(arg, sorted[i], board_state(board, sorted[i]->index));
    free(sorted);
    return rc;
}

bool queue_writer(const struct queue *queue, uint32_t writer,
                  struct owner *own)
{
    if (writer >= queue->writers.n ||
        !ledger_know(queue->ledgers, &queue->writers.all[writer]))
        return false;
    *own = queue->writers.all[writer].owner;
    return true;
}

void queue_counts(const struct queue *queue, struct board_counts *counts)
{
    const struct board *board = &queue->board;

    memcpy(counts->of, board->of, sizeof(counts->of));
    counts->withdrawn = board->of[BOARD_WITHDRAWN];
    counts->cells = board->size - counts->withdrawn;
    counts->seconds = board->timed > 0 ? board->seconds / (double)board->timed
                                       : 0;
}
