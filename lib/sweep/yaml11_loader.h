/* Loading YAML: what its parts share. */
#ifndef RELAY_SWEEP_YAML11_LOADER_H
#define RELAY_SWEEP_YAML11_LOADER_H

#include <yaml.h>

#include "yaml11.h"
#include "yaml11_text.h"

#define LOADER_DEPTH_MAX 100

/* Values that aliases may make: each is a copy here, and ten lines of aliases
 * of aliases are a billion. */
#define LOADER_COPIES_MAX 1000000

struct anchor {
    char *name;
    bool complete; /* no: we are inside it */
    struct value value;
};

struct loader {
    yaml_parser_t parser;
    struct yaml11_text text;
    struct yaml11_tabs tabs;
    const char *name;
    const struct yaml11_options *opt;
    struct lint *lint;
    struct relay_error *err;
    struct anchor *anchors;
    size_t nanchors;
    size_t copies;
    int depth;
    int flow; /* of those, how many are [..] or {..} */
    bool in_key;
};

/* EX_DATAERR with NAME:LINE:COLUMN: and both texts; returns -1. */
int loader_fail(struct loader *l, yaml_mark_t mark, const char *what,
                const char *which);
int loader_no_memory(struct loader *l);

/* v stands at mark. */
void loader_place(struct loader *l, struct value *v, yaml_mark_t mark);

/* Notes an anchor (NULL: there is none) before its value is read, and its
 * value behind. 0 or -1. */
int anchor_open(struct loader *l, const yaml_char_t *name, yaml_mark_t mark);
int anchor_close(struct loader *l, const yaml_char_t *name, yaml_mark_t mark,
                 const struct value *v);

/* What an alias stands for: a copy. 0 or -1. */
int anchor_alias(struct loader *l, const yaml_event_t *event,
                 struct value *v);

void anchors_free(struct loader *l);

#endif
