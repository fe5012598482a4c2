/* Where libyaml reads a text otherwise than PyYAML, which W&B uses. */
#ifndef RELAY_SWEEP_YAML11_TEXT_H
#define RELAY_SWEEP_YAML11_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "lint.h"

/* The text that libyaml gets: a copy, with blanks where PyYAML needs none. */
struct yaml11_text {
    char *s;
    size_t len;
    yaml_mark_t *blanks; /* where each was put; its index is not used */
    size_t nblanks;
};

/* 0 or -1 (out of memory). */
int yaml11_text_set(struct yaml11_text *t, const char *text, size_t len);
void yaml11_text_free(struct yaml11_text *t);

/* After an error of libyaml: if it is about {values:[1, 2]}, puts a blank
 * behind that colon and returns true: load again. PyYAML takes ":" before
 * one of ,[]{} for the end of a key, in flow collections. */
bool yaml11_text_mend(struct yaml11_text *t, const yaml_parser_t *parser);

/* Line and column, from 1, in the text as it was. */
void yaml11_text_place(const struct yaml11_text *t, yaml_mark_t mark,
                       int *line, int *column);

/* How far tabs were looked for: PyYAML refuses any that is not in a quoted or
 * block scalar or a comment; libyaml takes most. All zero at the start. */
struct yaml11_tabs {
    size_t byte;
    yaml_mark_t mark;
    bool comment;
    bool told;
};

/* Looks at the text up to a mark's index (SIZE_MAX: to the end), and warns of
 * the first tab. */
void yaml11_tabs_look(struct yaml11_tabs *tabs, const struct yaml11_text *t,
                      size_t upto, struct lint *lint, const char *name);

/* Goes on behind a scalar in which tabs are allowed. */
void yaml11_tabs_skip(struct yaml11_tabs *tabs, const struct yaml11_text *t,
                      size_t upto);

#endif
