/* Reading, for the calls that have begun already (tracker_begin). */
#ifndef RELAY_TRACKER_READ_H
#define RELAY_TRACKER_READ_H

#include "tracker/tracker_int.h"

/* tracker_exact without a budget of its own. 0 or -1; free in both cases. */
int read_exact(struct tracker *t, const char *const *ids, size_t n,
               struct tracker_runs *runs, struct relay_error *err);

#endif
