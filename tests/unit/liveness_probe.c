/*
 * What liveness.h makes of a job on a real cluster; for the cluster tests.
 *
 *     liveness_probe CLUSTER JOBID SUBMIT NONCE [STATEDIR]
 *     liveness_probe self
 *
 * The configuration is $RELAY_CONFIG's. SUBMIT 0 is the latest run, JOBID may
 * be "" for a process outside Slurm. The first line is alive, dead or
 * unknown, the second says why, then the facts follow. `self`, inside a job,
 * prints the id that Slurm's commands know it by and its submit time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "liveness.h"

static void print_facts(const struct job_facts *f)
{
    printf("state=%s\nsacct_state=%s\n", f->state, f->sacct_state);
    printf("submit=%" PRId64 "\nsacct_submit=%" PRId64 "\n", f->submit,
           f->sacct_submit);
    printf("later=%" PRId64 "\nmembers=%" PRId64 "\n", f->later_submit,
           f->members);
    printf("raw=%s\nuser=%s\nname=%s\n", f->raw, f->user, f->name);
    printf("workdir=%s\nscript=%s\nstdout=%s\ncomment=%s\n", f->workdir,
           f->script, f->stdout_path, f->comment);
    printf("requeue=%d\nrestarts=%" PRId64 "\n", f->requeue, f->restarts);
    printf("nodes=%s\nbad_node=%s\n", f->nodes, f->bad_node);
    printf("processes=%d\nfingerprint=%s\n", f->processes, f->fingerprint);
}

static int print_self(void)
{
    struct owner own;
    struct relay_error err = {0};

    if (owner_self("", "", getpid(), &own, &err) != 0 ||
        !liveness_self(&own)) {
        fprintf(stderr, "squeue cannot tell: %s\n", err.text);
        return 75;
    }
    printf("%s %" PRId64 "\n", own.job_id, own.submit);
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const words[] = {
        [ALIVE_YES] = "alive",
        [ALIVE_DEAD] = "dead",
        [ALIVE_UNKNOWN] = "unknown",
    };
    struct config cfg;
    struct peer peer;
    struct relay_error err = {0};
    struct owner own = {0};
    struct job_facts facts;
    char why[1024] = "";
    enum alive alive;

    if (argc == 2 && strcmp(argv[1], "self") == 0)
        return print_self();
    if (argc < 5 || argc > 6) {
        fprintf(stderr, "usage: liveness_probe CLUSTER JOBID SUBMIT NONCE "
                        "[STATEDIR]\n");
        return 64;
    }
    snprintf(own.cluster, sizeof(own.cluster), "%s", argv[1]);
    snprintf(own.job_id, sizeof(own.job_id), "%s", argv[2]);
    own.submit = strtoll(argv[3], NULL, 10);
    snprintf(own.nonce, sizeof(own.nonce), "%s", argv[4]);
    if (config_load(NULL, NULL, &cfg, &err) != 0 ||
        peer_open(&cfg, argv[1], &peer, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        return err.code;
    }
    alive = liveness_of(&peer, &own, argc == 6 ? argv[5] : NULL, &facts, why,
                        sizeof(why));
    printf("%s\n%s\n", words[alive], why);
    print_facts(&facts);
    config_free(&cfg);
    return 0;
}
