#define _GNU_SOURCE 1
#include "queuedir.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "sweep/claim.h"

/* What the next link does: the truth, or what a lost reply makes of it. */
static enum { HONEST, DONE_EIO, DONE_EEXIST, NOT_DONE_EIO, FULL_ONCE } lie;

/* The executable's own linkat comes before libc's. */
int linkat(int from_fd, const char *from, int to_fd, const char *to,
           int flags)
{
    if (lie == FULL_ONCE) {
        lie = HONEST;
        errno = EMLINK;
        return -1;
    }
    if (lie == NOT_DONE_EIO) {
        errno = EIO;
        return -1;
    }
    if (syscall(SYS_linkat, from_fd, from, to_fd, to, flags) != 0)
        return -1;
    if (lie == HONEST)
        return 0;
    errno = lie == DONE_EIO ? EIO : EEXIST;
    return -1;
}

/* --- one worker ----------------------------------------------------------- */

static void test_every_cell_is_claimed_and_done_once(void **state)
{
    bool seen[300] = {false};
    struct board_counts counts;
    struct queue_claim claim;
    struct queue *queue;
    int n = 0;

    (void)state;
    make_sweep(300);
    queue = open_queue();
    while (next(queue, &claim) == QUEUE_CLAIMED) {
        assert_false(seen[claim.index]);
        assert_int_equal(claim.gen, 1);
        assert_false(claim.partial);
        seen[claim.index] = true;
        assert_int_equal(end_as(queue, &claim, CELL_DONE, NULL, 5),
                         CELL_DONE);
        n++;
    }
    assert_int_equal(n, 300);
    assert_int_equal(next(queue, &claim), QUEUE_FINISHED);
    queue_counts(queue, &counts);
    assert_int_equal(counts.of[CELL_DONE], 300);
    queue_close(queue);
    queue = open_queue();
    assert_int_equal(next(queue, &claim), QUEUE_FINISHED);
    queue_close(queue);
    drop_sweep();
}

static void test_shards_are_disjoint(void **state)
{
    struct queue_want want = {.shard_index = 2, .shard_count = 3};
    struct queue_claim claim;
    struct queue *queue;
    enum queue_next what;
    int n = 0;

    (void)state;
    make_sweep(20);
    queue = open_queue();
    while (queue_next(queue, &want, &what, &claim, NULL) == 0 &&
           what == QUEUE_CLAIMED) {
        assert_int_equal(claim.index % 3, 2);
        end_as(queue, &claim, CELL_DONE, NULL, -1);
        n++;
    }
    assert_int_equal(n, 6);
    assert_int_equal(what, QUEUE_FINISHED);
    queue_close(queue);
    drop_sweep();
}

static void test_partial_cells_come_first(void **state)
{
    struct queue *queue;
    struct queue_claim a, b, c;

    (void)state;
    make_sweep(10);
    queue = open_queue();
    a = take(queue);
    b = take(queue);
    assert_int_equal(end_as(queue, &a, CELL_PARTIAL, NULL, -1),
                     CELL_WAITING);
    assert_int_equal(end_as(queue, &b, CELL_PARTIAL, NULL, 700),
                     CELL_PARTIAL);
    c = take(queue);
    assert_int_equal(c.index, b.index);
    assert_int_equal(c.step, 700);
    assert_true(c.partial);
    c = take(queue);
    assert_int_equal(c.index, a.index);
    queue_close(queue);
    drop_sweep();
}

static void test_failures_count_up_to_the_limit(void **state)
{
    struct queue_claim claim;
    struct queue *queue;

    (void)state;
    make_sweep(1);
    sweep.retries = 1;
    queue = open_queue();
    claim = take(queue);
    assert_int_equal(end_as(queue, &claim, CELL_FAILED, "boom", -1),
                     CELL_WAITING);
    claim = take(queue);
    assert_int_equal(claim.failures, 1);
    assert_int_equal(end_as(queue, &claim, CELL_FAILED, "boom", -1),
                     CELL_FAILED);
    assert_int_equal(next(queue, &claim), QUEUE_FINISHED);
    assert_string_equal(queue_note(queue, 0)->why, "boom");
    queue_close(queue);
    drop_sweep();
}

static void test_one_error_on_two_workers_quarantines(void **state)
{
    struct queue *one, *two;
    struct queue_claim claim;

    (void)state;
    make_sweep(1);
    sweep.retries = 5;
    one = open_queue();
    two = open_queue();
    claim = take(one);
    end_as(one, &claim, CELL_FAILED, "KeyError: lr", -1);
    claim = take(two);
    assert_int_equal(end_as(two, &claim, CELL_FAILED, "KeyError: lr", -1),
                     CELL_QUARANTINED);
    assert_int_equal(next(one, &claim), QUEUE_FINISHED);
    queue_close(one);
    queue_close(two);
    drop_sweep();
}

static void test_an_end_is_recorded_once(void **state)
{
    struct queue_end end = {.state = CELL_DONE, .step = -1};
    struct relay_error err = {0};
    struct queue *queue, *other;
    struct queue_claim claim;

    (void)state;
    make_sweep(2);
    queue = open_queue();
    claim = take(queue);
    assert_int_equal(queue_end(queue, claim.index, claim.gen, &end, NULL,
                               &err), 0);
    assert_int_equal(queue_end(queue, claim.index, claim.gen, &end, NULL,
                               &err), 0);
    other = open_queue();
    end.state = CELL_FAILED;
    assert_int_equal(queue_end(other, claim.index, claim.gen, &end, NULL,
                               &err), -1);
    assert_int_equal(err.code, EX_NOPERM);
    assert_int_equal(queue_end(other, 1 - claim.index, 1, &end, NULL, &err),
                     -1);
    assert_non_null(strstr(err.text, "no claim"));
    queue_close(other);
    queue_close(queue);
    drop_sweep();
}

/* --- several workers ------------------------------------------------------ */

/* A worker that claims one cell and is told how to go on. */
static pid_t start_claimer(int *stop)
{
    int ready[2], end[2];
    char c;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(end), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct queue *queue = open_queue();

        (void)take(queue);
        close(end[1]);
        if (write(ready[1], "x", 1) != 1 || read(end[0], &c, 1) < 0)
            _exit(2);
        queue_close(queue);
        drop_sweep();
        _exit(0);
    }
    close(ready[1]);
    close(end[0]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    *stop = end[1];
    return pid;
}

static void test_a_dead_workers_cell_comes_back(void **state)
{
    struct queue_claim claim;
    struct queue *queue;
    int stop;
    pid_t pid;

    (void)state;
    make_sweep(1);
    pid = start_claimer(&stop);
    queue = open_queue();
    assert_int_equal(next(queue, &claim), QUEUE_NOTHING_NOW);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(stop);
    assert_int_equal(next(queue, &claim), QUEUE_CLAIMED);
    assert_int_equal(claim.gen, 2);
    queue_close(queue);
    drop_sweep();
}

static void test_a_stopped_worker_keeps_its_cell(void **state)
{
    struct relay_error err = {0};
    struct queue_claim claim;
    struct queue *queue;
    int stop;
    pid_t pid;

    (void)state;
    make_sweep(1);
    pid = start_claimer(&stop);
    kill(pid, SIGSTOP);
    queue = open_queue();
    assert_int_equal(next(queue, &claim), QUEUE_NOTHING_NOW);
    assert_int_equal(queue_claim_cell(queue, 0, &claim, &err), -1);
    assert_int_equal(err.code, EX_NOPERM);
    assert_non_null(strstr(err.text, "runs on this host"));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(stop);
    assert_int_equal(queue_claim_cell(queue, 0, &claim, &err), 0);
    queue_close(queue);
    drop_sweep();
}

/* Killed after its link and before its ledger knew of it. */
static void test_an_end_without_a_line_counts(void **state)
{
    struct relay_error err = {0};
    struct claim_store store = {.claims = -1};
    struct queue_claim claim;
    struct queue *queue;
    struct owner own;
    char id[CELL_ID_MAX + 1];

    (void)state;
    make_sweep(1);
    assert_int_equal(owner_self("here", "", getpid(), &own, &err), 0);
    assert_int_equal(claim_open(sweep.fd, &own,
                                "0123456789abcdef0123456789abcdef",
                                &store, &err), 0);
    assert_int_equal(roster_id(sweep.roster, 0, id, &err), 0);
    assert_int_equal(claim_link(&store, id, 1, CELL_RUNNING, &err), 1);
    assert_int_equal(claim_link(&store, id, 2, CELL_DONE, &err), 1);
    claim_close(&store);
    queue = open_queue();
    assert_int_equal(next(queue, &claim), QUEUE_FINISHED);
    assert_int_equal(queue_state(queue, 0), CELL_DONE);
    queue_close(queue);
    drop_sweep();
}

static void test_many_processes_share_the_cells(void **state)
{
    enum { PROCESSES = 8, CELLS = 500 };
    pid_t pids[PROCESSES];
    struct board_counts counts;
    struct queue *queue;
    int i, status, sum = 0, pipes[2];
    unsigned char byte;

    (void)state;
    make_sweep(CELLS);
    assert_int_equal(pipe(pipes), 0);
    for (i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct queue *mine = open_queue();
            struct queue_claim claim;

            while (next(mine, &claim) == QUEUE_CLAIMED) {
                end_as(mine, &claim, CELL_DONE, NULL, -1);
                if (write(pipes[1], "x", 1) != 1)
                    _exit(2);
            }
            queue_close(mine);
            drop_sweep();
            _exit(0);
        }
    }
    close(pipes[1]);
    while (read(pipes[0], &byte, 1) == 1)
        sum++;
    close(pipes[0]);
    for (i = 0; i < PROCESSES; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(sum, CELLS);
    queue = open_queue();
    queue_counts(queue, &counts);
    assert_int_equal(counts.of[CELL_DONE], CELLS);
    queue_close(queue);
    drop_sweep();
}

/* --- lost replies --------------------------------------------------------- */

static void check_lie(int kind)
{
    struct queue *one, *two;
    struct queue_claim a, b;

    make_sweep(2);
    one = open_queue();
    two = open_queue();
    lie = kind;
    a = take(one);
    lie = HONEST;
    b = take(two);
    assert_int_not_equal(a.index, b.index);
    lie = kind;
    assert_int_equal(end_as(one, &a, CELL_DONE, NULL, -1), CELL_DONE);
    assert_int_equal(end_as(two, &b, CELL_DONE, NULL, -1), CELL_DONE);
    lie = HONEST;
    assert_int_equal(next(one, &a), QUEUE_FINISHED);
    queue_close(one);
    queue_close(two);
    drop_sweep();
}

static void test_a_lost_reply_loses_nothing(void **state)
{
    (void)state;
    check_lie(DONE_EIO);
    check_lie(DONE_EEXIST);
}

static void test_a_link_that_fails_is_an_error(void **state)
{
    struct queue_want want = {0};
    struct relay_error err = {0};
    struct queue_claim claim;
    enum queue_next what;
    struct queue *queue;

    (void)state;
    make_sweep(1);
    queue = open_queue();
    lie = NOT_DONE_EIO;
    assert_int_equal(queue_next(queue, &want, &what, &claim, &err), -1);
    assert_int_equal(err.code, EX_CANTCREAT);
    lie = HONEST;
    assert_int_equal(next(queue, &claim), QUEUE_CLAIMED);
    queue_close(queue);
    drop_sweep();
}

static void test_a_record_with_all_its_links_is_exchanged(void **state)
{
    struct queue_claim claim;
    struct queue *queue;

    (void)state;
    make_sweep(3);
    queue = open_queue();
    (void)take(queue);
    lie = FULL_ONCE;
    claim = take(queue);
    assert_int_equal(end_as(queue, &claim, CELL_DONE, NULL, -1), CELL_DONE);
    queue_close(queue);
    drop_sweep();
}

/* --- nonces and scripts --------------------------------------------------- */

static void test_a_nonce_gets_its_claim_again(void **state)
{
    struct queue_claim a, b, c;
    struct queue *queue;

    (void)state;
    make_sweep(5);
    queue = open_as(getpid(), "remote-17");
    a = take(queue);
    b = take(queue);
    assert_int_equal(a.index, b.index);
    queue_close(queue);
    queue = open_as(getpid(), "remote-17");
    c = take(queue);
    assert_int_equal(a.index, c.index);
    assert_int_equal(a.gen, c.gen);
    end_as(queue, &c, CELL_DONE, NULL, -1);
    b = take(queue);
    assert_int_not_equal(a.index, b.index);
    queue_close(queue);
    drop_sweep();
}

static void test_a_script_may_hold_several(void **state)
{
    struct queue_claim a, b;
    struct queue *queue;

    (void)state;
    make_sweep(5);
    queue = open_as(getppid(), NULL);
    a = take(queue);
    queue_close(queue);
    queue = open_as(getppid(), NULL);
    b = take(queue);
    assert_int_not_equal(a.index, b.index);
    assert_int_equal(end_as(queue, &a, CELL_DONE, NULL, -1), CELL_DONE);
    queue_close(queue);
    drop_sweep();
}

/* --- a person's word ------------------------------------------------------ */

static void test_what_a_person_may_say(void **state)
{
    struct relay_error err = {0};
    struct queue_claim claim;
    struct queue *queue;

    (void)state;
    make_sweep(1);
    queue = open_queue();
    assert_int_equal(queue_settle(queue, 0, "retry", false, &err), -1);
    assert_int_equal(queue_settle(queue, 0, "hold", false, &err), 0);
    assert_int_equal(next(queue, &claim), QUEUE_FINISHED);
    assert_int_equal(queue_claim_cell(queue, 0, &claim, &err), -1);
    assert_non_null(strstr(err.text, "ssweep retry"));
    assert_int_equal(queue_settle(queue, 0, "retry", false, &err), 0);
    claim = take(queue);
    assert_int_equal(queue_settle(queue, 0, "hold", false, &err), -1);
    assert_int_equal(err.code, EX_NOPERM);
    assert_int_equal(end_as(queue, &claim, CELL_UNPROVEN, "no proof", -1),
                     CELL_UNPROVEN);
    assert_int_equal(queue_settle(queue, 0, "retry", false, &err), -1);
    assert_non_null(strstr(err.text, "--force"));
    assert_int_equal(queue_settle(queue, 0, "accept", false, &err), 0);
    assert_int_equal(queue_state(queue, 0), CELL_DONE);
    assert_int_equal(queue_settle(queue, 0, "retry", true, &err), 0);
    claim = take(queue);
    assert_false(queue_asked(queue, 0, claim.gen));
    assert_int_equal(queue_ask_stop(queue, 0, &err), 0);
    assert_true(queue_asked(queue, 0, claim.gen));
    queue_close(queue);
    drop_sweep();
}

/* --- what is on disk ------------------------------------------------------ */

static int files;

static int count(const char *path, const struct stat *st, int flag,
                 struct FTW *ftw)
{
    (void)path;
    (void)ftw;
    if (flag == FTW_D || st->st_nlink == 1)
        files++;
    return 0;
}

static int listed(const char *name)
{
    char path[700];

    snprintf(path, sizeof(path), "%s/%s", sweep.path, name);
    files = -1; /* the directory itself */
    assert_int_equal(nftw(path, count, 8, FTW_PHYS), 0);
    return files;
}

static void finish_all(void)
{
    struct queue *queue = open_queue();
    struct queue_claim claim;

    while (next(queue, &claim) == QUEUE_CLAIMED)
        end_as(queue, &claim, CELL_DONE, NULL, -1);
    queue_close(queue);
}

static void test_a_snapshot_stands_for_the_ledgers(void **state)
{
    struct board_counts counts;
    struct queue *queue;
    char path[700];

    (void)state;
    make_sweep(200);
    finish_all();
    assert_int_equal(listed("snapshots"), 1);
    assert_int_equal(listed("ledgers"), 2); /* folded/ and what is in it */
    snprintf(path, sizeof(path), "%s/ledgers/folded", sweep.path);
    assert_int_equal(file_remove_tree(AT_FDCWD, path, NULL), 0);
    queue = open_queue();
    queue_counts(queue, &counts);
    assert_int_equal(counts.of[CELL_DONE], 200);
    queue_close(queue);
    drop_sweep();
}

static void test_the_links_alone_are_enough(void **state)
{
    struct queue_claim claim;
    struct queue *queue;
    char path[700];

    (void)state;
    make_sweep(200);
    finish_all();
    snprintf(path, sizeof(path), "%s/ledgers/folded", sweep.path);
    assert_int_equal(file_remove_tree(AT_FDCWD, path, NULL), 0);
    snprintf(path, sizeof(path), "%s/snapshots/1", sweep.path);
    assert_int_equal(file_write(AT_FDCWD, path, "torn", 4, 0644, NULL), 0);
    queue = open_queue();
    assert_int_equal(queue_state(queue, 7), CELL_WAITING);
    assert_int_equal(next(queue, &claim), QUEUE_FINISHED);
    assert_int_equal(queue_state(queue, 7), CELL_DONE);
    queue_close(queue);
    drop_sweep();
}

static void test_appended_cells_are_taken_up(void **state)
{
    struct queue_claim claim;
    struct queue *queue;

    (void)state;
    make_sweep(3);
    queue = open_queue();
    while (next(queue, &claim) == QUEUE_CLAIMED)
        end_as(queue, &claim, CELL_DONE, NULL, -1);
    load_cells(4);
    assert_int_equal(next(queue, &claim), QUEUE_CLAIMED);
    assert_int_equal(claim.index, 3);
    queue_close(queue);
    drop_sweep();
}

static void test_the_history_tells_all(void **state)
{
    struct relay_error err = {0};
    struct text out = {0};
    struct queue_claim claim;
    struct queue *queue;

    (void)state;
    make_sweep(1);
    sweep.retries = 1;
    queue = open_queue();
    claim = take(queue);
    queue_progress(queue, 0, claim.gen, 40);
    end_as(queue, &claim, CELL_FAILED, "out of memory", 40);
    claim = take(queue);
    assert_int_equal(queue_history(queue, 0, &out, &err), 0);
    assert_non_null(strstr(text_str(&out), "gen 1  claim by process"));
    assert_non_null(strstr(text_str(&out), "gen 2  partial"));
    assert_non_null(strstr(text_str(&out), "step 40"));
    assert_non_null(strstr(text_str(&out), "out of memory"));
    assert_non_null(strstr(text_str(&out), "gen 3  claim"));
    assert_non_null(strstr(text_str(&out), "its owner is alive"));
    text_free(&out);
    queue_close(queue);
    drop_sweep();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cell_is_claimed_and_done_once),
        cmocka_unit_test(test_shards_are_disjoint),
        cmocka_unit_test(test_partial_cells_come_first),
        cmocka_unit_test(test_failures_count_up_to_the_limit),
        cmocka_unit_test(test_one_error_on_two_workers_quarantines),
        cmocka_unit_test(test_an_end_is_recorded_once),
        cmocka_unit_test(test_a_dead_workers_cell_comes_back),
        cmocka_unit_test(test_a_stopped_worker_keeps_its_cell),
        cmocka_unit_test(test_an_end_without_a_line_counts),
        cmocka_unit_test(test_many_processes_share_the_cells),
        cmocka_unit_test(test_a_lost_reply_loses_nothing),
        cmocka_unit_test(test_a_link_that_fails_is_an_error),
        cmocka_unit_test(test_a_record_with_all_its_links_is_exchanged),
        cmocka_unit_test(test_a_nonce_gets_its_claim_again),
        cmocka_unit_test(test_a_script_may_hold_several),
        cmocka_unit_test(test_what_a_person_may_say),
        cmocka_unit_test(test_a_snapshot_stands_for_the_ledgers),
        cmocka_unit_test(test_the_links_alone_are_enough),
        cmocka_unit_test(test_appended_cells_are_taken_up),
        cmocka_unit_test(test_the_history_tells_all),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
