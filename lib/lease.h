/*
 * The lease of a run: series "run" (doc/protocol.md, section 3). Everything
 * here works on an open <resume_root>/.relay/<hash>/ directory; whether an
 * owner is dead is for liveness.h to say, and for the caller to decide.
 */
#ifndef RELAY_LEASE_H
#define RELAY_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "owner.h"
#include "series.h"

enum lease_kind {
    LEASE_NONE, /* the series is empty */
    LEASE_CLAIM,
    LEASE_RELEASE,
    LEASE_FENCE,
    LEASE_REINSTATE,
    LEASE_UNLOCK,
    LEASE_RESET,
    LEASE_REOPEN
};

struct lease {
    int64_t gen; /* 0: none */
    int64_t term;
    enum lease_kind kind;
    bool moving;        /* a claim made for a handoff that goes on */
    int64_t step;       /* -1: none recorded */
    int64_t time;
    struct owner owner; /* of a claim or reinstate, and who released */
    char moved_to[64];  /* of a fence: cluster */
    char moved_job[32];
    struct json_object *body; /* the whole record, or NULL */
};

/* Reads the last record. 0 or -1. Free with lease_free. */
int lease_read(int dirfd, struct lease *lease, struct relay_error *err);
void lease_free(struct lease *lease);

/* The same of a record that was read elsewhere (body stays the caller's):
 * generation gen. 0, or -1 with EX_DATAERR for an unknown kind. */
int lease_of_record(struct json_object *body, int64_t gen,
                    struct lease *lease, struct relay_error *err);

/* A lease holds when its last record is a claim or a reinstate with an
 * owner: somebody may be running. */
bool lease_held(const struct lease *lease);

/* Links the record kind as generation after + 1 with extra members (may be
 * NULL; not consumed). 1 ours, 0 lost (read again), -1 error. */
int lease_link(int dirfd, int64_t after, const char *kind, int64_t term,
               const struct owner *own, struct json_object *extra,
               struct relay_error *err);

const char *lease_kind_name(enum lease_kind kind);

#endif
