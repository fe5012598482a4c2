#include "tempdir.h"

#include <sysexits.h>

#include "clock.h"
#include "history.h"
#include "jsonfile.h"

/* A run's own directory for each test. */
static int open_run(const char *name)
{
    int fd;

    temp_mkdir(name);
    fd = openat(temp.fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static const char *event_at(struct json_object *events, size_t i)
{
    return json_str(json_object_array_get_idx(events, i), "event", "");
}

static void adds_and_reads(void **state)
{
    struct relay_error err = {0};
    struct json_object *extra = json_object_new_object();
    struct json_object *events, *event;
    int fd = open_run("r1");

    (void)state;
    events = history_read(fd, &err);
    assert_non_null(events);
    assert_int_equal(json_object_array_length(events), 0);
    json_object_put(events);
    json_add_int(extra, "step", 120000);
    assert_int_equal(history_add(fd, "aa", "start", NULL, &err), 0);
    assert_int_equal(history_add(fd, "aa", "resumed", extra, &err), 0);
    assert_int_equal(history_add(fd, "aa", "end", NULL, &err), 0);
    json_object_put(extra);
    events = history_read(fd, &err);
    assert_int_equal(json_object_array_length(events), 3);
    /* Within one second, too, the order is that of the writer. */
    assert_string_equal(event_at(events, 0), "start");
    assert_string_equal(event_at(events, 1), "resumed");
    assert_string_equal(event_at(events, 2), "end");
    event = json_object_array_get_idx(events, 1);
    assert_int_equal(json_int(event, "step", 0), 120000);
    assert_int_equal(json_int(event, "format", 0), 1);
    assert_true(json_int(event, "time", 0) <= clock_wall());
    json_object_put(events);
    close(fd);
}

static void merges_writers_by_time(void **state)
{
    struct relay_error err = {0};
    struct json_object *events;
    int fd = open_run("r2");

    (void)state;
    temp_mkdir("r2/history");
    temp_text("r2/history/b.jsonl",
              "{\"format\":1,\"time\":20,\"event\":\"second\"}\n"
              "{\"format\":1,\"time\":40,\"event\":\"fourth\"}\n");
    temp_text("r2/history/a.jsonl",
              "{\"format\":1,\"time\":30,\"event\":\"third\"}\n"
              "{\"format\":1,\"time\":10,\"event\":\"first\"}\n"
              "not json\n"
              "{\"format\":2,\"time\":1,\"event\":\"newer\"}\n"
              "[1]\n"
              "{\"format\":1,\"time\":50,\"event\":\"to");
    temp_text("r2/history/notes.txt", "{\"format\":1,\"event\":\"x\"}\n");
    events = history_read(fd, &err);
    assert_non_null(events);
    assert_int_equal(json_object_array_length(events), 4);
    assert_string_equal(event_at(events, 0), "first");
    assert_string_equal(event_at(events, 1), "second");
    assert_string_equal(event_at(events, 2), "third");
    assert_string_equal(event_at(events, 3), "fourth");
    json_object_put(events);
    close(fd);
}

static void zero_bytes_hide_nothing_behind_them(void **state)
{
    static const char text[] =
        "\0\0\0\n{\"format\":1,\"time\":1,\"event\":\"kept\"}\n";
    struct relay_error err = {0};
    struct json_object *events;
    int fd = open_run("r3");

    (void)state;
    temp_mkdir("r3/history");
    temp_write("r3/history/a.jsonl", text, sizeof(text) - 1);
    events = history_read(fd, &err);
    assert_int_equal(json_object_array_length(events), 1);
    json_object_put(events);
    close(fd);
}

static void says_when_it_cannot_be_read(void **state)
{
    struct relay_error err = {0};
    int fd = open_run("r4");

    (void)state;
    temp_text("r4/history", "a file");
    assert_null(history_read(fd, &err));
    assert_int_equal(err.code, EX_IOERR);
    assert_int_equal(history_add(fd, "aa", "start", NULL, &err), -1);
    close(fd);
}

static int64_t interval(const char *text)
{
    struct relay_error err = {0};
    struct json_object *events = json_parse(text, strlen(text), "h", &err);
    int64_t result;

    assert_non_null(events);
    result = history_interval(events);
    json_object_put(events);
    return result;
}

static void measures_the_interval(void **state)
{
    (void)state;
    assert_int_equal(interval("[]"), 0);
    assert_int_equal(
        interval("[{\"event\":\"progress\",\"step\":1,\"time\":100}]"), 0);
    /* 100, 400, 110 s: one slow checkpoint does not count for much. */
    assert_int_equal(
        interval("[{\"event\":\"progress\",\"step\":1,\"time\":100},"
                 "{\"event\":\"progress\",\"step\":2,\"time\":200},"
                 "{\"event\":\"progress\",\"step\":2,\"time\":230},"
                 "{\"event\":\"progress\",\"step\":3,\"time\":600},"
                 "{\"event\":\"end\",\"time\":650},"
                 "{\"event\":\"progress\",\"step\":4,\"time\":710}]"), 110);
    /* What lies between two jobs is no interval; age counts back. */
    assert_int_equal(
        interval("[{\"event\":\"progress\",\"step\":1,\"time\":100},"
                 "{\"event\":\"start\",\"time\":9000},"
                 "{\"event\":\"progress\",\"step\":2,\"time\":9100,\"age\":20},"
                 "{\"event\":\"progress\",\"step\":3,\"time\":9180}]"), 100);
}

static double rate(const char *text)
{
    struct relay_error err = {0};
    struct json_object *events = json_parse(text, strlen(text), "h", &err);
    double result;

    assert_non_null(events);
    result = history_rate(events);
    json_object_put(events);
    return result;
}

static void measures_the_rate(void **state)
{
    (void)state;
    assert_true(rate("[]") == 0);
    assert_true(rate("[{\"event\":\"progress\",\"step\":1,\"time\":1}]") ==
                0);
    /* 300 steps in 100 s, a pause, 100 in 100 s; going back is no progress. */
    assert_true(
        rate("[{\"event\":\"progress\",\"step\":0,\"time\":100},"
             "{\"event\":\"progress\",\"step\":300,\"time\":210,\"age\":10},"
             "{\"event\":\"start\",\"time\":9000},"
             "{\"event\":\"progress\",\"step\":200,\"time\":9100},"
             "{\"event\":\"progress\",\"step\":300,\"time\":9200}]") == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_and_reads),
        cmocka_unit_test(merges_writers_by_time),
        cmocka_unit_test(zero_bytes_hide_nothing_behind_them),
        cmocka_unit_test(says_when_it_cannot_be_read),
        cmocka_unit_test(measures_the_interval),
        cmocka_unit_test(measures_the_rate),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
