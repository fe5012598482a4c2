/* Which GPUs a request allows, by what sinfo -N -o "%N|%P|%G|%f|%T" says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "move/constraint.h"
#include "move/gpuname.h"
#include "move/gputype.h"
#include "move/hosts.h"

static struct config_speed speed[] = {
    {(char *)(uintptr_t) "RTX2080Ti", 1}, {(char *)(uintptr_t) "A100", 1.5},
    {(char *)(uintptr_t) "L40S", 3.2},    {(char *)(uintptr_t) "H100", 3.9},
    {(char *)(uintptr_t) "A40", 0.85},    {(char *)(uintptr_t) "P100", 0.095},
};
static const struct config cfg = {.speed = speed, .nspeed = 6};

static const char iris[] =
    "iris1|iris*|gpu:titanrtx:8(S:0-1)|turing|mixed\n"
    "iris9|iris-hi|gpu:l40s:8(S:0-1),shard:l40s:8|ada,avx512|mixed\n"
    "iris9|iris*|gpu:l40s:8(S:0-1)|ada,avx512|mixed\n"
    "iris10|iris-hi|gpu:l40s:8(S:0-1)|ada,avx512|idle\n"
    "iris-hgx-1|iris-hi|gpu:nvidia_h100_80gb_hbm3:8|hopper,avx512|allocated\n"
    "iris-hgx-2|iris-hi|gpu:h100:8|hopper|mixed-\n"
    "iris-a100|iris-hi|gpu:a100:8|ampere|drained*\n"
    "iris-old|iris-hi|gpu:p100:8|pascal|idle*\n" /* does not answer */
    "iris-cpu|iris-hi|(null)|(null)|idle\n";

static const char sherlock[] =
    "sh02-12n01|gpu|gpu:4(S:0-1)|GPU_GEN:TUR,GPU_SKU:RTX_2080Ti,GPU_MEM:11GB|"
    "mixed\n"
    "sh02-12n02|gpu|gpu:4(S:0-1)|GPU_GEN:TUR,GPU_SKU:RTX_2080Ti,GPU_MEM:11GB|"
    "mixed\n"
    "sh01-27n35|gpu|gpu:4(S:0-1)|GPU_GEN:PSC,GPU_SKU:P100_PCIE,GPU_MEM:16GB|"
    "idle\n"
    "sh03-13n14|gpu|gpu:4(S:0-1)|GPU_GEN:AMP,GPU_SKU:A100_SXM4,GPU_MEM:40GB|"
    "allocated\n"
    "sh03-01n01|normal*|(null)|CLASS:SH3_CBASE|idle\n";

static struct gputypes types;
static struct relay_error err;

static const char *slowest(const char *sinfo, const struct request *req)
{
    const struct gputype *found;

    gputypes_free(&types);
    assert_int_equal(gputypes_read(sinfo, req, &cfg, &types, &err), 0);
    found = gputypes_slowest(&types);
    return found != NULL ? found->name : "";
}

static bool near(double a, double b)
{
    return a > b - 1e-9 && a < b + 1e-9;
}

static void names_agree_however_they_are_written(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        enum gpuname same;
    } cases[] = {
        {"RTX2080Ti", "rtx_2080_ti", GPUNAME_SAME},
        {"RTX2080Ti", "nvidia_geforce_rtx_2080_ti", GPUNAME_SAME},
        {"RTX2080Ti", "2080Ti", GPUNAME_SAME},
        {"H100", "nvidia_h100_80gb_hbm3", GPUNAME_MODEL},
        {"H100", "h100-pcie", GPUNAME_MODEL},
        {"A100-40GB", "A100_80GB", GPUNAME_MODEL},
        {"V100", "Tesla V100-SXM2-32GB", GPUNAME_MODEL},
        {"RTXA6000", "a6000", GPUNAME_SAME},
        {"L40", "L40S", GPUNAME_OTHER},
        {"A40", "A4000", GPUNAME_OTHER},
        {"A100", "a100_1g.5gb", GPUNAME_OTHER},
        {"RTX6000", "rtx_6000_ada", GPUNAME_OTHER},
        {"MI250", "amd_instinct_mi250", GPUNAME_SAME},
        {"", "", GPUNAME_OTHER},
        {"H100", "", GPUNAME_OTHER},
        {"rtx", "RTX", GPUNAME_SAME},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (gpuname_compare(cases[i].a, cases[i].b) != cases[i].same ||
            gpuname_compare(cases[i].b, cases[i].a) != cases[i].same)
            fail_msg("%s %s", cases[i].a, cases[i].b);
    }
}

static void factors_come_from_speed(void **state)
{
    struct config_speed two[] = {
        {(char *)(uintptr_t) "A100-40GB", 1.4},
        {(char *)(uintptr_t) "A100-80GB", 1.6},
    };
    struct config own = {.speed = two, .nspeed = 2};

    (void)state;
    assert_true(near(gputype_factor(&cfg, "nvidia_h100_80gb_hbm3"), 3.9));
    assert_true(near(gputype_factor(&cfg, "l40s"), 3.2));
    assert_true(near(gputype_factor(&cfg, "l40"), 0));
    assert_true(near(gputype_factor(&cfg, ""), 0));
    /* exact before model; of several models the slowest */
    assert_true(near(gputype_factor(&own, "a100_80gb"), 1.6));
    assert_true(near(gputype_factor(&own, "a100"), 1.4));
}

static void host_lists_are_matched_and_counted(void **state)
{
    (void)state;
    assert_true(hosts_have("iris9,iris10,iris-hgx-1", "iris10"));
    assert_false(hosts_have("iris9,iris10,iris-hgx-1", "iris1"));
    assert_true(hosts_have("n[08-10,12]", "n08"));
    assert_false(hosts_have("n[08-10,12]", "n8"));
    assert_true(hosts_have("n[8-10]", "n10"));
    assert_false(hosts_have("n[8-10]", "n08"));
    assert_true(hosts_have("n[008-1000]", "n1000"));
    assert_true(hosts_have("a,sh[01-03]-[1-20]n[01-99],b", "sh02-12n01"));
    assert_false(hosts_have("sh[01-03]-[1-20]n[01-99]", "sh02-21n01"));
    assert_true(hosts_have("r[a,b]-ib", "rb-ib"));
    assert_false(hosts_have("n[1-3", "n1"));
    assert_false(hosts_have("", "n1"));
    assert_int_equal(hosts_count("iris9,iris10,iris-hgx-1"), 3);
    assert_int_equal(hosts_count("n[008-010,12],m"), 5);
    assert_int_equal(hosts_count("sh[01-03]-[1-20]"), 60);
    assert_int_equal(hosts_count("n[1-999999999999]"), 10000000);
    assert_int_equal(hosts_count(""), 0);
    assert_int_equal(hosts_count("n[1-3"), -1);
    assert_int_equal(hosts_count("n[]"), -1);
}

static void constraints_are_evaluated(void **state)
{
    static const struct {
        const char *constraint;
        int fits;
    } cases[] = {
        {"", 1},
        {"GPU_GEN:TUR", 1},
        {"GPU_GEN:AMP", 0},
        {"[GPU_GEN:VLT|GPU_GEN:TUR|GPU_GEN:AMP]", 1},
        {"GPU_GEN:AMP|GPU_GEN:TUR", 1},
        {"GPU_GEN:TUR&GPU_MEM:11GB", 1},
        {"GPU_GEN:TUR&GPU_MEM:40GB", 0},
        {"(GPU_GEN:AMP|GPU_GEN:TUR)&GPU_MEM:40GB", 0},
        {"GPU_MEM:40GB&GPU_GEN:AMP|GPU_GEN:TUR", 1},
        {"GPU_GEN:TUR*2", -1},
        {"[rack1*2&rack2*4]", -1},
        {"GPU_GEN:TUR&", -1},
        {"(GPU_GEN:TUR", -1},
        {"GPU_GEN:TUR)", -1},
        {"((((((((((((((((((a))))))))))))))))))", -1},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (constraint_fits(cases[i].constraint,
                            "GPU_GEN:TUR,GPU_SKU:RTX_2080Ti,GPU_MEM:11GB") !=
            cases[i].fits)
            fail_msg("%s", cases[i].constraint);
    }
}

static void the_slowest_that_is_allowed_counts(void **state)
{
    struct request req = {.gpus = 1, .partition = "iris-hi"};

    (void)state;
    assert_string_equal(slowest(iris, &req), "l40s"); /* a100 is drained */
    assert_true(near(gputypes_slowest(&types)->factor, 3.2));
    assert_int_equal(gputypes_slowest(&types)->nodes, 2);
    assert_int_equal(types.n, 3);
    snprintf(req.exclude, sizeof(req.exclude), "iris[9-10]");
    assert_string_equal(slowest(iris, &req), "nvidia_h100_80gb_hbm3");
    req.exclude[0] = '\0';
    snprintf(req.nodelist, sizeof(req.nodelist), "iris-hgx-[1-2]");
    assert_string_equal(slowest(iris, &req), "nvidia_h100_80gb_hbm3");
    req.nodelist[0] = '\0';
    snprintf(req.gpu, sizeof(req.gpu), "H100");
    assert_string_equal(slowest(iris, &req), "h100");
    req.gpu[0] = '\0';
    snprintf(req.constraint, sizeof(req.constraint), "hopper&avx512");
    assert_string_equal(slowest(iris, &req), "nvidia_h100_80gb_hbm3");
    assert_int_equal(types.n, 1);
    req.constraint[0] = '\0';
    snprintf(req.partition, sizeof(req.partition), "other,iris-hi");
    assert_string_equal(slowest(iris, &req), "l40s");
}

static void a_gpu_that_speed_does_not_know_is_the_slowest(void **state)
{
    struct request req = {.gpus = 1}; /* the default partition */

    (void)state;
    assert_string_equal(slowest(iris, &req), "titanrtx");
    assert_true(near(gputypes_slowest(&types)->factor, 0));
}

static void what_is_not_known_has_a_reason(void **state)
{
    struct request req = {.gpus = 1, .partition = "iris-lo"};

    (void)state;
    assert_string_equal(slowest(iris, &req), "");
    assert_non_null(strstr(types.why, "no partition iris-lo"));
    snprintf(req.partition, sizeof(req.partition), "iris-hi");
    snprintf(req.gpu, sizeof(req.gpu), "a100");
    assert_string_equal(slowest(iris, &req), "");
    assert_non_null(strstr(types.why, "with a100 that the request allows are "
                                      "down or drained"));
    snprintf(req.gpu, sizeof(req.gpu), "b200");
    assert_string_equal(slowest(iris, &req), "");
    assert_non_null(strstr(types.why, "has b200"));
    req.gpu[0] = '\0';
    snprintf(req.constraint, sizeof(req.constraint), "[hopper*1&ada*1]");
    assert_string_equal(slowest(iris, &req), "");
    assert_non_null(strstr(types.why, "--constraint=[hopper*1&ada*1]"));
    req.gpus = 0;
    assert_string_equal(slowest(iris, &req), "");
    assert_true(types.known);
    assert_string_equal(slowest("no sinfo\n|||||\na|b\n\n", &req), "");
}

/* Where Gres has no types, features say what a node has. */
static void features_name_the_gpu(void **state)
{
    struct request req = {.gpus = 1, .partition = "gpu"};

    (void)state;
    assert_string_equal(slowest(sherlock, &req), "P100");
    snprintf(req.constraint, sizeof(req.constraint),
             "[GPU_GEN:VLT|GPU_GEN:TUR|GPU_GEN:AMP]");
    assert_string_equal(slowest(sherlock, &req), "RTX2080Ti");
    snprintf(req.constraint, sizeof(req.constraint), "GPU_GEN:AMP");
    assert_string_equal(slowest(sherlock, &req), "A100");
}

static void the_median_of_a_partition(void **state)
{
    (void)state;
    assert_true(near(gputype_median(sherlock, "gpu", &cfg), 1));
    assert_true(near(gputype_median(iris, "iris-hi", &cfg), 3.2));
    /* one of two nodes has a titanrtx, which speed: does not know */
    assert_true(near(gputype_median(iris, "", &cfg), 3.2));
    assert_true(near(gputype_median(sherlock, "", &cfg), 0));
    assert_true(near(gputype_median(sherlock, "nowhere", &cfg), 0));
    assert_true(near(gputype_median("a|p|gpu:x:1|(null)|idle\n"
                                    "b|p|gpu:y:1|(null)|idle\n"
                                    "c|p|gpu:h100:1|(null)|idle\n", "p",
                                    &cfg), 0));
}

static int forget(void **state)
{
    (void)state;
    gputypes_free(&types);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_agree_however_they_are_written),
        cmocka_unit_test(factors_come_from_speed),
        cmocka_unit_test(host_lists_are_matched_and_counted),
        cmocka_unit_test(constraints_are_evaluated),
        cmocka_unit_test(the_slowest_that_is_allowed_counts),
        cmocka_unit_test(a_gpu_that_speed_does_not_know_is_the_slowest),
        cmocka_unit_test(what_is_not_known_has_a_reason),
        cmocka_unit_test(features_name_the_gpu),
        cmocka_unit_test(the_median_of_a_partition),
    };

    return cmocka_run_group_tests(tests, NULL, forget);
}
