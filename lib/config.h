/*
 * relay.yaml: site, user and project files merged in this order, or
 * $RELAY_CONFIG alone. A table in config_read.c names every key and its type;
 * an unknown key or a wrong type is an error with FILE:LINE:COLUMN.
 */
#ifndef RELAY_CONFIG_H
#define RELAY_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "error.h"
#include "meta.h"

enum reach { REACH_JOB, REACH_LOGIN, REACH_NONE };
enum peers { PEERS_WARN, PEERS_REQUIRE, PEERS_OFF };
enum copy_run_dir { COPY_NONE, COPY_SMALL, COPY_ALL };
enum tracker_wish { TRACKER_AUTO, TRACKER_WANDB, TRACKER_OFF };

struct config_cluster {
    char *name;
    char *ssh;  /* host for control; NULL: not reached by ssh */
    char *data; /* host for copies; NULL: ssh */
    enum reach reach;
    char *resume_root; /* as written: unexpanded */
    char *run_root;
    char *out_root;
    char *copy_with; /* e.g. "srun -p xfer": prefix of remote copies */
    char **submit;   /* sbatch arguments */
    size_t nsubmit;
    int max_gpus;
};

struct config_speed {
    char *gpu;
    double factor;
};

/* Where a value was set, for doctor and for messages. */
struct config_origin {
    char *key;   /* "handoff.stop_timeout" */
    char *value; /* as text */
    char *file;
    int line;
};

struct config {
    char *cluster; /* this one; NULL until config_load fills it */
    struct config_cluster *clusters;
    size_t nclusters;
    struct config_speed *speed;
    size_t nspeed;
    struct path_map *path_map; /* absolute, %u expanded */
    size_t npath_map;
    int64_t min_remaining; /* handoff.*, seconds */
    int64_t overhead;
    int64_t stop_timeout;
    int64_t source_wait;
    char *checkpoint_signal; /* NULL for none: "USR1", ... */
    enum copy_run_dir copy_run_dir;
    char *sync_to; /* a directory or a cluster; NULL: none */
    enum peers peers;
    enum tracker_wish tracker;
    int64_t takeover_quiet; /* seconds; 0: not asked for; -1: two of the run's
                               own checkpoint intervals */
    char *log_step;         /* extended regex with one group, or NULL */
    char **done;            /* completion contract */
    size_t ndone;
    struct config_origin *origins;
    size_t norigins;
};

/* Loads $RELAY_CONFIG alone when set, else site (NULL: relay.yaml beside
 * $SLURM_CONF, else /etc/slurm/relay.yaml), then the user's
 * ~/.config/slurm-relay/relay.yaml, then workdir/.relay.yaml (NULL: none).
 * A missing file is nothing, but for $RELAY_CONFIG. The cluster's name: the
 * key, else $SLURM_CLUSTER_NAME, else ClusterName of slurm.conf, else NULL.
 * As root (euid 0) a site file must be root's and not writable by others.
 * Returns 0, or -1 with EX_CONFIG. Free with config_free. */
int config_load(const char *site, const char *workdir, struct config *cfg,
                struct relay_error *err);

void config_free(struct config *cfg);

/* The cluster of that name, or NULL (err, EX_CONFIG, names those there are;
 * err may be NULL). */
const struct config_cluster *config_find(const struct config *cfg,
                                         const char *name,
                                         struct relay_error *err);

/* Names a path is expanded with. A peer's path is not expanded here: it is
 * sent unexpanded and the peer's shell expands it (peer.h). */
struct config_names {
    const char *user;
    const char *entity;  /* NULL when the key is a hash */
    const char *project; /* NULL when the key is a hash */
    const char *workdir; /* relative paths are relative to it */
};

/* Expands %u %e %p %%, a leading ~, $VAR and ${VAR}; makes it absolute.
 * Returns malloc'd text, or NULL with EX_CONFIG naming the file and line the
 * value came from when it cannot be resolved (unset variable, no %e). */
char *config_path(const struct config *cfg, const char *text,
                  const struct config_names *names, struct relay_error *err);

/* Expands %u (left alone when user is NULL), %e, %p only; for a peer. */
char *config_path_for_peer(const char *text, const struct config_names *names,
                           struct relay_error *err);

#endif
