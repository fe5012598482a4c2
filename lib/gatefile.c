#include "gatefile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"

#define HEAD "relay-gate 1 "
#define MAX_ENV (1 << 20)

static void name_of(const struct owner *self, char *path, size_t size)
{
    snprintf(path, size, "gate/%s-%s-%" PRId64, self->cluster, self->job_id,
             self->restart);
}

int gatefile_write(int dirfd, const struct owner *self, int code,
                   const char *env, size_t len, struct relay_error *err)
{
    char path[256];
    char *text;
    size_t head;
    int rc;

    /* A run's records are their user's anyway; a sweep may be a group's. */
    if (mkdirat(dirfd, "gate", 0777) != 0 && errno != EEXIST)
        return relay_fail_errno(err, EX_CANTCREAT, "cannot make gate/");
    text = malloc(len + 32);
    if (text == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    head = (size_t)snprintf(text, 32, HEAD "%d\n", code);
    if (len > 0)
        memcpy(text + head, env, len);
    name_of(self, path, sizeof(path));
    rc = file_write(dirfd, path, text, head + len, 0600, err);
    free(text);
    return rc;
}

void gatefile_remove(int dirfd, const struct owner *self)
{
    char path[256];

    name_of(self, path, sizeof(path));
    (void)unlinkat(dirfd, path, 0);
}

int gatefile_read(int dirfd, const struct owner *self, int *code, char **env,
                  size_t *len, struct relay_error *err)
{
    struct relay_error why = {0};
    char path[256], where[1200];
    char *text, *body;
    size_t size;

    name_of(self, path, sizeof(path));
    text = file_read(dirfd, path, MAX_ENV, &size, &why);
    if (text == NULL)
        return why.code == EX_NOINPUT
                   ? 0 : relay_fail(err, why.code, "%s", why.text);
    body = memchr(text, '\n', size);
    if (body == NULL || sscanf(text, HEAD "%d", code) != 1) {
        free(text);
        return relay_fail(err, EX_DATAERR, "%s is damaged",
                          file_where(dirfd, path, where, sizeof(where)));
    }
    *len = size - (size_t)(body + 1 - text);
    memmove(text, body + 1, *len);
    *env = text;
    return 1;
}
