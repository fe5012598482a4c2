/* The courier, in the job: asks and waits. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "courier.h"
#include "courier_mail.h"
#include "file.h"
#include "jsonfile.h"
#include "peer_ssh.h"
#include "process.h"
#include "transfer_rsync.h"

enum {
    LOOK_MS = 100,        /* at the mailbox, at first */
    LOOK_LATER_MS = 400,  /* and after EAGER_MS */
    EAGER_MS = 5000,
    CHECK_MS = 1000,      /* how often that is worth while */
    MASTER_MS = 5000,     /* how often the user's master is asked for */
    COPY_LOOK_MS = 1000,
    MAX_OUT = 64 << 20    /* as the process runner has it */
};

struct courier_post {
    struct courier_box box; /* opened with the first request */
    const struct run *run;
    int64_t wait_s;
    int64_t n;   /* of the last request */
    bool seen;   /* a courier was there */
    int64_t gone_at; /* clock_ms() since when nobody is, after that; 0 */
};

/* One request while it is waited for. */
struct errand {
    const struct peer *peer;
    struct courier_post *post;
    const char *host;       /* that a master would have to be for */
    char id[COURIER_ID];
    int64_t check_at;       /* clock_ms() of the next one */
    int64_t master_at;
    void (*tick)(struct errand *e); /* may be NULL */
    const struct transfer *t; /* of a copy */
    int64_t bytes_at;         /* the next look at it */
    int64_t first, here;      /* bytes in t->to */
    int64_t had, *grown_at;
    int dirfd;
};

int courier_use(struct run *run, int64_t wait_s, struct peer *peer,
                struct relay_error *err)
{
    if (peer->local || peer->cluster->reach != REACH_LOGIN ||
        run->relayfd < 0 || peer->post != NULL)
        return 0;
    peer->post = calloc(1, sizeof(*peer->post));
    if (peer->post == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    peer->post->run = run;
    peer->post->wait_s = wait_s;
    peer->post->box.fd = -1;
    return 0;
}

void courier_leave(struct peer *peer)
{
    if (peer->post != NULL)
        courier_box_close(&peer->post->box);
    free(peer->post);
    peer->post = NULL;
}

const char *courier_key(const struct peer *peer)
{
    return peer->post->run->key;
}

static int ready(const struct peer *peer, struct relay_error *err)
{
    struct courier_box *box = &peer->post->box;

    if (box->fd >= 0)
        return courier_box_beat(box, err);
    if (courier_box_open(peer->post->run, COURIER_JOB, peer->name, box,
                         err) == 0)
        return 0;
    courier_box_close(box);
    return -1;
}

bool courier_is_there(const struct peer *peer)
{
    return peer->post != NULL && ready(peer, NULL) == 0 &&
           courier_box_find(&peer->post->box, COURIER_HERE, peer->name, NULL,
                            0);
}

/* --- the request --------------------------------------------------------- */

static struct json_object *request(const struct peer *peer, const char *kind)
{
    struct json_object *ask = json_object_new_object();

    json_add_int(ask, "format", 1);
    json_add_str(ask, "kind", kind);
    json_add_str(ask, "cluster", peer->name);
    json_add_str(ask, "job", peer->post->run->self.job_id);
    return ask;
}

static int put_request(struct errand *e, struct json_object *ask,
                       struct relay_error *err)
{
    struct courier_post *post = e->post;
    char name[80];

    post->n++;
    snprintf(e->id, sizeof(e->id), "%.32s-%" PRId64, post->box.nonce,
             post->n);
    courier_box_name(COURIER_ASK, e->id, name, sizeof(name));
    return json_save(post->box.fd, name, ask, err);
}

/* --- waiting ------------------------------------------------------------- */

/* Nobody has begun with it, or who did is gone. */
static bool is_idle(const struct errand *e)
{
    char first[COURIER_ID + 4];

    snprintf(first, sizeof(first), "%s.1", e->id);
    return e->post->gone_at != 0 ||
           !courier_box_has(&e->post->box, COURIER_TAKE, first);
}

static bool master_came(struct errand *e)
{
    if (clock_ms() < e->master_at)
        return false;
    e->master_at = clock_ms() + MASTER_MS;
    return is_idle(e) && peer_may_log_in(e->peer, e->host);
}

/* Is anybody there, or can somebody be waited for? */
static int check_courier(struct errand *e, struct relay_error *err)
{
    const struct run *run = e->post->run;

    if (courier_box_find(&e->post->box, COURIER_HERE, e->peer->name, NULL,
                         0)) {
        if (e->post->gone_at != 0)
            run_say(run, "somebody is at the login node again");
        e->post->gone_at = 0;
        e->post->seen = true;
        return 0;
    }
    if (!e->post->seen || e->post->wait_s == 0)
        return peer_fail_login(e->peer, "", err);
    if (e->post->gone_at == 0) {
        e->post->gone_at = clock_ms();
        run_say(run, "the login node does not answer any more; waiting for "
                     "it: type there: shandoff %s --attach", run->key);
    }
    if (clock_ms() - e->post->gone_at < e->post->wait_s * 1000)
        return 0;
    return peer_fail_login(e->peer, "nobody went there for it any more", err);
}

/* Whether it is worth while to wait on: 0 yes, 1 the user's master is there,
 * -1 no. */
static int check(struct errand *e, struct relay_error *err)
{
    struct courier_box *box = &e->post->box;

    if (clock_ms() < e->check_at)
        return 0;
    e->check_at = clock_ms() + CHECK_MS;
    if (courier_box_beat(box, err) != 0)
        return relay_fail_in(err, "%s", e->peer->name);
    if (check_courier(e, err) != 0)
        return -1;
    if (master_came(e))
        return 1;
    /* Somebody took us for dead while we were stopped. */
    if (!courier_box_has(box, COURIER_ASK, e->id) &&
        !courier_box_has(box, COURIER_REPLY, e->id))
        return relay_fail(err, EX_TEMPFAIL, "%s: the login node has dropped "
                                            "the request", e->peer->name);
    return 0;
}

/* 0: the reply is there; 1: the user's master is; -1. */
static int wait_for_reply(struct errand *e, struct relay_error *err)
{
    int64_t began = clock_ms();
    int rc;

    e->master_at = began + MASTER_MS;
    while (!courier_box_has(&e->post->box, COURIER_REPLY, e->id)) {
        if (process_cancelled() != 0 && !e->peer->clean_up)
            return relay_fail(err, EX_TEMPFAIL, "%s: ended by signal %d while "
                              "the login node was asked", e->peer->name,
                              process_cancelled());
        rc = check(e, err);
        if (rc != 0)
            return rc;
        if (e->tick != NULL)
            e->tick(e);
        clock_sleep_ms(clock_ms() - began < EAGER_MS ? LOOK_MS
                                                     : LOOK_LATER_MS);
    }
    return 0;
}

/* --- the reply ----------------------------------------------------------- */

/* 0: it was done; -1 with what the courier says of its failure. */
static int take_reply(const struct errand *e, struct json_object **reply,
                      struct relay_error *err)
{
    char name[80];

    courier_box_name(COURIER_REPLY, e->id, name, sizeof(name));
    *reply = json_load(e->post->box.fd, name, err);
    if (*reply == NULL || json_check_format(*reply, name, err) != 0)
        return -1;
    if (json_int(*reply, "code", EX_SOFTWARE) == 0)
        return 0;
    return relay_fail(err, (int)json_int(*reply, "code", EX_SOFTWARE), "%s",
                      json_str(*reply, "error", "the login node says not "
                                                "why it failed"));
}

static int take_script_reply(const struct errand *e,
                             struct json_object *answer,
                             struct peer_reply *reply,
                             struct relay_error *err)
{
    char name[80];

    courier_box_name(COURIER_OUT, e->id, name, sizeof(name));
    reply->out = file_read(e->post->box.fd, name, MAX_OUT, &reply->len, err);
    if (reply->out == NULL)
        return -1;
    reply->exit_code = (int)json_int(answer, "exit", EX_SOFTWARE);
    reply->err = strdup(json_str(answer, "stderr", ""));
    if (reply->err != NULL)
        return 0;
    peer_reply_free(reply);
    return relay_fail(err, EX_OSERR, "out of memory");
}

/* Puts ask (consumed), waits, and reads what came. As courier_script. */
static int run_errand(struct errand *e, struct json_object *ask,
                      struct json_object **answer, struct relay_error *err)
{
    int rc = put_request(e, ask, err);

    json_object_put(ask);
    *answer = NULL;
    if (rc == 0)
        rc = wait_for_reply(e, err);
    if (rc == 0)
        rc = take_reply(e, answer, err);
    return rc;
}

static int begin(struct errand *e, const struct peer *peer,
                 struct relay_error *err)
{
    memset(e, 0, sizeof(*e));
    e->peer = peer;
    e->post = peer->post;
    e->host = peer->host;
    if (peer->post == NULL)
        return peer_fail_login(peer, "", err);
    if (ready(peer, err) != 0)
        return relay_fail_in(err, "%s", peer->name);
    return check_courier(e, err);
}

int courier_script(const struct peer *peer, const char *script,
                   const char *const *args, int64_t deadline_ms,
                   struct peer_reply *reply, struct relay_error *err)
{
    struct json_object *ask, *words, *answer;
    struct errand e;
    int rc;

    if (begin(&e, peer, err) != 0)
        return -1;
    ask = request(peer, "script");
    words = json_object_new_array();
    for (; args != NULL && *args != NULL; args++)
        json_object_array_add(words, json_object_new_string(*args));
    json_add_str(ask, "script", script);
    json_object_object_add(ask, "args", words);
    json_add_int(ask, "deadline_ms", deadline_ms);
    rc = run_errand(&e, ask, &answer, err);
    if (rc == 0)
        rc = take_script_reply(&e, answer, reply, err);
    json_object_put(answer);
    courier_box_drop(&e.post->box, e.id);
    return rc;
}

/* --- a copy -------------------------------------------------------------- */

static void look_at_copy(struct errand *e)
{
    const struct transfer *t = e->t;
    int64_t now = clock_ms();
    int64_t bytes, done;

    if (now < e->bytes_at)
        return;
    bytes = rsync_tree_bytes(e->dirfd);
    /* A look at very many files must not become the work itself. */
    e->bytes_at = clock_ms() + COPY_LOOK_MS + 10 * (clock_ms() - now);
    if (bytes > e->here)
        *e->grown_at = now;
    e->here = bytes;
    done = e->had + bytes - e->first;
    if (t->progress != NULL)
        t->progress(t->arg, done < t->files->bytes ? done : t->files->bytes,
                    t->files->bytes);
}

int courier_pull(const struct transfer *t, const struct manifest *files,
                 int64_t *grown_at, struct relay_error *err)
{
    struct json_object *ask, *answer;
    struct errand e;
    int rc;

    if (begin(&e, t->peer, err) != 0)
        return -1;
    e.dirfd = file_open_dir(AT_FDCWD, t->to, err);
    if (e.dirfd < 0)
        return -1;
    e.host = t->peer->data;
    e.t = t;
    e.tick = look_at_copy;
    e.grown_at = grown_at;
    e.first = e.here = rsync_tree_bytes(e.dirfd);
    e.had = t->files->bytes - files->bytes;
    ask = request(t->peer, "copy");
    json_add_str(ask, "from", t->from);
    json_add_str(ask, "to", t->to);
    json_add_int(ask, "stall_s", t->stall_s);
    json_add_int(ask, "wait_s", t->wait_s);
    json_object_object_add(ask, "files", manifest_to_json(files));
    rc = run_errand(&e, ask, &answer, err);
    json_object_put(answer);
    courier_box_drop(&e.post->box, e.id);
    if (rsync_tree_bytes(e.dirfd) > e.here)
        *grown_at = clock_ms();
    close(e.dirfd);
    return rc;
}
