/*
 * From libyaml's events to values. The events, not libyaml's documents: a
 * document does not say whether a scalar was plain.
 */
#include "yaml11.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <yaml.h>

#include "yaml11_lint.h"
#include "yaml11_loader.h"
#include "yaml11_scalar.h"

#define TAG "tag:yaml.org,2002:"

static int load_node(struct loader *l, yaml_event_t *event, struct value *v);

static int next_event(struct loader *l, yaml_event_t *event)
{
    const yaml_parser_t *p = &l->parser;
    int line, column;

    if (yaml_parser_parse(&l->parser, event) == 1)
        return 0;
    if (p->error == YAML_MEMORY_ERROR)
        return loader_no_memory(l);
    if (p->error == YAML_READER_ERROR)
        return relay_fail(l->err, EX_DATAERR, "%s: byte %zu: %s", l->name,
                          p->problem_offset + 1, p->problem);
    yaml11_text_place(&l->text, p->problem_mark, &line, &column);
    return relay_fail(l->err, EX_DATAERR, "%s:%d:%d: %s%s%s", l->name, line,
                      column,
                      p->problem != NULL ? p->problem : "cannot be parsed",
                      p->context != NULL ? " " : "",
                      p->context != NULL ? p->context : "");
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
        return loader_fail(l, mark, "a tag that is not understood here: !!",
                           tag + strlen(TAG));
    return loader_fail(l, mark, "a tag that YAML 1.1 does not have: ", tag);
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
        loader_fail(l, event->start_mark, why.text, "");
        if (l->err != NULL)
            l->err->code = why.code;
        return -1;
    }
    loader_place(l, v, event->start_mark);
    if (plain && !l->in_key) /* a key has warnings of its own */
        yaml11_lint_scalar(l->lint, l->name, text, type, v);
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && l->flow > 0 &&
        strchr(text, '?') != NULL)
        lint_add(l->lint, l->name, v->line, v->column,
                 "a \"?\" without quotes within [] or {}: PyYAML, so W&B, "
                 "refuses this file; write \"%s\"", text);
    return 0;
}

static void look_for_tabs(struct loader *l, const yaml_event_t *event)
{
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return;
    yaml11_tabs_look(&l->tabs, &l->text, event->start_mark.index, l->lint,
                     l->name);
    yaml11_tabs_skip(&l->tabs, &l->text, event->end_mark.index);
}

static int load_any_scalar(struct loader *l, const yaml_event_t *event,
                           struct value *v)
{
    const yaml_char_t *anchor = event->data.scalar.anchor;
    enum scalar_type type;

    look_for_tabs(l, event);
    if (anchor_open(l, anchor, event->start_mark) != 0 ||
        scalar_type_of(l, event, &type) != 0 ||
        load_scalar(l, event, type, v) != 0)
        return -1;
    return anchor_close(l, anchor, event->start_mark, v);
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

static int bad_key(struct loader *l, const yaml_event_t *event)
{
    return loader_fail(l, event->start_mark,
                       "a key that is a list or a mapping", "");
}

/* A scalar as a key; *is_merge: it is <<. */
static int load_scalar_key(struct loader *l, yaml_event_t *event,
                           bool *is_merge, struct value *key)
{
    const char *text = (const char *)event->data.scalar.value;
    enum scalar_type type;
    int rc;

    if (scalar_type_of(l, event, &type) != 0)
        return -1;
    *is_merge = type == SCALAR_MERGE;
    if (*is_merge)
        return 0;
    if (type == SCALAR_VALUE) /* a plain = is itself here */
        return value_set_str(key, text, strlen(text), l->err);
    l->in_key = true;
    rc = load_any_scalar(l, event, key);
    l->in_key = false;
    return rc;
}

/* name is the key as a str; *key has its place. */
static int load_key(struct loader *l, yaml_event_t *event, struct text *name,
                    bool *is_merge, struct value *key)
{
    const char *text = "";
    int rc;

    *is_merge = false;
    text_clear(name);
    if (event->type == YAML_SCALAR_EVENT) {
        text = (const char *)event->data.scalar.value;
        rc = load_scalar_key(l, event, is_merge, key);
    } else if (event->type == YAML_ALIAS_EVENT) {
        rc = anchor_alias(l, event, key);
    } else {
        rc = bad_key(l, event);
    }
    if (rc != 0 || *is_merge)
        return rc;
    if (key->kind == VALUE_LIST || key->kind == VALUE_DICT)
        return bad_key(l, event);
    loader_place(l, key, event->start_mark);
    yaml11_lint_key(l->lint, l->name, text, key);
    value_str(key, name);
    return name->failed ? loader_no_memory(l) : 0;
}

/* from's members into merged, over those it has. */
static int merge_one(struct loader *l, const struct value *from,
                     yaml_mark_t mark, struct value *merged)
{
    size_t i;

    if (from->kind != VALUE_DICT)
        return loader_fail(l, mark,
                           "<< needs a mapping or a list of mappings", "");
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
    int flow = is_list ? event->data.sequence_start.style ==
                             YAML_FLOW_SEQUENCE_STYLE
                       : event->data.mapping_start.style ==
                             YAML_FLOW_MAPPING_STYLE;

    if (tag != NULL && strcmp(tag, "!") != 0 &&
        strcmp(tag, is_list ? TAG "seq" : TAG "map") != 0)
        return bad_tag(l, event->start_mark, tag);
    if (l->depth >= LOADER_DEPTH_MAX)
        return loader_fail(l, event->start_mark, "nested too deeply", "");
    if (anchor_open(l, anchor, event->start_mark) != 0)
        return -1;
    l->depth++;
    l->flow += flow;
    v->kind = VALUE_LIST;
    if ((is_list ? load_items(l, v) : load_members(l, v)) != 0)
        return -1;
    l->depth--;
    l->flow -= flow;
    loader_place(l, v, event->start_mark);
    return anchor_close(l, anchor, event->start_mark, v);
}

/* v is None before, and None again when it fails. */
static int load_node(struct loader *l, yaml_event_t *event, struct value *v)
{
    int rc;

    if (event->type == YAML_SCALAR_EVENT)
        rc = load_any_scalar(l, event, v);
    else if (event->type == YAML_ALIAS_EVENT)
        rc = anchor_alias(l, event, v);
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
                rc = loader_fail(l, event.start_mark,
                                 "a second document (after ---)", "");
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

/* *mended: it failed, and shall be tried again. */
static int load_text(struct loader *l, struct value *v, bool *mended)
{
    int rc;

    *mended = false;
    l->copies = 0;
    l->depth = 0;
    l->flow = 0;
    memset(&l->tabs, 0, sizeof(l->tabs));
    if (yaml_parser_initialize(&l->parser) != 1)
        return loader_no_memory(l);
    yaml_parser_set_input_string(&l->parser,
                                 (const unsigned char *)l->text.s,
                                 l->text.len);
    rc = load_stream(l, v);
    if (rc == 0)
        yaml11_tabs_look(&l->tabs, &l->text, SIZE_MAX, l->lint, l->name);
    else
        *mended = yaml11_text_mend(&l->text, &l->parser);
    yaml_parser_delete(&l->parser);
    anchors_free(l);
    return rc;
}

int yaml11_load(const char *text, size_t len, const char *name,
                const struct yaml11_options *opt, struct value *v,
                struct lint *lint, struct relay_error *err)
{
    struct loader l = {.name = name, .opt = opt, .err = err};
    struct lint found = {0};
    bool mended;
    int rc;

    memset(v, 0, sizeof(*v));
    if (yaml11_text_set(&l.text, text, len) != 0)
        return loader_no_memory(&l);
    l.lint = lint != NULL ? &found : NULL;
    do {
        lint_free(&found);
        rc = load_text(&l, v, &mended);
        if (rc != 0)
            value_free(v);
    } while (mended);
    lint_move(&found, lint);
    yaml11_text_free(&l.text);
    return rc;
}
