#include "owner.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "jsonfile.h"
#include "slurmenv.h"

static void copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from != NULL ? from : "");
}

uint64_t owner_pid_start(pid_t pid)
{
    char path[64];
    char *text, *at;
    uint64_t start = 0;
    int field;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    text = file_read(AT_FDCWD, path, 65536, NULL, NULL);
    if (text == NULL)
        return 0;
    /* The name, field 2, may hold blanks and brackets: count behind it. */
    at = strrchr(text, ')');
    for (field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (at != NULL)
        start = strtoull(at + 1, NULL, 10);
    free(text);
    return start;
}

static void read_boot_id(char *id, size_t size)
{
    char *text = file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 256,
                           NULL, NULL);

    copy(id, size, text);
    id[strcspn(id, "\n")] = '\0';
    free(text);
}

int owner_self(const char *cluster, const char *nonce, pid_t pid,
               struct owner *own, struct relay_error *err)
{
    const struct passwd *pw = getpwuid(getuid());
    const char *restart = slurmenv("SLURM_RESTART_COUNT");
    struct stat ns;

    memset(own, 0, sizeof(*own));
    copy(own->cluster, sizeof(own->cluster), cluster);
    copy(own->nonce, sizeof(own->nonce), nonce);
    slurmenv_job_id(own->job_id, sizeof(own->job_id));
    copy(own->job_raw, sizeof(own->job_raw), slurmenv("SLURM_JOB_ID"));
    copy(own->name, sizeof(own->name), slurmenv("SLURM_JOB_NAME"));
    if (restart != NULL)
        own->restart = strtoll(restart, NULL, 10);
    if (pw != NULL)
        copy(own->user, sizeof(own->user), pw->pw_name);
    else
        snprintf(own->user, sizeof(own->user), "%u", (unsigned)getuid());
    if (gethostname(own->host, sizeof(own->host) - 1) != 0)
        return relay_fail_errno(err, EX_OSERR, "gethostname");
    read_boot_id(own->boot_id, sizeof(own->boot_id));
    own->pid = pid;
    own->pid_start = owner_pid_start(pid);
    own->pid_ns = stat("/proc/self/ns/pid", &ns) == 0 ? ns.st_ino : 0;
    if (getcwd(own->dir, sizeof(own->dir)) == NULL)
        own->dir[0] = '\0'; /* for messages only */
    return 0;
}

static void add_text(struct json_object *obj, const char *name,
                     const char *text)
{
    json_add_str(obj, name, text[0] != '\0' ? text : NULL);
}

struct json_object *owner_to_json(const struct owner *own)
{
    struct json_object *obj = json_object_new_object();

    json_add_str(obj, "cluster", own->cluster);
    json_add_str(obj, "user", own->user);
    add_text(obj, "job_id", own->job_id);
    add_text(obj, "job_raw", own->job_raw);
    json_add_int(obj, "submit", own->submit);
    json_add_int(obj, "restart", own->restart);
    json_add_str(obj, "host", own->host);
    json_add_str(obj, "boot_id", own->boot_id);
    json_add_int(obj, "pid", own->pid);
    json_add_int(obj, "pid_start", (int64_t)own->pid_start);
    json_add_int(obj, "pid_ns", (int64_t)own->pid_ns);
    json_add_str(obj, "dir", own->dir);
    json_add_str(obj, "name", own->name);
    /* A reinstate or a fence names an owner whose nonce is not its own. */
    if (own->nonce[0] != '\0')
        json_add_str(obj, "nonce", own->nonce);
    return obj;
}

void owner_from_json(struct json_object *obj, const char *nonce,
                     struct owner *own)
{
    memset(own, 0, sizeof(*own));
    copy(own->nonce, sizeof(own->nonce), json_str(obj, "nonce", nonce));
    copy(own->cluster, sizeof(own->cluster), json_str(obj, "cluster", ""));
    copy(own->user, sizeof(own->user), json_str(obj, "user", ""));
    copy(own->job_id, sizeof(own->job_id), json_str(obj, "job_id", ""));
    copy(own->job_raw, sizeof(own->job_raw), json_str(obj, "job_raw", ""));
    own->submit = json_int(obj, "submit", 0);
    own->restart = json_int(obj, "restart", 0);
    copy(own->host, sizeof(own->host), json_str(obj, "host", ""));
    copy(own->boot_id, sizeof(own->boot_id), json_str(obj, "boot_id", ""));
    own->pid = (pid_t)json_int(obj, "pid", 0);
    own->pid_start = (uint64_t)json_int(obj, "pid_start", 0);
    own->pid_ns = (uint64_t)json_int(obj, "pid_ns", 0);
    copy(own->dir, sizeof(own->dir), json_str(obj, "dir", ""));
    copy(own->name, sizeof(own->name), json_str(obj, "name", ""));
}

bool owner_same_job(const struct owner *a, const struct owner *b)
{
    if (a->job_id[0] == '\0' || b->job_id[0] == '\0')
        return false;
    return strcmp(a->cluster, b->cluster) == 0 &&
           strcmp(a->job_id, b->job_id) == 0 &&
           (a->submit == 0 || b->submit == 0 || a->submit == b->submit);
}

bool owner_same_process(const struct owner *a, const struct owner *b)
{
    return a->pid == b->pid && a->pid_start == b->pid_start &&
           strcmp(a->host, b->host) == 0 &&
           strcmp(a->boot_id, b->boot_id) == 0;
}

void owner_describe(const struct owner *own, char *text, size_t size)
{
    const char *user = own->user[0] != '\0' ? own->user : "an unknown user";
    const char *cluster = own->cluster[0] != '\0' ? own->cluster
                                                  : "an unknown cluster";
    const char *host = own->host[0] != '\0' ? own->host : "unknown";

    if (own->job_id[0] != '\0')
        snprintf(text, size, "job %s of %s on %s (node %s)", own->job_id,
                 user, cluster, host);
    else
        snprintf(text, size, "process %d of %s on %s (host %s)",
                 (int)own->pid, user, cluster, host);
}
