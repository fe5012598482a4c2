/* Why a run ended: each end is what it was, and nothing is done by itself. */
#include "tempdir.h"

#include <json-c/json.h>

#include "cause.h"
#include "file.h"
#include "history.h"
#include "jsonfile.h"

#define EXITED(code) ((code) << 8)
#define NO_SACCT ""

struct judged {
    const char *name;
    int status; /* raw wait status; -1 unknown */
    enum proof proof;
    const char *squeue; /* state there, NULL: not in the queue */
    const char *sacct;
    int64_t restarts;
    int64_t submit;
    const char *cause;
};

/* The owner: restart 0, submitted at 1000. */
static const struct judged in_slurm[] = {
    {"success with proof", 0, PROOF_DONE, NULL, "COMPLETED", 0, 1000,
     "completed"},
    {"success without proof", 0, PROOF_NONE, NULL, "COMPLETED", 0, 1000,
     "exited"},
    {"exit 0, but its own word is no", 0, PROOF_REFUTED, NULL, "COMPLETED", 0,
     1000, "exited"},
    {"exit 3", EXITED(3), PROOF_NONE, NULL, "FAILED", 0, 1000, "failed"},
    {"the body failed, the script did not", EXITED(1), PROOF_DONE, NULL,
     "COMPLETED", 0, 1000, "failed"},
    {"scancel", 15, PROOF_NONE, NULL, "CANCELLED by 1000", 0, 1000,
     "cancelled"},
    {"scancel, TERM trapped, exit 0", 0, PROOF_NONE, NULL,
     "CANCELLED by 1000", 0, 1000, "cancelled"},
    {"scancel, trapped, and the state says done", 0, PROOF_DONE, NULL,
     "CANCELLED", 0, 1000, "cancelled"},
    {"time limit", 15, PROOF_NONE, NULL, "TIMEOUT", 0, 1000, "timeout"},
    {"time limit, trapped", 0, PROOF_DONE, NULL, "TIMEOUT", 0, 1000,
     "timeout"},
    {"preempted", 15, PROOF_NONE, NULL, "PREEMPTED", 0, 1000, "preempted"},
    {"node failure", -1, PROOF_NONE, NULL, "NODE_FAIL", 0, 1000,
     "node_fail"},
    {"out of memory", 9, PROOF_NONE, NULL, "OUT_OF_MEMORY", 0, 1000,
     "out_of_memory"},
    {"requeued, waiting", 15, PROOF_NONE, "PENDING", NO_SACCT, 1, 1500,
     "requeued"},
    {"requeued, running again", 15, PROOF_NONE, "RUNNING", NO_SACCT, 1, 1500,
     "requeued"},
    {"requeued, and the later run completed", 0, PROOF_DONE, NULL,
     "COMPLETED", 0, 1500, "requeued"},
    {"trapped, exit 0, requeued", 0, PROOF_DONE, "PENDING", "REQUEUED", 0,
     1000, "requeued"},
    {"still in the queue", 0, PROOF_DONE, "RUNNING", NO_SACCT, 0, 1000,
     "unresolved"},
    {"no accounting, gone", 0, PROOF_DONE, NULL, NO_SACCT, 0, 0,
     "unresolved"},
    {"a state we do not know", 0, PROOF_DONE, NULL, "STRANGE", 0, 1000,
     "unresolved"},
    {"completed, body's end unknown", -1, PROOF_DONE, NULL, "COMPLETED", 0,
     1000, "exited"},
};

static void each_end_is_what_it_was(void **unused)
{
    struct owner own = {.job_id = "71", .submit = 1000};
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof(in_slurm) / sizeof(in_slurm[0]); i++) {
        const struct judged *j = &in_slurm[i];
        struct job_facts facts = {.squeue_answered = true,
                                  .sacct_answered = true,
                                  .restarts = j->restarts,
                                  .submit = j->submit};
        const char *cause;

        facts.in_squeue = j->squeue != NULL;
        facts.in_sacct = j->sacct[0] != '\0';
        snprintf(facts.sacct_state, sizeof(facts.sacct_state), "%s",
                 j->sacct);
        snprintf(facts.state, sizeof(facts.state), "%s",
                 j->squeue != NULL ? j->squeue : j->sacct);
        cause = cause_judge(&own, j->status, &facts, j->proof);
        if (strcmp(cause, j->cause) != 0)
            fail_msg("%s: %s, not %s", j->name, cause, j->cause);
    }
}

static void a_completing_job_has_not_ended(void **unused)
{
    struct owner own = {.job_id = "71"};
    struct job_facts facts = {.in_squeue = true,
                              .completing = true,
                              .state = "COMPLETED"};

    (void)unused;
    assert_string_equal(cause_judge(&own, 0, &facts, PROOF_DONE),
                        "unresolved");
    assert_string_equal(cause_judge(&own, 0, NULL, PROOF_DONE), "unresolved");
}

static void outside_slurm_the_status_tells(void **unused)
{
    static const struct {
        int status;
        enum proof proof;
        const char *cause;
    } rows[] = {
        {0, PROOF_DONE, "completed"},   {0, PROOF_NONE, "exited"},
        {0, PROOF_REFUTED, "exited"},   {EXITED(3), PROOF_DONE, "failed"},
        {15, PROOF_NONE, "cancelled"},  {2, PROOF_NONE, "cancelled"},
        {11, PROOF_NONE, "failed"},     {9, PROOF_NONE, "failed"},
        {-1, PROOF_DONE, "unresolved"},
    };
    struct owner own = {.pid = 1};
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(cause_judge(&own, rows[i].status, NULL,
                                        rows[i].proof),
                            rows[i].cause);
}

/* ---- proof ------------------------------------------------------------ */

static enum proof proof_of(const char *meta_text, const char *summary)
{
    struct relay_error err = {0};
    struct meta meta;
    size_t before = strcspn(meta_text, "@");
    char text[1200];
    enum proof proof;

    /* An @ stands for the run's directory. */
    snprintf(text, sizeof(text), "%.*s%s%s", (int)before, meta_text,
             meta_text[before] == '@' ? temp.path : "",
             meta_text + before + (meta_text[before] == '@'));
    if (summary != NULL)
        assert_int_equal(file_write(temp.fd, "summary.json", summary,
                                    strlen(summary), 0644, &err),
                         0);
    else
        (void)unlinkat(temp.fd, "summary.json", 0);
    assert_int_equal(meta_parse(text, strlen(text), "meta", &meta, &err), 0);
    proof = cause_proof(&meta);
    meta_free(&meta);
    return proof;
}

static void proof_is_said_and_not_denied(void **unused)
{
    (void)unused;
    assert_int_equal(proof_of("{\"completed\": true}", NULL), PROOF_DONE);
    assert_int_equal(proof_of("{\"completed\": false}", NULL),
                     PROOF_REFUTED);
    assert_int_equal(proof_of("{}", NULL), PROOF_NONE);
    assert_int_equal(proof_of("{\"run_dir\": \"@\"}", "{\"ok\": true}"),
                     PROOF_DONE);
    assert_int_equal(proof_of("{\"run_dir\": \"@\"}", "{\"loss\": 1}"),
                     PROOF_NONE);
    assert_int_equal(proof_of("{\"run_dir\": \"@\"}", "{\"ok\": \"yes\"}"),
                     PROOF_NONE);
    assert_int_equal(proof_of("{\"run_dir\": \"@\"}", "torn {"), PROOF_NONE);
    assert_int_equal(proof_of("{\"completed\": true, \"run_dir\": \"@\"}",
                              "{\"ok\": false}"),
                     PROOF_REFUTED);
    assert_int_equal(proof_of("{\"completed\": false, \"run_dir\": \"@\"}",
                              "{\"ok\": true}"),
                     PROOF_REFUTED);
}

/* ---- what was recorded ------------------------------------------------ */

static struct lease release_of(const char *nonce, const char *cause)
{
    struct lease lease = {.gen = 2, .kind = LEASE_RELEASE};

    snprintf(lease.owner.nonce, sizeof(lease.owner.nonce), "%s", nonce);
    lease.body = json_object_new_object();
    json_add_str(lease.body, "cause", cause);
    return lease;
}

static void a_later_reader_s_finding_counts(void **unused)
{
    struct lease lease = release_of("aaaa", "unresolved");
    struct json_object *extra = json_object_new_object();
    struct json_object *events;
    struct relay_error err = {0};

    (void)unused;
    json_add_str(extra, "of", "bbbb");
    json_add_str(extra, "cause", "timeout");
    assert_int_equal(history_add(temp.fd, "cccc", "cause", extra, &err), 0);
    events = history_read(temp.fd, &err);
    assert_non_null(events);
    assert_string_equal(cause_recorded(&lease, events), "unresolved");
    json_object_put(events);

    json_add_str(extra, "of", "aaaa");
    json_add_str(extra, "cause", "cancelled");
    assert_int_equal(history_add(temp.fd, "cccc", "cause", extra, &err), 0);
    events = history_read(temp.fd, &err);
    assert_string_equal(cause_recorded(&lease, events), "cancelled");
    json_object_put(events);
    json_object_put(extra);
    lease_free(&lease);
}

static void the_record_s_own_word_is_first(void **unused)
{
    struct lease lease = release_of("aaaa", "refused");

    (void)unused;
    assert_string_equal(cause_recorded(&lease, NULL), "refused");
    lease_free(&lease);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_end_is_what_it_was),
        cmocka_unit_test(a_completing_job_has_not_ended),
        cmocka_unit_test(outside_slurm_the_status_tells),
        cmocka_unit_test(proof_is_said_and_not_denied),
        cmocka_unit_test(a_later_reader_s_finding_counts),
        cmocka_unit_test(the_record_s_own_word_is_first),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
