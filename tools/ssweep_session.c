#include "ssweep_session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "digest.h"
#include "file.h"
#include "liveness.h"


static char *absolute(const char *path, struct relay_error *err)
{
    char dir[PATH_MAX];
    char *whole = NULL;

    if (path[0] == '/') {
        whole = strdup(path);
    } else {
        if (getcwd(dir, sizeof(dir)) == NULL) {
            relay_fail_errno(err, EX_IOERR, "no working directory");
            return NULL;
        }
        if (asprintf(&whole, "%s/%s", dir, path) < 0)
            whole = NULL;
    }
    if (whole == NULL)
        relay_fail(err, EX_OSERR, "out of memory");
    return whole;
}

static int open_owner(const struct session_how *how, struct session *s,
                      struct relay_error *err)
{
    pid_t pid = how->owner_pid > 0 ? (pid_t)how->owner_pid : getpid();

    if (how->nonce != NULL && how->nonce[0] == '\0')
        return relay_fail(err, EX_USAGE, "--nonce= is empty");
    if (owner_self(s->cfg.cluster, "", pid, &s->own, err) != 0)
        return -1;
    if (s->own.pid_start == 0)
        return relay_fail(err, EX_USAGE, "--owner-pid=%" PRId64 ": there is "
                                         "no such process on this host",
                          how->owner_pid);
    if (how->in_job && s->own.job_raw[0] != '\0')
        (void)liveness_self(&s->own); /* else by the environment */
    return 0;
}

/* Where the resume directories of this cluster are, when that is known. Who
 * only looks can do without. */
static int open_resume_root(const struct session_how *how, const char *dir,
                            struct session *s, struct relay_error *err)
{
    const struct config_cluster *here =
        s->cfg.cluster != NULL ? config_find(&s->cfg, s->cfg.cluster, NULL)
                               : NULL;
    struct config_names names = {.entity = s->sweep.entity,
                                 .project = s->sweep.project,
                                 .workdir = dir};
    struct owner self;

    if (here == NULL || here->resume_root == NULL)
        return 0;
    if (owner_self(s->cfg.cluster, "", getpid(), &self, err) != 0)
        return -1;
    names.user = self.user;
    s->resume_root = config_path(&s->cfg, here->resume_root, &names, err);
    return s->resume_root != NULL || !how->change ? 0 : -1;
}

int session_open(const struct session_how *how, struct session *s,
                 struct relay_error *err)
{
    struct queue_options opt = {.read_only = !how->change};
    char dir[PATH_MAX];

    memset(s, 0, sizeof(*s));
    s->sweep.fd = -1;
    if (getcwd(dir, sizeof(dir)) == NULL)
        return relay_fail_errno(err, EX_IOERR, "no working directory");
    if (config_load(NULL, dir, &s->cfg, err) != 0)
        return -1;
    if (how->out_root != NULL &&
        (s->out_root = absolute(how->out_root, err)) == NULL)
        return -1;
    if (sweep_open(how->sweep, &s->sweep, err) != 0 ||
        open_resume_root(how, dir, s, err) != 0)
        return -1;
    if (!how->change)
        return queue_open(&s->sweep, NULL, &opt, &s->queue, err);
    if (faccessat(s->sweep.fd, ".", W_OK | X_OK, AT_EACCESS) != 0)
        return relay_fail_errno(err, EX_CANTCREAT, "%s may not be written",
                                s->sweep.path);
    if (open_owner(how, s, err) != 0)
        return -1;
    opt.nonce = how->nonce;
    return queue_open(&s->sweep, &s->own, &opt, &s->queue, err);
}

void session_close(struct session *s)
{
    if (s->queue != NULL)
        queue_close(s->queue);
    sweep_close(&s->sweep);
    free(s->out_root);
    free(s->resume_root);
    config_free(&s->cfg);
    memset(s, 0, sizeof(*s));
    s->sweep.fd = -1;
}

int session_refresh(struct session *s, struct relay_error *err)
{
    int rc = 0;

    if (faccessat(s->sweep.fd, ".", W_OK | X_OK, AT_EACCESS) == 0)
        rc = sweep_refresh(&s->sweep, queue_is_claimed, s->queue, err);
    if (s->sweep.note[0] != '\0')
        fprintf(stderr, SSWEEP ": warning: %s\n", s->sweep.note);
    s->sweep.note[0] = '\0';
    return rc < 0 ? -1 : queue_refresh(s->queue, err);
}

int session_look(struct session *s, struct relay_error *err)
{
    struct relay_error changed = {0};

    if (session_refresh(s, &changed) == 0)
        return 0;
    if (changed.code != EX_DATAERR)
        return relay_fail(err, changed.code, "%s", changed.text);
    if (!s->warned)
        (void)cli_fail(SSWEEP, &changed);
    s->warned = true;
    return queue_refresh(s->queue, err);
}

/* A cell's key may be none (of a run_id with odd letters): then it has no
 * resume directory. */
static int find_state_dir(const struct session *s, struct session_cell *c,
                          struct relay_error *err)
{
    if (sweep_cell_key(&s->sweep, c->cell.id, c->key, sizeof(c->key), NULL) !=
            0 ||
        digest_key(c->key, c->hash, NULL) != 0) {
        c->key[0] = c->hash[0] = '\0';
        return 0;
    }
    if (s->resume_root == NULL)
        return 0;
    if (asprintf(&c->state_dir, "%s/%s", s->resume_root, c->hash) < 0)
        c->state_dir = NULL;
    return c->state_dir != NULL ? 0
                                : relay_fail(err, EX_OSERR, "out of memory");
}

int session_cell(const struct session *s, uint64_t index,
                 struct session_cell *c, struct relay_error *err)
{
    memset(c, 0, sizeof(*c));
    if (roster_cell(s->sweep.roster, index, &c->cell, err) != 0)
        return -1;
    c->dir = sweep_cell_dir(&s->sweep, &c->cell, s->out_root, err);
    if (c->dir == NULL)
        return -1;
    snprintf(c->log, sizeof(c->log), "%s/stdout.log", c->dir);
    return find_state_dir(s, c, err);
}

void session_cell_free(struct session_cell *c)
{
    cell_free(&c->cell);
    free(c->dir);
    free(c->state_dir);
    memset(c, 0, sizeof(*c));
}

size_t session_contract(const struct session *s, char ***checks)
{
    const struct roster_info *info = roster_info(s->sweep.roster);

    if (info->lines != NULL && info->lines->ndone > 0) {
        *checks = info->lines->done;
        return info->lines->ndone;
    }
    *checks = s->cfg.done;
    return s->cfg.ndone;
}

void session_judge(const struct session *s, const struct session_cell *c,
                   int status, struct outcome *out)
{
    struct outcome_facts facts = {.dir = c->dir,
                                  .state_dir = c->state_dir,
                                  .log = c->log,
                                  .status = status,
                                  .deep = true};
    char **checks;

    facts.n = session_contract(s, &checks);
    facts.checks = checks;
    memset(out, 0, sizeof(*out));
    outcome_judge(&facts, out);
}

uint64_t session_left(const struct board_counts *counts)
{
    return counts->of[CELL_WAITING] + counts->of[CELL_PARTIAL] +
           counts->of[CELL_RUNNING];
}

int64_t session_eta(const struct board_counts *counts)
{
    uint64_t left = session_left(counts);

    if (left == 0)
        return 0;
    if (counts->of[CELL_RUNNING] == 0 || counts->seconds <= 0)
        return -1;
    return (int64_t)(counts->seconds * (double)left /
                     (double)counts->of[CELL_RUNNING]);
}

void session_line(const struct board_counts *counts, char *text, size_t size)
{
    int64_t eta = session_eta(counts);
    char span[32];
    size_t used = 0;
    int i;

    text[0] = '\0';
    for (i = 0; i < CELL_STATES && used < size; i++) {
        if (counts->of[i] == 0 && i != CELL_DONE)
            continue;
        used += (size_t)snprintf(text + used, size - used,
                                 "%s%" PRIu64 " %s", used > 0 ? ", " : "",
                                 counts->of[i], cell_state_name(i));
    }
    if (used >= size)
        return;
    if (session_left(counts) > 0 && counts->of[CELL_RUNNING] == 0)
        snprintf(text + used, size - used, "; nobody works on it");
    if (eta <= 0)
        return;
    clock_span(eta, span, sizeof(span));
    snprintf(text + used, size - used, "; about %s left", span);
}
