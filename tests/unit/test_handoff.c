#include "runenv.h"

#include <sysexits.h>

#include "gate.h"
#include "handoff.h"

/* --- staging ------------------------------------------------------------- */

static void copy_of(const struct run *run, const char *kind,
                    const char *nonce, const char *text)
{
    char name[200];

    snprintf(name, sizeof(name), "root/.relay/%s/%s-%s", run->hash, kind,
             nonce);
    temp_mkdir(name);
    snprintf(name, sizeof(name), "root/.relay/%s/%s-%s/f", run->hash, kind,
             nonce);
    temp_text(name, text);
}

static bool holds(const struct run *run, const char *kind, const char *nonce,
                  const char *text)
{
    char name[200];
    char *found;
    bool same;

    snprintf(name, sizeof(name), "%s-%s/f", kind, nonce);
    found = file_read(run->relayfd, name, 100, NULL, NULL);
    same = found != NULL && strcmp(found, text) == 0;
    free(found);
    return same;
}

static void adopt(struct run *run)
{
    struct handoff h = {.run = run};
    struct relay_error err = {0};

    if (handoff_adopt_staging(&h, &err) != 0)
        fail_msg("%s", err.text);
}

static void claimed(struct run *run)
{
    runenv_lease(run, "claim", 1, NULL);
}

static void a_dead_attempt_s_copy_is_taken_over(void **state)
{
    struct run dead = runenv_open("taken"), run = runenv_open("taken");

    (void)state;
    claimed(&dead);
    claimed(&run);
    copy_of(&dead, "staging", dead.nonce, "step 100");
    copy_of(&dead, "final", dead.nonce, "step 120");
    adopt(&run);
    assert_true(holds(&run, "staging", run.nonce, "step 100"));
    assert_true(holds(&run, "final", run.nonce, "step 120"));
    run_close(&dead);
    run_close(&run);
}

static void our_own_copy_is_preferred(void **state)
{
    struct run dead = runenv_open("own"), run = runenv_open("own");
    char name[64];

    (void)state;
    claimed(&dead);
    claimed(&run);
    copy_of(&dead, "staging", dead.nonce, "step 100");
    copy_of(&run, "staging", run.nonce, "step 110");
    adopt(&run);
    assert_true(holds(&run, "staging", run.nonce, "step 110"));
    snprintf(name, sizeof(name), "staging-%s", dead.nonce);
    assert_false(runenv_has(&run, name));
    run_close(&dead);
    run_close(&run);
}

/* The prolog of another job copies ahead without a claim. */
static void a_copy_in_the_making_is_left_alone(void **state)
{
    static const struct timespec old[2] = {{.tv_sec = 1000000},
                                           {.tv_sec = 1000000}};
    struct run other = runenv_open("ahead"), run = runenv_open("ahead");
    char name[64];

    (void)state;
    claimed(&run);
    copy_of(&other, "staging", other.nonce, "half");
    adopt(&run);
    assert_true(holds(&run, "staging", other.nonce, "half"));
    snprintf(name, sizeof(name), "staging-%s", other.nonce);
    assert_int_equal(utimensat(run.relayfd, name, old, 0), 0);
    adopt(&run);
    assert_true(holds(&run, "staging", run.nonce, "half"));
    run_close(&other);
    run_close(&run);
}

static void what_was_synced_is_a_staged_copy(void **state)
{
    struct run run = runenv_open("mirror");
    struct handoff h = {.run = &run, .peer = {.cluster = run.here}};
    struct relay_error err = {0};
    char name[128];

    (void)state;
    claimed(&run);
    snprintf(name, sizeof(name), "root/.relay/%s/mirror", run.hash);
    temp_mkdir(name);
    snprintf(name, sizeof(name), "root/.relay/%s/mirror/here", run.hash);
    temp_mkdir(name);
    snprintf(name, sizeof(name), "root/.relay/%s/mirror/here/f", run.hash);
    temp_text(name, "synced");
    snprintf(name, sizeof(name), "root/.relay/%s/mirror/here/.~tmp~",
             run.hash);
    temp_mkdir(name);
    assert_int_equal(handoff_adopt_staging(&h, &err), 0);
    assert_true(holds(&run, "staging", run.nonce, "synced"));
    snprintf(name, sizeof(name), "staging-%s/.~tmp~", run.nonce);
    assert_false(runenv_has(&run, name));
    assert_true(runenv_has(&run, "mirror/here/f"));
    run_close(&run);
}

/* Cut off between the exchange and the rename of what was exchanged. */
static void a_former_state_is_kept(void **state)
{
    struct run dead = runenv_open("former"), run = runenv_open("former");
    char name[128], text[128];

    (void)state;
    claimed(&dead);
    claimed(&run);
    snprintf(name, sizeof(name), "root/.relay/%s/publish-%s.json", dead.hash,
             dead.nonce);
    snprintf(text, sizeof(text), "{\"copy\": \"final-%s\"}", dead.nonce);
    temp_text(name, text);
    copy_of(&dead, "staging", dead.nonce, "a copy");
    copy_of(&dead, "final", dead.nonce, "the user's");
    adopt(&run);
    assert_true(holds(&run, "kept", dead.nonce, "the user's"));
    assert_true(holds(&run, "staging", run.nonce, "a copy"));
    run_close(&dead);
    run_close(&run);
}

/* The same by this very run: srun again in one allocation. */
static void a_former_state_under_our_own_name_is_kept(void **state)
{
    struct run run = runenv_open("formerown");
    char name[128];

    (void)state;
    claimed(&run);
    snprintf(name, sizeof(name), "root/.relay/%s/publish-%s.json", run.hash,
             run.nonce);
    temp_text(name, "{}");
    copy_of(&run, "final", run.nonce, "the user's");
    copy_of(&run, "kept", run.nonce, "older still");
    adopt(&run);
    assert_true(holds(&run, "kept", run.nonce, "older still"));
    snprintf(name, sizeof(name), "%s-2", run.nonce);
    assert_true(holds(&run, "kept", name, "the user's"));
    run_close(&run);
}

/* --- files of the run directory ------------------------------------------ */

static void file_of(const char *name, const char *text, long mtime)
{
    const struct timespec times[2] = {{.tv_sec = mtime}, {.tv_sec = mtime}};

    temp_text(name, text);
    assert_int_equal(utimensat(temp.fd, name, times, 0), 0);
}

static bool file_is(const char *name, const char *text)
{
    char *found = file_read(temp.fd, name, 100, NULL, NULL);
    bool same = found != NULL && strcmp(found, text) == 0;

    free(found);
    return same;
}

static void newer_files_are_never_replaced(void **state)
{
    struct relay_error err = {0};
    struct manifest files = {0};
    char dir[600];
    size_t placed = 0;

    (void)state;
    temp_mkdir("rundir");
    temp_mkdir("rundir/.relay-x");
    temp_mkdir("rundir/.relay-x/sub");
    file_of("rundir/.relay-x/older", "from there", 2000);
    file_of("rundir/.relay-x/newer", "from there", 2000);
    file_of("rundir/.relay-x/sub/new", "from there", 2000);
    file_of("rundir/older", "from here", 1000);
    file_of("rundir/newer", "from here", 3000);
    assert_int_equal(manifest_of_dir(temp.fd, "rundir/.relay-x", 1, &files,
                                     &err), 0);
    temp_join("rundir", dir, sizeof(dir));
    if (handoff_place_files(dir, ".relay-x", &files, true, &placed, &err) !=
        0)
        fail_msg("%s", err.text);
    assert_int_equal(placed, 2);
    assert_true(file_is("rundir/older", "from there"));
    assert_true(file_is("rundir/newer", "from here"));
    assert_true(file_is("rundir/sub/new", "from there"));
    manifest_free(&files);
}

static void a_copy_with_other_bytes_is_not_placed(void **state)
{
    struct relay_error err = {0};
    struct manifest files = {0};
    char dir[600];
    size_t placed = 0;

    (void)state;
    temp_mkdir("torn");
    temp_mkdir("torn/.relay-x");
    temp_text("torn/.relay-x/f", "from there");
    assert_int_equal(manifest_of_dir(temp.fd, "torn/.relay-x", 1, &files,
                                     &err), 0);
    temp_text("torn/.relay-x/f", "other text");
    temp_join("torn", dir, sizeof(dir));
    assert_int_equal(handoff_place_files(dir, ".relay-x", &files, true,
                                         &placed, &err), -1);
    assert_int_equal(faccessat(temp.fd, "torn/f", F_OK, 0), -1);
    manifest_free(&files);
}

/* --- publishing ---------------------------------------------------------- */

static const char old_meta[] =
    "{\"last_checkpoint_step\": 700, \"run_dir\": \"/far/away/r-1\",\n"
    " \"lr\": 1e-05}\n";

/* A verified copy in final-<nonce>, as handoff_stage_final leaves it. */
static void make_final(struct handoff *h, struct run *run, char *name,
                       size_t size)
{
    struct relay_error err = {0};
    char path[200];
    int fd;

    snprintf(name, size, "final-%s", run->nonce);
    snprintf(path, sizeof(path), "root/.relay/%s/%s", run->hash, name);
    temp_mkdir(path);
    snprintf(path, sizeof(path), "root/.relay/%s/%s/resume_meta.json",
             run->hash, name);
    temp_text(path, old_meta);
    assert_int_equal(fchmodat(temp.fd, path, 0640, 0), 0);
    snprintf(path, sizeof(path), "root/.relay/%s/%s/f", run->hash, name);
    temp_text(path, "weights");
    h->run = run;
    h->peer.cluster = run->here;
    assert_int_equal(manifest_of_dir(run->relayfd, name, 1, &h->want, &err),
                     0);
    fd = file_open_dir(run->relayfd, name, &err);
    assert_int_equal(meta_read(fd, name, &h->meta, &err), 0);
    close(fd);
    assert_int_equal(journal_read(run, &h->journal, &err), 0);
}

static void publish(struct handoff *h, const char *name)
{
    struct relay_error err = {0};

    if (publish_run_dir(h, &err) != 0 || publish_state(h, name, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(h->journal.state, JOURNAL_PUBLISHED);
    assert_int_equal(h->journal.step, 700);
}

static void drop(struct handoff *h)
{
    manifest_free(&h->want);
    meta_free(&h->meta);
    journal_free(&h->journal);
    free(h->run_dir);
}

static mode_t mode_of(const struct run *run, const char *file)
{
    char name[200];
    struct stat st;

    snprintf(name, sizeof(name), "%s%s", run->hash, file);
    assert_int_equal(fstatat(run->rootfd, name, &st, 0), 0);
    return st.st_mode & 07777;
}

static void what_is_published_can_be_trained_on(void **state)
{
    struct handoff h = {.term = 2};
    struct run run = runenv_open("publish");
    struct run_state_info info;
    mode_t mask = umask(027);
    char name[64], dir[600], orig[128];
    char *text;

    (void)state;
    make_final(&h, &run, name, sizeof(name));
    publish(&h, name);
    assert_int_equal(run_state_look(&run, &info, NULL), 0);
    assert_int_equal(info.kind, STATE_GOOD);
    assert_int_equal(info.meta.step, 700);
    snprintf(dir, sizeof(dir), "%s/runs/r-1", temp.path);
    assert_string_equal(info.meta.run_dir, dir);
    assert_non_null(strstr(info.meta.text, "1e-05"));
    assert_int_equal(access(dir, W_OK), 0);
    snprintf(orig, sizeof(orig), "%s/resume_meta.json.orig", run.hash);
    text = file_read(run.rootfd, orig, 4096, NULL, NULL);
    assert_non_null(text);
    assert_string_equal(text, old_meta);
    free(text);
    assert_int_equal(mode_of(&run, ""), 0750);
    assert_int_equal(mode_of(&run, "/resume_meta.json"), 0640);
    run_state_free(&info);
    drop(&h);
    run_close(&run);
    (void)umask(mask);
}

static void the_state_that_was_there_is_kept(void **state)
{
    struct handoff h = {.term = 2};
    struct run run = runenv_open("replace");
    char name[64], kept[64];
    struct meta meta;
    int fd;

    (void)state;
    runenv_state(&run, 30, NULL);
    assert_int_equal(fchmodat(run.rootfd, run.hash, 0711, 0), 0);
    make_final(&h, &run, name, sizeof(name));
    publish(&h, name);
    assert_int_equal(runenv_step(&run), 700);
    assert_int_equal(mode_of(&run, ""), 0711);
    snprintf(kept, sizeof(kept), "kept-%s", run.nonce);
    fd = file_open_dir(run.relayfd, kept, NULL);
    assert_true(fd >= 0);
    assert_int_equal(meta_read(fd, kept, &meta, NULL), 0);
    assert_int_equal(meta.step, 30);
    meta_free(&meta);
    close(fd);
    assert_false(runenv_has(&run, name));
    drop(&h);
    run_close(&run);
}

static void a_path_map_needs_no_run_root(void **state)
{
    struct handoff h = {0};
    struct relay_error err = {0};
    struct path_map map = {.from = (char *)(uintptr_t)"/far/away"};
    struct run run = runenv_open("mapped");
    char name[64], dir[600];

    (void)state;
    make_final(&h, &run, name, sizeof(name));
    free(run.run_root);
    run.run_root = NULL;
    assert_int_equal(publish_run_dir(&h, &err), -1);
    assert_int_equal(err.code, EX_CONFIG);
    map.to = (char *)(uintptr_t)temp_join("mapped", dir, sizeof(dir));
    run.cfg.path_map = &map;
    run.cfg.npath_map = 1;
    if (publish_run_dir(&h, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(faccessat(temp.fd, "mapped/r-1", F_OK, 0), 0);
    run.cfg.path_map = NULL;
    run.cfg.npath_map = 0;
    drop(&h);
    run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dead_attempt_s_copy_is_taken_over),
        cmocka_unit_test(our_own_copy_is_preferred),
        cmocka_unit_test(a_copy_in_the_making_is_left_alone),
        cmocka_unit_test(what_was_synced_is_a_staged_copy),
        cmocka_unit_test(a_former_state_is_kept),
        cmocka_unit_test(a_former_state_under_our_own_name_is_kept),
        cmocka_unit_test(newer_files_are_never_replaced),
        cmocka_unit_test(a_copy_with_other_bytes_is_not_placed),
        cmocka_unit_test(what_is_published_can_be_trained_on),
        cmocka_unit_test(the_state_that_was_there_is_kept),
        cmocka_unit_test(a_path_map_needs_no_run_root),
    };

    return cmocka_run_group_tests(tests, runenv_setup, temp_teardown);
}
