#define _GNU_SOURCE 1
#include "tempdir.h"

#include <sys/wait.h>
#include <sysexits.h>

#include "digest.h"
#include "jsonfile.h"
#include "peer.h"
#include "source.h"
#include "source_script.h"

#define HASH "0123456789abcdef0123456789abcdef01234567"
#define NONCE "00112233445566778899aabbccddeeff"
#define META "{\"last_checkpoint_step\": 30, \"run_name\": \"a-seed-1\", " \
             "\"run_dir\": \"/old/a-seed-1\", \"lr\": 1.50}"

static struct config_cluster clusters[] = {{.name = (char *)"iris"}};
static const struct config cfg = {.cluster = (char *)"iris",
                                  .clusters = clusters,
                                  .nclusters = 1};

static struct peer peer;
static struct source src;
static char root[64]; /* below temp */

/* A fresh root with one run of step 30. */
static int fresh(void **state)
{
    static int count;
    char path[200];

    (void)state;
    assert_int_equal(peer_open(&cfg, "iris", &peer, NULL), 0);
    snprintf(root, sizeof(root), "root-%d", count++);
    memset(&src, 0, sizeof(src));
    src.peer = &peer;
    src.lease.step = -1;
    temp_join(root, src.root, sizeof(src.root));
    memcpy(src.hash, HASH, sizeof(HASH));
    temp_mkdir(root);
    snprintf(path, sizeof(path), "%s/" HASH, root);
    temp_mkdir(path);
    snprintf(path, sizeof(path), "%s/.relay", root);
    temp_mkdir(path);
    snprintf(path, sizeof(path), "%s/.relay/" HASH, root);
    temp_mkdir(path);
    snprintf(path, sizeof(path), "%s/" HASH "/resume_meta.json", root);
    temp_text(path, META);
    snprintf(path, sizeof(path), "%s/" HASH "/resume_state.pt", root);
    temp_text(path, "the state of step 30");
    return 0;
}

static const char *in_root(const char *file)
{
    static char path[4][300];
    static int turn;

    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", root, file);
    return path[turn];
}

static bool is_there(const char *file)
{
    return faccessat(temp.fd, in_root(file), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void put_text(const char *file, const char *text)
{
    temp_text(in_root(file), text);
}

/* The file's text; the caller frees it. */
static char *get_text(const char *file)
{
    char *text = calloc(1, 65536);
    int fd = openat(temp.fd, in_root(file), O_RDONLY | O_CLOEXEC);

    assert_true(text != NULL && fd >= 0);
    assert_true(read(fd, text, 65535) >= 0);
    close(fd);
    return text;
}

static void assert_text(const char *file, const char *want)
{
    char *text = get_text(file);

    assert_string_equal(text, want);
    free(text);
}

static struct json_object *get_json(const char *file)
{
    char *text = get_text(file);
    struct json_object *doc = json_parse(text, strlen(text), file, NULL);

    free(text);
    assert_non_null(doc);
    return doc;
}

/* --- snapshot ------------------------------------------------------------ */

static void a_snapshot_has_what_the_run_has(void **state)
{
    struct manifest files;
    struct meta meta;
    struct relay_error err = {0};
    char hex[DIGEST_HEX];
    const struct manifest_file *pt;
    struct stat live, snap;

    (void)state;
    put_text(HASH "/resume_state.pt.tmp", "half");
    if (source_snapshot(&src, NONCE, &files, &meta, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(files.n, 2);
    assert_int_equal(meta.step, 30);
    pt = manifest_find(&files, "resume_state.pt");
    assert_non_null(pt);
    assert_int_equal(pt->size, 20);
    assert_int_equal(digest_file(temp.fd, in_root(HASH "/resume_state.pt"),
                                 hex, NULL, NULL, NULL), 0);
    assert_string_equal(pt->sha256, hex);
    assert_int_equal(fstatat(temp.fd, in_root(HASH "/resume_state.pt"), &live,
                             0), 0);
    assert_int_equal(
        fstatat(temp.fd,
                in_root(".relay/" HASH "/snap-" NONCE "/resume_state.pt"),
                &snap, 0), 0);
    assert_true(live.st_ino == snap.st_ino); /* a link, not a copy */
    assert_int_equal(pt->mtime_ns, (int64_t)live.st_mtim.tv_sec * 1000000000 +
                                       live.st_mtim.tv_nsec);
    manifest_free(&files);
    meta_free(&meta);
    assert_int_equal(source_drop_snapshot(&src, NONCE, &err), 0);
    assert_false(is_there(".relay/" HASH "/snap-" NONCE));
    assert_true(is_there(HASH "/resume_state.pt"));
}

static void odd_names_have_digests(void **state)
{
    struct manifest files;
    struct meta meta;
    struct relay_error err = {0};

    (void)state;
    put_text(HASH "/a b  c", "1");
    put_text(HASH "/*star", "2");
    put_text(HASH "/caf\xc3\xa9", "3");
    temp_mkdir(in_root(HASH "/sub"));
    put_text(HASH "/sub/--help", "4");
    if (source_snapshot(&src, NONCE, &files, &meta, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(files.n, 6);
    assert_non_null(manifest_find(&files, "a b  c"));
    assert_non_null(manifest_find(&files, "*star"));
    assert_non_null(manifest_find(&files, "caf\xc3\xa9"));
    assert_non_null(manifest_find(&files, "sub/--help"));
    manifest_free(&files);
    meta_free(&meta);
}

static void writer(int ready)
{
    unsigned step = 100;

    for (;;) {
        char text[400];
        int fd = openat(temp.fd, in_root(HASH "/resume_state.pt"),
                        O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, text, sizeof(text)) < 0)
            _exit(1);
        close(fd);
        if (step++ == 100 && write(ready, "x", 1) != 1)
            _exit(1);
        usleep(3000);
    }
}

static void a_writer_in_place_is_noticed(void **state)
{
    struct manifest files;
    struct meta meta;
    struct relay_error err = {0};
    int ready[2];
    char byte;
    pid_t pid;
    int rc;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0)
        writer(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    rc = source_snapshot(&src, NONCE, &files, &meta, &err);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(ready[0]);
    close(ready[1]);
    assert_int_equal(rc, 1);
    assert_int_equal(err.code, EX_TEMPFAIL);
    assert_false(is_there(".relay/" HASH "/snap-" NONCE));
}

static void a_run_that_is_gone_is_said_so(void **state)
{
    struct manifest files;
    struct meta meta;
    struct relay_error err = {0};

    (void)state;
    unlinkat(temp.fd, in_root(HASH "/resume_meta.json"), 0);
    assert_int_equal(source_snapshot(&src, NONCE, &files, &meta, &err), -1);
    assert_int_equal(err.code, EX_NOINPUT);
}

/* --- supersede and its undoing ------------------------------------------- */

static int supersede(char *path, struct relay_error *err)
{
    return source_supersede(&src, 7, "sherlock", "sbatch --back", path, 1200,
                            err);
}

static void supersede_well(void)
{
    struct relay_error err = {0};
    char path[1200];

    if (supersede(path, &err) != 0)
        fail_msg("%s", err.text);
    assert_true(strstr(path, "/.relay/" HASH "/superseded-7") != NULL);
}

static void assert_stub(void)
{
    struct relay_error err = {0};
    char why[300];
    char *text = get_text(HASH "/resume_meta.json");
    struct meta meta;

    assert_int_equal(meta_parse(text, strlen(text), "stub", &meta, &err), 0);
    assert_string_equal(meta.run_dir, "/dev/null/moved-to-sherlock");
    assert_string_equal(meta.moved_to, "sherlock");
    assert_int_equal(meta.moved_term, 7);
    assert_int_equal(meta.step, 30);
    assert_non_null(strstr(text, "1.50")); /* the rest as it was spelled */
    meta_free(&meta);
    free(text);
    assert_false(is_there(HASH "/resume_state.pt"));
    text = get_text(HASH "/MOVED.txt");
    assert_non_null(strstr(text, "sherlock"));
    assert_non_null(strstr(text, "superseded-7"));
    assert_non_null(strstr(text, "sbatch --back"));
    free(text);
    assert_text(".relay/" HASH "/superseded-7/resume_state.pt",
                "the state of step 30");
    assert_int_equal(source_check_stub(&src, 7, why, sizeof(why), &err), 1);
}

static void a_state_is_superseded_by_a_stub(void **state)
{
    (void)state;
    supersede_well();
    assert_stub();
    supersede_well(); /* again: nothing more */
    assert_stub();
}

static void a_cut_off_supersede_is_gone_on_with(void **state)
{
    (void)state;
    assert_int_equal(renameat(temp.fd, in_root(HASH), temp.fd,
                              in_root(".relay/" HASH "/superseded-7")), 0);
    temp_mkdir(in_root(".relay/" HASH "/stub-7.new"));
    put_text(".relay/" HASH "/stub-7.new/resume_meta.json", "{half");
    supersede_well();
    assert_stub();
}

static void a_state_that_comes_back_is_noticed(void **state)
{
    struct relay_error err = {0};
    char path[1200];
    char why[300];

    (void)state;
    assert_int_equal(renameat(temp.fd, in_root(HASH), temp.fd,
                              in_root(".relay/" HASH "/superseded-7")), 0);
    temp_mkdir(in_root(HASH));
    put_text(HASH "/resume_state.pt", "from a late writer");
    assert_int_equal(supersede(path, &err), -1);
    assert_non_null(strstr(err.text, "superseded-7"));
    assert_text(HASH "/resume_state.pt", "from a late writer");
    assert_int_equal(source_check_stub(&src, 7, why, sizeof(why), &err), 0);
    assert_non_null(strstr(why, "resume_state.pt"));
}

static void a_stub_written_over_is_noticed(void **state)
{
    struct relay_error err = {0};
    char why[300];

    (void)state;
    supersede_well();
    put_text(HASH "/resume_state.pt", "new");
    assert_int_equal(source_check_stub(&src, 7, why, sizeof(why), &err), 0);
    unlinkat(temp.fd, in_root(HASH "/resume_state.pt"), 0);
    assert_int_equal(source_check_stub(&src, 7, why, sizeof(why), &err), 1);
    assert_int_equal(source_check_stub(&src, 8, why, sizeof(why), &err), 0);
    put_text(HASH "/resume_meta.json", META);
    assert_int_equal(source_check_stub(&src, 7, why, sizeof(why), &err), 0);
}

static void nothing_there_is_nothing_to_supersede(void **state)
{
    struct relay_error err = {0};
    char path[1200];

    (void)state;
    assert_int_equal(renameat(temp.fd, in_root(HASH), temp.fd,
                              in_root("elsewhere")), 0);
    assert_int_equal(supersede(path, &err), -1);
    assert_int_equal(err.code, EX_IOERR);
}

static void superseded_files_have_digests(void **state)
{
    struct relay_error err = {0};
    struct manifest files;
    struct meta meta;
    char path[1200];

    (void)state;
    assert_int_equal(supersede(path, &err), 0);
    if (source_digest(&src, path, &files, &meta, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(files.n, 2);
    assert_int_equal(strlen(files.files[0].sha256), 64);
    assert_string_equal(meta.run_dir, "/old/a-seed-1");
    manifest_free(&files);
    meta_free(&meta);
    path[strlen(path) - 1] = '-'; /* there is no such directory */
    assert_int_equal(source_digest(&src, path, &files, &meta, &err), -1);
}

static void superseded_digest(char hex[DIGEST_HEX])
{
    struct relay_error err = {0};
    struct manifest files;
    struct meta meta;
    char path[1200];

    assert_int_equal(supersede(path, &err), 0);
    if (source_digest(&src, path, &files, &meta, &err) != 0)
        fail_msg("%s", err.text);
    memcpy(hex, manifest_find(&files, "resume_state.pt")->sha256, DIGEST_HEX);
    manifest_free(&files);
    meta_free(&meta);
}

/* After a snapshot, and with what the training wrote then (NULL: nothing). */
static void final_digest(const char *wrote, char hex[DIGEST_HEX])
{
    struct relay_error err = {0};
    struct manifest files;
    struct meta meta;

    assert_int_equal(source_snapshot(&src, NONCE, &files, &meta, &err), 0);
    manifest_free(&files);
    meta_free(&meta);
    if (wrote != NULL)
        put_text(HASH "/resume_state.pt", wrote);
    superseded_digest(hex);
}

static void what_is_unchanged_is_not_read_twice(void **state)
{
    char zeros[DIGEST_HEX];
    char hex[DIGEST_HEX];
    char *text;
    char *at;

    (void)state;
    final_digest(NULL, hex);
    memset(zeros, '0', sizeof(zeros) - 1);
    zeros[sizeof(zeros) - 1] = '\0';
    text = get_text(".relay/" HASH "/digested");
    at = strstr(text, hex);
    assert_non_null(at);
    memcpy(at, zeros, strlen(zeros));
    put_text(".relay/" HASH "/digested", text);
    free(text);
    superseded_digest(hex);
    assert_string_equal(hex, zeros);
}

static void what_was_written_in_place_is_read_again(void **state)
{
    char hex[DIGEST_HEX];
    char want[DIGEST_HEX];

    (void)state;
    final_digest("the state of step 31", hex);
    assert_int_equal(digest_file(temp.fd, in_root(".relay/" HASH
                                 "/superseded-7/resume_state.pt"), want, NULL,
                                 NULL, NULL), 0);
    assert_string_equal(hex, want);
}

/* --- stop, without a job ------------------------------------------------- */

static struct json_object *fence(const char *nonce)
{
    struct json_object *body = json_object_new_object();
    struct json_object *to = json_object_new_object();
    struct json_object *own = json_object_new_object();

    json_add_str(body, "kind", "fence");
    json_add_str(body, "nonce", nonce);
    json_add_int(body, "seq", 1);
    json_add_int(body, "term", 7);
    json_add_str(to, "cluster", "sherlock");
    json_add_str(to, "job_id", "12");
    json_object_object_add(body, "moved_to", to);
    json_add_str(own, "cluster", "iris");
    json_add_str(own, "job_id", "4711");
    json_object_object_add(body, "fenced", own);
    return body;
}

static enum stop_result stop_with(const char *nonce, char *why)
{
    struct source_stop stop = {.nonce = nonce, .fence = fence(nonce)};
    struct relay_error err = {0};
    enum stop_result result = STOP_REFUSED;
    int rc = source_stop(&src, &stop, &result, why, 300, &err);

    json_object_put(stop.fence);
    if (rc != 0)
        fail_msg("%s", err.text);
    return result;
}

static void a_fence_is_linked_once(void **state)
{
    char why[300];
    struct json_object *record;

    (void)state;
    put_text(".relay/" HASH "/run.1",
             "{\"format\":1,\"series\":\"run\",\"gen\":1,\"kind\":\"claim\","
             "\"nonce\":\"aa\",\"seq\":1,\"owner\":{}}\n");
    src.lease.gen = 1;
    assert_int_equal(stop_with(NONCE, why), STOP_NO_JOB);
    assert_true(is_there(".relay/" HASH "/run.2"));
    record = get_json(".relay/" HASH "/run.2");
    assert_string_equal(json_str(record, "kind", ""), "fence");
    assert_int_equal(json_int(record, "gen", 0), 2);
    assert_int_equal(json_int(record, "format", 0), 1);
    assert_int_equal(json_int(record, "term", 0), 7);
    assert_string_equal(json_str(json_get(record, "fenced"), "job_id", ""),
                        "4711");
    json_object_put(record);
    /* The same call again, with what it knew and with a newer look. */
    assert_int_equal(stop_with(NONCE, why), STOP_NO_JOB);
    src.lease.gen = 2;
    assert_int_equal(stop_with(NONCE, why), STOP_NO_JOB);
    assert_false(is_there(".relay/" HASH "/run.3"));
}

static void a_fence_without_a_result_is_gone_on_with(void **state)
{
    char why[300];

    (void)state;
    assert_int_equal(stop_with(NONCE, why), STOP_NO_JOB);
    assert_int_equal(
        unlinkat(temp.fd, in_root(".relay/" HASH "/stop-" NONCE), 0), 0);
    assert_int_equal(stop_with(NONCE, why), STOP_NO_JOB);
    assert_true(is_there(".relay/" HASH "/stop-" NONCE));
    assert_false(is_there(".relay/" HASH "/run.2"));
    assert_false(is_there(".relay/" HASH "/stop-" NONCE ".alive"));
}

static void a_fence_that_comes_second_is_lost(void **state)
{
    char why[300];

    (void)state;
    assert_int_equal(stop_with(NONCE, why), STOP_NO_JOB);
    src.lease.gen = 0; /* what another target saw before */
    assert_int_equal(stop_with("ffffffffffffffffffffffffffffffff", why),
                     STOP_LOST);
    assert_false(is_there(".relay/" HASH "/run.2"));
}

static void a_fence_is_lifted_and_the_state_put_back(void **state)
{
    struct relay_error err = {0};
    struct json_object *record;
    char why[300];
    int i;

    (void)state;
    assert_int_equal(stop_with(NONCE, why), STOP_NO_JOB);
    supersede_well();
    for (i = 0; i < 2; i++) { /* twice is as once */
        if (source_reinstate(&src, 7, NONCE, &err) != 0)
            fail_msg("%s", err.text);
        assert_text(HASH "/resume_state.pt", "the state of step 30");
        assert_text(HASH "/resume_meta.json", META);
        assert_false(is_there(".relay/" HASH "/superseded-7"));
        assert_false(is_there(".relay/" HASH "/run.3"));
    }
    record = get_json(".relay/" HASH "/run.2");
    assert_string_equal(json_str(record, "kind", ""), "reinstate");
    assert_int_equal(json_int(record, "gen", 0), 2);
    assert_int_equal(json_int(record, "fenced_gen", 0), 1);
    assert_string_equal(json_str(json_get(record, "owner"), "job_id", ""),
                        "4711");
    json_object_put(record);
    /* And the next fence comes behind it. */
    src.lease.gen = 2;
    assert_int_equal(stop_with(NONCE, why), STOP_NO_JOB);
    assert_true(is_there(".relay/" HASH "/run.3"));
}

static void anothers_fence_is_not_lifted(void **state)
{
    struct relay_error err = {0};
    char why[300];

    (void)state;
    assert_int_equal(stop_with(NONCE, why), STOP_NO_JOB);
    assert_int_equal(source_reinstate(&src, 7, "another", &err), -1);
    assert_int_equal(err.code, EX_NOPERM);
    assert_false(is_there(".relay/" HASH "/run.2"));
}

static void a_state_at_the_stubs_place_is_not_overwritten(void **state)
{
    struct relay_error err = {0};
    char why[300];

    (void)state;
    assert_int_equal(stop_with(NONCE, why), STOP_NO_JOB);
    supersede_well();
    put_text(HASH "/resume_state.pt", "somebody's");
    assert_int_equal(source_reinstate(&src, 7, NONCE, &err), -1);
    assert_text(HASH "/resume_state.pt", "somebody's");
    assert_text(".relay/" HASH "/superseded-7/resume_state.pt",
                "the state of step 30");
}

/* --- names and jobs ------------------------------------------------------ */

static bool names(const char *text, const char *name)
{
    return source_names(text, strlen(text), name);
}

static void a_name_is_found_as_a_whole_word(void **state)
{
    (void)state;
    assert_true(names("train.py --name=a-seed-1\n", "a-seed-1"));
    assert_true(names("lab/robots/a-seed-1", "a-seed-1"));
    assert_true(names("runs/a-seed-1.log", "a-seed-1"));
    assert_true(names("a-seed-10 a-seed-1", "a-seed-1"));
    assert_true(names("lr-0.1", "lr-0.1"));
    assert_false(names("a-seed-10", "a-seed-1"));
    assert_false(names("big-a-seed-1", "a-seed-1"));
    assert_false(names("a-seed-1-v2", "a-seed-1"));
    assert_false(names("lr-0.1", "lr-0"));
    assert_false(names("lr-0.15", "lr-0.1"));
    assert_false(names("", "a-seed-1"));
    assert_false(names("anything", ""));
}

/* A line as look.sh asks squeue for it. */
#define JOB(id, raw, array, state, dep, comment, name)                        \
    id "\037" raw "\037" array "\037" state "\037" "1700000000\037"           \
    "1700000100\037" "None\037" dep "\037/home\037" comment "\037" name "\n"

static int find(const char *jobs, const char *tie, const char *typed,
                struct relay_error *err)
{
    struct peer_reply reply = {0};
    char *text = calloc(1, 8192);
    int n;
    int rc;

    n = snprintf(text, 8192, "@jobs\t%zu\n%s\n", strlen(jobs), jobs);
    if (tie[0] != '\0')
        snprintf(text + n, 8192 - (size_t)n, "@tie\t%zu\n%s\n", strlen(tie),
                 tie);
    reply.out = text;
    reply.len = strlen(text);
    free(src.followers);
    src.followers = NULL;
    src.nfollowers = 0;
    src.job_id[0] = '\0';
    rc = source_find_job(&src, &reply, "a-seed-1", typed, err);
    free(text);
    return rc;
}

static void meta_was_written_at(int64_t sec)
{
    manifest_free(&src.files);
    assert_int_equal(manifest_add(&src.files, META_FILE, 1,
                                  sec * 1000000000, NULL, NULL), 0);
}

static int drop_source(void **state)
{
    (void)state;
    source_free(&src);
    return 0;
}

#define SEED1 JOB("11", "11", "11", "RUNNING", "(null)", "(null)", "a-seed-1")
#define SEED10 JOB("12", "12", "12", "RUNNING", "(null)", "(null)", "a-seed-10")
#define TRAIN JOB("13", "13", "13", "RUNNING", "(null)", "(null)", "train.sh")

static void a_job_is_found_by_its_exact_name(void **state)
{
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(find(SEED10 SEED1 TRAIN, "", "", &err), 0);
    assert_string_equal(src.job_id, "11");
    assert_int_equal(find(SEED10 TRAIN, "", "", &err), 0);
    assert_string_equal(src.job_id, "");
    assert_int_equal(find(SEED1 JOB("14", "14", "14", "RUNNING", "", "",
                                    "a-seed-1"), "", "", &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "14"));
}

static void a_job_is_found_by_what_its_script_says(void **state)
{
    struct relay_error err = {0};

    (void)state;
    meta_was_written_at(1700000200);
    assert_int_equal(find(SEED10 TRAIN, "13\n/o.txt\npython t.py a-seed-1\n",
                          "", &err), 0);
    assert_string_equal(src.job_id, "13");
    assert_int_equal(find(TRAIN, "13\n/o.txt\npython t.py a-seed-10\n", "",
                          &err), 0);
    assert_string_equal(src.job_id, "");
    meta_was_written_at(1700000000); /* before the job began */
    assert_int_equal(find(TRAIN, "13\n/o.txt\npython t.py a-seed-1\n", "",
                          &err), 0);
    assert_string_equal(src.job_id, "");
}

static void a_typed_job_must_be_this_runs(void **state)
{
    struct relay_error err = {0};

    (void)state;
    meta_was_written_at(1700000200);
    assert_int_equal(find(SEED1 SEED10, "", "11", &err), 0);
    assert_string_equal(src.job_id, "11");
    assert_int_equal(find(SEED1 SEED10, "12\n/o\n#!/bin/sh\npython big.py\n",
                          "12", &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "a-seed-10"));
    assert_non_null(strstr(err.text, "python big.py"));
    /* One that is over, while the run's job is another. */
    assert_int_equal(find(SEED1, "", "9", &err), -1);
    assert_int_equal(find("", "", "9", &err), 0);
    assert_string_equal(src.job_id, "");
}

static void array_tasks_are_told_apart(void **state)
{
    static const char jobs[] =
        JOB("20_0", "21", "20", "RUNNING", "", "", "train")
        JOB("20_7", "20", "20", "RUNNING", "", "", "train")
        JOB("20_[8-9]", "20", "20", "PENDING", "", "a-seed-1", "train");
    struct relay_error err = {0};

    (void)state;
    meta_was_written_at(1700000200);
    assert_int_equal(find(jobs, "20_7\n/o\nx a-seed-1\n", "20_7", &err), 0);
    assert_string_equal(src.job_id, "20_7");
    assert_int_equal(src.nfollowers, 0); /* siblings are left alone */
    assert_int_equal(find(jobs, "", "20", &err), -1);
    assert_non_null(strstr(err.text, "20_0"));
}

static void the_leases_owner_comes_first(void **state)
{
    struct relay_error err = {0};

    (void)state;
    src.lease.kind = LEASE_CLAIM;
    src.lease.gen = 1;
    snprintf(src.lease.owner.job_id, 32, "13");
    snprintf(src.lease.owner.cluster, 64, "iris");
    assert_int_equal(find(SEED1 TRAIN, "", "", &err), 0);
    assert_string_equal(src.job_id, "13");
    src.lease.owner.submit = 5; /* another life of that number */
    assert_int_equal(find(SEED1 TRAIN, "", "", &err), 0);
    assert_string_equal(src.job_id, "11");
}

static void dependants_follow(void **state)
{
    static const char jobs[] = SEED1
        JOB("31", "31", "31", "PENDING", "afterany:11(unfulfilled)", "", "x")
        JOB("32", "32", "32", "PENDING", "afterok:111(unfulfilled)", "", "x")
        JOB("33_[0-3]", "33", "33", "PENDING", "afterok:5,after:11", "", "y");
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(find(jobs, "", "", &err), 0);
    assert_int_equal(src.nfollowers, 2);
    assert_string_equal(src.followers[0].job_id, "31");
    assert_string_equal(src.followers[1].job_id, "33");
}

#define T(test) cmocka_unit_test_setup_teardown(test, fresh, drop_source)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_snapshot_has_what_the_run_has),
        T(odd_names_have_digests),
        T(a_writer_in_place_is_noticed),
        T(a_run_that_is_gone_is_said_so),
        T(a_state_is_superseded_by_a_stub),
        T(a_cut_off_supersede_is_gone_on_with),
        T(a_state_that_comes_back_is_noticed),
        T(a_stub_written_over_is_noticed),
        T(nothing_there_is_nothing_to_supersede),
        T(superseded_files_have_digests),
        T(what_is_unchanged_is_not_read_twice),
        T(what_was_written_in_place_is_read_again),
        T(a_fence_is_linked_once),
        T(a_fence_without_a_result_is_gone_on_with),
        T(a_fence_that_comes_second_is_lost),
        T(a_fence_is_lifted_and_the_state_put_back),
        T(anothers_fence_is_not_lifted),
        T(a_state_at_the_stubs_place_is_not_overwritten),
        cmocka_unit_test(a_name_is_found_as_a_whole_word),
        T(a_job_is_found_by_its_exact_name),
        T(a_job_is_found_by_what_its_script_says),
        T(a_typed_job_must_be_this_runs),
        T(array_tasks_are_told_apart),
        T(the_leases_owner_comes_first),
        T(dependants_follow),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
