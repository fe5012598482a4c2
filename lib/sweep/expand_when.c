/* Conditions: parameters that exist in some cells only. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "expand_int.h"

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
    bool *placed = calloc(e->nleaves + 1, sizeof(*placed));
    size_t before, i, left = 0;

    e->order = calloc(e->nleaves + 1, sizeof(*e->order));
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
