/* What the commands of ssweep share that need no queue. */
#include <stdio.h>

#include "ssweep.h"

void ssweep_warn(struct lint *lint)
{
    char clean[1200];
    size_t i;

    for (i = 0; i < lint->n; i++) {
        cli_clean(lint->warnings[i].text, clean, sizeof(clean));
        fprintf(stderr, SSWEEP ": warning: %s\n", clean);
    }
    lint_free(lint);
}
