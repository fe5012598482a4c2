/*
 * The user's jobs in the queue of this cluster, by one squeue call: what a
 * listing of many runs is judged by. It is a hint for people; who may take a
 * run over is for liveness.h.
 */
#ifndef RELAY_JOBS_H
#define RELAY_JOBS_H

#include <stdbool.h>
#include <stddef.h>

struct job_entry {
    char id[32];    /* 4711, or 4711_7 */
    char state[24]; /* RUNNING, PENDING, ... */
    char *name;
};

struct job_list {
    struct job_entry *jobs;
    size_t n;
    bool answered; /* false: no squeue here, or it did not answer */
};

/* Asks squeue, for deadline_ms at most. Never fails: look at answered. Free
 * with jobs_free. */
void jobs_list(struct job_list *list, int deadline_ms);
void jobs_free(struct job_list *list);

/* Parses squeue's lines ID|STATE|NAME (which are changed); lines of another
 * form are left out. Returns 0, or -1 out of memory. */
int jobs_parse(char *text, struct job_list *list);

/* The job of that id, or NULL. */
const struct job_entry *jobs_find(const struct job_list *list, const char *id);

/* The one job of that name; NULL when there is none, or more than one. */
const struct job_entry *jobs_named(const struct job_list *list,
                                   const char *name);

#endif
