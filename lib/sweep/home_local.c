/* The home of a sweep that is a directory here. */
#include <stdlib.h>
#include <sysexits.h>

#include "home.h"

struct local {
    struct home home;
    struct sweep *sweep;
    struct queue *queue;
    void (*say)(void *arg, const char *text);
    void *arg;
};

static struct queue *queue_of(struct home *home)
{
    return ((struct local *)home)->queue;
}

static int local_next(struct home *home, size_t slot,
                      const struct queue_want *want, enum queue_next *what,
                      struct queue_claim *claim, struct relay_error *err)
{
    (void)slot;
    return queue_next(queue_of(home), want, what, claim, err);
}

static int local_places(struct home *home, const struct queue_claim *claim,
                          struct queue_place *all, size_t max, size_t *n,
                          struct relay_error *err)
{
    return queue_places(queue_of(home), claim, all, max, n, err);
}

static int local_end(struct home *home, size_t slot,
                     const struct queue_claim *claim,
                     const struct queue_end *end, enum cell_state *final,
                     struct relay_error *err)
{
    (void)slot;
    return queue_end(queue_of(home), claim->index, claim->gen, end, final,
                     err);
}

static void local_progress(struct home *home, size_t slot,
                           const struct queue_claim *claim, int64_t step)
{
    (void)slot;
    queue_progress(queue_of(home), claim->index, claim->gen, step);
}

static bool local_asked(struct home *home, size_t slot,
                        const struct queue_claim *claim)
{
    (void)slot;
    return queue_asked(queue_of(home), claim->index, claim->gen);
}

static int local_refresh(struct home *home, struct relay_error *err)
{
    struct local *l = (struct local *)home;
    int rc = sweep_refresh(l->sweep, queue_is_claimed, l->queue, err);

    if (l->sweep->note[0] != '\0' && l->say != NULL)
        l->say(l->arg, l->sweep->note);
    l->sweep->note[0] = '\0';
    if (rc > 0 && queue_refresh(l->queue, err) != 0)
        return -1;
    return rc;
}

static bool local_left(struct home *home, const struct queue_want *want,
                       enum queue_next *what)
{
    return queue_left(queue_of(home), want, what);
}

static void local_counts(struct home *home, struct board_counts *counts)
{
    queue_counts(queue_of(home), counts);
}

static int local_settle(struct home *home, struct relay_error *err)
{
    (void)home;
    (void)err;
    return 0; /* an end is recorded when it is said */
}

static void local_close(struct home *home)
{
    queue_close(queue_of(home));
    free(home);
}

int home_local(const struct home_options *opt, struct home **home,
               struct relay_error *err)
{
    static const struct home_ops ops = {
        .next = local_next, .places = local_places, .end = local_end,
        .progress = local_progress, .asked = local_asked,
        .refresh = local_refresh, .left = local_left, .counts = local_counts,
        .settle = local_settle, .close = local_close};
    const struct queue_options queue = {.cfg = opt->cfg,
                                        .out_root = opt->out_root,
                                        .resume_root = opt->resume_root};
    struct local *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    l->home.ops = &ops;
    l->sweep = opt->sweep;
    l->say = opt->say;
    l->arg = opt->arg;
    if (queue_open(opt->sweep, opt->own, &queue, &l->queue, err) != 0) {
        free(l);
        return -1;
    }
    *home = &l->home;
    return 0;
}
