#include "ssweep_source.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

int source_args_take(struct source_args *args)
{
    if (args->epochs == 0) {
        fprintf(stderr, SSWEEP ": --epochs=0: 1 or more is needed\n");
        return EX_USAGE;
    }
    args->options.epochs = args->epochs > 0 ? args->epochs : 0;
    args->options.start_index = args->start_index > 0 ? args->start_index : 0;
    return 0;
}

void ssweep_progress(void *arg, uint64_t done, uint64_t total)
{
    (void)arg;
    if (isatty(STDERR_FILENO) != 1)
        return;
    if (done >= total)
        fprintf(stderr, "\r\033[K");
    else
        fprintf(stderr, "\r" SSWEEP ": %" PRIu64 " of %" PRIu64 " cells", done,
                total);
}
