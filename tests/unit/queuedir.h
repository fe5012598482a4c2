/* A sweep's directory by hand, and workers on it, for the tests of the queue.
 */
#ifndef RELAY_TEST_QUEUEDIR_H
#define RELAY_TEST_QUEUEDIR_H

#include "tempdir.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "file.h"
#include "sweep/queue.h"

static struct sweep sweep;

static inline void load_cells(int n)
{
    struct roster_options opt = {0};
    struct relay_error err = {0};
    char path[600];
    char text[65536] = "";
    size_t len = 0;
    int i;

    for (i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "cfg/c%04d.yaml task\n", i);
    temp_text("queue.txt", text);
    if (sweep.roster != NULL)
        roster_free(sweep.roster);
    if (roster_load(temp_join("queue.txt", path, sizeof(path)), &opt, NULL, 0,
                    &sweep.roster, NULL, &err) != 0)
        fail_msg("%s", err.text);
}

static inline void make_sweep(int cells)
{
    static const char *const dirs[] = {"claims", "records", "ledgers",
                                       "snapshots"};
    static char path[600];
    size_t i;

    memset(&sweep, 0, sizeof(sweep));
    temp_join("s.sweep", path, sizeof(path));
    sweep.path = path;
    assert_int_equal(file_remove_tree(AT_FDCWD, path, NULL), 0);
    assert_int_equal(mkdir(path, 0777), 0);
    sweep.fd = file_open_dir(AT_FDCWD, path, NULL);
    assert_true(sweep.fd >= 0);
    for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        assert_int_equal(mkdirat(sweep.fd, dirs[i], 0777), 0);
    load_cells(cells);
}

static inline void drop_sweep(void)
{
    roster_free(sweep.roster);
    close(sweep.fd);
    sweep.roster = NULL;
}

static inline struct queue *open_as(pid_t pid, const char *nonce)
{
    struct queue_options opt = {.nonce = nonce};
    struct relay_error err = {0};
    struct queue *queue = NULL;
    struct owner own;

    assert_int_equal(owner_self("here", "", pid, &own, &err), 0);
    own.job_id[0] = '\0';
    if (queue_open(&sweep, &own, &opt, &queue, &err) != 0)
        fail_msg("%s", err.text);
    return queue;
}

static inline struct queue *open_queue(void)
{
    return open_as(getpid(), NULL);
}

static inline enum queue_next next(struct queue *queue,
                                   struct queue_claim *claim)
{
    struct queue_want want = {0};
    struct relay_error err = {0};
    enum queue_next what;

    if (queue_next(queue, &want, &what, claim, &err) != 0)
        fail_msg("%s", err.text);
    return what;
}

static inline struct queue_claim take(struct queue *queue)
{
    struct queue_claim claim;

    assert_int_equal(next(queue, &claim), QUEUE_CLAIMED);
    return claim;
}

static inline enum cell_state end_as(struct queue *queue,
                                     const struct queue_claim *claim,
                                     enum cell_state state, const char *why,
                                     int64_t step)
{
    struct queue_end end = {.state = state,
                            .cause = "failed",
                            .why = why,
                            .step = step,
                            .counts = state == CELL_FAILED};
    struct relay_error err = {0};
    enum cell_state final;

    if (queue_end(queue, claim->index, claim->gen, &end, &final, &err) != 0)
        fail_msg("%s", err.text);
    return final;
}

#endif
