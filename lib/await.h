/* When a wait for a run is over: the rules alone, no I/O. */
#ifndef RELAY_AWAIT_H
#define RELAY_AWAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "state.h"

enum await_verdict {
    AWAIT_GOES_ON,
    AWAIT_REACHED,
    AWAIT_ENDED /* it will not come by itself */
};

struct await_want {
    unsigned states; /* a bit (1u << state) for each that is waited for */
    bool named;      /* a person named them */
    int64_t step;    /* -1: none */
};

struct await_facts {
    enum run_state state;
    int64_t step;   /* -1 */
    bool completed; /* as the meta says */
    bool queued;    /* a job that ran it, or shall, is in the queue */
    bool dead;      /* of an unknown state: its owner is proved to be dead */
};

enum await_verdict await_judge(const struct await_want *want,
                               const struct await_facts *facts);

/* "running,completed" to the bits. 0, or -1 with EX_USAGE, which names all. */
int await_states(const char *text, unsigned *states, struct relay_error *err);

#endif
