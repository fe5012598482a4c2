/* A drawn value: W&B's inverse distribution functions (params.py, ppf). */
#include <math.h>
#include <string.h>

#include "expand_int.h"
#include "random.h"

#ifdef __clang__ /* gcc: off by -std=c11 */
#pragma STDC FP_CONTRACT OFF
#endif

static double number(const struct value *v)
{
    double is = 0;

    wandb_number(v, &is);
    return is;
}

static double between(double low, double high, double u)
{
    return low + u * (high - low);
}

/* numpy.round is half to even, as nearbyint is. */
static double rounded(double x, double q)
{
    return nearbyint(x / q) * q;
}

static double draw_number(const struct wandb_leaf *leaf, double u)
{
    double min = number(&leaf->min), max = number(&leaf->max);
    double q = number(&leaf->q);

    switch (leaf->kind) {
    case WANDB_UNIFORM:
        return between(min, max, u);
    case WANDB_Q_UNIFORM:
        return rounded(between(min, max, u), q);
    case WANDB_LOG_UNIFORM:
        return random_exp(between(min, max, u));
    case WANDB_INV_LOG_UNIFORM:
        return random_exp(-between(min, max, 1 - u));
    case WANDB_Q_LOG_UNIFORM:
        return rounded(random_exp(between(min, max, u)), q);
    case WANDB_LOG_UNIFORM_VALUES:
        return random_exp(between(random_log(min), random_log(max), u));
    case WANDB_INV_LOG_UNIFORM_VALUES:
        return random_exp(-between(-random_log(max), -random_log(min),
                                   1 - u));
    case WANDB_Q_LOG_UNIFORM_VALUES:
        return rounded(random_exp(between(random_log(min), random_log(max),
                                          u)), q);
    case WANDB_NORMAL:
        return leaf->mu + leaf->sigma * random_normal(u);
    case WANDB_Q_NORMAL:
        return rounded(leaf->mu + leaf->sigma * random_normal(u), q);
    case WANDB_LOG_NORMAL:
        return random_exp(leaf->mu + leaf->sigma * random_normal(u));
    case WANDB_Q_LOG_NORMAL:
        return rounded(random_exp(leaf->mu +
                                  leaf->sigma * random_normal(u)), q);
    case WANDB_BETA:
        return random_beta(u, leaf->a, leaf->b);
    case WANDB_Q_BETA:
        return rounded(random_beta(u, leaf->a, leaf->b), q);
    default:
        return 0; /* the others are indices */
    }
}

/* floor(u * n), and never n. */
static uint64_t draw_index(uint64_t n, double u)
{
    double at = floor(u * (double)n);

    return at < (double)n && (uint64_t)at < n ? (uint64_t)at : n - 1;
}

static uint64_t draw_weighted(const struct wandb_leaf *leaf, double u)
{
    double sum = 0;
    size_t last = 0;
    size_t i;

    for (i = 0; i < leaf->values.n; i++) {
        sum += leaf->probabilities[i];
        if (leaf->probabilities[i] > 0)
            last = i;
        if (u < sum)
            return i;
    }
    return last; /* the sum may be a little below 1 */
}

uint64_t expand_draw(const struct expand_leaf *leaf, uint64_t index)
{
    double u = random_unit(leaf->stream, index);
    uint64_t slot;
    double f;

    switch (leaf->leaf->kind) {
    case WANDB_CONSTANT:
        return 0;
    case WANDB_CATEGORICAL:
    case WANDB_INT_UNIFORM:
        return draw_index(leaf->n, u);
    case WANDB_CATEGORICAL_P:
        return draw_weighted(leaf->leaf, u);
    default:
        break;
    }
    f = draw_number(leaf->leaf, u);
    memcpy(&slot, &f, sizeof(slot));
    return slot;
}
