#include "metadata.h"

#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "clock.h"
#include "file.h"
#include "jsonfile.h"

/* --- the environment ----------------------------------------------------- */

static bool begins(const char *word, const char *with)
{
    return strncmp(word, with, strlen(with)) == 0;
}

static bool name_has(const char *word, const char *part)
{
    size_t len = strcspn(word, "=");
    size_t n = strlen(part);
    size_t i;

    for (i = 0; i + n <= len; i++) {
        if (strncasecmp(word + i, part, n) == 0)
            return true;
    }
    return false;
}

bool metadata_may_keep(const char *word)
{
    static const char *const kept[] = {
        "RELAY_", "WANDB_", "CUDA_VISIBLE_DEVICES=", "SLURM_JOB_ID=",
        "SLURM_JOB_NAME=", "SLURM_JOB_PARTITION=", "SLURM_JOB_NODELIST=",
        "SLURM_ARRAY_JOB_ID=", "SLURM_ARRAY_TASK_ID=", "SLURM_CLUSTER_NAME=",
        "SLURM_RESTART_COUNT=", "SLURM_PROCID=", "SLURM_LOCALID=",
        "CONDA_DEFAULT_ENV=", "CONDA_PREFIX=", "VIRTUAL_ENV=",
        "LOADEDMODULES=", "OMP_NUM_THREADS=",
    };
    static const char *const secret[] = {"KEY", "TOKEN", "SECRET", "PASSW",
                                         "CREDENTIAL", "AUTH", "COOKIE",
                                         "NONCE"};
    /* Of all that has KEY in its name this is an identity. */
    bool identity = begins(word, "RELAY_RESUME_KEY=");
    const char *value = strchr(word, '=');
    const char *url;
    size_t i;
    bool keep = false;

    for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        keep = keep || begins(word, kept[i]);
    for (i = 0; keep && i < sizeof(secret) / sizeof(secret[0]); i++)
        keep = identity || !name_has(word, secret[i]);
    url = value != NULL ? strstr(value, "://") : NULL;
    return keep && (url == NULL || strchr(url, '@') == NULL);
}

static struct json_object *kept_env(char *const *env)
{
    struct json_object *obj = json_object_new_object();
    char name[128];

    for (; env != NULL && *env != NULL; env++) {
        size_t len = strcspn(*env, "=");

        if (!metadata_may_keep(*env) || len >= sizeof(name) ||
            (*env)[len] != '=')
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)len, *env);
        json_add_str(obj, name, *env + len + 1);
    }
    return obj;
}

/* --- writing ------------------------------------------------------------- */

static void add_time(struct json_object *obj, const char *name, int64_t time)
{
    char text[32];

    if (time > 0)
        clock_iso(time, text, sizeof(text));
    json_add_str(obj, name, time > 0 ? text : NULL);
}

/* The parameters by way of their JSON: floats keep their spelling. */
static struct json_object *params_object(const struct value *params)
{
    struct text text = {0};
    struct json_object *obj;

    value_json(params, &text);
    obj = json_parse(text_str(&text), text.len, "parameters", NULL);
    text_free(&text);
    return obj;
}

static struct json_object *argv_array(char *const *argv)
{
    struct json_object *list = json_object_new_array();

    for (; argv != NULL && *argv != NULL; argv++)
        json_object_array_add(list, json_object_new_string(*argv));
    return list;
}

static struct json_object *git_object(const struct gitinfo *git)
{
    struct json_object *obj;

    if (git == NULL || !git->known)
        return NULL;
    obj = json_object_new_object();
    json_add_str(obj, "commit", git->commit);
    json_add_str(obj, "branch", git->branch[0] != '\0' ? git->branch : NULL);
    json_add_bool(obj, "dirty", git->dirty);
    return obj;
}

static void add_end(struct json_object *obj, const struct metadata *m)
{
    add_time(obj, "ended", m->ended);
    if (m->ended == 0)
        return;
    json_add_int(obj, "seconds", m->seconds);
    if (m->status >= 0 && WIFEXITED(m->status))
        json_add_int(obj, "exit_status", WEXITSTATUS(m->status));
    else if (m->status >= 0 && WIFSIGNALED(m->status))
        json_add_int(obj, "signal", WTERMSIG(m->status));
    json_add_str(obj, "state", cell_state_name(m->state));
    json_add_str(obj, "cause", m->cause);
    json_add_str(obj, "why", m->why != NULL && m->why[0] != '\0' ? m->why
                                                                  : NULL);
    if (m->step >= 0)
        json_add_int(obj, "step", m->step);
    if (m->first_checkpoint >= 0)
        json_add_int(obj, "first_checkpoint_seconds", m->first_checkpoint);
}

static void add_place(struct json_object *obj, const struct metadata *m)
{
    const struct owner *own = m->own;

    json_add_str(obj, "host", own->host);
    json_add_str(obj, "user", own->user);
    json_add_str(obj, "cluster", own->cluster[0] != '\0' ? own->cluster
                                                         : NULL);
    json_add_str(obj, "job_id", own->job_id[0] != '\0' ? own->job_id : NULL);
    json_add_int(obj, "worker_pid", own->pid);
    json_add_str(obj, "gpus", m->gpus);
    json_add_str(obj, "workdir", m->workdir);
    if (m->output != NULL && m->output[0] != '\0')
        json_add_str(obj, "output", m->output);
    json_object_object_add(obj, "git", git_object(m->git));
}

int metadata_write(const char *dir, const struct metadata *m,
                   struct relay_error *err)
{
    struct json_object *obj = json_object_new_object();
    char path[4200];
    int rc;

    snprintf(path, sizeof(path), "%s/" CELL_METADATA, dir);
    json_add_int(obj, "format", 1);
    json_add_str(obj, "sweep", m->sweep);
    json_add_str(obj, "sweep_name", m->name);
    json_add_str(obj, "id", m->id);
    json_add_int(obj, "index", (int64_t)m->index);
    json_add_int(obj, "gen", m->gen);
    json_add_int(obj, "attempt", m->attempt);
    json_add_int(obj, "redone", m->redone);
    json_object_object_add(obj, "params", params_object(m->params));
    json_object_object_add(obj, "argv", argv_array(m->argv));
    add_place(obj, m);
    json_object_object_add(obj, "environment", kept_env(m->env));
    add_time(obj, "started", m->started);
    add_end(obj, m);
    rc = m->ended != 0 ? json_save(AT_FDCWD, path, obj, err)
                       : json_save_plain(AT_FDCWD, path, obj, err);
    json_object_put(obj);
    return rc;
}

/* --- reading ------------------------------------------------------------- */

void metadata_read(const char *dir, const char *id,
                   struct metadata_last *last)
{
    struct json_object *obj;
    char path[4200];

    memset(last, 0, sizeof(*last));
    snprintf(path, sizeof(path), "%s/" CELL_METADATA, dir);
    obj = json_load(AT_FDCWD, path, NULL);
    if (obj == NULL)
        return;
    last->known = json_object_is_type(obj, json_type_object) &&
                  strcmp(json_str(obj, "id", ""), id) == 0 &&
                  json_int(obj, "attempt", 0) > 0;
    if (last->known) {
        snprintf(last->sweep, sizeof(last->sweep), "%s",
                 json_str(obj, "sweep", ""));
        snprintf(last->output, sizeof(last->output), "%s",
                 json_str(obj, "output", ""));
        last->gen = json_int(obj, "gen", 0);
        last->ended = json_str(obj, "ended", NULL) != NULL;
        snprintf(last->state, sizeof(last->state), "%s",
                 json_str(obj, "state", ""));
        last->attempt = json_int(obj, "attempt", 0);
        last->redone = json_int(obj, "redone", 0);
        last->first_checkpoint = json_int(obj, "first_checkpoint_seconds", 0);
    }
    json_object_put(obj);
}

bool metadata_judged(const struct metadata_last *last, const char *sweep,
                     int64_t gen)
{
    if (!last->known || strcmp(last->sweep, sweep) != 0)
        return gen > 1;
    return last->ended;
}

bool metadata_redone(const struct metadata_last *last, int64_t gen)
{
    return gen > 1 && last->ended &&
           (strcmp(last->state, cell_state_name(CELL_DONE)) == 0 ||
            strcmp(last->state, cell_state_name(CELL_UNPROVEN)) == 0);
}
