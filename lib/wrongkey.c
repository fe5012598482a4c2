#include "wrongkey.h"

#include <string.h>

#include "clock.h"
#include "history.h"
#include "runs.h"

enum { FIRST_MS = 900000 };

void wrongkey_begin(struct wrongkey *w, struct run *run)
{
    memset(w, 0, sizeof(*w));
    w->began = w->since_ms = clock_ms();
    w->server = run_server_time(run);
}

static int64_t patience_ms(const struct run *run)
{
    struct json_object *events = history_read(run->relayfd, NULL);
    int64_t interval = 0;

    if (events != NULL)
        interval = history_interval(events);
    json_object_put(events);
    return interval > 0 ? 3000 * interval : FIRST_MS;
}

/* A neighbour that changed since we began, and is not ours. */
static bool find_neighbour(const struct wrongkey *w, const struct run *run,
                           struct run_list *list, size_t *at)
{
    size_t i;

    for (i = 0; i < list->n; i++) {
        if (strcmp(list->runs[i].hash, run->hash) != 0 &&
            list->runs[i].mtime > w->server) {
            *at = i;
            return true;
        }
    }
    return false;
}

bool wrongkey_look(struct wrongkey *w, struct run *run, int64_t saved)
{
    struct run_list list = {0};
    size_t i = 0;

    if (saved != w->saved) {
        w->saved = saved;
        w->since_ms = clock_ms();
    }
    /* Cheap first: only a long silence is worth a look at the others. */
    if (w->said || w->server == 0 || clock_ms() - w->since_ms < 60000 ||
        clock_ms() - w->since_ms < patience_ms(run))
        return false;
    if (runs_list(run->root, &list, NULL) == 0 &&
        find_neighbour(w, run, &list, &i)) {
        w->said = true;
        run_say(run, "nothing is written in %s/%s, but %s (%s) changes: the "
                     "training computes another key than --resume-key=%s",
                run->root, run->hash, list.runs[i].hash,
                list.runs[i].name != NULL ? list.runs[i].name : "no name",
                run->key);
    }
    runs_free(&list);
    return w->said;
}
