#include "home_answer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "home_wire.h"
#include "jsonfile.h"
#include "sweep_private.h"

enum { MAX_PLACES = 64, MAX_OWNERS = 64 };

/* One request, its answer, and the queue as its writer. */
struct answer {
    struct sweep *sweep;
    const struct config *cfg;
    struct json_object *request;
    struct json_object *reply;
    struct owner own;
    struct queue *queue;
};

static int open_queue(struct answer *a, const char *nonce,
                      struct relay_error *err)
{
    const struct queue_options opt = {
        .read_only = nonce == NULL,
        .nonce = nonce,
        .cfg = a->cfg,
        .out_root = json_str(a->request, "out_root", NULL),
        .resume_root = json_str(a->request, "resume_root", NULL)};
    struct json_object *own = json_get(a->request, "owner");

    queue_close(a->queue);
    a->queue = NULL;
    if (nonce == NULL)
        return queue_open(a->sweep, NULL, &opt, &a->queue, err);
    if (faccessat(a->sweep->fd, ".", W_OK | X_OK, AT_EACCESS) != 0)
        return relay_fail_errno(err, EX_CANTCREAT, "%s may not be written",
                                a->sweep->path);
    owner_from_json(own, nonce, &a->own);
    if (a->own.cluster[0] == '\0' || a->own.host[0] == '\0' ||
        a->own.pid <= 0 || strlen(nonce) != 32)
        return relay_fail(err, EX_DATAERR, "the request does not say whose "
                                           "claim it is");
    return queue_open(a->sweep, &a->own, &opt, &a->queue, err);
}

static int open_writer(struct answer *a, struct relay_error *err)
{
    return open_queue(a, json_str(a->request, "nonce", ""), err);
}

static bool is_elsewhere(const struct answer *a)
{
    return a->cfg->cluster == NULL ||
           strcmp(a->cfg->cluster, a->own.cluster) != 0;
}

/* --- what can be asked ---------------------------------------------------- */

/* A source that cannot be taken in does not keep the known cells back. */
static int refresh(struct answer *a, struct relay_error *err)
{
    struct relay_error refused = {0};
    int rc = sweep_refresh(a->sweep, queue_is_claimed, a->queue, &refused);

    if (rc < 0 && refused.code != EX_DATAERR)
        return relay_fail(err, refused.code, "%s", refused.text);
    if (rc < 0)
        json_add_str(a->reply, "refused", refused.text);
    if (a->sweep->note[0] != '\0')
        json_add_str(a->reply, "note", a->sweep->note);
    return rc > 0 ? queue_refresh(a->queue, err) : 0;
}

static int add_places(struct answer *a, const struct queue_claim *claim,
                      struct relay_error *err)
{
    struct queue_place all[MAX_PLACES];
    size_t n;

    if (queue_places(a->queue, claim, all, MAX_PLACES, &n, err) != 0)
        return -1;
    json_object_object_add(a->reply, "places", wire_from_places(all, n));
    return 0;
}

/* Each question is asked by a new process, which would ask Slurm about the
 * owner of each running cell anew: only when there is nothing else to have. */
static int next(struct queue *queue, struct queue_want want,
                enum queue_next *what, struct queue_claim *claim,
                struct relay_error *err)
{
    want.no_takeover = true;
    if (queue_next(queue, &want, what, claim, err) != 0)
        return -1;
    if (*what != QUEUE_NOTHING_NOW)
        return 0;
    want.no_takeover = false;
    return queue_next(queue, &want, what, claim, err);
}

/* A worker may say of its own cluster's jobs alone that they are dead. */
static void take_dead(struct answer *a)
{
    struct json_object *dead = json_get(a->request, "dead");
    size_t n = json_object_is_type(dead, json_type_array)
                   ? json_object_array_length(dead) : 0;
    size_t i;

    for (i = 0; i < n; i++) {
        struct owner own;

        owner_from_json(json_object_array_get_idx(dead, i), "", &own);
        if (strcmp(own.cluster, a->own.cluster) == 0)
            queue_told_dead(a->queue, &own);
    }
}

/* Who of the worker's cluster has cells: it may be asked more easily there. */
static int add_owners(struct answer *a, struct relay_error *err)
{
    struct owner *all = calloc(MAX_OWNERS, sizeof(*all));
    struct json_object *list = json_object_new_array();
    size_t n, i;

    json_object_object_add(a->reply, "owners", list);
    if (all == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    n = queue_owners_of(a->queue, a->own.cluster, all, MAX_OWNERS);
    for (i = 0; i < n; i++)
        json_object_array_add(list, owner_to_json(&all[i]));
    free(all);
    return 0;
}

static int answer_claim(struct answer *a, struct relay_error *err)
{
    struct queue_want want;
    struct queue_claim claim;
    enum queue_next what;
    uint64_t *avoid;
    int rc = wire_to_want(json_get(a->request, "want"), &want, &avoid, err);

    if (rc == 0)
        rc = open_writer(a, err);
    if (rc == 0 && is_elsewhere(a))
        rc = queue_note_elsewhere(a->queue, err);
    if (rc == 0)
        rc = refresh(a, err);
    if (rc == 0)
        take_dead(a);
    if (rc == 0)
        rc = next(a->queue, want, &what, &claim, err);
    free(avoid);
    if (rc != 0)
        return -1;
    json_add_str(a->reply, "what", wire_next(what));
    if (what != QUEUE_CLAIMED)
        return is_elsewhere(a) ? add_owners(a, err) : 0;
    json_object_object_add(a->reply, "claim", wire_from_claim(&claim));
    return add_places(a, &claim, err);
}

static int answer_end(struct answer *a, struct relay_error *err)
{
    struct queue_claim claim;
    struct queue_end end;
    enum cell_state final;

    if (wire_to_claim(json_get(a->request, "claim"), &claim, err) != 0 ||
        wire_to_end(json_get(a->request, "end"), &end, err) != 0 ||
        open_writer(a, err) != 0 ||
        queue_end(a->queue, claim.index, claim.gen, &end, &final, err) != 0)
        return -1;
    json_add_str(a->reply, "state", cell_state_name(final));
    return 0;
}

/* Gives back what a nonce holds: a claim whose answer nobody waits for. */
static int answer_drop(struct answer *a, struct relay_error *err)
{
    const struct queue_want held = {.held_only = true};
    struct queue_end back = {.state = CELL_PARTIAL, .cause = "released",
                             .step = -1};
    struct queue_claim claim;
    enum queue_next what;

    if (open_writer(a, err) != 0 ||
        queue_next(a->queue, &held, &what, &claim, err) != 0)
        return -1;
    back.step = claim.step;
    return what == QUEUE_CLAIMED
               ? queue_end(a->queue, claim.index, claim.gen, &back, NULL, err)
               : 0;
}

/* How far the cells of a worker are, and whether one is to be stopped. */
static int answer_pulse(struct answer *a, struct relay_error *err)
{
    struct json_object *cells = json_get(a->request, "cells");
    size_t n = json_object_is_type(cells, json_type_array)
                   ? json_object_array_length(cells) : 0;
    struct json_object *stop = json_object_new_array();
    size_t i;

    json_object_object_add(a->reply, "stop", stop);
    for (i = 0; i < n; i++) {
        struct json_object *cell = json_object_array_get_idx(cells, i);
        struct queue_claim claim;

        if (wire_to_claim(json_get(cell, "claim"), &claim, err) != 0)
            return -1;
        if (json_flag(cell, "news", false)) {
            if (open_queue(a, json_str(cell, "nonce", ""), err) != 0)
                return -1;
            queue_progress(a->queue, claim.index, claim.gen,
                           json_int(cell, "step", -1));
        } else if (a->queue == NULL && open_queue(a, NULL, err) != 0) {
            return -1;
        }
        json_object_array_add(stop, json_object_new_boolean(queue_asked(
                                        a->queue, claim.index, claim.gen)));
    }
    return 0;
}

static int answer_look(struct answer *a, struct relay_error *err)
{
    struct queue_want want;
    enum queue_next what;
    uint64_t *avoid;
    bool left;

    if (wire_to_want(json_get(a->request, "want"), &want, &avoid, err) != 0)
        return -1;
    free(avoid);
    if (open_queue(a, NULL, err) != 0)
        return -1;
    left = queue_left(a->queue, &want, &what);
    json_add_bool(a->reply, "left", left);
    json_add_str(a->reply, "what", wire_next(what));
    return 0;
}

/* What the sweep is: its sweep.json as it stands there. */
static int answer_open(struct answer *a, struct relay_error *err)
{
    size_t len;
    char *text;

    if (roster_info(a->sweep->roster)->kind == ROSTER_JOBS)
        return relay_fail(err, EX_USAGE, "the cells of %s are job scripts, "
                                         "which are submitted and not run",
                          a->sweep->path);
    text = file_read(a->sweep->fd, SWEEP_FILE, WIRE_MAX, &len, err);
    if (text == NULL)
        return -1;
    json_add_str(a->reply, "sweep", text);
    json_add_str(a->reply, "file", a->sweep->file);
    free(text);
    return open_queue(a, NULL, err);
}

static const struct {
    const char *op;
    int (*answer)(struct answer *a, struct relay_error *err);
} ops[] = {
    {"open", answer_open},   {"claim", answer_claim},
    {"end", answer_end},     {"drop", answer_drop},
    {"pulse", answer_pulse}, {"look", answer_look},
};

/* --- answering ------------------------------------------------------------ */

static void add_error(struct json_object *reply, const struct relay_error *err)
{
    struct json_object *obj = json_object_new_object();

    json_add_int(obj, "code", err->code);
    json_add_str(obj, "text", err->text);
    json_object_object_add(reply, "error", obj);
}

struct json_object *home_answer_error(const struct relay_error *err)
{
    struct json_object *reply = json_object_new_object();

    json_add_int(reply, "format", 1);
    add_error(reply, err);
    return reply;
}

static int dispatch(struct answer *a, struct relay_error *err)
{
    const char *op = json_str(a->request, "op", "");
    size_t i;

    if (json_check_format(a->request, "the request", err) != 0)
        return -1;
    for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (strcmp(ops[i].op, op) == 0)
            return ops[i].answer(a, err);
    }
    return relay_fail(err, EX_CONFIG, "this ssweep does not know the request "
                                      "\"%.40s\": it is older than the "
                                      "worker's", op);
}

struct json_object *home_answer(struct sweep *sweep, const struct config *cfg,
                                struct json_object *request)
{
    struct answer a = {.sweep = sweep, .cfg = cfg, .request = request,
                       .reply = json_object_new_object()};
    struct relay_error err = {0};
    struct board_counts counts;

    json_add_int(a.reply, "format", 1);
    if (dispatch(&a, &err) != 0)
        add_error(a.reply, &err);
    json_add_str(a.reply, "cluster", cfg->cluster);
    json_add_str(a.reply, "path", sweep->path);
    json_add_int(a.reply, "version", sweep->version);
    if (a.queue != NULL) {
        queue_counts(a.queue, &counts);
        json_object_object_add(a.reply, "counts", wire_from_counts(&counts));
    }
    queue_close(a.queue);
    return a.reply;
}
