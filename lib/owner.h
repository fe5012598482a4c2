/* Who wrote a record: a job (or process), as doc/protocol.md section 2. */
#ifndef RELAY_OWNER_H
#define RELAY_OWNER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

struct owner {
    char cluster[64];
    char user[64];
    char job_id[32];  /* what Slurm commands are given; "" outside Slurm */
    char job_raw[16]; /* SLURM_JOB_ID; "" outside Slurm */
    int64_t submit;   /* 0: unknown */
    int64_t restart;
    char host[256];
    char boot_id[40];
    pid_t pid;
    uint64_t pid_start;
    uint64_t pid_ns;  /* the pid namespace pid counts in; 0: not known */
    char dir[1024];
    char name[128];
    char nonce[33];
};

/* This process's own: from SLURM_* of the environment, /proc and
 * gethostname. pid is the process that becomes the body. submit stays 0
 * (slurm_submit_time looks it up). Returns 0 or -1. */
int owner_self(const char *cluster, const char *nonce, pid_t pid,
               struct owner *own, struct relay_error *err);

/* To and from the "owner" member (nonce is the record's own member). */
struct json_object *owner_to_json(const struct owner *own);
void owner_from_json(struct json_object *obj, const char *nonce,
                     struct owner *own);

/* True for the same job: cluster, job_id and (when both know it) submit. */
bool owner_same_job(const struct owner *a, const struct owner *b);

/* True for the same process: host, boot, pid and its start. */
bool owner_same_process(const struct owner *a, const struct owner *b);

/* "job 4711 of ada on sherlock (node n1)" for messages. */
void owner_describe(const struct owner *own, char *text, size_t size);

/* Start time (field 22 of /proc/PID/stat), 0 when there is no such pid. */
uint64_t owner_pid_start(pid_t pid);

#endif
