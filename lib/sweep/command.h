/* What a cell runs: W&B's command macros, and arguments as W&B writes them. */
#ifndef RELAY_SWEEP_COMMAND_H
#define RELAY_SWEEP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "value.h"

/* Words, NULL-terminated: an argv. All zero is empty. */
struct words {
    char **word;
    size_t n;
};

int words_add(struct words *w, const char *word, struct relay_error *err);
void words_free(struct words *w);

/* --k=v for each top-level parameter, sorted by key: what ${args} is. */
int command_args(const struct value *params, struct words *out,
                 struct relay_error *err);

struct command_spec {
    const struct value *command; /* list of a sweep file; NULL or empty: the
                                    default ${env} ${interpreter} ${program}
                                    ${args} */
    const char *program;         /* of the sweep file; may be NULL */
    const char *json_path;       /* ${args_json_file} is this; or NULL */
    char *const *prefix;         /* what the user typed behind --; it replaces
                                    interpreter and program. NULL: none */
    bool strict;                 /* --strict-wandb: no ${NAME} of ours */
};

/*
 * The argv of one cell, all macros of W&B, ${envvar:NAME} first. A word that
 * is ${..} as a whole and nothing we know is silently no word, as for W&B.
 * Unless strict, ${NAME} of a parameter (also a.b of nested ones) is its
 * text, alone or inside a word.
 * With a prefix: prefix instead of everything up to the last of ${env},
 * ${interpreter} and ${program} (but an environment NAME=VALUE right behind
 * ${env} stays, with env, in front of it), then the command's other words and
 * the arguments in their form.
 * A command that needs a program and has none is EX_DATAERR.
 */
int command_make(const struct command_spec *spec, const struct value *params,
                 struct words *out, struct relay_error *err);

/* Quoted for a POSIX shell, blanks between: RELAY_CELL_ARGS. */
void command_quote(const struct words *w, struct text *out);

#endif
