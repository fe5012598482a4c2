/*
 * The state of a run as `sresume list`, `show` and `doctor` tell it: what the
 * directory, our records and one look at the queue say. Cheap, so that it can
 * be had of thousands of runs; it decides nothing. Whether an owner is dead
 * is for liveness.h.
 */
#ifndef RELAY_REPORT_H
#define RELAY_REPORT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "jobs.h"
#include "lease.h"
#include "runs.h"
#include "state.h"

/* Where an owner was seen. */
enum seen {
    SEEN_NOBODY,  /* there is none to look for */
    SEEN_RUNNING, /* in the queue, or its process lives here */
    SEEN_PENDING, /* in the queue, waiting */
    SEEN_GONE,    /* not in the queue: no proof that it has ended */
    SEEN_DEAD,    /* a process that ran on this host and is no more */
    SEEN_UNKNOWN  /* on another cluster or host, or squeue is silent */
};

/* An owner outside Slurm, as far as this host can see it. */
enum seen report_seen_process(const struct owner *own);

/* What a state is judged by. */
struct report_facts {
    enum lease_kind lease;
    bool moving;      /* the claim is of a handoff that goes on */
    enum seen owner;  /* of a claim or reinstate */
    enum seen fenced; /* of a fence: the owner that it stops */
    bool fence_young; /* made within the time that a stop may take */
    bool in_flight;   /* journal: source fenced, nothing in place here yet */
    bool has_state;
    bool stub;
    bool completed;
    enum seen named;   /* the one job named like the run */
    const char *cause; /* of a release */
};

/* A fence that is older than this is no longer on its way: stop_timeout is
 * 2 min by default. For display alone. */
#define REPORT_FENCE_YOUNG_S 180

/* The state by those. No I/O. */
enum run_state report_state(const struct report_facts *facts);

struct report {
    char hash[41];
    char *name; /* NULL: unknown */
    char *key;  /* NULL: unknown */
    int64_t step;  /* -1 */
    int64_t saved; /* mtime of the meta, 0: no meta */
    bool completed;
    bool stub;
    char moved_to[64];   /* cluster, of a stub or a fence; "" */
    enum run_state state;
    bool records;        /* we have records of it, and may read them */
    struct lease lease;  /* the last record; kind LEASE_NONE for none */
    char journal[24];    /* the last state of a handoff to here, "" */
    char cause[24];      /* of the last end, "" */
    char owner[160];     /* who holds, held or shall run it; "" */
    char trouble[300];   /* records that cannot be read (state: unknown) */
};

struct report_list {
    struct report *reports;
    size_t n;
    bool queue_answered;
};

/* Every run below root, sorted by name; cluster is this one's name. One
 * squeue call for all, and only directories that .relay names are opened.
 * Runs with records but without a state directory are in it too. 0 or -1. */
int report_all(const char *root, const char *cluster, struct report_list *list,
               struct relay_error *err);
void report_list_free(struct report_list *list);

/* One run, from its directory entry. rootfd is resume_root (-1: it does not
 * exist). jobs as jobs_list gave them. Free with report_free. */
void report_one(int rootfd, const struct run_entry *entry, const char *cluster,
                const struct job_list *jobs, struct report *report);
void report_free(struct report *report);

/* The state and who holds it, of a report that has its step, meta and records
 * (read on that cluster), by the user's jobs there. */
void report_judge(struct report *report, const char *cluster,
                  const struct job_list *jobs);

/* As `list --json` prints it (sresume(1) lists the members). */
struct json_object *report_json(const struct report *report);

#endif
