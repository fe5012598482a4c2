#include "key.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

bool key_is_hash(const char *key)
{
    return strlen(key) == KEY_HASH_LEN &&
           strspn(key, "0123456789abcdefABCDEF") == KEY_HASH_LEN;
}

int key_check_patterns(const char *option, const char *text,
                       struct relay_error *err)
{
    const char *p;

    for (p = text; *p != '\0'; p++) {
        if (iscntrl((unsigned char)*p))
            return relay_fail(err, EX_USAGE,
                              "%s has a control character (byte %td, 0x%02x)",
                              option, p - text + 1,
                              (unsigned)(unsigned char)*p);
        if (*p == '%') {
            if (p[1] != 'a' && p[1] != 'A' && p[1] != '%')
                return relay_fail(err, EX_USAGE,
                                  "%s=%.100s: only %%a, %%A and %%%% are "
                                  "expanded here", option, text);
            p++;
        }
    }
    return 0;
}

static int check_part(const char *part, size_t len, const char *key,
                      struct relay_error *err)
{
    if (len == 0)
        return relay_fail(err, EX_USAGE,
                          "--resume-key=%.100s has an empty part; write "
                          "ENTITY/PROJECT/RUN_NAME", key);
    if ((len == 1 && part[0] == '.') ||
        (len == 2 && part[0] == '.' && part[1] == '.'))
        return relay_fail(err, EX_USAGE,
                          "--resume-key=%.100s has a part that is a path "
                          "(\".\" or \"..\")", key);
    return 0;
}

int key_check(const char *key, struct relay_error *err)
{
    const char *part = key;
    int slashes = 0;

    if (key[0] == '\0')
        return relay_fail(err, EX_USAGE, "--resume-key is empty; write "
                                         "ENTITY/PROJECT/RUN_NAME");
    if (strlen(key) > KEY_MAX)
        return relay_fail(err, EX_USAGE, "--resume-key has more than %d bytes",
                          KEY_MAX);
    if (key_check_patterns("--resume-key", key, err) != 0)
        return -1;
    if (key_is_hash(key))
        return 0;
    if (key[0] == '-')
        return relay_fail(err, EX_USAGE, "--resume-key=%.100s begins with '-'",
                          key);
    for (;;) {
        size_t len = strcspn(part, "/");

        if (check_part(part, len, key, err) != 0)
            return -1;
        if (part[len] == '\0')
            break;
        part += len + 1;
        slashes++;
    }
    if (slashes < 2)
        return relay_fail(err, EX_USAGE,
                          "--resume-key=%.100s is not a key; write "
                          "ENTITY/PROJECT/RUN_NAME or 40 hex digits", key);
    return 0;
}

const char *key_run_name(const char *key)
{
    const char *slash;

    if (key_is_hash(key))
        return NULL;
    slash = strchr(key, '/');
    slash = slash != NULL ? strchr(slash + 1, '/') : NULL;
    return slash != NULL ? slash + 1 : NULL;
}

int key_expand_patterns(const char *option, const char *text,
                        const char *array_job, const char *array_task,
                        char *out, size_t size, struct relay_error *err)
{
    size_t used = 0;
    const char *p;

    for (p = text; *p != '\0'; p++) {
        char one[2] = {*p, '\0'};
        const char *add = one;

        if (*p == '%') {
            p++;
            if (*p == 'a')
                add = array_task;
            else if (*p == 'A')
                add = array_job;
            else
                add = "%";
            if (add == NULL)
                return relay_fail(err, EX_USAGE,
                                  "%s=%.100s uses %%%c, but this job is not "
                                  "an array", option, text, *p);
        }
        if (used + strlen(add) >= size)
            return relay_fail(err, EX_USAGE,
                              "%s=%.100s is too long when expanded", option,
                              text);
        memcpy(out + used, add, strlen(add));
        used += strlen(add);
    }
    out[used] = '\0';
    return 0;
}

int key_expand(const char *key, const char *array_job, const char *array_task,
               char *out, size_t size, struct relay_error *err)
{
    return key_expand_patterns("--resume-key", key, array_job, array_task,
                               out, size, err);
}

static int check_jobid(const char *id, const char *value,
                       struct relay_error *err)
{
    size_t base = strspn(id, "0123456789");
    const char *rest = id + base;

    if (base > 0 && base < 12 && rest[0] == '_' && rest[1] != '\0' &&
        strspn(rest + 1, "0123456789") == strlen(rest + 1) &&
        strlen(rest) < 12)
        return 0;
    if (base > 0 && base < 12 && rest[0] == '\0')
        return 0;
    return relay_fail(err, EX_USAGE,
                      "--handoff-from=%.100s: the job id must be digits, or "
                      "ID_TASK for one of an array", value);
}

int key_check_handoff(const char *value, char *cluster, size_t cluster_size,
                      char *jobid, size_t jobid_size, struct relay_error *err)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strspn(value, allowed);

    jobid[0] = '\0';
    if (len == 0 || !isalnum((unsigned char)value[0]) || len >= cluster_size ||
        (value[len] != '\0' && value[len] != ':'))
        return relay_fail(err, EX_USAGE,
                          "--handoff-from=%.100s is not CLUSTER or "
                          "CLUSTER:JOBID", value);
    memcpy(cluster, value, len);
    cluster[len] = '\0';
    if (value[len] == '\0')
        return 0;
    if (check_jobid(value + len + 1, value, err) != 0)
        return -1;
    snprintf(jobid, jobid_size, "%s", value + len + 1);
    return 0;
}
