/*
 * The home of a sweep on another cluster. Each question is one run of `ssweep
 * serve` there, over ssh: nothing stays that could hang, and since a claim is
 * idempotent by its slot's nonce and an end by its generation, a question
 * whose answer was lost is asked again.
 */
#include "home_ssh.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "file.h"
#include "home_wire.h"
#include "jsonfile.h"
#include "process.h"

#define SCHEME "ssh://"

enum {
    ASK_MS = 90 * 1000,   /* the home may have to ask about owners, too */
    PULSE_MS = 10 * 1000, /* how often it hears of us, and we of it */
    AWAY_MS = 60 * 1000,  /* the same when it was out of reach */
    QUICK_MS = 20 * 1000, /* of what can wait */
    TIMES = 2,
    SETTLE_PAUSE_MS = 5000,
    MAX_PULSE = 256
};

static struct ssh_home *of(struct home *home)
{
    return (struct ssh_home *)home;
}

/* --- requests ------------------------------------------------------------- */

static struct json_object *begin(const char *op)
{
    struct json_object *request = json_object_new_object();

    json_add_str(request, "op", op);
    return request;
}

/* A request of the writer that a slot is. */
static struct json_object *begin_as(const struct ssh_home *h, const char *op,
                                    const struct held *held)
{
    struct json_object *request = begin(op);

    json_object_object_add(request, "owner", owner_to_json(h->opt.own));
    json_add_str(request, "out_root", h->opt.out_root);
    json_add_str(request, "resume_root", h->opt.resume_root);
    if (held != NULL)
        json_add_str(request, "nonce", held->nonce);
    return request;
}

/* --- ends ----------------------------------------------------------------- */

/* Tells the end of what a slot held. 0, also when the home has moved on, or
 * -1. */
static int tell_end(struct ssh_home *h, struct held *held,
                    enum cell_state *final, struct relay_error *err)
{
    struct json_object *request = begin_as(h, "end", held);
    struct json_object *answer;
    struct relay_error why = {0};
    int rc = 0;

    json_object_object_add(request, "claim", wire_from_claim(&held->claim));
    json_object_object_add(request, "end", wire_from_end(&held->end));
    answer = ssh_home_ask(h, request, QUICK_MS, TIMES, &why);
    held->ended = answer == NULL && why.code == EX_TEMPFAIL;
    if (answer == NULL)
        rc = relay_fail(err, why.code, "%s", why.text);
    else if (final != NULL)
        rc = wire_to_state(json_str(answer, "state", ""), final, err);
    json_object_put(answer);
    return rc;
}

/* The ends that are to be told still. 0 or -1. */
static int tell_ends(struct ssh_home *h, struct relay_error *err)
{
    size_t i;

    for (i = 0; i < h->nheld; i++) {
        char id[CELL_ID_MAX + 1];

        snprintf(id, sizeof(id), "%s", h->held[i].claim.id);
        if (h->held[i].ended && tell_end(h, &h->held[i], NULL, err) != 0)
            return relay_fail_in(err, "the end of cell %s is not recorded",
                                 id);
    }
    return 0;
}

static int ssh_end(struct home *home, size_t slot,
                   const struct queue_claim *claim,
                   const struct queue_end *end, enum cell_state *final,
                   struct relay_error *err)
{
    struct ssh_home *h = of(home);
    struct held *held = &h->held[slot];
    struct relay_error why = {0};
    int rc;

    held->claim = *claim;
    held->busy = false;
    held->end = *end;
    snprintf(held->cause, sizeof(held->cause), "%s",
             end->cause != NULL ? end->cause : "");
    snprintf(held->why, sizeof(held->why), "%s",
             end->why != NULL ? end->why : "");
    held->end.cause = held->cause;
    held->end.why = held->why[0] != '\0' ? held->why : NULL;
    rc = tell_end(h, held, final, &why);
    if (rc == 0)
        return 0;
    if (!held->ended) /* it was refused, which another time is no better */
        return relay_fail(err, why.code, "%s", why.text);
    h->retry_at = clock_ms() + SETTLE_PAUSE_MS;
    if (final != NULL)
        *final = end->state;
    if (h->opt.say != NULL) {
        relay_fail_in(&why, "the end of cell %s will be recorded later",
                      claim->id);
        h->opt.say(h->opt.arg, why.text);
    }
    return 0;
}

static int ssh_settle(struct home *home, struct relay_error *err)
{
    struct ssh_home *h = of(home);
    int64_t until = clock_ms() + h->opt.cfg->source_wait * 1000;
    int64_t pause;

    for (;;) {
        struct relay_error why = {0};

        if (tell_ends(h, &why) == 0)
            return 0;
        if (why.code != EX_TEMPFAIL || clock_ms() >= until ||
            process_cancelled() != 0)
            return relay_fail(err, why.code, "%s", why.text);
        pause = until - clock_ms();
        clock_sleep_ms(pause < SETTLE_PAUSE_MS ? pause : SETTLE_PAUSE_MS);
    }
}

/* --- claims --------------------------------------------------------------- */

static int take_claim(struct ssh_home *h, struct held *held,
                      struct json_object *answer, enum queue_next *what,
                      struct queue_claim *claim, struct relay_error *err)
{
    if (wire_to_next(json_str(answer, "what", ""), what, err) != 0)
        return -1;
    if (*what != QUEUE_CLAIMED)
        return 0;
    if (wire_to_claim(json_get(answer, "claim"), claim, err) != 0)
        return -1;
    h->nplaces = wire_to_places(json_get(answer, "places"), h->places,
                                sizeof(h->places) / sizeof(h->places[0]));
    held->claim = *claim;
    held->busy = true;
    held->asked = held->news = false;
    return 0;
}

/* dead, which is taken, may be NULL. */
static struct json_object *ask_claim(struct ssh_home *h, struct held *held,
                                     const struct queue_want *want,
                                     struct json_object *dead,
                                     struct relay_error *err)
{
    struct json_object *request = begin_as(h, "claim", held), *answer;
    struct relay_error why = {0};

    json_object_object_add(request, "want", wire_from_want(want));
    if (dead != NULL)
        json_object_object_add(request, "dead", dead);
    answer = ssh_home_ask(h, request, ASK_MS, TIMES, &why);
    held->unsure = answer == NULL && why.code == EX_TEMPFAIL;
    if (answer == NULL)
        relay_fail(err, why.code, "%s", why.text);
    return answer;
}

static int ssh_next(struct home *home, size_t slot,
                    const struct queue_want *want, enum queue_next *what,
                    struct queue_claim *claim, struct relay_error *err)
{
    struct ssh_home *h = of(home);
    struct held *held = &h->held[slot];
    struct json_object *answer, *dead;
    int rc;

    memset(claim, 0, sizeof(*claim));
    *what = QUEUE_NOTHING_NOW;
    if (tell_ends(h, err) != 0)
        return -1;
    answer = ask_claim(h, held, want, NULL, err);
    dead = home_dead_owners(h, json_get(answer, "owners"));
    if (dead != NULL) { /* what they had may be ours */
        json_object_put(answer);
        answer = ask_claim(h, held, want, dead, err);
    }
    if (answer == NULL)
        return -1;
    rc = take_claim(h, held, answer, what, claim, err);
    json_object_put(answer);
    /* Its cell may be one of those that were appended. */
    if (rc == 0 && home_copy_update(h, err) < 0) {
        held->busy = false;
        held->unsure = true;
        rc = -1;
    }
    return rc;
}

static int ssh_places(struct home *home, const struct queue_claim *claim,
                      struct queue_place *all, size_t max, size_t *n,
                      struct relay_error *err)
{
    struct ssh_home *h = of(home);

    (void)claim; /* the last one */
    (void)err;
    *n = h->nplaces < max ? h->nplaces : max;
    memcpy(all, h->places, *n * sizeof(*all));
    return 0;
}

/* --- how far we are ------------------------------------------------------- */

static void take_stops(struct ssh_home *h, const size_t *slots, size_t n,
                       struct json_object *answer)
{
    struct json_object *stop = json_get(answer, "stop");
    size_t i;

    for (i = 0; i < n; i++) {
        struct held *held = &h->held[slots[i]];

        held->news = false;
        held->asked = held->asked ||
                      json_object_get_boolean(
                          json_object_array_get_idx(stop, i));
    }
}

/* Tells the steps of all slots, asks whether one is to stop. */
static void pulse(struct ssh_home *h)
{
    struct json_object *request = begin_as(h, "pulse", NULL);
    struct json_object *cells = json_object_new_array();
    struct json_object *answer;
    size_t slots[MAX_PULSE];
    size_t i, n = 0;

    for (i = 0; i < h->nheld && n < MAX_PULSE; i++) {
        const struct held *held = &h->held[i];
        struct json_object *cell;

        if (!held->busy)
            continue;
        slots[n++] = i;
        cell = json_object_new_object();
        json_object_object_add(cell, "claim", wire_from_claim(&held->claim));
        json_add_str(cell, "nonce", held->nonce);
        json_add_bool(cell, "news", held->news);
        json_add_int(cell, "step", held->step);
        json_object_array_add(cells, cell);
    }
    json_object_object_add(request, "cells", cells);
    answer = ssh_home_ask(h, request, QUICK_MS, 1, NULL);
    if (answer != NULL &&
        json_object_is_type(json_get(answer, "stop"), json_type_array) &&
        json_object_array_length(json_get(answer, "stop")) == n)
        take_stops(h, slots, n, answer);
    h->pulse_ms = answer != NULL ? PULSE_MS : AWAY_MS;
    h->pulsed = clock_ms();
    json_object_put(answer);
}

static void ssh_progress(struct home *home, size_t slot,
                         const struct queue_claim *claim, int64_t step)
{
    struct held *held = &of(home)->held[slot];

    (void)claim;
    held->step = step;
    held->news = true; /* the next pulse tells it */
}

static bool ssh_asked(struct home *home, size_t slot,
                      const struct queue_claim *claim)
{
    struct ssh_home *h = of(home);

    (void)claim;
    if (clock_ms() - h->pulsed >= h->pulse_ms) {
        pulse(h);
        if (clock_ms() >= h->retry_at) {
            h->retry_at = clock_ms() + h->pulse_ms;
            (void)tell_ends(h, NULL); /* or later */
        }
    }
    return h->held[slot].asked;
}

/* --- looking -------------------------------------------------------------- */

static int ssh_refresh(struct home *home, struct relay_error *err)
{
    const struct relay_error *refused = &of(home)->refused;

    /* What was appended comes with the claims. */
    return refused->code != 0
               ? relay_fail(err, refused->code, "%s", refused->text) : 0;
}

static bool ssh_left(struct home *home, const struct queue_want *want,
                     enum queue_next *what)
{
    struct ssh_home *h = of(home);
    struct json_object *request = begin("look"), *answer;
    bool left;

    json_object_object_add(request, "want", wire_from_want(want));
    answer = ssh_home_ask(h, request, QUICK_MS, TIMES, NULL);
    left = answer == NULL || json_flag(answer, "left", true);
    if (answer == NULL || wire_to_next(json_str(answer, "what", ""), what,
                                       NULL) != 0)
        *what = QUEUE_NOTHING_NOW;
    json_object_put(answer);
    return left;
}

static void ssh_counts(struct home *home, struct board_counts *counts)
{
    *counts = of(home)->counts;
}

/* --- opening and closing -------------------------------------------------- */

static void ssh_close(struct home *home)
{
    struct ssh_home *h = of(home);
    size_t i;

    for (i = 0; i < h->nheld; i++) {
        if (h->held[i].ended)
            (void)tell_end(h, &h->held[i], NULL, NULL); /* a last try */
        else if (h->held[i].unsure) /* else it is ours until we are dead */
            json_object_put(ssh_home_ask(h, begin_as(h, "drop", &h->held[i]),
                                         QUICK_MS, 1, NULL));
    }
    free(h->held);
    free(h);
}

static const struct home_ops ops = {
    .next = ssh_next, .places = ssh_places, .end = ssh_end,
    .progress = ssh_progress, .asked = ssh_asked, .refresh = ssh_refresh,
    .left = ssh_left, .counts = ssh_counts, .settle = ssh_settle,
    .close = ssh_close};

bool home_is_url(const char *source)
{
    return strncmp(source, SCHEME, strlen(SCHEME)) == 0;
}

/* ssh://CLUSTER/PATH, where PATH is absolute or begins with "/~/". */
static int parse_url(const char *url, struct ssh_home *h,
                     struct relay_error *err)
{
    const char *at = url + strlen(SCHEME);
    const char *path = strchr(at, '/');
    size_t len = path != NULL ? (size_t)(path - at) : 0;

    if (len == 0 || len >= sizeof(h->host) || path[1] == '\0' ||
        strlen(path) >= sizeof(h->path) || strpbrk(path, "\n$%") != NULL)
        return relay_fail(err, EX_USAGE, "%s: it is ssh://CLUSTER/PATH, with "
                                         "PATH as it is there, or ~/PATH "
                                         "behind the /", url);
    snprintf(h->host, sizeof(h->host), "%.*s", (int)len, at);
    snprintf(h->path, sizeof(h->path), "%s",
             strncmp(path, "/~/", 3) == 0 ? path + 1 : path);
    len = strlen(h->path);
    while (len > 1 && h->path[len - 1] == '/')
        h->path[--len] = '\0';
    return 0;
}

static int reach(struct ssh_home *h, const struct config *cfg,
                 struct relay_error *err)
{
    const char *name = h->host;

    if (cfg->cluster == NULL)
        return relay_fail(err, EX_CONFIG, "this cluster has no name by which "
                                          "%s could tell whose jobs own "
                                          "cells: set cluster: in relay.yaml",
                          name);
    if (config_find(cfg, name, NULL) != NULL ||
        strcmp(cfg->cluster, name) == 0)
        return peer_open(cfg, name, &h->peer, err);
    h->bare = (struct config_cluster){.name = h->host, .ssh = h->host};
    h->one = (struct config){.clusters = &h->bare, .nclusters = 1};
    return peer_open(&h->one, name, &h->peer, err);
}

static int open_there(struct ssh_home *h, struct sweep *sweep,
                      struct relay_error *err)
{
    struct json_object *answer = ssh_home_ask(h, begin("open"), ASK_MS,
                                              TIMES, err);
    const char *text, *file;
    int rc = -1;

    if (answer == NULL)
        return -1;
    text = json_str(answer, "sweep", "");
    file = json_str(answer, "file", "");
    snprintf(h->path, sizeof(h->path), "%s", json_str(answer, "path", ""));
    snprintf(h->file, sizeof(h->file), "%s", file);
    snprintf(h->home.name, sizeof(h->home.name), "%s",
             json_str(answer, "cluster", h->peer.name));
    if (h->path[0] != '/' || file[0] == '\0' || strchr(file, '/') != NULL ||
        strcmp(file, "..") == 0)
        relay_fail(err, EX_DATAERR, "%s did not say what the sweep is",
                   h->peer.name);
    else
        rc = home_copy_open(h, text, sweep, err);
    json_object_put(answer);
    return rc;
}

int home_ssh_open(const char *url, const struct config *cfg,
                  struct sweep *sweep, struct home **home,
                  struct relay_error *err)
{
    struct ssh_home *h = calloc(1, sizeof(*h));

    if (h == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    h->home.ops = &ops;
    h->home.remote = true;
    h->home.peer = &h->peer;
    snprintf(h->home.url, sizeof(h->home.url), "%s", url);
    if (parse_url(url, h, err) != 0 || reach(h, cfg, err) != 0 ||
        open_there(h, sweep, err) != 0) {
        free(h);
        return -1;
    }
    *home = &h->home;
    return 0;
}

int home_ssh_begin(struct home *home, const struct home_options *opt,
                   struct relay_error *err)
{
    struct ssh_home *h = of(home);
    size_t i;

    h->opt = *opt;
    h->pulse_ms = PULSE_MS;
    h->held = calloc(opt->slots, sizeof(*h->held));
    if (h->held == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    h->nheld = opt->slots;
    for (i = 0; i < opt->slots; i++)
        if (file_nonce(h->held[i].nonce, err) != 0)
            return -1;
    return 0;
}
