/*
 * Claims and finishes cells of a sweep by the library, from several processes:
 * what a claim costs where no program runs.
 *
 *     claims SWEEP [PROCESSES [CELLS]]
 *
 * Each process goes on until nothing is left, or it has done CELLS cells.
 * Prints "CELLS SECONDS": together done, and from the first start to the last
 * end. Exits with 1 when a process failed.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "sweep/queue.h"
#include "sweep/sweep.h"

static int fail(const struct relay_error *err)
{
    fprintf(stderr, "claims: %s\n", err->text);
    return -1;
}

static int64_t work(struct queue *queue, int64_t most,
                    struct relay_error *err)
{
    struct queue_end end = {.state = CELL_DONE, .cause = "completed",
                            .step = -1};
    struct queue_want want = {0};
    struct queue_claim claim;
    enum queue_next what;
    int64_t n = 0;

    while (n < most) {
        if (queue_next(queue, &want, &what, &claim, err) != 0)
            return fail(err);
        if (what != QUEUE_CLAIMED)
            break;
        if (queue_end(queue, claim.index, claim.gen, &end, NULL, err) != 0)
            return fail(err);
        n++;
    }
    return n;
}

static int64_t work_alone(const char *path, int64_t most)
{
    struct queue_options opt = {0};
    struct relay_error err = {0};
    struct queue *queue = NULL;
    struct sweep sweep;
    struct owner own;
    int64_t n = -1;

    if (sweep_open(path, &sweep, &err) != 0 ||
        owner_self("bench", "", getpid(), &own, &err) != 0 ||
        queue_open(&sweep, &own, &opt, &queue, &err) != 0)
        fail(&err);
    else
        n = work(queue, most, &err);
    queue_close(queue);
    sweep_close(&sweep);
    return n;
}

/* Runs them all; the sum of what they did, -1 when one failed. */
static int64_t work_together(const char *path, int processes, int64_t most)
{
    int64_t *done = mmap(NULL, sizeof(*done) * (size_t)processes,
                         PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                         -1, 0);
    int64_t sum = 0;
    int i, status;

    if (done == MAP_FAILED)
        return -1;
    for (i = 0; i < processes; i++) {
        pid_t pid = fork();

        if (pid < 0)
            return -1;
        if (pid == 0) {
            done[i] = work_alone(path, most);
            _exit(done[i] < 0);
        }
    }
    for (i = 0; i < processes; i++)
        if (wait(&status) < 0 || status != 0)
            sum = -1;
    for (i = 0; sum >= 0 && i < processes; i++)
        sum += done[i];
    return sum;
}

int main(int argc, char **argv)
{
    long processes = argc > 2 ? strtol(argv[2], NULL, 10) : 1;
    long most = argc > 3 ? strtol(argv[3], NULL, 10) : LONG_MAX;
    int64_t began = clock_ms(), n;

    if (argc < 2 || processes < 1 || processes > 1000 || most < 1) {
        fprintf(stderr, "usage: claims SWEEP [PROCESSES [CELLS]]\n");
        return 64;
    }
    n = processes == 1 ? work_alone(argv[1], most)
                       : work_together(argv[1], (int)processes, most);
    if (n < 0)
        return 1;
    printf("%" PRId64 " %.3f\n", n, (double)(clock_ms() - began) / 1000);
    return 0;
}
