/* A cell's state comes from where it was, or the cell is not begun. The other
 * cluster is this host, which the same scripts and rsync read. */
#include "queuedir.h"

#include "digest.h"
#include "sweep/cellfetch.h"
#include "sweep/home_wire.h"
#include "sweep/outcome.h"

static struct config cfg;
static struct peer there;
static struct cell cell;
static char here_root[600], there_root[600], here_dir[1200];
static char resume_dir[2000]; /* that was put last */

static void put(const char *root, const char *name, const char *text)
{
    char dir[2000], path[2100];

    snprintf(dir, sizeof(dir), "%s/%s", root, cell.id);
    assert_int_equal(file_make_dirs(dir, 0777, NULL), 0);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(file_write(AT_FDCWD, path, text, strlen(text), 0666,
                                NULL), 0);
}

static void put_metadata(const char *root, int64_t gen)
{
    char text[300];

    snprintf(text, sizeof(text), "{\"format\": 1, \"id\": \"%s\", "
                                 "\"attempt\": 1, \"gen\": %" PRId64 "}",
             cell.id, gen);
    put(root, "run_metadata.json", text);
}

/* What a training left that had reached step 40 in generation 3. */
static void put_state(const char *root, int64_t gen)
{
    char text[2000];

    put(root, "model.bin", "forty");
    snprintf(text, sizeof(text), "{\"last_checkpoint_step\": 40, "
                                 "\"best\": \"%s/%s/model.bin\"}", root,
             cell.id);
    put(root, "resume_meta.json", text);
    put_metadata(root, gen);
}

static int setup(void **state)
{
    (void)state;
    make_sweep(2);
    sweep.out = strdup("{id}");
    sweep.name = strdup("s");
    sweep.entity = strdup("lab");
    sweep.project = strdup("p");
    cfg.cluster = strdup("here");
    there = (struct peer){.local = true};
    snprintf(there.name, sizeof(there.name), "there");
    temp_join("here", here_root, sizeof(here_root));
    temp_join("there", there_root, sizeof(there_root));
    file_remove_tree(AT_FDCWD, here_root, NULL);
    file_remove_tree(AT_FDCWD, there_root, NULL);
    assert_int_equal(roster_cell(sweep.roster, 0, &cell, NULL), 0);
    snprintf(here_dir, sizeof(here_dir), "%s/%s", here_root, cell.id);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cell_free(&cell);
    free(sweep.out);
    free(sweep.name);
    free(sweep.entity);
    free(sweep.project);
    free(cfg.cluster);
    drop_sweep();
    return 0;
}

static struct queue_place place(const char *cluster, int64_t gen)
{
    struct queue_place p = {.gen = gen};

    snprintf(p.cluster, sizeof(p.cluster), "%s", cluster);
    snprintf(p.out_root, sizeof(p.out_root), "%s",
             strcmp(cluster, "there") == 0 ? there_root : here_root);
    return p;
}

static int fetch(const struct queue_place *places, size_t n, int64_t step,
                 struct relay_error *err)
{
    struct queue_claim claim = {.gen = 9, .step = step};
    const struct cellfetch f = {.cfg = &cfg,
                                .home = &there,
                                .home_name = "there",
                                .sweep = &sweep,
                                .cell = &cell,
                                .claim = &claim,
                                .places = places,
                                .nplaces = n,
                                .dir = here_dir};

    err->code = 0;
    return cellfetch(&f, err);
}

static char *read_here(const char *name)
{
    char path[2000];

    snprintf(path, sizeof(path), "%s/%s", here_dir, name);
    return file_read(AT_FDCWD, path, 1 << 16, NULL, NULL);
}

static void state_comes_with_its_paths(void **state)
{
    const struct queue_place places[] = {place("there", 3)};
    struct relay_error err;
    char *text;

    (void)state;
    put_state(there_root, 3);
    put(here_root, "model.bin", "older");
    if (fetch(places, 1, 40, &err) != 1)
        fail_msg("%s", err.text);
    text = read_here("model.bin");
    assert_string_equal(text, "forty");
    free(text);
    text = read_here("resume_meta.json");
    assert_non_null(strstr(text, here_dir));
    assert_null(strstr(text, there_root));
    free(text);
    text = read_here("run_metadata.json");
    assert_non_null(strstr(text, "\"gen\": 3"));
    free(text);
    assert_null(read_here(".relay-fetch/model.bin"));
}

static void a_step_that_is_nowhere_is_an_error(void **state)
{
    const struct queue_place places[] = {place("there", 3)};
    struct relay_error err;

    (void)state;
    put_state(there_root, 3);
    assert_int_equal(fetch(places, 1, 41, &err), -1);
    assert_non_null(strstr(err.text, "had reached step 41"));
    assert_null(read_here("model.bin"));
    file_remove_tree(AT_FDCWD, there_root, NULL);
    assert_int_equal(fetch(places, 1, 40, &err), -1);
    assert_int_equal(err.code, EX_NOINPUT);
    /* What never reached a step loses nothing. */
    assert_int_equal(fetch(places, 1, -1, &err), 0);
}

static void a_claim_that_was_not_run_is_passed_over(void **state)
{
    const struct queue_place places[] = {place("there", 5), place("here", 3)};
    const struct queue_place back[] = {place("here", 7), place("there", 5),
                                       place("there", 3)};
    struct relay_error err;

    (void)state;
    put_state(here_root, 3);
    put_state(there_root, 1); /* it was there before, too */
    assert_int_equal(fetch(places, 2, 40, &err), 0);
    /* We had it as 7 and died before we had its state. */
    put_state(there_root, 3);
    put_metadata(here_root, 2);
    if (fetch(back, 3, 40, &err) != 1)
        fail_msg("%s", err.text);
}

static void what_is_here_is_not_fetched(void **state)
{
    const struct queue_place places[] = {place("here", 7), place("there", 5)};
    const struct queue_place alone[] = {place("here", 7)};
    struct relay_error err;

    (void)state;
    put_state(here_root, 7);
    put(here_root, "model.bin", "seventy");
    put_state(there_root, 5);
    assert_int_equal(fetch(places, 2, 40, &err), 0);
    free(read_here("model.bin"));
    /* One cluster alone: as it always was. */
    file_remove_tree(AT_FDCWD, here_root, NULL);
    assert_int_equal(fetch(alone, 1, 40, &err), 0);
}

static void a_cluster_that_is_not_known_is_an_error(void **state)
{
    const struct queue_place places[] = {place("mars", 3)};
    struct relay_error err;

    (void)state;
    assert_int_equal(fetch(places, 1, 40, &err), -1);
    assert_non_null(strstr(err.text, "mars"));
}

/* --- what goes over the wire ---------------------------------------------- */

static void requests_are_read_as_they_were_written(void **state)
{
    const uint64_t avoided[] = {7, 9};
    const struct queue_want want = {.shard_index = 1, .shard_count = 3,
                                    .resumed_only = true, .avoid = avoided,
                                    .navoid = 2};
    const struct queue_claim claim = {.index = 5, .id = "abc", .gen = 4,
                                      .partial = true, .failures = 2,
                                      .step = 70};
    const struct queue_end end = {.state = CELL_FAILED, .cause = "failed",
                                  .why = "no \"memory\"", .step = 71,
                                  .seconds = 8, .counts = true};
    struct json_object *obj = wire_from_want(&want);
    struct queue_want want2;
    struct queue_claim claim2;
    struct queue_end end2;
    struct relay_error err = {0};
    uint64_t *list;

    (void)state;
    assert_int_equal(wire_to_want(obj, &want2, &list, &err), 0);
    assert_int_equal(want2.shard_index, 1);
    assert_int_equal(want2.shard_count, 3);
    assert_true(want2.resumed_only);
    assert_int_equal(want2.navoid, 2);
    assert_int_equal(want2.avoid[1], 9);
    free(list);
    json_object_put(obj);

    obj = wire_from_claim(&claim);
    assert_int_equal(wire_to_claim(obj, &claim2, &err), 0);
    assert_int_equal(claim2.index, 5);
    assert_string_equal(claim2.id, "abc");
    assert_int_equal(claim2.gen, 4);
    assert_int_equal(claim2.failures, 2);
    assert_int_equal(claim2.step, 70);
    json_object_put(obj);

    obj = wire_from_end(&end);
    assert_int_equal(wire_to_end(obj, &end2, &err), 0);
    assert_int_equal(end2.state, CELL_FAILED);
    assert_string_equal(end2.why, "no \"memory\"");
    assert_true(end2.counts);
    json_object_put(obj);
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const char *const wants[] = {
        "{\"shard_index\": 1}", "{\"shard_index\": 2, \"shard_count\": 2}",
        "{\"shard_index\": -1, \"shard_count\": 2}"};
    static const char *const claims[] = {
        "{}", "{\"index\": 1, \"gen\": 1}",
        "{\"index\": 1, \"id\": \"a\", \"gen\": 0}",
        "{\"index\": -1, \"id\": \"a\", \"gen\": 1}"};
    static const char *const ends[] = {"{}", "{\"state\": \"running\"}",
                                       "{\"state\": \"waiting\"}"};
    struct relay_error err = {0};
    struct json_object *obj;
    struct queue_want want;
    struct queue_claim claim;
    struct queue_end end;
    uint64_t *list;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
        obj = json_tokener_parse(wants[i]);
        assert_int_equal(wire_to_want(obj, &want, &list, &err), -1);
        json_object_put(obj);
    }
    for (i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        obj = json_tokener_parse(claims[i]);
        assert_int_equal(wire_to_claim(obj, &claim, &err), -1);
        json_object_put(obj);
    }
    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        obj = json_tokener_parse(ends[i]);
        assert_int_equal(wire_to_end(obj, &end, &err), -1);
        json_object_put(obj);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* A resume directory of the cell below temp/NAME, at that step. */
static void put_resume(const char *name, int64_t step)
{
    char key[600], hash[41], dir[1400], path[1500], text[100];

    assert_int_equal(sweep_cell_key(&sweep, cell.id, key, sizeof(key), NULL),
                     0);
    assert_int_equal(digest_key(key, hash, NULL), 0);
    snprintf(dir, sizeof(dir), "%s/%s/%s", temp.path, name, hash);
    assert_int_equal(file_make_dirs(dir, 0777, NULL), 0);
    snprintf(path, sizeof(path), "%s/resume_meta.json", dir);
    snprintf(text, sizeof(text), "{\"last_checkpoint_step\": %" PRId64 "}",
             step);
    assert_int_equal(file_write(AT_FDCWD, path, text, strlen(text), 0666,
                                NULL), 0);
    snprintf(resume_dir, sizeof(resume_dir), "%s", dir);
}

/* Of a queue that is not ours only the resume directories are known. */
static void a_later_step_here_stays(void **state)
{
    char root[600], here[600];
    struct config_cluster cluster = {.name = there.name, .resume_root = root};
    const struct queue_place places[] = {place("there", 0)};
    struct queue_claim claim = {.gen = 1, .step = -1};
    const struct cellfetch f = {
        .cfg = &cfg, .home = &there, .home_name = "there", .sweep = &sweep,
        .cell = &cell, .claim = &claim, .places = places, .nplaces = 1,
        .dir = here_dir,
        .resume_root = temp_join("res_here", here, sizeof(here))};
    struct relay_error err = {0};

    (void)state;
    temp_join("res_there", root, sizeof(root));
    cfg.clusters = &cluster;
    cfg.nclusters = 1;
    put_resume("res_there", 40);
    put_resume("res_here", 90);
    if (cellfetch(&f, &err) != 1)
        fail_msg("%s", err.text);
    assert_int_equal(outcome_step(resume_dir, NULL), 90);
    put_resume("res_here", 20);
    if (cellfetch(&f, &err) != 1)
        fail_msg("%s", err.text);
    assert_int_equal(outcome_step(resume_dir, NULL), 40);
    cfg.clusters = NULL;
    cfg.nclusters = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(state_comes_with_its_paths),
        TEST(a_step_that_is_nowhere_is_an_error),
        TEST(a_claim_that_was_not_run_is_passed_over),
        TEST(what_is_here_is_not_fetched),
        TEST(a_cluster_that_is_not_known_is_an_error),
        TEST(a_later_step_here_stays),
        cmocka_unit_test(requests_are_read_as_they_were_written),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
