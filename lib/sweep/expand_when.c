/* Conditions: parameters that exist in some cells only. */
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

/* --- one condition ------------------------------------------------------- */

static bool says(const struct value *v, const struct text *canonical)
{
    struct text text = {0};
    bool equal;

    expand_hashed(v, &text);
    equal = !text.failed && text.len == canonical->len &&
            memcmp(text.s, canonical->s, text.len) == 0;
    text_free(&text);
    return equal;
}

/* A number that YAML took for a text (1e-4), and a date, are equal to what
 * they say; but only where no value is equal as it is. */
static bool says_loosely(const struct expand_condition *c,
                         const struct value *v)
{
    struct value read = {0};
    bool equal;

    if (v->kind == VALUE_DATE)
        return c->value->kind == VALUE_STR &&
               strcmp(v->text, c->value->text) == 0;
    if (v->kind != VALUE_STR ||
        value_parse_literal(v->text, strlen(v->text), &read, NULL) != 0)
        return false;
    equal = (read.kind == VALUE_INT || read.kind == VALUE_FLOAT) &&
            says(&read, &c->canonical);
    value_free(&read);
    return equal;
}

static bool holds_for(const struct expand_condition *c, const struct value *v)
{
    bool equal = c->loose ? says_loosely(c, v) : says(v, &c->canonical);

    return equal != c->not_equal;
}

static bool holds(const struct expand *e, const struct expand_condition *c,
                  const struct expand_cell *cell)
{
    struct value room;

    if (cell->absent[c->other])
        return false; /* nothing is there to be equal, nor to differ */
    if (c->holds != NULL)
        return c->holds[cell->slot[c->other]];
    return holds_for(c, expand_leaf_value(&e->leaves[c->other],
                                          cell->slot[c->other], &room));
}

void expand_conditions(const struct expand *e, struct expand_cell *cell)
{
    size_t i, k;

    memset(cell->absent, 0, e->nleaves * sizeof(cell->absent[0]));
    for (i = 0; i < e->norder; i++) {
        const struct expand_leaf *leaf = &e->leaves[e->order[i]];

        for (k = 0; k < leaf->nconditions; k++)
            if (!holds(e, &e->conditions[leaf->conditions + k], cell))
                cell->absent[e->order[i]] = true;
    }
}

/* --- preparing ----------------------------------------------------------- */

/* Does name stand for this leaf: its own, or that of what it is within? */
static bool is_named(const struct wandb_leaf *leaf, const char *name)
{
    size_t len = 0;
    size_t i;

    for (i = 0; i < leaf->depth; i++) {
        len += strlen(leaf->path[i]);
        if (strlen(name) == len && memcmp(leaf->name, name, len) == 0)
            return true;
        len++; /* the dot */
    }
    return false;
}

static int add_condition(struct expand *e, size_t leaf, size_t other,
                         const struct relay_when *when,
                         struct relay_error *err)
{
    struct expand_condition *more;

    more = reallocarray(e->conditions, e->nconditions + 1, sizeof(*more));
    if (more == NULL)
        return no_memory(err);
    e->conditions = more;
    more += e->nconditions++;
    *more = (struct expand_condition){.leaf = leaf, .other = other,
                                      .not_equal = when->not_equal,
                                      .value = &when->value};
    expand_hashed(&when->value, &more->canonical);
    return more->canonical.failed ? no_memory(err) : 0;
}

/* Looks at the values of other once, where there is a list of them. */
static int prepare_values(const struct expand *e, struct expand_condition *c,
                          struct relay_error *err)
{
    const struct expand_leaf *other = &e->leaves[c->other];
    struct value room;
    uint64_t i;

    if (other->pieces == NULL)
        return 0;
    c->holds = calloc(other->n, sizeof(*c->holds));
    if (c->holds == NULL)
        return no_memory(err);
    c->loose = true;
    for (i = 0; i < other->n && c->loose; i++)
        c->loose = !says(expand_leaf_value(other, i, &room), &c->canonical);
    for (i = 0; i < other->n; i++)
        c->holds[i] = holds_for(c, expand_leaf_value(other, i, &room));
    return 0;
}

static int add_when(struct expand *e, size_t leaf, struct relay_error *err)
{
    size_t i;

    for (i = 0; i < e->lines->nwhens; i++) {
        const struct relay_when *when = &e->lines->whens[i];
        size_t other;

        if (!is_named(e->leaves[leaf].leaf, when->param))
            continue;
        other = expand_find_leaf(e, when->other, "when", when->line, err);
        if (other == EXPAND_NONE ||
            add_condition(e, leaf, other, when, err) != 0 ||
            prepare_values(e, &e->conditions[e->nconditions - 1], err) != 0)
            return -1;
        e->leaves[leaf].nconditions++;
    }
    return 0;
}

/* A `when` of a parameter that there is not. */
static int check_names(const struct expand *e, struct relay_error *err)
{
    size_t i, k;

    for (i = 0; i < e->lines->nwhens; i++) {
        const struct relay_when *when = &e->lines->whens[i];

        for (k = 0; k < e->nleaves; k++)
            if (is_named(e->leaves[k].leaf, when->param))
                break;
        if (k == e->nleaves)
            return relay_fail(err, EX_DATAERR, "%s:%d: when: there is no "
                              "parameter %s", e->name, when->line,
                              when->param);
        if (expand_find_leaf(e, when->other, "when", when->line, err) ==
            EXPAND_NONE)
            return -1;
    }
    return 0;
}

/* Are all leaves that this one is compared with before it in the order? */
static bool is_ready(const struct expand *e, size_t leaf, const bool *placed)
{
    const struct expand_leaf *l = &e->leaves[leaf];
    size_t i, other;

    for (i = 0; i < l->nconditions; i++) {
        other = e->conditions[l->conditions + i].other;
        if (e->leaves[other].nconditions > 0 && !placed[other])
            return false;
    }
    return true;
}

static int order_leaves(struct expand *e, struct relay_error *err)
{
    bool *placed = calloc(e->nleaves, sizeof(*placed));
    size_t before, i, left = 0;

    e->order = calloc(e->nleaves, sizeof(*e->order));
    if (placed == NULL || e->order == NULL) {
        free(placed);
        return no_memory(err);
    }
    for (i = 0; i < e->nleaves; i++)
        left += e->leaves[i].nconditions > 0;
    do {
        before = e->norder;
        for (i = 0; i < e->nleaves; i++)
            if (e->leaves[i].nconditions > 0 && !placed[i] &&
                is_ready(e, i, placed)) {
                placed[i] = true;
                e->order[e->norder++] = i;
            }
    } while (e->norder > before);
    free(placed);
    if (e->norder < left)
        return relay_fail(err, EX_DATAERR, "%s:%d: when: the parameters "
                          "depend on each other in a circle", e->name,
                          e->lines->whens[0].line);
    return 0;
}

int expand_prepare_conditions(struct expand *e, struct relay_error *err)
{
    size_t i;

    if (check_names(e, err) != 0)
        return -1;
    for (i = 0; i < e->nleaves; i++) {
        e->leaves[i].conditions = e->nconditions;
        if (add_when(e, i, err) != 0)
            return -1;
    }
    return e->nconditions > 0 ? order_leaves(e, err) : 0;
}

/* --- which cells are left ------------------------------------------------ */

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

static size_t hash_of(const struct text *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    size_t i;

    for (i = 0; i < text->len; i++)
        hash = (hash ^ (unsigned char)text->s[i]) *
               UINT64_C(0x100000001b3);
    return (size_t)(hash ^ hash >> 32);
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
        for (at = hash_of(&text) & mask; slots[at] != 0;
             at = (at + 1) & mask) {
            draw_text(e, slots[at] - 1, &other);
            if (other.len == text.len &&
                memcmp(other.s, text.s, text.len) == 0)
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
