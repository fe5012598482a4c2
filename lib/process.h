/*
 * The one process runner: argv, no shell, absolute program path, deadline,
 * own process group (killed and reaped whole), PDEATHSIG, output captured.
 */
#ifndef RELAY_PROCESS_H
#define RELAY_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

struct process_spec {
    const char *const *argv; /* argv[0] is an absolute path */
    const char *const *env;  /* NULL: our own environment */
    const char *input;       /* standard input; NULL: /dev/null */
    size_t input_len;
    int64_t deadline_ms; /* from now; 0: none */
    size_t max_output;   /* of stdout; more is an error; 0: 64 MiB */
    bool no_group;       /* stay in our process group (for a terminal) */
    bool clean_up;       /* runs on although we were asked to end */
    /* Called about every 200 ms while it runs, may be NULL; a non-zero
     * return ends the process (the watchdog's way in). */
    int (*tick)(void *arg);
    void *tick_arg;
};

struct process_result {
    int status;     /* raw wait status */
    bool timed_out; /* we ended it at the deadline */
    bool stopped;   /* tick or process_cancelled() ended it */
    char *out;      /* stdout, NUL behind it */
    size_t out_len;
    char *err; /* the last 8 KiB of stderr, NUL behind it */
};

/* Runs to the end. Returns 0 when the program was started (look at status),
 * -1 when it could not be (EX_OSERR; EX_UNAVAILABLE when it is missing) or
 * printed too much (EX_DATAERR). What is to be ended gets TERM, 2 s later
 * KILL; 5 s after that it is left to itself (it hangs in the kernel). The
 * result must be freed with process_free in all cases. */
int process_run(const struct process_spec *spec, struct process_result *res,
                struct relay_error *err);

void process_free(struct process_result *res);

/* True when it exited with code 0. */
bool process_ok(const struct process_result *res);

/* "exited with 3", "was killed by signal 9", "did not answer in time". */
void process_describe(const struct process_result *res, char *text,
                      size_t size);

/* Finds PROGRAM in /usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin
 * and in $RELAY_TOOLS (one directory, for Slurm in an odd place). Returns 0
 * and the absolute path, or -1 with EX_UNAVAILABLE naming it. */
int process_find(const char *program, char *path, size_t size,
                 struct relay_error *err);

/* Sets up TERM, INT and HUP to set a flag that every wait of ours heeds
 * (process_run ends its child, sleeps return early). Called once by main. */
void process_catch_signals(void);

/* The signal that asked us to end, or 0. */
int process_cancelled(void);

#endif
