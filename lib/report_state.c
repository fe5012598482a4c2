/* The rules by which a run's state is told (report.h). */
#include <string.h>

#include "report.h"

static enum run_state after_release(const char *cause)
{
    if (strcmp(cause, "failed") == 0 || strcmp(cause, "out_of_memory") == 0)
        return RUN_FAILED;
    if (strcmp(cause, "completed") == 0)
        return RUN_COMPLETED;
    return RUN_ENDED;
}

static enum run_state held(const struct report_facts *f)
{
    switch (f->owner) {
    case SEEN_RUNNING:
        return f->moving ? RUN_MOVING : RUN_RUNNING;
    case SEEN_PENDING:
        return RUN_QUEUED;
    case SEEN_GONE:
        return f->in_flight ? RUN_STRANDED : RUN_UNKNOWN;
    case SEEN_DEAD:
        return f->in_flight ? RUN_STRANDED : RUN_ENDED;
    case SEEN_NOBODY:
    case SEEN_UNKNOWN:
        break;
    }
    return RUN_UNKNOWN;
}

static enum run_state fenced(const struct report_facts *f)
{
    if (f->stub)
        return RUN_MOVED;
    if (f->fenced == SEEN_RUNNING || f->fence_young)
        return RUN_MOVING;
    return f->fenced == SEEN_UNKNOWN ? RUN_UNKNOWN : RUN_STRANDED;
}

static enum run_state nobody_holds(const struct report_facts *f)
{
    if (f->in_flight)
        return RUN_STRANDED;
    if (f->stub)
        return RUN_MOVED;
    if (f->named == SEEN_RUNNING)
        return RUN_RUNNING;
    if (f->named == SEEN_PENDING)
        return RUN_QUEUED;
    if (f->completed)
        return RUN_COMPLETED;
    if (f->lease == LEASE_RELEASE)
        return after_release(f->cause);
    if (f->lease == LEASE_UNLOCK || f->lease == LEASE_REOPEN)
        return RUN_ENDED;
    if (f->lease == LEASE_RESET || !f->has_state)
        return RUN_NEW;
    /* A training that knows nothing of us: it may run or not. */
    return RUN_UNKNOWN;
}

enum run_state report_state(const struct report_facts *f)
{
    if (f->lease == LEASE_FENCE)
        return fenced(f);
    if (f->lease == LEASE_CLAIM ||
        (f->lease == LEASE_REINSTATE && f->owner != SEEN_NOBODY))
        return held(f);
    return nobody_holds(f);
}
