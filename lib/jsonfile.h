/* JSON in and out: json-c, and the one place that reads and writes files. */
#ifndef RELAY_JSONFILE_H
#define RELAY_JSONFILE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"

/* Parses text (one value, nothing behind it). name is for the message, which
 * says NAME:LINE:COLUMN. Python's NaN and Infinity are accepted. Returns an
 * object to put, or NULL with EX_DATAERR. */
struct json_object *json_parse(const char *text, size_t len, const char *name,
                               struct relay_error *err);

/* Reads a JSON file (16 MiB at most). NULL: as file_read, or EX_DATAERR. */
struct json_object *json_load(int dirfd, const char *path,
                              struct relay_error *err);

/* Writes obj (indented, newline at the end) with file_write. 0 or -1. */
int json_save(int dirfd, const char *path, struct json_object *obj,
              struct relay_error *err);

/* The same with file_write_plain: of what costs nothing when it is lost. */
int json_save_plain(int dirfd, const char *path, struct json_object *obj,
                    struct relay_error *err);

/* Members, with a default when absent, null or of another type. The string
 * belongs to obj. */
const char *json_str(struct json_object *obj, const char *name,
                     const char *otherwise);
int64_t json_int(struct json_object *obj, const char *name, int64_t otherwise);
bool json_flag(struct json_object *obj, const char *name, bool otherwise);
struct json_object *json_get(struct json_object *obj, const char *name);

/* Adds a member; a NULL string becomes null. */
void json_add_str(struct json_object *obj, const char *name, const char *val);
void json_add_int(struct json_object *obj, const char *name, int64_t val);
void json_add_bool(struct json_object *obj, const char *name, bool val);

/* Checks "format" of one of our files: 0, or -1 with EX_CONFIG when it is
 * larger than 1 (made by a newer version), EX_DATAERR when absent. */
int json_check_format(struct json_object *obj, const char *name,
                      struct relay_error *err);

#endif
