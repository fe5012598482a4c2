/* One parameter of a W&B sweep file: which kind it is, and its leaf. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "wandb_int.h"

static int no_memory(struct wandb_reader *r)
{
    return relay_fail(r->err, EX_OSERR, "out of memory");
}

/* Without `distribution: uniform` two ints are not uniform: int_uniform came
 * before. (Its other forms want a float, in either place.) */
static bool is_uniform(const struct value *dict)
{
    const struct value *min = value_get(dict, "min");
    const struct value *max = value_get(dict, "max");

    return value_get(dict, "distribution") != NULL ||
           min->kind == VALUE_FLOAT || max->kind == VALUE_FLOAT;
}

static bool fits(const struct wandb_schema *schema, const struct value *dict)
{
    unsigned given = 0;
    enum wandb_key key;
    size_t i;

    for (i = 0; i < dict->n; i++) {
        key = wandb_key_of(dict->keys[i]);
        if (key == WANDB_KEYS ||
            wandb_key_wrong(schema, key, &dict->items[i]) != NULL)
            return false;
        given |= 1u << key;
    }
    if (schema->named && (given & 1u << KEY_DISTRIBUTION) == 0)
        return false;
    given &= ~(1u << KEY_DISTRIBUTION);
    if ((given & ~schema->allowed) != 0 ||
        (given & schema->required) != schema->required)
        return false;
    return schema->kind != WANDB_UNIFORM || is_uniform(dict);
}

static int check_min_max(struct wandb_reader *r, const struct wandb_param *p)
{
    const struct value *min = value_get(p->dict, "min");
    const struct value *max = value_get(p->dict, "max");
    struct text shown = {0};
    double low = 0, high = 0;
    bool wrong;

    if (min == NULL || max == NULL)
        return 0;
    wandb_number(min, &low);
    wandb_number(max, &high);
    if (!isfinite(low) || !isfinite(high))
        return wandb_fail(r, min->line, min->column, "%s: min and max must "
                          "be finite", p->name);
    wrong = low >= high;
    if (min->kind == VALUE_INT && max->kind == VALUE_INT &&
        min->text == NULL && max->text == NULL)
        wrong = min->i >= max->i;
    if (!wrong)
        return 0;
    text_add(&shown, p->name);
    text_add(&shown, ": min ");
    value_str(min, &shown);
    text_add(&shown, " is not less than max ");
    value_str(max, &shown);
    wandb_fail(r, min->line, min->column, "%s", text_str(&shown));
    text_free(&shown);
    return -1;
}

/* As W&B: same length, and the sum is close to 1 as numpy.isclose has it. */
static int read_probabilities(struct wandb_reader *r,
                              const struct wandb_param *p,
                              struct wandb_leaf *leaf)
{
    const struct value *list = value_get(p->dict, "probabilities");
    double sum = 0;
    size_t i;

    if (list->n != leaf->values.n)
        return wandb_fail(r, list->line, list->column, "parameter %s has "
                          "%zu values and %zu probabilities", p->name,
                          leaf->values.n, list->n);
    leaf->probabilities = calloc(list->n, sizeof(double));
    if (leaf->probabilities == NULL)
        return no_memory(r);
    for (i = 0; i < list->n; i++) {
        wandb_number(&list->items[i], &leaf->probabilities[i]);
        sum += leaf->probabilities[i];
    }
    if (!(fabs(sum - 1) <= 1e-8 + 1e-5))
        return wandb_fail(r, list->line, list->column, "the probabilities of "
                          "parameter %s add up to %.6g and not to 1",
                          p->name, sum);
    return 0;
}

static int read_list(struct wandb_reader *r, const struct wandb_param *p,
                     struct wandb_leaf *leaf)
{
    const struct value *from = value_get(p->dict, "values");

    if (from == NULL)
        from = value_get(p->dict, "value");
    if (value_copy(from, &leaf->values, r->err) != 0)
        return -1;
    if (leaf->kind == WANDB_CATEGORICAL_P)
        return read_probabilities(r, p, leaf);
    return 0;
}

/* A number of the schema's default where the file has none. */
static int read_double(struct wandb_reader *r, const struct wandb_param *p,
                       const char *key, double otherwise, double *to)
{
    const struct value *v = value_get(p->dict, key);

    *to = otherwise;
    if (v == NULL)
        return 0;
    wandb_number(v, to);
    if (!isfinite(*to))
        return wandb_fail(r, v->line, v->column, "%s: %s must be finite",
                          p->name, key);
    return 0;
}

static int read_range(struct wandb_reader *r, const struct wandb_param *p,
                      struct wandb_leaf *leaf)
{
    static const char *const keys[] = {"min", "max", "q"};
    struct value *const to[] = {&leaf->min, &leaf->max, &leaf->q};
    const struct value *v;
    size_t i;

    value_set_float(&leaf->q, 1.0); /* W&B's default is a float */
    for (i = 0; i < 3; i++) {
        v = value_get(p->dict, keys[i]);
        if (v == NULL)
            continue;
        if (v->kind == VALUE_INT && v->text != NULL)
            return wandb_fail(r, v->line, v->column, "%s: %s is too large",
                              p->name, keys[i]);
        if (v->kind == VALUE_FLOAT && !isfinite(v->f))
            return wandb_fail(r, v->line, v->column, "%s: %s must be finite",
                              p->name, keys[i]);
        if (value_copy(v, to[i], r->err) != 0)
            return -1;
    }
    return 0;
}

static int read_leaf(struct wandb_reader *r, const struct wandb_param *p,
                     const struct wandb_schema *schema,
                     struct wandb_leaf *leaf)
{
    leaf->kind = schema->kind;
    if ((schema->required & (1u << KEY_VALUES | 1u << KEY_VALUE)) != 0)
        return read_list(r, p, leaf);
    if (check_min_max(r, p) != 0 || read_range(r, p, leaf) != 0 ||
        read_double(r, p, "mu", 0, &leaf->mu) != 0 ||
        read_double(r, p, "sigma", 1, &leaf->sigma) != 0 ||
        read_double(r, p, "a", 1, &leaf->a) != 0 ||
        read_double(r, p, "b", 1, &leaf->b) != 0)
        return -1;
    if (schema->instead != NULL)
        lint_add(r->lint, r->name, p->line, p->column,
                 "%s uses %s, where min/max specify base-e exponents. Use "
                 "%s to specify limit values.", p->name,
                 schema->distribution, schema->instead);
    return 0;
}

static int name_leaf(struct wandb_reader *r, const struct wandb_param *p,
                     struct wandb_leaf *leaf)
{
    size_t i;

    leaf->line = p->line;
    leaf->column = p->column;
    leaf->name = strdup(p->name);
    leaf->path = calloc(p->depth, sizeof(*leaf->path));
    if (leaf->name == NULL || leaf->path == NULL)
        return no_memory(r);
    for (i = 0; i < p->depth; i++) {
        leaf->path[i] = strdup(p->path[i]);
        if (leaf->path[i] == NULL)
            return no_memory(r);
        leaf->depth = i + 1;
    }
    return 0;
}

static struct wandb_leaf *add_leaf(struct wandb_reader *r)
{
    struct wandb_sweep *sweep = r->sweep;
    struct wandb_leaf *more = sweep->leaves;
    size_t n = sweep->nleaves;

    if ((n & (n - 1)) == 0) { /* the room is a power of two */
        more = reallocarray(more, n > 0 ? n * 2 : 1, sizeof(*more));
        if (more == NULL) {
            no_memory(r);
            return NULL;
        }
        sweep->leaves = more;
    }
    more += sweep->nleaves++;
    memset(more, 0, sizeof(*more));
    return more;
}

/* The sentence is W&B's own, of grid_search.py. */
static int check_grid(struct wandb_reader *r, const struct wandb_param *p,
                      enum wandb_kind kind)
{
    if (r->sweep->method != WANDB_GRID || kind == WANDB_CATEGORICAL ||
        kind == WANDB_CONSTANT || kind == WANDB_INT_UNIFORM ||
        kind == WANDB_Q_UNIFORM)
        return 0;
    return wandb_fail(
        r, p->line, p->column,
        "Parameter %s is a disallowed type with grid search. Grid search "
        "requires all parameters to be categorical, constant, int_uniform, "
        "or q_uniform. Specification of probabilities for categorical "
        "parameters is disallowed in grid search", p->name);
}

int wandb_param_read(struct wandb_reader *r, struct wandb_param *p)
{
    struct wandb_leaf *leaf;
    size_t i;

    if (p->dict->kind != VALUE_DICT)
        return wandb_param_explain(r, p);
    for (i = 0; i < wandb_nschemas; i++)
        if (fits(&wandb_schemas[i], p->dict))
            break;
    if (i == wandb_nschemas)
        return wandb_param_explain(r, p);
    if (r->sweep->nleaves == WANDB_MAX_LEAVES)
        return wandb_fail(r, p->line, p->column, "more than %d parameters",
                          WANDB_MAX_LEAVES);
    leaf = add_leaf(r);
    if (leaf == NULL)
        return -1;
    if (name_leaf(r, p, leaf) != 0 ||
        read_leaf(r, p, &wandb_schemas[i], leaf) != 0)
        return -1;
    return check_grid(r, p, leaf->kind);
}
