/*
 * repr of a float: the shortest decimal that reads as the same double, and of
 * those the nearest to it; an exponent below 1e-4 and from 1e16.
 */
#include "value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 0.D1D2D3... times 10^point, as Gay's dtoa has it. */
struct decimal {
    char digits[20];
    int n;
    int point;
};

static const double powers[] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
#define POWERS ((int)(sizeof(powers) / sizeof(powers[0])))

static void drop_zeros(struct decimal *d)
{
    while (d->n > 1 && d->digits[d->n - 1] == '0')
        d->n--;
}

static void set_digits(struct decimal *d, uint64_t m, int scale)
{
    char back[24];
    int i;

    d->n = 0;
    do {
        back[d->n++] = (char)('0' + m % 10);
        m /= 10;
    } while (m != 0);
    for (i = 0; i < d->n; i++)
        d->digits[i] = back[d->n - 1 - i];
    d->point = d->n - scale;
    drop_zeros(d);
}

/*
 * What people write: m / 10^k with m of at most 15 digits and k up to 22 is
 * one exact division, so it is what strtod would say; and no two decimals of
 * up to 15 digits are the same double, so the least k is the shortest.
 */
static bool short_decimal(double f, struct decimal *d)
{
    int k;

    for (k = 0; k < POWERS; k++) {
        double m = nearbyint(f * powers[k]);

        if (m >= 1e15)
            return false;
        if (m >= 1 && m / powers[k] == f) {
            set_digits(d, (uint64_t)m, k);
            return true;
        }
    }
    return false;
}

static double read_back(const char *digits, int n, int exponent)
{
    char text[40];

    snprintf(text, sizeof(text), "%.*se%d", n, digits, exponent - n + 1);
    return strtod(text, NULL);
}

/* The decimal of as many digits that is one unit in its last place off. */
static bool neighbour(struct decimal *d, int step)
{
    char digits[24];
    long long m;

    memcpy(digits, d->digits, (size_t)d->n);
    digits[d->n] = '\0';
    m = strtoll(digits, NULL, 10) + step;
    snprintf(digits, sizeof(digits), "%lld", m);
    if (strlen(digits) != (size_t)d->n)
        return false; /* a power of ten has a shorter form */
    memcpy(d->digits, digits, (size_t)d->n);
    return true;
}

/* The nearest decimal of n digits; returns the exponent of the first one. */
static int print_digits(double f, int n, struct decimal *d, char *text,
                        size_t size)
{
    snprintf(text, size, "%.*e", n - 1, f);
    d->n = n;
    d->digits[0] = text[0];
    if (n > 1)
        memcpy(d->digits + 1, text + 2, (size_t)n - 1);
    d->point = (int)strtol(strchr(text, 'e') + 1, NULL, 10) + 1;
    return d->point - 1;
}

/* Are n digits enough? At a power of two the doubles above lie farther off
 * than those below, so that the nearest decimal can fall out of the interval
 * on the one side while its neighbour is within it on the other. */
static bool try_digits(double f, int n, struct decimal *d)
{
    char text[40];
    int exponent = print_digits(f, n, d, text, sizeof(text));
    int step;

    if (strtod(text, NULL) == f)
        return true;
    for (step = -1; step <= 1; step += 2) {
        struct decimal near = *d;

        if (neighbour(&near, step) &&
            read_back(near.digits, n, exponent) == f) {
            *d = near;
            return true;
        }
    }
    return false;
}

static void shortest(double f, struct decimal *d)
{
    char text[40];
    int n = 15;

    if (short_decimal(f, d))
        return;
    if (fpclassify(f) == FP_SUBNORMAL)
        n = 1; /* elsewhere the decimal of 15 digits is unique; not here */
    else if (f >= 1e-7 && f < 1e15)
        n = 16; /* 15 digits would have been found */
    while (n < 17 && !try_digits(f, n, d))
        n++;
    if (n == 17) /* always enough */
        (void)print_digits(f, n, d, text, sizeof(text));
    drop_zeros(d);
}

static void add_zeros(struct text *out, int n)
{
    while (n-- > 0)
        text_add_char(out, '0');
}

static void add_fixed(const struct decimal *d, struct text *out)
{
    int before = d->point < d->n ? d->point : d->n;

    if (d->point <= 0) {
        text_add(out, "0.");
        add_zeros(out, -d->point);
        text_add_len(out, d->digits, (size_t)d->n);
        return;
    }
    text_add_len(out, d->digits, (size_t)before);
    add_zeros(out, d->point - d->n);
    text_add_char(out, '.');
    if (d->n > before)
        text_add_len(out, d->digits + before, (size_t)(d->n - before));
    else
        text_add_char(out, '0');
}

static void add_exponent(const struct decimal *d, struct text *out)
{
    int exponent = d->point - 1;

    text_add_char(out, d->digits[0]);
    if (d->n > 1) {
        text_add_char(out, '.');
        text_add_len(out, d->digits + 1, (size_t)d->n - 1);
    }
    text_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

void value_float_repr(double f, struct text *out)
{
    struct decimal d = {"0", 1, 1};

    if (isnan(f)) {
        text_add(out, "nan");
        return;
    }
    if (signbit(f))
        text_add_char(out, '-');
    if (isinf(f)) {
        text_add(out, "inf");
        return;
    }
    if (f != 0)
        shortest(fabs(f), &d);
    if (d.point > -4 && d.point <= 16)
        add_fixed(&d, out);
    else
        add_exponent(&d, out);
}
