#include "runenv.h"

#include <sysexits.h>

#include "clock.h"
#include "history.h"
#include "stage.h"
#include "sync.h"

static struct run ended(const char *name, int64_t step)
{
    struct run run = runenv_open(name);
    struct relay_error err = {0};
    enum stage_verdict verdict;
    char *env = NULL;
    size_t len;

    if (stage_in(&run, &verdict, &env, &len, &err) != 0)
        fail_msg("%s", err.text);
    free(env);
    if (step >= 0)
        runenv_state(&run, step, NULL);
    if (stage_out(&run, 15, 20, &err) != 0)
        fail_msg("%s", err.text);
    return run;
}

static void an_ended_run_is_copied_to_a_directory(void **state)
{
    char to[600], more[700], name[200];
    char where[64] = "";
    struct run run;

    (void)state;
    snprintf(more, sizeof(more), "sync: {to: %s}\n",
             temp_join("copies", to, sizeof(to)));
    runenv_config(more);
    run = ended("directory", 40);
    snprintf(name, sizeof(name), "copies/%s/resume_meta.json", run.hash);
    assert_int_equal(faccessat(temp.fd, name, F_OK, 0), 0);
    assert_false(sync_pending(&run, where, sizeof(where)));
    run_close(&run);
    runenv_config("");
}

/* Where the site has not said network=yes the epilog must not try. */
static void without_the_network_it_is_pending_until_a_newer_job(void **state)
{
    char where[64] = "";
    struct run run, next;
    int64_t then;

    (void)state;
    runenv_config("sync: {to: there}\n");
    run = ended("nonet", 40);
    then = clock_wall(); /* a second is what the history tells apart */
    while (clock_wall() == then)
        clock_sleep_ms(20);
    assert_true(sync_pending(&run, where, sizeof(where)));
    assert_string_equal(where, "there");
    next = runenv_open("nonet");
    assert_int_equal(history_add(next.relayfd, next.nonce, "start", NULL,
                                 NULL), 0);
    assert_false(sync_pending(&next, where, sizeof(where)));
    run_close(&run);
    run_close(&next);
    runenv_config("");
}

static void nothing_is_no_state_to_copy(void **state)
{
    struct relay_error err = {0};
    char where[64] = "";
    struct run run;

    (void)state;
    runenv_config("sync: {to: there}\n");
    run = ended("nothing", -1);
    assert_false(sync_pending(&run, where, sizeof(where)));
    assert_int_equal(sync_push(&run, "there", 1, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    runenv_state(&run, 40, ", \"moved_to\": {\"cluster\": \"there\"}");
    assert_false(sync_has_state(&run));
    run_close(&run);
    runenv_config("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ended_run_is_copied_to_a_directory),
        cmocka_unit_test(without_the_network_it_is_pending_until_a_newer_job),
        cmocka_unit_test(nothing_is_no_state_to_copy),
    };

    return cmocka_run_group_tests(tests, runenv_setup, temp_teardown);
}
