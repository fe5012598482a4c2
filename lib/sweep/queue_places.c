/* Where the state of a cell is, when the workers of a sweep are not all on one
 * cluster; and what is left of it. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "queue_state.h"

#define ELSEWHERE_FILE "elsewhere" /* in the sweep: workers of other clusters */

int queue_note_elsewhere(struct queue *queue, struct relay_error *err)
{
    int fd;

    if (faccessat(queue->sweep->fd, ELSEWHERE_FILE, F_OK, 0) == 0)
        return 0;
    fd = openat(queue->sweep->fd, ELSEWHERE_FILE,
                O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return relay_fail_errno(err, EX_CANTCREAT, "cannot make %s/"
                                ELSEWHERE_FILE, queue->sweep->path);
    close(fd); /* empty: its being there is the message */
    return 0;
}

int queue_places(struct queue *queue, const struct queue_claim *claim,
                   struct queue_place *all, size_t max, size_t *n,
                   struct relay_error *err)
{
    struct claim_record rec;
    int64_t gen;

    *n = 0;
    if (claim->gen < 2 ||
        faccessat(queue->sweep->fd, ELSEWHERE_FILE, F_OK, 0) != 0)
        return 0;
    for (gen = claim->gen - 1; gen > 0 && *n < max; gen--) {
        struct queue_place *a = &all[*n];

        if (claim_read(&queue->store, claim->id, gen, &rec, err) != 0)
            return -1;
        if (rec.state != CELL_RUNNING)
            continue;
        memset(a, 0, sizeof(*a));
        a->gen = gen;
        snprintf(a->cluster, sizeof(a->cluster), "%s", rec.owner.cluster);
        snprintf(a->out_root, sizeof(a->out_root), "%s", rec.out_root);
        snprintf(a->resume_root, sizeof(a->resume_root), "%s",
                 rec.resume_root);
        (*n)++;
    }
    return 0;
}

struct owners {
    struct queue *queue;
    const char *cluster;
    struct owner *all;
    size_t max;
    size_t n;
};

static int add_owner(void *arg, const struct board_note *note,
                     enum cell_state state)
{
    struct owners *o = arg;
    struct owner own;
    size_t i;

    if (state != CELL_RUNNING || !queue_writer(o->queue, note->writer, &own) ||
        strcmp(own.cluster, o->cluster) != 0)
        return 0;
    for (i = 0; i < o->n; i++)
        if (owner_same_process(&o->all[i], &own))
            return 0;
    if (o->n == o->max)
        return 1;
    o->all[o->n++] = own;
    return 0;
}

size_t queue_owners_of(struct queue *queue, const char *cluster,
                       struct owner *all, size_t max)
{
    struct owners o = {.queue = queue, .cluster = cluster, .all = all,
                       .max = max};

    (void)queue_each_note(queue, add_owner, &o);
    return o.n;
}

void queue_told_dead(struct queue *queue, const struct owner *own)
{
    uint32_t i;

    for (i = 0; i < queue->writers.n; i++) {
        struct ledger_writer *writer = &queue->writers.all[i];

        if (ledger_know(queue->ledgers, writer) &&
            owner_same_process(&writer->owner, own))
            writer->dead = true;
    }
}

bool queue_left(struct queue *queue, const struct queue_want *want,
                enum queue_next *what)
{
    uint64_t step = want->shard_count > 1 ? want->shard_count : 1;
    uint64_t index = want->shard_count > 1 ? want->shard_index : 0;

    *what = QUEUE_FINISHED;
    if (queue_refresh(queue, NULL) != 0)
        return true;
    for (; index < queue->board.size; index += step) {
        enum cell_state state = board_state(&queue->board, index);

        if (state == CELL_RUNNING)
            *what = QUEUE_NOTHING_NOW;
        if ((state == CELL_WAITING || state == CELL_PARTIAL) &&
            !board_withdrawn(&queue->board, index))
            return true;
    }
    return false;
}
