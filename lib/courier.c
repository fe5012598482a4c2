/* The courier, on the login node: does what jobs ask. */
#define _GNU_SOURCE 1
#include "courier.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "courier_mail.h"
#include "courier_work.h"
#include "file.h"
#include "jsonfile.h"
#include "process.h"
#include "series.h"

enum {
    EAGER_MS = 100,      /* between two looks while there is something to do */
    IDLE_MS = 500,
    EAGER_FOR_MS = 5000, /* after the last request */
    MIND_MS = 1000,
    TIDY_MS = 30000,
    OLD_S = 600          /* nobody comes back to what is older */
};

struct courier {
    struct run *run;
    const char *cluster;
    struct courier_box box;
    pid_t worker;          /* 0: none */
    char at[COURIER_ID];   /* what it is at */
    int64_t busy_at;       /* clock_ms() */
    int64_t mind_at;       /* of the next look whether it is wanted */
    int64_t tidy_at;
};

/* --- who has a request --------------------------------------------------- */

/* The nonce in front of an id. */
static void asker_of(const char *id, char nonce[33])
{
    snprintf(nonce, 33, "%.32s", id);
}

static bool is_wanted(const struct courier *c, const char *id)
{
    char nonce[33];

    asker_of(id, nonce);
    return courier_box_has(&c->box, COURIER_ASK, id) &&
           courier_box_alive(&c->box, COURIER_JOB, nonce);
}

/* The last taker of a request and the generation, 0 for none. 0 or -1. */
static int last_taker(const struct courier *c, const char *id, int64_t *gen,
                      char nonce[33], struct relay_error *err)
{
    char series[80];
    struct series_record rec;

    courier_box_name(COURIER_TAKE, id, series, sizeof(series));
    if (series_last(c->box.fd, series, &rec, err) != 0)
        return -1;
    *gen = rec.gen;
    snprintf(nonce, 33, "%s", json_str(rec.body, "nonce", ""));
    series_free(&rec);
    return 0;
}

/* Takes a request that nobody has, or who gives no sign of life; or one that we
 * had and left, its asker taken for gone. 1 ours, 0 another's, -1. */
static int take(struct courier *c, const char *id, struct relay_error *err)
{
    char series[80], nonce[33];
    struct json_object *body;
    int64_t gen;
    int won;

    if (last_taker(c, id, &gen, nonce, err) != 0)
        return -1;
    if (gen > 0 && strcmp(nonce, c->box.nonce) == 0)
        return 1;
    if (gen > 0 && courier_box_alive(&c->box, COURIER_HERE, nonce))
        return 0;
    courier_box_name(COURIER_TAKE, id, series, sizeof(series));
    body = json_object_new_object();
    json_add_str(body, "kind", "take");
    json_add_str(body, "nonce", c->box.nonce);
    won = series_link(c->box.fd, series, gen + 1, body, err);
    json_object_put(body);
    return won;
}

/* We were stopped for so long that another has it by now. */
static bool is_still_ours(const struct courier *c)
{
    char nonce[33];
    int64_t gen;

    return last_taker(c, c->at, &gen, nonce, NULL) == 0 &&
           strcmp(nonce, c->box.nonce) == 0;
}

/* --- the worker ---------------------------------------------------------- */

/* A process of its own: whatever it waits for, we give signs of life, and
 * what is not wanted any more is ended. */
static void work(struct courier *c, pid_t parent)
{
    process_catch_signals();
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(0);
    courier_work(c->run, &c->box, c->cluster, c->at);
    _exit(0);
}

static int start_worker(struct courier *c, const char *id,
                        struct relay_error *err)
{
    pid_t parent = getpid();
    pid_t pid;

    snprintf(c->at, sizeof(c->at), "%s", id);
    pid = fork();
    if (pid == 0)
        work(c, parent);
    if (pid < 0)
        return relay_fail_errno(err, EX_OSERR, "cannot start a process");
    c->worker = pid;
    return 0;
}

static void end_worker(struct courier *c)
{
    if (c->worker == 0)
        return;
    (void)kill(c->worker, SIGTERM); /* it ends its own in some seconds */
    while (waitpid(c->worker, NULL, 0) < 0 && errno == EINTR)
        ;
    c->worker = 0;
}

/* Looks after the worker. */
static void mind_worker(struct courier *c)
{
    c->busy_at = clock_ms();
    if (waitpid(c->worker, NULL, WNOHANG) == c->worker) {
        c->worker = 0;
        if (courier_box_has(&c->box, COURIER_ASK, c->at) &&
            !courier_box_has(&c->box, COURIER_REPLY, c->at))
            courier_reply_failed(&c->box, c->at);
        return;
    }
    if (clock_ms() < c->mind_at)
        return;
    c->mind_at = clock_ms() + MIND_MS;
    if (!is_wanted(c, c->at) || !is_still_ours(c)) {
        run_log(c->run, "courier: what was asked is not wanted any more");
        end_worker(c);
    }
}

/* --- requests ------------------------------------------------------------ */

static bool is_for_us(const struct courier *c, const char *name)
{
    struct json_object *ask = json_load(c->box.fd, name, NULL);
    bool is = ask != NULL &&
              strcmp(json_str(ask, "cluster", ""), c->cluster) == 0;

    json_object_put(ask);
    return is;
}

/* An asker has one request at a time: any is the next one of somebody. */
static int find_work(struct courier *c, struct relay_error *err)
{
    size_t len = strlen(COURIER_ASK);
    DIR *dir = file_list(c->box.fd);
    struct dirent *entry;
    int rc = 0;

    if (dir == NULL)
        return relay_fail_errno(err, EX_IOERR, "the mailbox");
    while (rc == 0 && (entry = readdir(dir)) != NULL) {
        const char *id = entry->d_name + len;

        if (strncmp(entry->d_name, COURIER_ASK, len) != 0 ||
            strlen(id) >= COURIER_ID || !is_wanted(c, id) ||
            courier_box_has(&c->box, COURIER_REPLY, id) ||
            !is_for_us(c, entry->d_name))
            continue;
        rc = take(c, id, err);
        if (rc < 0 && !courier_box_has(&c->box, COURIER_ASK, id))
            rc = 0; /* its asker has taken it away before our eyes */
        if (rc > 0)
            rc = start_worker(c, id, err) == 0 ? 1 : -1;
    }
    closedir(dir);
    return rc < 0 ? -1 : 0;
}

/* The id in the name of a request's file, "" for another name. */
static void id_in(const char *name, char id[COURIER_ID])
{
    static const char *const kinds[] = {COURIER_ASK, COURIER_OUT,
                                        COURIER_REPLY, COURIER_TAKE};
    size_t i;

    id[0] = '\0';
    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strncmp(name, kinds[i], strlen(kinds[i])) == 0)
            snprintf(id, COURIER_ID, "%.*s",
                     (int)strcspn(name + strlen(kinds[i]), "."),
                     name + strlen(kinds[i]));
}

/* What dead jobs have asked, and old signs of life. */
static void tidy(struct courier *c)
{
    DIR *dir = file_list(c->box.fd);
    struct dirent *entry;
    char id[COURIER_ID], nonce[33];
    struct stat st;

    c->tidy_at = clock_ms() + TIDY_MS;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        id_in(entry->d_name, id);
        asker_of(id, nonce);
        if (id[0] != '\0' && !courier_box_alive(&c->box, COURIER_JOB, nonce))
            courier_box_drop(&c->box, id);
        else if (id[0] == '\0' && entry->d_name[0] != '.' &&
                 fstatat(c->box.fd, entry->d_name, &st,
                         AT_SYMLINK_NOFOLLOW) == 0 &&
                 c->box.now - st.st_mtime > OLD_S)
            (void)unlinkat(c->box.fd, entry->d_name, 0);
    }
    if (dir != NULL)
        closedir(dir);
}

static int serve(struct courier *c, bool (*until)(void *arg), void *arg,
                 struct relay_error *err)
{
    run_log(c->run, "courier: host %s serves what jobs ask of %s",
            c->run->self.host, c->cluster);
    while (process_cancelled() == 0 && (until == NULL || !until(arg))) {
        if (courier_box_beat(&c->box, err) != 0)
            return -1;
        if (c->worker != 0)
            mind_worker(c);
        else if (find_work(c, err) != 0)
            return -1;
        if (clock_ms() >= c->tidy_at)
            tidy(c);
        clock_sleep_ms(clock_ms() - c->busy_at < EAGER_FOR_MS ? EAGER_MS
                                                              : IDLE_MS);
    }
    return 0;
}

int courier_serve(struct run *run, const char *cluster,
                  bool (*until)(void *arg), void *arg,
                  struct relay_error *err)
{
    struct courier c = {.run = run, .cluster = cluster};
    struct peer peer;
    int rc = -1;

    c.box.fd = -1;
    if (peer_open(&run->cfg, cluster, &peer, err) == 0 &&
        courier_box_open(run, COURIER_HERE, cluster, &c.box, err) == 0)
        rc = serve(&c, until, arg, err);
    end_worker(&c);
    courier_box_close(&c.box);
    return rc;
}

/* --- as a process -------------------------------------------------------- */

static void be_courier(struct run *run, const char *cluster, pid_t parent)
{
    struct relay_error err = {0};

    (void)setpgid(0, 0);
    process_catch_signals();
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(0);
    if (courier_serve(run, cluster, NULL, NULL, &err) != 0)
        run_log(run, "courier: %s", err.text);
    _exit(0);
}

int courier_start(struct run *run, const char *cluster, pid_t *pid,
                  struct relay_error *err)
{
    pid_t parent = getpid();
    struct courier_box box;
    struct peer peer;
    int rc;

    *pid = 0;
    if (peer_open(&run->cfg, cluster, &peer, err) != 0)
        return -1;
    rc = courier_box_open(run, COURIER_HERE, cluster, &box, err);
    courier_box_close(&box);
    if (rc != 0)
        return -1;
    *pid = fork();
    if (*pid == 0)
        be_courier(run, cluster, parent);
    if (*pid > 0)
        return 0;
    *pid = 0;
    return relay_fail_errno(err, EX_OSERR, "cannot start a process");
}

void courier_stop(pid_t *pid)
{
    if (*pid <= 0)
        return;
    (void)kill(*pid, SIGTERM);
    while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *pid = 0;
}

bool courier_ended(pid_t *pid)
{
    if (*pid <= 0 || waitpid(*pid, NULL, WNOHANG) != *pid)
        return false;
    *pid = 0;
    return true;
}

bool courier_wanted(const struct run *run, char *job, size_t size)
{
    struct courier_box box;
    bool is;

    is = courier_box_open(run, COURIER_HERE, "", &box, NULL) == 0 &&
         courier_box_find(&box, COURIER_JOB, NULL, job, size);
    courier_box_close(&box);
    return is;
}
