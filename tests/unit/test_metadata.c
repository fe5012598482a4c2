#include "tempdir.h"

#include <json-c/json.h>

#include "jsonfile.h"
#include "sweep/cellfiles.h"
#include "sweep/cellyaml.h"
#include "sweep/metadata.h"
#include "sweep/wandbsync.h"

static void secrets_are_not_kept(void **state)
{
    static const char *const kept[] = {
        "RELAY_CELL_ID=x", "RELAY_RESUME_KEY=lab/robots/x",
        "WANDB_RUN_ID=x", "WANDB_MODE=offline",
        "CUDA_VISIBLE_DEVICES=0", "SLURM_JOB_ID=7",
        "WANDB_BASE_URL=https://wandb.example/"};
    static const char *const dropped[] = {
        "WANDB_API_KEY=x", "RELAY_TOKEN=x", "WANDB_Password=x",
        "RELAY_MY_SECRET=x", "HOME=/home/x", "AWS_ACCESS_KEY_ID=x",
        "PATH=/bin", "WANDB_BASE_URL=https://me:pass@wandb.example/",
        "CUDA_VISIBLE_DEVICES_X=1", "RELAY_RUN_NONCE=x", "WANDB"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (!metadata_may_keep(kept[i]))
            fail_msg("%s is not kept", kept[i]);
    for (i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
        if (metadata_may_keep(dropped[i]))
            fail_msg("%s is kept", dropped[i]);
}

/* Fills m; params is to be freed. */
static void example(struct metadata *m, struct owner *own,
                    struct value *params)
{
    static char train[] = "train", word[] = "--lr=1e-05";
    static char id[] = "RELAY_CELL_ID=abc", key[] = "WANDB_API_KEY=hush";
    static char *argv[] = {train, word, NULL};
    static char *env[] = {id, key, NULL};
    struct value lr;

    memset(own, 0, sizeof(*own));
    snprintf(own->host, sizeof(own->host), "node1");
    memset(params, 0, sizeof(*params));
    params->kind = VALUE_DICT;
    memset(&lr, 0, sizeof(lr));
    value_set_float(&lr, 1e-5);
    assert_int_equal(value_put(params, "lr", &lr, NULL), 0);
    *m = (struct metadata){.sweep = "/s.sweep", .name = "s", .id = "abc",
                           .index = 3, .gen = 1, .attempt = 2, .redone = 1,
                           .params = params, .argv = argv, .env = env,
                           .workdir = "/w", .own = own, .status = -1,
                           .started = 1700000000, .step = -1,
                           .first_checkpoint = -1};
}

static void what_was_written_is_read_back(void **state)
{
    struct metadata_last last;
    struct json_object *doc;
    struct value params;
    struct metadata m;
    struct owner own;

    (void)state;
    metadata_read(temp.path, "abc", &last);
    assert_false(last.known);
    example(&m, &own, &params);
    assert_int_equal(metadata_write(temp.path, &m, NULL), 0);
    metadata_read(temp.path, "abc", &last);
    assert_true(last.known);
    assert_false(last.ended);
    assert_int_equal(last.attempt, 2);
    assert_int_equal(last.redone, 1);
    metadata_read(temp.path, "another", &last);
    assert_false(last.known);
    m.ended = 1700000060;
    m.status = 9;
    m.state = CELL_FAILED;
    m.cause = "failed";
    assert_int_equal(metadata_write(temp.path, &m, NULL), 0);
    metadata_read(temp.path, "abc", &last);
    assert_true(last.ended);
    assert_string_equal(last.state, "failed");
    doc = json_load(temp.fd, CELL_METADATA, NULL);
    assert_int_equal(json_int(doc, "signal", 0), 9);
    assert_string_equal(json_str(doc, "started", ""), "2023-11-14T22:13:20Z");
    assert_null(strstr(json_object_to_json_string(doc), "hush"));
    json_object_put(doc);
    value_free(&params);
}

static void old_files_are_set_aside(void **state)
{
    char path[600];

    (void)state;
    temp_mkdir("aside");
    temp_join("aside", path, sizeof(path));
    assert_int_equal(cellfiles_back_up(path, NULL), 0);
    temp_text("aside/stdout.log", "one");
    assert_int_equal(cellfiles_back_up(path, NULL), 0);
    assert_int_equal(faccessat(temp.fd, "aside/stdout.log", F_OK, 0), -1);
    temp_text("aside/stdout.log", "two");
    temp_text("aside/summary.json", "{}");
    assert_int_equal(cellfiles_back_up(path, NULL), 0);
    assert_int_equal(faccessat(temp.fd, "aside/summary.json", F_OK, 0), -1);
}

static void expect_yaml(struct value *v, const char *wanted)
{
    struct value params = {.kind = VALUE_DICT};
    struct text out = {0};
    char whole[300];

    assert_int_equal(value_put(&params, "k", v, NULL), 0);
    cellyaml_params(&params, &out);
    snprintf(whole, sizeof(whole),
             "wandb_version: 1\n\n\"k\":\n  value: %s\n", wanted);
    assert_string_equal(text_str(&out), whole);
    text_free(&out);
    value_free(&params);
}

static void expect_yaml_text(const char *text, const char *wanted)
{
    struct value v = {.kind = VALUE_NONE};

    assert_int_equal(value_set_str(&v, text, strlen(text), NULL), 0);
    expect_yaml(&v, wanted);
}

static void expect_yaml_float(double f, const char *wanted)
{
    struct value v = {.kind = VALUE_NONE};

    value_set_float(&v, f);
    expect_yaml(&v, wanted);
}

static void yaml_is_such_that_pyyaml_reads_it_back(void **state)
{
    (void)state;
    expect_yaml_float(1e-5, "1.0e-05"); /* 1e-05 would be a string */
    expect_yaml_float(1.5e20, "1.5e+20");
    expect_yaml_float(3, "3.0");
    expect_yaml_float(1.0 / 0.0, ".inf");
    expect_yaml_text("yes", "\"yes\"");
    expect_yaml_text("a \"b\" \\ \n", "\"a \\\"b\\\" \\\\ \\u000a\"");
    expect_yaml_text("\xc3\xa9\xf0\x9f\x98\x80",
                     "\"\xc3\xa9\xf0\x9f\x98\x80\"");
    expect_yaml_text("\xe2\x80\xa8", "\"\\u2028\""); /* a line break to YAML */
    expect_yaml_text("\xff", "\"\xef\xbf\xbd\"");
}

static void attempts_are_kept_or_sent(void **state)
{
    struct words argv = {0};
    char dir[600], one[4300], two[4300], next[4300];
    int64_t after = 0;

    (void)state;
    temp_mkdir("cell");
    temp_join("cell", dir, sizeof(dir));
    assert_int_equal(wandbsync_begin(dir, -1, one, sizeof(one), NULL), 0);
    /* It reached no checkpoint: the second begins where it began. */
    assert_int_equal(wandbsync_begin(dir, -1, two, sizeof(two), NULL), 0);
    assert_string_not_equal(one, two);
    assert_int_equal(access(one, F_OK), -1);
    assert_int_equal(faccessat(temp.fd, "cell/wandb/aside/attempt-1", F_OK, 0),
                     0);
    temp_mkdir("cell/wandb/attempt-2/wandb");
    temp_mkdir("cell/wandb/attempt-2/wandb/offline-run-b");
    temp_mkdir("cell/wandb/attempt-2/wandb/offline-run-a");
    assert_int_equal(wandbsync_next(dir, "/bin/wandb", NULL, &after, &argv,
                                    next, sizeof(next), NULL), 0);
    /* Its worker died, but it left step 5. */
    assert_int_equal(wandbsync_settle(dir, NULL, 5, NULL), 0);
    after = 0;
    assert_int_equal(wandbsync_next(dir, "/bin/wandb", NULL, &after, &argv,
                                    next, sizeof(next), NULL), 1);
    assert_string_equal(next, two);
    assert_int_equal(argv.n, 4);
    assert_string_equal(argv.word[1], "sync");
    assert_non_null(strstr(argv.word[2], "offline-run-a"));
    wandbsync_sent(two);
    after = 0;
    assert_int_equal(wandbsync_next(dir, "/bin/wandb", NULL, &after, &argv,
                                    next, sizeof(next), NULL), 0);
    words_free(&argv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_not_kept),
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(old_files_are_set_aside),
        cmocka_unit_test(yaml_is_such_that_pyyaml_reads_it_back),
        cmocka_unit_test(attempts_are_kept_or_sent),
    };

    return cmocka_run_group_tests_name("metadata", tests, temp_setup,
                                       temp_teardown);
}
