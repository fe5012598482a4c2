/*
 * What the gate leaves for the tasks of a job on this node, in the marker's
 * user/ directory: the verdict, the environment, and the lock that says who
 * the gate is. Called by processes that are the user. libc only.
 */
#ifndef RELAY_SPANK_VERDICT_H
#define RELAY_SPANK_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct verdict {
    bool done; /* the run is complete: the job ends with 0 */
    int code;  /* 0: run the body; else the job's exit code */
};

/* Returns 1 and the verdict, 0 when there is none yet, -1 when the file is
 * not one (EX_SOFTWARE). */
int verdict_read(int dir, struct verdict *verdict, struct relay_error *err);

/* Hands every NAME=VALUE of the file env to set, in order; of a NAME alone,
 * which is to be unset, the value is NULL. Returns 0, or -1
 * (EX_SOFTWARE: damaged; EX_OSERR: set returned non-zero). */
int verdict_environment(int dir,
                        int (*set)(void *arg, const char *name,
                                   const char *value),
                        void *arg, struct relay_error *err);

/* The two kinds of gate, by the name of the lock: on a node where stage-in
 * only waits for the gate of another node, nothing is to be staged out. */
#define VERDICT_GATE "gate"
#define VERDICT_FOLLOW "follow"

/* Makes this process, of that step, the gate: takes the lock, which lasts
 * until the descriptor is closed or the process ends, and removes an earlier
 * step's verdict. Returns a descriptor, -1 with EX_TEMPFAIL when another
 * process is the gate now, -1 with EX_OSERR. */
int verdict_take_gate(int dir, const char *kind, uint32_t stepid,
                      struct relay_error *err);

enum gate_state {
    GATE_NONE,   /* nobody of that step has been the gate */
    GATE_AT_WORK,
    GATE_ENDED   /* with a verdict or without one */
};

/* What became of the gate of that step. Asked before the verdict is read:
 * a verdict read then is this step's. */
enum gate_state verdict_gate_state(int dir, const char *kind,
                                   uint32_t stepid);

#endif
