/*
 * Child processes of the plugin: descriptors closed, signals at their
 * defaults, own process group, a deadline, and nothing left behind. libc
 * only. What runs in one becomes the user first (become.h).
 */
#ifndef RELAY_SPANK_HELPER_H
#define RELAY_SPANK_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

#define HELPER_KEPT_FD 3

struct helper {
    /* Runs in the child; its value is the exit code. It ends with
     * helper_exec when the work is a program's. */
    int (*body)(void *arg);
    void *arg;
    int out;               /* stdout and stderr; -1: ours */
    bool stdout_to_stderr; /* with out -1: keep stdout for our caller */
    int keep_fd;           /* becomes HELPER_KEPT_FD; -1: none */
    bool session;          /* own session, not only own process group */
    bool orphan;           /* may outlive the thread that starts it */
    /* A child of slurmd's: OOM score, umask and core limit are put right,
     * and CPU time limited when not 0. */
    bool reset;
    unsigned cpu_seconds;
};

struct helper_limits {
    int64_t deadline;   /* clock_ms; 0: none */
    unsigned grace_ms;  /* from SIGTERM to SIGKILL */
    bool descendants;   /* end every one of them before returning */
};

struct helper_result {
    int status;     /* raw wait status */
    bool timed_out; /* ended at the deadline */
    int signal;     /* we were told to end: SIGTERM, INT, HUP or QUIT; or 0 */
    bool stuck;     /* something could not be killed; err says what */
};

/* Starts the child. Returns its pid, or -1 with EX_OSERR. */
pid_t helper_start(const struct helper *helper, struct relay_error *err);

/* Starts the child and waits for its end. SIGTERM, SIGINT, SIGHUP and SIGQUIT
 * to us meanwhile go to its process group as SIGTERM. Signal mask, SIGCHLD's
 * disposition and the subreaper attribute are as before afterwards. Returns 0
 * when it was started, -1 with EX_OSERR when not. */
int helper_run(const struct helper *helper,
               const struct helper_limits *limits,
               struct helper_result *result, struct relay_error *err);

/* For a body: changes to cwd (NULL: stays; "/" when that fails), makes the
 * program die with its parent and executes argv[0]. On failure says why on
 * stderr and returns EX_UNAVAILABLE. */
int helper_exec(const struct helper *helper, char *const *argv,
                char *const *envp, const char *cwd);

#endif
