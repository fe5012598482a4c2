/* One request of a job, done by the courier. */
#ifndef RELAY_COURIER_WORK_H
#define RELAY_COURIER_WORK_H

#include "courier_mail.h"
#include "run.h"

/* Does what the request id asks of cluster and writes the reply; none when a
 * signal ended it. A failure is the reply. */
void courier_work(struct run *run, const struct courier_box *box,
                  const char *cluster, const char *id);

/* The reply to a request whose process ended without one. */
void courier_reply_failed(const struct courier_box *box, const char *id);

#endif
