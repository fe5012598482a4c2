/* What the files of a home on another cluster share. */
#ifndef RELAY_SWEEP_HOME_SSH_H
#define RELAY_SWEEP_HOME_SSH_H

#include <json-c/json.h>

#include "home.h"
#include "peer.h"

/* What a slot of the worker has claimed there. */
struct held {
    char nonce[33];
    bool busy;
    bool unsure;  /* a claim was asked for, and no answer came */
    bool asked;   /* somebody wants it to stop */
    bool news;    /* step was not told yet */
    int64_t step;
    struct queue_claim claim;
    bool ended;   /* the end below is to be told */
    struct queue_end end;
    char cause[24];
    char why[200];
};

struct ssh_home {
    struct home home;
    struct peer peer;
    char host[256];             /* as typed */
    struct config_cluster bare; /* of a host that is no configured cluster */
    struct config one;
    char path[4096]; /* of the sweep there, as typed; then as it says */
    char file[256];  /* the name of its source */
    struct home_options opt;
    struct held *held;
    size_t nheld;
    int64_t version;  /* of the source there, when last heard */
    int64_t pulsed;   /* clock_ms: when it was last told how far we are */
    int64_t pulse_ms; /* from then to the next */
    int64_t retry_at; /* clock_ms: ends are told again */
    int64_t judge_at; /* clock_ms: our jobs are looked at again */
    struct board_counts counts;
    struct relay_error refused;        /* its source is not taken in */
    struct queue_place places[64];     /* of the last claim */
    size_t nplaces;
};

/* Runs the script that lib/remote/serve.sh is. 0; -1: EX_TEMPFAIL when it may
 * be different soon, EX_UNAVAILABLE. Free reply. */
int ssh_home_script(struct ssh_home *h, const char *const *args,
                    int64_t deadline_ms, struct peer_reply *reply,
                    struct relay_error *err);

/* The answer to a request (which is put), an object to put; NULL: EX_TEMPFAIL
 * when the home was out of reach so many times, else what it says is wrong. */
struct json_object *ssh_home_ask(struct ssh_home *h,
                                 struct json_object *request,
                                 int64_t deadline_ms, int most,
                                 struct relay_error *err);

/* Opens the copy here of the sweep there, of which text is the sweep.json.
 * Makes it first when there is none. 0 or -1. */
int home_copy_open(struct ssh_home *h, const char *text, struct sweep *sweep,
                   struct relay_error *err);

/* Takes in the version of the source that the home has, when it is newer. 1,
 * 0 nothing new, -1. */
int home_copy_update(struct ssh_home *h, struct relay_error *err);

/* Those of these owners (an array, or NULL), all of our cluster, that are dead
 * by what can be seen here: a new array, or NULL for none. At most once a
 * minute, for it takes its time. */
struct json_object *home_dead_owners(struct ssh_home *h,
                                     struct json_object *owners);

#endif
