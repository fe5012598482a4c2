/* What a submission asks for. How sbatch 22.05 reads these lines was measured
 * with sbatch -vv --test-only. */
#include "tempdir.h"

#include <sysexits.h>

#include "move/gres.h"
#include "move/request.h"

static struct request req;
static struct relay_error err;

static int no_variables(void **state)
{
    static const char *const names[] = {
        "SBATCH_PARTITION", "SBATCH_QOS", "SBATCH_GRES", "SBATCH_GPUS",
        "SBATCH_GPUS_PER_NODE", "SBATCH_CONSTRAINT", "SBATCH_ARRAY_INX",
        "SBATCH_JOB_NAME", "SBATCH_CLUSTERS", "SLURM_CLUSTERS",
        "SBATCH_TIMELIMIT", "SBATCH_ACCOUNT", "SBATCH_RESERVATION"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
    return chdir(temp.path);
}

/* Words apart by blanks. */
static int read_words(const char *line)
{
    static char copy[2000];
    static char *argv[64];
    char *rest = NULL, *word;
    int argc = 0;

    snprintf(copy, sizeof(copy), "%s", line);
    for (word = strtok_r(copy, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    memset(&err, 0, sizeof(err));
    return request_read(argv, argc, &req, &err);
}

static void good(const char *line)
{
    if (read_words(line) != 0)
        fail_msg("%s: %s", line, err.text);
}

static void bad(const char *line, int code, const char *words)
{
    if (read_words(line) != -1 || err.code != code ||
        strstr(err.text, words) == NULL)
        fail_msg("%s: %d \"%s\"", line, err.code, err.text);
}

static void the_script_is_found_behind_the_options(void **state)
{
    static const struct {
        const char *line;
        int at;
    } cases[] = {
        {"t.sh", 0},
        {"-p iris-hi t.sh", 2},
        {"-piris-hi t.sh", 1},
        {"--partition iris-hi t.sh -p other", 2},
        {"--partition=iris-hi t.sh", 1},
        {"--part iris-hi t.sh", 2},
        {"--time 1:00 t.sh", 2},       /* all of a name, though --time-min */
        {"--exclusive t.sh", 1},       /* its value only with = */
        {"--exclusive=user t.sh", 1},
        {"--nice t.sh", 1},
        {"-k t.sh", 1},
        {"-QHn2 t.sh", 1},
        {"-QHn 2 t.sh", 2},
        {"-N 2 -- t.sh --x", 3},
        {"--no-requeue --hold --wait t.sh", 3},
        {"--tasks-per-node 4 t.sh", 2},
        {"--resume-key a/b/c t.sh", 2},
        {"--resume a/b/c t.sh", 2},
        {"--handoff-from=sherlock:4711 t.sh", 1},
        {"--future=7 t.sh", 1},        /* of a later Slurm */
        {"--future -p x t.sh", 3},
        {"--tres-per-task gres/gpu:1 t.sh", 2},
        {"-J=x t.sh", 1},
    };
    size_t i;

    (void)state;
    temp_text("t.sh", "#!/bin/sh\n");
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        good(cases[i].line);
        if (req.script_at != cases[i].at || req.script == NULL ||
            strcmp(req.script, "t.sh") != 0)
            fail_msg("%s: %d", cases[i].line, req.script_at);
    }
    good("-p x --wrap=true");
    assert_null(req.script);
    assert_true(req.wrap);
    assert_int_equal(req.script_at, 3);
    good("");
    assert_null(req.script);
    assert_int_equal(req.script_at, 0);
    assert_int_equal(req.nodes, 1);
}

static void what_sbatch_refuses_is_refused(void **state)
{
    (void)state;
    temp_text("t.sh", "#!/bin/sh\n");
    bad("--no=3 t.sh", EX_USAGE,
        "any of --no-kill --no-requeue --nodefile --nodelist --nodes");
    bad("--hold=yes t.sh", EX_USAGE, "--hold takes no value");
    bad("--partition", EX_USAGE, "\"--partition\" needs a value");
    bad("-p", EX_USAGE, "\"-p\" needs a value");
    bad("-Z t.sh", EX_USAGE, "\"-Z\" is no option");
    bad("--future t.sh", EX_USAGE, "write --future=VALUE");
    bad("-p a : -p b t.sh", EX_USAGE, "heterogeneous");
    bad("--wrap=true t.sh", EX_USAGE, "one of them");
    bad("nowhere.sh", EX_NOINPUT, "nowhere.sh");
    bad(".", EX_NOINPUT, "");
}

static void lines_of_the_script_count(void **state)
{
    (void)state;
    temp_text("t.sh",
              "#!/bin/bash\n"
              "#SBATCH -p \"a b\" --gres=gpu:h100:2 # comment --qos=no\n"
              "# plain\n"
              "#SBATCH --comment='it''s' --job-name=x\\\\y\n"
              "\n"
              "#SBATCH\t-N2\n"
              "  # indented comment\n"
              " #SBATCH --exclude=nope\n"
              "#SBATCH--constraint=zz\n"
              "#SBATCH --array 3 \"\" -w n1\n" /* an empty word ends a line */
              "#SBATCH --account=\"a # b\" --time=1:00#--qos=x\n"
              "#SBATCH --part\n"
              "#SBATCH p\n" /* the words of all lines are one list */
              "echo\n"
              "#SBATCH --qos=late\n");
    good("t.sh");
    assert_string_equal(req.partition, "p");
    assert_string_equal(req.gpu, "h100");
    assert_int_equal(req.gpus, 4);
    assert_int_equal(req.nodes, 2);
    assert_string_equal(req.comment, "its");
    assert_true(req.has_comment);
    assert_string_equal(req.job_name, "x\\y");
    assert_string_equal(req.exclude, "");
    assert_string_equal(req.constraint, "zz");
    assert_string_equal(req.array, "3");
    assert_string_equal(req.nodelist, "");
    assert_string_equal(req.account, "a # b");
    assert_string_equal(req.time, "1:00");
    assert_string_equal(req.qos, "");
}

static void lines_that_are_wrong_name_the_script(void **state)
{
    (void)state;
    temp_text("t.sh", "#!/bin/sh\n#SBATCH --comment \"open\n");
    bad("t.sh", EX_DATAERR, "t.sh, line 2: a \" that nothing closes");
    temp_text("t.sh", "#!/bin/sh\n#SBATCH -p a foo --qos=x\n");
    bad("t.sh", EX_DATAERR, "t.sh: \"foo\" is no option");
    temp_text("t.sh", "#!/bin/sh\n#SBATCH --what ever\n");
    bad("t.sh", EX_DATAERR, "the #SBATCH lines of t.sh");
    temp_text("t.sh", "#!/bin/sh\n#SBATCH -p a\n#SBATCH hetjob\n");
    bad("t.sh", EX_DATAERR, "line 3: this is a heterogeneous job");
    temp_text("t.sh", "#!/bin/sh\n#SBATCH :\n");
    bad("t.sh", EX_DATAERR, "heterogeneous");
}

static void the_command_line_wins_then_the_environment(void **state)
{
    (void)state;
    temp_text("t.sh", "#!/bin/sh\n#SBATCH -p script -q script -C script\n");
    setenv("SBATCH_PARTITION", "environment", 1);
    setenv("SBATCH_QOS", "environment", 1);
    good("-p line -p last t.sh");
    assert_string_equal(req.partition, "last");
    assert_string_equal(req.qos, "environment");
    assert_string_equal(req.constraint, "script");
    setenv("SBATCH_PARTITION", "", 1); /* then it is the default one */
    good("t.sh");
    assert_string_equal(req.partition, "");
    no_variables(NULL);
    good("-w iris9,iris10,iris-hgx-1 -x bad --array=7 --time=18:00:00 "
         "--resume-key=lab/robots/idql t.sh");
    assert_string_equal(req.nodelist, "iris9,iris10,iris-hgx-1");
    assert_string_equal(req.exclude, "bad");
    assert_string_equal(req.array, "7");
    assert_string_equal(req.time, "18:00:00");
    assert_string_equal(req.resume_key, "lab/robots/idql");
    assert_false(req.has_comment);
}

static void gpus_are_counted_for_the_whole_job(void **state)
{
    static const struct {
        const char *line;
        int gpus;
        const char *type;
    } cases[] = {
        {"t.sh", 0, ""},
        {"--gres=gpu t.sh", 1, ""},
        {"--gres=gpu:2 t.sh", 2, ""},
        {"--gres=gpu:a100 t.sh", 1, "a100"},
        {"--gres=gpu:a100:4 -N2 t.sh", 8, "a100"},
        {"--gres=mps:400,gpu:rtx_2080_ti:2 t.sh", 2, "rtx_2080_ti"},
        {"--gres=lustre:1 t.sh", 0, ""},
        {"-G 3 t.sh", 3, ""},
        {"-Gh100:3 -N2 t.sh", 3, "h100"},
        {"--gpus=h100:1,a100:2 t.sh", 3, "h100,a100"},
        {"--gpus-per-node=v100:2 -N 3-5 t.sh", 6, "v100"},
        {"--gpus-per-task=1 -n 4 t.sh", 4, ""},
        {"--gpus-per-task=1 -N2 --ntasks-per-node=4 t.sh", 8, ""},
        {"--tres-per-task=cpu=2,gres/gpu:h100=2 -n 2 t.sh", 4, "h100"},
        {"--gpus-per-socket=2 --sockets-per-node=2 t.sh", 4, ""},
        {"--ntasks-per-gpu=4 -n 8 t.sh", 2, ""},
        {"--gpus=3 --gres=gpu:h100:1 t.sh", 3, "h100"},
        {"--gres=gpu:1g.10gb:2 t.sh", 2, "1g.10gb"},
        {"--gres=gpu:1 -n 8 --ntasks-per-node=3 t.sh", 3, ""},
        {"--gres=none t.sh", 0, ""},
    };
    size_t i;

    (void)state;
    temp_text("t.sh", "#!/bin/sh\n");
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        good(cases[i].line);
        if (req.gpus != cases[i].gpus || strcmp(req.gpu, cases[i].type) != 0)
            fail_msg("%s: %d of \"%s\"", cases[i].line, req.gpus, req.gpu);
    }
}

static void texts_of_gres_are_read(void **state)
{
    (void)state;
    assert_int_equal(gres_gpus("gres:gpu:h100:2", false), 2);
    assert_int_equal(gres_gpus("gres/gpu=2", false), 2);
    assert_int_equal(gres_gpus("gres/gpu:h100:2", false), 2);
    assert_int_equal(gres_gpus("cpu=8,mem=64G,node=2,billing=8,gres/gpu=4,"
                               "gres/gpu:h100=4", false), 4);
    assert_int_equal(gres_gpus("gres/gpu:a100=1,gres/gpu:h100=2", false), 3);
    assert_int_equal(gres_gpus("gpu:h100:4(S:0-1),gpu:a100:4(IDX:0,2-3),"
                               "shard:h100:8", false), 8);
    assert_int_equal(gres_gpus("(null)", false), 0);
    assert_int_equal(gres_gpus("N/A", false), 0);
    assert_int_equal(gres_gpus("", false), 0);
    assert_int_equal(gres_gpus("gpu:0", false), 0);
    assert_int_equal(gres_gpus("gpu:99999999999999999999", false), 1000000);
    assert_int_equal(gres_number("2k"), 2048);
    assert_int_equal(gres_number("2x"), -1);
    assert_int_equal(gres_number("-2"), -1);
}

static void a_file_of_nodes_is_a_node_list(void **state)
{
    (void)state;
    temp_text("t.sh", "#!/bin/sh\n");
    temp_text("nodes", "iris9\niris10\n\niris-hgx-1\n");
    good("-F ./nodes t.sh");
    assert_string_equal(req.nodelist, "iris9,iris10,iris-hgx-1");
    good("--nodelist=./nodes t.sh");
    assert_string_equal(req.nodelist, "iris9,iris10,iris-hgx-1");
    bad("-F ./nothing t.sh", EX_NOINPUT, "./nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_script_is_found_behind_the_options,
                               no_variables),
        cmocka_unit_test_setup(what_sbatch_refuses_is_refused, no_variables),
        cmocka_unit_test_setup(lines_of_the_script_count, no_variables),
        cmocka_unit_test_setup(lines_that_are_wrong_name_the_script,
                               no_variables),
        cmocka_unit_test_setup(the_command_line_wins_then_the_environment,
                               no_variables),
        cmocka_unit_test_setup(gpus_are_counted_for_the_whole_job,
                               no_variables),
        cmocka_unit_test_setup(texts_of_gres_are_read, no_variables),
        cmocka_unit_test_setup(a_file_of_nodes_is_a_node_list, no_variables),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
