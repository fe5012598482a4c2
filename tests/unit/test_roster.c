#include "tempdir.h"

#include <sysexits.h>

#include "sweep/roster.h"

/* SHA-256 of {"a":1,"b":"x"}, by another program. */
#define ID_A1_BX "ecf9e98ec0641e23"

static struct roster *load_with(const char *name, const char *text,
                                const struct roster_options *opt,
                                struct lint *lint, struct relay_error *err)
{
    struct roster *roster = NULL;
    char path[600];

    temp_text(name, text);
    memset(err, 0, sizeof(*err));
    if (roster_load(temp_join(name, path, sizeof(path)), opt, NULL, 0,
                    &roster, lint, err) != 0)
        assert_null(roster);
    return roster;
}

static struct roster *load(const char *name, const char *text)
{
    static const struct roster_options none;
    struct relay_error err;
    struct roster *roster = load_with(name, text, &none, NULL, &err);

    if (roster == NULL)
        fail_msg("%s", err.text);
    return roster;
}

static void id_is(const struct roster *roster, uint64_t index,
                  const char *wanted)
{
    char id[CELL_ID_MAX + 1];

    assert_int_equal(roster_id(roster, index, id, NULL), 0);
    assert_string_equal(id, wanted);
}

/* The parameters of a cell, as JSON. */
static void params_are(const struct roster *roster, uint64_t index,
                       const char *wanted)
{
    struct text json = {0};
    struct cell cell;

    assert_int_equal(roster_cell(roster, index, &cell, NULL), 0);
    assert_int_equal(cell.index, index);
    value_json(&cell.params, &json);
    assert_string_equal(text_str(&json), wanted);
    text_free(&json);
    cell_free(&cell);
}

/* Its arguments, with bars between. */
static void args_are(const struct roster *roster, uint64_t index,
                     const char *wanted)
{
    struct text got = {0};
    struct words args;
    struct cell cell;
    size_t i;

    assert_int_equal(roster_cell(roster, index, &cell, NULL), 0);
    assert_int_equal(roster_args(roster, &cell, &args, NULL), 0);
    for (i = 0; i < args.n; i++)
        text_printf(&got, "%s%s", i > 0 ? "|" : "", args.word[i]);
    assert_string_equal(text_str(&got), wanted);
    text_free(&got);
    words_free(&args);
    cell_free(&cell);
}

static void refused(const char *name, const char *text, const char *why)
{
    static const struct roster_options none;
    struct relay_error err;
    struct roster *roster = load_with(name, text, &none, NULL, &err);

    if (roster != NULL || err.code != EX_DATAERR ||
        strstr(err.text, why) == NULL)
        fail_msg("\"%s\" should be \"%s\", is %d \"%s\"", text, why, err.code,
                 err.text);
}

/* ---- CSV ----------------------------------------------------------------- */

static void a_field_is_a_python_literal_or_a_string(void **state)
{
    struct roster *r =
        load("a.csv", "lr,wandb_log,opt,note,n,layers\n"
                      "1e-4,False,adam,'None',None,\"[1, 'x']\"\n"
                      ",True,false,01,  7 ,\"a \"\"b\"\", c\n d\"\n");

    (void)state;
    assert_int_equal(roster_size(r), 2);
    params_are(r, 0, "{\"lr\": 0.0001, \"wandb_log\": false, \"opt\": "
                     "\"adam\", \"note\": \"None\", \"n\": null, "
                     "\"layers\": [1, \"x\"]}");
    params_are(r, 1, "{\"wandb_log\": true, \"opt\": \"false\", \"note\": "
                     "\"01\", \"n\": 7, \"layers\": \"a \\\"b\\\", c\\n d\"}");
    args_are(r, 0, "--lr=1e-4|--wandb_log=False|--opt=adam|--note=None|"
                   "--n=None|--layers=[1, 'x']");
    args_are(r, 1, "--wandb_log=True|--opt=false|--note=01|--n=7|"
                   "--layers=a \"b\", c\n d");
    roster_free(r);
}

static void windows_files_and_comments_are_read(void **state)
{
    struct roster *r = load("w.csv", "\xef\xbb\xbf# made by hand\r\n"
                                     "#RELAY exclude log\r\n\r\n"
                                     "b,a,log\r\n   \r\nx,1,9\r\n# no\r\n"
                                     "y,1.0,8\r\n");
    struct cell cell;

    (void)state;
    assert_int_equal(roster_size(r), 2);
    params_are(r, 0, "{\"b\": \"x\", \"a\": 1, \"log\": 9}");
    id_is(r, 0, ID_A1_BX);
    assert_int_equal(roster_cell(r, 1, &cell, NULL), 0);
    assert_int_equal(cell.line, 8);
    assert_false(cell.withdrawn);
    cell_free(&cell);
    roster_free(r);
}

static void run_id_names_the_cell(void **state)
{
    struct roster *r = load("r.csv", "lr,run_id\n0.1,base-6l.s1337\n1,B_2\n");

    (void)state;
    assert_true(roster_info(r)->has_run_id);
    id_is(r, 0, "base-6l.s1337");
    id_is(r, 1, "B_2");
    params_are(r, 0, "{\"lr\": 0.1}");
    args_are(r, 1, "--lr=1");
    roster_free(r);
}

static void a_bad_csv_is_refused_with_its_place(void **state)
{
    (void)state;
    refused("b.csv", "", "b.csv: empty");
    refused("b.csv", "a;b\n1;2\n", "b.csv:1:1: \"a;b\" is one column");
    refused("b.csv", "a\tb\n1\t2\n", "b.csv:1:1: \"a\tb\" is one column");
    refused("b.tsv", "a\tb\n1\t2\n", "b.tsv: a table is read as CSV");
    refused("b.csv", "\n# only\n", "b.csv: empty");
    refused("b.csv", "a,b\n1,2\n\n3\n", "b.csv:4: 1 field");
    refused("b.csv", "a,b\n1,2,3\n", "b.csv:2: 3 fields");
    refused("b.csv", "a,b,a\n", "b.csv:1:5: column 3 has the name of column 1");
    refused("b.csv", "a,,b\n", "b.csv:1:3: column 2 has no name");
    refused("b.csv", "a,-b\n", "b.csv:1:3: \"-b\" cannot be the name");
    refused("b.csv", "a,b\n1,\"2\n3\n", "b.csv:2:3: a quoted field is not");
    refused("b.csv", "a,b\n1,\"2\"x\n", "b.csv:2:6: text behind a closing");
    refused("b.csv", "run_id,b\n../x,1\n", "b.csv:2:1: run_id \"../x\"");
    refused("b.csv", "run_id,b\n,1\n", "b.csv:2:1: run_id \"\"");
    refused("b.csv", "#RELAY zip a,b\na,b\n1,2\n", "b.csv:1: zip and when");
    refused("b.csv", "#RELAY nonsense\na,b\n1,2\n", "b.csv:1:");
}

/* ---- ids ----------------------------------------------------------------- */

static void an_id_is_the_hash_of_the_parameters(void **state)
{
    struct roster *csv = load("i.csv", "b,a\nx,1\nx,1.0\n'x',1\nx,True\n");
    struct roster *yaml = load("i.yaml", "method: grid\nparameters:\n"
                                         "  b: {value: x}\n"
                                         "  a: {values: [1, 2]}\n");
    char id[CELL_ID_MAX + 1];

    (void)state;
    id_is(csv, 0, ID_A1_BX);
    id_is(csv, 1, ID_A1_BX); /* 1.0 is 1 at the top level */
    id_is(csv, 2, ID_A1_BX);
    id_is(yaml, 0, ID_A1_BX); /* whatever the kind of source */
    assert_int_equal(roster_id(csv, 3, id, NULL), 0);
    assert_string_not_equal(id, ID_A1_BX); /* True is not 1 */
    roster_free(csv);
    roster_free(yaml);
}

static void the_seed_is_a_suffix(void **state)
{
    struct roster *csv = load("s.csv", "seed,b,a\n1337,x,1\n-2,x,1\n3.0,x,1\n"
                                       "one,x,1\n");
    struct roster *yaml = load("s.yaml", "method: grid\nparameters:\n"
                                         "  b: {value: x}\n"
                                         "  a: {value: 1}\n"
                                         "  seed: {values: [1337, 5]}\n");
    char id[CELL_ID_MAX + 1];

    (void)state;
    id_is(csv, 0, ID_A1_BX "_s1337");
    id_is(csv, 1, ID_A1_BX "_s-2");
    id_is(csv, 2, ID_A1_BX "_s3");
    id_is(yaml, 0, ID_A1_BX "_s1337");
    id_is(yaml, 1, ID_A1_BX "_s5");
    /* What is no number is a parameter like the others. */
    assert_int_equal(roster_id(csv, 3, id, NULL), 0);
    assert_int_equal(strlen(id), 16);
    assert_string_not_equal(id, ID_A1_BX);
    roster_free(csv);
    roster_free(yaml);
}

static void excluded_parameters_are_not_in_the_id(void **state)
{
    static const struct roster_options none;
    struct relay_error err;
    struct lint lint = {0};
    struct roster *r = load_with("e.yaml",
                                 "#RELAY exclude workers wrokers\n"
                                 "method: grid\nparameters:\n"
                                 "  b: {value: x}\n  a: {value: 1}\n"
                                 "  workers: {value: 8}\n", &none, &lint,
                                 &err);

    (void)state;
    assert_non_null(r);
    id_is(r, 0, ID_A1_BX);
    params_are(r, 0, "{\"a\": 1, \"b\": \"x\", \"workers\": 8}");
    assert_int_equal(lint.n, 1);
    assert_non_null(strstr(lint.warnings[0].text, "wrokers"));
    lint_free(&lint);
    roster_free(r);
}

static void an_edited_configuration_makes_another_cell(void **state)
{
    static const char *const text = "#RELAY config base.toml\nb,a\nx,1\n";
    static const struct roster_options none;
    struct relay_config_file frozen = {.path = (char *)"base.toml"};
    char first[CELL_ID_MAX + 1], second[CELL_ID_MAX + 1], path[600];
    struct roster *r;

    (void)state;
    temp_text("base.toml", "depth = 6\n");
    r = load("c.csv", text);
    assert_int_equal(roster_id(r, 0, first, NULL), 0);
    assert_string_not_equal(first, ID_A1_BX);
    memcpy(frozen.digest, roster_info(r)->lines->configs[0].digest,
           sizeof(frozen.digest));
    roster_free(r);
    temp_text("base.toml", "depth = 7\n");
    r = load("c.csv", text);
    assert_int_equal(roster_id(r, 0, second, NULL), 0);
    assert_string_not_equal(first, second);
    roster_free(r);
    /* A sweep keeps the digest that it was made with. */
    assert_int_equal(roster_load(temp_join("c.csv", path, sizeof(path)),
                                 &none, &frozen, 1, &r, NULL, NULL), 0);
    id_is(r, 0, first);
    roster_free(r);
    assert_int_equal(unlinkat(temp.fd, "base.toml", 0), 0);
}

static void a_missing_configuration_is_named(void **state)
{
    static const struct roster_options none;
    struct relay_error err;

    (void)state;
    assert_null(load_with("m.csv", "#RELAY config gone.toml\na\n1\n", &none,
                          NULL, &err));
    assert_int_equal(err.code, EX_NOINPUT);
    assert_non_null(strstr(err.text, "m.csv:1: "));
    assert_non_null(strstr(err.text, "gone.toml"));
}

static void keys_of_hashes_sort_as_they_do(void **state)
{
    (void)state;
    assert_true(roster_id_key("00000000000000ff") <
                roster_id_key("0000000000010000_s7"));
    assert_true(roster_id_key("3f2a9c1e00000000_s2") >> 32 == 0x3f2a9c1e);
    assert_true(roster_id_key("3f2a9c1e00000000_s1") !=
                roster_id_key("3f2a9c1e00000000_s2"));
    assert_true(roster_id_key("base-1") != roster_id_key("base-2"));
    assert_true(roster_id_key("base-1") == roster_id_key("base-1"));
}

/* ---- queue files --------------------------------------------------------- */

#define QUEUE                                                                 \
    "# ablation\n"                                                            \
    "configs/recon/baseline.yaml reconstruction 20\n"                         \
    "\tconfigs/det/big.v2.toml   detection\t50 # a budget of its own\r\n"              \
    "\n"                                                                      \
    "#configs/seg/withdrawn.yaml segmentation\n"                              \
    "no_aug segmentation"

static void a_line_of_a_queue_file_is_a_cell(void **state)
{
    struct roster *r = load("q.txt", QUEUE);
    struct cell cell;

    (void)state;
    assert_int_equal(roster_info(r)->kind, ROSTER_QUEUE);
    assert_string_equal(roster_info(r)->name, "q");
    assert_int_equal(roster_size(r), 6); /* comments count */
    id_is(r, 1, "baseline");
    id_is(r, 2, "big.v2");
    id_is(r, 5, "no_aug");
    args_are(r, 2, "configs/det/big.v2.toml|detection|50");
    args_are(r, 5, "no_aug|segmentation|20");
    params_are(r, 1, "{\"cfg\": \"configs/recon/baseline.yaml\", \"task\": "
                     "\"reconstruction\", \"epochs\": 20}");
    assert_true(roster_withdrawn(r, 0));
    assert_false(roster_withdrawn(r, 1));
    assert_true(roster_withdrawn(r, 3));
    assert_true(roster_withdrawn(r, 4));
    assert_int_equal(roster_cell(r, 5, &cell, NULL), 0);
    assert_int_equal(cell.line, 6);
    cell_free(&cell);
    roster_free(r);
}

static void options_of_a_queue_file(void **state)
{
    const struct roster_options opt = {.epochs = 7, .start_index = 2};
    struct relay_error err;
    struct roster *r = load_with("o.txt", QUEUE, &opt, NULL, &err);

    (void)state;
    assert_non_null(r);
    assert_true(roster_withdrawn(r, 1)); /* lines 1 and 2 are skipped */
    assert_false(roster_withdrawn(r, 2));
    args_are(r, 2, "configs/det/big.v2.toml|detection|50");
    args_are(r, 5, "no_aug|segmentation|7");
    roster_free(r);
}

static void a_bad_queue_line_is_refused_with_its_place(void **state)
{
    (void)state;
    refused("b.txt", "a.yaml t 3\nb.yaml t 3 x\n", "b.txt:2:12: `x`");
    refused("b.txt", "# c\n  a.yaml\n", "b.txt:2:3: `a.yaml` has no task");
    refused("b.txt", "a.yaml # t\n", "b.txt:1:1: `a.yaml` has no task");
    refused("b.txt", "a.yaml t 2.5\n", "b.txt:1:10: epochs `2.5`");
    refused("b.txt", "a.yaml t -1\n", "b.txt:1:10: epochs `-1`");
    refused("b.txt", "x/.yaml t\n", "b.txt:1:3: the file's name");
    refused("b.txt", "x/a\xc3\xa4.yaml t\n", "b.txt:1:3: the file's name");
    refused("b.txt", "#RELAY when a: b == 1\na.yaml t\n", "b.txt:1: zip and");
}

static void a_cost_is_computed_from_the_parameters(void **state)
{
    struct roster *r = load("k.txt", "#RELAY cost 0.5h*epochs\na.yaml t 4\n");
    struct cell cell;

    (void)state;
    assert_int_equal(roster_cell(r, 1, &cell, NULL), 0);
    assert_true(cell.cost > 1.99 && cell.cost < 2.01);
    cell_free(&cell);
    roster_free(r);
}

/* ---- the others ---------------------------------------------------------- */

static void a_grid_is_computed(void **state)
{
    struct roster *r =
        load("g.yaml", "method: grid\nname: my sweep\nproject: p\n"
                       "program: train.py\nparameters:\n"
                       "  b: {values: [1, 2]}\n  a: {values: [x, y]}\n");

    (void)state;
    assert_string_equal(roster_info(r)->name, "my sweep");
    assert_string_equal(roster_info(r)->project, "p");
    assert_string_equal(roster_info(r)->program, "train.py");
    assert_null(roster_info(r)->entity);
    assert_int_equal(roster_size(r), 4);
    params_are(r, 0, "{\"a\": \"x\", \"b\": 1}");
    params_are(r, 1, "{\"a\": \"x\", \"b\": 2}"); /* the last varies fastest */
    args_are(r, 3, "--a=y|--b=2");
    roster_free(r);
}

static void strict_refuses_relay_lines(void **state)
{
    const struct roster_options strict = {.strict_wandb = true};
    struct relay_error err;

    (void)state;
    assert_null(load_with("x.yaml", "method: grid\n#RELAY retries 2\n"
                                    "parameters: {a: {value: 1}}\n", &strict,
                          NULL, &err));
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "x.yaml:2: "));
}

static void directories_of_jobs_are_cells(void **state)
{
    static const struct roster_options none;
    struct relay_error err = {0};
    struct roster *r;
    char path[600];

    (void)state;
    temp_mkdir("jobs");
    temp_join("jobs", path, sizeof(path));
    assert_int_equal(roster_load(path, &none, NULL, 0, &r, NULL, &err), -1);
    assert_int_equal(err.code, EX_DATAERR); /* there is none */
    temp_mkdir("jobs/lora-8b");
    temp_mkdir("jobs/full-1b");
    temp_mkdir("jobs/notes");
    temp_text("jobs/lora-8b/JOB.slurm", "#!/bin/sh\n");
    temp_text("jobs/full-1b/JOB.slurm", "#!/bin/sh\n");
    assert_int_equal(roster_load(path, &none, NULL, 0, &r, NULL, &err), 0);
    assert_int_equal(roster_size(r), 2);
    id_is(r, 0, "full-1b");
    params_are(r, 1, "{\"job\": \"lora-8b/JOB.slurm\"}");
    roster_free(r);
}

static void an_index_that_is_not_there_is_an_error(void **state)
{
    struct roster *r = load("n.csv", "a\n1\n");
    struct relay_error err = {0};
    char id[CELL_ID_MAX + 1];
    struct cell cell;

    (void)state;
    assert_int_equal(roster_id(r, 1, id, &err), -1);
    assert_non_null(strstr(err.text, "#1"));
    assert_int_equal(roster_cell(r, UINT64_MAX, &cell, &err), -1);
    cell_free(&cell);
    assert_false(roster_withdrawn(r, 1));
    roster_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_is_a_python_literal_or_a_string),
        cmocka_unit_test(windows_files_and_comments_are_read),
        cmocka_unit_test(run_id_names_the_cell),
        cmocka_unit_test(a_bad_csv_is_refused_with_its_place),
        cmocka_unit_test(an_id_is_the_hash_of_the_parameters),
        cmocka_unit_test(the_seed_is_a_suffix),
        cmocka_unit_test(excluded_parameters_are_not_in_the_id),
        cmocka_unit_test(an_edited_configuration_makes_another_cell),
        cmocka_unit_test(a_missing_configuration_is_named),
        cmocka_unit_test(keys_of_hashes_sort_as_they_do),
        cmocka_unit_test(a_line_of_a_queue_file_is_a_cell),
        cmocka_unit_test(options_of_a_queue_file),
        cmocka_unit_test(a_bad_queue_line_is_refused_with_its_place),
        cmocka_unit_test(a_cost_is_computed_from_the_parameters),
        cmocka_unit_test(a_grid_is_computed),
        cmocka_unit_test(strict_refuses_relay_lines),
        cmocka_unit_test(directories_of_jobs_are_cells),
        cmocka_unit_test(an_index_that_is_not_there_is_an_error),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
