/* The gates of a move, with the figures of a real pair of clusters: a
 * 2080 Ti does 19,000 steps an hour, an H100 75,000, an L40S 60,000, an A100
 * 28,000 and an A40 16,000; runs are 300,000 steps long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "move/gates.h"

#define HOUR 3600.0

/* All is well: a run of step 84,700 on a 2080 Ti, an H100 here. */
static struct gate_facts good(void)
{
    return (struct gate_facts){
        .job = "4711",
        .gpu_there = "RTX2080Ti",
        .gpu_here = "H100",
        .factor_there = 1,
        .factor_here = 3.9,
        .factor_usual = 1,
        .gpus_there = 1,
        .gpus_here = 1,
        .rate_there = 19000 / HOUR,
        .rate_here = -1,
        .step = 84700,
        .total = 300000,
        .min_remaining = 1800,
        .overhead = 600,
        .jobs_now = 2,
        .jobs_max = -1,
        .gpus_now = 4,
        .gpus_max = 6,
        .tracker = 0,
        .nodes = 1,
    };
}

static struct gate_result results[GATES];

static size_t judge(const struct gate_facts *f)
{
    return gates_judge(f, NULL, results);
}

static void assert_gate(enum gate gate, enum gate_verdict verdict,
                        const char *words)
{
    const struct gate_result *r = &results[gate];

    if (r->verdict != verdict || strstr(r->text, words) == NULL)
        fail_msg("%s: %d \"%s\", expected %d \"%s\"", gate_name(gate),
                 (int)r->verdict, r->text, (int)verdict, words);
}

static void names_go_both_ways(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < GATES; i++)
        assert_int_equal(gate_of_name(gate_name((enum gate)i)), i);
    assert_int_equal(gate_of_name("remaining"), GATE_REMAINING);
    assert_int_equal(gate_of_name("Remaining"), -1);
    assert_int_equal(gate_of_name(""), -1);
}

static void all_is_well(void **state)
{
    struct gate_facts f = good();
    int i;

    (void)state;
    assert_int_equal(judge(&f), 0);
    for (i = 0; i < GATES; i++)
        assert_int_equal(results[i].verdict, GATE_PASS);
    assert_gate(GATE_INCOMPLETE, GATE_PASS, "step 84700 of 300000");
    assert_gate(GATE_RUNNING, GATE_PASS, "job 4711");
    assert_gate(GATE_GPU, GATE_PASS, "H100 here has 3.9 times the speed of "
                                     "RTX2080Ti there");
    assert_gate(GATE_REMAINING, GATE_PASS,
                "11 h 19 min left there, above 30 min "
                "(handoff.min_remaining)");
    assert_gate(GATE_GAIN, GATE_PASS,
                "break-even 13 min: overhead 10 min / (1 - 1 / 3.9); done 8 h "
                "15 min earlier");
    assert_gate(GATE_SLOT, GATE_PASS, "2 of 6 GPUs are free");
}

/* The table of the people who did this by hand: speed-up, what their move
 * cost (nine minutes, more or less), break-even. */
static void break_even_is_what_people_found(void **state)
{
    static const struct {
        double here;      /* steps an hour */
        int64_t overhead; /* seconds */
        int64_t minutes;
    } rows[] = {
        {76000, 9 * 60, 12}, /* 4 times */
        {57000, 9 * 60 + 100, 16}, /* 3 times */
        {28500, 9 * 60 - 40, 25}, /* 1.5 times */
    };
    struct gate_estimate e;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gate_facts f = good();

        f.rate_here = rows[i].here / HOUR;
        f.overhead = rows[i].overhead;
        gates_estimate(&f, &e);
        assert_int_equal((e.break_even + 30) / 60, rows[i].minutes);
    }
}

static void the_break_even_is_where_nothing_is_gained(void **state)
{
    struct gate_facts f = good();
    struct gate_estimate e;

    (void)state;
    f.rate_there = 10;
    f.rate_here = 40;
    f.overhead = 540;
    f.step = 0;
    f.total = 7200;
    gates_estimate(&f, &e);
    assert_int_equal(e.break_even, 720);
    assert_int_equal(e.left_there, 720);
    assert_int_equal(e.left_here, 180);
    assert_true(e.known);
    assert_int_equal(e.gain, 0);
    judge(&f);
    assert_gate(GATE_GAIN, GATE_FAIL, "12 min left there, break-even 12 min: "
                                      "overhead 9 min / (1 - 1 / 4)");
    f.total = 7000;
    judge(&f);
    assert_gate(GATE_GAIN, GATE_FAIL, "15 s later");
    f.total = 7400;
    judge(&f);
    assert_gate(GATE_GAIN, GATE_PASS, "15 s earlier");
}

static void a_gpu_that_is_no_faster_is_refused(void **state)
{
    struct gate_facts f = good();
    struct gate_estimate e;

    (void)state;
    f.gpu_here = "A40";
    f.factor_here = 0.85;
    assert_int_equal(judge(&f), 2);
    assert_gate(GATE_GPU, GATE_FAIL, "A40 here has 0.85 times the speed of "
                                     "RTX2080Ti there: it is no faster");
    assert_gate(GATE_GAIN, GATE_FAIL, "no break-even");
    gates_estimate(&f, &e);
    assert_int_equal(e.break_even, -1);
    f.factor_here = 1;
    assert_int_equal(judge(&f), 2);
}

static void a_slow_straggler_is_to_be_submitted_again(void **state)
{
    struct gate_facts f = good();

    (void)state;
    f.gpu_there = "P100";
    f.factor_there = 0.095;
    f.rate_there = 1800 / HOUR;
    assert_int_equal(judge(&f), 1);
    assert_gate(GATE_GPU, GATE_FAIL, "P100 there has 0.095 of the speed that "
                                     "is usual in its partition: cancel the "
                                     "job and submit it again there with a "
                                     "--constraint");
    /* where all are that slow it is no straggler */
    f.factor_usual = 0.095;
    assert_int_equal(judge(&f), 0);
}

static void little_time_left_is_not_worth_it(void **state)
{
    struct gate_facts f = good();

    (void)state;
    f.step = 292000;
    assert_int_equal(judge(&f), 1);
    assert_gate(GATE_REMAINING, GATE_FAIL,
                "25 min left there, not above 30 min");
    assert_gate(GATE_GAIN, GATE_PASS, "25 min left there, break-even 13 min");
    f.step = 400000; /* behind the end */
    assert_int_equal(judge(&f), 2);
    assert_gate(GATE_REMAINING, GATE_FAIL, "0 s left there");
}

static void what_is_missing_names_the_option(void **state)
{
    struct gate_facts f = good();

    (void)state;
    f.total = -1;
    assert_int_equal(judge(&f), 2);
    assert_gate(GATE_REMAINING, GATE_UNKNOWN, "--total-steps");
    assert_gate(GATE_GAIN, GATE_UNKNOWN, "--total-steps; break-even 13 min");
    f = good();
    f.rate_there = -1;
    assert_int_equal(judge(&f), 2);
    assert_gate(GATE_REMAINING, GATE_UNKNOWN, "--rate-there");
    f.rate_here = 20;
    judge(&f);
    assert_gate(GATE_GPU, GATE_UNKNOWN, "--rate-there");
    f = good();
    f.rate_there = 0; /* stands still: no rate either */
    assert_int_equal(judge(&f), 2);
    f = good();
    f.step = -1;
    judge(&f);
    assert_gate(GATE_REMAINING, GATE_UNKNOWN, "no checkpoint");
    f = good();
    f.gpu_there = NULL;
    f.factor_there = 0;
    assert_int_equal(judge(&f), 2);
    assert_gate(GATE_GPU, GATE_UNKNOWN, "--rate-here");
    assert_gate(GATE_GAIN, GATE_UNKNOWN, "--rate-here");
    f.gpu_there = "TitanXp";
    judge(&f);
    assert_gate(GATE_GPU, GATE_UNKNOWN, "speed: in relay.yaml has no TitanXp");
    f = good();
    f.gpu_here = "B200";
    f.factor_here = 0;
    judge(&f);
    assert_gate(GATE_GPU, GATE_UNKNOWN, "speed: in relay.yaml has no B200");
    f.gpu_here = "";
    f.gpu_here_why = "sinfo did not answer in time";
    judge(&f);
    assert_gate(GATE_GPU, GATE_UNKNOWN, "sinfo did not answer in time");
}

static void other_numbers_of_gpus_need_a_rate(void **state)
{
    struct gate_facts f = good();

    (void)state;
    f.gpus_there = 2;
    assert_int_equal(judge(&f), 2);
    assert_gate(GATE_GPU, GATE_UNKNOWN, "2 GPUs there and 1 here");
    f.rate_here = 60000 / HOUR;
    assert_int_equal(judge(&f), 0);
    assert_gate(GATE_GPU, GATE_PASS, "3.16 times");
}

static void slots_are_counted(void **state)
{
    struct gate_facts f = good();

    (void)state;
    f.gpus_now = 5;
    assert_int_equal(judge(&f), 0);
    f.gpus_here = f.gpus_there = 2;
    assert_int_equal(judge(&f), 1);
    assert_gate(GATE_SLOT, GATE_FAIL, "5 of 6 GPUs are taken here and it "
                                      "needs 2 (max_gpus)");
    f.gpus_max = -1;
    f.jobs_max = 3;
    assert_int_equal(judge(&f), 0);
    assert_gate(GATE_SLOT, GATE_PASS, "1 of 3 jobs are free here (max_jobs)");
    f.jobs_now = 3;
    f.jobs_whose = "QOS hi";
    assert_int_equal(judge(&f), 1);
    assert_gate(GATE_SLOT, GATE_FAIL, "3 of 3 jobs run or wait here (QOS hi)");
    f.jobs_now = -1;
    f.slots_why = "squeue was killed by signal 9";
    assert_int_equal(judge(&f), 1);
    assert_gate(GATE_SLOT, GATE_UNKNOWN, "squeue was killed by signal 9");
    f.jobs_max = -1;
    assert_int_equal(judge(&f), 0);
}

static void the_others_stand_in_the_way(void **state)
{
    struct gate_facts f = good();

    (void)state;
    f.completed = true;
    f.job = NULL;
    f.tracker = 2;
    f.tracker_why = "ab12cd34, ef56ab78";
    f.twin = "4712_3";
    f.nodelist_hosts = 3;
    assert_int_equal(judge(&f), 4);
    assert_gate(GATE_INCOMPLETE, GATE_FAIL, "complete there, at step 84700");
    assert_gate(GATE_RUNNING, GATE_FAIL, "no job runs it there");
    assert_gate(GATE_TRACKER, GATE_FAIL, "2 finished runs of this name: "
                                         "ab12cd34, ef56ab78");
    assert_gate(GATE_TWIN, GATE_FAIL, "job 4712_3");
    assert_gate(GATE_NODELIST, GATE_WARN, "3 hosts for 1 node: Slurm then "
                                          "takes all of them");
    f.nodes = 3;
    judge(&f);
    assert_gate(GATE_NODELIST, GATE_PASS, "3 of 3 nodes");
}

static void an_unreachable_tracker_only_warns(void **state)
{
    struct gate_facts f = good();

    (void)state;
    f.tracker = -2;
    f.tracker_why = "api.example.org did not answer";
    assert_int_equal(judge(&f), 0);
    assert_gate(GATE_TRACKER, GATE_WARN, "api.example.org did not answer");
    f.tracker = -1;
    assert_int_equal(judge(&f), 0);
    assert_gate(GATE_TRACKER, GATE_PASS, "was not asked");
}

static void a_person_overrules_by_name(void **state)
{
    struct gate_facts f = good();
    bool override[GATES] = {false};

    (void)state;
    f.total = -1;
    f.twin = "12";
    override[GATE_REMAINING] = true;
    override[GATE_TWIN] = true;
    override[GATE_GPU] = true; /* passes: nothing to overrule */
    assert_int_equal(gates_judge(&f, override, results), 1);
    assert_true(results[GATE_REMAINING].overridden);
    assert_true(results[GATE_TWIN].overridden);
    assert_false(results[GATE_GPU].overridden);
    assert_false(results[GATE_GAIN].overridden);
    assert_int_equal(results[GATE_TWIN].verdict, GATE_FAIL);
    override[GATE_GAIN] = true;
    assert_int_equal(gates_judge(&f, override, results), 0);
}

static void odd_figures_do_no_harm(void **state)
{
    struct gate_facts f = {.step = -1, .total = -1, .rate_there = -1,
                           .rate_here = -1, .jobs_now = -1, .jobs_max = -1,
                           .gpus_now = -1, .gpus_max = -1, .gpus_there = -1,
                           .gpus_here = -1};
    struct gate_estimate e;

    (void)state;
    assert_true(judge(&f) > 0);
    f = good();
    f.rate_there = 1e-300;
    f.total = INT64_MAX;
    gates_estimate(&f, &e);
    assert_true(e.left_there > 3000000000);
    assert_true(e.left_here > 3000000000);
    judge(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(all_is_well),
        cmocka_unit_test(break_even_is_what_people_found),
        cmocka_unit_test(the_break_even_is_where_nothing_is_gained),
        cmocka_unit_test(a_gpu_that_is_no_faster_is_refused),
        cmocka_unit_test(a_slow_straggler_is_to_be_submitted_again),
        cmocka_unit_test(little_time_left_is_not_worth_it),
        cmocka_unit_test(what_is_missing_names_the_option),
        cmocka_unit_test(other_numbers_of_gpus_need_a_rate),
        cmocka_unit_test(slots_are_counted),
        cmocka_unit_test(the_others_stand_in_the_way),
        cmocka_unit_test(an_unreachable_tracker_only_warns),
        cmocka_unit_test(a_person_overrules_by_name),
        cmocka_unit_test(odd_figures_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
