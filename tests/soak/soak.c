/*
 * The queue under fire: many workers that are killed, stopped, lied to by
 * link(2) and have a clock that is an hour off, on one sweep.
 *
 *     soak SWEEP --workers N --kills N --stop SECONDS [--lies LIES.SO]
 *     soak --worker SWEEP TABLE SLOT
 *
 * Who holds a cell is also written into a table of our own, in memory that
 * all share: a worker that is given a cell whose holder lives says so there.
 * Prints what happened; exits with 0 when every cell was done exactly once,
 * none was lost, and none had two holders.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "sweep/claim.h"
#include "sweep/queue.h"
#include "sweep/sweep.h"

struct table {
    atomic_long claims;   /* all of them */
    atomic_long twice;    /* a cell was given while its holder lived */
    atomic_long redone;   /* a cell was given that is done */
    atomic_long lost;     /* an end was refused to who held the cell */
    atomic_int done[1];   /* of each cell: how often it was done ... */
};

/* ... and behind them who holds it. */
static atomic_int *holders(struct table *table, uint64_t cells)
{
    return &table->done[cells];
}

static size_t table_size(uint64_t cells)
{
    return sizeof(struct table) + 2 * cells * sizeof(atomic_int);
}

static struct table *map_table(const char *path, uint64_t cells, bool make)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | (make ? O_CREAT : 0), 0600);
    void *at = MAP_FAILED;

    if (fd >= 0 && (!make || ftruncate(fd, (off_t)table_size(cells)) == 0))
        at = mmap(NULL, table_size(cells), PROT_READ | PROT_WRITE, MAP_SHARED,
                  fd, 0);
    if (fd >= 0)
        close(fd);
    return at != MAP_FAILED ? at : NULL;
}

static int fail(const struct relay_error *err)
{
    fprintf(stderr, "soak: %s\n", err->text);
    return 1;
}

/* --- a worker ------------------------------------------------------------- */

static volatile sig_atomic_t stop_asked;

static void on_stop_asked(int sig)
{
    (void)sig;
    stop_asked = 1;
}

/* Blocked from before the exec until there is a handler. */
static void block_stop(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(how, &set, NULL);
}

static bool lives(int pid)
{
    return pid != 0 && (kill(pid, 0) == 0 || errno != ESRCH);
}

static void hold(struct table *table, uint64_t cells, uint64_t index)
{
    int before = atomic_exchange(&holders(table, cells)[index],
                                 (int)getpid());

    atomic_fetch_add(&table->claims, 1);
    if (lives(before))
        atomic_fetch_add(&table->twice, 1);
    if (atomic_load(&table->done[index]) > 0)
        atomic_fetch_add(&table->redone, 1);
}

/* Every third cell is given back, and fails, before it is done. */
static struct queue_end end_of(const struct queue_claim *claim)
{
    struct queue_end end = {.state = CELL_DONE, .cause = "completed",
                            .step = -1};

    if (claim->index % 3 != 0 || claim->gen > 6)
        return end;
    end.state = claim->gen / 2 % 2 == 0 ? CELL_PARTIAL : CELL_FAILED;
    end.cause = "failed";
    end.counts = true;
    end.step = claim->gen * 10;
    return end;
}

static int work(struct queue *queue, struct table *table, uint64_t cells,
                struct relay_error *err)
{
    struct queue_want want = {0};
    struct queue_claim claim;
    enum queue_next what;

    for (;;) {
        struct queue_end end;

        if (queue_next(queue, &want, &what, &claim, err) != 0)
            return fail(err);
        if (what == QUEUE_FINISHED)
            return 0;
        if (what == QUEUE_NOTHING_NOW) {
            clock_sleep_ms(20);
            continue;
        }
        hold(table, cells, claim.index);
        if (stop_asked) {
            stop_asked = 0;
            raise(SIGSTOP);
        }
        end = end_of(&claim);
        /* Before the queue hears of it: from then on another may. */
        atomic_store(&holders(table, cells)[claim.index], 0);
        if (queue_end(queue, claim.index, claim.gen, &end, NULL, err) != 0) {
            atomic_fetch_add(&table->lost, 1);
            return fail(err);
        }
        if (end.state == CELL_DONE)
            atomic_fetch_add(&table->done[claim.index], 1);
    }
}

static int worker(const char *path, const char *table_path)
{
    struct queue_options opt = {0};
    struct relay_error err = {0};
    struct queue *queue = NULL;
    struct table *table;
    struct sweep sweep;
    struct owner own;
    uint64_t cells;
    int rc;

    signal(SIGUSR1, on_stop_asked);
    block_stop(SIG_UNBLOCK);
    if (sweep_open(path, &sweep, &err) != 0)
        return fail(&err);
    cells = roster_size(sweep.roster);
    table = map_table(table_path, cells, false);
    if (table == NULL || owner_self("soak", "", getpid(), &own, &err) != 0 ||
        queue_open(&sweep, &own, &opt, &queue, &err) != 0)
        rc = fail(&err);
    else
        rc = work(queue, table, cells, &err);
    queue_close(queue);
    sweep_close(&sweep);
    return rc;
}

/* --- the fire ------------------------------------------------------------- */

struct fire {
    const char *sweep;
    const char *lies; /* lies.so, or NULL */
    char table_path[4096];
    struct table *table;
    uint64_t cells;
    long workers;
    long kills;
    long stop; /* seconds */
    pid_t *pids;
    long killed;
    long wrong; /* workers that ended other than by our hand or with 0 */
    int64_t cell;  /* that the stopped worker holds */
    int64_t until; /* clock_ms: it is stopped so long; 0: it is not */
    bool held;     /* its cell stayed its own */
    long long last_done;
    int64_t last_change; /* clock_ms */
};

enum {
    STOPPED = 1, /* the slot of the worker that is stopped */
    STUCK_MS = 30000
};

/* Every fourth worker is lied to, and one has a clock that is an hour off. */
static void set_lies(const struct fire *fire, long slot)
{
    if (fire->lies == NULL || slot % 4 != 0)
        return;
    setenv("LD_PRELOAD", fire->lies, 1);
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
    setenv("LIES_LINK", "7", 1);
    if (slot == 0)
        setenv("LIES_CLOCK", "3600", 1);
}

static int start(struct fire *fire, long slot)
{
    pid_t pid = fork();

    if (pid == 0) {
        char *argv[] = {"soak", "--worker", (char *)(uintptr_t)fire->sweep,
                        fire->table_path, NULL};

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* none outlives us */
        set_lies(fire, slot);
        execv("/proc/self/exe", argv);
        _exit(126);
    }
    fire->pids[slot] = pid;
    return pid > 0 ? 0 : -1;
}

/* Reaps who has ended; how many still run. */
static long reap(struct fire *fire)
{
    long left = 0, slot;
    int status;

    for (slot = 0; slot < fire->workers; slot++) {
        if (fire->pids[slot] <= 0)
            continue;
        if (waitpid(fire->pids[slot], &status, WNOHANG) == 0) {
            left++;
            continue;
        }
        if (status != 0)
            fire->wrong++;
        fire->pids[slot] = 0;
    }
    return left;
}

static int kill_one(struct fire *fire)
{
    long slot = random() % fire->workers;

    if (fire->pids[slot] <= 0 || slot == STOPPED)
        return 0;
    kill(fire->pids[slot], SIGKILL);
    waitpid(fire->pids[slot], NULL, 0);
    fire->killed++;
    return start(fire, slot);
}

static int64_t cell_of(const struct fire *fire, pid_t pid)
{
    uint64_t i;

    for (i = 0; i < fire->cells; i++)
        if (atomic_load(&holders(fire->table, fire->cells)[i]) == (int)pid)
            return (int64_t)i;
    return -1;
}

static long long done_cells(const struct fire *fire)
{
    long long n = 0;
    uint64_t i;

    for (i = 0; i < fire->cells; i++)
        n += atomic_load(&fire->table->done[i]) > 0;
    return n;
}

/* Stops a worker in the middle of a cell ... */
static int stop_one(struct fire *fire)
{
    pid_t pid = fire->pids[STOPPED];
    int status;

    if (pid <= 0 || kill(pid, SIGUSR1) != 0 ||
        waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
        return -1;
    fire->cell = cell_of(fire, pid);
    fire->until = clock_ms() + fire->stop * 1000;
    printf("stopped  worker %d with cell %" PRId64 " for %ld s\n", (int)pid,
           fire->cell, fire->stop);
    return 0;
}

/* ... and, when the others had time for all the rest and more, looks whether
 * the cell is still its own. */
static void let_go(struct fire *fire)
{
    pid_t pid = fire->pids[STOPPED];

    fire->held = fire->cell >= 0 && cell_of(fire, pid) == fire->cell &&
                 atomic_load(&fire->table->done[fire->cell]) == 0;
    fire->until = 0;
    kill(pid, SIGCONT);
}

/* Nothing was done for so long that nothing will be: a cell is lost, or goes
 * from hand to hand. */
static bool is_stuck(struct fire *fire, long long done)
{
    if (done != fire->last_done || fire->until > 0) {
        fire->last_done = done;
        fire->last_change = clock_ms();
    }
    return clock_ms() - fire->last_change > STUCK_MS;
}

static void end_all(struct fire *fire)
{
    long slot;

    for (slot = 0; slot < fire->workers; slot++) {
        if (fire->pids[slot] <= 0)
            continue;
        kill(fire->pids[slot], SIGKILL);
        waitpid(fire->pids[slot], NULL, 0);
        fire->wrong++;
    }
}

static int burn(struct fire *fire)
{
    long long step = (long long)fire->cells / (fire->kills + 1);
    long slot;

    fire->last_change = clock_ms();
    block_stop(SIG_BLOCK);
    /* First, or the others have nothing left for it. */
    if (start(fire, STOPPED) != 0 || stop_one(fire) != 0)
        return -1;
    for (slot = 0; slot < fire->workers; slot++)
        if (slot != STOPPED && start(fire, slot) != 0)
            return -1;
    while (reap(fire) > 0) {
        long long done = done_cells(fire);

        if (fire->until > 0 && clock_ms() >= fire->until)
            let_go(fire);
        if (is_stuck(fire, done)) {
            printf("stuck    at %lld cells done\n", done);
            end_all(fire);
            break;
        }
        if (fire->killed < fire->kills && done >= fire->killed * step &&
            kill_one(fire) != 0)
            return -1;
        clock_sleep_ms(2);
    }
    return 0;
}

/* --- the verdict ---------------------------------------------------------- */

/* One DONE record for each cell, and it is the last. Counts the others. */
static long check_claims(const struct sweep *sweep)
{
    struct claim_store store = {.claims = -1};
    struct relay_error err = {0};
    long bad = 0;
    uint64_t i;

    if (claim_open(sweep->fd, NULL, NULL, &store, &err) != 0)
        return fail(&err);
    for (i = 0; i < roster_size(sweep->roster); i++) {
        struct claim_record rec = {.state = CELL_WAITING};
        char id[CELL_ID_MAX + 1];
        int64_t gen = 1;
        int done = 0;

        if (roster_id(sweep->roster, i, id, &err) != 0)
            return fail(&err);
        for (; claim_read(&store, id, gen, &rec, &err) == 0; gen++)
            done += rec.state == CELL_DONE;
        if (done != 1 || rec.state != CELL_DONE) {
            printf("cell %s has %d done records, the last is %s\n", id, done,
                   cell_state_name(rec.state));
            bad++;
        }
    }
    claim_close(&store);
    return bad;
}

static int verdict(const struct fire *fire, const struct sweep *sweep)
{
    const struct table *table = fire->table;
    long bad = check_claims(sweep), more = 0;
    uint64_t i;

    for (i = 0; i < fire->cells; i++)
        more += atomic_load(&table->done[i]) > 1;
    printf("claims   %ld of %" PRIu64 " cells by %ld workers, %ld killed\n",
           atomic_load(&table->claims), fire->cells, fire->workers,
           fire->killed);
    printf("wrong    %ld cells not done exactly once, %ld done twice, %ld "
           "with two holders, %ld given when done, %ld ends refused, %ld "
           "workers failed\n", bad, more, atomic_load(&table->twice),
           atomic_load(&table->redone), atomic_load(&table->lost),
           fire->wrong);
    printf("stopped  its cell was %s\n",
           fire->held ? "still its own" : "taken, or never held");
    return bad == 0 && more == 0 && atomic_load(&table->twice) == 0 &&
                   atomic_load(&table->redone) == 0 &&
                   atomic_load(&table->lost) == 0 && fire->wrong == 0 &&
                   fire->held
               ? 0
               : 1;
}

static int run(struct fire *fire)
{
    struct relay_error err = {0};
    struct sweep sweep;
    int rc = 1;

    if (sweep_open(fire->sweep, &sweep, &err) != 0)
        return fail(&err);
    fire->cells = roster_size(sweep.roster);
    snprintf(fire->table_path, sizeof(fire->table_path), "%s/../soak.table",
             sweep.path);
    fire->table = map_table(fire->table_path, fire->cells, true);
    fire->pids = calloc((size_t)fire->workers, sizeof(*fire->pids));
    if (fire->table != NULL && fire->pids != NULL && burn(fire) == 0)
        rc = verdict(fire, &sweep);
    else
        fprintf(stderr, "soak: it could not be run to its end\n");
    if (fire->table != NULL)
        munmap(fire->table, table_size(fire->cells));
    unlink(fire->table_path);
    free(fire->pids);
    sweep_close(&sweep);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"workers", required_argument, NULL, 'w'},
        {"kills", required_argument, NULL, 'k'},
        {"stop", required_argument, NULL, 's'},
        {"lies", required_argument, NULL, 'l'},
        {NULL, 0, NULL, 0},
    };
    struct fire fire = {.workers = 64, .kills = 32, .stop = 10};
    int opt;

    if (argc == 4 && strcmp(argv[1], "--worker") == 0)
        return worker(argv[2], argv[3]);
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt == 'w')
            fire.workers = strtol(optarg, NULL, 10);
        else if (opt == 'k')
            fire.kills = strtol(optarg, NULL, 10);
        else if (opt == 's')
            fire.stop = strtol(optarg, NULL, 10);
        else if (opt == 'l')
            fire.lies = optarg;
        else
            return 64;
    }
    if (optind + 1 != argc || fire.workers < 2 || fire.stop < 1)
        return 64;
    fire.sweep = argv[optind];
    setvbuf(stdout, NULL, _IOLBF, 0);
    return run(&fire);
}
