#include "journal.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "jsonfile.h"

#define SERIES "handoff"

static const char *const state_names[] = {
    "NONE",           "OPEN",      "STAGED",    "STOPPING",
    "SOURCE_STOPPED", "PUBLISHED", "COMMITTED", "ABORTED",
};

const char *journal_state_name(enum journal_state state)
{
    return state_names[state];
}

static enum journal_state state_of(const char *kind)
{
    size_t i;

    for (i = 0; i < sizeof(state_names) / sizeof(state_names[0]); i++)
        if (strcmp(kind, state_names[i]) == 0)
            return (enum journal_state)i;
    return JOURNAL_NONE;
}

static void copy(char *to, size_t size, struct json_object *from,
                 const char *name)
{
    snprintf(to, size, "%s", json_str(from, name, ""));
}

static void from_record(struct journal *j, struct json_object *body)
{
    struct json_object *source = json_get(body, "source");

    j->state = state_of(json_str(body, "kind", "NONE"));
    j->term = json_int(body, "term", 0);
    j->step = json_int(body, "step", -1);
    j->stopping_at = json_int(body, "stopping_at", 0);
    copy(j->nonce, sizeof(j->nonce), body, "nonce");
    copy(j->opened_by, sizeof(j->opened_by), body, "opened_by");
    copy(j->job_id, sizeof(j->job_id), json_get(body, "owner"), "job_id");
    copy(j->source, sizeof(j->source), source, "cluster");
    copy(j->source_root, sizeof(j->source_root), source, "root");
    copy(j->source_hash, sizeof(j->source_hash), source, "hash");
    j->source_step = json_int(source, "step", -1);
    j->shared = json_flag(source, "shared", false);
    owner_from_json(json_get(source, "job"),
                    json_str(source, "job_nonce", ""), &j->source_job);
    j->body = json_object_get(body);
}

int journal_read(const struct run *run, struct journal *j,
                 struct relay_error *err)
{
    struct series_record rec;

    memset(j, 0, sizeof(*j));
    j->step = j->source_step = -1;
    if (run->relayfd < 0)
        return 0;
    if (series_last(run->relayfd, SERIES, &rec, err) != 0)
        return -1;
    j->gen = rec.gen;
    if (rec.gen > 0)
        from_record(j, rec.body);
    series_free(&rec);
    return 0;
}

void journal_free(struct journal *j)
{
    json_object_put(j->body);
    memset(j, 0, sizeof(*j));
}

/* Members that a state hands on to the next one, unless extra has them. */
static void carry(struct json_object *to, struct json_object *from)
{
    static const char *const names[] = {
        "source",      "term",       "step",        "opened_by",
        "source_last", "superseded", "stopping_at", "stopped_at"};
    struct json_object *val;
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        val = json_get(from, names[i]);
        if (val != NULL)
            json_object_object_add(to, names[i], json_object_get(val));
    }
}

int journal_next(const struct run *run, struct journal *j,
                 enum journal_state state, struct json_object *extra,
                 struct relay_error *err)
{
    struct json_object *body = json_object_new_object();
    int won;

    json_add_str(body, "kind", journal_state_name(state));
    json_add_str(body, "nonce", run->nonce);
    json_object_object_add(body, "owner", owner_to_json(&run->self));
    if (j->body != NULL && state != JOURNAL_OPEN)
        carry(body, j->body);
    if (extra != NULL) {
        json_object_object_foreach(extra, name, val)
            json_object_object_add(body, name, json_object_get(val));
    }
    won = series_link(run->relayfd, SERIES, j->gen + 1, body, err);
    json_object_put(body);
    if (won < 0)
        return -1;
    if (won == 0)
        return relay_fail(err, EX_TEMPFAIL,
                          "%s: another attempt went on with this handoff; "
                          "try again", run->key);
    run_log(run, "journal %s", journal_state_name(state));
    journal_free(j);
    return journal_read(run, j, err);
}

int journal_give_up(const struct run *run, const char *why,
                    struct relay_error *err)
{
    struct json_object *extra;
    struct journal j;
    int rc;

    if (journal_read(run, &j, err) != 0)
        return -1;
    rc = 0;
    if (j.state == JOURNAL_OPEN || j.state == JOURNAL_STAGED) {
        extra = json_object_new_object();
        json_add_str(extra, "why", why);
        rc = journal_next(run, &j, JOURNAL_ABORTED, extra, err);
        json_object_put(extra);
    }
    journal_free(&j);
    return rc;
}

bool journal_open(const struct journal *j)
{
    return j->state >= JOURNAL_OPEN && j->state <= JOURNAL_PUBLISHED;
}

bool journal_in_flight(const struct journal *j)
{
    return j->state == JOURNAL_STOPPING || j->state == JOURNAL_SOURCE_STOPPED;
}

static bool consumed_by(struct json_object *body, const struct owner *self)
{
    enum journal_state state = state_of(json_str(body, "kind", "NONE"));
    struct owner own;

    if (state != JOURNAL_PUBLISHED && state != JOURNAL_COMMITTED)
        return false;
    owner_from_json(json_get(body, "owner"), "", &own);
    return strcmp(own.cluster, self->cluster) == 0 &&
           strcmp(own.job_id, self->job_id) == 0 &&
           own.restart < self->restart;
}

bool journal_consumed(const struct run *run)
{
    struct series_record rec;
    bool found = false;
    int64_t gen;

    /* Slurm's job ids begin anew when its state is lost, so the id alone does
     * not tell: the first run of a job cannot have consumed anything. */
    if (run->relayfd < 0 || run->self.job_id[0] == '\0' ||
        run->self.restart == 0)
        return false;
    if (series_last(run->relayfd, SERIES, &rec, NULL) != 0)
        return false;
    for (gen = rec.gen; gen > 0 && !found; gen--) {
        series_free(&rec);
        if (series_read(run->relayfd, SERIES, gen, &rec, NULL) != 0)
            return false;
        found = consumed_by(rec.body, &run->self);
    }
    series_free(&rec);
    return found;
}
