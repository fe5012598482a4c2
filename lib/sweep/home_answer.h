/* A home that answers a worker on another cluster, one request at a time
 * (ssweep serve; doc/protocol.md, section 13). */
#ifndef RELAY_SWEEP_HOME_ANSWER_H
#define RELAY_SWEEP_HOME_ANSWER_H

#include <json-c/json.h>

#include "config.h"
#include "sweep.h"

/* Does what request says in the queue of an open sweep, and answers: an object
 * to put, never NULL. What went wrong is in it ("error"), too. A claim and an
 * end may be asked for again: the answer is the same. cfg names this cluster,
 * and those whose jobs may own cells. */
struct json_object *home_answer(struct sweep *sweep, const struct config *cfg,
                                struct json_object *request);

/* Only the error. */
struct json_object *home_answer_error(const struct relay_error *err);

#endif
