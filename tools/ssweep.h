/*
 * The commands of ssweep. Each takes its own argv (argv[0] is its name) and
 * returns an exit code of sysexits.h (or what its contract says), having
 * printed what there is to print.
 */
#ifndef RELAY_SSWEEP_H
#define RELAY_SSWEEP_H

#include "cli.h"
#include "sweep/queue.h"
#include "sweep/sweep.h"

#define SSWEEP "ssweep"

int ssweep_create(int argc, char **argv);
int ssweep_cells(int argc, char **argv);
int ssweep_status(int argc, char **argv);
int ssweep_explain(int argc, char **argv);
int ssweep_claim(int argc, char **argv);
int ssweep_finish(int argc, char **argv);
int ssweep_release(int argc, char **argv);
int ssweep_retry(int argc, char **argv);
int ssweep_accept(int argc, char **argv);
int ssweep_exec(int argc, char **argv);
int ssweep_logs(int argc, char **argv);
int ssweep_cancel(int argc, char **argv);
int ssweep_wait(int argc, char **argv);
int ssweep_verify(int argc, char **argv);
int ssweep_run(int argc, char **argv);
int ssweep_serve(int argc, char **argv);

/* --- shared by the commands (ssweep_open.c) --- */

/* Prints each warning of lint on stderr, and frees it. */
void ssweep_warn(struct lint *lint);

#endif
