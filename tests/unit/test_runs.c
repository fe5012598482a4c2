#include "tempdir.h"

#include <sysexits.h>

#include "digest.h"
#include "runs.h"

/* Makes <root>/<hash of key>/resume_meta.json; returns the hash. */
static const char *make_run(const char *root, const char *key,
                            const char *meta)
{
    static char hash[41];
    char path[600];

    assert_int_equal(digest_key(key, hash, NULL), 0);
    snprintf(path, sizeof(path), "%s/%s", root, hash);
    temp_mkdir(path);
    snprintf(path, sizeof(path), "%s/%s/resume_meta.json", root, hash);
    temp_text(path, meta);
    return hash;
}

static struct run_list list(const char *root)
{
    struct relay_error err = {0};
    struct run_list runs;
    char path[600];

    if (runs_list(temp_join(root, path, sizeof(path)), &runs, &err) != 0)
        fail_msg("%s", err.text);
    return runs;
}

static void lists_by_name(void **state)
{
    struct run_list runs;

    (void)state;
    temp_mkdir("a");
    make_run("a", "lab/p/zeta",
             "{\"run_name\": \"zeta\", \"entity\": \"lab\", \"project\": \"p\","
             " \"last_step\": 7}");
    make_run("a", "lab/p/alpha",
             "{\"run_dir\": \"/x/alpha\", \"completed\": true}");
    make_run("a", "lab/p/broken", "{");
    make_run("a", "lab/p/moved",
             "{\"run_name\": \"moved\", \"run_dir\": "
             "\"/dev/null/moved-to-iris\", \"moved_to\": "
             "{\"cluster\": \"iris\", \"term\": 2}}");
    make_run("a", "lab/p/liar", "{\"run_name\": \"liar\", \"entity\": \"x\", "
                                "\"project\": \"y\"}");
    temp_mkdir("a/.relay");
    temp_mkdir("a/0123456789012345678901234567890123456789");
    temp_text("a/ffffffffffffffffffffffffffffffffffffffff", "a file");
    runs = list("a");
    assert_int_equal(runs.n, 5);
    assert_string_equal(runs.runs[0].name, "alpha");
    assert_true(runs.runs[0].completed);
    assert_int_equal(runs.runs[0].step, -1);
    assert_null(runs.runs[0].key);
    assert_string_equal(runs.runs[1].name, "liar");
    assert_null(runs.runs[1].key); /* its meta says another run's names */
    assert_true(runs.runs[2].stub);
    assert_string_equal(runs.runs[2].moved_to, "iris");
    assert_string_equal(runs.runs[3].key, "lab/p/zeta");
    assert_int_equal(runs.runs[3].step, 7);
    assert_true(runs.runs[3].mtime > 0);
    assert_null(runs.runs[4].name);
    runs_free(&runs);
    runs = list("no/such/root");
    assert_int_equal(runs.n, 0);
    runs_free(&runs);
}

static void names_the_nearest(void **state)
{
    struct run_list runs;
    char *text;

    (void)state;
    temp_mkdir("b");
    make_run("b", "1", "{\"run_name\": \"idql-seed-1\", \"last_step\": 5}");
    make_run("b", "2", "{\"run_name\": \"idql-seed-10\"}");
    make_run("b", "3", "{\"run_name\": \"ppo\\u001b[31m\"}");
    make_run("b", "4", "no json");
    runs = list("b");
    text = runs_nearest(&runs, "idql-seed-2", 2);
    assert_string_equal(text, "  idql-seed-1 (step 5)\n  idql-seed-10\n");
    free(text);
    text = runs_nearest(&runs, "ppo", 1);
    assert_string_equal(text, "  ppo?[31m\n");
    free(text);
    text = runs_nearest(&runs, "x", 0);
    assert_string_equal(text, "");
    free(text);
    runs_free(&runs);
    runs = list("nowhere");
    text = runs_nearest(&runs, "x", 5);
    assert_string_equal(text, "");
    free(text);
}

static void resolves_what_people_type(void **state)
{
    struct relay_error err = {0};
    struct run_list runs;
    char want[41], hash[41], prefix[8];

    (void)state;
    temp_mkdir("c");
    snprintf(want, sizeof(want), "%s",
             make_run("c", "lab/p/s-1", "{\"run_name\": \"s-1\"}"));
    make_run("c", "lab/p/s-10", "{\"run_name\": \"s-10\"}");
    make_run("c", "lab/q/twin", "{\"run_name\": \"twin\"}");
    make_run("c", "lab/r/twin", "{\"run_name\": \"twin\"}");
    runs = list("c");
    assert_int_equal(runs_resolve(&runs, "lab/p/s-1", hash, &err), 0);
    assert_string_equal(hash, want);
    assert_int_equal(runs_resolve(&runs, "s-1", hash, &err), 0);
    assert_string_equal(hash, want);
    assert_int_equal(runs_resolve(&runs, want, hash, &err), 0);
    assert_string_equal(hash, want);
    snprintf(prefix, sizeof(prefix), "%.7s", want);
    assert_int_equal(runs_resolve(&runs, prefix, hash, &err), 0);
    assert_string_equal(hash, want);
    prefix[5] = '\0'; /* five digits are too few */
    assert_int_equal(runs_resolve(&runs, prefix, hash, &err), -1);
    assert_int_equal(runs_resolve(&runs, "twin", hash, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "more than one"));
    assert_int_equal(runs_resolve(&runs, "s-2", hash, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "  s-1\n"));
    runs_free(&runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_by_name),
        cmocka_unit_test(names_the_nearest),
        cmocka_unit_test(resolves_what_people_type),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
