#include "runenv.h"

#include <sysexits.h>

#include "peers.h"
#include "peer.h"
#include "remote_scripts.h"

/* The line that index.sh has for a run of our own root; "" for none. */
struct found {
    const char *hash;
    char line[128];
};

static void take(void *arg, const char *value, size_t len)
{
    struct found *found = arg;

    if (len > 40 && memcmp(value, found->hash, 40) == 0)
        snprintf(found->line, sizeof(found->line), "%.*s", (int)len - 41,
                 value + 41);
}

static void expect_line(const struct run *run, const char *line)
{
    const char *args[] = {run->root, "/", NULL};
    struct peer peer = {.local = true, .name = "here"};
    struct found found = {.hash = run->hash};
    struct relay_error err = {0};
    struct peer_reply reply;

    if (peer_script(&peer, remote_index, args, 20000, &reply, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(reply.exit_code, 0);
    peer_each(&reply, "run", take, &found);
    assert_string_equal(found.line, line);
    peer_reply_free(&reply);
}

static void the_index_tells_states_from_stubs(void **state)
{
    struct run run = runenv_open("state"), stub = runenv_open("stub");

    (void)state;
    runenv_state(&run, 120, ", \"last_step\": 7");
    runenv_state(&stub, 90, ", \"moved_to\": {\"cluster\": \"there\"}");
    expect_line(&run, "120 here");
    expect_line(&stub, "90 stub");
    run_close(&run);
    run_close(&stub);
}

/* No Slurm answers here: then a lease that is held is what is known. */
static void the_index_names_jobs_that_have_no_state_yet(void **state)
{
    struct run run = runenv_open("begun");

    (void)state;
    expect_line(&run, "");
    snprintf(run.self.job_id, sizeof(run.self.job_id), "4711_7");
    runenv_lease(&run, "claim", 1, NULL);
    expect_line(&run, "-1 lease 4711_7");
    runenv_state(&run, 3, NULL);
    expect_line(&run, "3 here");
    run_close(&run);
}

static void the_index_forgets_leases_that_were_released(void **state)
{
    struct run run = runenv_open("released");

    (void)state;
    snprintf(run.self.job_id, sizeof(run.self.job_id), "4711");
    runenv_lease(&run, "claim", 1, NULL);
    runenv_lease(&run, "release", 1, NULL);
    expect_line(&run, "");
    run_close(&run);
}

/* --- what is asked of the index ------------------------------------------ */

static void has(void *arg, const struct peer_has *has)
{
    *(struct peer_has *)arg = *has;
}

static struct peer_has ask(struct run *run)
{
    struct peer_has answer = {.cluster = ""};
    struct relay_error err = {0};

    if (peers_ask(run, false, has, &answer, &err) != 0)
        fail_msg("%s", err.text);
    return answer;
}

static void a_fresh_index_is_believed(void **state)
{
    struct run run = runenv_open("indexed");
    struct peer_has answer;
    char text[512];

    (void)state;
    snprintf(text, sizeof(text),
             "{\"format\": 1, \"clusters\": {\"there\": {\"answered\": true, "
             "\"why\": \"\", \"runs\": {\"%s\": {\"step\": -1, \"kind\": "
             "\"lease\", \"job\": \"88\"}}}}}", run.hash);
    temp_text("root/.relay/peers.json", text);
    answer = ask(&run);
    assert_string_equal(answer.cluster, "there");
    assert_true(answer.answered);
    assert_true(answer.has);
    assert_string_equal(answer.job, "88");
    run_close(&run);
}

static void nobody_is_refused_by_an_old_index(void **state)
{
    struct run run = runenv_open("refused");
    struct relay_error err = {0};
    struct peer_has answer = {.cluster = ""};
    char text[512];

    (void)state;
    snprintf(text, sizeof(text),
             "{\"format\": 1, \"clusters\": {\"there\": {\"answered\": true, "
             "\"runs\": {\"%s\": {\"step\": 7, \"kind\": \"here\"}}}}}",
             run.hash);
    temp_text("root/.relay/peers.json", text);
    assert_true(ask(&run).has);
    if (peers_ask(&run, true, has, &answer, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(answer.cluster, "");
    run_close(&run);
}

static void an_old_index_is_made_anew(void **state)
{
    static const struct timespec old[2] = {{.tv_sec = 1000000},
                                           {.tv_sec = 1000000}};
    struct run run = runenv_open("old");

    (void)state;
    temp_text("root/.relay/peers.json",
              "{\"format\": 1, \"clusters\": {\"gone\": {}}}");
    assert_int_equal(utimensat(temp.fd, "root/.relay/peers.json", old, 0), 0);
    /* A refresher that died holds nobody up. */
    temp_text("root/.relay/peers.busy", "");
    assert_int_equal(utimensat(temp.fd, "root/.relay/peers.busy", old, 0), 0);
    assert_string_equal(ask(&run).cluster, ""); /* nobody can be asked */
    assert_int_equal(faccessat(temp.fd, "root/.relay/peers.busy", F_OK, 0),
                     -1);
    run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_tells_states_from_stubs),
        cmocka_unit_test(the_index_names_jobs_that_have_no_state_yet),
        cmocka_unit_test(the_index_forgets_leases_that_were_released),
        cmocka_unit_test(a_fresh_index_is_believed),
        cmocka_unit_test(nobody_is_refused_by_an_old_index),
        cmocka_unit_test(an_old_index_is_made_anew),
    };

    return cmocka_run_group_tests(tests, runenv_setup, temp_teardown);
}
