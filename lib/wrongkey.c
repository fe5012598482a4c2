#include "wrongkey.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "history.h"
#include "lease.h"
#include "runs.h"

/* A look at the neighbours reads every meta of the root. */
enum { FIRST_MS = 900000, LEAST_MS = 60000, PAUSE_MS = 300000 };

void wrongkey_begin(struct wrongkey *w, struct run *run)
{
    memset(w, 0, sizeof(*w));
    w->began = clock_ms();
    w->looked = w->began - PAUSE_MS;
    w->server = run_server_time(run);
}

static int64_t patience_ms(const struct run *run)
{
    struct json_object *events = history_read(run->relayfd, NULL);
    int64_t interval = 0;

    if (events != NULL)
        interval = history_interval(events);
    json_object_put(events);
    return interval > 0 ? 3000 * interval : FIRST_MS;
}

/* Who has a lease writes there with every right. */
static bool has_owner(const struct run *run, const char *hash)
{
    struct lease lease;
    char name[64];
    bool held;
    int fd;

    snprintf(name, sizeof(name), ".relay/%.40s", hash);
    fd = openat(run->rootfd, name,
                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    held = lease_read(fd, &lease, NULL) != 0 || lease_held(&lease);
    lease_free(&lease);
    close(fd);
    return held;
}

bool wrongkey_neighbour(const struct run *run, int64_t since, char *hash,
                        char *name, size_t name_size)
{
    struct run_list list = {0};
    const struct run_entry *one;
    bool found = false;
    size_t i;

    if (runs_list(run->root, &list, NULL) != 0)
        return false;
    for (i = 0; i < list.n && !found; i++) {
        one = &list.runs[i];
        if (strcmp(one->hash, run->hash) == 0 || one->mtime <= since ||
            has_owner(run, one->hash))
            continue;
        found = true;
        snprintf(hash, sizeof(one->hash), "%s", one->hash);
        snprintf(name, name_size, "%s", one->name != NULL ? one->name : "");
    }
    runs_free(&list);
    return found;
}

bool wrongkey_look(struct wrongkey *w, struct run *run, int64_t saved)
{
    int64_t now = clock_ms();
    char name[256];
    char hash[41];

    if (!w->begun)
        w->saved = saved;
    w->begun = true;
    w->over = w->over || saved != w->saved; /* the key is the training's */
    /* Cheap first: only a long silence is worth a look at the others. */
    if (w->over || w->server == 0 || now - w->began < LEAST_MS ||
        now - w->looked < PAUSE_MS || now - w->began < patience_ms(run))
        return false;
    w->looked = now;
    if (!wrongkey_neighbour(run, w->server, hash, name, sizeof(name)))
        return false;
    w->over = true;
    run_say(run, "nothing was written in %s/%s, but %s (%s) changes, which "
                 "nobody has the lease of: does the training compute another "
                 "key than --resume-key=%s?", run->root, run->hash, hash,
            name[0] != '\0' ? name : "no name", run->key);
    return true;
}
