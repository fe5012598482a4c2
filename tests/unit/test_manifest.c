#include "tempdir.h"

#include <sysexits.h>

#include "jsonfile.h"
#include "manifest.h"

static const char abc[] =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static struct manifest scan(const char *path, int with_digests)
{
    struct relay_error err = {0};
    struct manifest m = {0};

    if (manifest_of_dir(temp.fd, path, with_digests, &m, &err) != 0)
        fail_msg("%s", err.text);
    return m;
}

static void lists_files_in_order(void **state)
{
    struct manifest m;

    (void)state;
    temp_mkdir("d");
    temp_mkdir("d/sub");
    temp_text("d/z", "12345");
    temp_text("d/sub/new\nline", "abc");
    temp_text("d/a", "");
    m = scan("d", 1);
    assert_int_equal(m.n, 3);
    assert_int_equal(m.bytes, 8);
    assert_string_equal(m.files[0].path, "a");
    assert_string_equal(m.files[1].path, "sub/new\nline");
    assert_string_equal(m.files[1].sha256, abc);
    assert_int_equal(m.files[2].size, 5);
    assert_true(m.files[2].mtime_ns > (int64_t)1000000000 * 1000000000);
    assert_non_null(manifest_find(&m, "z"));
    assert_null(manifest_find(&m, "y"));
    manifest_free(&m);
    m = scan("d", 0);
    assert_string_equal(m.files[2].sha256, "");
    manifest_free(&m);
}

static void refuses_what_cannot_be_copied(void **state)
{
    struct relay_error err = {0};
    struct manifest m = {0};

    (void)state;
    temp_mkdir("links");
    assert_int_equal(symlinkat("/etc/passwd", temp.fd, "links/pw"), 0);
    assert_int_equal(manifest_of_dir(temp.fd, "links", 0, &m, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "pw"));
    manifest_free(&m);
    temp_mkdir("fifos");
    assert_int_equal(mkfifoat(temp.fd, "fifos/f", 0600), 0);
    assert_int_equal(manifest_of_dir(temp.fd, "fifos", 1, &m, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    manifest_free(&m);
    assert_int_equal(manifest_of_dir(temp.fd, "none", 1, &m, &err), -1);
    manifest_free(&m);
}

static void tells_what_differs(void **state)
{
    struct relay_error err = {0};
    struct manifest want = {0}, have = {0};
    char text[300];

    (void)state;
    assert_int_equal(manifest_add(&want, "a", 3, 1, abc, &err), 0);
    assert_int_equal(manifest_add(&want, "b", 3, 1, abc, &err), 0);
    assert_int_equal(manifest_add(&have, "b", 3, 2, abc, &err), 0);
    assert_int_equal(manifest_add(&have, "extra", 3, 2, abc, &err), 0);
    assert_int_equal(manifest_diff(&want, &have, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "a is missing"));
    assert_int_equal(manifest_add(&have, "a", 4, 1, abc, &err), 0);
    assert_int_equal(manifest_diff(&want, &have, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "a has another size"));
    have.files[2].size = 3;
    assert_int_equal(manifest_diff(&want, &have, text, sizeof(text)), 0);
    assert_string_equal(text, "");
    have.files[0].sha256[0] = '0';
    assert_int_equal(manifest_diff(&want, &have, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "b has another digest"));
    manifest_free(&want);
    manifest_free(&have);
}

static void goes_through_json(void **state)
{
    struct relay_error err = {0};
    struct manifest m = {0}, back = {0};
    struct json_object *json;
    char text[100];

    (void)state;
    assert_int_equal(manifest_add(&m, "sub/\xff\n", 7, 1234567890123456789,
                                  abc, &err), 0);
    json = manifest_to_json(&m);
    assert_int_equal(json_save(temp.fd, "m.json", json, &err), 0);
    json_object_put(json);
    json = json_load(temp.fd, "m.json", &err);
    assert_int_equal(manifest_from_json(json, &back, &err), 0);
    json_object_put(json);
    assert_int_equal(manifest_diff(&m, &back, text, sizeof(text)), 0);
    assert_string_equal(back.files[0].path, "sub/\xff\n");
    assert_int_equal(back.files[0].mtime_ns, 1234567890123456789);
    assert_int_equal(back.bytes, 7);
    manifest_free(&m);
    manifest_free(&back);
}

static void believes_no_path_that_leads_out(void **state)
{
    static const char *const bad[] = {
        "[{\"path\": \"/etc/passwd\"}]", "[{\"path\": \"../x\"}]",
        "[{\"path\": \"a/../../x\"}]", "[{\"path\": \"\"}]",
        "[{\"path\": \"a/..\"}]", "[{\"path\": \".\"}]",
        "[{\"path\": \"a//b\"}]", "[{\"path\": \"a/\"}]",
        "[{\"path\": \"a\", \"size\": -1}]",
        "[{\"path\": \"a\", \"sha256\": \"12\"}]", "[{\"size\": 1}]",
        "[17]", "{\"path\": \"a\"}"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct relay_error err = {0};
        struct manifest m = {0};
        struct json_object *json =
            json_parse(bad[i], strlen(bad[i]), "m", &err);

        assert_non_null(json);
        if (manifest_from_json(json, &m, &err) == 0)
            print_error("accepted: %s\n", bad[i]);
        assert_int_equal(err.code, EX_DATAERR);
        json_object_put(json);
        manifest_free(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_files_in_order),
        cmocka_unit_test(refuses_what_cannot_be_copied),
        cmocka_unit_test(tells_what_differs),
        cmocka_unit_test(goes_through_json),
        cmocka_unit_test(believes_no_path_that_leads_out),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
