/*
 * handoff_abort, for tests on the clusters. Not installed.
 *
 *   abort_probe KEY
 */
#include <stdio.h>
#include <sysexits.h>

#include "handoff_abort.h"
#include "process.h"

int main(int argc, char **argv)
{
    struct run_options opt = {.key = argc > 1 ? argv[1] : ""};
    struct relay_error err = {0};
    struct run run;
    int rc;

    if (argc != 2) {
        fputs("usage: abort_probe KEY\n", stderr);
        return EX_USAGE;
    }
    process_catch_signals();
    rc = run_open(&opt, &run, &err);
    if (rc == 0)
        rc = handoff_abort(&run, &err);
    if (rc != 0)
        fprintf(stderr, "%s\n", err.text);
    run_close(&run);
    return rc == 0 ? 0 : err.code;
}
