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

/* Does <dirfd>/file load, as FILE loads asks? .json is parsed; .safetensors
 * must have its header and all the bytes that this tells of; all else is an
 * archive of torch.save or numpy.savez, or of a kind that nobody can check.
 * why gets what is wrong. */
bool done_file_loads(int dirfd, const char *file, char *why, size_t why_size);

/* Are all n checks met? why gets the first that is not, and why not. No
 * checks are DONE_NOT. */
enum done done_look(char *const *checks, size_t n, const struct done_run *run,
                    char *why, size_t why_size);

#endif
