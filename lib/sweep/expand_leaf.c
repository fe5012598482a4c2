/* The values of one leaf, and their canonical texts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "expand_int.h"
#include "random.h"

#ifdef __clang__ /* gcc: off by -std=c11 */
#pragma STDC FP_CONTRACT OFF
#endif

/* Above it texts of computed values are made when they are asked for. */
#define MAX_COMPUTED_PIECES 65536

static double number(const struct value *v)
{
    double is = 0;

    wandb_number(v, &is);
    return is;
}

static bool all_ints(const struct wandb_leaf *leaf)
{
    return leaf->min.kind == VALUE_INT && leaf->max.kind == VALUE_INT &&
           leaf->q.kind == VALUE_INT;
}

/* numpy.arange(min, max, q)[i]: its step is (min + q) - min. */
static void arange(const struct wandb_leaf *leaf, uint64_t i,
                   struct value *room)
{
    double min = number(&leaf->min);
    double step;

    if (all_ints(leaf)) {
        value_set_int(room, (int64_t)((uint64_t)leaf->min.i +
                                      i * (uint64_t)leaf->q.i));
        return;
    }
    step = (min + number(&leaf->q)) - min;
    value_set_float(room, i == 0 ? min : min + (double)i * step);
}

/* A drawn number: an int where W&B rounds to an int q. */
static void drawn(const struct wandb_leaf *leaf, double f,
                  struct value *room)
{
    bool rounded = leaf->kind == WANDB_Q_BETA ||
                   leaf->kind == WANDB_Q_LOG_NORMAL ||
                   leaf->kind == WANDB_Q_LOG_UNIFORM ||
                   leaf->kind == WANDB_Q_NORMAL ||
                   leaf->kind == WANDB_Q_UNIFORM ||
                   leaf->kind == WANDB_Q_LOG_UNIFORM_VALUES;

    if (rounded && leaf->q.kind == VALUE_INT && fabs(f) < 9.2e18)
        value_set_int(room, (int64_t)f);
    else
        value_set_float(room, f);
}

const struct value *expand_leaf_value(const struct expand_leaf *leaf,
                                      uint64_t slot, struct value *room)
{
    const struct wandb_leaf *of = leaf->leaf;
    double f;

    switch (of->kind) {
    case WANDB_CATEGORICAL:
    case WANDB_CATEGORICAL_P:
        return &of->values.items[slot];
    case WANDB_CONSTANT:
        return &of->values;
    case WANDB_INT_UNIFORM:
        value_set_int(room, (int64_t)((uint64_t)of->min.i + slot));
        return room;
    default:
        break;
    }
    if (leaf->n > 0) {
        arange(of, slot, room);
    } else {
        memcpy(&f, &slot, sizeof(f));
        drawn(of, f, room);
    }
    return room;
}

void expand_hashed(const struct value *v, struct text *out)
{
    value_canonical(v, v->kind == VALUE_FLOAT, out);
}

/* --- how many ------------------------------------------------------------ */

static int too_many(const struct expand *e, const struct wandb_leaf *leaf,
                    struct relay_error *err)
{
    return relay_fail(err, EX_DATAERR, "%s:%d:%d: parameter %s has more than "
                      "2^32 values", e->name, leaf->line, leaf->column,
                      leaf->name);
}

static int count_arange(const struct expand *e, struct expand_leaf *leaf,
                        struct relay_error *err)
{
    const struct wandb_leaf *of = leaf->leaf;
    double min = number(&of->min), max = number(&of->max);
    double q = number(&of->q);
    double n = ceil((max - min) / q);

    if (all_ints(of)) {
        uint64_t range = (uint64_t)of->max.i - (uint64_t)of->min.i;

        n = (double)(range / (uint64_t)of->q.i +
                     (range % (uint64_t)of->q.i != 0));
    } else if (!(min + q > min)) {
        return relay_fail(err, EX_DATAERR, "%s:%d:%d: parameter %s: q is so "
                          "small that min + q is min", e->name, of->line,
                          of->column, of->name);
    }
    if (!(n <= (double)EXPAND_MAX))
        return too_many(e, of, err);
    if (n < 1)
        return relay_fail(err, EX_DATAERR, "%s:%d:%d: parameter %s has no "
                          "values", e->name, of->line, of->column, of->name);
    leaf->n = (uint64_t)n;
    return 0;
}

static int count_values(const struct expand *e, struct expand_leaf *leaf,
                        struct relay_error *err)
{
    const struct wandb_leaf *of = leaf->leaf;
    uint64_t range;

    switch (of->kind) {
    case WANDB_CATEGORICAL:
    case WANDB_CATEGORICAL_P:
        leaf->n = of->values.n;
        return 0;
    case WANDB_CONSTANT:
        leaf->n = 1;
        return 0;
    case WANDB_INT_UNIFORM:
        range = (uint64_t)of->max.i - (uint64_t)of->min.i;
        if (e->sweep->method == WANDB_GRID && range >= EXPAND_MAX)
            return too_many(e, of, err);
        leaf->n = range < UINT64_MAX ? range + 1 : range;
        return 0;
    case WANDB_Q_UNIFORM:
        return e->sweep->method == WANDB_GRID ? count_arange(e, leaf, err)
                                              : 0;
    default:
        return 0;
    }
}

/* --- texts --------------------------------------------------------------- */

/* ,"key": as canonical JSON has it, and behind it more. */
static char *key_text(const char *key, const char *more)
{
    struct value v = {.kind = VALUE_STR, .text = (char *)(uintptr_t)key};
    struct text t = {0};

    text_add_char(&t, ',');
    value_json(&v, &t);
    text_add_char(&t, ':');
    text_add(&t, more);
    if (t.failed)
        text_free(&t);
    return t.s;
}

static int write_keys(struct expand_leaf *leaf)
{
    const struct wandb_leaf *of = leaf->leaf;
    size_t i;

    leaf->opening = calloc(of->depth, sizeof(*leaf->opening));
    if (leaf->opening == NULL)
        return -1;
    for (i = 0; i + 1 < of->depth; i++) {
        leaf->opening[i] = key_text(of->path[i], "{");
        if (leaf->opening[i] == NULL)
            return -1;
    }
    leaf->key = key_text(of->path[of->depth - 1], "");
    return leaf->key != NULL ? 0 : -1;
}

static int write_pieces(struct expand_leaf *leaf)
{
    const struct wandb_leaf *of = leaf->leaf;
    struct text pieces = {0};
    struct value room;
    uint64_t i;

    if (leaf->n == 0 || of->kind == WANDB_INT_UNIFORM ||
        (of->kind == WANDB_Q_UNIFORM && leaf->n > MAX_COMPUTED_PIECES))
        return 0;
    leaf->ends = calloc(leaf->n, sizeof(*leaf->ends));
    if (leaf->ends == NULL)
        return -1;
    for (i = 0; i < leaf->n; i++) {
        const struct value *v = expand_leaf_value(leaf, i, &room);

        text_add(&pieces, leaf->key);
        value_canonical(v, of->depth == 1 && v->kind == VALUE_FLOAT,
                        &pieces);
        leaf->ends[i] = pieces.len;
    }
    if (pieces.failed)
        text_free(&pieces);
    leaf->pieces = pieces.s;
    return pieces.s != NULL ? 0 : -1;
}

static size_t count_shared(const struct wandb_leaf *a,
                           const struct wandb_leaf *b)
{
    size_t i = 0;

    while (i < a->depth && i < b->depth &&
           strcmp(a->path[i], b->path[i]) == 0)
        i++;
    return i;
}

int expand_prepare_leaves(struct expand *e, struct relay_error *err)
{
    const struct wandb_sweep *sweep = e->sweep;
    size_t i;

    e->leaves = calloc(sweep->nleaves, sizeof(*e->leaves));
    if (e->leaves == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    e->nleaves = sweep->nleaves;
    for (i = 0; i < sweep->nleaves; i++) {
        struct expand_leaf *leaf = &e->leaves[i];

        leaf->leaf = &sweep->leaves[i];
        leaf->axis = EXPAND_NONE;
        leaf->leader = i;
        if (i > 0)
            leaf->shared = count_shared(leaf->leaf, &sweep->leaves[i - 1]);
        leaf->stream = random_stream(e->lines->seed, leaf->leaf->path,
                                     leaf->leaf->depth);
        if (count_values(e, leaf, err) != 0)
            return -1;
        if (write_keys(leaf) != 0 || write_pieces(leaf) != 0)
            return relay_fail(err, EX_OSERR, "out of memory");
    }
    return 0;
}

/* --- a cell's text ------------------------------------------------------- */

static void write_leaf(const struct expand_leaf *leaf, uint64_t slot,
                       size_t skip, struct text *out)
{
    const struct value *v;
    struct value room;
    size_t from;

    if (leaf->pieces != NULL) {
        from = slot > 0 ? leaf->ends[slot - 1] : 0;
        text_add_len(out, leaf->pieces + from + skip,
                     leaf->ends[slot] - from - skip);
        return;
    }
    text_add(out, leaf->key + skip);
    v = expand_leaf_value(leaf, slot, &room);
    if (v->kind == VALUE_INT && v->text == NULL)
        text_add_int(out, v->i);
    else
        value_canonical(v, leaf->leaf->depth == 1 && v->kind == VALUE_FLOAT,
                        out);
}

/* Keys of a path have "," before them, except behind "{": skip. */
void expand_write(const struct expand *e, const struct expand_cell *cell,
                  bool (*drop)(void *arg, const char *key), void *arg,
                  struct text *out)
{
    bool conditional = e->nconditions > 0;
    bool dropped = false;
    size_t open = 0;   /* levels that are open below the top */
    size_t common = 0; /* keys in common with the last leaf written */
    size_t skip = 1;
    size_t i, k;

    text_add_char(out, '{');
    for (i = 0; i < e->nleaves; i++) {
        const struct expand_leaf *leaf = &e->leaves[i];

        if (leaf->shared < common)
            common = leaf->shared;
        if (drop != NULL && leaf->shared == 0)
            dropped = drop(arg, leaf->leaf->path[0]);
        if (dropped || (conditional && cell->absent[i]))
            continue;
        for (; open > common; open--)
            text_add_char(out, '}');
        for (k = open; k + 1 < leaf->leaf->depth; k++) {
            text_add(out, leaf->opening[k] + skip);
            skip = 1;
        }
        write_leaf(leaf, cell->slot[i], skip, out);
        skip = 0;
        open = leaf->leaf->depth - 1;
        common = open;
    }
    for (; open > 0; open--)
        text_add_char(out, '}');
    text_add_char(out, '}');
}
