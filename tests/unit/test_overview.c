/* What runs.sh answers, read as overview.h says; no Slurm, no ssh. */
#include "tempdir.h"

#include "config.h"
#include "overview.h"
#include "overview_int.h"
#include "text.h"

#define HASH "00112233445566778899aabbccddeeff00112233"
#define HASH2 "11112233445566778899aabbccddeeff00112233"
#define NOW 1700000000
#define S "\037"

static void add_section(struct text *t, const char *name, const char *bytes)
{
    text_printf(t, "@%s\t%zu\n%s\n", name, strlen(bytes), bytes);
}

static void take(const char *cluster, struct text *t, struct overview *o,
                 const char *pattern)
{
    struct peer_reply reply = {.out = t->s, .len = t->len};
    struct relay_error err = {0};

    memset(o, 0, sizeof(*o));
    snprintf(o->cluster, sizeof(o->cluster), "%s", cluster);
    assert_int_equal(overview_take(o, &reply, pattern, &err), 0);
}

static const struct overview_run *run_of(const struct overview *o,
                                         const char *hash)
{
    size_t i;

    for (i = 0; i < o->n; i++)
        if (strcmp(o->runs[i].hash, hash) == 0)
            return &o->runs[i];
    fail_msg("no run %s", hash);
    return NULL;
}

static void begin(struct text *t)
{
    text_clear(t);
    text_printf(t, "now\t%d\nroot\t/r\n", NOW);
}

/* A claim of that job, made on that cluster. */
static void add_claim(struct text *records, const char *hash,
                      const char *cluster, const char *job, int term)
{
    text_printf(records,
                ".relay/%s/run.3:{\n"
                ".relay/%s/run.3:  \"format\": 1, \"kind\": \"claim\",\n"
                ".relay/%s/run.3:  \"term\": %d, \"nonce\": \"abc\",\n"
                ".relay/%s/run.3:  \"owner\": {\"cluster\": \"%s\", "
                "\"job_id\": \"%s\"}}\n",
                hash, hash, hash, term, hash, cluster, job);
}

static void add_more(struct text *more, const char *id, const char *per_node,
                     const char *per_job, const char *alloc, const char *out)
{
    text_printf(more, "%-40s%-8s%-96s%-96s%-96s%-256s%-1024s\n", id, "0",
                per_node, per_job, "N/A", alloc, out);
}

static void reads_runs_with_their_jobs(void **state)
{
    struct text t = {0}, records = {0}, more = {0};
    const struct overview_run *run;
    struct overview o;

    (void)state;
    begin(&t);
    add_section(&t, "jobs",
                "4711_7" S "RUNNING" S "None" S "gpu" S "1-02:00:00" S
                "1699990000" S "2" S "n1" S "/w" S "/w/train.sh" S "(null)" S
                "seven\n"
                "4712" S "PENDING" S "Priority" S "gpu" S "UNLIMITED" S "N/A" S
                "1" S "n/a" S "/w" S "x" S "lab/p/b" S "j\nodd\n");
    add_more(&more, "4711_7", "gres:gpu:a100:4", "N/A", "cpu=1", "/w/out");
    add_more(&more, "4712", "N/A", "gres:gpu:2", "cpu=1,gres/gpu=2", "");
    add_section(&t, "more", text_str(&more));
    add_section(&t, "partitions", "gpu*|gpu:a100:4(S:0-1)|12\nold|(null)|3\n");
    add_section(&t, "nodes", "n1|gpu:a100:4\n");
    text_add(&t, "log\t4711_7 head 10 5000\nlog\t4711_7 tail 900 5000\n"
                 "log\t4711_7 time 1699999990 0\n");
    add_section(&t, "metas",
                "1699999000 80 " HASH "/resume_meta.json\n"
                "1699999900 9 " HASH2 "/resume_meta.json\n"
                "1699999900 9 ../../etc/resume_meta.json\n");
    add_section(&t, "texts",
                HASH "/resume_meta.json:{\"run_name\": \"a\",\n" HASH
                     "/resume_meta.json: \"last_checkpoint_step\": 800}\n" HASH2
                     "/resume_meta.json:{\"broken\n");
    add_claim(&records, HASH, "sherlock", "4711_7", 4);
    add_section(&t, "records", text_str(&records));
    add_section(&t, "progress",
                ".relay/" HASH "/history/zz.jsonl:{\"event\": \"progress\", "
                "\"time\": 1, \"step\": 1}\n"
                ".relay/" HASH "/history/abc.jsonl:{\"event\": \"progress\", "
                "\"time\": 1699998000, \"age\": 0, \"step\": 400}\n"
                ".relay/" HASH "/history/abc.jsonl:{\"event\": \"progress\", "
                "\"time\": 1699998200, \"age\": 0, \"step\": 500}\n"
                ".relay/" HASH "/history/abc.jsonl:{\"event\": \"progress\", "
                "\"time\": 1699998400, \"age\": 0, \"step\": 600}\n"
                ".relay/" HASH "/history/abc.jsonl:{\"torn\n");
    take("sherlock", &t, &o, NULL);
    assert_true(o.answered && o.slurm);
    assert_int_equal(o.n, 2);
    assert_int_equal(o.njobs, 2);
    run = run_of(&o, HASH);
    assert_string_equal(run->name, "a");
    assert_int_equal(run->step, 800);
    assert_int_equal(run->age, 1000);
    assert_int_equal(run->term, 4);
    assert_int_equal(run->gen, 3);
    assert_int_equal(run->state, RUN_RUNNING);
    assert_non_null(run->job);
    assert_string_equal(run->job->id, "4711_7");
    assert_string_equal(run->job->task, "7");
    assert_string_equal(run->job->gpu, "a100");
    assert_int_equal(run->job->gpus, 8);
    assert_int_equal(run->job->limit_left, 93600);
    assert_true(run->rate > 0.49 && run->rate < 0.51);
    assert_int_equal(run->interval, 200);
    assert_true(run->stale);
    assert_int_equal(run->total, 5000);
    assert_int_equal(overview_eta(run), 8200);
    run = run_of(&o, HASH2);
    assert_null(run->name);
    assert_int_equal(run->state, RUN_UNKNOWN);
    assert_non_null(strstr(run->trouble, HASH2));
    assert_int_equal(o.npartitions, 2);
    assert_true(o.partitions[0].usual);
    assert_string_equal(o.partitions[0].name, "gpu");
    assert_string_equal(o.partitions[0].gpu, "a100");
    assert_int_equal(o.partitions[1].gpus, 0);
    assert_int_equal(overview_job_find(&o, "4712")->gpus, 2);
    assert_int_equal(overview_job_find(&o, "4712")->limit_left, -1);
    assert_int_equal(overview_gpus_in(&o, "gpu"), 10);
    overview_free(&o);
    text_free(&t);
    text_free(&records);
    text_free(&more);
}

/* It waited in the queue for longer than it saves. */
static void a_job_that_has_just_begun_is_not_stale(void **state)
{
    static const char *const starts[] = {"1699999990", "1699999000"};
    struct text t = {0}, jobs = {0}, records = {0};
    struct overview o;
    size_t i;

    (void)state;
    add_claim(&records, HASH, "c", "1", 1);
    for (i = 0; i < 2; i++) {
        begin(&t);
        text_clear(&jobs);
        text_printf(&jobs,
                    "1" S "RUNNING" S "None" S "p" S "1:00" S "%s" S "1" S
                    "n1" S "/w" S "x" S "(null)" S "a\n",
                    starts[i]);
        add_section(&t, "jobs", text_str(&jobs));
        add_section(&t, "metas", "1699990000 80 " HASH "/resume_meta.json\n");
        add_section(&t, "texts",
                    HASH "/resume_meta.json:{\"run_name\": \"a\"}\n");
        add_section(&t, "records", text_str(&records));
        add_section(&t, "progress",
                    ".relay/" HASH "/history/old.jsonl:{\"event\": "
                    "\"progress\", \"time\": 1699989900, \"step\": 400}\n"
                    ".relay/" HASH "/history/old.jsonl:{\"event\": "
                    "\"progress\", \"time\": 1699990000, \"step\": 500}\n");
        take("c", &t, &o, NULL);
        assert_int_equal(o.runs[0].interval, 100);
        assert_int_equal(o.runs[0].stale, i == 1);
        overview_free(&o);
    }
    text_free(&t);
    text_free(&jobs);
    text_free(&records);
}

static void finds_a_job_by_its_name_when_it_is_the_only_one(void **state)
{
    struct text t = {0};
    struct overview o;

    (void)state;
    begin(&t);
    add_section(&t, "jobs",
                "1" S "RUNNING" S "None" S "p" S "1:00" S "1699999000" S "1" S
                "n1" S "/w" S "x" S "(null)" S "alone\n"
                "2" S "RUNNING" S "None" S "p" S "1:00" S "1699999000" S "1" S
                "n1" S "/w" S "x" S "(null)" S "twice\n"
                "3" S "PENDING" S "None" S "p" S "1:00" S "N/A" S "1" S "n1" S
                "/w" S "x" S "twice" S "other\n");
    add_section(&t, "metas",
                "1699999000 80 " HASH "/resume_meta.json\n"
                "1699999000 80 " HASH2 "/resume_meta.json\n");
    add_section(&t, "texts",
                HASH "/resume_meta.json:{\"run_name\": \"alone\"}\n" HASH2
                     "/resume_meta.json:{\"run_name\": \"twice\"}\n");
    take("c", &t, &o, NULL);
    assert_non_null(run_of(&o, HASH)->job);
    assert_string_equal(run_of(&o, HASH)->job->id, "1");
    assert_int_equal(run_of(&o, HASH)->state, RUN_RUNNING);
    assert_null(run_of(&o, HASH2)->job);
    overview_free(&o);
    /* Two runs of one name: whose the job is cannot be told. */
    begin(&t);
    add_section(&t, "jobs",
                "1" S "RUNNING" S "None" S "p" S "1:00" S "1699999000" S "1" S
                "n1" S "/w" S "x" S "(null)" S "alone\n");
    add_section(&t, "metas",
                "1699999000 80 " HASH "/resume_meta.json\n"
                "1699999000 80 " HASH2 "/resume_meta.json\n");
    add_section(&t, "texts",
                HASH "/resume_meta.json:{\"run_name\": \"alone\"}\n" HASH2
                     "/resume_meta.json:{\"run_name\": \"alone\"}\n");
    take("c", &t, &o, NULL);
    assert_null(run_of(&o, HASH)->job);
    assert_null(run_of(&o, HASH2)->job);
    overview_free(&o);
    text_free(&t);
}

static void a_pattern_chooses_by_name_and_hash(void **state)
{
    struct text t = {0};
    struct overview o;

    (void)state;
    begin(&t);
    add_section(&t, "metas",
                "1699999000 80 " HASH "/resume_meta.json\n"
                "1699999000 80 " HASH2 "/resume_meta.json\n");
    add_section(&t, "texts",
                HASH "/resume_meta.json:{\"run_name\": \"idql-1\"}\n" HASH2
                     "/resume_meta.json:{\"run_name\": \"other\"}\n");
    take("c", &t, &o, "idql-*");
    assert_int_equal(o.n, 1);
    assert_string_equal(o.runs[0].hash, HASH);
    assert_false(o.slurm);
    overview_free(&o);
    take("c", &t, &o, "1111*");
    assert_int_equal(o.n, 1);
    assert_string_equal(o.runs[0].hash, HASH2);
    overview_free(&o);
    text_free(&t);
}

static void reads_what_gres_says(void **state)
{
    char type[64];

    (void)state;
    assert_int_equal(overview_gres("gres:gpu:a100:2", type, 64), 2);
    assert_string_equal(type, "a100");
    assert_int_equal(overview_gres("gres/gpu:h100=3", type, 64), 3);
    assert_string_equal(type, "h100");
    assert_int_equal(overview_gres("gpu:2", type, 64), 2);
    assert_string_equal(type, "");
    assert_int_equal(overview_gres("gpu:a100", type, 64), 1);
    assert_string_equal(type, "a100");
    assert_int_equal(overview_gres("gpu", type, 64), 1);
    assert_int_equal(overview_gres("gpu:2080ti:4(S:0-1)", type, 64), 4);
    assert_string_equal(type, "2080ti");
    assert_int_equal(overview_gres("gpu:2080ti", type, 64), 1);
    assert_string_equal(type, "2080ti");
    assert_int_equal(overview_gres("gpu:a:1,gpu:b:2,tmp:1", type, 64), 3);
    assert_string_equal(type, "");
    assert_int_equal(overview_gres("(null)", type, 64), -1);
    assert_int_equal(overview_gres("N/A", type, 64), -1);
    assert_int_equal(overview_gres("gpumem:3", type, 64), -1);
}

/* --- pairs --------------------------------------------------------------- */

/* Two clusters that have one run, to be varied by a test. */
struct pair {
    struct overview list[2];
    struct overview_run runs[2];
    struct overview_job job;
};

static void make_pair(struct pair *p, int64_t step0, int64_t step1)
{
    size_t i;

    memset(p, 0, sizeof(*p));
    snprintf(p->job.state, sizeof(p->job.state), "RUNNING");
    for (i = 0; i < 2; i++) {
        snprintf(p->runs[i].hash, sizeof(p->runs[i].hash), HASH);
        p->runs[i].age = 5;
        p->runs[i].step = i == 0 ? step0 : step1;
        p->list[i].runs = &p->runs[i];
        p->list[i].n = 1;
    }
}

static void expect(struct pair *p, int one)
{
    size_t i;

    overview_pair(p->list, 2);
    for (i = 0; i < 2; i++)
        assert_int_equal(p->runs[i].copy, one < 0 ? OVERVIEW_UNCLEAR
                                          : (int)i == one
                                              ? OVERVIEW_AUTHORITATIVE
                                              : OVERVIEW_OTHER);
}

static void tells_which_copy_counts(void **state)
{
    struct pair p;

    (void)state;
    make_pair(&p, 10, 20);
    expect(&p, 1); /* nothing but the step */
    make_pair(&p, 20, 20);
    expect(&p, -1);
    make_pair(&p, 30, 20);
    p.runs[1].term = 2;
    expect(&p, 1); /* handed over: the term, whatever the step */
    make_pair(&p, 30, 20);
    p.runs[0].stub = true;
    p.runs[0].moved_term = 2;
    p.runs[1].term = 2;
    expect(&p, 1);
    p.runs[1].term = 1; /* an old copy; the new one is not in place yet */
    expect(&p, -1);
    make_pair(&p, 30, 40);
    p.runs[0].job = &p.job;
    expect(&p, 0); /* it trains there */
    p.runs[1].job = &p.job;
    expect(&p, -1); /* on both */
    make_pair(&p, 20, 20);
    p.runs[0].lease = LEASE_FENCE;
    expect(&p, 1);
    make_pair(&p, 20, 10);
    p.runs[1].age = -1; /* records alone */
    expect(&p, 0);
    make_pair(&p, 20, 10);
    snprintf(p.runs[1].trouble, sizeof(p.runs[1].trouble), "torn");
    expect(&p, -1);
    make_pair(&p, 20, 10);
    snprintf(p.runs[1].hash, sizeof(p.runs[1].hash), HASH2);
    overview_pair(p.list, 2);
    assert_int_equal(p.runs[0].copy, OVERVIEW_ALONE);
}

/* --- hints --------------------------------------------------------------- */

static void hints_at_what_would_gain(void **state)
{
    char name_here[] = "iris", key[] = "lab/p/a", slow[] = "a100",
         fast[] = "h100";
    struct config_speed speed[] = {{slow, 1.0}, {fast, 4.0}};
    struct config_cluster here = {.name = name_here, .max_gpus = 2};
    struct config cfg = {.cluster = name_here,
                         .clusters = &here,
                         .nclusters = 1,
                         .speed = speed,
                         .nspeed = 2,
                         .overhead = 600,
                         .min_remaining = 1800};
    struct overview_partition part = {
        .name = "main", .usual = true, .gpu = "h100", .gpus = 8, .nodes = 1};
    struct overview_job job = {
        .state = "RUNNING", .gpu = "A100", .gpus = 1, .log_step = -1};
    struct overview_run run = {.key = key,
                               .step = 0,
                               .age = 9,
                               .rate = 1,
                               .total = 36000,
                               .state = RUN_RUNNING,
                               .job = &job};
    struct overview list[2] = {{.local = true,
                                .answered = true,
                                .slurm = true,
                                .cluster = "iris",
                                .partitions = &part,
                                .npartitions = 1},
                               {.answered = true,
                                .slurm = true,
                                .cluster = "sherlock",
                                .runs = &run,
                                .n = 1}};
    struct overview_hint *hints;
    struct relay_error err;
    size_t n;

    (void)state;
#define HINTS(wanted)                                                          \
    do {                                                                       \
        assert_int_equal(overview_hints(&cfg, list, 2, &hints, &n, &err), 0);  \
        assert_int_equal(n, wanted);                                           \
        free(hints);                                                           \
    } while (0)
    assert_int_equal(overview_hints(&cfg, list, 2, &hints, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_ptr_equal(hints[0].run, &run);
    assert_non_null(strstr(hints[0].why, "7 h 20 min"));
    free(hints);
    job.gpus = 3; /* two are allowed */
    HINTS(0);
    job.gpus = 1;
    run.total = 700; /* done before a move is */
    HINTS(0);
    run.total = 36000;
    run.rate = -1;
    HINTS(0);
    snprintf(job.state, sizeof(job.state), "PENDING");
    run.state = RUN_QUEUED;
    HINTS(1);
    snprintf(part.gpu, sizeof(part.gpu), "b200"); /* of unknown speed */
    HINTS(0);
    snprintf(part.gpu, sizeof(part.gpu), "h100");
    run.copy = OVERVIEW_OTHER;
    HINTS(0);
#undef HINTS
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_runs_with_their_jobs),
        cmocka_unit_test(a_job_that_has_just_begun_is_not_stale),
        cmocka_unit_test(finds_a_job_by_its_name_when_it_is_the_only_one),
        cmocka_unit_test(a_pattern_chooses_by_name_and_hash),
        cmocka_unit_test(reads_what_gres_says),
        cmocka_unit_test(tells_which_copy_counts),
        cmocka_unit_test(hints_at_what_would_gain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
