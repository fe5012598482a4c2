/*
 * Is a move worth it, and may it be done? Every gate of a handoff with its
 * figure (design section 6, seed's "when to use"). No I/O: facts in, verdicts
 * out.
 */
#ifndef RELAY_GATES_H
#define RELAY_GATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gate_verdict { GATE_PASS, GATE_WARN, GATE_UNKNOWN, GATE_FAIL };

/* In the order in which they are shown. Their names (gate_name) are what
 * --override takes: incomplete, running, gpu, remaining, gain, slot, tracker,
 * twin, nodelist. */
enum gate {
    GATE_INCOMPLETE, /* the run is not complete there */
    GATE_RUNNING,    /* a job runs it there */
    GATE_GPU,        /* the target's GPU is faster (ratio above 1; 0.85 is
                        refused; a source GPU far slower than its own
                        partition's others: cancel and resubmit with a
                        constraint instead) */
    GATE_REMAINING,  /* time left there above handoff.min_remaining */
    GATE_GAIN,       /* time left there above the break-even */
    GATE_SLOT,       /* a free slot here: jobs, GPUs, QOS limit */
    GATE_TRACKER,    /* no finished run of this name */
    GATE_TWIN,       /* no other job here for the run */
    GATE_NODELIST,   /* a --nodelist of several hosts for one node */
    GATES
};

struct gate_facts {
    bool completed;
    const char *job;        /* there, NULL: none runs */
    const char *gpu_there;  /* "" unknown */
    const char *gpu_here;   /* slowest that the request allows, "" unknown */
    const char *gpu_here_why; /* why that is not known, NULL */
    double factor_there;    /* config speed; 0 unknown */
    double factor_here;
    double factor_usual;    /* median of the source partition's; 0 unknown */
    int gpus_there, gpus_here; /* -1 unknown */
    double rate_there;      /* steps a second, < 0 unknown */
    double rate_here;       /* given by a person; < 0: there times ratio */
    int64_t step, total;    /* -1 unknown */
    int64_t min_remaining;  /* seconds */
    int64_t overhead;
    /* slots; -1 for no limit or not known */
    int64_t jobs_now, jobs_max;
    int64_t gpus_now, gpus_max;
    const char *qos;        /* whose limit that is, NULL: configuration */
    const char *jobs_whose; /* the same of each: "max_jobs", "QOS hi"; NULL: */
    const char *gpus_whose; /* as qos says */
    const char *slots_why;  /* why jobs_now or gpus_now is not known, NULL */
    int tracker;            /* -1 not asked, -2 could not be asked, else how
                               many finished runs of the name */
    const char *tracker_why; /* ids of those, or why it could not be asked */
    const char *twin;       /* job here for the run, NULL */
    int64_t nodelist_hosts; /* of --nodelist, 0 none */
    int64_t nodes;          /* asked for, 1 */
};

struct gate_result {
    enum gate gate;
    enum gate_verdict verdict;
    bool overridden;
    char text[400]; /* the figure, a sentence without a full stop */
};

/* What follows from the rates; -1 where unknown. The speed-up is the given
 * rate_here against rate_there, else the ratio of the factors: of one GPU, so
 * it is unknown where the numbers of GPUs are known to differ. */
struct gate_estimate {
    double speedup;       /* here against there; 0 unknown */
    int64_t left_there;   /* seconds */
    int64_t left_here;
    int64_t break_even;   /* overhead / (1 - 1 / speedup); -1 unless faster */
    int64_t gain;         /* seconds earlier than there; may be negative:
                             *known tells */
    bool known;
};

const char *gate_name(enum gate gate);

/* NAME of --override; -1 for a name that is none. */
int gate_of_name(const char *name);

void gates_estimate(const struct gate_facts *facts, struct gate_estimate *e);

/* Judges all; override[gate] is true for those that a person overrules (NULL:
 * none). Returns how many still stand in the way (FAIL, or UNKNOWN, which
 * asks). Strings of facts may be NULL for "". */
size_t gates_judge(const struct gate_facts *facts,
                   const bool override[GATES],
                   struct gate_result results[GATES]);

#endif
