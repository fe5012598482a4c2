#include "runenv.h"

#include <sysexits.h>

#include "history.h"
#include "stage.h"
#include "wrongkey.h"

/* A run that stage-in let go; its process is gone, so that nobody is hit. */
static struct run started(const char *name, int64_t step)
{
    struct run run = runenv_open(name);
    struct relay_error err = {0};
    enum stage_verdict verdict;
    char *env = NULL;
    size_t len;

    runenv_be_dead(&run);
    if (step >= 0)
        runenv_state(&run, step, NULL);
    if (stage_in(&run, &verdict, &env, &len, &err) != 0)
        fail_msg("%s", err.text);
    free(env);
    return run;
}

/* Watches a body that has ended by now: two looks. */
static void watch(struct run *run)
{
    struct relay_error err = {0};
    int life[2];

    assert_int_equal(pipe(life), 0);
    close(life[1]);
    assert_int_equal(stage_watch(run, life[0], &err), 0);
    close(life[0]);
}

/* How often the event is in the run's history; *step is the last one's. */
static int count(const struct run *run, const char *event, int64_t *step)
{
    struct json_object *events = history_read_of(run->relayfd, run->nonce,
                                                 NULL);
    struct json_object *one;
    int n = 0;
    size_t i;

    assert_non_null(events);
    for (i = 0; i < json_object_array_length(events); i++) {
        one = json_object_array_get_idx(events, i);
        if (strcmp(json_str(one, "event", ""), event) != 0)
            continue;
        n++;
        *step = json_int(one, "step", -1);
    }
    json_object_put(events);
    return n;
}

static void a_later_checkpoint_is_progress_and_proof(void **state)
{
    struct run run = started("progress", 500);
    int64_t step = -1;

    (void)state;
    runenv_state(&run, 600, NULL);
    watch(&run);
    assert_int_equal(count(&run, "progress", &step), 1);
    assert_int_equal(step, 600);
    assert_int_equal(count(&run, "resumed", &step), 1);
    assert_int_equal(count(&run, "lost_state", &step), 0);
    run_close(&run);
}

static void the_end_is_recorded_once(void **state)
{
    struct run run = started("ended", 500);
    int64_t step = -1;

    (void)state;
    runenv_state(&run, 600, ", \"completed\": true");
    watch(&run);
    assert_int_equal(count(&run, "progress", &step), 1);
    run_close(&run);
}

static void an_earlier_step_is_a_lost_state(void **state)
{
    struct run run = started("lost", 500);
    struct relay_error err = {0};
    int64_t step = -1;

    (void)state;
    runenv_state(&run, 20, NULL);
    watch(&run);
    assert_int_equal(count(&run, "lost_state", &step), 1);
    assert_int_equal(step, 20);
    assert_int_equal(count(&run, "progress", &step), 0);
    assert_int_equal(stage_out(&run, 15, 0, &err), 0);
    assert_int_equal(runenv_step(&run), 500);
    run_close(&run);
}

static void a_run_that_began_anew_has_nothing_to_lose(void **state)
{
    struct run run = started("fresh", -1);
    int64_t step = -1;

    (void)state;
    runenv_state(&run, 20, NULL);
    watch(&run);
    assert_int_equal(count(&run, "progress", &step), 1);
    assert_int_equal(count(&run, "resumed", &step), 0);
    run_close(&run);
}

static void printed(struct run *run, const char *text)
{
    temp_text("output", text);
    temp_join("output", run->out_path, sizeof(run->out_path));
    run->out_from = 0;
}

static void the_output_proves_that_it_resumed(void **state)
{
    struct run run = started("log", 500);
    int64_t step = -1;

    (void)state;
    printed(&run, "Resuming from step 500\nstep: 501\n");
    watch(&run);
    assert_int_equal(count(&run, "resumed", &step), 1);
    assert_int_equal(step, 500);
    run_close(&run);
}

static void the_output_alone_only_warns(void **state)
{
    struct run run = started("doubt", 500);
    int64_t step = -1;

    (void)state;
    printed(&run, "Starting at step 0\n");
    watch(&run);
    assert_int_equal(count(&run, "log_back", &step), 1);
    assert_int_equal(count(&run, "lost_state", &step), 0);
    assert_int_equal(run_is_lost(&run), 0);
    run_close(&run);
}

static void log_step_stops_a_run_that_went_back(void **state)
{
    struct run run;
    int64_t step = -1;

    (void)state;
    runenv_config("log_step: \"it=([0-9]+)\"\n");
    run = started("logstep", 500);
    printed(&run, "step 3 of the set-up\nit=1 loss=3\n");
    watch(&run);
    assert_int_equal(count(&run, "lost_state", &step), 1);
    assert_int_equal(step, 1);
    assert_int_equal(run_is_lost(&run), 1);
    run_close(&run);
    runenv_config("");
}

static void a_neighbour_without_an_owner_is_suspicious(void **state)
{
    struct run run = started("key", -1), other = runenv_open("key2");
    int64_t began = run_server_time(&run) - 10;
    char hash[41], name[64];

    (void)state;
    /* The others of this file are older than what is asked for. */
    runenv_state(&other, 5, ", \"run_name\": \"key2\"");
    assert_true(wrongkey_neighbour(&run, began, hash, name, sizeof(name)));
    assert_false(wrongkey_neighbour(&run, began + 1000000, hash, name,
                                    sizeof(name)));
    run_close(&other);
    run_close(&run);
}

static void a_neighbour_with_a_lease_is_not(void **state)
{
    struct run run = runenv_open("alone"), other = runenv_open("busy");
    char hash[41], name[64], others[256];
    int64_t since;

    (void)state;
    runenv_lease(&other, "claim", 1, NULL);
    runenv_state(&other, 5, NULL);
    snprintf(others, sizeof(others), "root/%s/resume_meta.json", other.hash);
    since = run_server_time(&run) + 100;
    {
        const struct timespec times[2] = {{.tv_sec = since + 100},
                                          {.tv_sec = since + 100}};

        assert_int_equal(utimensat(temp.fd, others, times, 0), 0);
    }
    assert_false(wrongkey_neighbour(&run, since, hash, name, sizeof(name)));
    runenv_lease(&other, "release", 1, NULL);
    assert_true(wrongkey_neighbour(&run, since, hash, name, sizeof(name)));
    assert_string_equal(hash, other.hash);
    run_close(&other);
    run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_later_checkpoint_is_progress_and_proof),
        cmocka_unit_test(the_end_is_recorded_once),
        cmocka_unit_test(an_earlier_step_is_a_lost_state),
        cmocka_unit_test(a_run_that_began_anew_has_nothing_to_lose),
        cmocka_unit_test(the_output_proves_that_it_resumed),
        cmocka_unit_test(the_output_alone_only_warns),
        cmocka_unit_test(log_step_stops_a_run_that_went_back),
        cmocka_unit_test(a_neighbour_without_an_owner_is_suspicious),
        cmocka_unit_test(a_neighbour_with_a_lease_is_not),
    };

    return cmocka_run_group_tests(tests, runenv_setup, temp_teardown);
}
