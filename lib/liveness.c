#include "liveness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "process.h"
#include "remote_scripts.h"

#define SCRIPT_MS 120000
#define SQUEUE_MS 10000
#define GAP_MS 2000
#define INVALID_GAP_MS 60000

static void take(const struct peer_reply *reply, const char *name, char *text,
                 size_t size)
{
    if (!peer_value(reply, name, text, size))
        text[0] = '\0';
}

/* squeue's value, else sacct's. */
static void take_either(const struct peer_reply *reply, const char *name,
                        const char *sacct_name, char *text, size_t size)
{
    take(reply, name, text, size);
    if (text[0] == '\0')
        take(reply, sacct_name, text, size);
}

static void take_squeue(const struct peer_reply *reply,
                        struct job_facts *facts)
{
    char answer[16];

    take(reply, "squeue", answer, sizeof(answer));
    facts->invalid_id = strcmp(answer, "invalid") == 0;
    facts->squeue_answered = answer[0] != '\0';
    take(reply, "state", facts->state, sizeof(facts->state));
    facts->in_squeue = facts->state[0] != '\0';
    facts->completing = strcmp(facts->state, "COMPLETING") == 0;
    facts->members = peer_int(reply, "members", 0);
    take(reply, "partition", facts->partition, sizeof(facts->partition));
    take(reply, "workdir", facts->workdir, sizeof(facts->workdir));
    take(reply, "script", facts->script, sizeof(facts->script));
    take(reply, "stdout", facts->stdout_path, sizeof(facts->stdout_path));
    take(reply, "comment", facts->comment, sizeof(facts->comment));
    facts->restarts = peer_int(reply, "restarts", 0);
    facts->requeue = (int)peer_int(reply, "requeue", -1);
}

static void take_sacct(const struct peer_reply *reply,
                       struct job_facts *facts)
{
    char answer[16];

    take(reply, "sacct", answer, sizeof(answer));
    facts->sacct_answered = answer[0] != '\0';
    take(reply, "sacct_state", facts->sacct_state,
         sizeof(facts->sacct_state));
    facts->in_sacct = facts->sacct_state[0] != '\0';
    facts->sacct_submit = peer_int(reply, "sacct_submit", 0);
    facts->later_submit = peer_int(reply, "later", 0);
}

static void take_both(const struct peer_reply *reply, struct job_facts *facts)
{
    const char *from = facts->in_squeue ? "" : "sacct_";
    char name[32];

    if (!facts->in_squeue)
        snprintf(facts->state, sizeof(facts->state), "%s",
                 facts->sacct_state);
    snprintf(name, sizeof(name), "%ssubmit", from);
    facts->submit = peer_int(reply, name, 0);
    snprintf(name, sizeof(name), "%sstart", from);
    facts->start = peer_int(reply, name, 0);
    snprintf(name, sizeof(name), "%send", from);
    facts->end = peer_int(reply, name, 0);
    take_either(reply, "name", "sacct_name", facts->name,
                sizeof(facts->name));
    take_either(reply, "user", "sacct_user", facts->user,
                sizeof(facts->user));
    take_either(reply, "raw", "sacct_raw", facts->raw, sizeof(facts->raw));
}

static void take_traces(const struct peer_reply *reply,
                        struct job_facts *facts)
{
    take(reply, "nodes", facts->nodes, sizeof(facts->nodes));
    take(reply, "bad_node", facts->bad_node, sizeof(facts->bad_node));
    facts->nodes_known = peer_int(reply, "nodes_known", 0) != 0;
    take(reply, "host", facts->host, sizeof(facts->host));
    facts->processes = (int)peer_int(reply, "processes", -1);
    facts->process = peer_int(reply, "process", 0);
    take(reply, "fingerprint", facts->fingerprint,
         sizeof(facts->fingerprint));
}

static void no_facts(struct job_facts *facts)
{
    memset(facts, 0, sizeof(*facts));
    facts->requeue = facts->processes = -1;
}

static int ask(const struct peer *peer, const char *const *args,
               struct job_facts *facts, struct relay_error *err)
{
    struct peer_reply reply;
    char problem[400];

    no_facts(facts);
    if (peer_script(peer, remote_evidence, args, SCRIPT_MS, &reply, err) != 0)
        return -1;
    take_squeue(&reply, facts);
    take_sacct(&reply, facts);
    take_both(&reply, facts);
    take_traces(&reply, facts);
    if (args[0][0] != '\0' && !facts->squeue_answered) {
        take(&reply, "squeue_error", problem, sizeof(problem));
        peer_reply_free(&reply);
        return relay_fail(err, EX_TEMPFAIL,
                          "squeue of %s does not answer: %s", peer->name,
                          problem[0] != '\0' ? problem : "no reason given");
    }
    peer_reply_free(&reply);
    return 0;
}

int liveness_facts(const struct peer *peer, const char *job_id,
                   const char *nonce, const char *state_dir,
                   struct job_facts *facts, struct relay_error *err)
{
    const char *args[] = {job_id, nonce, state_dir != NULL ? state_dir : "",
                          "0", "", NULL};

    return ask(peer, args, facts, err);
}

int liveness_look(const struct peer *peer, const struct owner *own,
                  const char *state_dir, struct job_facts *facts,
                  struct relay_error *err)
{
    char submit[24];
    const char *args[] = {own->job_id, own->nonce,
                          state_dir != NULL ? state_dir : "", submit,
                          own->host, NULL};

    snprintf(submit, sizeof(submit), "%" PRId64, own->submit);
    return ask(peer, args, facts, err);
}

/* False when a signal asked us to end meanwhile. */
static bool wait_until(int64_t until)
{
    int64_t left;

    while ((left = until - clock_ms()) > 0 && process_cancelled() == 0)
        clock_sleep_ms(left);
    return process_cancelled() == 0;
}

enum alive liveness_of(const struct peer *peer, const struct owner *own,
                       const char *state_dir, struct job_facts *facts,
                       char *why, size_t why_size)
{
    return liveness_of_meanwhile(peer, own, state_dir, NULL, NULL, facts, why,
                                 why_size);
}

enum alive liveness_of_meanwhile(const struct peer *peer,
                                 const struct owner *own,
                                 const char *state_dir,
                                 void (*meanwhile)(void *arg), void *arg,
                                 struct job_facts *facts, char *why,
                                 size_t why_size)
{
    struct job_facts first;
    struct relay_error err = {0};
    enum alive alive;
    int64_t again;
    bool asks_id;

    if (liveness_look(peer, own, state_dir, facts, &err) != 0) {
        snprintf(why, why_size, "%s", err.text);
        return ALIVE_UNKNOWN;
    }
    alive = liveness_judge(own, NULL, facts, why, why_size);
    /* A second look is worth its wait only when it can be the last word. */
    if (alive != ALIVE_UNKNOWN ||
        liveness_judge(own, facts, facts, NULL, 0) != ALIVE_DEAD)
        return alive;
    asks_id = own->job_id[0] != '\0' && !facts->in_squeue &&
              !facts->in_sacct && facts->later_submit == 0;
    again = clock_ms() + (asks_id ? INVALID_GAP_MS : GAP_MS);
    if (meanwhile != NULL)
        meanwhile(arg);
    if (!wait_until(again))
        return alive;
    first = *facts;
    if (liveness_look(peer, own, state_dir, facts, &err) != 0) {
        snprintf(why, why_size, "%s", err.text);
        return ALIVE_UNKNOWN;
    }
    return liveness_judge(own, &first, facts, why, why_size);
}

/* --- who are we? ---------------------------------------------------------- */

struct member {
    char id[32];
    char raw[16];
    int64_t submit;
};

/* Asks for all members of a job id; res->out has their lines. */
static bool ask_members(const char *job_id, struct process_result *res)
{
    char squeue[1024];
    const char *argv[] = {"/usr/bin/env", "-u", "SLURM_CLUSTERS",
                          "SLURM_TIME_FORMAT=%s", squeue, "-h", "-a", "-r",
                          "-t", "all", "-j", job_id, "-o", "%i %A %V", NULL};
    struct process_spec spec = {.argv = argv, .deadline_ms = SQUEUE_MS};

    memset(res, 0, sizeof(*res));
    return job_id[0] != '\0' &&
           process_find("squeue", squeue, sizeof(squeue), NULL) == 0 &&
           process_run(&spec, res, NULL) == 0 && process_ok(res);
}

/* The next line of *out; false at the end. */
static bool next_member(const char **out, struct member *member)
{
    while (**out != '\0') {
        const char *line = *out;
        size_t len = strcspn(line, "\n");

        *out += len + (line[len] == '\n');
        if (sscanf(line, "%31s %15s %" SCNd64, member->id, member->raw,
                   &member->submit) == 3)
            return true;
    }
    return false;
}

int64_t liveness_submit_time(const char *job_id)
{
    struct process_result res;
    struct member member;
    int64_t submit = 0;

    if (ask_members(job_id, &res)) {
        const char *out = res.out;

        while (submit == 0 && next_member(&out, &member))
            if (strcmp(member.id, job_id) == 0)
                submit = member.submit;
    }
    process_free(&res);
    return submit;
}

bool liveness_self(struct owner *own)
{
    struct process_result res;
    struct member member;
    bool found = false;

    if (ask_members(own->job_raw, &res)) {
        const char *out = res.out;

        while (!found && next_member(&out, &member))
            found = strcmp(member.raw, own->job_raw) == 0;
    }
    process_free(&res);
    if (found) {
        snprintf(own->job_id, sizeof(own->job_id), "%s", member.id);
        own->submit = member.submit;
    }
    return found;
}
