#define _GNU_SOURCE 1
#include "config.h"

#include <ctype.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* A path while it is put together. */
struct out {
    char text[PATH_MAX];
    size_t len;
    bool full;
};

static void put(struct out *out, const char *text, size_t len)
{
    if (out->len + len >= sizeof(out->text)) {
        out->full = true;
        return;
    }
    memcpy(out->text + out->len, text, len);
    out->len += len;
    out->text[out->len] = '\0';
}

/* Where the value text was set: "FILE:LINE: KEY: ", or "". */
static void origin_of(const struct config *cfg, const char *text, char *where,
                      size_t size)
{
    size_t i;

    where[0] = '\0';
    for (i = 0; cfg != NULL && i < cfg->norigins; i++) {
        const struct config_origin *o = &cfg->origins[i];

        if (strcmp(o->value, text) == 0) {
            snprintf(where, size, "%s:%d: %s: ", o->file, o->line, o->key);
            return;
        }
    }
}

static int __attribute__((format(printf, 4, 5)))
fail(const struct config *cfg, const char *text, struct relay_error *err,
     const char *fmt, ...)
{
    char where[600];
    char what[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    origin_of(cfg, text, where, sizeof(where));
    return relay_fail(err, EX_CONFIG, "%s\"%.200s\": %s", where, text, what);
}

/* *p is behind the '%'. */
static int put_percent(const struct config *cfg, const char *text,
                       const char **p, const struct config_names *names,
                       bool for_peer, struct out *out, struct relay_error *err)
{
    const char *value = NULL;
    char what = *(*p);

    if (what == '%') {
        value = "%";
    } else if (what == 'u') {
        value = names->user;
        if (value == NULL && for_peer)
            value = "%u"; /* the peer knows who we are there */
    } else if (what == 'e') {
        value = names->entity;
    } else if (what == 'p') {
        value = names->project;
    } else {
        return fail(cfg, text, err, "only %%u, %%e, %%p and %%%% are expanded");
    }
    if (value == NULL)
        return fail(cfg, text, err, "%%%c is not known here%s", what,
                    what == 'u' ? "" : " (the key is a hash: give it as "
                                       "ENTITY/PROJECT/RUN_NAME)");
    put(out, value, strlen(value));
    (*p)++;
    return 0;
}

/* *p is behind the '$'. */
static int put_variable(const struct config *cfg, const char *text,
                        const char **p, struct out *out,
                        struct relay_error *err)
{
    bool braces = **p == '{';
    const char *begin = *p + (braces ? 1 : 0);
    const char *end = begin;
    char name[128];
    const char *value;
    size_t len;

    while (isalnum((unsigned char)*end) || *end == '_')
        end++;
    len = (size_t)(end - begin);
    if (len == 0 || len >= sizeof(name) || isdigit((unsigned char)*begin) ||
        (braces && *end != '}'))
        return fail(cfg, text, err, "write $NAME or ${NAME} for a variable of "
                                    "the environment");
    memcpy(name, begin, len);
    name[len] = '\0';
    value = getenv(name);
    if (value == NULL || value[0] == '\0')
        return fail(cfg, text, err, "the variable %s is not set here", name);
    put(out, value, strlen(value));
    *p = end + (braces ? 1 : 0);
    return 0;
}

static int put_home(const struct config *cfg, const char *text,
                    const char **p, struct out *out, struct relay_error *err)
{
    const char *home = getenv("HOME");
    struct passwd *pw;

    if ((*p)[1] != '/' && (*p)[1] != '\0')
        return fail(cfg, text, err, "only ~/ is expanded, not ~USER");
    if (home == NULL || home[0] != '/') {
        pw = getpwuid(geteuid());
        home = pw != NULL ? pw->pw_dir : NULL;
    }
    if (home == NULL || home[0] != '/')
        return fail(cfg, text, err, "this user has no home directory here");
    put(out, home, strlen(home));
    (*p)++;
    return 0;
}

/* Takes out "." components and doubled slashes; ".." stays, because what it
 * means depends on symlinks. */
static char *tidy(const char *path)
{
    size_t used = 0;
    char *out = malloc(strlen(path) + 2);

    while (out != NULL && *path != '\0') {
        size_t len = strcspn(path, "/");

        if (len > 0 && !(len == 1 && path[0] == '.')) {
            out[used++] = '/';
            memcpy(out + used, path, len);
            used += len;
        }
        path += len + (path[len] == '/' ? 1 : 0);
    }
    if (out != NULL && used == 0)
        out[used++] = '/';
    if (out != NULL)
        out[used] = '\0';
    return out;
}

static char *make_absolute(const struct config *cfg, const char *text,
                           const char *path, const char *workdir,
                           struct relay_error *err)
{
    char whole[2 * PATH_MAX + 2];
    char *out;

    if (path[0] == '\0') {
        fail(cfg, text, err, "the path is empty");
        return NULL;
    }
    if (path[0] != '/' && (workdir == NULL || workdir[0] != '/')) {
        fail(cfg, text, err, "a relative path, and there is no working "
                             "directory that it could be relative to");
        return NULL;
    }
    if (path[0] == '/')
        snprintf(whole, sizeof(whole), "%s", path);
    else
        snprintf(whole, sizeof(whole), "%.*s/%s", PATH_MAX, workdir, path);
    out = tidy(whole);
    if (out == NULL)
        relay_fail(err, EX_OSERR, "out of memory");
    return out;
}

char *config_path(const struct config *cfg, const char *text,
                  const struct config_names *names, struct relay_error *err)
{
    struct out out = {.len = 0};
    const char *p = text;
    int rc = 0;

    if (text[0] == '~')
        rc = put_home(cfg, text, &p, &out, err);
    while (rc == 0 && *p != '\0') {
        if (*p == '%') {
            p++;
            rc = put_percent(cfg, text, &p, names, false, &out, err);
        } else if (*p == '$') {
            p++;
            rc = put_variable(cfg, text, &p, &out, err);
        } else {
            put(&out, p++, 1);
        }
    }
    if (rc == 0 && out.full)
        rc = fail(cfg, text, err, "the path is too long when expanded");
    if (rc != 0)
        return NULL;
    return make_absolute(cfg, text, out.text, names->workdir, err);
}

char *config_path_for_peer(const char *text, const struct config_names *names,
                           struct relay_error *err)
{
    struct out out = {.len = 0};
    const char *p = text;
    char *copy;

    while (*p != '\0') {
        if (*p != '%') {
            put(&out, p++, 1);
            continue;
        }
        p++;
        if (put_percent(NULL, text, &p, names, true, &out, err) != 0)
            return NULL;
    }
    if (out.full) {
        fail(NULL, text, err, "the path is too long when expanded");
        return NULL;
    }
    copy = strdup(out.text);
    if (copy == NULL)
        relay_fail(err, EX_OSERR, "out of memory");
    return copy;
}
