/* What of giving a run back the journal alone decides. The source is another
 * directory of this host. */
#include "runenv.h"

#include <sysexits.h>

#include "handoff_abort.h"
#include "journal.h"

/* The journal at that state, written by run; members of the source's are
 * added. */
static void write_with(const struct run *run, enum journal_state last,
                       const char *source)
{
    static const char *const members[] = {
        [JOURNAL_STAGED] = "{\"step\": 100}",
        [JOURNAL_STOPPING] = "{\"opened_by\": \"ab\", \"step\": 100}",
        [JOURNAL_PUBLISHED] = "{\"step\": 120}",
        [JOURNAL_ABORTED] = NULL,
    };
    struct relay_error err = {0};
    struct json_object *extra;
    char opened[1200];
    struct journal j;
    int state;

    snprintf(opened, sizeof(opened),
             "{\"term\": 2, \"source\": {\"cluster\": \"here\", \"root\": "
             "\"%s/far\", \"hash\": \"%s\", \"step\": 90%s}}", temp.path,
             run->hash, source);
    assert_int_equal(journal_read(run, &j, &err), 0);
    for (state = JOURNAL_OPEN; state <= (int)last; state++) {
        const char *text = state == JOURNAL_OPEN ? opened : members[state];

        extra = text != NULL ? runenv_json(text) : NULL;
        if (journal_next(run, &j, (enum journal_state)state, extra, &err) != 0)
            fail_msg("%s", err.text);
        json_object_put(extra);
    }
    journal_free(&j);
}

static void write_to(const struct run *run, enum journal_state last)
{
    write_with(run, last, "");
}

static enum journal_state state_of(const struct run *run, bool *done)
{
    enum journal_state state;
    struct journal j;

    assert_int_equal(journal_read(run, &j, NULL), 0);
    state = j.state;
    if (done != NULL)
        *done = json_flag(json_get(j.body, "abort"), "done", false);
    journal_free(&j);
    return state;
}

static void give_back(const char *name, int code, const char *text)
{
    struct run run = runenv_open(name);
    struct relay_error err = {0};
    int rc = handoff_abort(&run, &err);

    if (code == 0 && rc != 0)
        fail_msg("%s", err.text);
    assert_int_equal(rc, code == 0 ? 0 : -1);
    if (code != 0)
        assert_int_equal(err.code, code);
    if (text != NULL && strstr(err.text, text) == NULL)
        fail_msg("no '%s' in: %s", text, err.text);
    run_close(&run);
}

static void nothing_begun_is_nothing_to_give_back(void **state)
{
    struct run run = runenv_open("none");

    (void)state;
    give_back("none", 0, NULL);
    assert_int_equal(state_of(&run, NULL), JOURNAL_NONE);
    run_close(&run);
}

static void before_the_stop_copies_and_snapshot_go(void **state)
{
    struct run run = runenv_open("staged");
    struct relay_error err = {0};
    char name[128], snap[1400];
    bool done = false;

    (void)state;
    runenv_be_dead(&run);
    write_to(&run, JOURNAL_STAGED);
    snprintf(name, sizeof(name), "staging-%s", run.nonce);
    assert_int_equal(mkdirat(run.relayfd, name, 0700), 0);
    snprintf(snap, sizeof(snap), "%s/far/.relay/%s/snap-%s", temp.path,
             run.hash, run.nonce);
    assert_int_equal(file_make_dirs(snap, 0700, &err), 0);
    give_back("staged", 0, NULL);
    assert_int_equal(state_of(&run, &done), JOURNAL_ABORTED);
    assert_true(done);
    assert_false(runenv_has(&run, name));
    assert_int_equal(access(snap, F_OK), -1);
    give_back("staged", 0, NULL);
    run_close(&run);
}

static void a_former_state_among_the_copies_is_kept(void **state)
{
    struct run run = runenv_open("kept");
    char name[128];

    (void)state;
    runenv_be_dead(&run);
    write_to(&run, JOURNAL_STAGED);
    snprintf(name, sizeof(name), "publish-%s.json", run.nonce);
    assert_int_equal(file_write(run.relayfd, name, "{}", 2, 0600, NULL), 0);
    snprintf(name, sizeof(name), "final-%s", run.nonce);
    assert_int_equal(mkdirat(run.relayfd, name, 0700), 0);
    give_back("kept", 0, NULL);
    assert_true(runenv_has(&run, name));
    run_close(&run);
}

/* Of this very process nothing can be cancelled. */
static void what_runs_outside_slurm_is_left_alone(void **state)
{
    struct run run = runenv_open("alive");

    (void)state;
    write_to(&run, JOURNAL_STAGED);
    give_back("alive", EX_NOPERM, "end it first");
    assert_int_equal(state_of(&run, NULL), JOURNAL_STAGED);
    run_close(&run);
}

/* Nobody has seen it yet, but its step has passed: it is committed. */
static void a_step_that_has_passed_is_a_commit(void **state)
{
    struct run run = runenv_open("passed");

    (void)state;
    runenv_be_dead(&run);
    write_to(&run, JOURNAL_PUBLISHED);
    runenv_state(&run, 121, NULL);
    give_back("passed", EX_NOPERM, "--handoff-from=here");
    assert_int_equal(state_of(&run, NULL), JOURNAL_COMMITTED);
    give_back("passed", EX_NOPERM, "committed");
    run_close(&run);
}

static void a_run_that_moved_on_is_not_given_back(void **state)
{
    struct run run = runenv_open("on");

    (void)state;
    runenv_be_dead(&run);
    write_to(&run, JOURNAL_PUBLISHED);
    runenv_lease(&run, "fence", 3,
                 runenv_json("{\"moved_to\": {\"cluster\": \"far\"}}"));
    give_back("on", EX_NOPERM, "--handoff-from=far");
    assert_int_equal(state_of(&run, NULL), JOURNAL_PUBLISHED);
    run_close(&run);
}

/* One file system, and a job of the other cluster has taken the run since: its
 * number is some other job's here. */
static void the_other_clusters_job_is_not_cancelled_here(void **state)
{
    struct run run;

    (void)state;
    runenv_config("handoff:\n  stop_timeout: 1\n");
    run = runenv_open("shared");
    runenv_be_dead(&run);
    write_with(&run, JOURNAL_STOPPING, ", \"shared\": true");
    snprintf(run.self.cluster, sizeof(run.self.cluster), "other");
    snprintf(run.self.job_id, sizeof(run.self.job_id), "4711");
    runenv_lease(&run, "claim", 3, NULL);
    give_back("shared", EX_NOPERM, "is other's: call this there");
    runenv_config("");
    run_close(&run);
}

static void what_the_attempt_gave_up_itself_is_over(void **state)
{
    struct run run = runenv_open("up");
    struct relay_error err = {0};

    (void)state;
    runenv_be_dead(&run);
    write_to(&run, JOURNAL_STAGED);
    assert_int_equal(journal_give_up(&run, "no room", &err), 0);
    give_back("up", 0, NULL);
    run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_begun_is_nothing_to_give_back),
        cmocka_unit_test(before_the_stop_copies_and_snapshot_go),
        cmocka_unit_test(a_former_state_among_the_copies_is_kept),
        cmocka_unit_test(what_runs_outside_slurm_is_left_alone),
        cmocka_unit_test(a_step_that_has_passed_is_a_commit),
        cmocka_unit_test(a_run_that_moved_on_is_not_given_back),
        cmocka_unit_test(the_other_clusters_job_is_not_cancelled_here),
        cmocka_unit_test(what_the_attempt_gave_up_itself_is_over),
    };

    return cmocka_run_group_tests(tests, runenv_setup, temp_teardown);
}
