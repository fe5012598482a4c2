#include "await.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "text.h"

static bool wants(const struct await_want *want, enum run_state state)
{
    return (want->states & 1U << state) != 0;
}

/* A job that was requeued has ended and will go on. */
static bool is_over(enum run_state state)
{
    return state == RUN_ENDED || state == RUN_FAILED ||
           state == RUN_STRANDED || state == RUN_NEW;
}

static enum await_verdict judge_dead(const struct await_want *want,
                                     const struct await_facts *facts)
{
    enum run_state state = facts->completed ? RUN_COMPLETED : RUN_ENDED;

    return wants(want, state) ? AWAIT_REACHED : AWAIT_ENDED;
}

enum await_verdict await_judge(const struct await_want *want,
                               const struct await_facts *facts)
{
    if (want->step >= 0 && facts->step >= want->step)
        return AWAIT_REACHED;
    if (is_over(facts->state) && facts->queued)
        return AWAIT_GOES_ON;
    if (wants(want, facts->state))
        return AWAIT_REACHED;
    switch (facts->state) {
    case RUN_NEW:
        return want->named ? AWAIT_GOES_ON : AWAIT_ENDED;
    case RUN_UNKNOWN:
        return facts->dead ? judge_dead(want, facts) : AWAIT_GOES_ON;
    case RUN_STRANDED:
    case RUN_ENDED:
    case RUN_FAILED:
    case RUN_COMPLETED:
    case RUN_MOVED:
        return AWAIT_ENDED;
    case RUN_QUEUED:
    case RUN_RUNNING:
    case RUN_MOVING:
        break;
    }
    return AWAIT_GOES_ON;
}

static int one_state(const char *name, size_t len, unsigned *states)
{
    int state;

    for (state = RUN_NEW; state <= RUN_MOVED; state++) {
        const char *known = run_state_name((enum run_state)state);

        if (strlen(known) == len && memcmp(known, name, len) == 0) {
            *states |= 1U << state;
            return 0;
        }
    }
    return -1;
}

static int bad_state(const char *text, struct relay_error *err)
{
    struct text all = {0};
    int state;

    for (state = RUN_NEW; state <= RUN_MOVED; state++)
        text_printf(&all, "%s%s", state > RUN_NEW ? ", " : "",
                    run_state_name((enum run_state)state));
    relay_fail(err, EX_USAGE, "\"%.100s\" is no list of states; there are: %s",
               text, text_str(&all));
    text_free(&all);
    return -1;
}

int await_states(const char *text, unsigned *states, struct relay_error *err)
{
    const char *at = text;

    *states = 0;
    for (;;) {
        size_t len = strcspn(at, ",");

        if (one_state(at, len, states) != 0)
            return bad_state(text, err);
        if (at[len] == '\0')
            return 0;
        at += len + 1;
    }
}
