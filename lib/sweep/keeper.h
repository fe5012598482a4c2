/*
 * A program that runs beside us, in a process group of its own, with a small
 * process of ours between: it passes signals on, tells how the program ended,
 * and ends the whole group when the program or we ourselves are gone, also by
 * kill -9. So that nothing trains on that no claim stands for.
 */
#ifndef RELAY_SWEEP_KEEPER_H
#define RELAY_SWEEP_KEEPER_H

#include <stdbool.h>
#include <sys/types.h>

#include "error.h"

struct keeper_spec {
    char *const *argv; /* argv[0] is looked for on PATH */
    char *const *env;
    const char *dir;   /* working directory */
    int log;           /* standard output and error; stays open */
};

struct keeper {
    pid_t pid; /* of the process between; -1: none */
    int fd;    /* poll it for reading; -1: none */
};

/* Starts; standard input is /dev/null. A program that cannot be started is
 * one that exited with 127 or 126, with a line in the log. 0 or -1 (EX_OSERR),
 * when nothing runs. */
int keeper_start(const struct keeper_spec *spec, struct keeper *keeper,
                 struct relay_error *err);

/* Sends sig to the program's process group. */
void keeper_signal(const struct keeper *keeper, int sig);

/* Has it ended? Then its raw wait status (-1: not known), and all is cleared
 * away. Does not wait. */
bool keeper_ended(struct keeper *keeper, int *status);

#endif
