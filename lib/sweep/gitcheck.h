/* Which code runs: the git checkout of a working directory. */
#ifndef RELAY_SWEEP_GITCHECK_H
#define RELAY_SWEEP_GITCHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

struct gitinfo {
    bool known; /* dir is in a repository with a commit */
    char commit[72];
    char branch[128]; /* "" for a detached HEAD */
    bool dirty;       /* tracked files differ from the commit */
};

/* Looks; what cannot be found out in 10 s a question is not known. */
void gitcheck_info(const char *dir, struct gitinfo *info);

/* Is the checkout behind the branch that it follows? The remote is asked for
 * that branch's commit (10 s; nothing is fetched or written); when it does not
 * answer, what was fetched last counts and note says so (else note is "").
 * Without git, repository or upstream there is nothing to be behind of.
 * Returns 0, or -1 with EX_CONFIG and what to type. */
int gitcheck_behind(const char *dir, char *note, size_t note_size,
                    struct relay_error *err);

#endif
