#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sweep/expand.h"
#include "sweep/random.h"

#define DRAWS 20000

static struct wandb_sweep sweep;
static struct relay_lines lines;
static struct expand *expand;
static struct relay_error err;
static double sample[DRAWS];

static int open_text(const char *text)
{
    expand_close(expand);
    expand = NULL;
    wandb_free(&sweep);
    relaylines_free(&lines);
    if (relaylines_parse(text, strlen(text), "s.yaml", &lines, &err) != 0 ||
        wandb_parse(text, strlen(text), "s.yaml", false, &sweep, NULL,
                    &err) != 0)
        return -1;
    return expand_open(&sweep, &lines, "s.yaml", &expand, &err);
}

static void opens(int64_t seed, int cap, const char *parameters)
{
    char text[1000];

    snprintf(text, sizeof(text), "#RELAY seed %lld\nmethod: random\n"
             "run_cap: %d\nparameters:\n%s", (long long)seed, cap,
             parameters);
    if (open_text(text) != 0)
        fail_msg("%s\n%s", text, err.text);
}

static struct value cell(uint64_t index)
{
    struct value params;

    assert_int_equal(expand_cell(expand, index, &params, &err), 0);
    return params;
}

static double number(const char *name, uint64_t index)
{
    struct value room;
    const struct value *v = expand_value(expand, index, name, &room);
    double is;

    assert_non_null(v);
    assert_true(v->kind == VALUE_FLOAT || v->kind == VALUE_INT);
    is = v->kind == VALUE_FLOAT ? v->f : (double)v->i;
    value_free(&room);
    return is;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Draws of a parameter x, sorted; a y keeps equal draws apart. */
static void draw(const char *param)
{
    char text[600];
    uint64_t i;

    snprintf(text, sizeof(text), " x: %s\n y: {min: 0.0, max: 1.0}\n", param);
    opens(11, DRAWS, text);
    assert_int_equal(expand_size(expand), DRAWS);
    for (i = 0; i < DRAWS; i++)
        sample[i] = number("x", i);
    qsort(sample, DRAWS, sizeof(sample[0]), by_size);
}

/* The share of draws up to at is u, within four standard deviations. */
static void share(double at, double u)
{
    double tolerance = 4 * sqrt(u * (1 - u) / DRAWS) + 1e-9;
    double is;
    size_t n = 0;

    while (n < DRAWS && sample[n] <= at)
        n++;
    is = (double)n / DRAWS;
    if (fabs(is - u) > tolerance)
        fail_msg("%g of the draws are up to %g, not %g", is, at, u);
}

static void within(double low, double high)
{
    assert_true(sample[0] >= low);
    assert_true(sample[DRAWS - 1] <= high);
}

static int setup(void **state)
{
    (void)state;
    relaylines_init(&lines);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    expand_close(expand);
    wandb_free(&sweep);
    relaylines_free(&lines);
    return 0;
}

static void continuous_distributions_are_true(void **state)
{
    (void)state;
    draw("{min: 2.0, max: 6}");
    within(2, 6);
    share(3, 0.25);
    share(5.6, 0.9);
    draw("{distribution: log_uniform_values, min: 1.0e-4, max: 1.0e-1}");
    within(1e-4, 1e-1);
    share(1e-3, 1 / 3.0);
    share(1e-2, 2 / 3.0);
    draw("{distribution: log_uniform, min: -2, max: 2}");
    within(exp(-2), exp(2));
    share(1, 0.5);
    draw("{distribution: inv_log_uniform_values, min: 1, max: 100}");
    within(1, 100);
    share(10, 0.5);
    draw("{distribution: inv_log_uniform, min: -2, max: 1}");
    within(exp(-1), exp(2));
    share(exp(1), 2 / 3.0);
    draw("{distribution: normal, mu: 3, sigma: 2}");
    share(3, 0.5);
    share(5, 0.841344746);
    share(-1, 0.022750132);
    draw("{distribution: log_normal, mu: 1, sigma: 0.5}");
    share(exp(1), 0.5);
    share(exp(1.5), 0.841344746);
    draw("{distribution: beta, a: 2, b: 3}");
    within(0, 1);
    share(0.5, 0.6875); /* 11/16 */
    share(0.25, 0.26171875); /* 67/256 */
    draw("{distribution: beta, a: 0.5, b: 0.5}");
    share(0.25, 1 / 3.0);
}

static void all_are(double q)
{
    size_t i;

    for (i = 0; i < DRAWS; i++)
        assert_true(fabs(sample[i] / q - nearbyint(sample[i] / q)) < 1e-9);
}

static void quantized_distributions_are_true(void **state)
{
    struct value v;

    (void)state;
    draw("{distribution: q_uniform, min: 0, max: 10, q: 2}");
    within(0, 10);
    all_are(2);
    share(0, 0.1); /* half to even: 1 is 0, 3 is 4 */
    share(2, 0.3);
    v = cell(0);
    assert_int_equal(value_get(&v, "x")->kind, VALUE_INT);
    value_free(&v);
    draw("{distribution: q_normal, mu: 0, sigma: 1, q: 0.5}");
    all_are(0.5);
    share(0, 0.598706326); /* up to 0.25 */
    v = cell(0);
    assert_int_equal(value_get(&v, "x")->kind, VALUE_FLOAT);
    value_free(&v);
    draw("{distribution: q_log_uniform_values, min: 1, max: 100, q: 10}");
    all_are(10);
    share(0, log(5) / log(100));
    draw("{distribution: q_log_uniform, min: 0, max: 3, q: 1}");
    share(1, log(1.5) / 3);
    draw("{distribution: q_log_normal, q: 1}");
    share(1, 0.657432169); /* ln 1.5 */
    draw("{distribution: q_beta, a: 2, b: 3, q: 0.5}");
    share(0, 0.26171875);
    share(0.5, 1 - 13 / 256.0);
}

static void discrete_distributions_are_true(void **state)
{
    (void)state;
    draw("{min: -2, max: 2}");
    within(-2, 2);
    share(-2, 0.2);
    share(1, 0.8);
    draw("{values: [1, 2, 3, 4]}");
    share(1, 0.25);
    share(3, 0.75);
    draw("{values: [1, 2, 3], probabilities: [0.7, 0, 0.3]}");
    share(1, 0.7);
    share(2, 0.7);
    share(3, 1);
}

static void close_to(double is, double wanted, double relative)
{
    if (!(fabs(is - wanted) <= relative * fabs(wanted)))
        fail_msg("%.17g is not %.17g", is, wanted);
}

static void functions_are_exact(void **state)
{
    double x, u;

    (void)state;
    for (x = -700; x < 700; x += 0.77)
        close_to(random_exp(x), exp(x), 1e-15);
    for (x = 1e-300; x < 1e300; x *= 3.3)
        close_to(random_log(x), log(x), 1e-15);
    close_to(random_normal(0.975), 1.959963984540054, 1e-14);
    close_to(random_normal(1e-10), -6.361340902404056, 1e-14);
    for (u = 1e-9; u < 1; u += 0.00321)
        close_to(0.5 * erfc(-random_normal(u) / sqrt(2)), u, 1e-12);
    for (u = 0.001; u < 1; u += 0.0321) {
        close_to(random_beta(u, 1, 1), u, 1e-12);
        close_to(random_beta(u, 3, 1), cbrt(u), 1e-12);
        close_to(random_beta(u, 1, 0.01), 1 - pow(1 - u, 100), 1e-12);
        close_to(random_beta(u, 0.01, 1), pow(u, 100), 1e-11);
        close_to(random_beta(u, 0.5, 0.5), pow(sin(acos(0) * u), 2), 1e-11);
    }
    close_to(random_beta(0.5, 2, 3), 0.38572756813239, 1e-12);
    close_to(random_beta(0.5, 1000, 1000), 0.5, 1e-12);
}

/* Adding a parameter, or cells, leaves the others as they are; another seed
 * does not. */
static void draws_depend_on_seed_index_and_name(void **state)
{
    double first[50], other[50];
    int i, same = 0;

    (void)state;
    opens(3, 50, " x: {min: 0.0, max: 1.0}\n");
    for (i = 0; i < 50; i++)
        first[i] = number("x", (uint64_t)i);
    opens(3, 70, " a: {min: 0.0, max: 1.0}\n x: {min: 0.0, max: 1.0}\n");
    for (i = 0; i < 50; i++) {
        close_to(number("x", (uint64_t)i), first[i], 0);
        other[i] = number("a", (uint64_t)i);
        same += fabs(other[i] - first[i]) < 1e-9;
    }
    assert_int_equal(same, 0);
    opens(4, 50, " x: {min: 0.0, max: 1.0}\n");
    for (i = 0; i < 50; i++)
        same += fabs(number("x", (uint64_t)i) - first[i]) < 1e-9;
    assert_int_equal(same, 0);
}

static void are_independent(const char *a, const char *b)
{
    double sum = 0;
    uint64_t i;

    for (i = 0; i < DRAWS; i++)
        sum += (number(a, i) - 0.5) * (number(b, i) - 0.5);
    assert_true(fabs(sum / DRAWS * 12) < 4 / sqrt(DRAWS));
}

static void parameters_are_independent(void **state)
{
    double sum = 0, last, x;
    uint64_t i;

    (void)state;
    opens(1, DRAWS, " a: {min: 0.0, max: 1.0}\n b: {min: 0.0, max: 1.0}\n"
          " a.b: {min: 0.0, max: 1.0}\n");
    are_independent("a", "b");
    are_independent("a", "a.b");
    last = number("a", 0);
    for (i = 1; i < DRAWS; i++) {
        x = number("a", i);
        sum += (x - 0.5) * (last - 0.5);
        last = x;
    }
    assert_true(fabs(sum / DRAWS * 12) < 4 / sqrt(DRAWS));
}

/* Ids are made of these: they never change. */
static void cells_are_the_same_for_ever(void **state)
{
    static const char *const cells[] = {
        "{\"b\":0.32347770635246803,\"lr\":0.025369642057771574,"
        "\"n\":-2.1631938213992914,\"o\":{\"k\":59,\"v\":\"z\"},"
        "\"q\":32,\"s\":1}",
        "{\"b\":0.14980300151746218,\"lr\":0.0016818636730512888,"
        "\"n\":-0.6802175967190707,\"o\":{\"k\":6,\"v\":\"y\"},"
        "\"q\":108,\"s\":1}",
        "{\"b\":0.4793667644638364,\"lr\":2.2285916420230602e-05,"
        "\"n\":0.30056649496278987,\"o\":{\"k\":7,\"v\":\"y\"},"
        "\"q\":36,\"s\":1}",
        "{\"b\":0.24086503960810976,\"lr\":0.06108095664029585,"
        "\"n\":-1.4882453083868348,\"o\":{\"k\":9,\"v\":\"x\"},"
        "\"q\":40,\"s\":1}",
    };
    struct text text = {0}, whole = {0};
    struct value params;
    uint64_t i;

    (void)state;
    opens(42, 4, " b: {distribution: beta, a: 2, b: 5}\n"
          " lr: {distribution: log_uniform_values, min: 1.0e-5, max: 0.1}\n"
          " n: {distribution: normal}\n o: {parameters: {k: {min: 1, "
          "max: 100}, v: {values: [x, y, z]}}}\n"
          " q: {distribution: q_log_normal, mu: 3, q: 4}\n s: {value: 1.0}\n");
    for (i = 0; i < 4; i++) {
        text_clear(&text);
        text_clear(&whole);
        assert_int_equal(expand_canonical(expand, i, NULL, NULL, &text,
                                          &err), 0);
        params = cell(i);
        value_canonical(&params, true, &whole);
        value_free(&params);
        assert_string_equal(text_str(&text), cells[i]);
        assert_string_equal(text_str(&whole), cells[i]);
    }
    text_free(&text);
    text_free(&whole);
}

/* W&B would run the same cell again; here it is one. */
static void equal_draws_are_one_cell(void **state)
{
    struct text text = {0};
    bool seen[4] = {false};
    uint64_t i;

    (void)state;
    opens(1, 1000, " a: {values: [0, 1]}\n b: {min: 0, max: 1}\n"
          " c: {value: x}\n");
    assert_int_equal(expand_size(expand), 4);
    for (i = 0; i < 4; i++) {
        int at = (int)(number("a", i) * 2 + number("b", i));

        assert_false(seen[at]);
        seen[at] = true;
    }
    text_free(&text);
    opens(1, 3, " a: {value: 5}\n");
    assert_int_equal(expand_size(expand), 1);
}

static void zipped_lists_take_one_draw(void **state)
{
    uint64_t i;

    (void)state;
    if (open_text("#RELAY seed 5\n#RELAY zip b a\n#RELAY when c: a == 2\n"
                  "method: random\nrun_cap: 200\nparameters:\n"
                  " a: {values: [1, 2, 3]}\n b: {values: [10, 20, 30]}\n"
                  " c: {min: 0.0, max: 1.0}\n") != 0)
        fail_msg("%s", err.text);
    for (i = 0; i < expand_size(expand); i++) {
        struct value room;

        close_to(number("b", i), number("a", i) * 10, 0);
        assert_true((expand_value(expand, i, "c", &room) != NULL) ==
                    (number("a", i) > 1.5 && number("a", i) < 2.5));
    }
    /* a = 1 and a = 3 are one cell each, a = 2 is new at each draw */
    assert_in_range(expand_size(expand), 2 + 40, 2 + 100);
}

static void refuses(const char *text, const char *says)
{
    assert_int_equal(open_text(text), -1);
    if (strncmp(err.text, says, strlen(says)) != 0)
        fail_msg("%s\nexpected: %s", err.text, says);
}

static void what_has_no_end_is_refused(void **state)
{
    (void)state;
    refuses("method: random\nrun_cap: 2\nparameters: {a: {values: [1]}}\n",
            "s.yaml: method: random needs a seed, so that a cell is the same "
            "each time: add a line #RELAY seed 1");
    refuses("#RELAY seed 1\nmethod: random\nparameters: {a: {values: [1]}}\n",
            "s.yaml: method: random has no end: add a line run_cap: 100");
    refuses("#RELAY seed 1\nmethod: random\nrun_cap: 2\nparameters:\n"
            " a: {distribution: beta, a: 0}\n",
            "s.yaml:5:2: parameter a: a and b of a beta distribution");
    refuses("#RELAY seed 1\n#RELAY zip a b\nmethod: random\nrun_cap: 2\n"
            "parameters:\n a: {min: 0.0, max: 1}\n b: {min: 0.0, max: 1}\n",
            "s.yaml: zip: parameter a must have values");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(continuous_distributions_are_true),
        cmocka_unit_test(quantized_distributions_are_true),
        cmocka_unit_test(discrete_distributions_are_true),
        cmocka_unit_test(functions_are_exact),
        cmocka_unit_test(draws_depend_on_seed_index_and_name),
        cmocka_unit_test(parameters_are_independent),
        cmocka_unit_test(cells_are_the_same_for_ever),
        cmocka_unit_test(equal_draws_are_one_cell),
        cmocka_unit_test(zipped_lists_take_one_draw),
        cmocka_unit_test(what_has_no_end_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
