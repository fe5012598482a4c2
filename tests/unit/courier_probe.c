/*
 * The login node's side of courier.h, for tests on the clusters. Not
 * installed.
 *
 *   courier_probe serve CLUSTER KEY   until a signal comes
 *   courier_probe start CLUSTER KEY   as a child, until standard input ends
 *   courier_probe wanted KEY          prints the job that waits, or nothing
 *
 * The configuration is $RELAY_CONFIG's or the usual one.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "courier.h"
#include "process.h"

static int start(struct run *run, const char *cluster,
                 struct relay_error *err)
{
    char byte;
    pid_t pid;

    if (courier_start(run, cluster, &pid, err) != 0)
        return -1;
    printf("courier=%d\n", (int)pid);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    if (courier_ended(&pid))
        return relay_fail(err, EX_SOFTWARE, "the courier ended by itself");
    courier_stop(&pid);
    return 0;
}

static int act(struct run *run, char **argv, struct relay_error *err)
{
    char job[32] = "";

    if (strcmp(argv[1], "serve") == 0)
        return courier_serve(run, argv[2], NULL, NULL, err);
    if (strcmp(argv[1], "start") == 0)
        return start(run, argv[2], err);
    if (courier_wanted(run, job, sizeof(job)))
        printf("%s\n", job);
    return 0;
}

int main(int argc, char **argv)
{
    struct run_options opt = {.key = argc > 1 ? argv[argc - 1] : ""};
    struct relay_error err = {0};
    struct run run;
    int rc;

    if (argc < 3 || (argc < 4 && strcmp(argv[1], "wanted") != 0)) {
        fputs("usage: courier_probe serve|start CLUSTER KEY\n"
              "       courier_probe wanted KEY\n", stderr);
        return EX_USAGE;
    }
    process_catch_signals();
    rc = run_open(&opt, &run, &err);
    if (rc == 0)
        rc = act(&run, argv, &err);
    if (rc != 0)
        fprintf(stderr, "%s\n", err.text);
    run_close(&run);
    return rc == 0 ? 0 : err.code;
}
