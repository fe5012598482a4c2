/* What another cluster answers: every run and job is whole, whatever came. */
#include "fuzz.h"

#include "overview.h"
#include "overview_int.h"

static void check_run(const struct overview *o, const struct overview_run *run)
{
    HOLDS(strspn(run->hash, "0123456789abcdef") == 40);
    HOLDS(run_state_name(run->state) != NULL);
    HOLDS(run->job == NULL ||
          (run->job >= o->jobs && run->job < o->jobs + o->njobs));
    HOLDS(run->rate < 0 || run->rate > 0);
    HOLDS(overview_eta(run) >= -1);
    HOLDS(!run->stale || run->interval > 0);
    HOLDS(run->copy == OVERVIEW_ALONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct peer_reply reply = {.out = text, .len = size};
    struct overview o = {.cluster = "here"};
    struct relay_error err;
    size_t i;

    HOLDS(overview_take(&o, &reply, size % 2 == 1 ? "*a*" : NULL, &err) == 0);
    overview_pair(&o, 1);
    for (i = 0; i < o.n; i++) {
        HOLDS(i == 0 || strcmp(o.runs[i - 1].hash, o.runs[i].hash) != 0);
        check_run(&o, &o.runs[i]);
    }
    for (i = 0; i < o.njobs; i++)
        HOLDS(o.jobs[i].name != NULL && o.jobs[i].gpus >= -1);
    HOLDS(overview_gpus_in(&o, NULL) >= 0);
    overview_free(&o);
    free(text);
    return 0;
}
