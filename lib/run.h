/*
 * One run of one job, or a person's look at a run: configuration, identity
 * and the directories, opened once and passed down.
 */
#ifndef RELAY_RUN_H
#define RELAY_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "error.h"
#include "key.h"
#include "meta.h"
#include "owner.h"

/* What run_open is told; strings stay the caller's. */
struct run_options {
    const char *site_config;  /* NULL: where config_load looks */
    const char *key;          /* as given: unexpanded, or a hash */
    const char *handoff_from; /* NULL: none */
    const char *sweep_cell;   /* SWEEP[:CELL]; NULL: none (stage_cell.h) */
    const char *job_dir;      /* <rundir>/<job>/user; NULL: no plugin */
    const char *nonce;        /* NULL: a fresh one */
    const char *root;         /* resume_root; NULL: the configured one */
    bool read_only;           /* make no directory */
    bool here;                /* relative paths follow our own directory,
                                 not the one that the environment names */
    bool network;             /* ssh is allowed (prolog and epilog) */
};

/* The cell of a sweep that the run is (stage_cell.h). */
struct run_cell {
    char sweep[1024]; /* the sweep's directory, absolute; "": it is no cell */
    int fd;           /* of that, -1 */
    char dir[1024];   /* the cell's own; "" until the body is let go */
    uint64_t index;
    int64_t gen;      /* of our claim; 0: none yet */
    int64_t began;    /* wall clock: when the body was let go */
    bool named;       /* the user asked for this very cell */
    struct cellrun *open; /* the opened queue (sweep/cellrun.h); NULL */
};

struct run {
    struct config cfg;
    const struct config_cluster *here; /* NULL when not in the config */
    char key[KEY_MAX + 1]; /* expanded */
    char hash[41];
    char name[KEY_MAX + 1]; /* run name, "" for a hash */
    char *root;             /* resume_root, absolute */
    char *run_root;         /* absolute, NULL when not configured */
    char workdir[1024];
    char from_cluster[64]; /* handoff source, "" for none */
    char from_job[32];     /* its job id, "" */
    int rootfd;            /* -1 when it does not exist (read_only) */
    int relayfd;           /* <root>/.relay/<hash>, -1 likewise */
    int jobfd;             /* job_dir, -1 for none */
    bool network;
    bool read_only;        /* opened so: no directory is made */
    struct owner self;
    char nonce[33];
    int64_t found_step; /* by stage-in; -1: none (resolved.json) */
    int64_t term;       /* of the claim; 0: none yet */
    char out_path[1024]; /* where the body prints to; "" when it is no file */
    int64_t out_from;    /* what stands there before the body begins */
    struct run_cell cell;
    char marker_nonce[33]; /* this node's own, where a step of the job on
                              another node was the gate: nonce is that one's.
                              "": this is the gate */
};

/* Opens: loads the configuration, checks and expands the key, resolves the
 * paths (config_path, relative to SLURM_JOB_WORK_DIR or SLURM_SUBMIT_DIR or
 * the working directory), makes <root>/.relay/<hash> 0700. Returns 0; -1 with
 * EX_USAGE, EX_CONFIG or EX_CANTCREAT. run_close in both cases. */
int run_open(const struct run_options *opt, struct run *run,
             struct relay_error *err);
void run_close(struct run *run);

/* run_open in two parts, for a run whose key is found in between: what is
 * known of the job (configuration, owner, job directory), then the key with
 * all that follows from it; a second one takes the place of the first. */
int run_begin(const struct run_options *opt, struct run *run,
              struct relay_error *err);
int run_set_key(const struct run_options *opt, struct run *run,
                struct relay_error *err);

/* Goes on under another hash (a run that was found by its name). 0 or -1. */
int run_adopt_hash(struct run *run, const char *hash, struct relay_error *err);

/* Opens the directories of a run that is known to have them; makes none (a
 * file system may not be mounted any more). 0, or -1 with EX_IOERR. */
int run_reopen(struct run *run, struct relay_error *err);

/* Opens again what stage_in resolved and wrote to job_dir/resolved.json: for
 * watch and stage-out, which know the job directory alone. opt->key is not
 * used. -1 with EX_NOINPUT when there is no such file. */
int run_open_resolved(const struct run_options *opt, struct run *run,
                      struct relay_error *err);

/* Writes job_dir/resolved.json. 0 or -1. */
int run_save_resolved(const struct run *run, struct relay_error *err);

/* The resume_root of a peer as it is sent there: %e and %p are of the key,
 * the rest (%u, ~, $VAR) is the peer's to expand. malloc'd, or NULL with
 * EX_CONFIG. */
char *run_peer_root(const struct run *run, const struct config_cluster *peer,
                    struct relay_error *err);

/* Notes where our standard output, which will be the body's, goes. */
void run_note_output(struct run *run);

/* The state directory's path, <root>/<hash>. */
void run_state_dir(const struct run *run, char *path, size_t size);

/* The file server's clock, seconds: the mtime of a file written now in
 * .relay/<hash>. 0 when it cannot be had. */
int64_t run_server_time(const struct run *run);

/* Tells the user a line: stderr with "relay: " before it, and the log in
 * .relay/<hash>/log with the time. Never fails. */
void run_say(const struct run *run, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Into the log alone. */
void run_log(const struct run *run, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* For the say callbacks of peer.h, source.h and transfer.h: arg is a run. */
void run_say_line(void *arg, const char *text);

/* What is in <root>/<hash> now. */
enum state_kind {
    STATE_NONE,   /* no directory, or no meta in it */
    STATE_STUB,   /* moved away (protocol, section 7) */
    STATE_GOOD,   /* meta parses, checkpoint's directory whole */
    STATE_BROKEN  /* why says what is wrong */
};

struct run_state_info {
    enum state_kind kind;
    struct meta meta;  /* of STATE_GOOD and STATE_STUB */
    int64_t saved;     /* mtime of the meta */
    char why[512];
};

/* Looks at the state (cheap checks: no CRC over the data). 0, or -1 with
 * EX_IOERR. Free with run_state_free. */
int run_state_look(const struct run *run, struct run_state_info *info,
                   struct relay_error *err);
void run_state_free(struct run_state_info *info);

/* When the state was written last, by the file server's clock: the newest of
 * its directory and the files in it. 0 for no state. */
int64_t run_state_changed(const struct run *run);

/* Keeps hard links of the state in .relay/<hash>/verified-<nonce>, for the
 * watcher. What earlier runs kept is dropped unless it is of a later step.
 * 0 or -1. */
int run_keep_state(const struct run *run, struct relay_error *err);

/* Says, in a file, that this run's training did not load its state: what was
 * kept is to be put back once the body is dead. 0 or -1. */
int run_flag_lost(const struct run *run, struct relay_error *err);

/* Are there such flags, of any run? 1 or 0. */
int run_is_lost(const struct run *run);

/* When the run of that nonce was flagged: verified-<nonce> becomes the state,
 * what is there goes to .relay/<hash>/lost-<nonce>, and the flag goes. What
 * was kept as hard links and written over in place since is not put back:
 * EX_DATAERR. Idempotent. 1 put back, 0 no flag, -1. */
int run_restore_state(const struct run *run, const char *nonce,
                      struct relay_error *err);

/* The same for all flags: how many states were put back, or -1. Only for who
 * holds the lease. */
int run_restore_all(const struct run *run, struct relay_error *err);

/* Takes all flags away: a person begins anew. 0 or -1. */
int run_forget_lost(const struct run *run, struct relay_error *err);

/* The name in .relay/<hash> of a state that was kept, the one of the latest
 * step. False: there is none. */
bool run_find_kept(const struct run *run, char *name, size_t size);

#endif
