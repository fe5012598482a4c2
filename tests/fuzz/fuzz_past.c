#include "fuzz.h"

#include "past.h"

/* Whatever sacct prints: every run counts once, and what is counted adds up. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct past past = {.n = 0};
    struct past_sum sum;
    size_t i;

    HOLDS(past_parse((const char *)data, size, &past) == 0);
    past_sum(&past, NULL, &sum);
    HOLDS(sum.failures + sum.censored == sum.jobs);
    HOLDS(sum.failures == sum.preempted + sum.broken);
    HOLDS(sum.exposure >= sum.jobs && (size_t)sum.jobs <= past.n);
    for (i = 0; i < past.n; i++)
        HOLDS(past_partition_of(&past, past.jobs[i].id) != NULL);
    past_free(&past);
    return 0;
}
