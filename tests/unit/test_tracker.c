#include "tempdir.h"

#include <sysexits.h>

#include "jsonfile.h"
#include "tracker/graphql.h"
#include "tracker/reply.h"
#include "tracker/settings.h"
#include "tracker/tag.h"

#define KEY "0123456789abcdef0123456789abcdef01234567"

/* One of what W&B was seen to answer (tests/tools/wandb-replies). */
static struct json_object *sample(const char *name)
{
    const char *src = getenv("srcdir") != NULL ? getenv("srcdir") : ".";
    struct relay_error err = {0};
    struct json_object *obj;
    char path[600];

    snprintf(path, sizeof(path), "%s/tests/tools/wandb-replies/%s", src, name);
    obj = json_load(AT_FDCWD, path, &err);
    if (obj == NULL)
        fail_msg("%s", err.text);
    return obj;
}

/* --- settings ------------------------------------------------------------- */

static void one_password(const char *netrc, const char *host,
                         const char *wanted)
{
    bool by_default;
    char *password = netrc_password(netrc, host, &by_default);

    if (wanted == NULL)
        assert_null(password);
    else
        assert_string_equal(password, wanted);
    free(password);
}

static void netrc_gives_the_password_of_the_machine(void **state)
{
    static const char netrc[] =
        "# a comment with machine api.wandb.ai in it\n"
        "machine other.example login user password nope\n"
        "machine api.wandb.ai\n  login user\n  password first\n"
        "macdef init\n  machine api.wandb.ai password macro\n\n"
        "machine wandb.local:8080 login \"machine\" password \"a b\\\"c\"\n"
        "machine wandb.local login x password no-port\n"
        "machine empty login x\n"
        "machine api.wandb.ai account a login user password last\n"
        "default login anonymous password fallback\n";
    bool by_default = false;
    char *password;

    (void)state;
    one_password(netrc, "api.wandb.ai", "last");
    one_password(netrc, "API.wandb.ai", "last");
    one_password(netrc, "wandb.local:8080", "a b\"c");
    one_password(netrc, "wandb.local", "no-port");
    one_password("machine a password x", "b", NULL);
    one_password("machine a login", "a", NULL);
    one_password("", "a", NULL);
    one_password("machine a password 'q r'", "a", "q r");
    password = netrc_password(netrc, "unknown", &by_default);
    assert_string_equal(password, "fallback");
    assert_true(by_default);
    free(password);
}

static void one_setting(const char *text, const char *wanted)
{
    char *value = settings_value(text, "entity");

    if (wanted == NULL)
        assert_null(value);
    else
        assert_string_equal(value, wanted);
    free(value);
}

static void settings_are_of_the_default_section(void **state)
{
    (void)state;
    one_setting("[default]\nentity = lab\n", "lab");
    one_setting("[default]\r\nEntity:lab \r\nx = y", "lab");
    one_setting("[default]\nentity=100%%", "100%");
    one_setting("[default]\n# entity = a\n; entity = b\n entity = c\n", NULL);
    one_setting("entity = lab\n[other]\nentity = lab\n", NULL);
    one_setting("[default]\nentity_x = a\nentit = b\nentity", NULL);
    one_setting("[default]\nentity =\nproject = p\n", NULL);
    one_setting("", NULL);
}

static void keys_go_to_sound_addresses_only(void **state)
{
    static const struct {
        const char *url, *host; /* NULL: refused */
    } cases[] = {
        {"https://api.wandb.ai", "api.wandb.ai"},
        {"http://127.0.0.1:8080", "127.0.0.1:8080"},
        {"https://wandb.example.org/base", "wandb.example.org"},
        {"http://api.wandb.ai", NULL},
        {"https://wandb.ai", NULL},
        {"https://user:secret@example.org", NULL},
        {"ftp://example.org", NULL},
        {"example.org", NULL},
        {"https://", NULL},
        {"https://a b", NULL},
        {"https://a?b=c", NULL},
    };
    struct text host = {0};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *why = settings_check_url(cases[i].url, &host);

        if ((why == NULL) != (cases[i].host != NULL))
            fail_msg("%s: %s", cases[i].url, why != NULL ? why : "taken");
        if (why == NULL)
            assert_string_equal(text_str(&host), cases[i].host);
    }
    text_free(&host);
}

static void keys_have_a_shape(void **state)
{
    (void)state;
    assert_null(settings_check_key(KEY));
    assert_null(settings_check_key(KEY "_more"));
    assert_null(settings_check_key("local-" KEY "-x"));
    assert_null(settings_check_key("ab_c.d-e.f"));
    assert_non_null(settings_check_key(""));
    assert_non_null(settings_check_key("short"));
    assert_non_null(settings_check_key(" " KEY));
    assert_non_null(settings_check_key(KEY "\n"));
    assert_non_null(settings_check_key(KEY "\r\nX: y"));
    assert_non_null(settings_check_key("a.b"));
    assert_non_null(settings_check_key(".b.c"));
}

/* --- when to try again ---------------------------------------------------- */

static void tries_again_as_wandb_does(void **state)
{
    static const struct {
        long status;
        bool again, once;
    } cases[] = {
        {400, false, false}, {401, false, false}, {403, false, false},
        {404, false, false}, {409, false, false}, {410, false, false},
        {413, false, false}, {422, false, false}, {501, false, false},
        {200, false, false}, {302, false, false}, {408, true, false},
        {418, true, false},  {429, true, true},   {500, true, false},
        {502, true, false},  {503, true, false},  {600, true, false},
    };
    struct http_reply reply = {.end = HTTP_ANSWERED};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        reply.status = cases[i].status;
        assert_int_equal(gql_try_again(&reply, false), cases[i].again);
        assert_int_equal(gql_try_again(&reply, true), cases[i].once);
    }
    reply.end = HTTP_UNSENT;
    assert_true(gql_try_again(&reply, true));
    reply.end = HTTP_LOST;
    assert_true(gql_try_again(&reply, false));
    assert_false(gql_try_again(&reply, true));
    reply.end = HTTP_BARRED;
    assert_false(gql_try_again(&reply, false));
}

static void head(struct http_reply *reply, const char *const *lines)
{
    memset(reply, 0, sizeof(*reply));
    reply->end = HTTP_ANSWERED;
    reply->retry_after = reply->remaining = reply->reset = -1;
    reply->date = -1;
    for (; *lines != NULL; lines++)
        http_head_line(*lines, strlen(*lines), 1000, reply);
}

static void waits_as_long_as_the_server_says(void **state)
{
    static const char *const seconds[] = {
        "HTTP/1.1 429 Too Many\r\n", "retry-after: 2.5\r\n",
        "RateLimit-Remaining: 0\r\n", "RateLimit-Reset: 40\r\n", NULL};
    static const char *const quota[] = {
        "HTTP/1.1 429 x\r\n", "RateLimit-Remaining: 0\r\n",
        "RateLimit-Reset: 40\r\n", NULL};
    static const char *const half[] = {"RateLimit-Reset: 40\r\n", NULL};
    static const char *const date[] = {
        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
        "Retry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\n", NULL};
    static const char *const bad[] = {"Retry-After: soon\r\n", NULL};
    static const char *const proxy[] = {"Retry-After: 9\r\n",
                                        "HTTP/1.1 200 OK\r\n", NULL};
    struct http_reply reply;

    (void)state;
    head(&reply, seconds);
    reply.status = 429;
    assert_int_equal(gql_backoff(&reply, 0, 0), 2501);
    head(&reply, quota);
    reply.status = 429;
    assert_int_equal(gql_backoff(&reply, 0, 0), 40001);
    head(&reply, half);
    reply.status = 429;
    assert_int_equal(gql_backoff(&reply, 0, 0), 2001);
    head(&reply, date);
    reply.status = 503;
    assert_int_equal(gql_backoff(&reply, 0, 0), 60001);
    assert_int_equal(reply.date, 784111777);
    head(&reply, bad);
    assert_int_equal(gql_backoff(&reply, 1, 0), 4001);
    head(&reply, proxy);
    assert_int_equal(gql_backoff(&reply, 1, 1), 5001);
    assert_int_equal(gql_backoff(&reply, 500, 1), 60001);
}

/* --- replies -------------------------------------------------------------- */

static void reads_all_known_error_bodies(void **state)
{
    struct json_object *all = sample("lit_error_bodies.json");
    struct json_object *known = json_get(all, "known");
    struct json_object *unknown = json_get(all, "unknown");
    char text[100];
    size_t i;

    (void)state;
    assert_int_equal(json_object_array_length(known), 3);
    for (i = 0; i < json_object_array_length(known); i++) {
        struct json_object *pair = json_object_array_get_idx(known, i);
        struct json_object *body = json_tokener_parse(json_object_get_string(
            json_object_array_get_idx(pair, 0)));

        gql_error_text(body, text, sizeof(text));
        assert_string_equal(text, json_object_get_string(
                                      json_object_array_get_idx(pair, 1)));
        json_object_put(body);
    }
    for (i = 0; i < json_object_array_length(unknown); i++) {
        struct json_object *body = json_tokener_parse(json_object_get_string(
            json_object_array_get_idx(unknown, i)));

        gql_error_text(body, text, sizeof(text));
        assert_string_equal(text, "");
        json_object_put(body);
    }
    json_object_put(all);
}

static void an_error_text_cannot_steer_a_terminal(void **state)
{
    struct json_object *body =
        json_tokener_parse("{\"error\":\"a\\u001b[2Jb\\nc\"}");
    char text[6];

    (void)state;
    gql_error_text(body, text, sizeof(text));
    assert_string_equal(text, "a [2J");
    json_object_put(body);
}

static void reads_a_page(void **state)
{
    struct json_object *all = sample("lit_runs_selective.json");
    struct page page;

    (void)state;
    assert_int_equal(reply_page(json_get(all, "data"), 1767312001, &page), 0);
    assert_true(page.runs.project);
    assert_true(page.runs.whole);
    assert_int_equal(page.count, 24000);
    assert_false(page.more);
    assert_int_equal(page.runs.n, 1);
    assert_string_equal(page.runs.runs[0].id, "run-1");
    assert_string_equal(page.runs.runs[0].storage_id, "graphql-id");
    assert_string_equal(page.runs.runs[0].name, "Run 1");
    assert_true(page.runs.runs[0].finished);
    assert_int_equal(page.runs.runs[0].life, TRACKER_DEAD);
    assert_string_equal(page.runs.runs[0].group, "baseline");
    assert_int_equal(page.runs.runs[0].ntags, 1);
    assert_null(page.runs.runs[0].cluster);
    assert_int_equal(page.runs.runs[0].quiet, 1);
    assert_int_equal(page.runs.runs[0].history, 1000);
    page_free(&page);
    json_object_put(all);
    all = sample("lit_empty_runs.json");
    assert_int_equal(reply_page(json_get(all, "data"), -1, &page), 0);
    assert_int_equal(page.runs.n, 0);
    assert_int_equal(page.count, 1);
    page_free(&page);
    json_object_put(all);
}

static void reads_a_run(void **state)
{
    struct json_object *all = sample("lit_run_full.json");
    struct json_object *node =
        json_get(json_get(json_get(all, "data"), "project"), "run");
    struct tracker_run run;

    (void)state;
    assert_int_equal(reply_run(node, 1699206400, &run), 0);
    assert_string_equal(run.id, "test");
    assert_int_equal(run.age, 1699206400 - 1699206395); /* a time without Z */
    assert_int_equal(run.history, 0);
    run_free(&run);
    assert_int_equal(reply_run(node, -1, &run), 0);
    assert_int_equal(run.age, -1);
    run_free(&run);
    json_object_put(all);
    all = sample("lit_run_light_node.json");
    assert_int_equal(reply_run(json_get(all, "node"), 0, &run), 0);
    assert_string_equal(run.name, "happy-fox-42");
    assert_null(run.group);
    run_free(&run);
    json_object_put(all);
}

static void a_bad_node_does_not_hide_the_others(void **state)
{
    struct json_object *data = json_tokener_parse(
        "{\"project\":{\"runCount\":3,\"runs\":{\"edges\":[null,"
        "{\"node\":{\"name\":7}},{\"node\":{\"name\":\"a\",\"state\":null,"
        "\"tags\":[1,\"slurmclaim:iris/4711/0123456789abcdef\"]}}],"
        "\"pageInfo\":{\"hasNextPage\":true,\"endCursor\":null}}}}");
    struct page page;

    (void)state;
    assert_int_equal(reply_page(data, -1, &page), 0);
    assert_int_equal(page.runs.n, 1);
    assert_false(page.runs.whole);
    assert_false(page.more);
    assert_int_equal(page.runs.runs[0].life, TRACKER_UNKNOWN);
    assert_string_equal(page.runs.runs[0].cluster, "iris");
    assert_string_equal(page.runs.runs[0].job, "4711");
    assert_true(tag_is_of(&page.runs.runs[0],
                          "0123456789abcdef0000000000000000"));
    assert_false(tag_is_of(&page.runs.runs[0],
                           "0123456789abcdee0000000000000000"));
    page_free(&page);
    json_object_put(data);
}

static void inserted_means_true_alone(void **state)
{
    struct json_object *all = sample("lit_upsert_reply.json");
    bool inserted = true;

    (void)state;
    assert_string_equal(reply_upsert(json_get(all, "data"), &inserted),
                        "storage ID");
    assert_false(inserted);
    json_object_put(all);
    all = sample("real_upsert_409_deleted_MESSAGE_ONLY.json");
    assert_true(reply_says_deleted(json_str(all, "message", "")));
    json_object_put(all);
    all = sample("real_upsert_409_duplicate_2021.json");
    assert_true(reply_says_duplicate(json_str(all, "body_raw", "")));
    assert_false(reply_says_deleted(json_str(all, "body_raw", "")));
    json_object_put(all);
}

static void liveness_has_three_values(void **state)
{
    static const struct {
        const char *state;
        enum tracker_life life;
    } cases[] = {
        {"running", TRACKER_ALIVE},    {"pending", TRACKER_ALIVE},
        {"preempting", TRACKER_ALIVE}, {"finished", TRACKER_DEAD},
        {"failed", TRACKER_DEAD},      {"killed", TRACKER_DEAD},
        {"preempted", TRACKER_DEAD},   {"crashed", TRACKER_UNKNOWN},
        {"Finished", TRACKER_UNKNOWN}, {"", TRACKER_UNKNOWN},
        {NULL, TRACKER_UNKNOWN},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(tracker_life_of(cases[i].state), cases[i].life);
}

static void reads_times(void **state)
{
    (void)state;
    assert_int_equal(reply_time("2026-03-24T01:00:00Z"), 1774314000);
    assert_int_equal(reply_time("2026-03-24T01:00:00"), 1774314000);
    assert_int_equal(reply_time("2026-03-24T01:00:00.123456Z"), 1774314000);
    assert_int_equal(reply_time("2026-03-24T03:00:00+02:00"), 1774314000);
    assert_int_equal(reply_time("2026-03-23T19:30:00-0530"), 1774314000);
    assert_int_equal(reply_time("2026-03-24"), 1774310400);
    assert_int_equal(reply_time("yesterday"), -1);
    assert_int_equal(reply_time(""), -1);
    assert_int_equal(reply_time(NULL), -1);
}

/* --- tags ----------------------------------------------------------------- */

static void a_claim_fits_into_a_tag(void **state)
{
    struct tracker_claimant who = {
        .cluster = "iris",
        .job = "4711_7",
        .nonce = "0123456789abcdef0123456789abcdef",
    };
    struct relay_error err = {0};
    char tag[65];

    (void)state;
    assert_int_equal(tracker_tag(&who, tag, &err), 0);
    assert_string_equal(tag, "slurmclaim:iris/4711_7/0123456789abcdef");
    who.cluster = "a-cluster-with-a-name-of-29-x";
    assert_int_equal(tracker_tag(&who, tag, &err), 0);
    assert_int_equal(strlen(tag), 64);
    who.job = "4711_77";
    assert_int_equal(tracker_tag(&who, tag, &err), -1);
    assert_int_equal(err.code, EX_CONFIG);
    who.job = "1/2";
    assert_int_equal(tracker_tag(&who, tag, &err), -1);
}

static void a_persons_tags_stay(void **state)
{
    struct json_object *node = json_tokener_parse(
        "{\"name\":\"a\",\"tags\":[\"good\",\"slurmclaim:b/1/0123456789abcdef"
        "\",\"slurmclaim: mine\",\"slurmclaim:c/2/fedcba9876543210\"]}");
    struct json_object *tags;
    struct tracker_run run;

    (void)state;
    assert_int_equal(reply_run(node, -1, &run), 0);
    assert_string_equal(run.cluster, "c");
    tags = tag_replace(&run, "slurmclaim:d/3/0");
    assert_string_equal(json_object_to_json_string_ext(
                            tags, JSON_C_TO_STRING_PLAIN |
                                      JSON_C_TO_STRING_NOSLASHESCAPE),
                        "[\"good\",\"slurmclaim: mine\",\"slurmclaim:d/3/0\"]");
    json_object_put(tags);
    run_free(&run);
    json_object_put(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(netrc_gives_the_password_of_the_machine),
        cmocka_unit_test(settings_are_of_the_default_section),
        cmocka_unit_test(keys_go_to_sound_addresses_only),
        cmocka_unit_test(keys_have_a_shape),
        cmocka_unit_test(tries_again_as_wandb_does),
        cmocka_unit_test(waits_as_long_as_the_server_says),
        cmocka_unit_test(reads_all_known_error_bodies),
        cmocka_unit_test(an_error_text_cannot_steer_a_terminal),
        cmocka_unit_test(reads_a_page),
        cmocka_unit_test(reads_a_run),
        cmocka_unit_test(a_bad_node_does_not_hide_the_others),
        cmocka_unit_test(inserted_means_true_alone),
        cmocka_unit_test(liveness_has_three_values),
        cmocka_unit_test(reads_times),
        cmocka_unit_test(a_claim_fits_into_a_tag),
        cmocka_unit_test(a_persons_tags_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
