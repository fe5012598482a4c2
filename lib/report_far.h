/* The state of a run on another cluster, by one script there. */
#ifndef RELAY_REPORT_FAR_H
#define RELAY_REPORT_FAR_H

#include "jobs.h"
#include "report.h"
#include "run.h"

/* Asks the configured cluster for run->hash. jobs are the user's there. 0, or
 * -1 as peer_script; EX_CONFIG when its resume_root cannot be had there, which
 * a relative one cannot. report_free and jobs_free in both cases. */
int report_far(const struct run *run, const char *cluster,
               struct report *report, struct job_list *jobs,
               struct relay_error *err);

#endif
