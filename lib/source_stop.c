#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "jsonfile.h"
#include "remote_scripts.h"
#include "source_script.h"

/* Where the script puts what only it knows (`put` of fence.sh). */
#define GEN "@GEN@"
#define FENCED_GEN "@FENCED_GEN@"
#define REQUEUE "@REQUEUE@"

/* A fence may come first once. */
enum { KEEP_TRIES = 2 };

/* Jobs that were or are to be held, as words. */
static char *followers_text(const struct source *src)
{
    size_t len;
    char *text = NULL;
    FILE *to = open_memstream(&text, &len);
    size_t i;

    if (to == NULL)
        return NULL;
    for (i = 0; i < src->nfollowers; i++)
        fprintf(to, "%s%s", i > 0 ? " " : "", src->followers[i].job_id);
    if (fclose(to) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* What every record begins with, in an order that fence.sh relies on: nonce
 * before the first member that is an object. */
static struct json_object *record(const char *kind, const char *nonce,
                                  int64_t seq, int64_t term)
{
    struct json_object *body = json_object_new_object();

    json_add_int(body, "format", 1);
    json_add_str(body, "series", "run");
    json_add_str(body, "gen", GEN);
    json_add_str(body, "kind", kind);
    json_add_str(body, "nonce", nonce);
    json_add_int(body, "seq", seq);
    json_add_int(body, "time", clock_wall());
    json_add_int(body, "term", term);
    return body;
}

static struct json_object *fence_body(const struct source *src,
                                      const struct source_stop *stop)
{
    struct json_object *body =
        record("fence", stop->nonce, json_int(stop->fence, "seq", 1),
               json_int(stop->fence, "term", src->lease.term + 1));
    struct json_object *requeue = json_object_new_object();
    struct json_object *held = json_object_new_array();
    size_t i;

    if (src->job_id[0] != '\0')
        json_add_str(requeue, src->job_id, REQUEUE);
    for (i = 0; i < src->nfollowers; i++)
        json_object_array_add(
            held, json_object_new_string(src->followers[i].job_id));
    json_object_object_add(body, "requeue", requeue);
    json_object_object_add(body, "held", held);
    json_object_object_foreach(stop->fence, name, value)
    {
        if (!json_object_object_get_ex(body, name, NULL))
            json_object_object_add(body, name, json_object_get(value));
    }
    return body;
}

/* fenced is put in, not consumed; NULL for none. */
static struct json_object *reinstate_body(const char *nonce, int64_t term,
                                          struct json_object *fenced)
{
    struct json_object *body = record("reinstate", nonce, 2, term);

    json_add_str(body, "fenced_gen", FENCED_GEN);
    json_object_object_add(body, "owner", json_object_get(fenced));
    return body;
}

static const char *as_text(struct json_object *obj)
{
    return json_object_to_json_string_ext(
        obj, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

/* --- stop ---------------------------------------------------------------- */

static int take_result(const struct source *src,
                       const struct peer_reply *reply,
                       enum stop_result *result, char *why, size_t why_size,
                       struct relay_error *err)
{
    static const char *const names[] = {[STOP_ACCEPTED] = "accepted",
                                        [STOP_REFUSED] = "refused",
                                        [STOP_LOST] = "lost",
                                        [STOP_NO_JOB] = "no_job"};
    char text[32] = "";
    size_t i;

    why[0] = '\0';
    peer_value(reply, "why", why, why_size);
    peer_value(reply, "result", text, sizeof(text));
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], text) == 0) {
            *result = (enum stop_result)i;
            return 0;
        }
    }
    return relay_fail(err, EX_TEMPFAIL,
                      "%s: the run was not fenced there: %s", src->peer->name,
                      why[0] != '\0' ? why : "the answer says nothing");
}

static int run_stop(const struct source *src, const struct source_stop *stop,
                    const char *fence, const char *reinstate,
                    struct peer_reply *reply, struct relay_error *err)
{
    const char *parts[] = {remote_fence, remote_stop, NULL};
    char *followers = followers_text(src);
    bool signal = stop->signal != NULL && src->job_id[0] != '\0';
    char gen[24], wait[24];
    const char *args[] = {src->root,
                          src->hash,
                          stop->nonce,
                          src->job_id,
                          gen,
                          fence,
                          reinstate,
                          signal ? stop->signal : "",
                          wait,
                          followers,
                          NULL};
    int rc;

    if (followers == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    snprintf(gen, sizeof(gen), "%" PRId64, src->lease.gen + 1);
    snprintf(wait, sizeof(wait), "%" PRId64, stop->signal_wait);
    /* Twice: an earlier call may be waiting there still. */
    rc = source_script(src, parts, args,
                       2 * (SCRIPT_MS + stop->signal_wait * 1000), reply, err);
    free(followers);
    return rc;
}

int source_stop(struct source *src, const struct source_stop *stop,
                enum stop_result *result, char *why, size_t why_size,
                struct relay_error *err)
{
    struct json_object *fence = fence_body(src, stop);
    struct json_object *reinstate =
        reinstate_body(stop->nonce, json_int(fence, "term", 0),
                       json_get(fence, "fenced"));
    struct peer_reply reply;
    int rc;

    rc = run_stop(src, stop, as_text(fence), as_text(reinstate), &reply, err);
    if (rc == 0) {
        rc = take_result(src, &reply, result, why, why_size, err);
        peer_reply_free(&reply);
    }
    json_object_put(fence);
    json_object_put(reinstate);
    return rc;
}

/* --- reinstate ----------------------------------------------------------- */

/* The record of generation gen there, the last one for 0. */
static int read_lease(const struct source *src, int64_t gen,
                      struct lease *lease, struct relay_error *err)
{
    const char *parts[] = {remote_lease, NULL};
    char text[24] = "";
    const char *args[] = {src->root, src->hash, text, NULL};
    struct peer_reply reply;
    int rc;

    if (gen > 0)
        snprintf(text, sizeof(text), "%" PRId64, gen);
    if (source_script(src, parts, args, SCRIPT_MS, &reply, err) != 0)
        return -1;
    rc = source_take_lease(&reply, lease, err);
    peer_reply_free(&reply);
    return rc;
}

/* The job of the fence and its old Requeue value, "" for none. */
static void fenced_job(const struct lease *fence, char job[32],
                       const char **requeue)
{
    struct json_object *jobs = json_get(fence->body, "requeue");

    job[0] = '\0';
    *requeue = "";
    if (!json_object_is_type(jobs, json_type_object))
        return;
    json_object_object_foreach(jobs, id, value)
    {
        snprintf(job, 32, "%s", id);
        if (json_object_is_type(value, json_type_int))
            *requeue = json_object_get_int(value) != 0 ? "1" : "0";
    }
}

static char *fenced_followers(const struct lease *fence)
{
    struct json_object *held = json_get(fence->body, "held");
    size_t n = json_object_is_type(held, json_type_array)
                   ? json_object_array_length(held)
                   : 0;
    size_t len;
    char *text = NULL;
    FILE *to = open_memstream(&text, &len);
    size_t i;

    if (to == NULL)
        return NULL;
    for (i = 0; i < n; i++) {
        const char *id =
            json_object_get_string(json_object_array_get_idx(held, i));

        /* They become words of a shell. */
        if (id != NULL && id[strspn(id, "0123456789_")] == '\0')
            fprintf(to, "%s ", id);
    }
    if (fclose(to) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* What reinstate.sh is told. */
struct reinstate {
    int64_t after; /* the generation that the record is to follow */
    int64_t term;
    const char *job, *requeue, *followers;
    struct json_object *body;
};

static int run_reinstate(const struct source *src, const struct reinstate *r,
                         struct relay_error *err)
{
    const char *parts[] = {remote_fence, remote_moved, remote_reinstate, NULL};
    char term[24], gen[24];
    const char *args[] = {src->root, src->hash,        term,         r->job,
                          r->requeue, gen, as_text(r->body), r->followers,
                          NULL};
    struct peer_reply reply;
    char text[512] = "";
    int rc = 0;

    snprintf(term, sizeof(term), "%" PRId64, r->term);
    snprintf(gen, sizeof(gen), "%" PRId64, r->after);
    if (source_script(src, parts, args, SCRIPT_MS, &reply, err) != 0)
        return -1;
    if (!peer_value(&reply, "result", text, sizeof(text)) ||
        strcmp(text, "done") != 0) {
        text[0] = '\0';
        peer_value(&reply, "why", text, sizeof(text));
        rc = relay_fail(err, EX_IOERR, "%s: the run was not given back: %s",
                        src->peer->name, text);
    }
    peer_reply_free(&reply);
    return rc;
}

static int undo_fence(const struct source *src, const struct lease *fence,
                      int64_t after, int64_t term, const char *nonce,
                      struct relay_error *err)
{
    char *followers = fenced_followers(fence);
    char job[32];
    struct reinstate r = {.after = after, .term = term, .job = job,
                          .followers = followers};
    int rc;

    if (followers == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    fenced_job(fence, job, &r.requeue);
    r.body = reinstate_body(nonce, term, json_get(fence->body, "fenced"));
    if (after != fence->gen)
        json_add_int(r.body, "fenced_gen", fence->gen);
    rc = run_reinstate(src, &r, err);
    free(followers);
    json_object_put(r.body);
    return rc;
}

/* The fence of that nonce at or before generation gen (free it; LEASE_NONE
 * when there is none), and the generation of the reinstate that lifted it, 0
 * before. */
static int find_fence(const struct source *src, int64_t gen,
                      const char *nonce, struct lease *fence, int64_t *lifted,
                      struct relay_error *err)
{
    *lifted = 0;
    for (; gen > 0; gen--) {
        if (read_lease(src, gen, fence, err) != 0)
            return -1;
        if (strcmp(json_str(fence->body, "nonce", ""), nonce) == 0) {
            if (fence->kind == LEASE_FENCE)
                return 0;
            if (fence->kind == LEASE_REINSTATE)
                *lifted = gen;
        }
        lease_free(fence);
    }
    memset(fence, 0, sizeof(*fence));
    return 0;
}

/* One file system: the target's own records stand behind the fence. */
static int reinstate_shared(const struct source *src, int64_t last,
                            int64_t term, const char *nonce,
                            struct relay_error *err)
{
    struct lease fence;
    int64_t lifted;
    int rc = 0;

    if (find_fence(src, last, nonce, &fence, &lifted, err) != 0)
        return -1;
    if (fence.kind == LEASE_FENCE)
        rc = undo_fence(src, &fence, lifted > 0 ? lifted - 1 : last, term,
                        nonce, err);
    lease_free(&fence);
    return rc;
}

static int reinstate_fence(const struct source *src, const struct lease *fence,
                           int64_t term, const char *nonce,
                           struct relay_error *err)
{
    if (fence->kind != LEASE_FENCE)
        return 0; /* somebody has it again */
    if (strcmp(json_str(fence->body, "nonce", ""), nonce) != 0)
        return relay_fail(err, EX_NOPERM,
                          "%s: the run is fenced by another handoff (to %s, "
                          "job %s)", src->peer->name, fence->moved_to,
                          fence->moved_job);
    return undo_fence(src, fence, fence->gen, term, nonce, err);
}

int source_reinstate(const struct source *src, int64_t term,
                     const char *nonce, struct relay_error *err)
{
    struct lease lease;
    int64_t fenced = 0;
    int rc;

    if (read_lease(src, 0, &lease, err) != 0)
        return -1;
    if (src->shared) {
        rc = reinstate_shared(src, lease.gen, term, nonce, err);
        lease_free(&lease);
        return rc;
    }
    /* Reinstated already: what goes with it may be missing yet. */
    if (lease.kind == LEASE_REINSTATE) {
        fenced = json_int(lease.body, "fenced_gen", 0);
        lease_free(&lease);
        if (fenced <= 0)
            return 0;
        if (read_lease(src, fenced, &lease, err) != 0)
            return -1;
    }
    rc = reinstate_fence(src, &lease, term, nonce, err);
    lease_free(&lease);
    return rc;
}

/* Behind a lease that is no fence. */
static int keep_lease(const struct source *src, const struct lease *last,
                      const char *nonce, struct relay_error *err)
{
    struct reinstate r = {.after = last->gen, .job = "", .requeue = "",
                          .followers = ""};
    int rc;

    r.body = reinstate_body(nonce, last->term > 0 ? last->term : 1,
                            lease_held(last) ? json_get(last->body, "owner")
                                             : NULL);
    json_add_int(r.body, "fenced_gen", 0);
    rc = run_reinstate(src, &r, err);
    json_object_put(r.body);
    return rc;
}

int source_keep(const struct source *src, const char *nonce,
                struct relay_error *err)
{
    struct lease last;
    bool ours;
    int rc = -1;
    int i;

    for (i = 0; i < KEEP_TRIES && rc < 0; i++) {
        if (read_lease(src, 0, &last, err) != 0)
            return -1;
        ours = strcmp(json_str(last.body, "nonce", ""), nonce) == 0;
        if (last.kind == LEASE_FENCE)
            rc = 1;
        else if (last.kind == LEASE_REINSTATE && ours)
            rc = json_int(last.body, "fenced_gen", 0) > 0;
        else
            rc = keep_lease(src, &last, nonce, err);
        lease_free(&last);
    }
    return rc;
}

/* --- what a stop did ----------------------------------------------------- */

int source_quiet(const struct source *src, const char *nonce, int64_t wait_s,
                 enum stop_result *result, char *why, size_t why_size,
                 struct relay_error *err)
{
    const char *parts[] = {remote_fence, remote_quiet, NULL};
    const char *args[] = {src->root, src->hash, nonce, NULL};
    struct peer_reply reply;
    char text[32] = "";
    int rc = 1;

    if (source_script(src, parts, args, SCRIPT_MS + wait_s * 1000, &reply,
                      err) != 0)
        return -1;
    peer_value(&reply, "result", text, sizeof(text));
    if (strcmp(text, "none") != 0)
        rc = take_result(src, &reply, result, why, why_size, err);
    peer_reply_free(&reply);
    return rc;
}
