#include "jobenv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "gatefile.h"
#include "process.h"
#include "slurmenv.h"
#include "text.h"

/* The records, and the names of what was set, for RELAY_SET. */
struct records {
    struct text out;
    struct text names;
};

static void add_word(struct records *r, const char *word)
{
    text_add_len(&r->out, word, strlen(word) + 1);
    if (r->names.len > 0)
        text_add_char(&r->names, ' ');
    text_add_len(&r->names, word, strcspn(word, "="));
}

static void add(struct records *r, const char *name, const char *value)
{
    struct text word = {0};

    if (value == NULL)
        return;
    text_printf(&word, "%s=%s", name, value);
    if (word.failed)
        r->out.failed = true;
    else
        add_word(r, text_str(&word));
    text_free(&word);
}

static void add_int(struct records *r, const char *name, int64_t value)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRId64, value);
    add(r, name, text);
}

/* A cell's own, but for what was said already. */
static void add_cell(struct records *r, const struct cellenv *cell)
{
    const char *word;
    char name[128];
    size_t i;

    for (i = 0; i < cell->set.n; i++) {
        word = cell->set.word[i];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
        if (strcmp(name, "RELAY_SET") != 0 && !r->out.failed &&
            jobenv_get(text_str(&r->out), r->out.len, name) == NULL)
            add_word(r, word);
    }
    for (i = 0; i < cell->unset.n; i++) {
        word = cell->unset.word[i];
        if (!r->out.failed &&
            jobenv_get(text_str(&r->out), r->out.len, word) == NULL)
            text_add_len(&r->out, word, strlen(word) + 1);
    }
}

char *jobenv_make(const struct run *run, const char *run_dir,
                  const struct cellenv *cell, size_t *len)
{
    struct records r = {0};
    char dir[2048];

    run_state_dir(run, dir, sizeof(dir));
    add(&r, "RELAY_RESUME_KEY", run->key);
    add(&r, "RELAY_RESUME_HASH", run->hash);
    add(&r, "RELAY_RESUME_DIR", dir);
    if (run->found_step >= 0)
        add_int(&r, "RELAY_RESUME_STEP", run->found_step);
    add(&r, "RELAY_RUN_DIR", cell != NULL ? cell->dir : run_dir);
    add_int(&r, "RELAY_TERM", run->term);
    add(&r, "RELAY_RUN_NONCE", run->nonce);
    if (cell != NULL)
        add_cell(&r, cell);
    text_add(&r.names, " RELAY_SET");
    add(&r, "RELAY_SET", text_str(&r.names));
    if (r.names.failed)
        r.out.failed = true;
    text_free(&r.names);
    if (r.out.failed) {
        text_free(&r.out);
        return NULL;
    }
    *len = r.out.len;
    return r.out.s;
}

const char *jobenv_get(const char *env, size_t len, const char *name)
{
    size_t n = strlen(name);
    size_t at;

    for (at = 0; at < len; at += strlen(env + at) + 1)
        if (strncmp(env + at, name, n) == 0 && env[at + n] == '=')
            return env + at + n + 1;
    return NULL;
}

/* The directory that the verdict is below; -1 when it is not there. */
static int place(const struct run *run)
{
    return run->cell.sweep[0] != '\0' ? run->cell.fd : run->relayfd;
}

/* Nobody waits elsewhere: then an array of thousands leaves no trace in the
 * sweep. (The tasks of a `sresume run`, which is no cell, do wait.) */
static bool is_alone(const struct run *run)
{
    const char *nodes = slurmenv("SLURM_JOB_NUM_NODES");

    return run->cell.sweep[0] != '\0' && nodes != NULL &&
           strcmp(nodes, "1") == 0;
}

int jobenv_publish(const struct run *run, int code, const char *env,
                   size_t len, struct relay_error *err)
{
    if (slurmenv("SLURM_JOB_ID") == NULL || place(run) < 0 || is_alone(run))
        return 0; /* there are no other nodes */
    return gatefile_write(place(run), &run->self, code, env, len, err);
}

void jobenv_withdraw(const struct run *run)
{
    if (place(run) >= 0)
        gatefile_remove(place(run), &run->self);
}

int jobenv_look(const struct run *run, int *code, char **env, size_t *len,
                struct relay_error *err)
{
    return place(run) >= 0
               ? gatefile_read(place(run), &run->self, code, env, len, err)
               : 0;
}

int jobenv_wait(const struct run *run, int *code, char **env, size_t *len,
                struct relay_error *err)
{
    int rc = 0;

    while (rc == 0 && process_cancelled() == 0) {
        rc = jobenv_look(run, code, env, len, err);
        if (rc == 0)
            clock_sleep_ms(200);
    }
    if (rc != 0)
        return rc > 0 ? 0 : -1;
    return relay_fail(err, EX_TEMPFAIL, "ended while waiting for the first "
                                        "node's verdict");
}
