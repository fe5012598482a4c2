#include "jsonfile.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "file.h"

#define MAX_JSON ((size_t)16 << 20)
#define MAX_DEPTH 512

static void position(const char *text, size_t offset, size_t *line,
                     size_t *column)
{
    size_t i;

    *line = 1;
    *column = 1;
    for (i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            (*line)++;
            *column = 1;
        } else {
            (*column)++;
        }
    }
}

struct json_object *json_parse(const char *text, size_t len, const char *name,
                               struct relay_error *err)
{
    struct json_tokener *tok = json_tokener_new_ex(MAX_DEPTH);
    struct json_object *obj = NULL;
    enum json_tokener_error what;
    size_t line, column, end;

    if (tok == NULL || len > MAX_JSON) {
        relay_fail(err, tok == NULL ? EX_OSERR : EX_DATAERR,
                   "%s: too large to parse (%zu bytes)", name, len);
        if (tok != NULL)
            json_tokener_free(tok);
        return NULL;
    }
    json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
    obj = json_tokener_parse_ex(tok, text, (int)len);
    what = json_tokener_get_error(tok);
    end = json_tokener_get_parse_end(tok);
    if (what == json_tokener_continue) {
        obj = json_tokener_parse_ex(tok, "", 1); /* a number ends here */
        what = json_tokener_get_error(tok);
    }
    json_tokener_free(tok);
    if (what == json_tokener_success && obj != NULL)
        return obj;
    position(text, end < len ? end : len, &line, &column);
    relay_fail(err, EX_DATAERR, "%s:%zu:%zu: not JSON: %s", name, line, column,
               what == json_tokener_success ? "null where an object belongs"
                                            : json_tokener_error_desc(what));
    if (obj != NULL)
        json_object_put(obj);
    return NULL;
}

struct json_object *json_load(int dirfd, const char *path,
                              struct relay_error *err)
{
    char where[PATH_MAX];
    size_t len = 0;
    char *text = file_read(dirfd, path, MAX_JSON, &len, err);
    struct json_object *obj;

    if (text == NULL)
        return NULL;
    obj = json_parse(text, len, file_where(dirfd, path, where, sizeof(where)),
                     err);
    free(text);
    return obj;
}

static int save(int dirfd, const char *path, struct json_object *obj,
                bool sync, struct relay_error *err)
{
    const char *text = json_object_to_json_string_ext(
        obj, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE |
                 JSON_C_TO_STRING_SPACED);
    size_t len = text != NULL ? strlen(text) : 0;
    char *line = text != NULL ? malloc(len + 1) : NULL;
    int rc;

    if (line == NULL)
        return relay_fail(err, EX_OSERR, "cannot write %s: out of memory",
                          path);
    memcpy(line, text, len);
    line[len] = '\n';
    rc = sync ? file_write(dirfd, path, line, len + 1, 0600, err)
              : file_write_plain(dirfd, path, line, len + 1, 0600, err);
    free(line);
    return rc;
}

int json_save(int dirfd, const char *path, struct json_object *obj,
              struct relay_error *err)
{
    return save(dirfd, path, obj, true, err);
}

int json_save_plain(int dirfd, const char *path, struct json_object *obj,
                    struct relay_error *err)
{
    return save(dirfd, path, obj, false, err);
}

struct json_object *json_get(struct json_object *obj, const char *name)
{
    struct json_object *member = NULL;

    if (!json_object_is_type(obj, json_type_object) ||
        !json_object_object_get_ex(obj, name, &member))
        return NULL;
    return member;
}

const char *json_str(struct json_object *obj, const char *name,
                     const char *otherwise)
{
    struct json_object *member = json_get(obj, name);

    if (!json_object_is_type(member, json_type_string))
        return otherwise;
    return json_object_get_string(member);
}

int64_t json_int(struct json_object *obj, const char *name, int64_t otherwise)
{
    struct json_object *member = json_get(obj, name);
    double real;

    if (json_object_is_type(member, json_type_int))
        return json_object_get_int64(member);
    if (!json_object_is_type(member, json_type_double))
        return otherwise;
    /* Python writes a step that was a float as 1200.0. */
    real = json_object_get_double(member);
    if (!(fabs(real) < 9007199254740992.0) || real != (double)(int64_t)real)
        return otherwise;
    return (int64_t)real;
}

bool json_flag(struct json_object *obj, const char *name, bool otherwise)
{
    struct json_object *member = json_get(obj, name);

    if (!json_object_is_type(member, json_type_boolean))
        return otherwise;
    return json_object_get_boolean(member);
}

void json_add_str(struct json_object *obj, const char *name, const char *val)
{
    json_object_object_add(obj, name,
                           val != NULL ? json_object_new_string(val) : NULL);
}

void json_add_int(struct json_object *obj, const char *name, int64_t val)
{
    json_object_object_add(obj, name, json_object_new_int64(val));
}

void json_add_bool(struct json_object *obj, const char *name, bool val)
{
    json_object_object_add(obj, name, json_object_new_boolean(val));
}

int json_check_format(struct json_object *obj, const char *name,
                      struct relay_error *err)
{
    int64_t format = json_int(obj, "format", 0);

    if (format == 1)
        return 0;
    if (format > 1)
        return relay_fail(err, EX_CONFIG,
                          "%s has format %" PRId64 ", and this version knows "
                          "format 1 only: upgrade slurm-relay here", name,
                          format);
    return relay_fail(err, EX_DATAERR, "%s does not say its format", name);
}
