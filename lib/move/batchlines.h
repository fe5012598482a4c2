/* The #SBATCH lines of a batch script, as sbatch 22.05 reads them. */
#ifndef RELAY_MOVE_BATCHLINES_H
#define RELAY_MOVE_BATCHLINES_H

#include "sweep/command.h"

/* Adds the words of all #SBATCH lines above the first command; quotes and
 * backslashes are taken out, a # ends a line. name is for messages. 0, or -1
 * with EX_DATAERR for an open quote and for a heterogeneous job. */
int batchlines_read(const char *text, const char *name, struct words *out,
                    struct relay_error *err);

#endif
