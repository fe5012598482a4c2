/* Ending what a run left behind on a node. libc only. */
#ifndef RELAY_SPANK_LEFTOVERS_H
#define RELAY_SPANK_LEFTOVERS_H

#include <stddef.h>
#include <stdint.h>

/* Ends (SIGTERM, after a second SIGKILL) every process of our uid whose
 * environment has SLURM_JOB_ID=jobid and RELAY_RUN_NONCE=one of nonces. Both,
 * because a job submitted from this one may carry the nonce, and an earlier
 * run of the same job the id. To be called as the user. Gives up at until
 * (clock_ms). Returns how many were there, -1 when /proc cannot be read. */
int leftovers_end(uint32_t jobid, const char *const *nonces,
                    size_t nonce_count, int64_t until);

#endif
