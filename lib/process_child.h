/* Starting one child; the inner half of process.c. */
#ifndef RELAY_PROCESS_CHILD_H
#define RELAY_PROCESS_CHILD_H

#include <sys/types.h>

#include "error.h"
#include "process.h"

struct child {
    pid_t pid;
    int pidfd; /* -1 where the kernel has none (before 5.3) */
    int out;   /* read ends, not blocking */
    int err;
};

/* Starts spec's program and waits until its exec has succeeded. 0; -1 with
 * EX_UNAVAILABLE when the program is missing, else EX_OSERR: then nothing
 * runs and nothing is open. */
int child_start(const struct process_spec *spec, struct child *child,
                struct relay_error *err);

/* In a child before its exec: every signal as it is in a fresh process,
 * none blocked. */
void child_reset_signals(void);

#endif
