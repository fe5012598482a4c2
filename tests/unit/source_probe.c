/*
 * What a handoff does on its source, one call for each command: for tests on
 * the clusters. Not installed.
 *
 *   source_probe look CLUSTER KEY [JOBID]
 *   source_probe snapshot CLUSTER KEY NONCE
 *   source_probe stop CLUSTER KEY NONCE [SIGNAL SECONDS]
 *   source_probe reinstate CLUSTER KEY NONCE
 *   source_probe supersede CLUSTER KEY
 *   source_probe pull CLUSTER FROM TO [STALL-SECONDS]
 *
 * Prints NAME=VALUE lines; on failure the error, and ends with its code.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "config.h"
#include "digest.h"
#include "jsonfile.h"
#include "key.h"
#include "source.h"
#include "transfer.h"

enum { TERM = 9 };

struct driver {
    struct config cfg;
    struct peer peer;
    struct source src;
};

static void show(const struct source *src)
{
    size_t i;

    printf("root=%s\nhash=%s\nfound=%d\nstub=%d\nstep=%" PRId64 "\n",
           src->root, src->hash, src->found, src->stub, src->meta.step);
    printf("files=%zu\nlease=%s\ngen=%" PRId64 "\n", src->files.n,
           lease_kind_name(src->lease.kind), src->lease.gen);
    printf("job=%s\nstate=%s\nrequeue=%d\n", src->job_id, src->job.state,
           src->job.requeue);
    printf("rsync=%s\ndigester=%s\nuser=%s\ngit=%s\n", src->rsync,
           src->digester, src->user, src->git);
    if (src->has_special)
        printf("special=%s\n", src->special);
    for (i = 0; i < src->nfollowers; i++)
        printf("follower=%s\n", src->followers[i].job_id);
    if (src->nearest != NULL)
        printf("nearest=%s\n", src->nearest);
}

static int look(struct driver *d, const char *key, const char *typed,
                struct relay_error *err)
{
    char hash[41];

    if (digest_key(key, hash, err) != 0)
        return -1;
    return source_look(&d->peer, d->peer.cluster->resume_root, hash,
                       key_run_name(key), typed, "", 0, NULL, NULL, &d->src,
                       err);
}

static int stop(struct driver *d, char **args, struct relay_error *err)
{
    static const char *const names[] = {"accepted", "refused", "lost",
                                        "no_job"};
    struct source_stop what = {.nonce = args[0],
                               .fence = json_object_new_object()};
    struct json_object *fenced = json_object_new_object();
    enum stop_result result;
    char why[500];
    int rc;

    if (args[1] != NULL && args[2] != NULL) {
        what.signal = args[1];
        what.signal_wait = strtol(args[2], NULL, 10);
    }
    json_add_int(what.fence, "term", TERM);
    json_add_str(fenced, "job_id", d->src.job_id);
    json_object_object_add(what.fence, "fenced", fenced);
    rc = source_stop(&d->src, &what, &result, why, sizeof(why), err);
    json_object_put(what.fence);
    if (rc == 0)
        printf("result=%s\nwhy=%s\n", names[result], why);
    return rc;
}

static int snapshot(struct driver *d, const char *nonce,
                    struct relay_error *err)
{
    struct manifest files;
    struct meta meta;
    int rc = source_snapshot(&d->src, nonce, &files, &meta, err);

    if (rc != 0)
        return -1;
    printf("step=%" PRId64 "\nfiles=%zu\nbytes=%" PRId64 "\n", meta.step,
           files.n, files.bytes);
    manifest_free(&files);
    meta_free(&meta);
    return 0;
}

static void say(void *arg, const char *text)
{
    (void)arg;
    printf("say=%s\n", text);
    fflush(stdout);
}

static int pull(struct driver *d, const char *from, const char *to,
                const char *stall, struct relay_error *err)
{
    struct manifest files;
    struct meta meta;
    struct transfer t = {.peer = &d->peer, .from = from, .to = to,
                         .files = &files, .wait_s = 60,
                         .stall_s = stall != NULL ? strtol(stall, NULL, 10) : 60,
                         .say = say};
    int64_t took;
    int rc;

    d->src.peer = &d->peer;
    if (source_digest(&d->src, from, &files, &meta, err) != 0)
        return -1;
    meta_free(&meta);
    rc = transfer_pull(&t, &took, err);
    if (rc == 0)
        printf("bytes=%" PRId64 "\nms=%" PRId64 "\n", files.bytes, took);
    manifest_free(&files);
    return rc;
}

static int run(struct driver *d, int argc, char **argv,
               struct relay_error *err)
{
    char path[1200];
    int rc;

    if (config_load(NULL, NULL, &d->cfg, err) != 0 ||
        peer_open(&d->cfg, argv[2], &d->peer, err) != 0)
        return -1;
    if (strcmp(argv[1], "pull") == 0 && argc >= 5)
        return pull(d, argv[3], argv[4], argv[5], err);
    if (look(d, argv[3], strcmp(argv[1], "look") == 0 && argc > 4 ? argv[4]
                                                                  : "",
             err) != 0)
        return -1;
    if (strcmp(argv[1], "look") == 0) {
        show(&d->src);
        return 0;
    }
    if (strcmp(argv[1], "supersede") == 0) {
        rc = source_supersede(&d->src, TERM, "iris", "sbatch", path,
                              sizeof(path), err);
        if (rc == 0)
            printf("path=%s\n", path);
        return rc;
    }
    if (strcmp(argv[1], "stop") == 0 && argc > 4)
        return stop(d, argv + 4, err);
    if (strcmp(argv[1], "snapshot") == 0 && argc == 5)
        return snapshot(d, argv[4], err);
    if (strcmp(argv[1], "reinstate") == 0 && argc == 5)
        return source_reinstate(&d->src, TERM, argv[4], err);
    return relay_fail(err, EX_USAGE, "unknown command %s", argv[1]);
}

int main(int argc, char **argv)
{
    struct driver d;
    struct relay_error err = {0};
    int rc;

    if (argc < 4) {
        fputs("usage: source_probe COMMAND CLUSTER KEY ...\n", stderr);
        return EX_USAGE;
    }
    memset(&d, 0, sizeof(d));
    rc = run(&d, argc, argv, &err);
    if (rc != 0)
        fprintf(stderr, "%s\n", err.text);
    source_free(&d.src);
    config_free(&d.cfg);
    return rc == 0 ? 0 : err.code;
}
