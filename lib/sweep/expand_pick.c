/* Which cells are left when equal ones are one. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "expand_int.h"

/* Combinations that are looked through when there are conditions. */
#define MAX_LOOKED_THROUGH ((uint64_t)1 << 28)

static int no_memory(struct relay_error *err)
{
    return relay_fail(err, EX_OSERR, "out of memory");
}

static int add_pick(struct expand *e, uint64_t position,
                    struct relay_error *err)
{
    uint64_t *more = e->picked;

    if ((e->size & (e->size - 1)) == 0) { /* the room is a power of two */
        more = reallocarray(more, e->size > 0 ? e->size * 2 : 1,
                            sizeof(*more));
        if (more == NULL)
            return no_memory(err);
        e->picked = more;
    }
    more[e->size++] = position;
    return 0;
}

/* Is there an earlier digit of this axis with the same values in the leaves
 * that exist? Then the cell is that one's. */
static bool is_repeated(const struct expand *e,
                        const struct expand_axis *axis,
                        const struct expand_cell *cell)
{
    uint64_t slot = cell->slot[axis->leaves[0]];
    size_t absent = 0;
    uint32_t digit, earlier;
    size_t k;

    for (k = 0; k < axis->nleaves; k++)
        absent += cell->absent[axis->leaves[k]];
    if (absent == 0)
        return false;
    if (absent == axis->nleaves)
        return slot != (axis->pick != NULL ? axis->pick[0] : 0);
    for (digit = 0; digit < axis->size; digit++) {
        earlier = axis->pick != NULL ? axis->pick[digit] : digit;
        if (earlier == slot)
            break;
        for (k = 0; k < axis->nleaves; k++) {
            const uint32_t *first = e->leaves[axis->leaves[k]].first;

            if (!cell->absent[axis->leaves[k]] &&
                first[earlier] != first[slot])
                break;
        }
        if (k == axis->nleaves)
            return true;
    }
    return false;
}

/* Which values of zipped leaves are equal, each leaf for itself. */
static int prepare_firsts(struct expand *e, struct relay_error *err)
{
    size_t i;

    for (i = 0; i < e->nleaves; i++) {
        struct expand_leaf *leaf = &e->leaves[i];

        if (leaf->axis == EXPAND_NONE || e->axes[leaf->axis].nleaves < 2)
            continue;
        leaf->first = calloc(leaf->n, sizeof(*leaf->first));
        if (leaf->first == NULL)
            return no_memory(err);
        if (expand_firsts(e, &i, 1, (uint32_t)leaf->n, leaf->first,
                          err) != 0)
            return -1;
    }
    return 0;
}

int expand_pick_combinations(struct expand *e, struct relay_error *err)
{
    struct expand_cell cell;
    uint64_t position;
    size_t k;

    if (e->product > MAX_LOOKED_THROUGH)
        return relay_fail(err, EX_DATAERR, "%s:%d: when: the grid has more "
                          "than 2^28 combinations, too many to look through",
                          e->name, e->lines->whens[0].line);
    if (prepare_firsts(e, err) != 0)
        return -1;
    for (position = 0; position < e->product; position++) {
        expand_fill(e, position, &cell);
        for (k = 0; k < e->naxes; k++)
            if (is_repeated(e, &e->axes[k], &cell))
                break;
        if (k == e->naxes && add_pick(e, position, err) != 0)
            return -1;
    }
    return 0;
}

/* --- equal draws --------------------------------------------------------- */

/* Can it be taken that no two draws are equal? */
static bool is_continuous(const struct expand_leaf *leaf)
{
    switch (leaf->leaf->kind) {
    case WANDB_NORMAL:
    case WANDB_LOG_NORMAL:
        return leaf->nconditions == 0 && leaf->leaf->sigma > 0;
    case WANDB_UNIFORM:
    case WANDB_LOG_UNIFORM:
    case WANDB_INV_LOG_UNIFORM:
    case WANDB_LOG_UNIFORM_VALUES:
    case WANDB_INV_LOG_UNIFORM_VALUES:
        return leaf->nconditions == 0;
    default:
        return false;
    }
}

static void draw_text(const struct expand *e, uint64_t position,
                      struct text *out)
{
    struct expand_cell cell;

    text_clear(out);
    expand_fill(e, position, &cell);
    expand_write(e, &cell, NULL, NULL, out);
}

/* A draw that an earlier one was equal to is no cell: it would be the same
 * run twice. slots: position + 1, by hash. */
static int pick_new(struct expand *e, uint32_t *slots, size_t mask,
                    struct relay_error *err)
{
    struct text text = {0}, other = {0};
    uint64_t position;
    int rc = 0;
    size_t at;

    for (position = 0; position < e->product && rc == 0; position++) {
        draw_text(e, position, &text);
        for (at = expand_hash(text.s, text.len) & mask;
             slots[at] != 0 && !text.failed; at = (at + 1) & mask) {
            draw_text(e, slots[at] - 1, &other);
            if (other.failed || (other.len == text.len &&
                memcmp(other.s, text.s, text.len) == 0))
                break;
        }
        if (text.failed || other.failed)
            rc = no_memory(err);
        else if (slots[at] == 0) {
            slots[at] = (uint32_t)position + 1;
            rc = add_pick(e, position, err);
        }
    }
    text_free(&text);
    text_free(&other);
    return rc;
}

int expand_pick_draws(struct expand *e, struct relay_error *err)
{
    uint32_t *slots;
    size_t room = 4;
    size_t i;
    int rc;

    e->size = e->product;
    for (i = 0; i < e->nleaves; i++)
        if (is_continuous(&e->leaves[i]))
            return 0;
    e->size = 0;
    while (room < e->product * 2)
        room *= 2;
    slots = calloc(room, sizeof(*slots));
    if (slots == NULL)
        return no_memory(err);
    rc = pick_new(e, slots, room - 1, err);
    free(slots);
    return rc;
}
