/*
 * The calls of tracker.h from a command line; for tests/tools/test-17-tracker.
 *
 *     tracker_probe [-b BUDGET] [-w auto|wandb|off] [-e ENTITY] [-p PROJECT]
 *                   [-d WORKDIR] [-r] COMMAND...
 *
 *     open | finished NAME | group GROUP | states ID... | exact ID...
 *     claim|retake ID CLUSTER JOB NONCE [GROUP [NAME [CONFIG]]]
 *     fail ID [NONCE]
 *
 * Answers go to standard output, "say" and "waited" lines to standard error.
 * Waits are not waited for without -r. Ends with 0, 1 (not used), or the
 * error's code.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "process.h"
#include "tracker/tracker.h"

static void say(void *arg, const char *line)
{
    (void)arg;
    fprintf(stderr, "say %s\n", line);
}

static void skip(void *arg, int64_t ms)
{
    (void)arg;
    fprintf(stderr, "waited %" PRId64 "\n", ms);
}

static const char *or_none(const char *s)
{
    return s != NULL ? s : "-";
}

static void print_runs(const struct tracker_runs *runs)
{
    size_t i;

    printf("%zu runs project=%d read_only=%d whole=%d\n", runs->n,
           runs->project, runs->read_only, runs->whole);
    for (i = 0; i < runs->n; i++) {
        const struct tracker_run *run = &runs->runs[i];

        if (!run->exists)
            printf("%s absent\n", run->id);
        else
            printf("%s %s %s finished=%d claim=%s/%s/%s group=%s tags=%zu "
                   "age=%d quiet=%d lines=%" PRId64 " name=%s\n", run->id,
                   or_none(run->state), tracker_life_name(run->life),
                   run->finished, or_none(run->cluster), or_none(run->job),
                   or_none(run->nonce), or_none(run->group), run->ntags,
                   run->age >= 0, run->quiet >= 0, run->history,
                   or_none(run->name));
    }
}

static int ask(struct tracker *t, int argc, char **argv,
               struct tracker_runs *runs, struct relay_error *err)
{
    const char *const *ids = (const char *const *)argv + 1;
    size_t n = (size_t)argc - 1;
    int64_t count = 0;
    int rc;

    if (strcmp(argv[0], "states") == 0)
        return tracker_states(t, ids, n, runs, err);
    if (strcmp(argv[0], "exact") == 0)
        return tracker_exact(t, ids, n, runs, err);
    if (strcmp(argv[0], "group") == 0)
        return tracker_group(t, argv[1], runs, err);
    rc = tracker_finished(t, argv[1], &count, runs, err);
    if (rc == 0)
        printf("%" PRId64 " finished\n", count);
    return rc;
}

static int claim(struct tracker *t, int argc, char **argv,
                 struct relay_error *err)
{
    static const char *const words[] = {
        [TRACKER_CLAIMED] = "CLAIMED",
        [TRACKER_HELD] = "HELD",
        [TRACKER_TOMBSTONE] = "TOMBSTONE",
        [TRACKER_UNSURE] = "UNSURE",
    };
    struct tracker_claimant who = {
        .cluster = argv[2],
        .job = argv[3],
        .nonce = argv[4],
        .group = argc > 5 ? argv[5] : NULL,
        .name = argc > 6 ? argv[6] : NULL,
        .config = argc > 7 ? json_tokener_parse(argv[7]) : NULL,
    };
    struct tracker_claim got;
    int rc = strcmp(argv[0], "claim") == 0
                 ? tracker_claim(t, argv[1], &who, &got, err)
                 : tracker_retake(t, argv[1], &who, &got, err);

    if (rc == 0) {
        printf("%s%s: %s\n", words[got.outcome], got.orphan ? " orphan" : "",
               got.why);
        if (got.held.n > 0)
            print_runs(&got.held);
    }
    tracker_claim_free(&got);
    json_object_put(who.config);
    return rc;
}

static int command(struct tracker *t, int argc, char **argv,
                   struct relay_error *err)
{
    struct tracker_runs runs = {0};
    bool done = false;
    int rc;

    if (strcmp(argv[0], "open") == 0) {
        printf("open %s\n", tracker_where(t));
        return 0;
    }
    if (strcmp(argv[0], "fail") == 0) {
        rc = tracker_fail(t, argv[1], argc > 2 ? argv[2] : NULL, &done, err);
        if (rc == 0)
            printf("%s\n", done ? "failed now" : "nothing to do");
        return rc;
    }
    if (argc >= 5 && (strcmp(argv[0], "claim") == 0 ||
                      strcmp(argv[0], "retake") == 0))
        return claim(t, argc, argv, err);
    rc = ask(t, argc, argv, &runs, err);
    if (rc == 0)
        print_runs(&runs);
    tracker_runs_free(&runs);
    return rc;
}

static enum tracker_wish wish_of(const char *word)
{
    return strcmp(word, "off") == 0     ? TRACKER_OFF
           : strcmp(word, "wandb") == 0 ? TRACKER_WANDB
                                        : TRACKER_AUTO;
}

int main(int argc, char **argv)
{
    struct tracker_options o = {.say = say, .wait = skip};
    struct relay_error err = {0};
    struct tracker *t;
    int rc, c;

    while ((c = getopt(argc, argv, "+b:w:e:p:d:r")) != -1) {
        if (c == 'b')
            o.budget_s = strtoll(optarg, NULL, 10);
        else if (c == 'w')
            o.wish = wish_of(optarg);
        else if (c == 'e')
            o.entity = optarg;
        else if (c == 'p')
            o.project = optarg;
        else if (c == 'd')
            o.workdir = optarg;
        else if (c == 'r')
            o.wait = NULL;
        else
            return 64;
    }
    if (optind >= argc)
        return 64;
    process_catch_signals();
    rc = tracker_open(&o, &t, &err);
    if (rc == 0)
        rc = command(t, argc - optind, argv + optind, &err);
    if (rc != 0)
        printf("%s%s\n", rc < 0 && tracker_unreachable(&err) ? "unreachable: "
                                                             : "", err.text);
    tracker_close(t);
    return rc < 0 ? err.code : rc;
}
