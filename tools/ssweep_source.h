/* What the commands share that read a source. */
#ifndef RELAY_SSWEEP_SOURCE_H
#define RELAY_SSWEEP_SOURCE_H

#include "ssweep.h"

/* How a source is to be read, as typed: -1 is "not given". */
struct source_args {
    struct roster_options options;
    int64_t epochs;
    int64_t start_index;
};

#define SOURCE_ARGS_INIT                                                      \
    {                                                                         \
        .epochs = -1, .start_index = -1                                       \
    }

#define SOURCE_OPTIONS(args)                                                  \
    {"epochs", '\0', CLI_INT, &(args).epochs, "N",                            \
     "epochs of a queue line that has none (default 20)"},                    \
        {"start-index", '\0', CLI_INT, &(args).start_index, "K",              \
         "skip the first K lines of a queue file"},                           \
        {"yaml-floats", '\0', CLI_FLAG, &(args).options.yaml_floats, NULL,    \
         "read 1e-4 in a sweep file as a number"},                            \
        {"strict-wandb", '\0', CLI_FLAG, &(args).options.strict_wandb, NULL,  \
         "refuse what W&B does not know"}

/* Puts what was typed into args->options. 0, or EX_USAGE, already printed. */
int source_args_take(struct source_args *args);

/* A line on a terminal's stderr that says how far long work is; arg is not
 * used. When done is total it goes away. */
void ssweep_progress(void *arg, uint64_t done, uint64_t total);

#endif
