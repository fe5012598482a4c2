#include "runenv.h"

#include <sysexits.h>

#include "history.h"
#include "journal.h"
#include "stage.h"

static enum stage_verdict stage(struct run *run)
{
    struct relay_error err = {0};
    enum stage_verdict verdict;
    char *env = NULL;
    size_t len;

    if (stage_in(run, &verdict, &env, &len, &err) != 0)
        fail_msg("%s", err.text);
    assert_non_null(env);
    free(env);
    return verdict;
}

static void stage_fails(struct run *run, int code, const char *text)
{
    struct relay_error err = {0};
    enum stage_verdict verdict = STAGE_RUN;
    char *env = NULL;
    size_t len;

    assert_int_equal(stage_in(run, &verdict, &env, &len, &err), -1);
    assert_null(env);
    assert_int_equal(verdict, STAGE_REFUSED);
    if (err.code != code || strstr(err.text, text) == NULL)
        fail_msg("expected %d and \"%s\", got %d: %s", code, text, err.code,
                 err.text);
}

static void check_fails(struct run *run, int code, const char *text)
{
    struct relay_error err = {0};

    assert_int_equal(stage_check(run, &err), -1);
    if (err.code != code || strstr(err.text, text) == NULL)
        fail_msg("expected %d and \"%s\", got %d: %s", code, text, err.code,
                 err.text);
}

/* The value of a variable that the body gets; NULL when it is not set. */
static char *variable(struct run *run, const char *name)
{
    struct relay_error err = {0};
    enum stage_verdict verdict;
    char *env = NULL, *value = NULL;
    size_t len, at, n = strlen(name);

    assert_int_equal(stage_in(run, &verdict, &env, &len, &err), 0);
    for (at = 0; at < len; at += strlen(env + at) + 1)
        if (strncmp(env + at, name, n) == 0 && env[at + n] == '=')
            value = strdup(env + at + n + 1);
    free(env);
    return value;
}

static void out(struct run *run, int status)
{
    struct relay_error err = {0};

    if (stage_out(run, status, 0, &err) != 0)
        fail_msg("%s", err.text);
}

/* A run of the test that has ended, as far as anybody can tell. */
static void kill_owner(struct run *run)
{
    struct json_object *extra = json_object_new_object();

    json_add_str(extra, "doing", "running");
    runenv_be_dead(run);
    runenv_lease(run, "claim", 1, extra);
}

static void add_progress(const struct run *run, int64_t step)
{
    struct json_object *extra = json_object_new_object();

    json_add_int(extra, "step", step);
    assert_int_equal(history_add(run->relayfd, run->nonce, "progress", extra,
                                 NULL), 0);
    json_object_put(extra);
}

static void a_new_run_begins_at_step_0(void **state)
{
    struct run run = runenv_open("new");
    char *step;

    (void)state;
    assert_int_equal(stage(&run), STAGE_RUN);
    step = variable(&run, "RELAY_RESUME_STEP");
    assert_null(step);
    run_close(&run);
}

static void a_state_is_resumed_also_at_step_0(void **state)
{
    struct run run = runenv_open("zero");
    char *step;

    (void)state;
    runenv_state(&run, 0, NULL);
    step = variable(&run, "RELAY_RESUME_STEP");
    assert_non_null(step);
    assert_string_equal(step, "0");
    free(step);
    run_close(&run);
}

static void a_state_without_a_step_is_run(void **state)
{
    struct run run = runenv_open("nostep");
    char name[128];
    char *step;

    (void)state;
    snprintf(name, sizeof(name), "root/%s", run.hash);
    temp_mkdir(name);
    snprintf(name, sizeof(name), "root/%s/resume_meta.json", run.hash);
    temp_text(name, "{\"run_name\": \"nostep\"}");
    assert_int_equal(stage(&run), STAGE_RUN);
    step = variable(&run, "RELAY_RESUME_STEP");
    assert_null(step);
    run_close(&run);
}

static void a_state_that_is_gone_is_missed(void **state)
{
    struct run first = runenv_open("gone"), second = runenv_open("gone");

    (void)state;
    assert_int_equal(stage(&first), STAGE_RUN);
    add_progress(&first, 1200);
    kill_owner(&first);
    stage_fails(&second, EX_DATAERR, "was at step 1200 here");
    check_fails(&second, EX_DATAERR, "was at step 1200 here");
    run_close(&first);
    run_close(&second);
}

/* What was before a reset counts no more, also when the first job after it
 * ended without a checkpoint. */
static void a_reset_lets_a_run_begin_anew_more_than_once(void **state)
{
    struct run first = runenv_open("reset"), second = runenv_open("reset");
    struct run third = runenv_open("reset");

    (void)state;
    assert_int_equal(stage(&first), STAGE_RUN);
    add_progress(&first, 1200);
    out(&first, 0);
    runenv_lease(&first, "reset", 1, NULL);
    assert_int_equal(stage(&second), STAGE_RUN);
    out(&second, 256);
    assert_int_equal(stage(&third), STAGE_RUN);
    run_close(&first);
    run_close(&second);
    run_close(&third);
}

static void a_handoff_that_was_begun_is_no_new_run(void **state)
{
    struct run first = runenv_open("begun"), second = runenv_open("begun");
    struct relay_error err = {0};
    struct json_object *extra;
    struct journal j;

    (void)state;
    extra = runenv_json("{\"source\": {\"cluster\": \"there\", \"root\": "
                        "\"/there\", \"hash\": \"x\", \"step\": 90}, "
                        "\"term\": 2}");
    assert_int_equal(journal_read(&first, &j, &err), 0);
    assert_int_equal(journal_next(&first, &j, JOURNAL_OPEN, extra, &err), 0);
    journal_free(&j);
    json_object_put(extra);
    stage_fails(&second, EX_NOPERM, "--handoff-from=there");
    check_fails(&second, EX_NOPERM, "--handoff-from=there");
    assert_int_equal(journal_give_up(&first, "test", &err), 0);
    assert_int_equal(stage(&second), STAGE_RUN);
    run_close(&first);
    run_close(&second);
}

static void a_completed_run_has_no_body(void **state)
{
    struct run run = runenv_open("complete");
    struct lease last;

    (void)state;
    runenv_state(&run, 90, ", \"completed\": true");
    assert_int_equal(stage(&run), STAGE_DONE);
    last = runenv_last(&run);
    assert_false(lease_held(&last));
    lease_free(&last);
    check_fails(&run, EX_DATAERR, "sresume reopen");
    run_close(&run);
}

static void ends_as(const char *name, int64_t step, const char *members,
                    const char *cause)
{
    struct run run = runenv_open(name);
    struct lease last;

    runenv_state(&run, 90, NULL);
    assert_int_equal(stage(&run), STAGE_RUN);
    runenv_state(&run, step, members);
    out(&run, 0);
    last = runenv_last(&run);
    assert_string_equal(json_str(last.body, "cause", ""), cause);
    lease_free(&last);
    run_close(&run);
}

static void exit_0_needs_proof(void **state)
{
    (void)state;
    ends_as("unproven", 120, NULL, "exited");
    ends_as("proven", 120, ", \"completed\": true", "completed");
}

static void a_contract_says_what_proof_is(void **state)
{
    (void)state;
    runenv_config("done: [exit0, step >= 100]\n");
    ends_as("kept", 120, NULL, "completed");
    ends_as("broken-contract", 95, ", \"completed\": true", "exited");
    runenv_config("");
}

/* A copy of old may be complete here while the run was reopened there. */
static void a_completed_copy_does_not_hinder_a_handoff(void **state)
{
    struct run run = runenv_open("elsewhere");
    struct relay_error err = {0};
    struct json_object *extra;
    struct journal j;

    (void)state;
    runenv_state(&run, 90, ", \"completed\": true");
    snprintf(run.from_cluster, sizeof(run.from_cluster), "there");
    if (stage_check(&run, &err) != 0)
        fail_msg("%s", err.text);
    extra = runenv_json("{\"source\": {\"cluster\": \"there\"}}");
    assert_int_equal(journal_read(&run, &j, &err), 0);
    assert_int_equal(journal_next(&run, &j, JOURNAL_PUBLISHED, extra, &err),
                     0);
    journal_free(&j);
    json_object_put(extra);
    check_fails(&run, EX_DATAERR, "is complete at step 90");
    run_close(&run);
}

static void a_stub_says_where_the_run_went(void **state)
{
    struct run run = runenv_open("stub");

    (void)state;
    runenv_state(&run, 90, ", \"moved_to\": {\"cluster\": \"there\", "
                           "\"term\": 2, \"time\": 1}");
    stage_fails(&run, EX_NOPERM, "--handoff-from=there");
    check_fails(&run, EX_NOPERM, "--handoff-from=there");
    run_close(&run);
}

static void a_broken_state_offers_what_was_kept(void **state)
{
    struct run first = runenv_open("broken"), second = runenv_open("broken");
    char name[128];

    (void)state;
    runenv_state(&first, 90, NULL);
    assert_int_equal(stage(&first), STAGE_RUN);
    kill_owner(&first);
    snprintf(name, sizeof(name), "root/%s/resume_meta.json", first.hash);
    assert_int_equal(unlinkat(temp.fd, name, 0), 0);
    temp_text(name, "{\"last_checkpoint_step\": 1");
    snprintf(name, sizeof(name), "verified-%s", first.nonce);
    stage_fails(&second, EX_DATAERR, name);
    run_close(&first);
    run_close(&second);
}

static void a_twin_is_refused_and_leaves_no_record(void **state)
{
    struct run first = runenv_open("twins"), second = runenv_open("twins");
    struct lease last;

    (void)state;
    runenv_state(&first, 90, NULL);
    assert_int_equal(stage(&first), STAGE_RUN);
    stage_fails(&second, EX_NOPERM, "does not run twice");
    last = runenv_last(&first);
    assert_string_equal(last.owner.nonce, first.nonce);
    assert_true(lease_held(&last));
    lease_free(&last);
    run_close(&first);
    run_close(&second);
}

/* Its watcher saw that the training began anew; then its node died. */
static void a_dead_job_s_lost_state_is_put_back(void **state)
{
    struct run first = runenv_open("lost"), second = runenv_open("lost");
    struct relay_error err = {0};
    char *step;

    (void)state;
    runenv_state(&first, 5000, NULL);
    assert_int_equal(stage(&first), STAGE_RUN);
    runenv_state(&first, 10, ", \"completed\": true");
    assert_int_equal(run_flag_lost(&first, &err), 0);
    kill_owner(&first);
    step = variable(&second, "RELAY_RESUME_STEP");
    assert_non_null(step);
    assert_string_equal(step, "5000");
    free(step);
    assert_int_equal(runenv_step(&second), 5000);
    run_close(&first);
    run_close(&second);
}

static void stage_in_again_is_the_same_run(void **state)
{
    struct run run = runenv_open("again");
    struct lease last;

    (void)state;
    runenv_state(&run, 90, NULL);
    assert_int_equal(stage(&run), STAGE_RUN);
    runenv_state(&run, 95, NULL);
    assert_int_equal(stage(&run), STAGE_RUN);
    last = runenv_last(&run);
    assert_true(lease_held(&last));
    assert_int_equal(last.step, 95);
    lease_free(&last);
    out(&run, 256);
    last = runenv_last(&run);
    assert_int_equal(last.kind, LEASE_RELEASE);
    assert_int_equal(last.step, 95);
    lease_free(&last);
    run_close(&run);
}

static void an_old_run_s_end_touches_nothing_of_the_new(void **state)
{
    struct run old = runenv_open("late"), new = runenv_open("late");
    struct lease before, after;

    (void)state;
    runenv_state(&old, 90, NULL);
    assert_int_equal(stage(&old), STAGE_RUN);
    kill_owner(&old);
    assert_int_equal(stage(&new), STAGE_RUN);
    before = runenv_last(&new);
    out(&old, 0);
    after = runenv_last(&new);
    assert_int_equal(after.gen, before.gen);
    lease_free(&before);
    lease_free(&after);
    run_close(&old);
    run_close(&new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_run_begins_at_step_0),
        cmocka_unit_test(a_state_is_resumed_also_at_step_0),
        cmocka_unit_test(a_state_without_a_step_is_run),
        cmocka_unit_test(a_state_that_is_gone_is_missed),
        cmocka_unit_test(a_reset_lets_a_run_begin_anew_more_than_once),
        cmocka_unit_test(a_handoff_that_was_begun_is_no_new_run),
        cmocka_unit_test(a_completed_run_has_no_body),
        cmocka_unit_test(exit_0_needs_proof),
        cmocka_unit_test(a_contract_says_what_proof_is),
        cmocka_unit_test(a_completed_copy_does_not_hinder_a_handoff),
        cmocka_unit_test(a_stub_says_where_the_run_went),
        cmocka_unit_test(a_broken_state_offers_what_was_kept),
        cmocka_unit_test(a_twin_is_refused_and_leaves_no_record),
        cmocka_unit_test(a_dead_job_s_lost_state_is_put_back),
        cmocka_unit_test(stage_in_again_is_the_same_run),
        cmocka_unit_test(an_old_run_s_end_touches_nothing_of_the_new),
    };

    return cmocka_run_group_tests(tests, runenv_setup, temp_teardown);
}
