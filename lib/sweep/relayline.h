/*
 * Our extensions, in comment lines of a source, so that the file still works
 * with the tool that it was written for:
 *
 *     #RELAY exclude num_workers log_every    # not part of the id
 *     #RELAY zip lr,warmup                    # vary together
 *     #RELAY when opt.nadam: optimizer == nadam
 *     #RELAY seed 7    cost 2.5h*width/256    retries 3
 *     #RELAY seed-name random_state           # the parameter that is the seed
 *     #RELAY done summary.json json ok == true; exit0
 *     #RELAY config base.toml                 # its digest is part of the id
 *     #RELAY out {project}/{group}/{id}
 *
 * A # behind a blank begins a comment. Several words may share a line; done,
 * exclude, when and zip take the rest of theirs. A word in double quotes may
 * hold blanks.
 */
#ifndef RELAY_SWEEP_RELAYLINE_H
#define RELAY_SWEEP_RELAYLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "value.h"

struct relay_when {
    char *param; /* exists only where the condition holds; "opt.nadam", or
                    "opt" for all that is within it */
    char *other; /* name of the parameter that is compared; where it does
                    not exist itself, no condition holds */
    bool not_equal;
    struct value value; /* a Python literal; true, false, null as in YAML;
                           else the text as a string */
    int line;
};

struct relay_zip {
    char **params; /* n of them: the same number of values each */
    size_t n;
    int line;
};

/* Files whose content the cells depend on. */
struct relay_config_file {
    char *path;      /* as written: relative to the source's directory */
    char digest[65]; /* SHA-256 hex; "" until it was looked up */
    int line;
};

/* All zero is none of them (retries: -1 is "not given"; relaylines_init). */
struct relay_lines {
    char **exclude;
    size_t nexclude;
    struct relay_zip *zips;
    size_t nzips;
    struct relay_when *whens;
    size_t nwhens;
    char **done; /* checks, as in lib/done.h, form checked; short forms
                    (s.json ok==true) written out */
    size_t ndone;
    struct relay_config_file *configs;
    size_t nconfigs;
    bool has_seed;
    int64_t seed;
    int retries;     /* failures before a cell is left alone; -1: not given */
    char *cost;      /* expression, form checked; NULL: none */
    char *out;       /* template of the output directory; NULL: default */
    char *seed_name; /* parameter that is the seed; NULL: "seed" */
};

void relaylines_init(struct relay_lines *lines);

/* Finds and parses the lines "#RELAY ..." of a source. 0, or -1 with
 * EX_DATAERR and NAME:LINE:COLUMN (an unknown word is one). */
int relaylines_parse(const char *text, size_t len, const char *name,
                     struct relay_lines *lines, struct relay_error *err);

void relaylines_free(struct relay_lines *lines);

/* Hours that a cell costs by expression "2.5h*width/256" (numbers with an
 * optional unit s, m, h or d; * / + - and brackets; names of parameters).
 * params is the cell's. Returns -1 where a name is missing or no number. */
double relaylines_cost(const char *expression, const struct value *params);

#endif
