#include "report_far.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cause.h"
#include "jsonfile.h"
#include "peer.h"
#include "remote_scripts.h"
#include "source_script.h"

enum { ASK_MS = 60000 };

static int take_meta(const struct peer_reply *reply, const char *cluster,
                     struct report *r, struct relay_error *err)
{
    struct meta meta;
    size_t len = 0;
    const char *text = peer_section(reply, "meta", &len);
    const char *name;

    if (text == NULL)
        return 0;
    if (meta_parse(text, len, META_FILE, &meta, err) != 0)
        return relay_fail_in(err, "%s", cluster);
    name = meta_name(&meta);
    if (r->name == NULL && name != NULL)
        r->name = strdup(name);
    r->step = meta.step;
    r->saved = peer_int(reply, "saved", 0);
    r->completed = meta.completed;
    r->stub = meta.moved_to != NULL;
    if (r->stub)
        snprintf(r->moved_to, sizeof(r->moved_to), "%s", meta.moved_to);
    meta_free(&meta);
    return 0;
}

static int take_lease(const struct peer_reply *reply, const char *cluster,
                      struct report *r, struct relay_error *err)
{
    if (source_take_lease(reply, &r->lease, err) != 0)
        return relay_fail_in(err, "%s", cluster);
    r->records = r->lease.gen > 0;
    if (r->lease.kind == LEASE_RELEASE)
        snprintf(r->cause, sizeof(r->cause), "%s",
                 cause_recorded(&r->lease, NULL));
    return 0;
}

static int take_journal(const struct peer_reply *reply, struct report *r,
                        struct relay_error *err)
{
    size_t len = 0;
    const char *text = peer_section(reply, "journal", &len);
    struct json_object *body;

    if (text == NULL)
        return 0;
    body = json_parse(text, len, "journal", err);
    if (body == NULL)
        return -1;
    snprintf(r->journal, sizeof(r->journal), "%s",
             json_str(body, "kind", ""));
    json_object_put(body);
    return 0;
}

static int take_jobs(const struct peer_reply *reply, struct job_list *jobs,
                     struct relay_error *err)
{
    size_t len = 0;
    const char *section = peer_section(reply, "jobs", &len);
    char *text;
    int rc;

    if (section == NULL)
        return 0;
    text = strndup(section, len);
    if (text == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    rc = jobs_parse(text, jobs);
    free(text);
    if (rc != 0)
        return relay_fail(err, EX_OSERR, "out of memory");
    jobs->answered = true;
    return 0;
}

static int take_reply(const struct peer_reply *reply, const char *cluster,
                      struct report *r, struct job_list *jobs,
                      struct relay_error *err)
{
    char problem[300];

    if (peer_value(reply, "problem", problem, sizeof(problem)))
        return relay_fail(err, EX_CONFIG, "%s: %s", cluster, problem);
    if (take_meta(reply, cluster, r, err) != 0 ||
        take_lease(reply, cluster, r, err) != 0 ||
        take_journal(reply, r, err) != 0 || take_jobs(reply, jobs, err) != 0)
        return -1;
    report_judge(r, cluster, jobs);
    return 0;
}

int report_far(const struct run *run, const char *cluster,
               struct report *report, struct job_list *jobs,
               struct relay_error *err)
{
    const char *args[] = {NULL, run->hash, NULL};
    struct peer_reply reply;
    struct peer peer;
    char *root;
    int rc;

    memset(report, 0, sizeof(*report));
    memset(jobs, 0, sizeof(*jobs));
    snprintf(report->hash, sizeof(report->hash), "%s", run->hash);
    report->step = report->lease.step = -1;
    if (run->name[0] != '\0')
        report->name = strdup(run->name);
    if (!key_is_hash(run->key))
        report->key = strdup(run->key);
    if (peer_open(&run->cfg, cluster, &peer, err) != 0)
        return -1;
    root = run_peer_root(run, peer.cluster, err);
    if (root == NULL)
        return -1;
    args[0] = root;
    rc = peer_script(&peer, remote_state, args, ASK_MS, &reply, err);
    free(root);
    if (rc != 0)
        return -1;
    rc = take_reply(&reply, cluster, report, jobs, err);
    peer_reply_free(&reply);
    return rc;
}
