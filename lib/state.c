#include "state.h"

const char *run_state_name(enum run_state state)
{
    static const char *const names[] = {
        "new",   "queued", "running",   "moving",  "stranded",
        "ended", "failed", "completed", "unknown", "moved",
    };

    return names[state];
}
