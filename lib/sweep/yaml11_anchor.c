#include "yaml11_loader.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* What the file has in it must not write on a terminal. */
int loader_fail(struct loader *l, yaml_mark_t mark, const char *what,
                const char *which)
{
    int line, column;
    char *p;

    yaml11_text_place(&l->text, mark, &line, &column);
    relay_fail(l->err, EX_DATAERR, "%s:%d:%d: %s%s", l->name, line, column,
               what, which);
    for (p = l->err != NULL ? l->err->text : NULL; p != NULL && *p != '\0';
         p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            *p = '?';
    return -1;
}

int loader_no_memory(struct loader *l)
{
    return relay_fail(l->err, EX_OSERR, "out of memory");
}

void loader_place(struct loader *l, struct value *v, yaml_mark_t mark)
{
    yaml11_text_place(&l->text, mark, &v->line, &v->column);
}

static struct anchor *find_anchor(struct loader *l, const char *name)
{
    size_t i;

    for (i = 0; i < l->nanchors; i++)
        if (strcmp(l->anchors[i].name, name) == 0)
            return &l->anchors[i];
    return NULL;
}

int anchor_open(struct loader *l, const yaml_char_t *name, yaml_mark_t mark)
{
    struct anchor *more;

    if (name == NULL)
        return 0;
    if (find_anchor(l, (const char *)name) != NULL)
        return loader_fail(l, mark, "a second anchor of the name &",
                           (const char *)name);
    more = reallocarray(l->anchors, l->nanchors + 1, sizeof(*more));
    if (more == NULL)
        return loader_no_memory(l);
    l->anchors = more;
    memset(&more[l->nanchors], 0, sizeof(*more));
    more[l->nanchors].name = strdup((const char *)name);
    if (more[l->nanchors].name == NULL)
        return loader_no_memory(l);
    l->nanchors++;
    return 0;
}

/* How many values there are in v, up to most; *deepest grows to its depth. */
static size_t count_values(const struct value *v, size_t most, int depth,
                           int *deepest)
{
    size_t n = 1, i;

    if (depth > *deepest)
        *deepest = depth;
    for (i = 0; i < v->n && n <= most; i++)
        n += count_values(&v->items[i], most - n, depth + 1, deepest);
    return n;
}

static int copy_value(struct loader *l, const struct value *from,
                      yaml_mark_t mark, struct value *to)
{
    int deepest = 0;
    size_t n = count_values(from, LOADER_COPIES_MAX - l->copies, 0, &deepest);

    if (l->depth + deepest > LOADER_DEPTH_MAX)
        return loader_fail(l, mark, "nested too deeply", "");
    if (n > LOADER_COPIES_MAX - l->copies)
        return loader_fail(l, mark, "the aliases of this file stand for more "
                           "than a million values", "");
    l->copies += n;
    return value_copy(from, to, l->err);
}

int anchor_close(struct loader *l, const yaml_char_t *name, yaml_mark_t mark,
                 const struct value *v)
{
    struct anchor *anchor;

    if (name == NULL)
        return 0;
    anchor = find_anchor(l, (const char *)name);
    if (copy_value(l, v, mark, &anchor->value) != 0)
        return -1;
    anchor->complete = true;
    return 0;
}

int anchor_alias(struct loader *l, const yaml_event_t *event,
                 struct value *v)
{
    const char *name = (const char *)event->data.alias.anchor;
    const struct anchor *anchor = find_anchor(l, name);

    if (anchor == NULL)
        return loader_fail(l, event->start_mark,
                           "no anchor before this alias *", name);
    if (!anchor->complete)
        return loader_fail(l, event->start_mark,
                           "what contains itself has no value: *", name);
    if (copy_value(l, &anchor->value, event->start_mark, v) != 0)
        return -1;
    loader_place(l, v, event->start_mark);
    return 0;
}

void anchors_free(struct loader *l)
{
    size_t i;

    for (i = 0; i < l->nanchors; i++) {
        free(l->anchors[i].name);
        value_free(&l->anchors[i].value);
    }
    free(l->anchors);
    l->anchors = NULL;
    l->nanchors = 0;
}
