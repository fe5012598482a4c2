/* The state of a run: by rule, and from a directory. */
#include "tempdir.h"

#include <json-c/json.h>

#include "file.h"
#include "jobs.h"
#include "jsonfile.h"
#include "report.h"

static const struct {
    const char *name;
    struct report_facts facts;
    enum run_state state;
} rules[] = {
    {"nothing at all", {.lease = LEASE_NONE, .cause = ""}, RUN_NEW},
    {"a state nobody of ours wrote",
     {.has_state = true, .cause = ""},
     RUN_UNKNOWN},
    {"a job of that name runs",
     {.has_state = true, .named = SEEN_RUNNING, .cause = ""},
     RUN_RUNNING},
    {"a job of that name waits",
     {.has_state = true, .named = SEEN_PENDING, .cause = ""},
     RUN_QUEUED},
    {"completed", {.has_state = true, .completed = true, .cause = ""},
     RUN_COMPLETED},
    {"running", {.lease = LEASE_CLAIM, .owner = SEEN_RUNNING, .cause = ""},
     RUN_RUNNING},
    {"completed, but its job runs on",
     {.lease = LEASE_CLAIM, .owner = SEEN_RUNNING, .completed = true,
      .cause = ""},
     RUN_RUNNING},
    {"a handoff to here goes on",
     {.lease = LEASE_CLAIM, .owner = SEEN_RUNNING, .moving = true,
      .in_flight = true, .cause = ""},
     RUN_MOVING},
    {"its owner was requeued",
     {.lease = LEASE_CLAIM, .owner = SEEN_PENDING, .cause = ""},
     RUN_QUEUED},
    {"one absence proves nothing",
     {.lease = LEASE_CLAIM, .owner = SEEN_GONE, .cause = ""},
     RUN_UNKNOWN},
    {"an owner nobody can ask",
     {.lease = LEASE_CLAIM, .owner = SEEN_UNKNOWN, .cause = ""},
     RUN_UNKNOWN},
    {"a process that died",
     {.lease = LEASE_CLAIM, .owner = SEEN_DEAD, .cause = ""},
     RUN_ENDED},
    {"source stopped, target gone",
     {.lease = LEASE_CLAIM, .owner = SEEN_GONE, .moving = true,
      .in_flight = true, .cause = ""},
     RUN_STRANDED},
    {"source stopped, target released",
     {.lease = LEASE_RELEASE, .in_flight = true, .cause = "cancelled"},
     RUN_STRANDED},
    {"reinstated after an undone fence",
     {.lease = LEASE_REINSTATE, .owner = SEEN_RUNNING, .cause = ""},
     RUN_RUNNING},
    {"reinstated without an owner",
     {.lease = LEASE_REINSTATE, .has_state = true, .cause = ""},
     RUN_UNKNOWN},
    {"fenced, its job still runs",
     {.lease = LEASE_FENCE, .fenced = SEEN_RUNNING, .has_state = true,
      .cause = ""},
     RUN_MOVING},
    {"fenced a moment ago",
     {.lease = LEASE_FENCE, .fenced = SEEN_GONE, .fence_young = true,
      .has_state = true, .cause = ""},
     RUN_MOVING},
    {"fenced, nobody runs, nothing moved",
     {.lease = LEASE_FENCE, .fenced = SEEN_GONE, .has_state = true,
      .cause = ""},
     RUN_STRANDED},
    {"moved away",
     {.lease = LEASE_FENCE, .fenced = SEEN_GONE, .stub = true, .cause = ""},
     RUN_MOVED},
    {"a stub without records of ours", {.stub = true, .has_state = true,
                                        .cause = ""}, RUN_MOVED},
    {"failed", {.lease = LEASE_RELEASE, .has_state = true, .cause = "failed"},
     RUN_FAILED},
    {"out of memory",
     {.lease = LEASE_RELEASE, .has_state = true, .cause = "out_of_memory"},
     RUN_FAILED},
    {"cancelled",
     {.lease = LEASE_RELEASE, .has_state = true, .cause = "cancelled"},
     RUN_ENDED},
    {"exit 0 without proof",
     {.lease = LEASE_RELEASE, .has_state = true, .cause = "exited"},
     RUN_ENDED},
    {"released, and a follower waits",
     {.lease = LEASE_RELEASE, .has_state = true, .cause = "timeout",
      .named = SEEN_PENDING},
     RUN_QUEUED},
    {"reset", {.lease = LEASE_RESET, .cause = ""}, RUN_NEW},
    {"reopened", {.lease = LEASE_REOPEN, .has_state = true, .cause = ""},
     RUN_ENDED},
    {"unlocked", {.lease = LEASE_UNLOCK, .has_state = true, .cause = ""},
     RUN_ENDED},
};

static void states_follow_their_rules(void **unused)
{
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        enum run_state state = report_state(&rules[i].facts);

        if (state != rules[i].state)
            fail_msg("%s: %s, not %s", rules[i].name, run_state_name(state),
                     run_state_name(rules[i].state));
    }
}

/* ---- squeue's lines --------------------------------------------------- */

static void squeue_is_read(void **unused)
{
    char text[] = "71|RUNNING|train\n72_7|PENDING|a|b\n70|RUNNING|twin\n"
                  "69|PENDING|twin\nrubbish\n\n";
    struct job_list list;

    (void)unused;
    assert_int_equal(jobs_parse(text, &list), 0);
    assert_int_equal(list.n, 4);
    assert_string_equal(jobs_find(&list, "72_7")->state, "PENDING");
    assert_string_equal(jobs_find(&list, "72_7")->name, "a|b");
    assert_null(jobs_find(&list, "72"));
    assert_null(jobs_find(&list, "7"));
    assert_string_equal(jobs_named(&list, "train")->id, "71");
    assert_null(jobs_named(&list, "twin")); /* two: not the one */
    assert_null(jobs_named(&list, "trai"));
    jobs_free(&list);
}

static void an_empty_queue_is_read(void **unused)
{
    char text[] = "";
    struct job_list list;

    (void)unused;
    assert_int_equal(jobs_parse(text, &list), 0);
    assert_null(jobs_find(&list, "1"));
    assert_null(jobs_named(&list, ""));
    jobs_free(&list);
}

/* ---- from a directory ------------------------------------------------- */

#define OWNER                                                                 \
    "\"owner\": {\"cluster\": \"iris\", \"user\": \"ada\", \"job_id\": "      \
    "\"71\", \"host\": \"n1\"}"

/* A run of a test's own: 40 times that digit. */
static const char *hash_of(char digit)
{
    static char hash[41];

    memset(hash, digit, 40);
    return hash;
}

/* Writes the record NAME (SERIES.GEN) of that run; members are what it says
 * beside the usual. */
static void put(char digit, const char *series, int gen, const char *members)
{
    struct relay_error err = {0};
    char path[700];
    char text[1000];

    snprintf(path, sizeof(path), "%s/.relay/%s", temp.path, hash_of(digit));
    if (file_make_dirs(path, 0700, &err) != 0)
        fail_msg("%s", err.text);
    snprintf(path, sizeof(path), ".relay/%s/%s.%d", hash_of(digit), series,
             gen);
    snprintf(text, sizeof(text),
             "{\"format\": 1, \"series\": \"%s\", \"gen\": %d, \"term\": 1, "
             "\"nonce\": \"n\", \"seq\": %d, \"time\": 1, %s}",
             series, gen, gen, members);
    if (file_write(temp.fd, path, text, strlen(text), 0644, &err) != 0)
        fail_msg("%s", err.text);
}

static struct report report_with(char digit, const char *queue)
{
    struct run_entry entry = {.step = 12, .mtime = 1};
    struct job_list jobs;
    struct report report;
    char text[256];

    snprintf(entry.hash, sizeof(entry.hash), "%s", hash_of(digit));
    snprintf(text, sizeof(text), "%s", queue);
    assert_int_equal(jobs_parse(text, &jobs), 0);
    jobs.answered = true;
    report_one(temp.fd, &entry, "iris", &jobs, &report);
    jobs_free(&jobs);
    return report;
}

static void a_claim_is_looked_for_in_the_queue(void **unused)
{
    static const struct {
        const char *queue;
        enum run_state state;
    } rows[] = {
        {"71|RUNNING|x\n", RUN_RUNNING},
        {"71|PENDING|x\n", RUN_QUEUED},
        {"72|RUNNING|x\n", RUN_UNKNOWN},
    };
    struct report report;
    size_t i;

    (void)unused;
    put('1', "run", 1, "\"kind\": \"claim\", \"doing\": \"running\", " OWNER);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        report = report_with('1', rows[i].queue);
        assert_true(report.records);
        assert_int_equal(report.state, rows[i].state);
        assert_non_null(strstr(report.owner, "71"));
        report_free(&report);
    }
}

static void a_release_tells_its_cause(void **unused)
{
    struct json_object *obj;
    struct report report;

    (void)unused;
    put('2', "run", 1, "\"kind\": \"claim\", " OWNER);
    put('2', "run", 2,
        "\"kind\": \"release\", \"cause\": \"out_of_memory\", " OWNER);
    report = report_with('2', "");
    assert_int_equal(report.state, RUN_FAILED);
    assert_string_equal(report.cause, "out_of_memory");
    obj = report_json(&report);
    assert_string_equal(json_str(obj, "state", ""), "failed");
    assert_int_equal(json_int(obj, "generation", 0), 2);
    assert_null(json_get(obj, "moved_to"));
    json_object_put(obj);
    report_free(&report);
}

static void a_handoff_cut_off_is_stranded(void **unused)
{
    struct report report;

    (void)unused;
    put('3', "run", 1,
        "\"kind\": \"release\", \"cause\": \"cancelled\", " OWNER);
    put('3', "handoff", 1, "\"kind\": \"STOPPING\", " OWNER);
    report = report_with('3', "");
    assert_int_equal(report.state, RUN_STRANDED);
    assert_string_equal(report.journal, "STOPPING");
    report_free(&report);
}

static void a_broken_record_is_trouble_not_an_end(void **unused)
{
    struct report report;

    (void)unused;
    put('4', "run", 1, "torn");
    report = report_with('4', "");
    assert_int_equal(report.state, RUN_UNKNOWN);
    assert_non_null(strstr(report.trouble, "run.1"));
    report_free(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_follow_their_rules),
        cmocka_unit_test(squeue_is_read),
        cmocka_unit_test(an_empty_queue_is_read),
        cmocka_unit_test(a_claim_is_looked_for_in_the_queue),
        cmocka_unit_test(a_release_tells_its_cause),
        cmocka_unit_test(a_handoff_cut_off_is_stranded),
        cmocka_unit_test(a_broken_record_is_trouble_not_an_end),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
