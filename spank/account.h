/*
 * Work for a job done in its user's account, from root's prolog and epilog:
 * a child that becomes the user, under a deadline, its output kept back and
 * logged only when it failed. libc only.
 */
#ifndef RELAY_SPANK_ACCOUNT_H
#define RELAY_SPANK_ACCOUNT_H

#include <stdint.h>
#include <sys/types.h>

#include "error.h"

#define ACCOUNT_OUTPUT_MAX 2048

struct account {
    uid_t uid;
    gid_t gid;
    const char *allow_groups; /* for programs: "" for everybody */
    int64_t deadline;         /* clock_ms, when it is asked to end */
    unsigned grace_ms;        /* and when it is made to */
    char output[ACCOUNT_OUTPUT_MAX]; /* the last of it, afterwards */
};

/* Runs argv (argv[0] absolute) as the user with the short environment
 * (environment.h) and SLURM_* of ours, in the job's working directory when
 * that can be entered. Nothing of it is alive afterwards. Returns its exit
 * code, 128 + N when signal N ended it, or -1 when it could not be run, took
 * too long (EX_TEMPFAIL) or could not be ended (EX_OSERR). */
int account_run_program(struct account *account, char *const *argv,
                        struct relay_error *err);

/* Calls work(arg) as the user, with no group but gid and without asking NSS;
 * its value (0 to 125) is returned. Else as account_run_program. */
int account_run(struct account *account, int (*work)(void *arg), void *arg,
                struct relay_error *err);

#endif
