#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "remote_scripts.h"
#include "source_script.h"

/* Reading and digesting 'all' of a run directory may take its time. */
enum { RUN_DIR_MS = 30 * 60 * 1000 };

int source_run_files(const struct source *src, const char *dir, int64_t below,
                     bool digests, struct manifest *files, int64_t *others,
                     struct relay_error *err)
{
    const char *parts[] = {remote_tree, remote_rundir, NULL};
    const char *prefix = source_copy_with(src);
    char max[24] = "";
    const char *args[] = {dir, max, prefix, digests ? "" : "list", NULL};
    struct peer_reply reply;
    char state[32] = "";
    char why[512] = "";
    int rc = 0;

    memset(files, 0, sizeof(*files));
    if (below > 0)
        snprintf(max, sizeof(max), "%" PRId64, below);
    if (source_script_patiently(src, parts, args, RUN_DIR_MS, &reply, err) !=
        0)
        return -1;
    peer_value(&reply, "state", state, sizeof(state));
    peer_value(&reply, "why", why, sizeof(why));
    *others = peer_int(&reply, "others", 0);
    if (strcmp(state, "ok") == 0)
        rc = source_take_files(&reply, digests, files, err);
    else if (strcmp(state, "none") != 0)
        rc = relay_fail(err, EX_IOERR, "%s: %s", src->peer->name,
                        why[0] != '\0' ? why : "no answer to be understood");
    peer_reply_free(&reply);
    return rc;
}
