#include "meta.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "file.h"
#include "meta_scan.h"

#define MAX_META ((size_t)16 << 20)

/* A count: an integer that is not negative, also when it is spelled 12.0.
 * -1 for all else. */
static int64_t span_count(const struct scan *scan, struct span value)
{
    char text[64];
    size_t len = value.end - value.begin;
    long long whole;
    double real;
    char *end;

    if (len >= sizeof(text))
        return -1;
    memcpy(text, scan->text + value.begin, len);
    text[len] = '\0';
    if (text[0] < '0' || text[0] > '9')
        return -1;
    errno = 0;
    whole = strtoll(text, &end, 10);
    if (*end == '\0')
        return errno == 0 ? whole : -1;
    real = strtod(text, &end);
    if (*end != '\0' || !(real < 9007199254740992.0) || floor(real) < real)
        return -1;
    return (int64_t)real;
}

static int64_t find_count(const struct scan *scan, const char *name)
{
    const struct member *m = scan_find(scan, name);

    return m != NULL ? span_count(scan, m->value) : -1;
}

/* The string NAME into *out, NULL when absent or something else. */
static int find_string(const struct scan *scan, const char *file,
                       const char *name, char **out, struct relay_error *err)
{
    const struct member *m = scan_find(scan, name);
    size_t len = 0;

    if (m == NULL || *out != NULL || scan->text[m->value.begin] != '"')
        return 0;
    *out = scan_string(scan, m->value, &len);
    if (*out == NULL)
        return relay_fail(err, EX_OSERR, "%s: out of memory", file);
    if (strlen(*out) != len)
        return relay_fail(err, EX_DATAERR, "%s: \"%s\" has a NUL character "
                                           "in it", file, name);
    return 0;
}

static bool value_is(const struct scan *scan, const char *name,
                     const char *word)
{
    const struct member *m = scan_find(scan, name);

    return m != NULL && m->value.end - m->value.begin == strlen(word) &&
           memcmp(scan->text + m->value.begin, word, strlen(word)) == 0;
}

/* moved_to of a stub: {"cluster": .., "term": .., "time": ..}. */
static int find_moved(const struct scan *scan, const char *file,
                      struct meta *meta, struct relay_error *err)
{
    const struct member *m = scan_find(scan, "moved_to");
    struct scan inner;
    int rc;

    if (m == NULL || scan->text[m->value.begin] != '{')
        return 0;
    if (scan_text(scan->text + m->value.begin, m->value.end - m->value.begin,
                  file, &inner, err) != 0)
        return -1;
    rc = find_string(&inner, file, "cluster", &meta->moved_to, err);
    meta->moved_term = find_count(&inner, "term");
    scan_free(&inner);
    return rc;
}

/* "/a/b/" names the same directory as "/a/b". */
static void strip_slashes(char *path)
{
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/')
        path[--len] = '\0';
}

static int64_t find_total(const struct scan *scan)
{
    static const char *const names[] = {"total_steps", "max_steps",
                                        "num_steps"};
    int64_t total = -1;
    size_t i;

    for (i = 0; total <= 0 && i < sizeof(names) / sizeof(names[0]); i++)
        total = find_count(scan, names[i]);
    return total > 0 ? total : -1;
}

static int find_members(const struct scan *scan, const char *file,
                        struct meta *meta, struct relay_error *err)
{
    const struct {
        const char *name;
        char **out;
    } strings[] = {
        {"run_name", &meta->run_name}, {"run_dir", &meta->run_dir},
        {"run_id", &meta->run_id},     {"entity", &meta->entity},
        {"project", &meta->project},   {"wandb_entity", &meta->entity},
        {"wandb_project", &meta->project},
    };
    size_t i;

    for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        if (find_string(scan, file, strings[i].name, strings[i].out, err) != 0)
            return -1;
    }
    if (meta->run_dir != NULL)
        strip_slashes(meta->run_dir);
    meta->step = find_count(scan, "last_checkpoint_step");
    if (meta->step < 0)
        meta->step = find_count(scan, "last_step");
    meta->total = find_total(scan);
    meta->completed = value_is(scan, "completed", "true");
    meta->refuted = value_is(scan, "completed", "false");
    return find_moved(scan, file, meta, err);
}

int meta_parse(const char *text, size_t len, const char *name,
               struct meta *meta, struct relay_error *err)
{
    struct scan scan;
    int rc;

    memset(meta, 0, sizeof(*meta));
    meta->step = meta->total = -1;
    if (scan_text(text, len, name, &scan, err) != 0)
        return -1;
    rc = find_members(&scan, name, meta, err);
    scan_free(&scan);
    if (rc == 0) {
        meta->text = malloc(len + 1);
        if (meta->text == NULL)
            rc = relay_fail(err, EX_OSERR, "%s: out of memory", name);
    }
    if (rc != 0) {
        meta_free(meta);
        return -1;
    }
    memcpy(meta->text, text, len);
    meta->text[len] = '\0';
    meta->len = len;
    return 0;
}

int meta_read(int dirfd, const char *dirname, struct meta *meta,
              struct relay_error *err)
{
    char name[PATH_MAX];
    size_t len = 0;
    char *text = file_read(dirfd, META_FILE, MAX_META, &len, err);
    int rc;

    memset(meta, 0, sizeof(*meta));
    meta->step = meta->total = -1;
    if (text == NULL)
        return -1;
    snprintf(name, sizeof(name), "%s/%s", dirname, META_FILE);
    rc = meta_parse(text, len, name, meta, err);
    free(text);
    return rc;
}

void meta_free(struct meta *meta)
{
    free(meta->run_name);
    free(meta->run_dir);
    free(meta->run_id);
    free(meta->entity);
    free(meta->project);
    free(meta->moved_to);
    free(meta->text);
    memset(meta, 0, sizeof(*meta));
    meta->step = meta->total = -1;
}

const char *meta_name(const struct meta *meta)
{
    const char *slash;

    if (meta->run_name != NULL && meta->run_name[0] != '\0')
        return meta->run_name;
    if (meta->run_dir == NULL)
        return NULL;
    slash = strrchr(meta->run_dir, '/');
    slash = slash != NULL ? slash + 1 : meta->run_dir;
    return slash[0] != '\0' ? slash : NULL;
}
