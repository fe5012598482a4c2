/*
 * Claims. W&B makes at most one run of an id, and tells its maker `inserted`.
 * What a loser's request carries would overwrite the winner's run, so that it
 * carries the id alone; whose the run is is written by the winner, by the
 * run's storage id, in a second request. A claimant that dies, or loses its
 * answer, between the two leaves an orphan, which is nobody's.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "jsonfile.h"
#include "tracker/graphql.h"
#include "tracker/read.h"
#include "tracker/reply.h"
#include "tracker/tag.h"

#define CREATE_QUERY \
    "mutation UpsertBucket($project: String, $entity: String, " \
    "$name: String!, $state: String) { upsertBucket(input: {" \
    "modelName: $project, entityName: $entity, name: $name, state: $state" \
    "}) { bucket { project { name entity { name } } id name } inserted } }"

#define MARK_QUERY \
    "mutation UpsertBucket($id: String, $groupName: String, " \
    "$displayName: String, $config: JSONString, $tags: [String!]) { " \
    "upsertBucket(input: {id: $id, groupName: $groupName, " \
    "displayName: $displayName, config: $config, tags: $tags" \
    "}) { bucket { id name displayName } inserted } }"

#define STATE_QUERY \
    "mutation UpdateRunState($input: UpdateRunStateInput!) { " \
    "updateRunState(input: $input) { success } }"

enum {
    CREATE_MS = 60000, /* a try that is cut short may have been carried out */
    CREATE_TRIES = 2,
    ORPHAN_AGE = 600,
    ID_MAX = 64,
    NAME_MAX_BYTES = 128
};

struct claiming {
    struct tracker *t;
    const char *id;
    const struct tracker_claimant *who;
    char tag[65];
    struct tracker_claim *claim;
    struct relay_error *err;
};

/* --- what is there -------------------------------------------------------- */

static struct tracker_run *held_run(const struct tracker_claim *claim)
{
    return claim->held.n > 0 && claim->held.runs[0].exists
               ? &claim->held.runs[0]
               : NULL;
}

/* The run by its exact id into claim->held. 0 or -1. */
static int look(struct claiming *c)
{
    tracker_runs_free(&c->claim->held);
    return read_exact(c->t, &c->id, 1, &c->claim->held, c->err);
}

static int outcome(struct claiming *c, enum tracker_claimed what,
                   const char *why)
{
    c->claim->outcome = what;
    snprintf(c->claim->why, sizeof(c->claim->why), "%.399s", why);
    return 0;
}

static void tell_holder(const struct tracker_run *run, char *why, size_t size)
{
    const char *state = run->state != NULL ? run->state : "without a state";
    char span[32];

    clock_span(run->age, span, sizeof(span));
    if (run->cluster != NULL)
        snprintf(why, size, "job %.60s on %.60s has it (%.40s)", run->job,
                 run->cluster, state);
    else
        snprintf(why, size, "the run is there without a claim (%.40s%s%s)",
                 state, run->age >= 0 ? ", made before " : "",
                 run->age >= 0 ? span : "");
}

static bool is_orphan(const struct tracker_run *run)
{
    return run->cluster == NULL && run->state != NULL &&
           strcmp(run->state, "pending") == 0 && run->quiet < 0 &&
           run->history <= 0 && run->age >= ORPHAN_AGE;
}

/* The run is there: whose is it? lost: our own request to make it was sent
 * and its answer was not seen. */
static int settle(struct claiming *c, bool lost)
{
    const struct tracker_run *run = held_run(c->claim);
    char why[300];

    if (tag_is_of(run, c->who->nonce) && run->life != TRACKER_DEAD)
        return outcome(c, TRACKER_CLAIMED, "it is this claim's already");
    tell_holder(run, why, sizeof(why));
    c->claim->orphan = is_orphan(run);
    return outcome(c, lost && run->cluster == NULL ? TRACKER_UNSURE
                                                   : TRACKER_HELD, why);
}

static int read_only(struct claiming *c)
{
    return relay_fail(c->err, EX_NOPERM, "%s: this key may read there and not "
                                         "write, so it cannot claim",
                      tracker_where(c->t));
}

/* --- making it ours ------------------------------------------------------- */

/* W&B wraps each value, and takes no dots in a name; _wandb is its own. */
static void add_config(struct json_object *variables,
                       struct json_object *config)
{
    struct json_object *wrapped = json_object_new_object();

    json_object_object_foreach(config, name, value)
    {
        struct json_object *inner;

        if (strchr(name, '.') != NULL || strcmp(name, "_wandb") == 0)
            continue;
        inner = json_object_new_object();
        json_object_object_add(inner, "value", json_object_get(value));
        json_object_object_add(wrapped, name, inner);
    }
    json_add_str(variables, "config",
                 json_object_to_json_string_ext(
                     wrapped, JSON_C_TO_STRING_PLAIN |
                                  JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(wrapped);
}

/* Cut between two characters. */
static void add_name(struct json_object *variables, const char *name)
{
    size_t len = strlen(name);

    if (len > NAME_MAX_BYTES)
        len = NAME_MAX_BYTES;
    while (len > 0 && ((unsigned char)name[len] & 0xc0) == 0x80)
        len--;
    json_object_object_add(variables, "displayName",
                           json_object_new_string_len(name, (int)len));
}

/* Writes our tag; all else too when the run is fresh. It may be done twice. */
static int mark(struct claiming *c, const char *storage_id, bool fresh)
{
    struct gql_call call = {.operation = "UpsertBucket",
                            .query = MARK_QUERY,
                            .variables = json_object_new_object()};
    struct gql_reply reply;
    int rc;

    json_add_str(call.variables, "id", storage_id);
    json_object_object_add(call.variables, "tags",
                           tag_replace(fresh ? NULL : held_run(c->claim),
                                       c->tag));
    if (fresh && c->who->group != NULL)
        json_add_str(call.variables, "groupName", c->who->group);
    if (fresh && c->who->name != NULL)
        add_name(call.variables, c->who->name);
    if (fresh && json_object_is_type(c->who->config, json_type_object))
        add_config(call.variables, c->who->config);
    rc = graphql(c->t, &call, &reply, c->err);
    gql_reply_free(&reply);
    json_object_put(call.variables);
    return rc;
}

/* It is ours: says so in the run. Without that the run is an orphan, for
 * nobody could tell later that it was us. */
static int take(struct claiming *c, const char *storage_id, bool fresh)
{
    char why[300];
    int rc = mark(c, storage_id, fresh);

    if (rc == 0 && fresh)
        return outcome(c, TRACKER_CLAIMED, "the run was made by this claim");
    snprintf(why, sizeof(why), "it could not be written into the run whose it "
                               "is: %.200s", rc != 0 ? c->err->text : "");
    if (look(c) != 0)
        return outcome(c, TRACKER_UNSURE, rc != 0 ? why : c->err->text);
    if (held_run(c->claim) == NULL)
        return outcome(c, TRACKER_UNSURE, "the run has gone");
    if (rc == 0 && tag_is_of(held_run(c->claim), c->who->nonce))
        return outcome(c, TRACKER_CLAIMED, "the run was taken over by this "
                                           "claim");
    if (rc == 0 || held_run(c->claim)->cluster != NULL)
        return settle(c, false);
    return outcome(c, TRACKER_UNSURE, why);
}

/* --- making the run ------------------------------------------------------- */

enum made { MADE, MADE_BEFORE, MADE_UNKNOWN, MADE_DUPLICATE, MADE_DONE };

/* `pending`: it has no heartbeat until its job starts, and W&B would take a
 * running one for crashed. Sent only when the run was absent a moment ago.
 * MADE_DONE: *rc is what tracker_claim returns. */
static enum made create(struct claiming *c, char **storage_id, int *rc)
{
    struct gql_call call = {.operation = "UpsertBucket",
                            .query = CREATE_QUERY,
                            .variables = tracker_variables(c->t),
                            .once = true,
                            .timeout_ms = CREATE_MS};
    struct gql_reply reply;
    enum made made = MADE_DONE;
    const char *bucket;
    bool inserted;

    json_add_str(call.variables, "name", c->id);
    json_add_str(call.variables, "state", "pending");
    *rc = graphql(c->t, &call, &reply, c->err);
    bucket = reply_upsert(reply.data, &inserted);
    if (*rc == 0 && inserted && bucket != NULL) {
        *storage_id = strdup(bucket);
        made = *storage_id != NULL ? MADE : MADE_UNKNOWN;
    } else if (*rc == 0) {
        made = MADE_BEFORE;
    } else if (reply_says_deleted(reply.text)) {
        *rc = outcome(c, TRACKER_TOMBSTONE, "the run was deleted in W&B, "
                                            "which gives its id to nobody "
                                            "again");
    } else if (reply_says_duplicate(reply.text) || reply.status == 409) {
        made = MADE_DUPLICATE;
    } else if (reply.end == GQL_LOST || reply.status == 200) {
        made = MADE_UNKNOWN;
    } /* else it was refused, or never sent: nothing was claimed */
    gql_reply_free(&reply);
    json_object_put(call.variables);
    return made;
}

/* The run did not show. lost: a request to make it was sent whose answer was
 * not seen, so that it may appear yet. */
static int claim_absent(struct claiming *c)
{
    enum made made = MADE_UNKNOWN;
    char *storage_id = NULL;
    bool lost = false;
    char why[400];
    int rc = -1;
    int i;

    for (i = 0; i < CREATE_TRIES; i++) {
        made = create(c, &storage_id, &rc);
        if (made == MADE) {
            rc = take(c, storage_id, true);
            free(storage_id);
            return rc;
        }
        snprintf(why, sizeof(why), "%.390s", rc != 0 ? c->err->text : "W&B "
                 "says that the run is there, and does not show it");
        if (made == MADE_DONE)
            return rc != 0 && lost ? outcome(c, TRACKER_UNSURE, why) : rc;
        lost = lost || made == MADE_UNKNOWN;
        if (look(c) != 0)
            return outcome(c, TRACKER_UNSURE, why);
        if (held_run(c->claim) != NULL)
            return settle(c, lost);
    }
    if (made == MADE_DUPLICATE && !lost)
        return outcome(c, TRACKER_TOMBSTONE, "W&B neither shows the run nor "
                                             "makes it: it was deleted there");
    return outcome(c, TRACKER_UNSURE, why);
}

static int check_id(const char *id, struct relay_error *err)
{
    size_t i;

    for (i = 0; id[i] != '\0'; i++) {
        if (!isalnum((unsigned char)id[i]) && id[i] != '_' && id[i] != '-')
            break;
    }
    if (i == 0 || i > ID_MAX || id[i] != '\0')
        return relay_fail(err, EX_DATAERR, "\"%.80s\" cannot be the id of a "
                                           "run in W&B: 1 to 64 of A-Z a-z "
                                           "0-9 _ -", id);
    return 0;
}

static int begin(struct claiming *c)
{
    memset(c->claim, 0, sizeof(*c->claim));
    return check_id(c->id, c->err) == 0 &&
                   tracker_tag(c->who, c->tag, c->err) == 0 &&
                   tracker_begin(c->t, c->err) == 0 && look(c) == 0
               ? 0
               : -1;
}

static int done(struct claiming *c, int rc)
{
    if (rc != 0)
        tracker_claim_free(c->claim);
    return rc;
}

int tracker_claim(struct tracker *t, const char *id,
                  const struct tracker_claimant *who,
                  struct tracker_claim *claim, struct relay_error *err)
{
    struct relay_error own;
    struct claiming c = {.t = t, .id = id, .who = who, .claim = claim,
                         .err = err != NULL ? err : &own};

    if (begin(&c) != 0)
        return done(&c, -1);
    if (held_run(claim) != NULL)
        return done(&c, settle(&c, false));
    return done(&c, claim->held.read_only ? read_only(&c) : claim_absent(&c));
}

void tracker_claim_free(struct tracker_claim *claim)
{
    tracker_runs_free(&claim->held);
    memset(claim, 0, sizeof(*claim));
}

/* --- changing states ------------------------------------------------------ */

enum changed { CHANGED, CHANGE_REFUSED, CHANGE_UNKNOWN, CHANGE_FAILED };

/* REFUSED: not from the state that it is in. once: two of these are not the
 * same as one. */
static enum changed change_state(struct tracker *t, const char *storage_id,
                                 const char *state, bool once,
                                 struct relay_error *err)
{
    struct gql_call call = {.operation = "UpdateRunState",
                            .query = STATE_QUERY,
                            .variables = json_object_new_object(),
                            .once = once};
    struct json_object *input = json_object_new_object();
    struct gql_reply reply;
    enum changed changed = CHANGE_FAILED;

    json_add_str(input, "id", storage_id);
    json_add_str(input, "state", state);
    json_object_object_add(call.variables, "input", input);
    if (graphql(t, &call, &reply, err) == 0)
        changed = json_flag(json_get(reply.data, "updateRunState"), "success",
                            false)
                      ? CHANGED
                      : CHANGE_REFUSED;
    else if (strstr(reply.text, "invalid state transition") != NULL)
        changed = CHANGE_REFUSED;
    else if (strstr(reply.text, "Cannot query field") != NULL ||
             strstr(reply.text, "Unknown type") != NULL)
        relay_fail(err, EX_UNAVAILABLE, "%s: this server is too old to change "
                                        "the state of a run", t->s.host);
    else if (reply.end == GQL_LOST)
        changed = CHANGE_UNKNOWN;
    gql_reply_free(&reply);
    json_object_put(call.variables);
    return changed;
}

static bool is_state(const struct tracker_run *run, const char *state)
{
    return run->state != NULL && strcmp(run->state, state) == 0;
}

static bool can_be_retaken(const struct tracker_run *run)
{
    return is_state(run, "failed") || is_state(run, "crashed") ||
           is_state(run, "preempted");
}

/* W&B lets one of them through: a pending run cannot become pending. */
static int retake(struct claiming *c)
{
    const struct tracker_run *run = held_run(c->claim);
    char *storage_id = strdup(run->storage_id);
    int rc;

    if (storage_id == NULL)
        return relay_fail(c->err, EX_OSERR, "out of memory");
    switch (change_state(c->t, storage_id, "pending", true, c->err)) {
    case CHANGED:
        rc = take(c, storage_id, false);
        break;
    case CHANGE_REFUSED:
        rc = look(c) != 0 ? -1
             : held_run(c->claim) != NULL
                 ? settle(c, false)
                 : outcome(c, TRACKER_UNSURE, "the run has gone");
        if (rc == 0 && c->claim->outcome == TRACKER_CLAIMED)
            rc = outcome(c, TRACKER_HELD, "another claim of this job was "
                                          "faster");
        break;
    case CHANGE_UNKNOWN:
        rc = outcome(c, TRACKER_UNSURE, c->err->text);
        break;
    default:
        rc = -1;
    }
    free(storage_id);
    return rc;
}

int tracker_retake(struct tracker *t, const char *id,
                   const struct tracker_claimant *who,
                   struct tracker_claim *claim, struct relay_error *err)
{
    struct relay_error own;
    struct claiming c = {.t = t, .id = id, .who = who, .claim = claim,
                         .err = err != NULL ? err : &own};
    const struct tracker_run *run;

    if (begin(&c) != 0)
        return done(&c, -1);
    run = held_run(claim);
    if (run != NULL && (!can_be_retaken(run) || run->storage_id == NULL))
        return done(&c, settle(&c, false));
    if (claim->held.read_only)
        return done(&c, read_only(&c));
    return done(&c, run != NULL ? retake(&c) : claim_absent(&c));
}

/* --- the end of a claimant ------------------------------------------------ */

static bool is_over(const struct tracker_run *run)
{
    return !run->exists || run->life == TRACKER_DEAD ||
           is_state(run, "crashed");
}

static int not_ours(const struct tracker_run *run, struct relay_error *err)
{
    char why[300];

    tell_holder(run, why, sizeof(why));
    return relay_fail(err, EX_NOPERM, "the run %.64s in W&B is another claim's "
                                      "now: %s", run->id, why);
}

static int fail_run(struct tracker *t, const char *id, const char *nonce,
                    struct tracker_runs *runs, bool *changed,
                    struct relay_error *err)
{
    const struct tracker_run *run;
    enum changed what;

    if (read_exact(t, &id, 1, runs, err) != 0)
        return -1;
    run = &runs->runs[0];
    if (run->exists && nonce != NULL && !tag_is_of(run, nonce))
        return not_ours(run, err);
    if (is_over(run))
        return 0;
    if (run->storage_id == NULL)
        return relay_fail(err, EX_DATAERR, "W&B does not say the storage id "
                                           "of the run %.64s", id);
    what = change_state(t, run->storage_id, "failed", false, err);
    *changed = what == CHANGED;
    if (*changed)
        return 0;
    if (what != CHANGE_REFUSED)
        return -1;
    tracker_runs_free(runs); /* an earlier try of ours may have done it */
    if (read_exact(t, &id, 1, runs, err) != 0)
        return -1;
    run = &runs->runs[0];
    *changed = is_state(run, "failed");
    return is_over(run) ? 0
                        : relay_fail(err, EX_TEMPFAIL,
                                     "W&B does not let the run %.64s become "
                                     "failed: it is %.40s", id,
                                     run->state != NULL ? run->state
                                                        : "without a state");
}

int tracker_fail(struct tracker *t, const char *id, const char *nonce,
                 bool *done_here, struct relay_error *err)
{
    struct tracker_runs runs = {0};
    bool changed = false;
    int rc = tracker_begin(t, err);

    if (rc == 0)
        rc = fail_run(t, id, nonce, &runs, &changed, err);
    tracker_runs_free(&runs);
    if (done_here != NULL)
        *done_here = changed;
    return rc;
}
