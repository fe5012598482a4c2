#include "tempdir.h"

#include <sysexits.h>

#include "meta.h"
#include "meta_scan.h"

static struct meta parse(const char *text)
{
    struct relay_error err = {0};
    struct meta meta;

    if (meta_parse(text, strlen(text), "m.json", &meta, &err) != 0)
        fail_msg("%s", err.text);
    return meta;
}

static void assert_splice(const char *text, const char *name,
                          const char *value, const char *want)
{
    struct relay_error err = {0};
    size_t len = 0;
    char *out = meta_splice(text, strlen(text), name, value, &len, &err);

    assert_non_null(out);
    assert_string_equal(out, want);
    assert_int_equal(len, strlen(want));
    free(out);
}

static void assert_remove(const char *text, const char *name,
                          const char *want)
{
    struct relay_error err = {0};
    size_t len = 0;
    char *out = meta_remove(text, strlen(text), name, &len, &err);

    assert_non_null(out);
    assert_string_equal(out, want);
    assert_int_equal(len, strlen(want));
    free(out);
}

static void reads_members(void **state)
{
    struct meta m = parse(
        "{\"last_checkpoint_step\": 120000, \"last_step\": 120500,\n"
        " \"run_name\": \"idql-seed-1\", \"run_dir\": \"/s/ckpt/idql-seed-1/\","
        " \"run_id\": \"ab12\", \"completed\": false, \"wandb_entity\": \"lab\","
        " \"project\": \"robots\", \"other\": {\"run_dir\": \"/no\"}}");

    (void)state;
    assert_int_equal(m.step, 120000);
    assert_string_equal(m.run_name, "idql-seed-1");
    assert_string_equal(m.run_dir, "/s/ckpt/idql-seed-1");
    assert_string_equal(m.run_id, "ab12");
    assert_string_equal(m.entity, "lab");
    assert_string_equal(m.project, "robots");
    assert_false(m.completed);
    assert_true(m.refuted);
    assert_null(m.moved_to);
    meta_free(&m);
}

static void reads_steps_in_every_spelling(void **state)
{
    static const struct {
        const char *text;
        int64_t step;
    } cases[] = {
        {"{}", -1},
        {"{\"last_step\": 7}", 7},
        {"{\"last_checkpoint_step\": null, \"last_step\": 7}", 7},
        {"{\"last_checkpoint_step\": 0, \"last_step\": 7}", 0},
        {"{\"last_step\": 12.0}", 12},
        {"{\"last_step\": 1.2e1}", 12},
        {"{\"last_step\": 12.5}", -1},
        {"{\"last_step\": 1e400}", -1},
        {"{\"last_step\": -3}", -1},
        {"{\"last_step\": NaN}", -1},
        {"{\"last_step\": \"7\"}", -1},
        {"{\"last_step\": true}", -1},
        {"{\"last_step\": 123456789012345678901234567890}", -1},
        {"{\"last_step\": 1, \"last_step\": 2}", 2},
        {"{\"last\\u005fstep\": 9}", 9},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct meta m = parse(cases[i].text);

        if (m.step != cases[i].step)
            print_error("in %s\n", cases[i].text);
        assert_int_equal(m.step, cases[i].step);
        meta_free(&m);
    }
}

static void knows_completed_and_stub(void **state)
{
    struct meta m = parse("{\"completed\": true, \"run_dir\": null}");

    (void)state;
    assert_true(m.completed);
    assert_false(m.refuted);
    assert_null(m.run_dir);
    assert_null(meta_name(&m));
    meta_free(&m);
    m = parse("{\"completed\": \"true\"}");
    assert_false(m.completed);
    meta_free(&m);
    m = parse("{\"run_dir\": \"/dev/null/moved-to-iris\", \"moved_to\": "
              "{\"cluster\": \"iris\", \"term\": 4, \"time\": 1}}");
    assert_string_equal(m.moved_to, "iris");
    assert_int_equal(m.moved_term, 4);
    meta_free(&m);
}

static void name_is_run_name_or_basename(void **state)
{
    struct meta m = parse("{\"run_dir\": \"/x/idql-seed-1//\"}");

    (void)state;
    assert_string_equal(meta_name(&m), "idql-seed-1");
    meta_free(&m);
    m = parse("{\"run_dir\": \"/x/dir\", \"run_name\": \"n\"}");
    assert_string_equal(meta_name(&m), "n");
    meta_free(&m);
    m = parse("{\"run_dir\": \"/\"}");
    assert_null(meta_name(&m));
    meta_free(&m);
}

static void decodes_strings(void **state)
{
    struct meta m = parse("{\"run_name\": \"a\\\"\\\\\\/\\n\\u00e9\\ud83d\\ude00"
                          "\\udcff\\ud800x\"}");

    (void)state;
    assert_string_equal(m.run_name, "a\"\\/\n\xc3\xa9\xf0\x9f\x98\x80\xff"
                                    "\xef\xbf\xbdx");
    meta_free(&m);
}

static void refuses_with_a_position(void **state)
{
    static const char *const bad[] = {
        "", "[]", "1", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1} x",
        "{\"a\":01}", "{\"a\":+1}", "{\"a\":.5}", "{\"a\":1.}", "{\"a\":1e}",
        "{\"a\":tru}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"b",
        "{\"a\":\"tab\there\"}", "{a:1}", "{\"a\":[1,2}", "{\"a\":[1 2]}",
        "{\"a\" 1}", "{\"a\":1 \"b\":2}", "\xef\xbb\xbf{}",
        "{\"run_dir\": \"/a\\u0000b\"}", "{\"a\":-}", "{\"a\":{\"b\":}}",
    };
    struct relay_error err = {0};
    struct meta m;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int rc = meta_parse(bad[i], strlen(bad[i]), "m.json", &m, &err);

        if (rc == 0)
            print_error("accepted: %s\n", bad[i]);
        assert_int_equal(rc, -1);
        assert_int_equal(err.code, EX_DATAERR);
    }
    assert_int_equal(meta_parse("{\n\"a\": 1,\n\"b\" 2}", 17, "dir/m.json", &m,
                                &err), -1);
    assert_non_null(strstr(err.text, "dir/m.json:3:5"));
    assert_int_equal(meta_parse("{\"a\0\": 1}", 9, "m.json", &m, &err), -1);
}

static void refuses_bottomless_nesting(void **state)
{
    struct relay_error err = {0};
    static char deep[200006];
    struct meta m;

    (void)state;
    memcpy(deep, "{\"a\":", 5);
    memset(deep + 5, '[', 200000);
    assert_int_equal(meta_parse(deep, 200005, "m.json", &m, &err), -1);
    assert_non_null(strstr(err.text, "deep"));
}

static void splices_where_it_stands(void **state)
{
    (void)state;
    assert_splice("{\"a\": 1e400, \"run_dir\" : \"/old\" ,\"n\": "
                  "123456789012345678901234567890, \"x\": NaN}",
                  "run_dir", "\"/new\"",
                  "{\"a\": 1e400, \"run_dir\" : \"/new\" ,\"n\": "
                  "123456789012345678901234567890, \"x\": NaN}");
    /* The name inside other strings and other objects is not it. */
    assert_splice("{\"note\": \"\\\"run_dir\\\": 1\", \"in\": {\"run_dir\": 2},"
                  "\"l\": [{\"run_dir\": 3}], \"run_dir\": [4, {\"b\": 5}]}",
                  "run_dir", "6",
                  "{\"note\": \"\\\"run_dir\\\": 1\", \"in\": {\"run_dir\": 2},"
                  "\"l\": [{\"run_dir\": 3}], \"run_dir\": 6}");
    /* Python reads the last of duplicates. */
    assert_splice("{\"a\": 1, \"a\": 2, \"b\": 3}", "a", "9",
                  "{\"a\": 1, \"a\": 9, \"b\": 3}");
    assert_splice("{\r\n  \"a\": 1,\r\n  \"b\": 2\r\n}\r\n", "a", "true",
                  "{\r\n  \"a\": true,\r\n  \"b\": 2\r\n}\r\n");
    assert_splice("{\"a\\u0062\":1.50}", "ab", "2", "{\"a\\u0062\":2}");
}

static void splices_at_the_end(void **state)
{
    (void)state;
    assert_splice("{}", "a", "1", "{\"a\": 1}");
    assert_splice(" { \n}\n", "a", "1", " {\"a\": 1 \n}\n");
    assert_splice("{\"x\": 1, \"y\": 2}", "a", "\"b\"",
                  "{\"x\": 1, \"y\": 2, \"a\": \"b\"}");
    assert_splice("{\n  \"x\": 1\n}", "a", "{}",
                  "{\n  \"x\": 1,\n  \"a\": {}\n}");
}

static void removes_with_the_comma(void **state)
{
    (void)state;
    assert_remove("{\"a\": 1, \"b\": 2}", "a", "{\"b\": 2}");
    assert_remove("{\"a\": 1, \"b\": 2}", "b", "{\"a\": 1}");
    assert_remove("{\"a\": 1}", "a", "{}");
    assert_remove("{\"a\": 1 , \"b\": 2,\n \"c\": 3}", "b",
                  "{\"a\": 1,\n \"c\": 3}");
    assert_remove("{\"a\": 1, \"a\": 2, \"c\": 3, \"a\": 4}", "a",
                  "{\"c\": 3}");
    assert_remove("{\"a\": 1, \"a\": 2}", "a", "{}");
    assert_remove("{\"a\": 1}\r\n", "b", "{\"a\": 1}\r\n");
}

static void quotes_as_python_does(void **state)
{
    char *q = meta_quote("/a\"b\\c\n\x7f\xc3\xa9\xf0\x9f\x98\x80\xff\xc3");

    (void)state;
    assert_string_equal(q, "\"/a\\\"b\\\\c\\u000a\\u007f\\u00e9\\ud83d\\ude00"
                           "\\udcff\\udcc3\"");
    free(q);
    q = meta_quote("\xed\xa0\x80\xe0\x80\x80");
    assert_string_equal(q, "\"\\udced\\udca0\\udc80\\udce0\\udc80\\udc80\"");
    free(q);
}

static void assert_local(const char *text, const struct path_map *maps,
                         size_t n, const char *want, const char *want_dir)
{
    struct relay_error err = {0};
    struct meta m = parse(text);
    char *dir = NULL;
    size_t len = 0;
    char *out = meta_localise(&m, "/iris/ckpt/", maps, n, &dir, &len, &err);

    if (out == NULL)
        fail_msg("%s", err.text);
    assert_string_equal(out, want);
    assert_int_equal(len, strlen(want));
    if (want_dir == NULL)
        assert_null(dir);
    else
        assert_string_equal(dir, want_dir);
    free(out);
    free(dir);
    meta_free(&m);
}

static void localises_run_dir(void **state)
{
    (void)state;
    assert_local("{\"run_dir\": \"/s/u/ckpt/idql-1/\", \"lr\": 3E-4}", NULL, 0,
                 "{\"run_dir\": \"/iris/ckpt/idql-1\", \"lr\": 3E-4}",
                 "/iris/ckpt/idql-1");
    assert_local("{\"run_dir\": \"./ckpt/idql-1\"}", NULL, 0,
                 "{\"run_dir\": \"/iris/ckpt/idql-1\"}", "/iris/ckpt/idql-1");
    assert_local("{\"lr\": 1}", NULL, 0, "{\"lr\": 1}", NULL);
    assert_local("{\"run_dir\": \"/s/r\", \"moved_to\": {\"cluster\": \"x\"}}",
                 NULL, 0, "{\"run_dir\": \"/iris/ckpt/r\"}", "/iris/ckpt/r");
}

static void localises_by_the_map(void **state)
{
    static char from1[] = "/s", to1[] = "/i/", from2[] = "/s/deep/",
                to2[] = "/d";
    static const struct path_map maps[] = {{from1, to1}, {from2, to2}};

    (void)state;
    assert_local("{\"run_dir\": \"/s/ckpt/r\", \"data\": \"/s/deep/set\", "
                 "\"same\": \"/s\", \"no\": \"/short/x\", \"rel\": \"s/x\", "
                 "\"list\": [\"/s/x\"], \"up\": \"/s/../etc\"}",
                 maps, 2,
                 "{\"run_dir\": \"/i/ckpt/r\", \"data\": \"/d/set\", "
                 "\"same\": \"/i/\", \"no\": \"/short/x\", \"rel\": \"s/x\", "
                 "\"list\": [\"/s/x\"], \"up\": \"/s/../etc\"}",
                 "/i/ckpt/r");
}

static void refuses_a_run_dir_without_name(void **state)
{
    static char from[] = "/s", to[] = "/i";
    static const struct path_map map = {from, to};
    static const char *const bad[] = {"/", "/a/..", "/a/.", "", "..",
                                      "/s/../etc/x"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct relay_error err = {0};
        char text[100];
        struct meta m;
        char *dir = NULL;
        size_t len = 0;

        snprintf(text, sizeof(text), "{\"run_dir\": \"%s\"}", bad[i]);
        m = parse(text);
        assert_null(meta_localise(&m, "/r", &map, 1, &dir, &len, &err));
        assert_null(dir);
        assert_int_equal(err.code, EX_DATAERR);
        meta_free(&m);
    }
}

static void reads_the_file(void **state)
{
    struct relay_error err = {0};
    struct meta m;
    int fd;

    (void)state;
    temp_mkdir("r");
    fd = openat(temp.fd, "r", O_RDONLY | O_DIRECTORY);
    assert_int_equal(meta_read(fd, "r", &m, &err), -1);
    assert_int_equal(err.code, EX_NOINPUT);
    temp_text("r/resume_meta.json", "{\"last_step\": 5");
    assert_int_equal(meta_read(fd, "the/dir", &m, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "the/dir/resume_meta.json:1:16"));
    temp_text("r/resume_meta.json", "{\"last_step\": 5}");
    assert_int_equal(meta_read(fd, "r", &m, &err), 0);
    assert_int_equal(m.step, 5);
    assert_string_equal(m.text, "{\"last_step\": 5}");
    meta_free(&m);
    close(fd);
}

static void finds_a_path_across_blocks(void **state)
{
    size_t block = (size_t)1 << 20;
    size_t len = 2 * block + 100;
    char *data = calloc(1, len);

    (void)state;
    memcpy(data + block - 5, "/scratch/ada", 12);
    temp_write("pt", data, len);
    assert_true(meta_path_in_file(temp.fd, "pt", "/scratch/ada"));
    assert_false(meta_path_in_file(temp.fd, "pt", "/scratch/bob"));
    assert_false(meta_path_in_file(temp.fd, "nope", "/scratch/ada"));
    assert_false(meta_path_in_file(temp.fd, "pt", ""));
    memset(data, 0, len);
    memcpy(data + len - 12, "/scratch/ada", 12);
    temp_write("pt", data, len);
    assert_true(meta_path_in_file(temp.fd, "pt", "/scratch/ada"));
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_members),
        cmocka_unit_test(reads_steps_in_every_spelling),
        cmocka_unit_test(knows_completed_and_stub),
        cmocka_unit_test(name_is_run_name_or_basename),
        cmocka_unit_test(decodes_strings),
        cmocka_unit_test(refuses_with_a_position),
        cmocka_unit_test(refuses_bottomless_nesting),
        cmocka_unit_test(splices_where_it_stands),
        cmocka_unit_test(splices_at_the_end),
        cmocka_unit_test(removes_with_the_comma),
        cmocka_unit_test(quotes_as_python_does),
        cmocka_unit_test(localises_run_dir),
        cmocka_unit_test(localises_by_the_map),
        cmocka_unit_test(refuses_a_run_dir_without_name),
        cmocka_unit_test(reads_the_file),
        cmocka_unit_test(finds_a_path_across_blocks),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
