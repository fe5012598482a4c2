#define _GNU_SOURCE 1
#include "tempdir.h"

#include <signal.h>
#include <sys/wait.h>

#include "liveness.h"
#include "remote_scripts.h"

#define SET(field, text) \
    ((void)snprintf((field), sizeof(field), "%s", (text)))

/* A job that ended as it should, of which everything is known. */
static const struct owner owner = {.cluster = "sherlock",
                                   .user = "ada",
                                   .job_id = "4711",
                                   .job_raw = "4711",
                                   .submit = 100,
                                   .host = "n1",
                                   .nonce = "aaaa"};

static const struct job_facts ended = {.squeue_answered = true,
                                       .in_squeue = true,
                                       .state = "COMPLETED",
                                       .submit = 100,
                                       .nodes = "n1",
                                       .nodes_known = true,
                                       .host = "login1",
                                       .fingerprint = "1-2"};

/* The same, after squeue has forgotten it. */
static const struct job_facts archived = {.squeue_answered = true,
                                          .invalid_id = true,
                                          .sacct_answered = true,
                                          .in_sacct = true,
                                          .state = "CANCELLED",
                                          .sacct_state = "CANCELLED",
                                          .submit = 100,
                                          .sacct_submit = 100,
                                          .nodes = "n1",
                                          .nodes_known = true,
                                          .host = "login1",
                                          .fingerprint = "1-2"};

static void expect(const struct owner *own, const struct job_facts *before,
                   const struct job_facts *facts, enum alive wanted,
                   const char *word)
{
    char why[1024] = "";
    enum alive alive = liveness_judge(own, before, facts, why, sizeof(why));

    if (alive != wanted || strstr(why, word) == NULL)
        fail_msg("verdict %d, not %d (%s): %s", (int)alive, (int)wanted, word,
                 why);
}

/* For a moment sacct calls an array's last task by the array's id. */
static void an_array_is_no_job(void **state)
{
    struct job_facts facts = archived;

    (void)state;
    expect(&owner, &archived, &facts, ALIVE_DEAD, "sacct says");
    facts.members = 3;
    expect(&owner, &archived, &facts, ALIVE_UNKNOWN, "is an array");
}

static void terminal_states(void **state)
{
    static const char *const yes[] = {
        "COMPLETED", "CANCELLED",     "FAILED",    "TIMEOUT",   "DEADLINE",
        "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "BOOT_FAIL",
    };
    static const char *const no[] = {
        "PENDING",  "RUNNING",      "SUSPENDED",    "COMPLETING",
        "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT", "CONFIGURING",
        "STOPPED",  "SIGNALING",    "RESIZING",     "STAGE_OUT",
        "",         "UNHEARD_OF",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        struct job_facts facts = ended;

        assert_true(liveness_terminal(yes[i]));
        SET(facts.state, yes[i]);
        expect(&owner, &facts, &facts, ALIVE_DEAD, yes[i]);
    }
    for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        struct job_facts facts = ended;

        assert_false(liveness_terminal(no[i]));
        SET(facts.state, no[i]);
        facts.completing = strcmp(no[i], "COMPLETING") == 0;
        expect(&owner, &facts, &facts,
               no[i][0] != '\0' ? ALIVE_YES : ALIVE_UNKNOWN, no[i]);
    }
}

static void slurm_must_answer(void **state)
{
    struct job_facts facts = ended;

    (void)state;
    facts.squeue_answered = false;
    expect(&owner, &facts, &facts, ALIVE_UNKNOWN, "does not answer");
}

static void sacct_tells_what_squeue_forgot(void **state)
{
    struct job_facts facts = archived;

    (void)state;
    expect(&owner, &facts, &facts, ALIVE_DEAD, "CANCELLED");
    SET(facts.sacct_state, "RUNNING"); /* the database lags behind */
    expect(&owner, &facts, &facts, ALIVE_UNKNOWN, "RUNNING");
    SET(facts.sacct_state, "REQUEUED");
    expect(&owner, &facts, &facts, ALIVE_UNKNOWN, "REQUEUED");
    facts = archived;
    facts.invalid_id = false; /* an array whose other members go on */
    expect(&owner, &facts, &facts, ALIVE_DEAD, "CANCELLED");
}

/* Another run of that id is no evidence of this one, unless it came later. */
static void the_run_must_be_the_same(void **state)
{
    struct job_facts facts = archived;
    struct owner unknown = owner;

    (void)state;
    facts.sacct_submit = 90;
    facts.invalid_id = false;
    expect(&owner, &facts, &facts, ALIVE_UNKNOWN, "neither");
    unknown.submit = 0;
    expect(&unknown, &facts, &facts, ALIVE_DEAD, "CANCELLED");
    facts.later_submit = 200;
    expect(&owner, &facts, &facts, ALIVE_DEAD, "later run");
}

static void a_later_run_ends_the_earlier(void **state)
{
    struct job_facts facts = ended;
    struct owner unknown = owner;

    (void)state;
    SET(facts.state, "PENDING");
    facts.submit = 200;
    expect(&owner, &facts, &facts, ALIVE_DEAD, "later run");
    SET(facts.state, "RUNNING");
    expect(&owner, &facts, &facts, ALIVE_DEAD, "later run");
    SET(facts.bad_node, "n1 is DOWN*"); /* requeued for that very reason */
    expect(&owner, &facts, &facts, ALIVE_UNKNOWN, "n1 is DOWN*");
    facts.bad_node[0] = '\0';
    facts.nodes_known = false;
    expect(&owner, &facts, &facts, ALIVE_UNKNOWN, "nodes");
    facts.nodes_known = true;
    /* Without a submit time the restart count has to tell. */
    unknown.submit = 0;
    expect(&unknown, &facts, &facts, ALIVE_YES, "RUNNING");
    facts.restarts = 1;
    expect(&unknown, &facts, &facts, ALIVE_DEAD, "later run");
    unknown.restart = 1;
    expect(&unknown, &facts, &facts, ALIVE_YES, "RUNNING");
    SET(facts.state, "COMPLETING");
    facts.completing = true;
    expect(&owner, &facts, &facts, ALIVE_YES, "COMPLETING");
}

static void an_unknown_id_is_asked_twice(void **state)
{
    struct job_facts before = {.squeue_answered = true,
                               .invalid_id = true,
                               .nodes_known = true,
                               .processes = -1};
    struct job_facts facts = before;

    (void)state;
    expect(&owner, NULL, &facts, ALIVE_UNKNOWN, "once");
    expect(&owner, &before, &facts, ALIVE_DEAD, "twice");
    before.invalid_id = false;
    expect(&owner, &before, &facts, ALIVE_UNKNOWN, "once");
    before.invalid_id = true;
    facts.invalid_id = false; /* an empty reply */
    expect(&owner, &before, &facts, ALIVE_UNKNOWN, "no proof");
    facts.invalid_id = true;
    facts.nodes_known = false;
    expect(&owner, &before, &facts, ALIVE_UNKNOWN, "nodes");
}

static void a_bad_node_may_train_on(void **state)
{
    struct job_facts facts = archived;

    (void)state;
    SET(facts.bad_node, "n1 is IDLE*");
    expect(&owner, &facts, &facts, ALIVE_UNKNOWN, "n1 is IDLE*");
}

static void a_process_outlives_its_job(void **state)
{
    struct job_facts facts = archived;

    (void)state;
    facts.processes = 2;
    facts.process = 77;
    expect(&owner, &facts, &facts, ALIVE_YES, "2 of its processes");
    facts.processes = -1; /* nowhere to look */
    expect(&owner, &facts, &facts, ALIVE_DEAD, "CANCELLED");
}

static void the_state_must_stand_still(void **state)
{
    struct job_facts before = ended, facts = ended;

    (void)state;
    expect(&owner, NULL, &facts, ALIVE_UNKNOWN, "once only");
    SET(before.fingerprint, "9-9");
    expect(&owner, &before, &facts, ALIVE_UNKNOWN, "being changed");
    SET(before.fingerprint, "absent");
    SET(facts.fingerprint, "absent");
    expect(&owner, &before, &facts, ALIVE_DEAD, "COMPLETED");
    facts.fingerprint[0] = '\0'; /* not asked for */
    expect(&owner, NULL, &facts, ALIVE_DEAD, "COMPLETED");
}

static pid_t start_child(void)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        pause();
        _exit(0);
    }
    return pid;
}

static void end_child(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Whatever Slurm says: what runs here runs. */
static void its_own_process_is_evidence(void **state)
{
    pid_t pid = start_child();
    struct owner own;

    (void)state;
    assert_int_equal(owner_self("sherlock", "aaaa", pid, &own, NULL), 0);
    SET(own.job_id, "4711");
    own.submit = 100;
    expect(&own, &archived, &archived, ALIVE_YES, "runs on this host");
    own.pid_start++; /* the number is another process's now */
    expect(&own, &archived, &archived, ALIVE_DEAD, "CANCELLED");
    own.pid_start--;
    own.boot_id[0] ^= 1;
    expect(&own, &archived, &archived, ALIVE_DEAD, "CANCELLED");
    own.boot_id[0] ^= 1;
    end_child(pid);
    expect(&own, &archived, &archived, ALIVE_DEAD, "CANCELLED");
}

static void outside_slurm_the_pid_is_all_there_is(void **state)
{
    struct job_facts facts = {.processes = 0, .host = "login1"};
    pid_t pid = start_child();
    struct owner own;

    (void)state;
    unsetenv("SLURM_JOB_ID");
    assert_int_equal(owner_self("iris", "aaaa", pid, &own, NULL), 0);
    expect(&own, NULL, &facts, ALIVE_YES, "runs on this host");
    end_child(pid);
    expect(&own, NULL, &facts, ALIVE_DEAD, "has ended");
    facts.processes = 1; /* what it started has its nonce */
    expect(&own, NULL, &facts, ALIVE_YES, "still run");
    facts.processes = 0;
    SET(facts.fingerprint, "1-2");
    expect(&own, NULL, &facts, ALIVE_UNKNOWN, "once only");
    expect(&own, &facts, &facts, ALIVE_DEAD, "has ended");
    own.boot_id[0] ^= 1;
    expect(&own, &facts, &facts, ALIVE_DEAD, "booted");
    own.boot_id[0] = '\0';
    expect(&own, &facts, &facts, ALIVE_UNKNOWN, "does not say");
    SET(own.host, "elsewhere.example");
    expect(&own, &facts, &facts, ALIVE_UNKNOWN, "only that host");
}

/* first_bad_node of evidence.sh, by itself. */
static char *node_script(void)
{
    const char *from = strstr(remote_evidence, "first_bad_node()\n{");
    const char *to = from != NULL ? strstr(from, "\n}\n") : NULL;
    char *text = NULL;

    assert_non_null(to);
    assert_true(asprintf(&text, "%.*s\nprintf '%%s\\n' \"$1\" | "
                         "first_bad_node 1000 1100", (int)(to + 3 - from), from) >
                0);
    return text;
}

static void nodes_that_cannot_be_trusted(void **state)
{
    static const struct {
        const char *line;
        const char *bad; /* "" for a good node */
    } cases[] = {
        {"State=IDLE BootTime=10 SlurmdStartTime=20", ""},
        {"State=MIXED+DRAIN BootTime=10 SlurmdStartTime=1000", ""},
        {"State=IDLE BootTime=1500 SlurmdStartTime=1520", ""},
        {"State=IDLE+CLOUD+POWERED_DOWN BootTime=None SlurmdStartTime=None",
         ""},
        {"State=IDLE~ BootTime=None SlurmdStartTime=None", ""},
        {"State=IDLE BootTime=10 SlurmdStartTime=20 Reason=a State=DOWN", ""},
        {"State=IDLE BootTime=10 SlurmdStartTime=1041",
         "n1 came back 59 s ago, after the end"},
        {"State=IDLE BootTime=1000 SlurmdStartTime=1041", "n1 came back"},
        {"State=IDLE BootTime=10 SlurmdStartTime=1040", ""},
        {"State=IDLE BootTime=None SlurmdStartTime=None", "n1 has not said"},
        {"State=DOWN BootTime=10 SlurmdStartTime=20", "n1 is DOWN"},
        {"State=DOWN* BootTime=10 SlurmdStartTime=20", "n1 is DOWN*"},
        {"State=IDLE* BootTime=10 SlurmdStartTime=20", "n1 is IDLE*"},
        {"State=IDLE*+DRAIN BootTime=10 SlurmdStartTime=20", "n1 is IDLE*+"},
        {"State=DOWN+DRAIN+NOT_RESPONDING BootTime=1 SlurmdStartTime=2",
         "n1 is DOWN+DRAIN+NOT"},
        {"State=MIXED+NOT_RESPONDING BootTime=1 SlurmdStartTime=2",
         "n1 is MIXED+"},
        {"State=UNKNOWN BootTime=1 SlurmdStartTime=2", "n1 is UNKNOWN"},
        /* One bad node of two is enough. */
        {"State=IDLE BootTime=1 SlurmdStartTime=2\n"
         "NodeName=n2 State=DOWN BootTime=1 SlurmdStartTime=2", "n2 is DOWN"},
    };
    const struct peer here = {.name = "iris", .local = true};
    char *script = node_script();
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[300];
        const char *args[] = {line, NULL};
        struct peer_reply reply;
        size_t len = strlen(cases[i].bad);

        snprintf(line, sizeof(line), "NodeName=n1 Arch=x86_64 %s",
                 cases[i].line);
        assert_int_equal(peer_script(&here, script, args, 20000, &reply,
                                     NULL), 0);
        if (len == 0 ? reply.len != 0
                     : strncmp(reply.out, cases[i].bad, len) != 0)
            fail_msg("%s: %s", cases[i].line, reply.out);
        peer_reply_free(&reply);
    }
    free(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terminal_states),
        cmocka_unit_test(an_array_is_no_job),
        cmocka_unit_test(slurm_must_answer),
        cmocka_unit_test(sacct_tells_what_squeue_forgot),
        cmocka_unit_test(the_run_must_be_the_same),
        cmocka_unit_test(a_later_run_ends_the_earlier),
        cmocka_unit_test(an_unknown_id_is_asked_twice),
        cmocka_unit_test(a_bad_node_may_train_on),
        cmocka_unit_test(a_process_outlives_its_job),
        cmocka_unit_test(the_state_must_stand_still),
        cmocka_unit_test(its_own_process_is_evidence),
        cmocka_unit_test(outside_slurm_the_pid_is_all_there_is),
        cmocka_unit_test(nodes_that_cannot_be_trusted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
