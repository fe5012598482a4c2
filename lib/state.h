/* The one table of states for tools, JSON and documents. */
#ifndef RELAY_STATE_H
#define RELAY_STATE_H

enum run_state {
    RUN_NEW,
    RUN_QUEUED,
    RUN_RUNNING,
    RUN_MOVING,
    RUN_STRANDED,
    RUN_ENDED,
    RUN_FAILED,
    RUN_COMPLETED,
    RUN_UNKNOWN,
    RUN_MOVED
};

/* "new", "queued", ... as design and documents spell them. */
const char *run_state_name(enum run_state state);

#endif
