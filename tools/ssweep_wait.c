/* ssweep wait: until nothing is left to do. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "ssweep_session.h"

enum { NOT_ALL_DONE = 1, FIRST_MS = 250, LONGEST_MS = 5000 };

#define FOREVER ((int64_t)1 << 40) /* seconds */

static void say(const struct board_counts *counts)
{
    char when[32];
    char line[300];

    clock_iso(clock_wall(), when, sizeof(when));
    session_line(counts, line, sizeof(line));
    printf("%s %s\n", when, line);
    (void)fflush(stdout); /* main looks whether it arrived */
}

static int verdict(const struct board_counts *counts)
{
    bool good = counts->of[CELL_FAILED] == 0 &&
                counts->of[CELL_UNPROVEN] == 0 &&
                counts->of[CELL_QUARANTINED] == 0;

    return good ? 0 : NOT_ALL_DONE;
}

struct lost {
    struct queue *queue;
    uint64_t n;
};

static int count_lost(void *arg, const struct board_note *note,
                      enum cell_state state)
{
    struct lost *lost = arg;

    if (state == CELL_RUNNING && queue_abandoned(lost->queue, note))
        lost->n++;
    return 0;
}

/* Waiting for a worker that is no more would never end. */
static void say_lost(struct session *s, uint64_t *said)
{
    struct lost lost = {.queue = s->queue};

    (void)queue_each_note(s->queue, count_lost, &lost);
    if (lost.n != *said && lost.n > 0)
        fprintf(stderr, SSWEEP ": the worker of %" PRIu64 " running cell%s "
                        "has ended; another one goes on with what it left: "
                        "ssweep run %s\n", lost.n, lost.n == 1 ? "" : "s",
                s->sweep.path);
    *said = lost.n;
}

/* Waits. Returns the exit code, or -1. Looks often while things change. */
static int wait_for(struct session *s, int64_t deadline, bool quiet,
                    struct relay_error *err)
{
    struct board_counts counts, before;
    int64_t pause = FIRST_MS;
    uint64_t lost = 0;
    bool first = true;

    for (;;) {
        if (session_look(s, err) != 0)
            return -1;
        queue_counts(s->queue, &counts);
        if (first || memcmp(counts.of, before.of, sizeof(counts.of)) != 0) {
            if (!quiet)
                say(&counts);
            pause = FIRST_MS;
        }
        if (session_left(&counts) == 0)
            return verdict(&counts);
        say_lost(s, &lost);
        before = counts;
        first = false;
        if (clock_ms() >= deadline)
            return relay_fail(err, EX_TEMPFAIL, "%s is not finished in the "
                                                "time given", s->sweep.path);
        if (pause > deadline - clock_ms())
            pause = deadline - clock_ms();
        clock_sleep_ms(pause);
        pause = pause * 2 > LONGEST_MS ? LONGEST_MS : pause * 2;
    }
}

int ssweep_wait(int argc, char **argv)
{
    struct session_how how = {0};
    int64_t timeout = -1;
    bool quiet = false;
    const struct cli_option options[] = {
        {"timeout", '\0', CLI_INT, &timeout, "SECONDS",
         "give up after so long (75)"},
        {"quiet", 'q', CLI_FLAG, &quiet, NULL, "no line for each change"},
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SSWEEP, "wait", "[OPTION]... SWEEP",
        "Waits until no cell is waiting, running or partial. Ends with 0 when\n"
        "all are done, with 1 when some failed, are unproven or quarantined.",
        options, 1, 1};
    struct relay_error err = {0};
    struct session s;
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    how.sweep = args[0];
    if (timeout < 0 || timeout > FOREVER)
        timeout = FOREVER;
    code = session_open(&how, &s, &err);
    if (code == 0)
        code = wait_for(&s, clock_ms() + timeout * 1000, quiet, &err);
    if (code < 0)
        code = cli_fail(SSWEEP, &err);
    session_close(&s);
    return code;
}
