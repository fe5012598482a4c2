/*
 * GPUs in Slurm's texts of generic resources: "gpu:h100:2", "gpu:4(S:0-1)",
 * "gres:gpu:2", "gres/gpu:h100=2"; other resources (mps, shard) are passed
 * over.
 */
#ifndef RELAY_MOVE_GRES_H
#define RELAY_MOVE_GRES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gres_gpu {
    char type[64]; /* "" any */
    int64_t count; /* 1 when the text has none; 0 is possible */
    bool tres;     /* written with "=": a total may stand beside its types */
};

/* The next GPUs from *at on, which moves. false at the end. bare: the text of
 * --gpus, where "gpu:" is left out. */
bool gres_next(const char **at, bool bare, struct gres_gpu *gpu);

/* How many GPUs all of the text is; 0 for none. */
int64_t gres_gpus(const char *text, bool bare);

/* The types that the text names, comma-separated and each once; "" when it
 * names none. -1 when they do not fit. */
int gres_types(const char *text, bool bare, char *types, size_t size);

/* A number of Slurm's, with its k, m, g; -1 when text is none. */
int64_t gres_number(const char *text);

#endif
