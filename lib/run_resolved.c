/* job_dir/resolved.json: what stage-in found, for watch and stage-out. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "file.h"
#include "jsonfile.h"
#include "run.h"

#define RESOLVED "resolved.json"

static void add_cell(struct json_object *doc, const struct run_cell *cell)
{
    struct json_object *obj;

    if (cell->sweep[0] == '\0')
        return;
    obj = json_object_new_object();
    json_add_str(obj, "sweep", cell->sweep);
    json_add_str(obj, "dir", cell->dir);
    json_add_int(obj, "index", (int64_t)cell->index);
    json_add_int(obj, "gen", cell->gen);
    json_add_int(obj, "began", cell->began);
    json_object_object_add(doc, "cell", obj);
}

/* The sweep may be gone, or its file system: then nothing is said to it. */
static void take_cell(struct json_object *obj, struct run_cell *cell)
{
    if (obj == NULL)
        return;
    snprintf(cell->sweep, sizeof(cell->sweep), "%s",
             json_str(obj, "sweep", ""));
    snprintf(cell->dir, sizeof(cell->dir), "%s", json_str(obj, "dir", ""));
    cell->index = (uint64_t)json_int(obj, "index", 0);
    cell->gen = json_int(obj, "gen", 0);
    cell->began = json_int(obj, "began", 0);
    if (cell->sweep[0] != '\0')
        cell->fd = file_open_dir(AT_FDCWD, cell->sweep, NULL);
}

int run_save_resolved(const struct run *run, struct relay_error *err)
{
    struct json_object *doc = json_object_new_object();
    bool adopted = run->marker_nonce[0] != '\0';
    int rc;

    json_add_int(doc, "format", 1);
    json_add_str(doc, "key", run->key);
    json_add_str(doc, "hash", run->hash);
    json_add_str(doc, "name", run->name);
    json_add_str(doc, "root", run->root);
    json_add_str(doc, "run_root", run->run_root);
    json_add_str(doc, "workdir", run->workdir);
    json_add_str(doc, "nonce", adopted ? run->marker_nonce : run->nonce);
    if (adopted)
        json_add_str(doc, "adopted", run->nonce);
    add_cell(doc, &run->cell);
    json_add_int(doc, "found_step", run->found_step);
    json_add_int(doc, "term", run->term);
    json_add_str(doc, "output", run->out_path);
    json_add_int(doc, "output_from", run->out_from);
    json_object_object_add(doc, "owner", owner_to_json(&run->self));
    rc = json_save(run->jobfd, RESOLVED, doc, err);
    json_object_put(doc);
    return rc;
}

static int fill(struct json_object *doc, const struct run_options *opt,
                struct run *run, struct relay_error *err)
{
    const char *run_root = json_str(doc, "run_root", NULL);

    snprintf(run->key, sizeof(run->key), "%s", json_str(doc, "key", ""));
    snprintf(run->hash, sizeof(run->hash), "%s", json_str(doc, "hash", ""));
    snprintf(run->name, sizeof(run->name), "%s", json_str(doc, "name", ""));
    snprintf(run->workdir, sizeof(run->workdir), "%s",
             json_str(doc, "workdir", "/"));
    snprintf(run->nonce, sizeof(run->nonce), "%s",
             json_str(doc, "adopted", opt->nonce));
    if (json_get(doc, "adopted") != NULL)
        snprintf(run->marker_nonce, sizeof(run->marker_nonce), "%s",
                 opt->nonce);
    take_cell(json_get(doc, "cell"), &run->cell);
    run->root = strdup(json_str(doc, "root", ""));
    run->run_root = run_root != NULL ? strdup(run_root) : NULL;
    run->found_step = json_int(doc, "found_step", -1);
    run->term = json_int(doc, "term", 0);
    snprintf(run->out_path, sizeof(run->out_path), "%s",
             json_str(doc, "output", ""));
    run->out_from = json_int(doc, "output_from", 0);
    owner_from_json(json_get(doc, "owner"), run->nonce, &run->self);
    if (strcmp(json_str(doc, "nonce", ""), opt->nonce) != 0)
        return relay_fail(err, EX_NOINPUT, "%s/" RESOLVED " is of another run",
                          opt->job_dir);
    if (run->root == NULL || run->root[0] != '/' ||
        strlen(run->hash) != KEY_HASH_LEN || !key_is_hash(run->hash))
        return relay_fail(err, EX_DATAERR, "%s/" RESOLVED " is damaged",
                          opt->job_dir);
    return 0;
}

int run_open_resolved(const struct run_options *opt, struct run *run,
                      struct relay_error *err)
{
    struct json_object *doc;
    int rc;

    memset(run, 0, sizeof(*run));
    run->rootfd = run->relayfd = run->jobfd = run->cell.fd = -1;
    run->network = opt->network;
    run->jobfd = file_open_dir(AT_FDCWD, opt->job_dir, err);
    if (run->jobfd < 0)
        return -1;
    doc = json_load(run->jobfd, RESOLVED, err);
    if (doc == NULL)
        return -1;
    rc = json_check_format(doc, RESOLVED, err);
    if (rc == 0)
        rc = fill(doc, opt, run, err);
    json_object_put(doc);
    if (rc == 0)
        rc = config_load(opt->site_config, run->workdir, &run->cfg, err);
    if (rc == 0)
        rc = run_reopen(run, err);
    if (rc == 0)
        run->here = config_find(&run->cfg, run->cfg.cluster, NULL);
    return rc;
}
