#include "value.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static int no_memory(struct relay_error *err)
{
    return relay_fail(err, EX_OSERR, "out of memory");
}

void value_free(struct value *v)
{
    size_t i;

    free(v->text);
    for (i = 0; i < v->n; i++) {
        value_free(&v->items[i]);
        if (v->keys != NULL)
            free(v->keys[i]);
    }
    free(v->items);
    free(v->keys);
    memset(v, 0, sizeof(*v));
}

/* The room of a list is n rounded up to a power of two, and is not kept. */
static bool is_full(size_t n)
{
    return (n & (n - 1)) == 0;
}

static int copy_items(const struct value *from, struct value *to)
{
    size_t room = 1;
    size_t i;

    while (room < from->n)
        room *= 2;
    to->items = calloc(room, sizeof(*to->items));
    if (to->items == NULL)
        return -1;
    if (from->kind == VALUE_DICT) {
        to->keys = calloc(room, sizeof(*to->keys));
        if (to->keys == NULL)
            return -1;
    }
    for (i = 0; i < from->n; i++) {
        to->n = i + 1;
        if (value_copy(&from->items[i], &to->items[i], NULL) != 0)
            return -1;
        if (to->keys != NULL) {
            to->keys[i] = strdup(from->keys[i]);
            if (to->keys[i] == NULL)
                return -1;
        }
    }
    return 0;
}

int value_copy(const struct value *from, struct value *to,
               struct relay_error *err)
{
    *to = *from;
    to->text = NULL;
    to->items = NULL;
    to->keys = NULL;
    to->n = 0;
    if (from->text != NULL)
        to->text = strdup(from->text);
    if ((from->text != NULL && to->text == NULL) ||
        (from->n > 0 && copy_items(from, to) != 0)) {
        value_free(to);
        return no_memory(err);
    }
    return 0;
}

int value_set_str(struct value *v, const char *text, size_t len,
                  struct relay_error *err)
{
    memset(v, 0, sizeof(*v));
    if (memchr(text, '\0', len) != NULL)
        return relay_fail(err, EX_DATAERR, "a string with a NUL character: "
                          "no program can be given it");
    v->text = strndup(text, len);
    if (v->text == NULL)
        return no_memory(err);
    v->kind = VALUE_STR;
    return 0;
}

void value_set_int(struct value *v, int64_t i)
{
    memset(v, 0, sizeof(*v));
    v->kind = VALUE_INT;
    v->i = i;
}

void value_set_float(struct value *v, double f)
{
    memset(v, 0, sizeof(*v));
    v->kind = VALUE_FLOAT;
    v->f = f;
}

void value_set_bool(struct value *v, bool flag)
{
    memset(v, 0, sizeof(*v));
    v->kind = VALUE_BOOL;
    v->flag = flag;
}

static int add_item(struct value *v, struct value *item,
                    struct relay_error *err)
{
    struct value *items = v->items;

    if (is_full(v->n)) {
        items = reallocarray(items, v->n > 0 ? v->n * 2 : 1, sizeof(*items));
        if (items == NULL) {
            value_free(item);
            return no_memory(err);
        }
        v->items = items;
    }
    items[v->n++] = *item;
    memset(item, 0, sizeof(*item));
    return 0;
}

int value_append(struct value *v, struct value *item, struct relay_error *err)
{
    if (v->kind == VALUE_NONE)
        v->kind = VALUE_LIST;
    return add_item(v, item, err);
}

static int add_key(struct value *v, const char *key, struct relay_error *err)
{
    char **keys = v->keys;

    if (is_full(v->n)) {
        keys = reallocarray(keys, v->n > 0 ? v->n * 2 : 1, sizeof(*keys));
        if (keys == NULL)
            return no_memory(err);
        v->keys = keys;
    }
    keys[v->n] = strdup(key);
    return keys[v->n] != NULL ? 0 : no_memory(err);
}

int value_put(struct value *v, const char *key, struct value *item,
              struct relay_error *err)
{
    struct value *old;
    char *added;

    if (v->kind == VALUE_NONE)
        v->kind = VALUE_DICT;
    old = value_get(v, key);
    if (old != NULL) {
        value_free(old);
        *old = *item;
        memset(item, 0, sizeof(*item));
        return 0;
    }
    if (add_key(v, key, err) != 0) {
        value_free(item);
        return -1;
    }
    added = v->keys[v->n];
    if (add_item(v, item, err) != 0) {
        free(added);
        return -1;
    }
    return 0;
}

struct value *value_get(const struct value *v, const char *key)
{
    size_t i;

    if (v->kind != VALUE_DICT)
        return NULL;
    for (i = 0; i < v->n; i++)
        if (strcmp(v->keys[i], key) == 0)
            return &v->items[i];
    return NULL;
}
