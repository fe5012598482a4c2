/* Free slots by what squeue, scontrol and sacctmgr say, and who gets them. */
#include "tempdir.h"

#include "move/ask.h"
#include "move/slots.h"

/* squeue -O SLOTS_SQUEUE of Slurm 22.05; without gres/gpu in
 * AccountingStorageTRES tres-alloc has no GPUs, so both kinds are here. */
static char squeue[] =
    "901|RUNNING|iris-hi|hi|1|1|cpu=8,mem=64G,node=1,billing=8,gres/gpu=2,"
    "gres/gpu:h100=2|N/A|gres:gpu:h100:2|N/A|N/A\n"
    "902|RUNNING|iris-hi|hi|2|2|cpu=2,mem=8G,node=2,billing=2|N/A|gres:gpu:1|"
    "N/A|N/A\n"
    "903_1|PENDING|iris-hi,iris|hi|1|1|cpu=1,mem=4G,node=1,billing=1|N/A|"
    "gres:gpu:1|N/A|N/A\n"
    "903_2|PENDING|iris-hi,iris|hi|1|1|cpu=1,mem=4G,node=1,billing=1|N/A|"
    "gres:gpu:1|N/A|N/A\n"
    "904|RUNNING|iris|normal|1|4|cpu=4,mem=16G,node=1,billing=4|N/A|N/A|N/A|"
    "gres:gpu:2\n"
    "905|PENDING|iris|normal|1|1|cpu=1,mem=4G,node=1,billing=1|gres:gpu:3|N/A|"
    "N/A|N/A\n"
    "906|COMPLETING|iris|normal|1|1|cpu=1,node=1,gres/gpu=8|N/A|N/A|N/A|N/A\n"
    "907|RUNNING|iris-cpu|normal|1|1|cpu=1,node=1|N/A|N/A|N/A|N/A\n";

static char qos[] = "normal|||\n"
                    "hi|6|20|cpu=512,gres/gpu=6\n"
                    "lo||3|gres/gpu:h100=2\n"
                    "none|0||gres/gpu=0\n";

static char partitions[] =
    "PartitionName=iris AllowGroups=ALL AllowAccounts=ALL Default=YES QoS=N/A "
    "DefaultTime=NONE State=UP\n"
    "PartitionName=iris-hi AllowGroups=ALL Default=NO QoS=hi State=UP\n";

static char assoc[] = "iris|robots|normal\nsherlock|robots|long\n";

static struct ask told(void)
{
    struct ask ask = {0};

    ask.squeue.text = squeue;
    ask.qos.text = qos;
    ask.partitions.text = partitions;
    ask.assoc.text = assoc;
    return ask;
}

static struct config cfg = {.cluster = (char *)(uintptr_t) "iris"};
static struct config_cluster iris;
static struct request req;
static struct slots slots;

static int fresh(void **state)
{
    (void)state;
    memset(&iris, 0, sizeof(iris));
    memset(&req, 0, sizeof(req));
    return 0;
}

static void find(const struct ask *ask)
{
    ask_slots(ask, &req, &cfg, &iris, NULL, &slots);
}

static void use_is(const char *partition, const char *in_qos, int64_t jobs,
                   int64_t gpus)
{
    struct slot_use use;

    slots_use(squeue, partition, in_qos, &use);
    if (use.jobs != jobs || use.gpus != gpus)
        fail_msg("%s %s: %d jobs, %d GPUs", partition, in_qos, (int)use.jobs,
                 (int)use.gpus);
}

static void limit_is(const struct slot_limit *limit, int64_t now, int64_t max,
                     const char *whose)
{
    if (limit->now != now || limit->max != max ||
        strcmp(limit->whose, whose) != 0)
        fail_msg("%d of %d (%s)", (int)limit->now, (int)limit->max,
                 limit->whose);
}

static void jobs_and_their_gpus_are_counted(void **state)
{
    struct slot_use use;

    (void)state;
    use_is("iris-hi", NULL, 4, 6);
    use_is("iris", "", 4, 13); /* 8 in 4 tasks, 3, and two that wait for it */
    use_is("iris-hi,iris", NULL, 6, 17);
    use_is(NULL, "hi", 4, 6);
    use_is(NULL, NULL, 7, 17);
    use_is("iris-h", NULL, 0, 0);
    slots_use("", "iris", NULL, &use);
    assert_int_equal(use.jobs, 0);
    slots_use("garbage\n|||\n", NULL, NULL, &use);
    assert_int_equal(use.jobs, 0);
}

static void limits_of_the_configuration(void **state)
{
    struct ask ask = told();
    const struct config_profile spare = {.max_gpus = 8};

    (void)state;
    ask.qos.text = NULL;
    snprintf(ask.qos.why, sizeof(ask.qos.why), "sacctmgr exited with 1");
    snprintf(req.partition, sizeof(req.partition), "iris-hi");
    find(&ask);
    assert_int_equal(slots.jobs.max, -1);
    assert_int_equal(slots_room(&slots.gpus), INT64_MAX);
    assert_non_null(strstr(slots.why, "sacctmgr exited with 1"));
    iris.max_gpus = 7;
    iris.max_jobs = 3;
    find(&ask);
    limit_is(&slots.gpus, 6, 7, "max_gpus");
    limit_is(&slots.jobs, 4, 3, "max_jobs");
    assert_int_equal(slots_room(&slots.gpus), 1);
    assert_int_equal(slots_room(&slots.jobs), 0);
    ask_slots(&ask, &req, &cfg, &iris, &spare, &slots);
    limit_is(&slots.gpus, 6, 8, "max_gpus");
    limit_is(&slots.jobs, 4, 3, "max_jobs");
}

static void the_tightest_limit_counts(void **state)
{
    struct ask ask = told();

    (void)state;
    /* the partition's QOS, though the job's own has no limits */
    snprintf(req.partition, sizeof(req.partition), "iris-hi");
    find(&ask);
    limit_is(&slots.gpus, 6, 6, "MaxTRESPU of QOS hi");
    limit_is(&slots.jobs, 4, 6, "MaxJobsPU of QOS hi");
    assert_string_equal(slots.why, "");
    iris.max_gpus = 5;
    iris.max_jobs = 5;
    find(&ask);
    limit_is(&slots.gpus, 6, 5, "max_gpus");
    limit_is(&slots.jobs, 4, 5, "max_jobs");
    /* the default partition has none; the QOS that is asked for has */
    req.partition[0] = '\0';
    iris.max_gpus = iris.max_jobs = 0;
    find(&ask);
    assert_int_equal(slots.gpus.max, -1);
    snprintf(req.qos, sizeof(req.qos), "lo");
    find(&ask);
    limit_is(&slots.jobs, 0, 3, "MaxSubmitPU of QOS lo");
    assert_int_equal(slots.gpus.max, -1); /* one type's limit is not all */
    snprintf(req.qos, sizeof(req.qos), "none");
    find(&ask);
    limit_is(&slots.gpus, 0, 0, "MaxTRESPU of QOS none");
    assert_int_equal(slots_room(&slots.jobs), 0);
}

static void the_users_default_qos_counts(void **state)
{
    struct ask ask = told();

    (void)state;
    ask.assoc.text = (char[]){"sherlock|robots|none\niris|robots|hi\n"
                              "iris|other|lo\n"
                              "sherlock|robots|none\n"};
    find(&ask); /* two defaults: nobody can tell */
    assert_int_equal(slots.jobs.max, -1);
    snprintf(req.account, sizeof(req.account), "robots");
    find(&ask);
    limit_is(&slots.jobs, 4, 6, "MaxJobsPU of QOS hi");
    cfg.cluster = (char *)(uintptr_t) "nowhere"; /* then all must agree */
    find(&ask);
    assert_int_equal(slots.jobs.max, -1);
    cfg.cluster = (char *)(uintptr_t) "iris";
}

static void without_squeue_the_use_is_unknown(void **state)
{
    struct ask ask = told();

    (void)state;
    ask.squeue.text = NULL;
    snprintf(ask.squeue.why, sizeof(ask.squeue.why),
             "squeue did not answer in time");
    snprintf(req.partition, sizeof(req.partition), "iris-hi");
    iris.max_gpus = 6;
    find(&ask);
    assert_int_equal(slots.gpus.now, -1);
    assert_int_equal(slots.gpus.max, 6);
    assert_string_equal(slots.why, "squeue did not answer in time");
}

static void who_goes(struct slot_candidate *c, size_t n, size_t max,
                     const char *want)
{
    char got[32];
    size_t i;

    assert_int_equal(slots_share(c, n, &slots, max), 0);
    for (i = 0; i < n; i++)
        got[i] = c[i].goes ? '1' : '0';
    got[n] = '\0';
    assert_string_equal(got, want);
}

static void slots_go_to_who_gains_most(void **state)
{
    struct slot_candidate c[] = {
        {.gain = 100, .known = true, .gpus = 1},
        {.gain = 300, .known = true, .gpus = 1},
        {.gain = 9999, .known = false, .gpus = 1},
        {.gain = 300, .known = true, .gpus = 1},
        {.gain = 500, .known = true, .gpus = 4},
        {.gain = -50, .known = true, .gpus = -1},
    };

    (void)state;
    slots_init(&slots);
    who_goes(c, 6, 0, "111111");
    who_goes(c, 6, 4, "110110");
    who_goes(c, 6, 2, "010010"); /* of equals the first */
    slots.gpus = (struct slot_limit){.now = 3, .max = 6};
    who_goes(c, 6, 0, "110100"); /* four do not fit, three times one do */
    slots.jobs = (struct slot_limit){.now = 5, .max = 6};
    who_goes(c, 6, 0, "010000");
    slots.jobs.now = 7;
    who_goes(c, 6, 0, "000000");
    assert_int_equal(slots_share(c, 0, &slots, 4), 0);
}

/* Without a cluster each command fails, or is missing; both are told. */
static void commands_that_fail_are_unknown(void **state)
{
    struct relay_error err = {0};
    struct gputypes types;
    char conf[600];
    struct ask ask;

    (void)state;
    setenv("SLURM_CONF", temp_join("no/slurm.conf", conf, sizeof(conf)), 1);
    ask_here(20000, &ask);
    unsetenv("SLURM_CONF");
    assert_null(ask.sinfo.text);
    assert_non_null(strstr(ask.sinfo.why, "sinfo"));
    assert_null(ask.squeue.text);
    assert_non_null(strstr(ask.squeue.why, "squeue"));
    assert_null(ask.partitions.text);
    assert_non_null(strstr(ask.partitions.why, "scontrol"));
    assert_null(ask.qos.text);
    assert_non_null(strstr(ask.assoc.why, "sacctmgr"));
    req.gpus = 1;
    iris.max_jobs = 2;
    find(&ask);
    assert_int_equal(slots.jobs.now, -1);
    assert_non_null(strstr(slots.why, "squeue"));
    assert_int_equal(ask_gputypes(&ask, &req, &cfg, &types, &err), 0);
    assert_false(types.known);
    assert_non_null(strstr(types.why, "sinfo"));
    ask_free(&ask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(jobs_and_their_gpus_are_counted, fresh),
        cmocka_unit_test_setup(limits_of_the_configuration, fresh),
        cmocka_unit_test_setup(the_tightest_limit_counts, fresh),
        cmocka_unit_test_setup(the_users_default_qos_counts, fresh),
        cmocka_unit_test_setup(without_squeue_the_use_is_unknown, fresh),
        cmocka_unit_test_setup(slots_go_to_who_gains_most, fresh),
        cmocka_unit_test_setup(commands_that_fail_are_unknown, fresh),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
