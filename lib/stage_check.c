/* check, at submission: what would be refused later is refused now. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "gate.h"
#include "journal.h"
#include "runs.h"
#include "stage.h"

/* Does the sbatch that runs us chain this job to others? Then the twin that
 * is alive now will have ended when this one starts. A dependency in the
 * script itself is not seen; the gate in the job decides anyway. */
static bool is_chained(void)
{
    char path[64];
    char *text;
    char *arg;
    size_t len;
    bool found = false;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)getppid());
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    text = calloc(1, 65537);
    if (text != NULL) {
        ssize_t got = read(fd, text, 65536);

        len = got > 0 ? (size_t)got : 0;
        for (arg = text; arg < text + len; arg += strlen(arg) + 1)
            if (strncmp(arg, "--dep", 5) == 0 || strncmp(arg, "-d", 2) == 0 ||
                strncmp(arg, "--begin", 7) == 0 || strcmp(arg, "-b") == 0)
                found = true;
        free(text);
    }
    close(fd);
    return found;
}

static int check_lease(struct run *run, struct relay_error *err)
{
    struct lease lease;
    struct journal j;
    bool in_flight;
    struct gate_holder holder;
    int rc = 0;

    if (run->relayfd < 0)
        return 0;
    if (journal_read(run, &j, err) != 0)
        return -1;
    in_flight = journal_in_flight(&j);
    journal_free(&j);
    if (lease_read(run->relayfd, &lease, err) != 0)
        return -1;
    if (lease.kind == LEASE_FENCE && run->from_cluster[0] == '\0' &&
        !in_flight && strcmp(lease.moved_to, run->cfg.cluster) != 0)
        rc = relay_fail(err, EX_NOPERM,
                        "%s moved to %s (job %s); to bring it back: sbatch "
                        "--resume-key=%s --handoff-from=%s ...", run->key,
                        lease.moved_to, lease.moved_job, run->key,
                        lease.moved_to);
    else if (lease_held(&lease) && !is_chained() &&
             strcmp(run->from_cluster, run->cfg.cluster) != 0 &&
             strcmp(lease.owner.cluster, run->cfg.cluster) == 0 &&
             gate_look(run, &lease, NULL, &holder) == 0 && holder.alive &&
             !holder.ending)
        rc = gate_refuse(run, &lease, &holder, err);
    lease_free(&lease);
    return rc;
}

static void say_new(struct run *run)
{
    struct run_list list = {0};
    char *near = NULL;
    char *end;

    if (runs_list(run->root, &list, NULL) == 0 && run->name[0] != '\0')
        near = runs_nearest(&list, run->name, 1);
    if (near != NULL && near[0] != '\0') {
        end = strchr(near, '\n');
        if (end != NULL)
            *end = '\0';
        fprintf(stderr, "relay: %s (%.8s) is new here; nearest: %s\n",
                run->key, run->hash, near + strspn(near, " "));
    } else {
        fprintf(stderr, "relay: %s (%.8s) is new here\n", run->key,
                run->hash);
    }
    free(near);
    runs_free(&list);
}

static int check_state(struct run *run, struct relay_error *err)
{
    struct run_state_info info;
    char span[32];
    int rc = 0;

    if (run_state_look(run, &info, err) != 0)
        return -1;
    if (info.kind == STATE_GOOD && info.meta.completed) {
        rc = relay_fail(err, EX_DATAERR,
                        "%s is complete at step %" PRId64 "; to train on: "
                        "sresume reopen %s", run->key, info.meta.step,
                        run->key);
    } else if (run->from_cluster[0] != '\0') {
        fprintf(stderr, "relay: %s (%.8s) is handed over from %s when the "
                        "job starts\n", run->key, run->hash,
                run->from_cluster);
    } else if (info.kind == STATE_GOOD) {
        clock_span(clock_wall() - info.saved, span, sizeof(span));
        fprintf(stderr, "relay: %s (%.8s) resumes at step %" PRId64
                        ", saved %s ago\n", run->key, run->hash,
                info.meta.step, span);
    } else if (info.kind == STATE_BROKEN) {
        rc = relay_fail(err, EX_DATAERR, "the state of %s is broken: %s",
                        run->key, info.why);
    } else {
        say_new(run);
    }
    run_state_free(&info);
    return rc;
}

int stage_check(struct run *run, struct relay_error *err)
{
    if (run->from_cluster[0] != '\0' &&
        config_find(&run->cfg, run->from_cluster, err) == NULL)
        return -1;
    if (check_lease(run, err) != 0)
        return -1;
    return check_state(run, err);
}
