#include "home.h"

int home_next(struct home *home, size_t slot, const struct queue_want *want,
              enum queue_next *what, struct queue_claim *claim,
              struct relay_error *err)
{
    return home->ops->next(home, slot, want, what, claim, err);
}

int home_places(struct home *home, const struct queue_claim *claim,
                  struct queue_place *all, size_t max, size_t *n,
                  struct relay_error *err)
{
    return home->ops->places(home, claim, all, max, n, err);
}

int home_end(struct home *home, size_t slot, const struct queue_claim *claim,
             const struct queue_end *end, enum cell_state *final,
             struct relay_error *err)
{
    return home->ops->end(home, slot, claim, end, final, err);
}

void home_progress(struct home *home, size_t slot,
                   const struct queue_claim *claim, int64_t step)
{
    home->ops->progress(home, slot, claim, step);
}

bool home_asked(struct home *home, size_t slot,
                const struct queue_claim *claim)
{
    return home->ops->asked(home, slot, claim);
}

int home_refresh(struct home *home, struct relay_error *err)
{
    return home->ops->refresh(home, err);
}

bool home_left(struct home *home, const struct queue_want *want,
               enum queue_next *what)
{
    return home->ops->left(home, want, what);
}

void home_counts(struct home *home, struct board_counts *counts)
{
    home->ops->counts(home, counts);
}

int home_settle(struct home *home, struct relay_error *err)
{
    return home->ops->settle(home, err);
}

void home_close(struct home *home)
{
    if (home != NULL)
        home->ops->close(home);
}
