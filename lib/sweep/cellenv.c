#include "cellenv.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "cellyaml.h"
#include "digest.h"
#include "file.h"
#include "key.h"
#include "slurmenv.h"

enum { WANDB_ID_MAX = 64, WANDB_ID_MIN = 8, RETRY_MAX = 6 };

/* --- words --------------------------------------------------------------- */

/* Adds NAME=VALUE; a NULL value adds nothing. */
static int set(struct cellenv *env, const char *name, const char *value,
               struct relay_error *err)
{
    char *word;
    int rc;

    if (value == NULL)
        return 0;
    if (asprintf(&word, "%s=%s", name, value) < 0)
        return relay_fail(err, EX_OSERR, "out of memory");
    rc = words_add(&env->set, word, err);
    free(word);
    return rc;
}

static int set_text(struct cellenv *env, const char *name, struct text *value,
                    struct relay_error *err)
{
    int rc = value->failed ? relay_fail(err, EX_OSERR, "out of memory")
                           : set(env, name, text_str(value), err);

    text_free(value);
    return rc;
}

/* --- files --------------------------------------------------------------- */

static int save(const char *dir, const char *name, struct text *text,
                struct relay_error *err)
{
    char path[4200];
    int rc;

    snprintf(path, sizeof(path), "%s/.relay/%s", dir, name);
    rc = text->failed ? relay_fail(err, EX_OSERR, "out of memory")
                      : file_write_plain(AT_FDCWD, path, text_str(text),
                                         text->len, 0666, err);
    text_free(text);
    return rc;
}

/* The directory and .relay in it: beside those of other cells most often, so
 * that the way there need not be walked. */
static int make_dirs(const char *dir, const char *inner,
                     struct relay_error *err)
{
    if (mkdir(inner, 0777) == 0 ||
        (errno == ENOENT && mkdir(dir, 0777) == 0 && mkdir(inner, 0777) == 0))
        return 0;
    return file_make_dirs(inner, 0777, err); /* it says what is wrong, too */
}

static int make_files(const char *dir, const struct cell *cell,
                      struct relay_error *err)
{
    struct text json = {0}, yaml = {0};
    char path[4200];

    snprintf(path, sizeof(path), "%s/.relay", dir);
    if (make_dirs(dir, path, err) != 0)
        return -1;
    value_json(&cell->params, &json);
    text_add_char(&json, '\n');
    cellyaml_params(&cell->params, &yaml);
    if (save(dir, "params.json", &json, err) != 0) {
        text_free(&yaml);
        return -1;
    }
    return save(dir, "wandb-params.yaml", &yaml, err);
}

/* --- W&B's identity ------------------------------------------------------ */

/* An id of 16 hex digits with or without a seed needs no more than another
 * letter for its "_", and stays unique. */
static bool is_hash_id(const char *id)
{
    size_t n = strspn(id, "0123456789abcdef");

    if (n != 16 || strlen(id) > WANDB_ID_MAX - RETRY_MAX)
        return false;
    if (id[n] == '\0')
        return true;
    return id[n] == '_' && id[n + 1] == 's' &&
           id[n + 2 + strspn(id + n + 2, "0123456789-")] == '\0';
}

static bool is_wandb_id(const char *id)
{
    size_t n = strlen(id);

    return n >= WANDB_ID_MIN && n <= WANDB_ID_MAX - RETRY_MAX &&
           strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

/* What W&B calls the run: the id itself where that is one for W&B, else what
 * is left of it and a digest, so that two cells never share one. */
static int wandb_id(const char *id, int retry, char *out, size_t size,
                    struct relay_error *err)
{
    char hash[KEY_HASH_LEN + 1];
    char salted[CELL_ID_MAX + 16];
    char head[44];
    size_t used = 0;
    size_t i;

    if (is_wandb_id(id) || is_hash_id(id)) {
        snprintf(out, size, "%.64s", id);
        for (i = 0; out[i] != '\0'; i++)
            out[i] = out[i] == '_' ? '-' : out[i];
    } else {
        /* digest_key takes a bare hash for a digest: this is none. */
        snprintf(salted, sizeof(salted), "cell/%s", id);
        if (digest_key(salted, hash, err) != 0)
            return -1;
        for (i = 0; id[i] != '\0' && used + 1 < sizeof(head); i++)
            head[used++] = (char)(isalnum((unsigned char)id[i])
                                      ? tolower((unsigned char)id[i])
                                      : '-');
        head[used] = '\0';
        snprintf(out, size, "%s-%.12s", head, hash);
    }
    used = strlen(out);
    if (retry > 1)
        snprintf(out + used, size - used, "-r%d", retry < 999 ? retry : 999);
    return 0;
}

/* The user's own tags, and the cluster. */
static int set_tags(struct cellenv *env, const char *cluster,
                    struct relay_error *err)
{
    const char *own = slurmenv("WANDB_TAGS");
    struct text tags = {0};

    if (cluster == NULL)
        return 0;
    if (own != NULL && strcmp(own, cluster) != 0)
        text_printf(&tags, "%s,", own);
    text_printf(&tags, "%.64s", cluster);
    return set_text(env, "WANDB_TAGS", &tags, err);
}

static int set_wandb(const struct sweep *sweep, const struct cell *cell,
                     const struct cellenv_options *opt, int retry,
                     struct cellenv *env, struct relay_error *err)
{
    const struct roster_info *info = roster_info(sweep->roster);
    /* What the source does not say, the user's environment may. An entity
     * that neither gives is W&B's to choose. */
    const char *project =
        info->project != NULL                 ? info->project
        : slurmenv("WANDB_PROJECT") != NULL ? NULL
                                            : sweep->project;
    const char *mode = opt->no_wandb  ? "disabled"
                       : opt->offline ? "offline"
                                      : NULL;
    char id[WANDB_ID_MAX + 1];
    char path[4200];

    snprintf(path, sizeof(path), "%s/.relay/wandb-params.yaml", env->dir);
    if (wandb_id(cell->id, retry, id, sizeof(id), err) != 0 ||
        set(env, "WANDB_SWEEP_PARAM_PATH", path, err) != 0 ||
        set(env, "WANDB_RUN_ID", id, err) != 0 ||
        set(env, "WANDB_RESUME", "allow", err) != 0 ||
        set(env, "WANDB_RUN_GROUP",
            opt->group != NULL ? opt->group : sweep->name, err) != 0 ||
        set_tags(env, opt->cluster, err) != 0 ||
        set(env, "WANDB_PROJECT", project, err) != 0 ||
        set(env, "WANDB_ENTITY", info->entity, err) != 0 ||
        set(env, "WANDB_DIR", env->dir, err) != 0 ||
        set(env, "WANDB_MODE", mode, err) != 0)
        return -1;
    return words_add(&env->unset, "WANDB_SWEEP_ID", err);
}

/* --- ours ---------------------------------------------------------------- */

static int set_args(const struct sweep *sweep, const struct cell *cell,
                    struct cellenv *env, struct relay_error *err)
{
    struct words args = {0};
    struct text quoted = {0};
    int rc = roster_args(sweep->roster, cell, &args, err);

    if (rc == 0) {
        command_quote(&args, &quoted);
        rc = set_text(env, "RELAY_CELL_ARGS", &quoted, err);
    }
    words_free(&args);
    return rc;
}

/* What an outer --resume-key gave the job is not the cell's. */
static int unset_resume(struct cellenv *env, struct relay_error *err)
{
    static const char *const names[] = {"RELAY_RESUME_KEY",
                                        "RELAY_RESUME_HASH",
                                        "RELAY_RESUME_DIR"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (words_add(&env->unset, names[i], err) != 0)
            return -1;
    }
    return 0;
}

/* A cell whose id or names make no key has none: it runs all the same. */
static int set_resume(const struct sweep *sweep, const struct cell *cell,
                      const char *resume_root, struct cellenv *env,
                      struct relay_error *err)
{
    char key[KEY_MAX + 1];
    char hash[KEY_HASH_LEN + 1];
    char *dir = NULL;
    int rc;

    if (unset_resume(env, err) != 0)
        return -1;
    if (sweep_cell_key(sweep, cell->id, key, sizeof(key), NULL) != 0 ||
        digest_key(key, hash, NULL) != 0)
        return 0;
    if (set(env, "RELAY_RESUME_KEY", key, err) != 0 ||
        set(env, "RELAY_RESUME_HASH", hash, err) != 0)
        return -1;
    if (resume_root == NULL)
        return 0;
    if (asprintf(&dir, "%s/%s", resume_root, hash) < 0)
        return relay_fail(err, EX_OSERR, "out of memory");
    rc = set(env, "RELAY_RESUME_DIR", dir, err);
    free(dir);
    return rc;
}

static int set_ours(const struct sweep *sweep, const struct cell *cell,
                    const struct cellenv_options *opt, struct cellenv *env,
                    struct relay_error *err)
{
    char index[24];
    char path[4200];

    snprintf(index, sizeof(index), "%" PRIu64, cell->index);
    snprintf(path, sizeof(path), "%s/.relay/params.json", env->dir);
    if (set(env, "RELAY_SWEEP", sweep->path, err) != 0 ||
        set(env, "RELAY_CELL_ID", cell->id, err) != 0 ||
        set(env, "RELAY_CELL_INDEX", index, err) != 0 ||
        set_args(sweep, cell, env, err) != 0 ||
        set(env, "RELAY_CELL_JSON", path, err) != 0 ||
        set(env, "RELAY_RUN_DIR", env->dir, err) != 0)
        return -1;
    return set_resume(sweep, cell, opt->resume_root, env, err);
}

static bool listed(const struct text *names, const char *name, size_t len)
{
    const char *at = text_str(names);

    while (*at != '\0') {
        size_t n = strcspn(at, " ");

        if (n == len && memcmp(at, name, n) == 0)
            return true;
        at += n;
        at += strspn(at, " ");
    }
    return false;
}

static void add_name(struct text *names, const char *name, size_t len)
{
    if (len == 0 || listed(names, name, len))
        return;
    text_add(names, names->len > 0 ? " " : "");
    text_add_len(names, name, len);
}

/* The names of all this and of what was set around us, for a nested sbatch to
 * forget. */
static int set_names(struct cellenv *env, struct relay_error *err)
{
    const char *outer = slurmenv("RELAY_SET");
    struct text names = {0};
    size_t i;

    while (outer != NULL && *outer != '\0') {
        size_t n = strcspn(outer, " ");

        add_name(&names, outer, n);
        outer += n + strspn(outer + n, " ");
    }
    for (i = 0; i < env->set.n; i++)
        add_name(&names, env->set.word[i], strcspn(env->set.word[i], "="));
    add_name(&names, "RELAY_SET", strlen("RELAY_SET"));
    return set_text(env, "RELAY_SET", &names, err);
}

int cellenv_make(const struct sweep *sweep, const struct cell *cell,
                 const char *out_root, const struct cellenv_options *opt,
                 int retry, struct cellenv *env, struct relay_error *err)
{
    memset(env, 0, sizeof(*env));
    env->dir = sweep_cell_dir(sweep, cell, out_root, err);
    if (env->dir == NULL || make_files(env->dir, cell, err) != 0 ||
        set_ours(sweep, cell, opt, env, err) != 0 ||
        set_wandb(sweep, cell, opt, retry, env, err) != 0)
        return -1;
    return set_names(env, err);
}

void cellenv_free(struct cellenv *env)
{
    free(env->dir);
    words_free(&env->set);
    words_free(&env->unset);
    memset(env, 0, sizeof(*env));
}

/* --- an environment ------------------------------------------------------ */

/* Is the variable of word (NAME=VALUE) one of names (NAME or NAME=...)? */
static bool names_have(const struct words *names, const char *word)
{
    size_t len = strcspn(word, "=");
    size_t i;

    for (i = 0; i < names->n; i++) {
        const char *name = names->word[i];

        if (strncmp(name, word, len) == 0 &&
            (name[len] == '=' || name[len] == '\0'))
            return true;
    }
    return false;
}

int cellenv_apply(const struct cellenv *env, char *const *base,
                  struct words *out, struct relay_error *err)
{
    size_t i;

    for (i = 0; base != NULL && base[i] != NULL; i++) {
        if (!names_have(&env->set, base[i]) &&
            !names_have(&env->unset, base[i]) &&
            words_add(out, base[i], err) != 0)
            return -1;
    }
    for (i = 0; i < env->set.n; i++) {
        if (words_add(out, env->set.word[i], err) != 0)
            return -1;
    }
    return 0;
}
