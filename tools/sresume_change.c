/*
 * sresume reset, reopen, unlock: what only a person may decide. Each links a
 * record, so that it excludes a job that starts at the same moment, and says
 * in it who did it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "gate.h"
#include "journal.h"
#include "jsonfile.h"
#include "sresume.h"

/* Takes the lease for this tool: a job that starts now is refused. */
static int claim(struct run *run, const char *why, struct lease *lease,
                 struct relay_error *err)
{
    struct gate_claim want = {.step = -1};

    if (run->self.job_id[0] != '\0')
        (void)liveness_self(&run->self); /* else by the environment */
    if (gate_claim(run, &want, lease, err) != 0)
        return relay_fail_in(err, "%s", why);
    return 0;
}

/* Links kind after the lease we hold. */
static int link_after(struct run *run, const struct lease *lease,
                      const char *kind, struct json_object *extra,
                      struct relay_error *err)
{
    int won = lease_link(run->relayfd, lease->gen, kind, lease->term,
                         &run->self, extra, err);

    if (won < 0)
        return -1;
    if (won == 0)
        return relay_fail(err, EX_TEMPFAIL, "%s: somebody else took the run "
                                            "meanwhile; look with '" SRESUME
                                            " show' and try again", run->key);
    return 0;
}

/* Gives back a claim after a failure; what failed is the news, not this. */
static void give_back(struct run *run)
{
    (void)gate_release(run, -1, "aborted", -1, NULL);
}

static struct json_object *signed_by(const struct run *run)
{
    struct json_object *extra = json_object_new_object();

    json_add_str(extra, "by", run->self.user);
    if (!key_is_hash(run->key))
        json_add_str(extra, "key", run->key);
    return extra;
}

/* ---- reset ------------------------------------------------------------ */

/* <root>/<hash> becomes .relay/<hash>/aside-<time>. A directory that is not
 * there is fine: an earlier reset got so far. */
static int move_aside(struct run *run, char *aside, size_t size,
                      struct relay_error *err)
{
    char to[160];

    snprintf(aside, size, "aside-%" PRId64, clock_wall());
    snprintf(to, sizeof(to), ".relay/%s/%s", run->hash, aside);
    if (faccessat(run->rootfd, run->hash, F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT)
            return relay_fail_errno(err, EX_IOERR, "%s/%s", run->root,
                                    run->hash);
        aside[0] = '\0';
        return 0;
    }
    if (faccessat(run->rootfd, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return relay_fail(err, EX_TEMPFAIL, "%s/%s exists: try again",
                          run->root, to);
    if (file_rename(run->rootfd, run->hash, to, err) != 0)
        return -1;
    if (fsync(run->relayfd) != 0)
        return relay_fail_errno(err, EX_IOERR, "%s/%s", run->root, to);
    return 0;
}

static int reset(struct run *run, struct relay_error *err)
{
    struct json_object *extra = NULL;
    struct lease lease;
    char aside[64];
    int status;

    if (claim(run, "nothing was moved", &lease, err) != 0)
        return -1;
    status = move_aside(run, aside, sizeof(aside), err);
    if (status == 0)
        status = run_forget_lost(run, err);
    if (status == 0)
        status = journal_give_up(run, "reset", err);
    if (status == 0) {
        extra = signed_by(run);
        json_add_str(extra, "aside", aside[0] != '\0' ? aside : NULL);
        status = link_after(run, &lease, "reset", extra, err);
        json_object_put(extra);
    } else {
        give_back(run);
    }
    lease_free(&lease);
    if (status != 0)
        return -1;
    if (aside[0] != '\0')
        printf("%s: the state is in %s/.relay/%s/%s; the next job begins at "
               "step 0\n", run->key, run->root, run->hash, aside);
    else
        printf("%s: there was no state; the next job begins at step 0\n",
               run->key);
    return 0;
}

/* ---- reopen ----------------------------------------------------------- */

static int write_open(struct run *run, struct relay_error *err)
{
    struct meta meta;
    struct stat st;
    size_t len = 0;
    char *text;
    int status = -1;
    int dirfd = openat(run->rootfd, run->hash,
                       O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dirfd < 0)
        return relay_fail_errno(err, EX_DATAERR, "%s has no state in %s",
                                run->key, run->root);
    if (meta_read(dirfd, run->hash, &meta, err) == 0) {
        text = meta_splice(meta.text, meta.len, "completed", "false", &len,
                           err);
        if (!meta.completed)
            relay_fail(err, EX_DATAERR, "%s is not completed: nothing to "
                                        "reopen", run->key);
        else if (text != NULL && fstatat(dirfd, META_FILE, &st, 0) != 0)
            relay_fail_errno(err, EX_IOERR, "%s/" META_FILE, run->hash);
        else if (text != NULL)
            status = file_write(dirfd, META_FILE, text, len,
                                st.st_mode & 0777, err);
        free(text);
    }
    meta_free(&meta);
    close(dirfd);
    return status;
}

static int check_completed(struct run *run, struct relay_error *err)
{
    struct run_state_info info;
    bool completed;

    if (run_state_look(run, &info, err) != 0)
        return -1;
    completed = info.kind == STATE_GOOD && info.meta.completed;
    run_state_free(&info);
    if (completed)
        return 0;
    return relay_fail(err, EX_DATAERR,
                      "%s is not completed in %s: nothing to reopen",
                      run->key, run->root);
}

static int reopen(struct run *run, struct relay_error *err)
{
    struct json_object *extra;
    struct lease lease;
    int status;

    if (check_completed(run, err) != 0 ||
        claim(run, "not reopened", &lease, err) != 0)
        return -1;
    status = write_open(run, err);
    if (status == 0) {
        extra = signed_by(run);
        status = link_after(run, &lease, "reopen", extra, err);
        json_object_put(extra);
    } else {
        give_back(run);
    }
    lease_free(&lease);
    if (status == 0)
        printf("%s: open again; the next job trains on from its step\n",
               run->key);
    return status;
}

/* ---- unlock ----------------------------------------------------------- */

static int check_unlock(struct run *run, const struct lease *lease,
                        int64_t gen, struct relay_error *err)
{
    char who[300];
    char why[512];

    owner_describe(&lease->owner, who, sizeof(who));
    if (lease->gen != gen)
        return relay_fail(err, EX_NOPERM,
                          "%s: the lease is at generation %" PRId64 " now, not "
                          "%" PRId64 " (%s by %s): look again with '" SRESUME
                          " show'", run->key, lease->gen, gen,
                          lease_kind_name(lease->kind), who);
    if (lease->kind == LEASE_FENCE)
        return relay_fail(err, EX_NOPERM,
                          "%s moved to %s: nobody here holds it; to bring it "
                          "back: sbatch --resume-key=%s --handoff-from=%s ...",
                          run->key, lease->moved_to, run->key,
                          lease->moved_to);
    if (!lease_held(lease))
        return relay_fail(err, EX_DATAERR, "%s: nobody holds it: nothing to "
                                           "unlock", run->key);
    if (place_evidence(run, lease, why, sizeof(why)) == ALIVE_YES)
        return relay_fail(err, EX_NOPERM, "%s: %s is alive: %s", run->key, who,
                          why);
    return 0;
}

static int unlock(struct run *run, int64_t gen, struct relay_error *err)
{
    struct json_object *extra;
    struct lease lease;
    int status;

    if (run->relayfd < 0)
        return relay_fail(err, EX_DATAERR, "%s has no lease in %s", run->key,
                          run->root);
    if (lease_read(run->relayfd, &lease, err) != 0)
        return -1;
    status = check_unlock(run, &lease, gen, err);
    if (status == 0) {
        extra = signed_by(run);
        json_add_int(extra, "unlocked_gen", gen);
        status = link_after(run, &lease, "unlock", extra, err);
        json_object_put(extra);
    }
    lease_free(&lease);
    if (status == 0)
        printf("%s: generation %" PRId64 " is unlocked; the next job may run\n",
               run->key, gen);
    return status;
}

/* ---- commands --------------------------------------------------------- */

static int simple_command(const struct cli_spec *spec, struct place *place,
                          int argc, char **argv,
                          int (*change)(struct run *, struct relay_error *))
{
    struct relay_error err = {0};
    struct run run;
    char **args;
    int nargs, code;

    if (cli_parse(spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    if (place_open_known(place, args[0], &run, &err) != 0 ||
        change(&run, &err) != 0)
        code = cli_fail(SRESUME, &err);
    run_close(&run);
    return code;
}

int sresume_reset(int argc, char **argv)
{
    struct place place = {0};
    const struct cli_option options[] = {PLACE_OPTIONS(place),
                                         {.name = NULL}};
    const struct cli_spec spec = {
        SRESUME, "reset", "[OPTION]... KEY",
        "Moves the state aside (it is kept, never deleted), so that the next\n"
        "job begins at step 0. Refused while the run may be running.",
        options, 1, 1};

    return simple_command(&spec, &place, argc, argv, reset);
}

int sresume_reopen(int argc, char **argv)
{
    struct place place = {0};
    const struct cli_option options[] = {PLACE_OPTIONS(place),
                                         {.name = NULL}};
    const struct cli_spec spec = {
        SRESUME, "reopen", "[OPTION]... KEY",
        "Lets a completed run train on: completed becomes false in\n" META_FILE
        ".",
        options, 1, 1};

    return simple_command(&spec, &place, argc, argv, reopen);
}

int sresume_unlock(int argc, char **argv)
{
    struct place place = {0};
    int64_t gen = -1;
    const struct cli_option options[] = {
        {"gen", '\0', CLI_INT, &gen, "G",
         "the generation that 'show' printed (needed)"},
        PLACE_OPTIONS(place),
        {.name = NULL}};
    const struct cli_spec spec = {
        SRESUME, "unlock", "[OPTION]... KEY --gen=G",
        "Declares the owner of generation G dead, when nothing can be found\n"
        "out about it and you know. Refused when the owner is alive or has\n"
        "changed; recorded with your name and the time.",
        options, 1, 1};
    struct relay_error err = {0};
    struct run run;
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    if (gen < 0) {
        relay_fail(&err, EX_USAGE, "--gen=G is needed: '" SRESUME
                                   " show %s' prints it", args[0]);
        return cli_fail(SRESUME, &err);
    }
    if (place_open_known(&place, args[0], &run, &err) != 0 ||
        unlock(&run, gen, &err) != 0)
        code = cli_fail(SRESUME, &err);
    run_close(&run);
    return code;
}
