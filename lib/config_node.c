#include "config_node.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "config_value.h"
#include "done.h"

#define PATH_SIZE 512

int node_fail(const struct reader *r, const yaml_node_t *node, const char *fmt,
              ...)
{
    char text[600];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return relay_fail(r->err, EX_CONFIG, "%s:%zu:%zu: %s", r->file,
                      node->start_mark.line + 1, node->start_mark.column + 1,
                      text);
}

int node_no_memory(const struct reader *r)
{
    return relay_fail(r->err, EX_OSERR, "%s: out of memory", r->file);
}

/* Room for one more element of an array that doubles; NULL out of memory. */
void *node_grow(void *array, size_t n, size_t size)
{
    if ((n & (n - 1)) != 0)
        return array;
    return realloc(array, (n == 0 ? 1 : n * 2) * size);
}

/* Remembers where a value came from; the last file wins. */
int node_note(struct reader *r, const char *path, const char *value,
              const yaml_node_t *node)
{
    struct config *cfg = r->cfg;
    struct config_origin o = {strdup(path), strdup(value), strdup(r->file),
                              (int)node->start_mark.line + 1};
    struct config_origin *more;
    size_t i = 0;

    while (i < cfg->norigins && strcmp(cfg->origins[i].key, path) != 0)
        i++;
    if (o.key == NULL || o.value == NULL || o.file == NULL)
        goto fail;
    if (i == cfg->norigins) {
        more = node_grow(cfg->origins, cfg->norigins, sizeof(*more));
        if (more == NULL)
            goto fail;
        cfg->origins = more;
        cfg->norigins++;
    } else {
        free(cfg->origins[i].key);
        free(cfg->origins[i].value);
        free(cfg->origins[i].file);
    }
    cfg->origins[i] = o;
    return 0;
fail:
    free(o.key);
    free(o.value);
    free(o.file);
    return node_no_memory(r);
}

static const char *kind_name(const yaml_node_t *node)
{
    return node->type == YAML_MAPPING_NODE    ? "a mapping"
           : node->type == YAML_SEQUENCE_NODE ? "a list"
                                              : "a single value";
}

/* "key:" with nothing behind it: the key is as good as absent. */
static bool is_null(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE &&
           node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (node->data.scalar.length == 0 ||
            strcmp((const char *)node->data.scalar.value, "null") == 0);
}

/* The text of a scalar, NULL when it is none or has control characters. */
const char *node_scalar(const struct reader *r, const char *path,
                        const yaml_node_t *node)
{
    const char *text;
    size_t i;

    if (node->type != YAML_SCALAR_NODE) {
        node_fail(r, node, "%s must be a single value, not %s", path,
                  kind_name(node));
        return NULL;
    }
    text = (const char *)node->data.scalar.value;
    for (i = 0; i < node->data.scalar.length; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            node_fail(r, node, "%s has a control character or line break",
                      path);
            return NULL;
        }
    }
    return text;
}

int node_put_text(struct reader *r, char **where, const char *text)
{
    char *copy = NULL;

    if (text != NULL) {
        copy = strdup(text);
        if (copy == NULL)
            return node_no_memory(r);
    }
    free(*where);
    *where = copy;
    return 0;
}

int node_bad_value(const struct reader *r, const yaml_node_t *node,
                   const char *path, const char *text, const char *why)
{
    return node_fail(r, node, "%s: \"%.100s\" is %s", path, text, why);
}

int node_set_text(struct reader *r, const struct key *key, yaml_node_t *node,
                  void *base, const char *path)
{
    char **where = (char **)((char *)base + key->offset);
    const char *text = node_scalar(r, path, node);

    if (text == NULL)
        return -1;
    if (is_null(node) || text[0] == '\0')
        text = NULL;
    if (node_put_text(r, where, text) != 0)
        return -1;
    return node_note(r, path, text != NULL ? text : "", node);
}

/* As node_set_text, for what ends in the argument list of another program. */
int node_set_command(struct reader *r, const struct key *key, yaml_node_t *node,
                     void *base, const char *path)
{
    const char *text = node_scalar(r, path, node);

    if (text != NULL && text[0] == '-')
        return node_fail(r, node, "%s: \"%.100s\" begins with '-'", path, text);
    return text != NULL ? node_set_text(r, key, node, base, path) : -1;
}

/* node_set_text behind one of the checks of config_value.h. */
static int set_checked(struct reader *r, const struct key *key,
                       yaml_node_t *node, void *base, const char *path,
                       int (*check)(const char *text, const char **why))
{
    const char *text = node_scalar(r, path, node);
    const char *why = "";

    if (text == NULL)
        return -1;
    if (!is_null(node) && check(text, &why) != 0)
        return node_bad_value(r, node, path, text, why);
    return node_set_text(r, key, node, base, path);
}

int node_set_host(struct reader *r, const struct key *key, yaml_node_t *node,
                  void *base, const char *path)
{
    return set_checked(r, key, node, base, path, value_host);
}

int node_set_name(struct reader *r, const struct key *key, yaml_node_t *node,
                  void *base, const char *path)
{
    return set_checked(r, key, node, base, path, value_name);
}

int node_set_regex(struct reader *r, const struct key *key, yaml_node_t *node,
                   void *base, const char *path)
{
    return set_checked(r, key, node, base, path, value_regex);
}

int node_set_duration(struct reader *r, const struct key *key,
                      yaml_node_t *node, void *base, const char *path)
{
    int64_t *where = (int64_t *)(void *)((char *)base + key->offset);
    const char *text = node_scalar(r, path, node);
    const char *why = "";

    if (text == NULL)
        return -1;
    if (value_duration(text, where, &why) != 0)
        return node_bad_value(r, node, path, text, why);
    return node_note(r, path, text, node);
}

int node_set_quiet(struct reader *r, const struct key *key, yaml_node_t *node,
                   void *base, const char *path)
{
    int64_t *where = (int64_t *)(void *)((char *)base + key->offset);
    const char *text = node_scalar(r, path, node);

    if (text == NULL)
        return -1;
    if (strcmp(text, "auto") != 0)
        return node_set_duration(r, key, node, base, path);
    *where = -1;
    return node_note(r, path, text, node);
}

int node_set_count(struct reader *r, const struct key *key, yaml_node_t *node,
                   void *base, const char *path)
{
    int *where = (int *)(void *)((char *)base + key->offset);
    const char *text = node_scalar(r, path, node);
    const char *why = "";

    if (text == NULL)
        return -1;
    if (value_count(text, where, &why) != 0)
        return node_bad_value(r, node, path, text, why);
    return node_note(r, path, text, node);
}

int node_set_signal(struct reader *r, const struct key *key, yaml_node_t *node,
                    void *base, const char *path)
{
    char **where = (char **)((char *)base + key->offset);
    const char *text = node_scalar(r, path, node);
    const char *name = NULL;
    const char *why = "";

    if (text == NULL)
        return -1;
    if (value_signal(text, &name, &why) != 0)
        return node_bad_value(r, node, path, text, why);
    if (node_put_text(r, where, name) != 0)
        return -1;
    return node_note(r, path, text, node);
}

int node_set_word(struct reader *r, const struct key *key, yaml_node_t *node,
                  void *base, const char *path)
{
    const char *text = node_scalar(r, path, node);
    char all[200] = "";
    size_t used = 0;
    int i;

    if (text == NULL)
        return -1;
    for (i = 0; key->words[i] != NULL; i++) {
        if (strcmp(text, key->words[i]) == 0) {
            memcpy((char *)base + key->offset, &i, sizeof(i));
            return node_note(r, path, text, node);
        }
        used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s",
                                 i > 0 ? ", " : "", key->words[i]);
    }
    return node_fail(r, node, "%s: \"%.100s\" is not one of: %s", path, text,
                     all);
}

static void free_list(char **list, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

/* "[a, b]" into text, cut where it is full. */
static void list_text(char **list, size_t n, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "[");
    size_t i;

    for (i = 0; i < n && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s",
                                 i > 0 ? ", " : "", list[i]);
    if (used < size)
        snprintf(text + used, size - used, "]");
}

/* One element of a list; wrong says what is wrong with a text, or NULL. */
static int put_element(struct reader *r, yaml_node_t *node, const char *path,
                       const char *(*wrong)(const char *text), char **where)
{
    const char *value = node_scalar(r, path, node);
    const char *why;

    if (value == NULL)
        return -1;
    why = wrong != NULL ? wrong(value) : NULL;
    if (why != NULL)
        return node_bad_value(r, node, path, value, why);
    return node_put_text(r, where, value);
}

static int set_list(struct reader *r, const struct key *key,
                    yaml_node_t *node, void *base, const char *path,
                    const char *(*wrong)(const char *text))
{
    char ***where = (char ***)(void *)((char *)base + key->offset);
    size_t *count = (size_t *)(void *)((char *)base + key->count);
    char **list = NULL;
    char text[1000];
    yaml_node_item_t *item;
    size_t n = 0, room;

    if (node->type != YAML_SEQUENCE_NODE)
        return node_fail(r, node, "%s must be a list, not %s: write [a, b]",
                         path, kind_name(node));
    room = (size_t)(node->data.sequence.items.top -
                    node->data.sequence.items.start);
    list = calloc(room + 1, sizeof(*list));
    if (list == NULL)
        return node_no_memory(r);
    for (item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        yaml_node_t *element = yaml_document_get_node(&r->doc, *item);

        if (put_element(r, element, path, wrong, &list[n]) != 0) {
            free_list(list, n);
            return -1;
        }
        n++;
    }
    free_list(*where, *count);
    *where = list;
    *count = n;
    list_text(list, n, text, sizeof(text));
    return node_note(r, path, text, node);
}

int node_set_list(struct reader *r, const struct key *key, yaml_node_t *node,
                  void *base, const char *path)
{
    return set_list(r, key, node, base, path, NULL);
}

int node_set_checks(struct reader *r, const struct key *key,
                    yaml_node_t *node, void *base, const char *path)
{
    return set_list(r, key, node, base, path, done_check_form);
}

/* Two keys of one name in a mapping: whichever is meant, say so. */
static int check_twice(struct reader *r, yaml_node_t *map,
                       yaml_node_pair_t *pair, const char *path,
                       const char *name)
{
    yaml_node_pair_t *other;

    for (other = map->data.mapping.pairs.start; other < pair; other++) {
        yaml_node_t *key = yaml_document_get_node(&r->doc, other->key);

        if (key->type == YAML_SCALAR_NODE &&
            strcmp((const char *)key->data.scalar.value, name) == 0)
            return node_fail(r, yaml_document_get_node(&r->doc, pair->key),
                             "%s%s\"%.100s\" is there twice; the other one is "
                             "in line %zu",
                             path, path[0] != '\0' ? ": " : "", name,
                             key->start_mark.line + 1);
    }
    return 0;
}

/* Calls each for every pair of a mapping, with "PATH.NAME". */
int node_each_pair(struct reader *r, yaml_node_t *map, const char *path,
                   int (*each)(struct reader *r, const char *name,
                               yaml_node_t *key, yaml_node_t *value,
                               const char *path, void *arg),
                   void *arg)
{
    yaml_node_pair_t *pair;
    char below[PATH_SIZE];

    if (is_null(map))
        return 0; /* all that was below is commented out */
    if (map->type != YAML_MAPPING_NODE)
        return node_fail(r, map, "%s must be a mapping, not %s",
                         path[0] != '\0' ? path : "the file", kind_name(map));
    for (pair = map->data.mapping.pairs.start;
         pair < map->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(&r->doc, pair->key);
        yaml_node_t *value = yaml_document_get_node(&r->doc, pair->value);
        const char *name = node_scalar(r, "a key", key);

        if (name == NULL || check_twice(r, map, pair, path, name) != 0)
            return -1;
        snprintf(below, sizeof(below), "%s%s%s", path,
                 path[0] != '\0' ? "." : "", name);
        if (each(r, name, key, value, below, arg) != 0)
            return -1;
    }
    return 0;
}

static int unknown_key(const struct reader *r, const yaml_node_t *node,
                       const char *path, const struct key *keys)
{
    char all[300] = "";
    size_t used = 0;
    size_t i;

    for (i = 0; keys[i].name != NULL && used < sizeof(all); i++)
        used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s",
                                 i > 0 ? ", " : "", keys[i].name);
    return node_fail(r, node, "unknown key %.200s; there are: %s", path, all);
}

int node_set_member(struct reader *r, const char *name, yaml_node_t *key,
                    yaml_node_t *value, const char *path, void *arg)
{
    const struct section *section = arg;
    const struct key *k = section->keys;

    while (k->name != NULL && strcmp(k->name, name) != 0)
        k++;
    if (k->name == NULL)
        return unknown_key(r, key, path, section->keys);
    return k->set(r, k, value, section->base, path);
}

int node_set_section(struct reader *r, const struct key *key, yaml_node_t *node,
                     void *base, const char *path)
{
    struct section section = {key->keys, base};

    return node_each_pair(r, node, path, node_set_member, &section);
}
