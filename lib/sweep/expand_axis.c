/* The axes of a grid, deduplicated as W&B does it. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "expand_int.h"

static int no_memory(struct relay_error *err)
{
    return relay_fail(err, EX_OSERR, "out of memory");
}

/* --- equal values -------------------------------------------------------- */

/* What is compared of each value, and a hash table of those seen. */
struct seen {
    struct text hashed;
    size_t *ends;
    uint32_t *slots; /* index + 1; 0: free */
    size_t mask;
};

size_t expand_hash(const char *s, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    size_t i;

    for (i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)s[i]) * UINT64_C(0x100000001b3);
    return (size_t)(hash ^ hash >> 32);
}

static size_t start_of(const struct seen *seen, uint32_t i)
{
    return i > 0 ? seen->ends[i - 1] : 0;
}

static bool is_equal(const struct seen *seen, uint32_t a, uint32_t b)
{
    size_t from_a = start_of(seen, a), from_b = start_of(seen, b);
    size_t len = seen->ends[a] - from_a;

    return seen->ends[b] - from_b == len &&
           memcmp(seen->hashed.s + from_a, seen->hashed.s + from_b,
                  len) == 0;
}

static uint32_t find_first(struct seen *seen, uint32_t i)
{
    size_t from = start_of(seen, i);
    size_t at = expand_hash(seen->hashed.s + from, seen->ends[i] - from);

    for (at &= seen->mask; seen->slots[at] != 0; at = (at + 1) & seen->mask)
        if (is_equal(seen, seen->slots[at] - 1, i))
            return seen->slots[at] - 1;
    seen->slots[at] = i + 1;
    return i;
}

static int prepare_seen(struct seen *seen, uint32_t n)
{
    size_t room = 4;

    while (room < (size_t)n * 2)
        room *= 2;
    seen->mask = room - 1;
    seen->ends = calloc(n, sizeof(*seen->ends));
    seen->slots = calloc(room, sizeof(*seen->slots));
    return seen->ends != NULL && seen->slots != NULL ? 0 : -1;
}

int expand_firsts(const struct expand *e, const size_t *leaves,
                  size_t nleaves, uint32_t n, uint32_t *first,
                  struct relay_error *err)
{
    struct seen seen = {0};
    struct value room;
    int rc = prepare_seen(&seen, n);
    uint32_t i;
    size_t k;

    for (i = 0; i < n && rc == 0; i++) {
        for (k = 0; k < nleaves; k++) {
            expand_hashed(expand_leaf_value(&e->leaves[leaves[k]], i, &room),
                          &seen.hashed);
            text_add_char(&seen.hashed, '\n'); /* never in canonical JSON */
        }
        seen.ends[i] = seen.hashed.len;
        rc = seen.hashed.failed ? -1 : 0;
        if (rc == 0)
            first[i] = find_first(&seen, i);
    }
    text_free(&seen.hashed);
    free(seen.ends);
    free(seen.slots);
    return rc == 0 ? 0 : no_memory(err);
}

/* --- axes ---------------------------------------------------------------- */

size_t expand_find_leaf(const struct expand *e, const char *name,
                        const char *word, int line, struct relay_error *err)
{
    size_t found = EXPAND_NONE;
    size_t i;

    for (i = 0; i < e->nleaves; i++) {
        if (strcmp(e->leaves[i].leaf->name, name) != 0)
            continue;
        if (found != EXPAND_NONE) {
            relay_fail(err, EX_DATAERR, "%s:%d: %s: there are two parameters "
                       "%s, one of that name and one within another",
                       e->name, line, word, name);
            return EXPAND_NONE;
        }
        found = i;
    }
    if (found == EXPAND_NONE)
        relay_fail(err, EX_DATAERR, "%s:%d: %s: there is no parameter %s",
                   e->name, line, word, name);
    return found;
}

/* Leaves of one zip: put together under the first of them. */
static int join(struct expand *e, const struct relay_zip *zip,
                struct relay_error *err)
{
    size_t leader = EXPAND_NONE;
    size_t i, at;

    for (i = 0; i < zip->n; i++) {
        at = expand_find_leaf(e, zip->params[i], "zip", zip->line, err);
        if (at == EXPAND_NONE)
            return -1;
        if (e->leaves[at].axis != EXPAND_NONE)
            return relay_fail(err, EX_DATAERR, "%s:%d: zip: parameter %s is "
                              "in another zip", e->name, zip->line,
                              zip->params[i]);
        if (leader == EXPAND_NONE || at < leader)
            leader = at;
    }
    for (i = 0; i < zip->n; i++) {
        at = expand_find_leaf(e, zip->params[i], "zip", zip->line, err);
        e->leaves[at].leader = leader;
        e->leaves[at].axis = 0; /* taken; its number comes later */
        if (e->leaves[at].leaf->kind == WANDB_CONSTANT)
            return relay_fail(err, EX_DATAERR, "%s:%d: zip: parameter %s has "
                              "one value: write values: [...]", e->name,
                              zip->line, zip->params[i]);
        if (e->leaves[at].n != e->leaves[leader].n)
            return relay_fail(
                err, EX_DATAERR, "%s:%d: zip: %s has %llu values and %s has "
                "%llu: zipped parameters need as many", e->name, zip->line,
                e->leaves[leader].leaf->name,
                (unsigned long long)e->leaves[leader].n, zip->params[i],
                (unsigned long long)e->leaves[at].n);
    }
    return 0;
}

static int join_zips(struct expand *e, struct relay_error *err)
{
    size_t i;

    for (i = 0; i < e->lines->nzips; i++)
        if (join(e, &e->lines->zips[i], err) != 0)
            return -1;
    return 0;
}

/* W&B finds a value by its hash: equal values are one, in the place of the
 * first and with the face of the last ([1, 1.0] is one cell, 1.0). */
static int deduplicate(const struct expand *e, struct expand_axis *axis,
                       uint32_t n, struct relay_error *err)
{
    uint32_t *first = calloc(n, sizeof(*first));
    uint32_t i, kept = 0;

    if (first == NULL)
        return no_memory(err);
    if (expand_firsts(e, axis->leaves, axis->nleaves, n, first, err) != 0) {
        free(first);
        return -1;
    }
    axis->pick = calloc(n, sizeof(*axis->pick));
    if (axis->pick == NULL) {
        free(first);
        return no_memory(err);
    }
    /* first[i] becomes the digit that i's values have */
    for (i = 0; i < n; i++) {
        first[i] = first[i] == i ? kept++ : first[first[i]];
        axis->pick[first[i]] = i;
    }
    axis->size = kept;
    free(first);
    if (kept == n) {
        free(axis->pick);
        axis->pick = NULL;
    }
    return 0;
}

static bool is_counted(const struct expand *e, const struct expand_axis *axis)
{
    size_t i;

    for (i = 0; i < axis->nleaves; i++) {
        const struct expand_leaf *leaf = &e->leaves[axis->leaves[i]];

        if (leaf->pieces == NULL) /* a range: no two are equal */
            return true;
    }
    return false;
}

/* The axis of the leaf `leader` and of those zipped with it. */
static int fill_axis(struct expand *e, size_t leader, struct expand_axis *a,
                     struct relay_error *err)
{
    uint64_t n = e->leaves[leader].n;
    size_t i, count = 0;

    for (i = leader; i < e->nleaves; i++)
        count += e->leaves[i].leader == leader;
    a->leaves = calloc(count, sizeof(*a->leaves));
    if (a->leaves == NULL)
        return no_memory(err);
    for (i = leader; i < e->nleaves; i++)
        if (e->leaves[i].leader == leader) {
            a->leaves[a->nleaves++] = i;
            e->leaves[i].axis = e->naxes - 1;
        }
    if (n >= EXPAND_MAX)
        return relay_fail(err, EX_DATAERR, "%s: parameter %s has 2^32 values "
                          "or more", e->name, e->leaves[leader].leaf->name);
    a->size = (uint32_t)n;
    return is_counted(e, a) ? 0 : deduplicate(e, a, a->size, err);
}

int expand_prepare_axes(struct expand *e, struct relay_error *err)
{
    size_t i;

    if (join_zips(e, err) != 0)
        return -1;
    e->axes = calloc(e->nleaves, sizeof(*e->axes));
    if (e->axes == NULL)
        return no_memory(err);
    e->product = 1;
    for (i = 0; i < e->nleaves; i++) {
        if (e->leaves[i].leaf->kind == WANDB_CONSTANT ||
            e->leaves[i].leader != i)
            continue;
        e->naxes++;
        if (fill_axis(e, i, &e->axes[e->naxes - 1], err) != 0)
            return -1;
        e->product *= e->axes[e->naxes - 1].size;
        if (e->product > EXPAND_MAX)
            return relay_fail(err, EX_DATAERR, "%s: the grid has more than "
                              "2^32 cells", e->name);
    }
    return 0;
}

/* --- draws: zipped categoricals take one draw ---------------------------- */

static int check_draw(const struct expand *e, const struct expand_leaf *leaf,
                      struct relay_error *err)
{
    const struct wandb_leaf *of = leaf->leaf;

    if ((of->kind == WANDB_BETA || of->kind == WANDB_Q_BETA) &&
        !(of->a > 0 && of->b > 0))
        return relay_fail(err, EX_DATAERR, "%s:%d:%d: parameter %s: a and b "
                          "of a beta distribution must be greater than 0",
                          e->name, of->line, of->column, of->name);
    if (leaf->axis != EXPAND_NONE && of->kind != WANDB_CATEGORICAL &&
        of->kind != WANDB_CATEGORICAL_P)
        return relay_fail(err, EX_DATAERR, "%s: zip: parameter %s must have "
                          "values: with method: random only lists are "
                          "zipped", e->name, of->name);
    return 0;
}

int expand_prepare_draws(struct expand *e, struct relay_error *err)
{
    size_t i;

    if (!e->lines->has_seed)
        return relay_fail(err, EX_DATAERR, "%s: method: random needs a seed, "
                          "so that a cell is the same each time: add a line "
                          "#RELAY seed 1", e->name);
    if (e->sweep->run_cap == 0)
        return relay_fail(err, EX_DATAERR, "%s: method: random has no end: "
                          "add a line run_cap: 100", e->name);
    if ((uint64_t)e->sweep->run_cap >= EXPAND_MAX)
        return relay_fail(err, EX_DATAERR, "%s: run_cap is 2^32 or more",
                          e->name);
    if (join_zips(e, err) != 0)
        return -1;
    for (i = 0; i < e->nleaves; i++)
        if (check_draw(e, &e->leaves[i], err) != 0)
            return -1;
    e->product = (uint64_t)e->sweep->run_cap;
    return 0;
}
