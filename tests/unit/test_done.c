#include "tempdir.h"

#include "done.h"

static struct done_run here;

static enum done look(const char *check)
{
    char *checks[] = {(char *)(uintptr_t)check};
    char why[300];

    return done_look(checks, 1, &here, why, sizeof(why));
}

static int setup(void **state)
{
    static char log[600];

    if (temp_setup(state) != 0)
        return -1;
    here = (struct done_run){.dir = temp.path,
                             .log = temp_join("log", log, sizeof(log)),
                             .step = 300, .exited_0 = true, .deep = true};
    temp_text("log", "step 1\nTraining finished.\n");
    temp_text("empty", "");
    temp_text("summary.json",
              "{\"ok\": true, \"best\": {\"loss\": 0.5, \"name\": \"a b\"}, "
              "\"n\": 3.0, \"gone\": null}");
    return 0;
}

static void checks_have_a_form(void **state)
{
    static const char *const good[] = {
        "exit0", "step >= 10", "model.pt exists", "out/a.json nonempty",
        "model.safetensors loads", "summary.json json ok == true",
        "summary.json json best.name == a b", "log matches ^done [0-9]+$",
        "log exists",
    };
    static const char *const bad[] = {
        "", "exit0 now", "step >= many", "step > 10", "model.pt",
        "model.pt exists twice", "model.pt is there", "/etc/passwd exists",
        "../x exists", "a/../../x exists", "s.json json ok = true",
        "s.json json ok ==", "log matches", "log matches (",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (done_check_form(good[i]) != NULL)
            fail_msg("%s: %s", good[i], done_check_form(good[i]));
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (done_check_form(bad[i]) == NULL)
            fail_msg("%s was accepted", bad[i]);
}

static void files_and_steps_are_looked_at(void **state)
{
    (void)state;
    assert_int_equal(look("empty exists"), DONE_YES);
    assert_int_equal(look("empty nonempty"), DONE_NOT);
    assert_int_equal(look("log nonempty"), DONE_YES);
    assert_int_equal(look("nothing exists"), DONE_NOT);
    assert_int_equal(look("step >= 300"), DONE_YES);
    assert_int_equal(look("step >= 301"), DONE_NOT);
    assert_int_equal(look("log matches ^Training fin"), DONE_YES);
    assert_int_equal(look("log matches ^fin"), DONE_NOT);
}

static void json_values_are_compared(void **state)
{
    (void)state;
    assert_int_equal(look("summary.json json ok == true"), DONE_YES);
    assert_int_equal(look("summary.json json ok == false"), DONE_NOT);
    assert_int_equal(look("summary.json json best.loss == 0.5"), DONE_YES);
    assert_int_equal(look("summary.json json best.name == a b"), DONE_YES);
    assert_int_equal(look("summary.json json best.name == \"a b\""),
                     DONE_YES);
    assert_int_equal(look("summary.json json n == 3"), DONE_YES);
    assert_int_equal(look("summary.json json best.none == 0.5"), DONE_NOT);
    assert_int_equal(look("summary.json json ok.deeper == true"), DONE_NOT);
    assert_int_equal(look("nothing.json json ok == true"), DONE_NOT);
    assert_int_equal(look("nothing.json json ok == null"), DONE_NOT);
}

static void loading_reads_whole_files(void **state)
{
    static const unsigned char tensors[] = "\x0a\0\0\0\0\0\0\0{\"a\": {} }";
    static const unsigned char with_data[] =
        "\x1d\0\0\0\0\0\0\0{\"a\": {\"data_offsets\":[0,4]}}" "1234";

    (void)state;
    temp_write("m.safetensors", tensors, sizeof(tensors) - 1);
    assert_int_equal(look("m.safetensors loads"), DONE_YES);
    temp_write("m.safetensors", tensors, 12);
    assert_int_equal(look("m.safetensors loads"), DONE_NOT);
    temp_write("m.safetensors", with_data, sizeof(with_data) - 1);
    assert_int_equal(look("m.safetensors loads"), DONE_YES);
    temp_write("m.safetensors", with_data, sizeof(with_data) - 2);
    assert_int_equal(look("m.safetensors loads"), DONE_NOT);
    temp_write("m.safetensors", with_data, 5);
    assert_int_equal(look("m.safetensors loads"), DONE_NOT);
    assert_int_equal(look("summary.json loads"), DONE_YES);
    temp_text("m.pt", "PK\003\004 cut off");
    assert_int_equal(look("m.pt loads"), DONE_NOT);
    here.deep = false;
    assert_int_equal(look("summary.json loads"), DONE_LATER);
    here.deep = true;
}

static void all_checks_count(void **state)
{
    char *checks[] = {(char *)(uintptr_t)"exit0",
                      (char *)(uintptr_t)"step >= 10",
                      (char *)(uintptr_t)"summary.json json ok == true"};
    char why[300];

    (void)state;
    assert_int_equal(done_look(checks, 3, &here, why, sizeof(why)), DONE_YES);
    here.exited_0 = false;
    assert_int_equal(done_look(checks, 3, &here, why, sizeof(why)), DONE_NOT);
    assert_string_equal(why, "exit0: not so");
    here.exited_0 = true;
    assert_int_equal(done_look(checks, 0, &here, why, sizeof(why)), DONE_NOT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_have_a_form),
        cmocka_unit_test(files_and_steps_are_looked_at),
        cmocka_unit_test(json_values_are_compared),
        cmocka_unit_test(loading_reads_whole_files),
        cmocka_unit_test(all_checks_count),
    };

    return cmocka_run_group_tests(tests, setup, temp_teardown);
}
