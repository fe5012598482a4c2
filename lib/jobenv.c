#include "jobenv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "process.h"
#include "slurmenv.h"

/* The names of what was set, for RELAY_SET. */
struct records {
    FILE *out;
    char names[512];
};

static void add(struct records *r, const char *name, const char *value)
{
    size_t used = strlen(r->names);

    if (value == NULL)
        return;
    fprintf(r->out, "%s=%s", name, value);
    putc('\0', r->out);
    snprintf(r->names + used, sizeof(r->names) - used, "%s%s",
             used > 0 ? " " : "", name);
}

static void add_int(struct records *r, const char *name, int64_t value)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRId64, value);
    add(r, name, text);
}

char *jobenv_make(const struct run *run, const char *run_dir, size_t *len)
{
    struct records r = {.names = ""};
    char dir[2048];
    char *text = NULL;
    char names[512];

    r.out = open_memstream(&text, len);
    if (r.out == NULL)
        return NULL;
    run_state_dir(run, dir, sizeof(dir));
    add(&r, "RELAY_RESUME_KEY", run->key);
    add(&r, "RELAY_RESUME_HASH", run->hash);
    add(&r, "RELAY_RESUME_DIR", dir);
    if (run->found_step >= 0)
        add_int(&r, "RELAY_RESUME_STEP", run->found_step);
    add(&r, "RELAY_RUN_DIR", run_dir);
    add_int(&r, "RELAY_TERM", run->term);
    add(&r, "RELAY_RUN_NONCE", run->nonce);
    snprintf(names, sizeof(names), "%.480s RELAY_SET", r.names);
    add(&r, "RELAY_SET", names);
    if (fclose(r.out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static void gate_file(const struct run *run, char *path, size_t size)
{
    snprintf(path, size, "gate/%s-%s-%" PRId64, run->self.cluster,
             run->self.job_id, run->self.restart);
}

int jobenv_publish(const struct run *run, int code, const char *env,
                   size_t len, struct relay_error *err)
{
    char path[256];
    char dir[2048];
    char *text;
    size_t head;
    int rc;

    if (slurmenv("SLURM_JOB_ID") == NULL)
        return 0; /* there are no other nodes */
    snprintf(dir, sizeof(dir), "%s/.relay/%s/gate", run->root, run->hash);
    if (file_make_dirs(dir, 0700, err) != 0)
        return -1;
    text = malloc(len + 32);
    if (text == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    head = (size_t)snprintf(text, 32, "relay-gate 1 %d\n", code);
    if (len > 0)
        memcpy(text + head, env, len);
    gate_file(run, path, sizeof(path));
    rc = file_write(run->relayfd, path, text, head + len, 0600, err);
    free(text);
    return rc;
}

void jobenv_withdraw(const struct run *run)
{
    char path[256];

    gate_file(run, path, sizeof(path));
    (void)unlinkat(run->relayfd, path, 0);
}

int jobenv_wait(const struct run *run, int *code, char **env, size_t *len,
                struct relay_error *err)
{
    char path[256];
    char *text = NULL;
    char *body;
    size_t size;

    gate_file(run, path, sizeof(path));
    while (process_cancelled() == 0) {
        text = file_read(run->relayfd, path, 1 << 20, &size, err);
        if (text != NULL || err->code != EX_NOINPUT)
            break;
        clock_sleep_ms(200);
    }
    if (text == NULL)
        return process_cancelled() != 0
                   ? relay_fail(err, EX_TEMPFAIL, "ended while waiting for "
                                                  "the first node's verdict")
                   : -1;
    body = memchr(text, '\n', size);
    if (body == NULL || sscanf(text, "relay-gate 1 %d", code) != 1) {
        free(text);
        return relay_fail(err, EX_DATAERR, "%s/.relay/%s/%s is damaged",
                          run->root, run->hash, path);
    }
    *len = size - (size_t)(body + 1 - text);
    memmove(text, body + 1, *len);
    *env = text;
    return 0;
}
