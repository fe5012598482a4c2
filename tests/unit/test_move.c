#include "runenv.h"

#include <sysexits.h>

#include "handoff.h"
#include "journal.h"
#include "move/follow.h"
#include "move/submit.h"
#include "move/target.h"

/* --- what sbatch is given ------------------------------------------------- */

/* A program of that name must be there; it is never run. */
static int setup(void **state)
{
    char path[600];

    if (runenv_setup(state) != 0)
        return -1;
    temp_text("sbatch", "");
    chmod(temp_join("sbatch", path, sizeof(path)), 0700);
    return setenv("RELAY_TOOLS", temp.path, 1);
}

static void typed_arguments_come_last(void **state)
{
    static char *const typed[] = {"-p", "mine", "train.sh", "--steps", "5"};
    struct relay_error err = {0};
    struct config cfg;
    char path[600];
    char **args;
    int n;

    (void)state;
    temp_text("profiles.yaml",
              "cluster: here\nclusters:\n  here:\n    submit: [-p, usual]\n"
              "    profiles:\n      big:\n        submit: [--gres=gpu:8]\n");
    setenv("RELAY_CONFIG", temp_join("profiles.yaml", path, sizeof(path)), 1);
    assert_int_equal(config_load(NULL, temp.path, &cfg, &err), 0);
    args = submit_args(&cfg, "big", typed, 5, &n, &err);
    assert_non_null(args);
    assert_int_equal(n, 8);
    assert_string_equal(args[1], "usual");
    assert_string_equal(args[2], "--gres=gpu:8");
    assert_string_equal(args[4], "mine");
    assert_string_equal(args[7], "5");
    assert_null(args[8]);
    free(args);
    assert_null(submit_args(&cfg, "small", typed, 5, &n, &err));
    assert_int_equal(err.code, EX_CONFIG);
    config_free(&cfg);
    runenv_config("");
}

static bool has(const struct submission *sub, const char *word)
{
    int i;

    for (i = 0; i < sub->n; i++)
        if (strcmp(sub->words[i], word) == 0)
            return true;
    return false;
}

/* What is submitted for run with args behind ours, as task "3" of an array. */
static struct submission words_of(const struct run *run, char *const *args,
                                  int n)
{
    struct relay_error err = {0};
    struct request req;
    struct submission sub;

    temp_text("array.sh", "#!/bin/bash\n#SBATCH --array=0-9\ntrue\n");
    if (request_read(args, n, &req, &err) != 0 ||
        submit_words(run, "there:12", "3", args, n, &req, &sub, &err) != 0)
        fail_msg("%s", err.text);
    return sub;
}

static void the_key_is_escaped_and_the_task_is_the_source_s(void **state)
{
    struct run run = runenv_open("50%% x");
    char script[600];
    char *args[] = {script, (char *)"--array=7"};
    struct submission sub;

    (void)state;
    temp_join("array.sh", script, sizeof(script));
    sub = words_of(&run, args, 2);
    assert_string_equal(run.key, "lab/unit/50% x");
    assert_true(has(&sub, "--resume-key=lab/unit/50%% x"));
    assert_true(has(&sub, "--comment=lab/unit/50% x"));
    assert_true(has(&sub, "--handoff-from=there:12"));
    assert_true(has(&sub, "--array=3"));
    assert_string_equal(sub.comment, "lab/unit/50% x");
    assert_string_equal(sub.words[sub.n - 1], "--array=7"); /* the script's */
    submit_free(&sub);
    run_close(&run);
}

static void what_was_typed_is_kept(void **state)
{
    struct run run = runenv_open("typed");
    char script[600];
    char *args[] = {(char *)"--comment=mine", (char *)"--array=7", script};
    struct submission sub;

    (void)state;
    temp_join("array.sh", script, sizeof(script));
    sub = words_of(&run, args, 3);
    assert_string_equal(sub.comment, "mine");
    assert_false(has(&sub, "--comment=lab/unit/typed"));
    assert_false(has(&sub, "--array=3"));
    submit_free(&sub);
    run_close(&run);
}

static void the_script_s_array_is_the_last_to_say(void **state)
{
    struct request req = {.array = "0-9"};

    (void)state;
    assert_string_equal(submit_array(&req, "3"), "3");
    assert_string_equal(submit_array(&req, ""), "0-9");
    req.array_typed = true;
    assert_string_equal(submit_array(&req, "3"), "0-9");
}

/* --- the job that was submitted ------------------------------------------- */

static void a_target_is_read_as_it_was_written(void **state)
{
    struct run run = runenv_open("target");
    struct target now = {.job_id = "4712_7", .source = "there",
                         .comment = "a | b", .after = 4711, .journal = 3,
                         .submitted = 1700000000};
    struct target then;
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(target_read(&run, &then, &err), 0);
    assert_string_equal(then.job_id, "");
    assert_int_equal(then.submitted, 0);
    assert_int_equal(target_write(&run, &now, &err), 0);
    assert_int_equal(target_read(&run, &then, &err), 0);
    assert_memory_equal(&then, &now, sizeof(now));
    /* On one file system the other cluster's job ids are not ours. */
    free(run.cfg.cluster);
    run.cfg.cluster = strdup("there");
    assert_int_equal(target_read(&run, &then, &err), 0);
    assert_string_equal(then.job_id, "");
    run_close(&run);
}

static void a_damaged_target_is_an_error(void **state)
{
    struct run run = runenv_open("damaged");
    struct target target;
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(file_write(run.relayfd, "target.json", "{\"job_id\": 4",
                                12, 0600, &err), 0);
    assert_int_equal(target_read(&run, &target, &err), -1);
    assert_non_null(strstr(err.text, "target.json"));
    assert_int_equal(target_before(&run, NULL, &target, &err), -1);
    run_close(&run);
}

/* A job id may have been another job's once; what is older than the
 * submission is not its doing. */
static void only_what_comes_after_the_submission_is_its_doing(void **state)
{
    struct run run = runenv_open("begun");
    struct target target = {.job_id = "12"};
    struct relay_error err = {0};
    struct journal j;

    (void)state;
    assert_false(target_has_begun(&run, &target));
    snprintf(run.self.job_id, sizeof(run.self.job_id), "12");
    assert_int_equal(journal_read(&run, &j, &err), 0);
    assert_int_equal(journal_next(&run, &j, JOURNAL_OPEN, NULL, &err), 0);
    assert_true(target_has_begun(&run, &target));
    target.journal = j.gen;
    assert_false(target_has_begun(&run, &target));
    assert_int_equal(journal_next(&run, &j, JOURNAL_STAGED, NULL, &err), 0);
    assert_true(target_has_begun(&run, &target));
    /* Somebody else's record behind it does not undo that. */
    snprintf(run.self.job_id, sizeof(run.self.job_id), "13");
    assert_int_equal(journal_next(&run, &j, JOURNAL_ABORTED, NULL, &err), 0);
    assert_true(target_has_begun(&run, &target));
    journal_free(&j);
    run_close(&run);
}

/* --- its output ----------------------------------------------------------- */

static int64_t from_of(const char *text)
{
    char path[600];

    temp_text("out", text);
    return follow_output_from(temp_join("out", path, sizeof(path)));
}

static void the_training_begins_behind_our_last_line(void **state)
{
    static const char requeued[] = "relay: one\nstep: 5/9\nrelay: two\n";

    (void)state;
    assert_int_equal(follow_output_from("/nowhere"), 0);
    assert_int_equal(from_of("step: 5/9\n"), 0);
    assert_int_equal(from_of("relay: x\nstep: 5/9\n"), 9);
    assert_int_equal(from_of(requeued), sizeof(requeued) - 1);
    /* Not ours, and not whole yet. */
    assert_int_equal(from_of("relays: x\n relay: y\nrelay: z"), 0);
}

/* --- the copy on offer ---------------------------------------------------- */

static void offer(struct run *run)
{
    struct handoff h = {.run = run};
    struct relay_error err = {0};
    char name[200];

    snprintf(name, sizeof(name), "root/.relay/%s/staging-%s", run->hash,
             run->nonce);
    temp_mkdir(name);
    assert_int_equal(handoff_offer_staging(&h, &err), 0);
}

static bool adopts(struct run *run)
{
    struct handoff h = {.run = run};
    struct relay_error err = {0};
    char name[64];

    if (handoff_adopt_staging(&h, &err) != 0)
        fail_msg("%s", err.text);
    snprintf(name, sizeof(name), "staging-%s", run->nonce);
    return runenv_has(run, name);
}

static void an_offer_is_taken_though_its_writer_lives(void **state)
{
    struct run writer = runenv_open("offer"), job = runenv_open("offer");

    (void)state;
    runenv_lease(&job, "claim", 1, NULL);
    offer(&writer);
    assert_true(handoff_is_offered(&writer, writer.nonce));
    assert_true(adopts(&job));
    assert_false(handoff_is_offered(&writer, writer.nonce));
    assert_false(handoff_withdraw_staging(&writer, writer.nonce));
    run_close(&writer);
    run_close(&job);
}

static void what_was_withdrawn_is_not_taken(void **state)
{
    struct run writer = runenv_open("back"), job = runenv_open("back");
    char name[64];

    (void)state;
    runenv_lease(&job, "claim", 1, NULL);
    offer(&writer);
    assert_true(handoff_withdraw_staging(&writer, writer.nonce));
    assert_false(adopts(&job));
    snprintf(name, sizeof(name), "staging-%s", writer.nonce);
    assert_false(runenv_has(&writer, name));
    run_close(&writer);
    run_close(&job);
}

/* The job adopts while the writer withdraws: one of them has it. */
static void of_two_one_has_the_offer(void **state)
{
    struct run writer = runenv_open("race"), job = runenv_open("race");
    char name[64];
    int i, status;

    (void)state;
    runenv_lease(&job, "claim", 1, NULL);
    snprintf(name, sizeof(name), "staging-%s", job.nonce);
    for (i = 0; i < 50; i++) {
        bool adopted, kept;
        pid_t pid;

        offer(&writer);
        pid = fork();
        if (pid == 0)
            _exit(handoff_withdraw_staging(&writer, writer.nonce));
        adopted = adopts(&job);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        kept = WEXITSTATUS(status) == 0;
        assert_int_equal(adopted, kept);
        assert_int_equal(file_remove_tree(job.relayfd, name, NULL), 0);
    }
    run_close(&writer);
    run_close(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typed_arguments_come_last),
        cmocka_unit_test(the_key_is_escaped_and_the_task_is_the_source_s),
        cmocka_unit_test(what_was_typed_is_kept),
        cmocka_unit_test(the_script_s_array_is_the_last_to_say),
        cmocka_unit_test(a_target_is_read_as_it_was_written),
        cmocka_unit_test(a_damaged_target_is_an_error),
        cmocka_unit_test(only_what_comes_after_the_submission_is_its_doing),
        cmocka_unit_test(the_training_begins_behind_our_last_line),
        cmocka_unit_test(an_offer_is_taken_though_its_writer_lives),
        cmocka_unit_test(what_was_withdrawn_is_not_taken),
        cmocka_unit_test(of_two_one_has_the_offer),
    };

    return cmocka_run_group_tests(tests, setup, temp_teardown);
}
