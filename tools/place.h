/*
 * From what a person typed to the configuration, the resume_root and an
 * opened run: what the tools that work on runs share.
 */
#ifndef RELAY_PLACE_H
#define RELAY_PLACE_H

#include "cli.h"
#include "liveness.h"
#include "report.h"
#include "run.h"

/* Where to look: options that most commands have. */
struct place {
    const char *config; /* --config: this file instead of all */
    const char *root;   /* --root: this resume_root */
    const char *handoff_from; /* of `run`; NULL: none */
};

#define PLACE_OPTIONS(place)                                                  \
    {"config", '\0', CLI_TEXT, &(place).config, "FILE",                       \
     "read FILE instead of all relay.yaml"},                                  \
    {                                                                         \
        "root", '\0', CLI_TEXT, &(place).root, "DIR",                         \
            "the resume_root, instead of the configured one"                  \
    }

/* Loads the configuration. 0 or -1; config_free in both cases. */
int place_config(const struct place *place, struct config *cfg,
                 struct relay_error *err);

/* The resume_root, absolute and malloc'd, or NULL. Relative paths of the
 * configuration follow the directory that run_open has them follow. */
char *place_root(const struct place *place, const struct config *cfg,
                 struct relay_error *err);

/* path made absolute by the directory we are in; malloc'd, or NULL. */
char *place_absolute(const char *path, struct relay_error *err);

/* Opens the run that a person typed: key, hash, prefix of a hash, or exact
 * run name. A key need not exist. 0 or -1; run_close in both cases. */
int place_open(const struct place *place, const char *typed, bool read_only,
               struct run *run, struct relay_error *err);

/* As place_open, to change something: a run that is not known here at all
 * is EX_DATAERR, and no directory is made for it. */
int place_open_known(const struct place *place, const char *typed,
                     struct run *run, struct relay_error *err);

/* True when what was typed is a directory and not a key: it begins with '/'
 * or '.', or it has a resume_meta.json. */
bool place_is_dir(const char *typed);

/* The state of an opened run, with its run_state_info (free both). 0 or -1. */
int place_report(const struct run *run, struct report *report,
                 struct run_state_info *info, struct relay_error *err);

/* The same by a queue that was asked before. */
int place_report_of(const struct run *run, const struct job_list *jobs,
                    struct report *report, struct run_state_info *info,
                    struct relay_error *err);

/* One quick look at who holds the lease, for showing: a second look, which a
 * decision needs, is gate.h's. ALIVE_UNKNOWN when nobody holds it: why says
 * so. */
enum alive place_evidence(const struct run *run, const struct lease *lease,
                          char *why, size_t why_size);

/* What a person can type for this run: its key when it is known. */
const char *place_name(const struct run *run, const struct report *report);

#endif
