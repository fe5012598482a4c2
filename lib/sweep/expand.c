#include "expand.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "expand_int.h"

/* --- opening ------------------------------------------------------------- */

static int prepare_grid(struct expand *e, struct relay_error *err)
{
    if (expand_prepare_axes(e, err) != 0 ||
        expand_prepare_conditions(e, err) != 0)
        return -1;
    e->size = 0;
    if (e->nconditions == 0)
        e->size = e->product;
    else if (expand_pick_combinations(e, err) != 0)
        return -1;
    if (e->sweep->run_cap > 0 && (uint64_t)e->sweep->run_cap < e->size)
        e->size = (uint64_t)e->sweep->run_cap;
    return 0;
}

static int prepare_random(struct expand *e, struct relay_error *err)
{
    if (expand_prepare_draws(e, err) != 0 ||
        expand_prepare_conditions(e, err) != 0)
        return -1;
    return expand_pick_draws(e, err);
}

int expand_open(const struct wandb_sweep *sweep,
                const struct relay_lines *lines, const char *name,
                struct expand **out, struct relay_error *err)
{
    struct expand *e = calloc(1, sizeof(*e));
    int rc;

    *out = NULL;
    if (e == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    e->sweep = sweep;
    e->lines = lines;
    e->name = name;
    rc = expand_prepare_leaves(e, err);
    if (rc == 0)
        rc = sweep->method == WANDB_GRID ? prepare_grid(e, err)
                                         : prepare_random(e, err);
    if (rc == 0 && e->size == 0)
        rc = relay_fail(err, EX_DATAERR, "%s: there are no cells", name);
    if (rc != 0) {
        expand_close(e);
        return -1;
    }
    *out = e;
    return 0;
}

static void close_leaf(struct expand_leaf *leaf)
{
    size_t i;

    if (leaf->opening != NULL)
        for (i = 0; i < leaf->leaf->depth; i++)
            free(leaf->opening[i]);
    free(leaf->opening);
    free(leaf->key);
    free(leaf->pieces);
    free(leaf->ends);
    free(leaf->first);
}

void expand_close(struct expand *e)
{
    size_t i;

    if (e == NULL)
        return;
    for (i = 0; i < e->nleaves; i++)
        close_leaf(&e->leaves[i]);
    for (i = 0; i < e->naxes; i++) {
        free(e->axes[i].leaves);
        free(e->axes[i].pick);
    }
    for (i = 0; i < e->nconditions; i++) {
        text_free(&e->conditions[i].canonical);
        free(e->conditions[i].holds);
    }
    free(e->leaves);
    free(e->axes);
    free(e->conditions);
    free(e->order);
    free(e->picked);
    free(e);
}

uint64_t expand_size(const struct expand *e)
{
    return e->size;
}

/* --- cells --------------------------------------------------------------- */

static void fill_grid(const struct expand *e, uint64_t position,
                      struct expand_cell *cell)
{
    uint32_t left = (uint32_t)position; /* there are at most 2^32 */
    size_t i, k;

    for (i = e->naxes; i-- > 0;) {
        const struct expand_axis *axis = &e->axes[i];
        uint32_t digit = left % axis->size;

        left /= axis->size;
        if (axis->pick != NULL)
            digit = axis->pick[digit];
        for (k = 0; k < axis->nleaves; k++)
            cell->slot[axis->leaves[k]] = digit;
    }
}

void expand_fill(const struct expand *e, uint64_t position,
                 struct expand_cell *cell)
{
    size_t i;

    if (e->sweep->method == WANDB_GRID) {
        for (i = 0; i < e->nleaves; i++)
            cell->slot[i] = 0; /* of constants */
        fill_grid(e, position, cell);
    } else {
        for (i = 0; i < e->nleaves; i++)
            cell->slot[i] = e->leaves[i].leader == i
                                ? expand_draw(&e->leaves[i], position)
                                : cell->slot[e->leaves[i].leader];
    }
    if (e->nconditions > 0)
        expand_conditions(e, cell);
}

static void fill(const struct expand *e, uint64_t index,
                 struct expand_cell *cell)
{
    expand_fill(e, e->picked != NULL ? e->picked[index] : index, cell);
}

static bool is_absent(const struct expand *e, const struct expand_cell *cell,
                      size_t i)
{
    return e->nconditions > 0 && cell->absent[i];
}

/* Puts the value of leaf i into a dict, within those of its path from level
 * `from` on. */
static int put_leaf(const struct expand *e, const struct expand_cell *cell,
                    size_t i, size_t from, struct value *dict,
                    struct relay_error *err)
{
    const struct wandb_leaf *leaf = e->leaves[i].leaf;
    struct value room, copy;
    struct value *inner;
    size_t k;

    for (k = from; k + 1 < leaf->depth; k++) {
        inner = value_get(dict, leaf->path[k]);
        if (inner == NULL) {
            struct value empty = {.kind = VALUE_DICT};

            if (value_put(dict, leaf->path[k], &empty, err) != 0)
                return -1;
            inner = &dict->items[dict->n - 1];
        }
        dict = inner;
    }
    if (value_copy(expand_leaf_value(&e->leaves[i], cell->slot[i], &room),
                   &copy, err) != 0)
        return -1;
    return value_put(dict, leaf->path[k], &copy, err);
}

static int check_index(const struct expand *e, uint64_t index,
                       struct relay_error *err)
{
    if (index < e->size)
        return 0;
    return relay_fail(err, EX_USAGE, "%s has %llu cells: there is no cell "
                      "%llu", e->name, (unsigned long long)e->size,
                      (unsigned long long)index);
}

int expand_cell(const struct expand *e, uint64_t index, struct value *params,
                struct relay_error *err)
{
    struct expand_cell cell;
    size_t i;

    memset(params, 0, sizeof(*params));
    if (check_index(e, index, err) != 0)
        return -1;
    params->kind = VALUE_DICT;
    fill(e, index, &cell);
    for (i = 0; i < e->nleaves; i++)
        if (!is_absent(e, &cell, i) &&
            put_leaf(e, &cell, i, 0, params, err) != 0) {
            value_free(params);
            return -1;
        }
    return 0;
}

int expand_canonical(const struct expand *e, uint64_t index,
                     bool (*drop)(void *arg, const char *key), void *arg,
                     struct text *out, struct relay_error *err)
{
    struct expand_cell cell;

    if (check_index(e, index, err) != 0)
        return -1;
    fill(e, index, &cell);
    expand_write(e, &cell, drop, arg, out);
    return out->failed ? relay_fail(err, EX_OSERR, "out of memory") : 0;
}

/* The dict of the leaves from i on that are within the same top-level key;
 * NULL when none of them exists. */
static const struct value *nested(const struct expand *e,
                                  const struct expand_cell *cell, size_t i,
                                  struct value *room)
{
    const char *top = e->leaves[i].leaf->path[0];

    for (; i < e->nleaves &&
           strcmp(e->leaves[i].leaf->path[0], top) == 0; i++)
        if (!is_absent(e, cell, i) &&
            put_leaf(e, cell, i, 1, room, NULL) != 0) {
            value_free(room);
            return NULL;
        }
    return room->kind == VALUE_DICT ? room : NULL;
}

const struct value *expand_value(const struct expand *e, uint64_t index,
                                 const char *name, struct value *room)
{
    struct expand_cell cell;
    size_t i;

    memset(room, 0, sizeof(*room));
    if (index >= e->size)
        return NULL;
    for (i = 0; i < e->nleaves; i++)
        if (strcmp(e->leaves[i].leaf->path[0], name) == 0)
            break;
    if (i == e->nleaves)
        return NULL;
    fill(e, index, &cell);
    if (e->leaves[i].leaf->depth > 1)
        return nested(e, &cell, i, room);
    if (is_absent(e, &cell, i))
        return NULL;
    return expand_leaf_value(&e->leaves[i], cell.slot[i], room);
}
