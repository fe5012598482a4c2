/* Parts of overview_take, each for a section of what runs.sh answers. */
#ifndef RELAY_OVERVIEW_INT_H
#define RELAY_OVERVIEW_INT_H

#include "overview.h"

/* The queue and the GPUs: sections jobs, more, partitions, nodes; lines log.
 * Jobs are sorted by id. 0, or -1 out of memory. */
int overview_take_jobs(struct overview *o, const struct peer_reply *reply);

/* The job of that id, or NULL. */
struct overview_job *overview_job_find(const struct overview *o,
                                       const char *id);

/* "gres:gpu:a100:2", "gpu:a100:4(S:0-1),gpu:v100:1", "gres/gpu:a100=2": how
 * many GPUs (-1: none are named), and their type where it is one alone, else
 * "". */
int overview_gres(const char *text, char *type, size_t size);

/* Calls each with the text of each file of a section that has PATH:LINE for
 * every line of it. The path is not terminated. 0, or -1 out of memory, also
 * of each. */
int overview_each_file(const char *section, size_t len,
                       int (*each)(void *arg, const char *path, size_t path_len,
                                   const char *text, size_t len),
                       void *arg);

/* Sections metas, texts and records. Runs are sorted by hash; name, key and
 * step are set, and the lease's record is parsed (see overview_held). */
struct overview_lease {
    struct lease lease;
    struct owner fenced;
};

/* leases has o->n elements then, to be freed by overview_leases_free. */
int overview_take_runs(struct overview *o, const struct peer_reply *reply,
                       struct overview_lease **leases);
void overview_leases_free(struct overview_lease *leases, size_t n);

struct overview_run *overview_run_find(const struct overview *o,
                                       const char *hash);

/* Section progress: rate and interval. 0, or -1 out of memory. */
int overview_take_progress(struct overview *o, const struct peer_reply *reply,
                           const struct overview_lease *leases);

/* Finds each run's job and says its state. */
void overview_judge(struct overview *o, const struct overview_lease *leases);

#endif
