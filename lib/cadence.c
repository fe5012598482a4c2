#include "cadence.h"

#include <math.h>

#define NOTHING 1e-18

enum { HALVINGS = 200 };

/* P(X <= n) of a Poisson variable: its terms relative to the largest of them,
 * from that one down and up. */
static double poisson_at_most(int64_t n, double mean)
{
    int64_t mode = mean < (double)n ? (int64_t)mean : n;
    double largest = exp((double)mode * log(mean) - mean -
                         lgamma((double)mode + 1));
    double sum = 0;
    double term = 1;
    int64_t i;

    for (i = mode; i >= 0 && term > NOTHING; i--) {
        sum += term;
        term *= (double)i / mean;
    }
    term = 1;
    for (i = mode + 1; i <= n && term > NOTHING; i++) {
        term *= mean / (double)i;
        sum += term;
    }
    return largest * sum;
}

/* Half the chi-square quantile of 2n + 2 degrees of freedom: the mean with
 * which n failures or fewer have the probability 1 - confidence. */
static double expected_at_most(int64_t n, double confidence)
{
    double low = 1e-12;
    double high = (double)n + 1;
    int i;

    while (poisson_at_most(n, high) > 1 - confidence)
        high *= 2;
    for (i = 0; i < HALVINGS; i++) {
        double middle = (low + high) / 2;

        if (poisson_at_most(n, middle) > 1 - confidence)
            low = middle;
        else
            high = middle;
    }
    return high;
}

double cadence_mtbf_bound(double exposure, int64_t failures,
                          double confidence)
{
    if (!(exposure > 0) || failures < 0 || !(confidence > 0) ||
        !(confidence < 1))
        return 0;
    return exposure / expected_at_most(failures, confidence);
}

double cadence_interval(double save, double mtbf)
{
    double ratio, root;

    if (!(save > 0) || !(mtbf > 0))
        return 0;
    if (save >= 2 * mtbf)
        return mtbf;
    ratio = save / (2 * mtbf);
    root = sqrt(ratio);
    return sqrt(2 * save * mtbf) * (1 + root / 3 + ratio / 9) - save;
}

double cadence_loss(double interval, double save, double restart, double mtbf)
{
    double stretch;

    if (!(interval > 0) || !(mtbf > 0))
        return 1;
    /* Wall time for each second of computing that lasts. */
    stretch = exp(restart / mtbf) * expm1((interval + save) / mtbf) * mtbf /
              interval;
    if (!isfinite(stretch))
        return 1;
    return stretch > 1 ? 1 - 1 / stretch : 0;
}
