/*
 * Which GPUs a request allows on this cluster, by what sinfo says of its
 * nodes, and how fast they are by speed: of relay.yaml. No I/O.
 */
#ifndef RELAY_MOVE_GPUTYPE_H
#define RELAY_MOVE_GPUTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "error.h"
#include "move/request.h"

/* What the functions take is the output of
 *     sinfo -a -h -N -o GPUTYPE_SINFO
 * of which lines of other forms, and nodes that are down, drained or failing,
 * are passed over. */
#define GPUTYPE_SINFO "%N|%P|%G|%f|%T"

struct gputype {
    char name[64];  /* as the node's Gres has it; of a node whose Gres has no
                       type, the name in speed: that one of its features is;
                       "" when there is none */
    double factor;  /* of speed:, 0 for a name that is not there */
    int nodes;      /* that have it and that the request allows */
};

struct gputypes {
    struct gputype *types;
    size_t n;
    bool known;    /* that these are all: else why */
    char why[400];
};

/* The GPUs that req may get. 0, or -1 out of memory. Free with gputypes_free
 * in both cases. A request for no GPUs has none, and that is known. */
int gputypes_read(const char *sinfo, const struct request *req,
                  const struct config *cfg, struct gputypes *types,
                  struct relay_error *err);
void gputypes_free(struct gputypes *types);

/* The slowest of them: one that speed: does not know counts as the slowest
 * (factor 0: nothing can be said). NULL when they are not known, or none. */
const struct gputype *gputypes_slowest(const struct gputypes *types);

/* The factor of a GPU in speed:, 0 when it is not there. RTX2080Ti,
 * rtx_2080_ti, 2080Ti and nvidia_geforce_rtx_2080_ti agree; a name without
 * memory and form factor (H100) stands for those with them
 * (nvidia_h100_80gb_hbm3), and of several that fit the slowest counts. */
double gputype_factor(const struct config *cfg, const char *name);

/* The median factor over the nodes of a partition ("" the default one) that
 * have GPUs; 0 when less than half of them have one that is in speed:, and
 * when there are none. */
double gputype_median(const char *sinfo, const char *partition,
                      const struct config *cfg);

#endif
