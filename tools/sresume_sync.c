/* sresume sync: a copy of the state somewhere else. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "process.h"
#include "sresume.h"
#include "sync.h"

static int sync_one(const struct place *place, const char *typed,
                    const char *to, struct relay_error *err)
{
    struct run run;
    const char *where;
    char *path = NULL;
    int status = place_open_known(place, typed, &run, err);

    where = to != NULL ? to : run.cfg.sync_to;
    /* A relative directory that was typed is one of where we are. */
    if (status == 0 && to != NULL && to[0] == '.') {
        path = place_absolute(to, err);
        where = path;
        status = path != NULL ? 0 : -1;
    }
    if (status == 0 && where == NULL)
        status = relay_fail(err, EX_USAGE, "where to? --to=CLUSTER or "
                                           "--to=DIR, or sync.to in the "
                                           "configuration");
    if (status == 0)
        status = sync_push(&run, where, 0, err);
    if (status == 0)
        printf("%s: copied to %s\n", run.key, where);
    free(path);
    run_close(&run);
    return status;
}

/* One run of --pending. 1 when there was something to do. */
static int sync_if_pending(const struct place *place, const char *hash,
                           struct relay_error *err)
{
    struct run run;
    char to[1024];
    int status = place_open(place, hash, true, &run, err);

    if (status == 0 && run.relayfd >= 0 &&
        sync_pending(&run, to, sizeof(to))) {
        status = sync_push(&run, to, 0, err) == 0 ? 1 : -1;
        if (status == 1)
            printf("%s: copied to %s\n", run.key, to);
    }
    run_close(&run);
    return status;
}

static int sync_all_pending(const struct place *place, struct relay_error *err)
{
    struct report_list list = {0};
    struct config cfg;
    char *root = NULL;
    size_t i, done = 0;
    int code = 0;
    int status = place_config(place, &cfg, err);

    if (status == 0) {
        root = place_root(place, &cfg, err);
        status = root != NULL ? report_all(root, cfg.cluster, &list, err) : -1;
    }
    for (i = 0; status == 0 && i < list.n && process_cancelled() == 0; i++) {
        struct relay_error one = {0};
        int rc = list.reports[i].records
                     ? sync_if_pending(place, list.reports[i].hash, &one)
                     : 0;

        done += rc > 0;
        if (rc < 0)
            code = cli_fail(SRESUME, &one); /* the others go on */
    }
    if (status == 0 && done == 0 && code == 0)
        printf("nothing is pending\n");
    report_list_free(&list);
    free(root);
    config_free(&cfg);
    return status != 0 ? cli_fail(SRESUME, err) : code;
}

int sresume_sync(int argc, char **argv)
{
    struct place place = {0};
    const char *to = NULL;
    bool pending = false;
    const struct cli_option options[] = {
        {"to", '\0', CLI_TEXT, &to, "WHERE",
         "a cluster of the configuration, or a directory"},
        {"pending", '\0', CLI_FLAG, &pending, NULL,
         "finish every copy that a job's end had no time for"},
        PLACE_OPTIONS(place),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SRESUME, "sync", "[OPTION]... KEY | --pending",
        "Copies a run's state to another cluster's mirror (never into a live\n"
        "resume directory) or to a directory, and verifies it there.",
        options, 0, 1};
    struct relay_error err = {0};
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    if ((nargs == 1) == pending || (pending && to != NULL)) {
        relay_fail(&err, EX_USAGE, "either KEY (with --to, if you like) or "
                                   "--pending");
        return cli_fail(SRESUME, &err);
    }
    process_catch_signals();
    if (pending)
        return sync_all_pending(&place, &err);
    if (sync_one(&place, args[0], to, &err) != 0)
        code = cli_fail(SRESUME, &err);
    return code;
}
