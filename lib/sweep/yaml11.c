/*
 * From libyaml's events to values. The events, not libyaml's documents: a
 * document does not say whether a scalar was plain.
 */
#include "yaml11.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <yaml.h>

#include "yaml11_lint.h"
#include "yaml11_scalar.h"

#define DEPTH_MAX 100

/* Values that aliases may make: each is a copy here, and ten lines of aliases
 * of aliases are a billion. */
#define COPIES_MAX 1000000

#define TAG "tag:yaml.org,2002:"

struct anchor {
    char *name;
    int line;
    bool complete; /* no: we are inside it */
    struct value value;
};

struct loader {
    yaml_parser_t parser;
    const char *name;
    const struct yaml11_options *opt;
    struct lint *lint;
    struct relay_error *err;
    struct anchor *anchors;
    size_t nanchors;
    size_t copies;
    int depth;
};

static int load_node(struct loader *l, yaml_event_t *event, struct value *v);

static int fail_at(struct loader *l, yaml_mark_t mark, const char *what,
                   const char *which)
{
    return relay_fail(l->err, EX_DATAERR, "%s:%zu:%zu: %s%s", l->name,
                      mark.line + 1, mark.column + 1, what, which);
}

static int no_memory(struct loader *l)
{
    return relay_fail(l->err, EX_OSERR, "out of memory");
}

static int next_event(struct loader *l, yaml_event_t *event)
{
    const yaml_parser_t *p = &l->parser;

    if (yaml_parser_parse(&l->parser, event) == 1)
        return 0;
    if (p->error == YAML_MEMORY_ERROR)
        return no_memory(l);
    if (p->error == YAML_READER_ERROR)
        return relay_fail(l->err, EX_DATAERR, "%s: byte %zu: %s", l->name,
                          p->problem_offset + 1, p->problem);
    return relay_fail(l->err, EX_DATAERR, "%s:%zu:%zu: %s%s%s", l->name,
                      p->problem_mark.line + 1, p->problem_mark.column + 1,
                      p->problem != NULL ? p->problem : "cannot be parsed",
                      p->context != NULL ? " " : "",
                      p->context != NULL ? p->context : "");
}

static void set_place(struct value *v, yaml_mark_t mark)
{
    v->line = mark.line < INT_MAX ? (int)mark.line + 1 : 0;
    v->column = mark.column < INT_MAX ? (int)mark.column + 1 : 0;
}

/* --- anchors -------------------------------------------------------------- */

static struct anchor *find_anchor(struct loader *l, const char *name)
{
    size_t i;

    for (i = 0; i < l->nanchors; i++)
        if (strcmp(l->anchors[i].name, name) == 0)
            return &l->anchors[i];
    return NULL;
}

/* Notes the name in front of a node, before its content is read. */
static int open_anchor(struct loader *l, const yaml_char_t *name,
                       yaml_mark_t mark)
{
    struct anchor *more;

    if (name == NULL)
        return 0;
    if (find_anchor(l, (const char *)name) != NULL)
        return fail_at(l, mark, "a second anchor of the name &",
                       (const char *)name);
    more = reallocarray(l->anchors, l->nanchors + 1, sizeof(*more));
    if (more == NULL)
        return no_memory(l);
    l->anchors = more;
    memset(&more[l->nanchors], 0, sizeof(*more));
    more[l->nanchors].name = strdup((const char *)name);
    if (more[l->nanchors].name == NULL)
        return no_memory(l);
    l->nanchors++;
    return 0;
}

static int copy_value(struct loader *l, const struct value *from,
                      yaml_mark_t mark, struct value *to);

static int close_anchor(struct loader *l, const yaml_char_t *name,
                        yaml_mark_t mark, const struct value *v)
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
    size_t n = count_values(from, COPIES_MAX - l->copies, 0, &deepest);

    if (l->depth + deepest > DEPTH_MAX)
        return fail_at(l, mark, "nested too deeply", "");
    if (n > COPIES_MAX - l->copies)
        return fail_at(l, mark, "the aliases of this file stand for more "
                       "than a million values", "");
    l->copies += n;
    return value_copy(from, to, l->err);
}

static int load_alias(struct loader *l, const yaml_event_t *event,
                      struct value *v)
{
    const char *name = (const char *)event->data.alias.anchor;
    const struct anchor *anchor = find_anchor(l, name);

    if (anchor == NULL)
        return fail_at(l, event->start_mark, "no anchor before this alias *",
                       name);
    if (!anchor->complete)
        return fail_at(l, event->start_mark, "what contains itself has no "
                       "value: *", name);
    if (copy_value(l, &anchor->value, event->start_mark, v) != 0)
        return -1;
    set_place(v, event->start_mark);
    return 0;
}

/* --- scalars -------------------------------------------------------------- */

static int tag_type(const char *tag, enum scalar_type *type)
{
    static const struct {
        const char *tag;
        enum scalar_type type;
    } tags[] = {
        {TAG "str", SCALAR_STR},     {TAG "null", SCALAR_NULL},
        {TAG "bool", SCALAR_BOOL},   {TAG "int", SCALAR_INT},
        {TAG "float", SCALAR_FLOAT}, {TAG "timestamp", SCALAR_DATE},
        {TAG "value", SCALAR_VALUE}, {TAG "merge", SCALAR_MERGE},
    };
    size_t i;

    for (i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
        if (strcmp(tag, tags[i].tag) == 0) {
            *type = tags[i].type;
            return 0;
        }
    return -1;
}

static int bad_tag(struct loader *l, yaml_mark_t mark, const char *tag)
{
    if (strncmp(tag, TAG, strlen(TAG)) == 0)
        return relay_fail(l->err, EX_DATAERR, "%s:%zu:%zu: the tag !!%.80s is "
                          "not understood here", l->name, mark.line + 1,
                          mark.column + 1, tag + strlen(TAG));
    return fail_at(l, mark, "a tag that YAML 1.1 does not have: ", tag);
}

/* *type of a scalar, without making its value. */
static int scalar_type_of(struct loader *l, const yaml_event_t *event,
                          enum scalar_type *type)
{
    const char *tag = (const char *)event->data.scalar.tag;
    const char *text = (const char *)event->data.scalar.value;

    if (tag != NULL && strcmp(tag, "!") != 0)
        return tag_type(tag, type) == 0 ? 0
                                        : bad_tag(l, event->start_mark, tag);
    /* PyYAML resolves what has the tag "!", quotes or not. */
    *type = tag != NULL || event->data.scalar.plain_implicit
                ? scalar_resolve(text) : SCALAR_STR;
    return 0;
}

static int load_scalar(struct loader *l, const yaml_event_t *event,
                       enum scalar_type type, struct value *v)
{
    const char *text = (const char *)event->data.scalar.value;
    bool plain = event->data.scalar.tag == NULL &&
                 event->data.scalar.plain_implicit;
    struct relay_error why;

    if (plain && l->opt != NULL && l->opt->floats &&
        scalar_is_lost_float(text))
        type = SCALAR_FLOAT;
    if (scalar_make(type, text, event->data.scalar.length, v, &why) != 0) {
        fail_at(l, event->start_mark, why.text, "");
        if (l->err != NULL)
            l->err->code = why.code;
        return -1;
    }
    set_place(v, event->start_mark);
    if (plain)
        yaml11_lint_scalar(l->lint, l->name, text, type, v);
    return 0;
}

static int load_any_scalar(struct loader *l, const yaml_event_t *event,
                           struct value *v)
{
    const yaml_char_t *anchor = event->data.scalar.anchor;
    enum scalar_type type;

    if (open_anchor(l, anchor, event->start_mark) != 0 ||
        scalar_type_of(l, event, &type) != 0 ||
        load_scalar(l, event, type, v) != 0)
        return -1;
    return close_anchor(l, anchor, event->start_mark, v);
}

/* --- sequences and mappings ----------------------------------------------- */

static int load_items(struct loader *l, struct value *v)
{
    struct value item = {0};
    yaml_event_t event;
    int rc = 0;

    while (rc == 0) {
        if (next_event(l, &event) != 0)
            return -1;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return 0;
        }
        rc = load_node(l, &event, &item);
        if (rc == 0)
            rc = value_append(v, &item, l->err);
        yaml_event_delete(&event);
    }
    return rc;
}

/* The key as a str; *is_merge: it is <<. */
static int load_key(struct loader *l, yaml_event_t *event, struct text *key,
                    bool *is_merge, struct value *place)
{
    enum scalar_type type = SCALAR_STR;
    const char *text = "";
    bool scalar = event->type == YAML_SCALAR_EVENT;

    *is_merge = false;
    text_clear(key);
    if (scalar) {
        text = (const char *)event->data.scalar.value;
        if (scalar_type_of(l, event, &type) != 0)
            return -1;
        if (type == SCALAR_MERGE) {
            *is_merge = true;
            return 0;
        }
    } else if (event->type != YAML_ALIAS_EVENT) {
        return fail_at(l, event->start_mark, "a key that is a list or a "
                       "mapping", "");
    }
    if (type == SCALAR_VALUE) {
        if (value_set_str(place, text, strlen(text), l->err) != 0)
            return -1;
    } else if (scalar) {
        struct lint *lint = l->lint;
        int rc;

        l->lint = NULL; /* a key has warnings of its own */
        rc = load_any_scalar(l, event, place);
        l->lint = lint;
        if (rc != 0)
            return -1;
    } else if (load_alias(l, event, place) != 0) {
        return -1;
    }
    if (place->kind == VALUE_LIST || place->kind == VALUE_DICT)
        return fail_at(l, event->start_mark, "a key that is a list or a "
                       "mapping", "");
    set_place(place, event->start_mark);
    yaml11_lint_key(l->lint, l->name, text, place);
    value_str(place, key);
    return key->failed ? no_memory(l) : 0;
}

/* from's members into merged, over those it has. */
static int merge_one(struct loader *l, const struct value *from,
                     yaml_mark_t mark, struct value *merged)
{
    size_t i;

    if (from->kind != VALUE_DICT)
        return fail_at(l, mark, "<< needs a mapping or a list of mappings", "");
    for (i = 0; i < from->n; i++) {
        struct value item = {0};

        if (value_copy(&from->items[i], &item, l->err) != 0 ||
            value_put(merged, from->keys[i], &item, l->err) != 0)
            return -1;
    }
    return 0;
}

/* Of a list the first mapping that has a key wins. */
static int merge(struct loader *l, const struct value *from, yaml_mark_t mark,
                 struct value *merged)
{
    size_t i;

    if (from->kind != VALUE_LIST)
        return merge_one(l, from, mark, merged);
    for (i = from->n; i > 0; i--)
        if (merge_one(l, &from->items[i - 1], mark, merged) != 0)
            return -1;
    return 0;
}

static int put_member(struct loader *l, const char *key,
                      const struct value *place, struct value *item,
                      struct value *own)
{
    const struct value *old = value_get(own, key);

    if (old != NULL)
        lint_add(l->lint, l->name, place->line, place->column,
                 "the key \"%s\" is here for the second time (the first value "
                 "is in line %d); the last one counts", key, old->line);
    return value_put(own, key, item, l->err);
}

static int load_member(struct loader *l, yaml_event_t *event,
                       struct text *key, struct value *merged,
                       struct value *own)
{
    yaml_mark_t mark = event->start_mark;
    struct value place = {0}, item = {0};
    yaml_event_t value;
    bool is_merge;
    int rc = load_key(l, event, key, &is_merge, &place);

    if (rc == 0)
        rc = next_event(l, &value);
    if (rc == 0) {
        rc = load_node(l, &value, &item);
        yaml_event_delete(&value);
        if (rc == 0 && is_merge)
            rc = merge(l, &item, mark, merged);
        else if (rc == 0)
            rc = put_member(l, text_str(key), &place, &item, own);
    }
    value_free(&item);
    value_free(&place);
    return rc;
}

/* What was merged comes first; a mapping's own members win over it. */
static int join(struct loader *l, struct value *merged, struct value *own,
                struct value *v)
{
    size_t i;

    v->kind = VALUE_DICT;
    if (merged->n == 0) {
        *v = *own;
        v->kind = VALUE_DICT;
        memset(own, 0, sizeof(*own));
        return 0;
    }
    *v = *merged;
    memset(merged, 0, sizeof(*merged));
    for (i = 0; i < own->n; i++)
        if (value_put(v, own->keys[i], &own->items[i], l->err) != 0)
            return -1;
    return 0;
}

static int load_members(struct loader *l, struct value *v)
{
    struct value merged = {.kind = VALUE_DICT}, own = {.kind = VALUE_DICT};
    struct text key = {0};
    yaml_event_t event;
    bool end = false;
    int rc = 0;

    while (rc == 0 && !end) {
        rc = next_event(l, &event);
        if (rc != 0)
            break;
        end = event.type == YAML_MAPPING_END_EVENT;
        if (!end)
            rc = load_member(l, &event, &key, &merged, &own);
        yaml_event_delete(&event);
    }
    if (rc == 0)
        rc = join(l, &merged, &own, v);
    value_free(&merged);
    value_free(&own);
    text_free(&key);
    return rc;
}

static int load_collection(struct loader *l, const yaml_event_t *event,
                           struct value *v)
{
    bool is_list = event->type == YAML_SEQUENCE_START_EVENT;
    const yaml_char_t *anchor = is_list ? event->data.sequence_start.anchor
                                        : event->data.mapping_start.anchor;
    const char *tag = (const char *)(is_list ? event->data.sequence_start.tag
                                             : event->data.mapping_start.tag);

    if (tag != NULL && strcmp(tag, "!") != 0 &&
        strcmp(tag, is_list ? TAG "seq" : TAG "map") != 0)
        return bad_tag(l, event->start_mark, tag);
    if (l->depth >= DEPTH_MAX)
        return fail_at(l, event->start_mark, "nested too deeply", "");
    if (open_anchor(l, anchor, event->start_mark) != 0)
        return -1;
    l->depth++;
    v->kind = VALUE_LIST;
    if ((is_list ? load_items(l, v) : load_members(l, v)) != 0)
        return -1;
    l->depth--;
    set_place(v, event->start_mark);
    return close_anchor(l, anchor, event->start_mark, v);
}

/* v is None before, and None again when it fails. */
static int load_node(struct loader *l, yaml_event_t *event, struct value *v)
{
    int rc;

    if (event->type == YAML_SCALAR_EVENT)
        rc = load_any_scalar(l, event, v);
    else if (event->type == YAML_ALIAS_EVENT)
        rc = load_alias(l, event, v);
    else
        rc = load_collection(l, event, v);
    if (rc != 0)
        value_free(v);
    return rc;
}

/* --- the stream ----------------------------------------------------------- */

/* One document and nothing behind it; nothing at all is None. */
static int load_stream(struct loader *l, struct value *v)
{
    yaml_event_t event;
    bool loaded = false, end = false;
    int rc = 0;

    while (rc == 0 && !end) {
        rc = next_event(l, &event);
        if (rc != 0)
            break;
        switch (event.type) {
        case YAML_STREAM_END_EVENT:
            end = true;
            break;
        case YAML_DOCUMENT_START_EVENT:
            if (loaded)
                rc = fail_at(l, event.start_mark, "a second document "
                             "(after ---)", "");
            break;
        case YAML_SCALAR_EVENT:
        case YAML_ALIAS_EVENT:
        case YAML_SEQUENCE_START_EVENT:
        case YAML_MAPPING_START_EVENT:
            rc = load_node(l, &event, v);
            loaded = true;
            break;
        default:
            break;
        }
        yaml_event_delete(&event);
    }
    return rc;
}

int yaml11_load(const char *text, size_t len, const char *name,
                const struct yaml11_options *opt, struct value *v,
                struct lint *lint, struct relay_error *err)
{
    struct loader l = {.name = name, .opt = opt, .lint = lint, .err = err};
    size_t i;
    int rc;

    memset(v, 0, sizeof(*v));
    if (yaml_parser_initialize(&l.parser) != 1)
        return no_memory(&l);
    yaml_parser_set_input_string(&l.parser, (const unsigned char *)text, len);
    rc = load_stream(&l, v);
    if (rc != 0)
        value_free(v);
    for (i = 0; i < l.nanchors; i++) {
        free(l.anchors[i].name);
        value_free(&l.anchors[i].value);
    }
    free(l.anchors);
    yaml_parser_delete(&l.parser);
    return rc;
}
