#include "tempdir.h"

#include <math.h>
#include <sysexits.h>

#include "jsonfile.h"

static struct json_object *parse(const char *text, struct relay_error *err)
{
    return json_parse(text, strlen(text), "meta.json", err);
}

static void parses_what_python_writes(void **state)
{
    struct relay_error err = {0};
    struct json_object *obj =
        parse("{\"a\": NaN, \"b\": -Infinity, \"c\": 1e400, \"d\": 12.0, "
              "\"e\": \"\\u00e9\", \"f\": null, \"g\": true}\n", &err);

    (void)state;
    assert_non_null(obj);
    assert_true(isnan(json_object_get_double(json_get(obj, "a"))));
    assert_int_equal(json_int(obj, "d", -1), 12);
    assert_int_equal(json_int(obj, "a", -1), -1);
    assert_int_equal(json_int(obj, "b", -1), -1);
    assert_int_equal(json_int(obj, "c", -1), -1);
    assert_int_equal(json_int(obj, "e", -1), -1);
    assert_string_equal(json_str(obj, "e", ""), "\xc3\xa9");
    assert_string_equal(json_str(obj, "f", "none"), "none");
    assert_string_equal(json_str(obj, "zz", "none"), "none");
    assert_true(json_flag(obj, "g", false));
    assert_true(json_flag(obj, "e", true));
    json_object_put(obj);
}

static void takes_a_bare_number(void **state)
{
    struct relay_error err = {0};
    struct json_object *obj = parse("42", &err);

    (void)state;
    assert_non_null(obj);
    assert_int_equal(json_object_get_int(obj), 42);
    assert_null(json_get(obj, "x"));
    json_object_put(obj);
}

static void refuses_with_a_position(void **state)
{
    static const char *const bad[] = {
        "", "{", "{\"a\": }", "{} x", "{\"a\": 1,}", "[1] [2]", "nul", "null",
        "{\"a\": 1} // c", "\"open",
    };
    struct relay_error err = {0};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct json_object *obj = parse(bad[i], &err);

        if (obj != NULL)
            print_error("accepted: %s\n", bad[i]);
        assert_null(obj);
        assert_int_equal(err.code, EX_DATAERR);
    }
    assert_null(parse("{\n  \"a\": 1,\n  \"b\": oops\n}\n", &err));
    assert_non_null(strstr(err.text, "meta.json:3:8"));
}

static void refuses_bottomless_nesting(void **state)
{
    struct relay_error err = {0};
    static char deep[100001];

    (void)state;
    memset(deep, '[', sizeof(deep) - 1);
    assert_null(parse(deep, &err));
    assert_int_equal(err.code, EX_DATAERR);
}

static void saves_and_loads(void **state)
{
    struct relay_error err = {0};
    struct json_object *obj = json_object_new_object();
    struct json_object *back;

    (void)state;
    json_add_int(obj, "format", 1);
    json_add_str(obj, "path", "/a/b");
    json_add_str(obj, "none", NULL);
    json_add_bool(obj, "ok", true);
    assert_int_equal(json_save(temp.fd, "rec", obj, &err), 0);
    json_object_put(obj);
    back = json_load(temp.fd, "rec", &err);
    assert_non_null(back);
    assert_string_equal(json_str(back, "path", ""), "/a/b");
    assert_null(json_get(back, "none"));
    assert_true(json_flag(back, "ok", false));
    json_object_put(back);
    assert_null(json_load(temp.fd, "missing", &err));
    assert_int_equal(err.code, EX_NOINPUT);
    temp_text("broken", "{\"a\":");
    assert_null(json_load(temp.fd, "broken", &err));
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, temp.path));
}

static int check_format(const char *text, struct relay_error *err)
{
    struct json_object *obj = parse(text, err);
    int rc = json_check_format(obj, "file", err);

    json_object_put(obj);
    return rc;
}

static void knows_newer_formats(void **state)
{
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(check_format("{\"format\": 1, \"new\": 0}", &err), 0);
    assert_int_equal(check_format("{\"format\": 2}", &err), -1);
    assert_int_equal(err.code, EX_CONFIG);
    assert_int_equal(check_format("{\"a\": 2}", &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_int_equal(check_format("[1]", &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_what_python_writes),
        cmocka_unit_test(takes_a_bare_number),
        cmocka_unit_test(refuses_with_a_position),
        cmocka_unit_test(refuses_bottomless_nesting),
        cmocka_unit_test(saves_and_loads),
        cmocka_unit_test(knows_newer_formats),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
