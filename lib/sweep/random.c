#include "random.h"

#include <math.h>
#include <stdbool.h>

#ifdef __clang__ /* gcc: off by -std=c11 */
#pragma STDC FP_CONTRACT OFF
#endif

#define LN2_HIGH 6.93147180369123816490e-01 /* 21 low bits are zero */
#define LN2_LOW 1.90821492927058770002e-10
#define HALF_LN_2PI 0.91893853320467274178

/* --- bits ---------------------------------------------------------------- */

/* The finalizer of splitmix64 (Steele, Lea, Flood). */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint64_t random_stream(int64_t seed, char *const *path, size_t depth)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    const char *at;
    size_t i;

    for (i = 0; i < depth; i++) {
        for (at = path[i]; *at != '\0'; at++)
            hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
        hash = (hash ^ 0xff) * UINT64_C(0x100000001b3); /* in no UTF-8 */
    }
    return mix(mix(hash) + mix((uint64_t)seed + UINT64_C(0x9e3779b97f4a7c15)));
}

double random_unit(uint64_t stream, uint64_t index)
{
    uint64_t bits = mix(stream + mix((index + 1) *
                                     UINT64_C(0x9e3779b97f4a7c15)));

    return ((double)(bits >> 12) + 0.5) * 0x1p-52;
}

/* --- exp and log --------------------------------------------------------- */

double random_exp(double x)
{
    double k, r, sum = 1;
    int i;

    if (x > 710 || x < -746)
        return x > 0 ? INFINITY : 0;
    k = floor(x / (LN2_HIGH + LN2_LOW) + 0.5);
    r = x - k * LN2_HIGH - k * LN2_LOW;
    for (i = 14; i > 0; i--)
        sum = 1 + r * sum / i;
    return ldexp(sum, (int)k);
}

double random_log(double x)
{
    double s, z, sum = 0;
    int exponent, i;
    double m;

    if (!(x > 0) || isinf(x))
        return x > 0 ? INFINITY : -INFINITY;
    m = frexp(x, &exponent);
    if (m < 0.70710678118654752) {
        m *= 2;
        exponent--;
    }
    /* log m = 2 atanh s, and |s| < 0.1716 */
    s = (m - 1) / (m + 1);
    z = s * s;
    for (i = 23; i >= 3; i -= 2)
        sum = z * (sum + 1.0 / i);
    return exponent * LN2_HIGH +
           (2 * s + (2 * s * sum + exponent * LN2_LOW));
}

/* --- normal -------------------------------------------------------------- */

static double polynomial(const double *coefficients, int n, double x)
{
    double sum = coefficients[n - 1];
    int i;

    for (i = n - 2; i >= 0; i--)
        sum = sum * x + coefficients[i];
    return sum;
}

/* Wichura 1988, Applied Statistics 37: numerators and denominators. */
static double ratio(const double tables[2][8], double x)
{
    return polynomial(tables[0], 8, x) / polynomial(tables[1], 8, x);
}

double random_normal(double u)
{
    static const double centre[2][8] = {
        {3.3871328727963666080e0, 1.3314166789178437745e2,
         1.9715909503065514427e3, 1.3731693765509461125e4,
         4.5921953931549871457e4, 6.7265770927008700853e4,
         3.3430575583588128105e4, 2.5090809287301226727e3},
        {1.0, 4.2313330701600911252e1, 6.8718700749205790830e2,
         5.3941960214247511077e3, 2.1213794301586595867e4,
         3.9307895800092710610e4, 2.8729085735721942674e4,
         5.2264952788528545610e3}};
    static const double middle[2][8] = {
        {1.42343711074968357734e0, 4.63033784615654529590e0,
         5.76949722146069140550e0, 3.64784832476320460504e0,
         1.27045825245236838258e0, 2.41780725177450611770e-1,
         2.27238449892691845833e-2, 7.74545014278341407640e-4},
        {1.0, 2.05319162663775882187e0, 1.67638483018380384940e0,
         6.89767334985100004550e-1, 1.48103976427480074590e-1,
         1.51986665636164571966e-2, 5.47593808499534494600e-4,
         1.05075007164441684324e-9}};
    static const double tail[2][8] = {
        {6.65790464350110377720e0, 5.46378491116411436990e0,
         1.78482653991729133580e0, 2.96560571828504891230e-1,
         2.65321895265761230930e-2, 1.24266094738807843860e-3,
         2.71155556874348757815e-5, 2.01033439929228813265e-7},
        {1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1,
         1.48753612908506148525e-2, 7.86869131145613259100e-4,
         1.84631831751005468180e-5, 1.42151175831644588870e-7,
         2.04426310338993978564e-15}};
    double q = u - 0.5;
    double r, x;

    if (fabs(q) <= 0.425)
        return q * ratio(centre, 0.180625 - q * q);
    r = sqrt(-random_log(q < 0 ? u : 1 - u));
    x = r <= 5 ? ratio(middle, r - 1.6) : ratio(tail, r - 5);
    return q < 0 ? -x : x;
}

/* --- beta ---------------------------------------------------------------- */

/* ln of the gamma function, x > 0: Stirling's series from 15 up. */
static double log_gamma(double x)
{
    double product = 1, z;

    while (x < 15)
        product *= x++;
    z = 1 / (x * x);
    return (x - 0.5) * random_log(x) - x + HALF_LN_2PI +
           (1.0 / 12 + z * (-1.0 / 360 + z * (1.0 / 1260 +
            z * (-1.0 / 1680 + z * (1.0 / 1188 - z * 691.0 / 360360))))) / x -
           random_log(product);
}

/* The continued fraction of the incomplete beta function, by Lentz. */
static double fraction(double x, double a, double b)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    double h, step, m2;
    int m, odd;

    d = 1 / (fabs(d) < tiny ? tiny : d);
    h = d;
    for (m = 1; m <= 10000; m++) {
        m2 = 2.0 * m;
        step = 1;
        for (odd = 0; odd < 2; odd++) {
            double term = odd == 0
                ? m * (b - m) * x / ((a + m2 - 1) * (a + m2))
                : -(a + m) * (a + b + m) * x / ((a + m2) * (a + m2 + 1));

            d = 1 + term * d;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = 1 + term / c;
            c = fabs(c) < tiny ? tiny : c;
            step = d * c;
            h *= step;
        }
        if (fabs(step - 1) < 1e-15)
            break;
    }
    return h;
}

/* A point as t = ln(x / y), y = 1 - x: neither end loses its digits. */
struct point {
    double x, y, log_x, log_y;
};

static struct point point_at(double t)
{
    double e = random_exp(-fabs(t));
    struct point p;

    p.x = t < 0 ? e / (1 + e) : 1 / (1 + e);
    p.y = t < 0 ? 1 / (1 + e) : e / (1 + e);
    p.log_x = (t < 0 ? t : 0) - random_log(1 + e);
    p.log_y = (t < 0 ? 0 : -t) - random_log(1 + e);
    return p;
}

/* The distribution function at p; density gets its derivative in t. */
static double beta_below(const struct point *p, double a, double b,
                         double log_b, double *density)
{
    double front = random_exp(a * p->log_x + b * p->log_y - log_b);

    *density = front;
    if (p->x < (a + 1) / (a + b + 2))
        return front * fraction(p->x, a, b) / a;
    return 1 - front * fraction(p->y, b, a) / b;
}

double random_beta(double u, double a, double b)
{
    double log_b = log_gamma(a) + log_gamma(b) - log_gamma(a + b);
    double low = -700, high = 700, t, density, off;
    struct point p;
    int i;

    t = random_log(a / b);
    for (i = 0; i < 200; i++) {
        p = point_at(t);
        off = beta_below(&p, a, b, log_b, &density) - u;
        if (off < 0)
            low = t;
        else
            high = t;
        /* Newton's step where it stays inside, else the middle. */
        off = density > 0 ? t - off / density : low - 1;
        off = off > low && off < high ? off : low + (high - low) / 2;
        if (fabs(off - t) <= 1e-15 * (1 + fabs(t)))
            break;
        t = off;
    }
    return point_at(t).x;
}
