#include "tempdir.h"

#include <math.h>
#include <sysexits.h>

#include "config_read.h"
#include "gpuspeed.h"
#include "survey.h"

static void test_types_of_gpus(void **state)
{
    struct survey s = {.ngpus = 0};

    (void)state;
    assert_true(survey_gres(&s, "gpu:a100:8(S:0-1),gpu:h100:2"));
    assert_true(survey_gres(&s, "shard:16,gpu:a100:4(IDX:0,2,4)"));
    assert_int_equal(s.ngpus, 2);
    assert_string_equal(s.gpus[0], "a100");
    assert_string_equal(s.gpus[1], "h100");
    assert_false(s.untyped);
    assert_true(survey_gres(&s, "gpu:4(S:0)"));
    assert_true(s.untyped);
    assert_int_equal(s.ngpus, 2);
    assert_false(survey_gres(&s, "(null)"));
    assert_false(survey_gres(&s, ""));
    assert_false(survey_gres(&s, "shard:gpu:3"));
}

static void test_speeds(void **state)
{
    (void)state;
    assert_true(gpuspeed("rtx_2080_ti") == 1);
    assert_true(gpuspeed("RTX2080Ti") == 1);
    assert_true(gpuspeed("nvidia_h100_80gb_hbm3") == 3.9);
    assert_true(gpuspeed("a40") == 0.85);
    assert_true(gpuspeed("rtx_a4000") == 0); /* no A40 */
    assert_true(gpuspeed("a1000") == 0);     /* no A100 */
    assert_true(gpuspeed("l40") == 0);
    assert_true(gpuspeed("") == 0);
}

static void test_partition_that_must_be_named(void **state)
{
    struct survey s = {.npartitions = 2,
                       .partitions = {{"cpu", true, true, false},
                                      {"gpu", false, true, true}}};

    (void)state;
    assert_string_equal(survey_partition(&s)->name, "gpu");
    s.partitions[0].gpus = true; /* the default will do */
    assert_null(survey_partition(&s));
    s.partitions[0] = (struct survey_partition){"big", false, true, true};
    assert_null(survey_partition(&s)); /* which one is for a person to say */
}

static void read_back(const char *yaml, struct config *cfg)
{
    struct relay_error err = {0};

    config_defaults(cfg);
    if (config_read(yaml, strlen(yaml), "made", cfg, &err) != 0)
        fail_msg("%s\n%s", err.text, yaml);
}

/* Whatever was found is read back as it was. */
static void test_file_says_what_was_found(void **state)
{
    struct survey here = {.cluster = "iris", .nroots = 1, .ngpus = 2,
                          .roots = {{"~/it's here: #1/_resume", 3}},
                          .gpus = {"a100", "odd"}};
    struct survey there = {.cluster = "sherlock", .ssh = "me@sh.example",
                           .login = true, .ngpus = 1, .gpus = {"a100"},
                           .resume_root = "$GROUP_SCRATCH/%u/c/_resume",
                           .npartitions = 1,
                           .partitions = {{"gpu", false, true, true}}};
    char *yaml = survey_yaml(&here, &there, true);
    struct config cfg;

    (void)state;
    assert_non_null(yaml);
    read_back(yaml, &cfg);
    assert_string_equal(cfg.cluster, "iris");
    assert_int_equal(cfg.nclusters, 2);
    assert_string_equal(cfg.clusters[0].resume_root,
                        "~/it's here: #1/_resume");
    assert_string_equal(cfg.clusters[0].run_root, "~/it's here: #1");
    assert_string_equal(cfg.clusters[1].ssh, "me@sh.example");
    assert_int_equal(cfg.clusters[1].reach, REACH_LOGIN);
    assert_string_equal(cfg.clusters[1].resume_root,
                        "$GROUP_SCRATCH/%u/c/_resume");
    assert_string_equal(cfg.clusters[1].run_root, "$GROUP_SCRATCH/%u/c");
    assert_int_equal(cfg.clusters[1].nsubmit, 2);
    assert_string_equal(cfg.clusters[1].submit[1], "gpu");
    assert_int_equal(cfg.nspeed, 1);
    assert_string_equal(cfg.speed[0].gpu, "a100");
    assert_non_null(strstr(yaml, "#  odd: 1"));
    config_free(&cfg);
    free(yaml);
}

static void test_file_of_nothing_is_valid(void **state)
{
    struct survey here = {.cluster = "iris"};
    char *yaml = survey_yaml(&here, NULL, false);
    struct config cfg;

    (void)state;
    assert_non_null(yaml);
    read_back(yaml, &cfg);
    assert_null(cfg.cluster);
    assert_int_equal(cfg.nclusters, 1);
    assert_null(cfg.clusters[0].resume_root);
    config_free(&cfg);
    free(yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_of_gpus),
        cmocka_unit_test(test_speeds),
        cmocka_unit_test(test_partition_that_must_be_named),
        cmocka_unit_test(test_file_says_what_was_found),
        cmocka_unit_test(test_file_of_nothing_is_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
