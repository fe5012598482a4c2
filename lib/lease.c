#include "lease.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "jsonfile.h"

#define SERIES "run"

static const char *const names[] = {
    [LEASE_NONE] = "none",           [LEASE_CLAIM] = "claim",
    [LEASE_RELEASE] = "release",     [LEASE_FENCE] = "fence",
    [LEASE_REINSTATE] = "reinstate", [LEASE_UNLOCK] = "unlock",
    [LEASE_RESET] = "reset",         [LEASE_REOPEN] = "reopen",
};

#define NKINDS (sizeof(names) / sizeof(names[0]))

const char *lease_kind_name(enum lease_kind kind)
{
    return names[kind];
}

static int kind_of(const char *name, enum lease_kind *kind)
{
    size_t i;

    for (i = LEASE_CLAIM; i < NKINDS; i++) {
        if (strcmp(names[i], name) == 0) {
            *kind = (enum lease_kind)i;
            return 0;
        }
    }
    return -1;
}

static void take_members(struct lease *lease)
{
    struct json_object *body = lease->body;
    struct json_object *to = json_get(body, "moved_to");

    lease->term = json_int(body, "term", 0);
    lease->time = json_int(body, "time", 0);
    lease->step = json_int(body, "step", -1);
    lease->moving = lease->kind == LEASE_CLAIM &&
                    strcmp(json_str(body, "doing", ""), "moving") == 0;
    owner_from_json(json_get(body, "owner"), json_str(body, "nonce", ""),
                    &lease->owner);
    snprintf(lease->moved_to, sizeof(lease->moved_to), "%s",
             json_str(to, "cluster", ""));
    snprintf(lease->moved_job, sizeof(lease->moved_job), "%s",
             json_str(to, "job_id", ""));
}

int lease_of_record(struct json_object *body, int64_t gen,
                    struct lease *lease, struct relay_error *err)
{
    const char *kind = json_str(body, "kind", "");

    memset(lease, 0, sizeof(*lease));
    lease->step = -1;
    if (kind_of(kind, &lease->kind) != 0)
        return relay_fail(err, EX_DATAERR,
                          SERIES ".%lld: its kind \"%s\" is unknown",
                          (long long)gen, kind);
    lease->gen = gen;
    lease->body = json_object_get(body);
    take_members(lease);
    return 0;
}

int lease_read(int dirfd, struct lease *lease, struct relay_error *err)
{
    struct series_record rec;
    int rc = 0;

    memset(lease, 0, sizeof(*lease));
    lease->step = -1;
    if (series_last(dirfd, SERIES, &rec, err) != 0)
        return -1;
    if (rec.gen != 0)
        rc = lease_of_record(rec.body, rec.gen, lease, err);
    series_free(&rec);
    return rc;
}

void lease_free(struct lease *lease)
{
    if (lease->body != NULL)
        json_object_put(lease->body);
    memset(lease, 0, sizeof(*lease));
    lease->step = -1;
}

bool lease_held(const struct lease *lease)
{
    if (lease->kind == LEASE_CLAIM)
        return true;
    return lease->kind == LEASE_REINSTATE &&
           json_get(lease->body, "owner") != NULL;
}

int lease_link(int dirfd, int64_t after, const char *kind, int64_t term,
               const struct owner *own, struct json_object *extra,
               struct relay_error *err)
{
    struct json_object *body = json_object_new_object();
    enum lease_kind known;
    int won;

    if (kind_of(kind, &known) != 0) {
        json_object_put(body);
        return relay_fail(err, EX_SOFTWARE, "no lease of kind \"%s\"", kind);
    }
    json_add_str(body, "kind", kind);
    json_add_int(body, "term", term);
    json_add_str(body, "nonce", own != NULL ? own->nonce : NULL);
    json_object_object_add(body, "owner",
                           own != NULL ? owner_to_json(own) : NULL);
    if (extra != NULL) {
        json_object_object_foreach(extra, name, value)
            json_object_object_add(body, name, json_object_get(value));
    }
    won = series_link(dirfd, SERIES, after + 1, body, err);
    json_object_put(body);
    return won;
}
