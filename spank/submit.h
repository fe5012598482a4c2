/* In sbatch, salloc and srun, as the submitting user. */
#ifndef RELAY_SPANK_SUBMIT_H
#define RELAY_SPANK_SUBMIT_H

#include "context.h"

/* Before the options are parsed: a submission from inside a job forgets that
 * job's identity, and the environment twins are read. */
void submit_init(void);

/* After they are parsed. Returns 0 when the submission may go on, else the
 * exit code that the command must end with: one line has been printed. That
 * init_post_opt fails would be ignored where the plugin is optional. */
int submit_check(const struct relay_context *context);

#endif
