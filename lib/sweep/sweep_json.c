/* sweep.json: what a sweep is. Written once. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "digest.h"
#include "file.h"
#include "jsonfile.h"
#include "sweep_private.h"

static const char *const kind_names[] = {
    [ROSTER_WANDB] = "wandb",
    [ROSTER_CSV] = "csv",
    [ROSTER_QUEUE] = "queue",
    [ROSTER_JOBS] = "jobs",
};

/* ---- reading ------------------------------------------------------------- */

static int take_str(struct json_object *obj, const char *name, char **out,
                    struct relay_error *err)
{
    const char *text = json_str(obj, name, NULL);

    if (text == NULL || text[0] == '\0')
        return relay_fail(err, EX_DATAERR, SWEEP_FILE " has no \"%s\"", name);
    *out = strdup(text);
    return *out != NULL ? 0 : relay_fail(err, EX_OSERR, "out of memory");
}

static int take_configs(struct json_object *obj, struct sweep *sweep,
                        struct relay_error *err)
{
    struct json_object *list = json_get(obj, "configs");
    size_t n = json_object_is_type(list, json_type_array)
                   ? json_object_array_length(list) : 0;
    size_t i;

    if (n == 0)
        return 0;
    sweep->configs = calloc(n, sizeof(*sweep->configs));
    if (sweep->configs == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    for (i = 0; i < n; i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        const char *digest = json_str(item, "sha256", "");

        if (strlen(digest) != DIGEST_HEX - 1)
            return relay_fail(err, EX_DATAERR, SWEEP_FILE ": \"configs\" has "
                              "no digest");
        if (take_str(item, "path", &sweep->configs[i].path, err) != 0)
            return -1;
        memcpy(sweep->configs[i].digest, digest, DIGEST_HEX);
        sweep->nconfigs++;
    }
    return 0;
}

static void take_options(struct json_object *obj, struct sweep *sweep)
{
    struct json_object *opt = json_get(obj, "options");

    sweep->options.yaml_floats = json_flag(opt, "yaml_floats", false);
    sweep->options.strict_wandb = json_flag(opt, "strict_wandb", false);
    sweep->options.epochs = json_int(opt, "epochs", 0);
    sweep->options.start_index = json_int(opt, "start_index", 0);
}

static int take_all(struct json_object *obj, struct sweep *sweep,
                    struct relay_error *err)
{
    if (take_str(obj, "name", &sweep->name, err) != 0 ||
        take_str(obj, "entity", &sweep->entity, err) != 0 ||
        take_str(obj, "project", &sweep->project, err) != 0 ||
        take_str(obj, "source", &sweep->source, err) != 0 ||
        take_str(obj, "file", &sweep->file, err) != 0 ||
        take_str(obj, "out", &sweep->out, err) != 0 ||
        take_configs(obj, sweep, err) != 0)
        return -1;
    if (strchr(sweep->file, '/') != NULL || strcmp(sweep->file, "..") == 0)
        return relay_fail(err, EX_DATAERR, SWEEP_FILE ": \"file\" is not the "
                          "name of a file");
    take_options(obj, sweep);
    sweep->retries = (int)json_int(obj, "retries", DEFAULT_RETRIES);
    sweep->created = json_int(obj, "created", 0);
    return template_check(sweep->out, err);
}

int sweep_read_json(struct sweep *sweep, struct relay_error *err)
{
    struct json_object *obj = json_load(sweep->fd, SWEEP_FILE, err);
    int rc;

    if (obj == NULL)
        return -1;
    rc = json_check_format(obj, SWEEP_FILE, err);
    if (rc == 0)
        rc = take_all(obj, sweep, err);
    json_object_put(obj);
    if (rc != 0)
        return relay_fail_in(err, "sweep %s", sweep->path);
    return 0;
}

/* ---- writing ------------------------------------------------------------- */

static struct json_object *options_object(const struct sweep *sweep)
{
    struct json_object *opt = json_object_new_object();

    json_add_bool(opt, "yaml_floats", sweep->options.yaml_floats);
    json_add_bool(opt, "strict_wandb", sweep->options.strict_wandb);
    json_add_int(opt, "epochs", sweep->options.epochs);
    json_add_int(opt, "start_index", sweep->options.start_index);
    return opt;
}

static struct json_object *configs_array(const struct relay_lines *lines)
{
    struct json_object *list = json_object_new_array();
    size_t i;

    for (i = 0; i < lines->nconfigs; i++) {
        struct json_object *item = json_object_new_object();

        json_add_str(item, "path", lines->configs[i].path);
        json_add_str(item, "sha256", lines->configs[i].digest);
        json_object_array_add(list, item);
    }
    return list;
}

int sweep_write_json(const struct sweep *sweep, int dirfd,
                     struct relay_error *err)
{
    const struct roster_info *info = roster_info(sweep->roster);
    struct json_object *obj = json_object_new_object();
    struct text text = {0};
    int rc;

    json_add_int(obj, "format", 1);
    json_add_str(obj, "name", sweep->name);
    json_add_str(obj, "entity", sweep->entity);
    json_add_str(obj, "project", sweep->project);
    json_add_str(obj, "kind", kind_names[info->kind]);
    json_add_str(obj, "source", sweep->source);
    json_add_str(obj, "file", sweep->file);
    json_object_object_add(obj, "options", options_object(sweep));
    json_object_object_add(obj, "configs", configs_array(info->lines));
    json_add_str(obj, "out", sweep->out);
    json_add_int(obj, "retries", sweep->retries);
    json_add_int(obj, "cells", (int64_t)sweep->ids.n);
    json_add_int(obj, "created", sweep->created);
    json_add_str(obj, "user", sweep->user);
    text_add(&text, json_object_to_json_string_ext(
                        obj, JSON_C_TO_STRING_PRETTY |
                                 JSON_C_TO_STRING_NOSLASHESCAPE |
                                 JSON_C_TO_STRING_SPACED));
    text_add_char(&text, '\n');
    json_object_put(obj);
    /* Others of the group may look: the umask decides. */
    rc = text.failed ? relay_fail(err, EX_OSERR, "out of memory")
                     : file_write(dirfd, SWEEP_FILE, text.s, text.len, 0666,
                                  err);
    text_free(&text);
    return rc;
}
