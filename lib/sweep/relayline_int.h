/* Between the parts of the parser of #RELAY lines. */
#ifndef RELAY_SWEEP_RELAYLINE_INT_H
#define RELAY_SWEEP_RELAYLINE_INT_H

#include "relayline.h"

/* A place in a line of a source. */
struct relay_cursor {
    const char *name;  /* of the source */
    int line;          /* from 1 */
    const char *start; /* of the line */
    const char *at;
    const char *end; /* of what is to be read of it */
    struct relay_lines *lines;
    struct relay_error *err;
};

/* Fails with NAME:LINE:COLUMN of at; returns -1. */
int relayline_fail(const struct relay_cursor *c, const char *at,
                   const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads the checks up to the end of the line, separated by ";". The short
 * forms are written out: `s.json ok==true` is `s.json json ok == true`. */
int relayline_done(struct relay_cursor *c);

/* Reads an expression and stops behind it; -1 where there is none. */
int relayline_cost_form(struct relay_cursor *c);

#endif
