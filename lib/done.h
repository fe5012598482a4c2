/*
 * A completion contract: checks on the run's directory, of relay.yaml's
 * done:, that are all met when the run is done (design of the key: see
 * relay.yaml(5)).
 *
 *     FILE exists          FILE nonempty        FILE loads
 *     FILE json PATH == VALUE                   log matches REGEX
 *     step >= N            exit0
 */
#ifndef RELAY_DONE_H
#define RELAY_DONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the checks are about. */
struct done_run {
    const char *dir; /* absolute; FILEs are relative to it. NULL: unknown */
    const char *log; /* the output of the body, "" for unknown */
    int64_t step;    /* -1: unknown */
    bool exited_0;   /* the body has ended, with 0 */
    bool deep;       /* read whole files (loads): not in an epilog */
};

enum done { DONE_NOT, DONE_YES, DONE_LATER /* only who may read files knows */ };

/* Is text such a check? NULL, or what is wrong with it (a constant). */
const char *done_check_form(const char *text);

/* Are all n checks met? why gets the first that is not, and why not. No
 * checks are DONE_NOT. */
enum done done_look(char *const *checks, size_t n, const struct done_run *run,
                    char *why, size_t why_size);

#endif
