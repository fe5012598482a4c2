#include "source_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "jsonfile.h"

static int run_script(const struct source *src, int64_t wait_s,
                      const char *const *parts, const char *const *args,
                      int64_t deadline_ms, struct peer_reply *reply,
                      struct relay_error *err)
{
    size_t room = 1;
    size_t i;
    char *text;
    int rc;

    for (i = 0; parts[i] != NULL; i++)
        room += strlen(parts[i]) + 1;
    text = calloc(1, room);
    if (text == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    for (i = 0, room = 0; parts[i] != NULL; i++) {
        size_t len = strlen(parts[i]);

        memcpy(text + room, parts[i], len);
        text[room + len] = '\n';
        room += len + 1;
    }
    rc = peer_script_retry(src->peer, text, args, deadline_ms, wait_s,
                           src->say, src->say_arg, reply, err);
    free(text);
    if (rc == 0 && reply->exit_code != 0) {
        rc = relay_fail(err, EX_UNAVAILABLE,
                        "%s: a script there ended with %d: %s",
                        src->peer->name, reply->exit_code, reply->err);
        peer_reply_free(reply);
    }
    return rc;
}

int source_script(const struct source *src, const char *const *parts,
                  const char *const *args, int64_t deadline_ms,
                  struct peer_reply *reply, struct relay_error *err)
{
    return run_script(src, 0, parts, args, deadline_ms, reply, err);
}

int source_script_patiently(const struct source *src,
                            const char *const *parts, const char *const *args,
                            int64_t deadline_ms, struct peer_reply *reply,
                            struct relay_error *err)
{
    return run_script(src, src->wait_s, parts, args, deadline_ms, reply, err);
}

/* --- files --------------------------------------------------------------- */

/* Seconds with nine decimals in nanoseconds. */
static int take_time(const char *text, const char *end, int64_t *ns)
{
    char *at;
    long long sec = strtoll(text, &at, 10);
    long long frac = 0;
    int digits = 0;

    if (at == text)
        return -1;
    if (*at == '.') {
        for (at++; at < end && *at >= '0' && *at <= '9' && digits < 9;
             at++, digits++)
            frac = frac * 10 + (*at - '0');
    }
    for (; digits < 9; digits++)
        frac *= 10;
    *ns = sec * 1000000000 + frac;
    return *at == ' ' ? 0 : -1;
}

/* "SIZE SECONDS.NANOSECONDS INODE ./NAME" */
static int take_file(const char *line, size_t len, struct manifest *files,
                     struct relay_error *err)
{
    const char *end = line + len;
    const char *time = memchr(line, ' ', len);
    const char *inode = time != NULL
                            ? memchr(time + 1, ' ', (size_t)(end - time - 1))
                            : NULL;
    const char *name = inode != NULL
                           ? memchr(inode + 1, ' ', (size_t)(end - inode - 1))
                           : NULL;
    int64_t mtime;
    char *path;
    int rc;

    if (name == NULL || end - name < 4 || strncmp(name + 1, "./", 2) != 0 ||
        take_time(time + 1, end, &mtime) != 0)
        return relay_fail(err, EX_DATAERR,
                          "the list of files has a line that is none: %.*s",
                          len < 200 ? (int)len : 200, line);
    path = strndup(name + 3, (size_t)(end - name - 3));
    if (path == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    rc = manifest_add(files, path, strtoll(line, NULL, 10), mtime, NULL, err);
    free(path);
    return rc;
}

/* "DIGEST  NAME" or "DIGEST *NAME", NAME with or without "./". */
static void take_digest(const char *line, size_t len, struct manifest *files)
{
    const char *name = line + 66;
    size_t n;
    size_t i;

    if (len < 67 || strspn(line, "0123456789abcdef") != 64 ||
        line[64] != ' ' || (line[65] != ' ' && line[65] != '*'))
        return;
    n = len - 66;
    if (n > 2 && strncmp(name, "./", 2) == 0) {
        name += 2;
        n -= 2;
    }
    for (i = 0; i < files->n; i++) {
        struct manifest_file *f = &files->files[i];

        if (strlen(f->path) == n && memcmp(f->path, name, n) == 0) {
            snprintf(f->sha256, sizeof(f->sha256), "%.64s", line);
            return;
        }
    }
}

static const char *next_line(const char **at, const char *end, size_t *len)
{
    const char *line = *at;
    const char *stop;

    if (line >= end)
        return NULL;
    stop = memchr(line, '\n', (size_t)(end - line));
    *len = stop != NULL ? (size_t)(stop - line) : (size_t)(end - line);
    *at = line + *len + (stop != NULL);
    return line;
}

int source_take_files(const struct peer_reply *reply, bool digests,
                      struct manifest *files, struct relay_error *err)
{
    const char *at;
    const char *end;
    const char *line;
    size_t len;
    size_t i;

    memset(files, 0, sizeof(*files));
    at = peer_section(reply, "files", &len);
    if (at == NULL)
        return relay_fail(err, EX_UNAVAILABLE,
                          "the answer has no list of files");
    for (end = at + len; (line = next_line(&at, end, &len)) != NULL;) {
        if (take_file(line, len, files, err) != 0) {
            manifest_free(files);
            return -1;
        }
    }
    at = peer_section(reply, "digests", &len);
    for (end = at + len; at != NULL &&
                         (line = next_line(&at, end, &len)) != NULL;)
        take_digest(line, len, files);
    for (i = 0; digests && i < files->n; i++) {
        if (files->files[i].sha256[0] != '\0')
            continue;
        relay_fail(err, EX_UNAVAILABLE, "the answer has no digest of %s",
                   files->files[i].path);
        manifest_free(files);
        return -1;
    }
    return 0;
}

int source_take_meta(const struct peer_reply *reply, const char *where,
                     struct meta *meta, struct relay_error *err)
{
    size_t len;
    const char *text = peer_section(reply, "meta", &len);

    if (text == NULL)
        return relay_fail(err, EX_NOINPUT, "there is no %s in %s", META_FILE,
                          where);
    if (meta_parse(text, len, META_FILE, meta, err) != 0)
        return relay_fail_in(err, "%s", where);
    return 0;
}

int source_take_lease(const struct peer_reply *reply, struct lease *lease,
                      struct relay_error *err)
{
    int64_t gen = peer_int(reply, "gen", 0);
    struct json_object *body;
    size_t len;
    const char *text = peer_section(reply, "lease", &len);
    int rc;

    memset(lease, 0, sizeof(*lease));
    lease->step = -1;
    if (gen == 0)
        return 0;
    if (text == NULL)
        return relay_fail(err, EX_UNAVAILABLE,
                          "the lease record run.%lld cannot be read there",
                          (long long)gen);
    body = json_parse(text, len, "the lease record", err);
    if (body == NULL)
        return -1;
    rc = json_check_format(body, "the lease record", err);
    if (rc == 0)
        rc = lease_of_record(body, gen, lease, err);
    json_object_put(body);
    return rc;
}
