/* What the queue believes: links, and the owners that they name. Ledgers and
 * snapshots are hints, which may be late, torn or wrong. */
#define _GNU_SOURCE 1
#include "queuedir.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "sweep/claim.h"
#include "sweep/ledger.h"
#include "sweep/snapshot.h"

/* Whether the next link is the last thing that this process does. */
static bool die_after_link;

/* The executable's own linkat comes before libc's. */
int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    int rc = (int)syscall(SYS_linkat, from_fd, from, to_fd, to, flags);

    if (rc == 0 && die_after_link && strchr(to, '/') != NULL)
        _exit(0);
    return rc;
}

/* Claims once in a process of its own, which is gone afterwards. */
static void claim_and_die(const char *nonce, bool before_the_line)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct queue *queue = open_as(getpid(), nonce);

        die_after_link = before_the_line;
        (void)take(queue);
        _exit(before_the_line ? 1 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void write_file(const char *name, const char *text)
{
    struct relay_error err = {0};

    if (file_write(sweep.fd, name, text, strlen(text), 0666, &err) != 0)
        fail_msg("%s", err.text);
}

/* --- whose a claim is ----------------------------------------------------- */

/* As the script of a requeued job does: same nonce, another process. */
static void test_a_nonce_passes_to_its_next_owner(void **state)
{
    struct queue *queue, *other;
    struct queue_claim claim, theirs;

    (void)state;
    make_sweep(1);
    claim_and_die("job-17", false);
    queue = open_as(getpid(), "job-17");
    claim = take(queue);
    other = open_queue();
    assert_int_equal(next(other, &theirs), QUEUE_NOTHING_NOW);
    queue_close(other);
    assert_int_equal(end_as(queue, &claim, CELL_DONE, NULL, -1), CELL_DONE);
    queue_close(queue);
    drop_sweep();
}

static void test_a_nonce_finds_a_claim_without_a_line(void **state)
{
    struct queue_claim first, found;
    struct queue *queue;

    (void)state;
    make_sweep(40);
    queue = open_queue();
    first = take(queue);
    claim_and_die("job-18", true);
    /* Would come first, had the nonce nothing. */
    assert_int_equal(end_as(queue, &first, CELL_PARTIAL, NULL, 7),
                     CELL_PARTIAL);
    queue_close(queue);
    queue = open_as(getpid(), "job-18");
    found = take(queue);
    assert_int_not_equal(found.index, first.index);
    assert_int_equal(found.gen, 2); /* its first owner is gone */
    queue_close(queue);
    drop_sweep();
}

/* The finish was killed between its link and its line. */
static void test_a_nonce_is_not_given_what_has_ended(void **state)
{
    struct claim_store store = {.claims = -1, .shared = true};
    struct queue_claim first, second;
    struct relay_error err = {0};
    struct queue *queue;
    struct owner own;

    (void)state;
    make_sweep(2);
    queue = open_as(getpid(), "0123456789abcdef0123456789abcdef");
    first = take(queue);
    queue_close(queue);
    assert_int_equal(owner_self("here", "", getpid(), &own, &err), 0);
    assert_int_equal(claim_open(sweep.fd, &own,
                                "0123456789abcdef0123456789abcdef", &store,
                                &err),
                     0);
    assert_int_equal(claim_link(&store, first.id, 2, CELL_DONE, &err), 1);
    claim_close(&store);
    queue = open_as(getpid(), "0123456789abcdef0123456789abcdef");
    second = take(queue);
    assert_int_not_equal(second.index, first.index);
    assert_int_equal(queue_state(queue, first.index), CELL_DONE);
    queue_close(queue);
    drop_sweep();
}

/* A ledger says that the cell was given back; its link says that it runs. */
static void test_a_wrong_ledger_frees_no_cell(void **state)
{
    struct queue *queue, *other;
    struct queue_claim claim, theirs;

    (void)state;
    make_sweep(1);
    queue = open_queue();
    claim = take(queue);
    write_file("ledgers/00000000000000000000000000000000",
               "{\"format\":1}\np 0 1 1732287600 5 3 0 - -\n");
    other = open_queue();
    assert_int_equal(next(other, &theirs), QUEUE_NOTHING_NOW);
    assert_int_equal(end_as(queue, &claim, CELL_DONE, NULL, -1), CELL_DONE);
    queue_close(other);
    queue_close(queue);
    drop_sweep();
}

/* Its links were lost when the power failed, the ledger was not. */
static void test_generations_stay_dense(void **state)
{
    struct claim_store store = {.claims = -1};
    struct relay_error err = {0};
    struct claim_record rec;
    struct queue_claim claim;
    struct queue *queue;
    int64_t gen;

    (void)state;
    make_sweep(1);
    write_file("ledgers/00000000000000000000000000000000",
               "{\"format\":1}\nr 0 1 1732287600 -1 0 0 - -\n"
               "p 0 2 1732287600 5 3 0 - -\n");
    queue = open_queue();
    claim = take(queue);
    assert_int_equal(claim.gen, 3);
    assert_int_equal(claim_open(sweep.fd, NULL, NULL, &store, &err), 0);
    for (gen = 1; gen <= 3; gen++)
        assert_int_equal(claim_read(&store, claim.id, gen, &rec, &err), 0);
    assert_int_equal(rec.state, CELL_RUNNING);
    claim_close(&store);
    queue_close(queue);
    drop_sweep();
}

static void test_a_damaged_ledger_blocks_nothing(void **state)
{
    struct queue_claim claim;
    struct queue *queue;
    int i;

    (void)state;
    make_sweep(2);
    write_file("ledgers/00000000000000000000000000000000",
               "{\"format\":1}\np 0 99999999999 1732287600 5 3 0 - -\n");
    queue = open_queue();
    for (i = 0; i < 2; i++) {
        claim = take(queue);
        assert_int_equal(claim.gen, 1);
        assert_int_equal(end_as(queue, &claim, CELL_DONE, NULL, -1), CELL_DONE);
    }
    assert_int_equal(next(queue, &claim), QUEUE_FINISHED);
    queue_close(queue);
    drop_sweep();
}

static void test_a_pid_of_another_namespace_says_nothing(void **state)
{
    struct queue_options opt = {.nonce = NULL};
    struct relay_error err = {0};
    struct queue *queue, *other;
    struct queue_claim claim;
    struct owner own;
    pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(0);
    make_sweep(1);
    assert_int_equal(owner_self("here", "", getpid(), &own, &err), 0);
    own.job_id[0] = '\0';
    assert_true(own.pid_ns != 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    own.pid = pid; /* nobody's here, but it counts elsewhere */
    own.pid_ns++;
    assert_int_equal(queue_open(&sweep, &own, &opt, &queue, &err), 0);
    (void)take(queue);
    other = open_queue();
    assert_int_equal(next(other, &claim), QUEUE_NOTHING_NOW);
    assert_int_equal(queue_claim_cell(other, 0, &claim, &err), -1);
    assert_non_null(strstr(err.text, "in a container"));
    queue_close(other);
    queue_close(queue);
    drop_sweep();
}

/* --- ledgers and snapshots ------------------------------------------------ */

static void test_a_ledger_that_grew_is_not_put_away(void **state)
{
    struct ledger_writers writers = {0};
    struct relay_error err = {0};
    struct board board = {0};
    uint64_t news = 0;
    int64_t number;
    int dir;
    const char *name = "00000000000000000000000000000000";

    (void)state;
    make_sweep(3);
    write_file("ledgers/00000000000000000000000000000000",
               "{\"format\":1}\nr 0 1 1732287600 -1 0 0 - -\n");
    dir = file_open_dir(sweep.fd, LEDGER_DIR, &err);
    assert_true(dir >= 0);
    assert_int_equal(board_grow(&board, 3, &err), 0);
    number = ledger_number(&writers, name, &err);
    assert_int_equal(number, 0);
    assert_int_equal(ledger_read(dir, &writers, 0, &board, &news, &err), 0);
    assert_int_equal(news, 1);
    write_file("ledgers/00000000000000000000000000000000",
               "{\"format\":1}\nr 0 1 1732287600 -1 0 0 - -\n"
               "d 0 2 1732287601 -1 1 0 - -\n");
    ledger_fold(dir, &writers.all[0]);
    assert_false(writers.all[0].folded);
    assert_int_equal(ledger_read(dir, &writers, 0, &board, &news, &err), 0);
    assert_int_equal(board_state(&board, 0), CELL_DONE);
    ledger_fold(dir, &writers.all[0]);
    assert_true(writers.all[0].folded);
    close(dir);
    board_free(&board);
    ledger_writers_free(&writers);
    drop_sweep();
}

/* Cells 0 to n-1 fail so; the number of the snapshot that says it. */
static void save_failures(int dir, int64_t *number, struct board *board,
                          struct ledger_writers *writers, uint64_t n)
{
    struct relay_error err = {0};
    uint64_t i;

    for (i = 0; i < n; i++) {
        struct board_line line = {.state = CELL_FAILED,
                                  .index = i,
                                  .gen = 2,
                                  .step = 4,
                                  .failures = 3,
                                  .observed = i == 1,
                                  .cause = "odd one",
                                  .why = "two\nlines"};

        assert_true(board_apply(board, &line, 0, &err) >= 0);
    }
    assert_int_equal(
        snapshot_save(dir, number, board, writers, writers->all[0].name, &err),
        1);
}

static void test_a_snapshot_keeps_every_note(void **state)
{
    struct ledger_writers writers = {0}, read = {0};
    struct relay_error err = {0};
    struct board board = {0}, seen = {0};
    int64_t number = 0;
    int dir;

    (void)state;
    make_sweep(4);
    dir = file_open_dir(sweep.fd, SNAPSHOT_DIR, &err);
    assert_int_equal(board_grow(&board, 4, &err), 0);
    assert_int_equal(board_grow(&seen, 4, &err), 0);
    assert_int_equal(ledger_number(&writers, "aa", &err), 0);
    save_failures(dir, &number, &board, &writers, 2);
    save_failures(dir, &number, &board, &writers, 3);
    write_file("snapshots/3", "torn");
    number = 0; /* of the damaged one the one before it */
    assert_int_equal(snapshot_load(dir, &number, &seen, &read, &err), 1);
    assert_int_equal(number, 3);
    assert_int_equal(seen.of[CELL_FAILED], 3);
    assert_string_equal(board_note(&seen, 2)->cause, "odd_one");
    assert_string_equal(board_note(&seen, 2)->why, "two lines");
    assert_int_equal(board_note(&seen, 2)->failures, 3);
    assert_true(board_note(&seen, 1)->observed);
    assert_false(board_note(&seen, 0)->observed);
    close(dir);
    board_free(&board);
    board_free(&seen);
    ledger_writers_free(&writers);
    ledger_writers_free(&read);
    drop_sweep();
}

static void test_many_writers_have_numbers(void **state)
{
    struct ledger_writers writers = {0};
    struct relay_error err = {0};
    char name[CLAIM_WRITER];
    int i, again;

    (void)state;
    for (again = 0; again < 2; again++) {
        for (i = 0; i < 3000; i++) {
            snprintf(name, sizeof(name), "%032x", (unsigned)i);
            assert_int_equal(ledger_number(&writers, name, &err), i);
        }
    }
    assert_int_equal(writers.n, 3000);
    ledger_writers_free(&writers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_nonce_passes_to_its_next_owner),
        cmocka_unit_test(test_a_nonce_finds_a_claim_without_a_line),
        cmocka_unit_test(test_a_nonce_is_not_given_what_has_ended),
        cmocka_unit_test(test_a_wrong_ledger_frees_no_cell),
        cmocka_unit_test(test_generations_stay_dense),
        cmocka_unit_test(test_a_damaged_ledger_blocks_nothing),
        cmocka_unit_test(test_a_pid_of_another_namespace_says_nothing),
        cmocka_unit_test(test_a_ledger_that_grew_is_not_put_away),
        cmocka_unit_test(test_a_snapshot_keeps_every_note),
        cmocka_unit_test(test_many_writers_have_numbers),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
