/* Where a cell writes, and its resume key. */
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"
#include "file.h"
#include "key.h"
#include "sweep_private.h"

/* ---- templates ----------------------------------------------------------- */

/* text as one component of a path: nothing that leads elsewhere. also are
 * more characters that it may not have. */
static void add_component(struct text *out, const char *text,
                          const char *also)
{
    size_t begin = out->len;

    if (text[0] == '\0' || text[0] == '-' || strcmp(text, ".") == 0 ||
        strcmp(text, "..") == 0) {
        text_add_char(out, '_');
        text += text[0] != '\0';
    }
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        text_add_char(out, c == '/' || c < ' ' || c == 0x7f ||
                               strchr(also, *text) != NULL
                           ? '_' : *text);
    }
    if (out->len == begin)
        text_add_char(out, '_');
}

/* The value of name[len] for a cell; NULL: no such name. */
static const char *value_of(const struct sweep *sweep,
                            const struct cell *cell, const char *name,
                            size_t len, char digits[24])
{
    const struct {
        const char *name;
        const char *value;
    } known[] = {
        {"project", sweep != NULL ? sweep->project : ""},
        {"entity", sweep != NULL ? sweep->entity : ""},
        {"group", sweep != NULL ? sweep->name : ""},
        {"name", sweep != NULL ? sweep->name : ""},
        {"id", cell != NULL ? cell->id : ""},
        {"index", digits},
    };
    size_t i;

    snprintf(digits, 24, "%" PRIu64, cell != NULL ? cell->index : 0);
    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strlen(known[i].name) == len &&
            memcmp(known[i].name, name, len) == 0)
            return known[i].value;
    }
    return NULL;
}

/* Expands a template, or only checks it (sweep and cell NULL). */
static int expand(const char *template, const struct sweep *sweep,
                  const struct cell *cell, struct text *out,
                  struct relay_error *err)
{
    const char *at = template;
    char digits[24];

    while (*at != '\0') {
        const char *end = *at == '{' ? strchr(at, '}') : NULL;
        const char *value;

        if (end == NULL) {
            text_add_char(out, *at++);
            continue;
        }
        value = value_of(sweep, cell, at + 1, (size_t)(end - at) - 1, digits);
        if (value == NULL)
            return relay_fail(err, EX_DATAERR,
                              "out %.200s: %.*s is not known; there are "
                              "{project} {entity} {group} {name} {id} {index}",
                              template, (int)(end + 1 - at), at);
        add_component(out, value, "");
        at = end + 1;
    }
    return out->failed ? relay_fail(err, EX_OSERR, "out of memory") : 0;
}

static bool has_dots(const char *path)
{
    const char *at = path;

    while ((at = strstr(at, "..")) != NULL) {
        if ((at == path || at[-1] == '/') && (at[2] == '/' || at[2] == '\0'))
            return true;
        at += 2;
    }
    return false;
}

int template_check(const char *template, struct relay_error *err)
{
    struct text out = {0};
    int rc;

    if (has_dots(template))
        return relay_fail(err, EX_DATAERR, "out %.200s: \"..\" leads out of "
                          "where cells write", template);
    if (strstr(template, "{id}") == NULL &&
        strstr(template, "{index}") == NULL)
        return relay_fail(err, EX_DATAERR, "out %.200s: without {id} all "
                          "cells would write to one directory", template);
    rc = expand(template, NULL, NULL, &out, err);
    text_free(&out);
    return rc;
}

/* ---- where templates begin ----------------------------------------------- */

static char *absolute(const char *path)
{
    char *cwd, *out = NULL;

    if (path[0] == '/')
        return strdup(path);
    cwd = getcwd(NULL, 0);
    if (cwd == NULL ||
        asprintf(&out, "%s/%s", cwd[1] != '\0' ? cwd : "", path) < 0)
        out = NULL;
    free(cwd);
    return out;
}

/* out_root of this cluster, expanded; NULL: none, or err has a code. */
static char *configured(const struct sweep *sweep, struct relay_error *err)
{
    const struct passwd *pw = getpwuid(geteuid());
    const struct config_cluster *here = NULL;
    struct config_names names = {0};
    struct config cfg;
    char *cwd = getcwd(NULL, 0);
    char *root = NULL;

    names.user = pw != NULL ? pw->pw_name : NULL;
    names.entity = sweep->entity;
    names.project = sweep->project;
    names.workdir = cwd != NULL ? cwd : "/";
    if (config_load(NULL, cwd, &cfg, err) == 0) {
        if (cfg.cluster != NULL)
            here = config_find(&cfg, cfg.cluster, NULL);
        if (here != NULL && here->out_root != NULL)
            root = config_path(&cfg, here->out_root, &names, err);
    }
    config_free(&cfg);
    free(cwd);
    return root;
}

/* OUT_DIR in the directory that the sweep is in; malloc'd. */
static char *beside(const char *path)
{
    int len = (int)(strrchr(path, '/') - path);
    char *dir = NULL;

    return asprintf(&dir, "%.*s/" OUT_DIR, len, path) > 0 ? dir : NULL;
}

/* Reads what was noted into out_noted, where there is a sweep to read. */
static void read_noted(struct sweep *sweep)
{
    size_t len = 0;
    char *text = NULL;

    free(sweep->out_noted);
    sweep->out_noted = NULL;
    if (faccessat(sweep->fd, OUT_ROOT_FILE, F_OK, 0) == 0)
        text = file_read(sweep->fd, OUT_ROOT_FILE, PATH_MAX, &len, NULL);
    if (text != NULL)
        text[strcspn(text, "\n")] = '\0';
    if (text != NULL && text[0] == '/')
        sweep->out_noted = text;
    else
        free(text);
}

static bool same_dir(const char *a, const char *b)
{
    struct stat sa, sb;

    return strcmp(a, b) == 0 ||
           (stat(a, &sa) == 0 && stat(b, &sb) == 0 &&
            sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino);
}

int sweep_note_out_root(struct sweep *sweep, const char *out_root,
                        struct relay_error *err)
{
    struct text line = {0};
    int rc = 0;

    read_noted(sweep);
    if (sweep->out_noted == NULL) {
        text_printf(&line, "%s\n", out_root);
        rc = line.failed ? relay_fail(err, EX_OSERR, "out of memory")
                         : file_write(sweep->fd, OUT_ROOT_FILE, line.s,
                                      line.len, 0666, err);
        text_free(&line);
        read_noted(sweep); /* of eight at once the last one's */
    }
    if (rc != 0)
        return relay_fail_in(err, "%s", sweep->path);
    return sweep->out_noted != NULL && !same_dir(sweep->out_noted, out_root);
}

int sweep_find_out_root(struct sweep *sweep, struct relay_error *err)
{
    const char *env = getenv("RELAY_OUT_ROOT");
    struct relay_error why = {0};

    read_noted(sweep);
    if (env != NULL && env[0] != '\0') {
        sweep->out_root = absolute(env);
    } else if (sweep->out_noted != NULL) {
        sweep->out_root = strdup(sweep->out_noted);
    } else {
        sweep->out_root = configured(sweep, &why);
        if (sweep->out_root == NULL && why.code != 0)
            sweep->out_trouble = strdup(why.text);
        else if (sweep->out_root == NULL)
            sweep->out_beside = (sweep->out_root = beside(sweep->path)) !=
                                NULL;
    }
    if (sweep->out_root == NULL && sweep->out_trouble == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    return 0;
}

char *sweep_cell_dir(const struct sweep *sweep, const struct cell *cell,
                     const char *out_root, struct relay_error *err)
{
    struct text out = {0};
    char *root = NULL;

    if (out_root == NULL && sweep->out_root == NULL &&
        sweep->out[0] != '/') {
        relay_fail(err, EX_CONFIG, "%s", sweep->out_trouble != NULL
                                             ? sweep->out_trouble
                                             : "no out_root is known");
        return NULL;
    }
    if (sweep->out[0] != '/') {
        root = absolute(out_root != NULL ? out_root : sweep->out_root);
        text_add(&out, root != NULL ? root : "");
        while (out.len > 0 && out.s[out.len - 1] == '/')
            out.s[--out.len] = '\0';
        text_add_char(&out, '/');
        out.failed |= root == NULL;
        free(root);
    }
    if (template_check(sweep->out, err) == 0 &&
        expand(sweep->out, sweep, cell, &out, err) == 0)
        return out.s;
    text_free(&out);
    return NULL;
}

int sweep_cell_key(const struct sweep *sweep, const char *id, char *key,
                   size_t size, struct relay_error *err)
{
    struct text out = {0};
    int rc = 0;

    add_component(&out, sweep->entity, "%");
    text_add_char(&out, '/');
    add_component(&out, sweep->project, "%");
    text_add_char(&out, '/');
    text_add(&out, id);
    if (out.failed)
        rc = relay_fail(err, EX_OSERR, "out of memory");
    else if (out.len >= size)
        rc = relay_fail(err, EX_USAGE, "the resume key %.100s... is too long",
                        out.s);
    else
        rc = key_check(out.s, err);
    if (rc == 0)
        memcpy(key, out.s, out.len + 1);
    text_free(&out);
    return rc;
}
