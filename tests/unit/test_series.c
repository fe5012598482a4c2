#define _GNU_SOURCE 1
#include "tempdir.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "file.h"
#include "jsonfile.h"
#include "series.h"

#define WRITERS 16
#define WINS 6

/* What the next link does: the truth, or what a lost reply makes of it. */
static enum { HONEST, DONE_EIO, DONE_EEXIST, LOST_EIO, NOT_DONE_OK } lie;

/* The executable's own linkat comes before libc's. */
int linkat(int from_fd, const char *from, int to_fd, const char *to,
           int flags)
{
    int rc = 0;

    if (lie != LOST_EIO && lie != NOT_DONE_OK)
        rc = (int)syscall(SYS_linkat, from_fd, from, to_fd, to, flags);
    if (lie == HONEST || lie == NOT_DONE_OK)
        return rc;
    errno = lie == DONE_EEXIST ? EEXIST : EIO;
    return -1;
}

static bool listing_is_old;

/* An old listing, as a cache of NFS may give it, knows run.1 to run.9. */
struct dirent *readdir(DIR *dir)
{
    static struct dirent *(*next)(DIR *);
    struct dirent *entry;

    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "readdir");
    do {
        entry = next(dir);
    } while (listing_is_old && entry != NULL && strlen(entry->d_name) > 5);
    return entry;
}

static struct json_object *new_body(const char *nonce)
{
    struct json_object *body = json_object_new_object();

    json_add_str(body, "kind", "claim");
    json_add_str(body, "nonce", nonce);
    return body;
}

static int link_as(int dirfd, int64_t gen, const char *nonce,
                   struct relay_error *err)
{
    struct json_object *body = new_body(nonce);
    int won = series_link(dirfd, "run", gen, body, err);

    json_object_put(body);
    return won;
}

static int fresh_dir(const char *name)
{
    int fd;

    temp_mkdir(name);
    fd = file_open_dir(temp.fd, name, NULL);
    assert_true(fd >= 0);
    return fd;
}

static int count_files(int dirfd, const char *prefix)
{
    DIR *dir = fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY));
    struct dirent *entry;
    int n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        n += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    closedir(dir);
    return n;
}

static void put_file(int dirfd, const char *name, const char *text)
{
    assert_int_equal(file_write(dirfd, name, text, strlen(text), 0600, NULL),
                     0);
}

static void begins_empty_and_grows(void **state)
{
    int fd = fresh_dir("grows");
    struct series_record rec;
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(series_last(fd, "run", &rec, &err), 0);
    assert_int_equal(rec.gen, 0);
    assert_null(rec.body);
    assert_int_equal(link_as(fd, 1, "aa", &err), 1);
    assert_int_equal(link_as(fd, 2, "bb", &err), 1);
    assert_int_equal(link_as(fd, 2, "cc", &err), 0);
    assert_int_equal(series_last(fd, "run", &rec, &err), 0);
    assert_int_equal(rec.gen, 2);
    assert_string_equal(json_str(rec.body, "nonce", ""), "bb");
    assert_string_equal(json_str(rec.body, "series", ""), "run");
    assert_int_equal(json_int(rec.body, "format", 0), 1);
    assert_int_equal(json_int(rec.body, "gen", 0), 2);
    series_free(&rec);
    assert_int_equal(series_read(fd, "run", 3, &rec, &err), -1);
    assert_int_equal(err.code, EX_NOINPUT);
    assert_int_equal(count_files(fd, ".tmp-"), 0);
    close(fd);
}

static void leaves_no_gap(void **state)
{
    int fd = fresh_dir("gap");
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(link_as(fd, 2, "aa", &err), -1);
    assert_int_equal(link_as(fd, 0, "aa", &err), -1);
    assert_int_equal(count_files(fd, "run."), 0);
    assert_int_equal(count_files(fd, ".tmp-"), 0);
    close(fd);
}

static void other_names_are_not_records(void **state)
{
    int fd = fresh_dir("names");
    struct series_record rec;
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(link_as(fd, 1, "aa", &err), 1);
    put_file(fd, "run.01", "x");
    put_file(fd, "run.7x", "x");
    put_file(fd, "run.", "x");
    put_file(fd, "runs.9", "x");
    put_file(fd, "run.99999999999999999999", "x");
    assert_int_equal(series_last(fd, "run", &rec, &err), 0);
    assert_int_equal(rec.gen, 1);
    series_free(&rec);
    close(fd);
}

static void believes_the_name_not_the_reply(void **state)
{
    int fd = fresh_dir("replies");
    struct relay_error err = {0};

    (void)state;
    lie = DONE_EIO;
    assert_int_equal(link_as(fd, 1, "aa", &err), 1);
    lie = DONE_EEXIST;
    assert_int_equal(link_as(fd, 2, "aa", &err), 1);
    /* The same nonce, another process of that run: not ours. */
    assert_int_equal(link_as(fd, 2, "aa", &err), 0);
    lie = LOST_EIO;
    assert_int_equal(link_as(fd, 3, "aa", &err), -1);
    assert_int_equal(err.code, EX_CANTCREAT);
    lie = NOT_DONE_OK;
    assert_int_equal(link_as(fd, 3, "aa", &err), -1);
    lie = HONEST;
    assert_int_equal(link_as(fd, 3, "bb", &err), 1);
    assert_int_equal(count_files(fd, ".tmp-"), 0);
    close(fd);
}

static void refuses_what_it_cannot_read(void **state)
{
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"", EX_DATAERR},
        {"{\"format\": 1, \"series\": \"run\", \"gen\"", EX_DATAERR},
        {"{\"series\": \"run\", \"gen\": 1}", EX_DATAERR},
        {"{\"format\": 2, \"series\": \"run\", \"gen\": 1}", EX_CONFIG},
        {"{\"format\": 1, \"series\": \"handoff\", \"gen\": 1}", EX_DATAERR},
        {"{\"format\": 1, \"series\": \"run\", \"gen\": 4}", EX_DATAERR},
    };
    int fd = fresh_dir("torn");
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct series_record rec;
        struct relay_error err = {0};

        put_file(fd, "run.1", cases[i].text);
        assert_int_equal(series_last(fd, "run", &rec, &err), -1);
        assert_int_equal(err.code, cases[i].code);
        assert_non_null(strstr(err.text, "run.1"));
        /* It stands there all the same: nothing is put over it. */
        assert_int_equal(link_as(fd, 1, "aa", &err), 0);
    }
    close(fd);
}

/* A listing may be old: what it lacks is found by probing. */
static void finds_what_a_listing_lacks(void **state)
{
    int fd = fresh_dir("probe");
    struct series_record rec;
    struct relay_error err = {0};
    int64_t gen;

    (void)state;
    for (gen = 1; gen <= 12; gen++)
        assert_int_equal(link_as(fd, gen, "aa", &err), 1);
    listing_is_old = true;
    assert_int_equal(count_files(fd, "run."), 9);
    assert_int_equal(series_last(fd, "run", &rec, &err), 0);
    listing_is_old = false;
    assert_int_equal(rec.gen, 12);
    series_free(&rec);
    close(fd);
}

static void write_wins(int fd, int writer)
{
    char nonce[33], name[32];
    int won = 0;

    snprintf(nonce, sizeof(nonce), "%032d", writer);
    snprintf(name, sizeof(name), "won-%d", writer);
    while (won < WINS) {
        struct series_record rec;
        char text[32];
        int rc;

        if (series_last(fd, "run", &rec, NULL) != 0)
            _exit(2);
        rc = link_as(fd, rec.gen + 1, nonce, NULL);
        snprintf(text, sizeof(text), "%" PRId64, rec.gen + 1);
        series_free(&rec);
        if (rc < 0)
            _exit(3);
        if (rc == 1 && file_append_line(fd, name, text, NULL) != 0)
            _exit(4);
        won += rc;
    }
    _exit(0);
}

/* Every record that a writer says it won carries that writer's nonce. */
static int check_wins(int fd, int writer)
{
    char nonce[33], name[32];
    char *text, *line, *save = NULL;
    int n = 0;

    snprintf(nonce, sizeof(nonce), "%032d", writer);
    snprintf(name, sizeof(name), "won-%d", writer);
    text = file_read(fd, name, 65536, NULL, NULL);
    assert_non_null(text);
    for (line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        struct series_record rec;

        assert_int_equal(series_read(fd, "run", strtoll(line, NULL, 10), &rec,
                                     NULL), 0);
        assert_string_equal(json_str(rec.body, "nonce", ""), nonce);
        series_free(&rec);
        n++;
    }
    free(text);
    return n;
}

static void one_winner_for_each_generation(void **state)
{
    int fd = fresh_dir("race");
    struct series_record rec;
    pid_t pids[WRITERS];
    int i, status, wins = 0;

    (void)state;
    for (i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0)
            write_wins(fd, i);
    }
    for (i = 0; i < WRITERS; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    for (i = 0; i < WRITERS; i++)
        wins += check_wins(fd, i);
    assert_int_equal(wins, WRITERS * WINS);
    assert_int_equal(series_last(fd, "run", &rec, NULL), 0);
    assert_int_equal(rec.gen, WRITERS * WINS);
    series_free(&rec);
    assert_int_equal(count_files(fd, "run."), WRITERS * WINS);
    assert_int_equal(count_files(fd, ".tmp-"), 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_empty_and_grows),
        cmocka_unit_test(leaves_no_gap),
        cmocka_unit_test(other_names_are_not_records),
        cmocka_unit_test(believes_the_name_not_the_reply),
        cmocka_unit_test(refuses_what_it_cannot_read),
        cmocka_unit_test(finds_what_a_listing_lacks),
        cmocka_unit_test(one_winner_for_each_generation),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
