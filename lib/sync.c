#include "sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "history.h"
#include "jsonfile.h"
#include "manifest.h"
#include "peer.h"
#include "remote_scripts.h"
#include "transfer.h"

enum { ASK_MS = 15000, STALL_SECONDS = 30 };

/* A peer that is this very machine's directory: rsync without ssh. */
static void local_peer(const struct run *run, struct peer *peer)
{
    memset(peer, 0, sizeof(*peer));
    peer->cluster = run->here;
    peer->local = true;
}

/* Where the copy goes, absolute there. */
static int find_target(struct run *run, const char *to, struct peer *peer,
                       char *dir, size_t size, struct relay_error *err)
{
    const char *args[] = {NULL, run->workdir, run->hash, run->cfg.cluster,
                          NULL};
    struct config_names names = {.user = run->self.user,
                                 .workdir = run->workdir};
    struct peer_reply reply;
    char problem[400] = "";
    char *path;
    int rc;

    if (strchr(to, '/') != NULL) {
        path = config_path(&run->cfg, to, &names, err);
        if (path == NULL)
            return -1;
        local_peer(run, peer);
        snprintf(dir, size, "%s/%s", path, run->hash);
        free(path);
        return 0;
    }
    if (peer_open(&run->cfg, to, peer, err) != 0)
        return -1;
    path = run_peer_root(run, peer->cluster, err);
    if (path == NULL)
        return -1;
    args[0] = path;
    rc = peer_script(peer, remote_mirror, args, ASK_MS, &reply, err);
    free(path);
    if (rc != 0)
        return -1;
    peer_value(&reply, "problem", problem, sizeof(problem));
    if (!peer_value(&reply, "dir", dir, size))
        relay_fail(err, EX_CANTCREAT, "%s: %s", to, problem);
    peer_reply_free(&reply);
    return problem[0] == '\0' ? 0 : -1;
}

static int push(struct run *run, const char *to, int64_t deadline_s,
                struct relay_error *err)
{
    struct manifest files = {0};
    char from[2048];
    char dir[2048];
    struct peer peer;
    struct transfer t = {.peer = &peer,
                         .from = from,
                         .to = dir,
                         .files = &files,
                         .stall_s = STALL_SECONDS,
                         .wait_s = deadline_s,
                         .say = run_say_line,
                         .arg = run};
    int rc;

    run_state_dir(run, from, sizeof(from));
    rc = find_target(run, to, &peer, dir, sizeof(dir), err);
    if (rc == 0)
        rc = manifest_of_dir(run->rootfd, run->hash, 0, &files, err);
    if (rc == 0)
        rc = transfer_push(&t, err);
    manifest_free(&files);
    return rc;
}

void sync_record(struct run *run, const char *to, bool ok)
{
    struct json_object *extra = json_object_new_object();
    struct relay_error err = {0};

    json_add_str(extra, "to", to);
    json_add_bool(extra, "ok", ok);
    if (history_add(run->relayfd, run->nonce, "sync", extra, &err) != 0)
        run_log(run, "%s", err.text);
    json_object_put(extra);
}

bool sync_has_state(const struct run *run)
{
    struct run_state_info info;
    bool good;

    if (run_state_look(run, &info, NULL) != 0)
        return false;
    good = info.kind == STATE_GOOD;
    run_state_free(&info);
    return good;
}

int sync_push(struct run *run, const char *to, int64_t deadline_s,
              struct relay_error *err)
{
    int rc;

    if (!sync_has_state(run))
        return relay_fail(err, EX_DATAERR, "%s has no state in %s/%s that "
                                           "could be copied", run->key,
                          run->root, run->hash);
    rc = push(run, to, deadline_s, err);
    sync_record(run, to, rc == 0);
    return rc;
}

bool sync_pending(struct run *run, char *to, size_t size)
{
    struct json_object *events;
    struct json_object *event;
    const char *name;
    bool pending = false;
    size_t i;

    events = run->relayfd >= 0 ? history_read(run->relayfd, NULL) : NULL;
    if (events == NULL)
        return false;
    for (i = 0; i < json_object_array_length(events); i++) {
        event = json_object_array_get_idx(events, i);
        name = json_str(event, "event", "");
        if (strcmp(name, "start") == 0)
            pending = false; /* a newer run: what it writes is what counts */
        if (strcmp(name, "sync") == 0) {
            pending = !json_flag(event, "ok", false);
            snprintf(to, size, "%s", json_str(event, "to", ""));
        }
    }
    json_object_put(events);
    return pending && sync_has_state(run);
}
