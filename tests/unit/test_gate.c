#include "runenv.h"

#include <sysexits.h>

#include "gate.h"
#include "history.h"

static void claim_fails(struct run *run, const struct gate_claim *want,
                        const char *text)
{
    struct relay_error err = {0};
    struct lease lease;

    assert_int_equal(gate_claim(run, want, &lease, &err), -1);
    assert_int_equal(err.code, EX_NOPERM);
    if (strstr(err.text, text) == NULL)
        fail_msg("no \"%s\" in: %s", text, err.text);
}

static struct lease claim(struct run *run, const struct gate_claim *want)
{
    struct relay_error err = {0};
    struct lease lease;

    if (gate_claim(run, want, &lease, &err) != 0)
        fail_msg("%s", err.text);
    return lease;
}

static void the_first_claim_begins_at_term_1(void **state)
{
    const struct gate_claim want = {.step = -1};
    struct run run = runenv_open("first");
    struct lease lease = claim(&run, &want);

    (void)state;
    assert_int_equal(lease.gen, 1);
    assert_int_equal(lease.term, 1);
    assert_int_equal(lease.kind, LEASE_CLAIM);
    assert_false(lease.moving);
    assert_int_equal(lease.step, -1);
    assert_string_equal(lease.owner.nonce, run.nonce);
    lease_free(&lease);
    run_close(&run);
}

static void a_twin_is_refused_while_the_owner_lives(void **state)
{
    const struct gate_claim want = {.step = 5};
    struct run first = runenv_open("twin"), second = runenv_open("twin");
    struct lease lease = claim(&first, &want);

    (void)state;
    lease_free(&lease);
    claim_fails(&second, &want, "does not run twice");
    lease = runenv_last(&second);
    assert_int_equal(lease.gen, 1);
    lease_free(&lease);
    run_close(&first);
    run_close(&second);
}

static void a_dead_owner_is_followed(void **state)
{
    const struct gate_claim want = {.step = 5};
    struct run first = runenv_open("dead"), second = runenv_open("dead");
    struct lease lease;

    (void)state;
    runenv_be_dead(&first);
    lease = claim(&first, &want);
    lease_free(&lease);
    lease = claim(&second, &want);
    assert_int_equal(lease.gen, 2);
    assert_string_equal(lease.owner.nonce, second.nonce);
    lease_free(&lease);
    run_close(&first);
    run_close(&second);
}

static void the_same_run_steps_on(void **state)
{
    struct gate_claim want = {.moving = true, .step = -1};
    struct run run = runenv_open("stepson");
    struct lease lease = claim(&run, &want);

    (void)state;
    assert_true(lease.moving);
    lease_free(&lease);
    want = (struct gate_claim){.term = 4, .step = 70};
    lease = claim(&run, &want);
    assert_int_equal(lease.gen, 2);
    assert_false(lease.moving);
    assert_int_equal(lease.term, 4);
    assert_int_equal(lease.step, 70);
    lease_free(&lease);
    run_close(&run);
}

static void a_term_never_falls(void **state)
{
    struct gate_claim want = {.term = 6, .step = 1};
    struct run run = runenv_open("term");
    struct lease lease = claim(&run, &want);

    (void)state;
    lease_free(&lease);
    want.term = 2;
    lease = claim(&run, &want);
    assert_int_equal(lease.term, 6);
    lease_free(&lease);
    run_close(&run);
}

static void a_fence_says_where_the_run_went(void **state)
{
    struct gate_claim want = {.step = -1};
    struct run run = runenv_open("fence");
    struct lease lease;

    (void)state;
    runenv_lease(&run, "fence", 2,
                 runenv_json("{\"moved_to\": {\"cluster\": \"there\", "
                             "\"job_id\": \"88\"}}"));
    claim_fails(&run, &want, "it moved to there (job 88)");
    claim_fails(&run, &want, "--handoff-from=there");
    want.back_from = "elsewhere";
    claim_fails(&run, &want, "it moved to there");
    want.back_from = "there";
    lease = claim(&run, &want);
    assert_int_equal(lease.gen, 2);
    assert_int_equal(lease.term, 2);
    lease_free(&lease);
    run_close(&run);
}

/* An owner that nobody here can look for: a process of another host. */
static struct run unknown_owner(const char *name)
{
    const struct gate_claim want = {.step = 9};
    struct run run = runenv_open(name);
    struct lease lease;

    snprintf(run.self.host, sizeof(run.self.host), "far.invalid");
    lease = claim(&run, &want);
    lease_free(&lease);
    return run;
}

static void an_unknown_owner_needs_a_person(void **state)
{
    const struct gate_claim want = {.step = 9};
    struct run first = unknown_owner("unknown");
    struct run second = runenv_open("unknown");

    (void)state;
    claim_fails(&second, &want, "sresume unlock lab/unit/unknown --gen 1");
    run_close(&first);
    run_close(&second);
}

static void make_old(const struct run *run, const char *file)
{
    const struct timespec times[2] = {{.tv_sec = 1000000},
                                      {.tv_sec = 1000000}};
    char name[256];

    snprintf(name, sizeof(name), "root/%s%s%s", run->hash,
             file[0] != '\0' ? "/" : "", file);
    assert_int_equal(utimensat(temp.fd, name, times, 0), 0);
}

static void takeover_quiet_waits_for_meta_and_state(void **state)
{
    const struct gate_claim want = {.step = 9};
    struct run first, second;
    struct lease lease;
    char name[256];

    (void)state;
    runenv_config("takeover_quiet: 1h\n");
    first = unknown_owner("quiet");
    second = runenv_open("quiet");
    runenv_state(&first, 9, NULL);
    snprintf(name, sizeof(name), "root/%s/resume_state.bin", first.hash);
    temp_text(name, "weights");
    make_old(&first, "resume_meta.json");
    make_old(&first, "");
    claim_fails(&second, &want, "may be running");
    make_old(&first, "resume_state.bin");
    make_old(&first, "");
    lease = claim(&second, &want);
    assert_int_equal(lease.gen, 2);
    lease_free(&lease);
    run_close(&first);
    run_close(&second);
    runenv_config("");
}

static void add_progress(const struct run *run, int64_t step, int64_t age)
{
    struct json_object *extra = json_object_new_object();

    json_add_int(extra, "step", step);
    json_add_int(extra, "age", age);
    assert_int_equal(history_add(run->relayfd, run->nonce, "progress", extra,
                                 NULL), 0);
    json_object_put(extra);
}

static void takeover_quiet_auto_is_two_intervals(void **state)
{
    const struct gate_claim want = {.step = 9};
    struct run first, second;
    struct lease lease;

    (void)state;
    runenv_config("takeover_quiet: auto\n");
    first = unknown_owner("auto");
    second = runenv_open("auto");
    runenv_state(&first, 9, NULL);
    make_old(&first, "resume_meta.json");
    make_old(&first, "");
    claim_fails(&second, &want, "may be running"); /* no interval is known */
    add_progress(&first, 1, 1000);
    add_progress(&first, 2, 400);
    lease = claim(&second, &want);
    assert_int_equal(lease.gen, 2);
    lease_free(&lease);
    run_close(&first);
    run_close(&second);
    runenv_config("");
}

static void a_quick_look_knows_the_living_and_the_dead(void **state)
{
    const struct gate_claim want = {.step = 9};
    struct run run = runenv_open("quick"), dead = runenv_open("quickdead");
    struct gate_holder holder;
    struct lease lease = claim(&run, &want);

    (void)state;
    assert_int_equal(gate_look_quickly(&run, &lease, &holder), 0);
    assert_true(holder.alive);
    lease_free(&lease);
    runenv_be_dead(&dead);
    lease = claim(&dead, &want);
    assert_int_equal(gate_look_quickly(&dead, &lease, &holder), 1);
    lease_free(&lease);
    run_close(&run);
    run_close(&dead);
}

static void only_the_holder_releases(void **state)
{
    const struct gate_claim want = {.step = 9};
    struct run first = runenv_open("release");
    struct run second = runenv_open("release");
    struct relay_error err = {0};
    struct lease lease;

    (void)state;
    lease = claim(&first, &want);
    lease_free(&lease);
    assert_int_equal(gate_release(&second, 0, "completed", 9, &err), 0);
    lease = runenv_last(&first);
    assert_int_equal(lease.kind, LEASE_CLAIM);
    lease_free(&lease);
    assert_int_equal(gate_release(&first, 256, "failed", 11, &err), 0);
    lease = runenv_last(&first);
    assert_int_equal(lease.kind, LEASE_RELEASE);
    assert_int_equal(lease.step, 11);
    assert_string_equal(json_str(lease.body, "cause", ""), "failed");
    assert_int_equal(json_int(lease.body, "status", -1), 256);
    lease_free(&lease);
    /* Again, as a second epilog would: nothing is added. */
    assert_int_equal(gate_release(&first, 0, "completed", 9, &err), 0);
    lease = runenv_last(&first);
    assert_int_equal(lease.gen, 2);
    lease_free(&lease);
    run_close(&first);
    run_close(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_claim_begins_at_term_1),
        cmocka_unit_test(a_twin_is_refused_while_the_owner_lives),
        cmocka_unit_test(a_dead_owner_is_followed),
        cmocka_unit_test(the_same_run_steps_on),
        cmocka_unit_test(a_term_never_falls),
        cmocka_unit_test(a_fence_says_where_the_run_went),
        cmocka_unit_test(an_unknown_owner_needs_a_person),
        cmocka_unit_test(takeover_quiet_waits_for_meta_and_state),
        cmocka_unit_test(takeover_quiet_auto_is_two_intervals),
        cmocka_unit_test(a_quick_look_knows_the_living_and_the_dead),
        cmocka_unit_test(only_the_holder_releases),
    };

    return cmocka_run_group_tests(tests, runenv_setup, temp_teardown);
}
