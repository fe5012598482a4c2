#include "peers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "jsonfile.h"
#include "peer.h"
#include "process.h"
#include "remote_scripts.h"

#define INDEX ".relay/peers.json"
#define BUSY ".relay/peers.busy"

/* An index of a minute is what spares an array of 500 its 500 connections. A
 * job of its own asks anew: a run may have begun over there meanwhile. */
enum {
    FRESH_SECONDS = 60,
    FRESH_ALONE_SECONDS = 3,
    ASK_MS = 10000,
    WAIT_MS = 500,
    BUSY_SECONDS = 60
};

/* The file server's clock: asked once, since each time costs it a file, and
 * hundreds of jobs may be waiting for one index. */
struct server {
    int64_t then; /* its time, 0 when it cannot be had, */
    int64_t ms;   /* at this clock_ms */
};

/* The age of a file by the file server's own clock; -1: there is none. */
static int64_t age_of(const struct run *run, const struct server *server,
                      const char *name)
{
    int64_t now = server->then + (clock_ms() - server->ms) / 1000;
    struct stat st;

    if (server->then == 0 ||
        fstatat(run->rootfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return -1;
    return now > st.st_mtime ? now - st.st_mtime : 0;
}

static void add_run(void *arg, const char *value, size_t len)
{
    struct json_object *runs = arg;
    struct json_object *one;
    char line[128];
    char hash[41];
    char kind[16];
    char job[32] = "";
    long long step;

    snprintf(line, sizeof(line), "%.*s", (int)len, value);
    if (sscanf(line, "%40s %lld %15s %31s", hash, &step, kind, job) < 3 ||
        !key_is_hash(hash))
        return;
    one = json_object_new_object();
    json_add_int(one, "step", step);
    json_add_str(one, "kind", kind);
    if (job[0] != '\0')
        json_add_str(one, "job", job);
    json_object_object_add(runs, hash, one);
}

static struct json_object *ask_one(struct run *run, const char *name)
{
    const char *args[] = {NULL, run->workdir, NULL};
    struct json_object *entry = json_object_new_object();
    struct json_object *runs = json_object_new_object();
    struct relay_error err = {0};
    struct peer_reply reply = {0};
    struct peer peer;
    char problem[300] = "";
    char *root;

    json_object_object_add(entry, "runs", runs);
    if (peer_open(&run->cfg, name, &peer, &err) == 0) {
        root = run_peer_root(run, peer.cluster, &err);
        args[0] = root;
        if (root != NULL && peer_script(&peer, remote_index, args, ASK_MS,
                                        &reply, &err) == 0) {
            free(root);
            peer_value(&reply, "problem", problem, sizeof(problem));
            peer_each(&reply, "run", add_run, runs);
            peer_reply_free(&reply);
            json_add_bool(entry, "answered", problem[0] == '\0');
            json_add_str(entry, "why", problem);
            return entry;
        }
        free(root);
    }
    json_add_bool(entry, "answered", false);
    json_add_str(entry, "why", err.text);
    return entry;
}

static struct json_object *ask_all(struct run *run)
{
    struct json_object *doc = json_object_new_object();
    struct json_object *all = json_object_new_object();
    const struct config_cluster *c;
    size_t i;

    json_add_int(doc, "format", 1);
    json_object_object_add(doc, "clusters", all);
    for (i = 0; i < run->cfg.nclusters; i++) {
        c = &run->cfg.clusters[i];
        if (strcmp(c->name, run->cfg.cluster) != 0 && c->ssh != NULL &&
            c->reach != REACH_NONE)
            json_object_object_add(all, c->name, ask_one(run, c->name));
    }
    return doc;
}

/* One refresher at a time. The flag of one that died is older than any
 * refresh can take; it is only an economy, so nothing rests on it. */
static bool become_refresher(const struct run *run,
                             const struct server *server)
{
    int64_t age;
    int fd;

    age = age_of(run, server, BUSY);
    if (age > BUSY_SECONDS)
        (void)unlinkat(run->rootfd, BUSY, 0); /* ours, a flag */
    fd = openat(run->rootfd, BUSY, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                0600);
    if (fd < 0)
        return errno != EEXIST;
    close(fd);
    return true;
}

/* Was the index made since we began to ask? */
static bool is_new(const struct run *run, const struct server *server)
{
    struct stat st;

    return fstatat(run->rootfd, INDEX, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_mtime > server->then;
}

static struct json_object *load_fresh(const struct run *run,
                                      const struct server *server, bool anew)
{
    bool in_array = strchr(run->self.job_id, '_') != NULL;
    int64_t age = age_of(run, server, INDEX);

    if (age < 0 || age > (in_array ? FRESH_SECONDS : FRESH_ALONE_SECONDS) ||
        (anew && !is_new(run, server)))
        return NULL;
    return json_load(run->rootfd, INDEX, NULL);
}

static struct json_object *get_index(struct run *run, bool anew,
                                     struct relay_error *err)
{
    const struct server server = {.then = run_server_time(run),
                                  .ms = clock_ms()};
    int64_t until = clock_ms() + BUSY_SECONDS * 1000;
    struct relay_error minor = {0};
    struct json_object *doc;

    for (;;) {
        doc = load_fresh(run, &server, anew);
        if (doc != NULL)
            return doc;
        if (become_refresher(run, &server) || clock_ms() >= until)
            break;
        if (process_cancelled() != 0) {
            relay_fail(err, EX_TEMPFAIL, "ended while asking the peers");
            return NULL;
        }
        clock_sleep_ms(WAIT_MS);
    }
    doc = ask_all(run);
    if (json_save(run->rootfd, INDEX, doc, &minor) != 0)
        run_log(run, "%s", minor.text); /* the answers are here all the same */
    (void)unlinkat(run->rootfd, BUSY, 0); /* ours, a flag */
    return doc;
}

int peers_ask(struct run *run, bool anew,
              void (*each)(void *arg, const struct peer_has *has), void *arg,
              struct relay_error *err)
{
    struct json_object *doc = get_index(run, anew, err);
    struct json_object *one;
    struct peer_has has;

    if (doc == NULL)
        return -1;
    json_object_object_foreach(json_get(doc, "clusters"), name, entry)
    {
        memset(&has, 0, sizeof(has));
        snprintf(has.cluster, sizeof(has.cluster), "%s", name);
        has.answered = json_flag(entry, "answered", false);
        snprintf(has.why, sizeof(has.why), "%s", json_str(entry, "why", ""));
        one = json_get(json_get(entry, "runs"), run->hash);
        has.step = json_int(one, "step", -1);
        has.has = one != NULL && strcmp(json_str(one, "kind", ""), "stub");
        snprintf(has.job, sizeof(has.job), "%s", json_str(one, "job", ""));
        each(arg, &has);
    }
    json_object_put(doc);
    return 0;
}
