/* Names of GPUs: what vendors, Slurm's AutoDetect and people call one thing. */
#ifndef RELAY_MOVE_GPUNAME_H
#define RELAY_MOVE_GPUNAME_H

#include <stdbool.h>

enum gpuname {
    GPUNAME_OTHER,
    GPUNAME_MODEL, /* the same model; memory or form factor differ, or one of
                      the names leaves them out */
    GPUNAME_SAME
};

/* Without case, separators and makers' words (nvidia, geforce, rtx, ...):
 * RTX2080Ti is rtx_2080_ti is 2080Ti; H100 is a model of
 * nvidia_h100_80gb_hbm3, a MIG slice of one is another thing. */
enum gpuname gpuname_compare(const char *a, const char *b);

#endif
