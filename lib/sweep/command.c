#include "command.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "pytext.h"

#define ENVVAR "${envvar:"

static const char *const default_command[] = {"${env}", "${interpreter}",
                                              "${program}", "${args}", NULL};

int words_add(struct words *w, const char *word, struct relay_error *err)
{
    char **more = reallocarray(w->word, w->n + 2, sizeof(*more));

    if (more == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    w->word = more;
    more[w->n] = strdup(word);
    if (more[w->n] == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    more[++w->n] = NULL;
    return 0;
}

void words_free(struct words *w)
{
    size_t i;

    for (i = 0; i < w->n; i++)
        free(w->word[i]);
    free(w->word);
    memset(w, 0, sizeof(*w));
}

/* --- parameters as arguments ---------------------------------------------- */

struct param {
    const char *name;
    const struct value *value;
};

struct params {
    struct param *param; /* sorted by name */
    size_t n;
};

static int compare_params(const void *a, const void *b)
{
    return strcmp(((const struct param *)a)->name,
                  ((const struct param *)b)->name);
}

static int sort_params(const struct value *dict, struct params *out,
                       struct relay_error *err)
{
    size_t n = dict->kind == VALUE_DICT ? dict->n : 0;
    size_t i;

    out->n = 0;
    out->param = calloc(n + 1, sizeof(*out->param));
    if (out->param == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    for (i = 0; i < n; i++) {
        out->param[i].name = dict->keys[i];
        out->param[i].value = &dict->items[i];
    }
    out->n = n;
    qsort(out->param, n, sizeof(*out->param), compare_params);
    return 0;
}

static int add_text(struct words *out, struct text *word,
                    struct relay_error *err)
{
    int rc;

    if (word->failed)
        rc = relay_fail(err, EX_OSERR, "out of memory");
    else
        rc = words_add(out, text_str(word), err);
    text_free(word);
    return rc;
}

static int add_flag(const struct param *p, const char *before,
                    struct words *out, struct relay_error *err)
{
    struct text word = {0};

    text_add(&word, before);
    text_add(&word, p->name);
    text_add_char(&word, '=');
    value_str(p->value, &word);
    return add_text(out, &word, err);
}

/* --k=v with what stands before k. */
static int add_flags(const struct params *params, const char *before,
                     struct words *out, struct relay_error *err)
{
    size_t i;

    for (i = 0; i < params->n; i++)
        if (add_flag(&params->param[i], before, out, err) != 0)
            return -1;
    return 0;
}

/* --k v as two words, or --k alone. */
static int add_pair(const struct param *p, bool with_value, struct words *out,
                    struct relay_error *err)
{
    struct text word = {0};

    text_add(&word, "--");
    text_add(&word, p->name);
    if (add_text(out, &word, err) != 0)
        return -1;
    if (!with_value)
        return 0;
    value_str(p->value, &word);
    return add_text(out, &word, err);
}

static int add_no_equals(const struct params *params, struct words *out,
                         struct relay_error *err)
{
    size_t i;

    for (i = 0; i < params->n; i++)
        if (add_pair(&params->param[i], true, out, err) != 0)
            return -1;
    return 0;
}

static int add_no_booleans(const struct params *params, struct words *out,
                           struct relay_error *err)
{
    size_t i;

    for (i = 0; i < params->n; i++) {
        const struct param *p = &params->param[i];
        int rc = 0;

        if (p->value->kind != VALUE_BOOL)
            rc = add_flag(p, "--", out, err);
        else if (p->value->flag)
            rc = add_pair(p, false, out, err);
        if (rc != 0)
            return -1;
    }
    return 0;
}

/* json.dumps of the sorted parameters, in pieces: they are not in one dict. */
static int add_json(const struct params *params, struct words *out,
                    struct relay_error *err)
{
    struct text json = {0};
    size_t i;

    text_add_char(&json, '{');
    for (i = 0; i < params->n; i++) {
        if (i > 0)
            text_add(&json, ", ");
        pytext_json(params->param[i].name, &json);
        text_add(&json, ": ");
        value_json(params->param[i].value, &json);
    }
    text_add_char(&json, '}');
    return add_text(out, &json, err);
}

int command_args(const struct value *params, struct words *out,
                 struct relay_error *err)
{
    struct params sorted;
    int rc;

    if (sort_params(params, &sorted, err) != 0)
        return -1;
    rc = add_flags(&sorted, "--", out, err);
    free(sorted.param);
    return rc;
}

/* --- macros --------------------------------------------------------------- */

enum macro {
    MACRO_NONE,
    MACRO_ENV,
    MACRO_INTERPRETER,
    MACRO_PROGRAM,
    MACRO_ARGS,
    MACRO_ARGS_NO_EQUALS,
    MACRO_ARGS_NO_HYPHENS,
    MACRO_ARGS_NO_BOOLEANS,
    MACRO_ARGS_JSON,
    MACRO_ARGS_JSON_FILE,
    MACRO_HYDRA_APPEND,
    MACRO_HYDRA_OVERRIDE
};

static enum macro macro_of(const char *word)
{
    static const struct {
        const char *word;
        enum macro macro;
    } macros[] = {
        {"${env}", MACRO_ENV},
        {"${interpreter}", MACRO_INTERPRETER},
        {"${program}", MACRO_PROGRAM},
        {"${args}", MACRO_ARGS},
        {"${args_no_equals}", MACRO_ARGS_NO_EQUALS},
        {"${args_no_hyphens}", MACRO_ARGS_NO_HYPHENS},
        {"${args_no_boolean_flags}", MACRO_ARGS_NO_BOOLEANS},
        {"${args_json}", MACRO_ARGS_JSON},
        {"${args_json_file}", MACRO_ARGS_JSON_FILE},
        {"${args_append_hydra}", MACRO_HYDRA_APPEND},
        {"${args_override_hydra}", MACRO_HYDRA_OVERRIDE},
    };
    size_t i;

    for (i = 0; i < sizeof(macros) / sizeof(macros[0]); i++)
        if (strcmp(word, macros[i].word) == 0)
            return macros[i].macro;
    return MACRO_NONE;
}

/* ${envvar:NAME} at p: where it ends, else NULL. */
static const char *envvar_end(const char *p)
{
    if (strncmp(p, ENVVAR, strlen(ENVVAR)) != 0)
        return NULL;
    p += strlen(ENVVAR);
    p += strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return *p == '}' ? p + 1 : NULL;
}

/* An unset variable leaves its name, as for W&B. */
static void expand_envvars(const char *word, struct text *out)
{
    while (*word != '\0') {
        const char *end = envvar_end(word);
        const char *name = word + strlen(ENVVAR);
        const char *value;
        char *copy;

        if (end == NULL) {
            text_add_char(out, *word++);
            continue;
        }
        copy = strndup(name, (size_t)(end - 1 - name));
        if (copy == NULL) {
            out->failed = true;
            return;
        }
        value = getenv(copy);
        text_add(out, value != NULL ? value : copy);
        free(copy);
        word = end;
    }
}

/* The parameter of that name; a.b is b of a, unless one is named a.b. */
static const struct value *find_param(const struct value *params,
                                      const char *name)
{
    const struct value *found = value_get(params, name);
    const char *dot;

    for (dot = strchr(name, '.'); found == NULL && dot != NULL;
         dot = strchr(dot + 1, '.')) {
        char *head = strndup(name, (size_t)(dot - name));
        const struct value *inner =
            head != NULL ? value_get(params, head) : NULL;

        free(head);
        if (inner != NULL)
            found = find_param(inner, dot + 1);
    }
    return found;
}

/* ${NAME} of parameters; how many there were. */
static int expand_params(const char *word, const struct value *params,
                         struct text *out)
{
    int expanded = 0;

    while (*word != '\0') {
        const char *end = strncmp(word, "${", 2) == 0 ? strchr(word, '}')
                                                      : NULL;
        const struct value *v = NULL;

        if (end != NULL) {
            char *name = strndup(word + 2, (size_t)(end - word - 2));

            v = name != NULL ? find_param(params, name) : NULL;
            free(name);
        }
        if (v != NULL) {
            value_str(v, out);
            expanded++;
            word = end + 1;
        } else {
            text_add_char(out, *word++);
        }
    }
    return expanded;
}

struct maker {
    const struct command_spec *spec;
    const struct value *params;
    struct params sorted;
    struct words *out;
    struct relay_error *err;
};

static int add_program(const struct maker *m)
{
    if (m->spec->program == NULL)
        return relay_fail(m->err, EX_DATAERR,
                          "the command needs ${program}, and the source has "
                          "no `program:`; add one, or give the command "
                          "behind --");
    return words_add(m->out, m->spec->program, m->err);
}

/* A word that is no macro of W&B. */
static int add_word(const struct maker *m, const char *word)
{
    size_t len = strlen(word);
    bool whole = len >= 3 && strncmp(word, "${", 2) == 0 &&
                 word[len - 1] == '}';
    struct text text = {0};

    if (m->spec->strict)
        return whole ? 0 : words_add(m->out, word, m->err);
    if (expand_params(word, m->params, &text) == 0 && whole) {
        text_free(&text);
        return 0;
    }
    return add_text(m->out, &text, m->err);
}

static int add_macro(const struct maker *m, const char *word)
{
    const char *path = m->spec->json_path;

    switch (macro_of(word)) {
    case MACRO_ENV:
        return words_add(m->out, "/usr/bin/env", m->err);
    case MACRO_INTERPRETER:
        return words_add(m->out, "python", m->err);
    case MACRO_PROGRAM:
        return add_program(m);
    case MACRO_ARGS:
        return add_flags(&m->sorted, "--", m->out, m->err);
    case MACRO_ARGS_NO_EQUALS:
        return add_no_equals(&m->sorted, m->out, m->err);
    case MACRO_ARGS_NO_HYPHENS:
        return add_flags(&m->sorted, "", m->out, m->err);
    case MACRO_ARGS_NO_BOOLEANS:
        return add_no_booleans(&m->sorted, m->out, m->err);
    case MACRO_ARGS_JSON:
        return add_json(&m->sorted, m->out, m->err);
    case MACRO_ARGS_JSON_FILE:
        return path != NULL ? words_add(m->out, path, m->err) : 0;
    case MACRO_HYDRA_APPEND:
        return add_flags(&m->sorted, "+", m->out, m->err);
    case MACRO_HYDRA_OVERRIDE:
        return add_flags(&m->sorted, "++", m->out, m->err);
    case MACRO_NONE:
        break;
    }
    return add_word(m, word);
}

/* The command's words with the environment's variables in them. */
static int read_command(const struct value *command, struct words *words,
                        struct relay_error *err)
{
    bool given = command != NULL && command->kind != VALUE_NONE;
    size_t i;

    if (given && command->kind != VALUE_LIST)
        return relay_fail(err, EX_DATAERR, "`command` must be a list of "
                          "words");
    if (!given || command->n == 0) {
        for (i = 0; default_command[i] != NULL; i++)
            if (words_add(words, default_command[i], err) != 0)
                return -1;
        return 0;
    }
    for (i = 0; i < command->n; i++) {
        struct text plain = {0}, word = {0};

        value_str(&command->items[i], &plain);
        expand_envvars(text_str(&plain), &word);
        word.failed = word.failed || plain.failed;
        text_free(&plain);
        if (add_text(words, &word, err) != 0)
            return -1;
    }
    return 0;
}

/* Is it NAME=VALUE for env(1)? */
static bool is_assignment(const char *word)
{
    return word[0] != '-' && word[0] != '=' && word[0] != '$' &&
           strchr(word, '=') != NULL;
}

/* Puts the prefix; *next is the first word of the command behind it. */
static int add_prefix(const struct maker *m, const struct words *command,
                      size_t *next)
{
    char *const *word = m->spec->prefix;
    size_t end = 0, i;

    for (i = 0; i < command->n; i++) {
        enum macro macro = macro_of(command->word[i]);

        if (macro == MACRO_ENV || macro == MACRO_INTERPRETER ||
            macro == MACRO_PROGRAM)
            end = i + 1;
    }
    if (end > 1 && macro_of(command->word[0]) == MACRO_ENV &&
        is_assignment(command->word[1])) {
        if (add_macro(m, command->word[0]) != 0)
            return -1;
        for (i = 1; i < end && is_assignment(command->word[i]); i++)
            if (add_macro(m, command->word[i]) != 0)
                return -1;
    }
    for (; *word != NULL; word++)
        if (words_add(m->out, *word, m->err) != 0)
            return -1;
    *next = end;
    return 0;
}

int command_make(const struct command_spec *spec, const struct value *params,
                 struct words *out, struct relay_error *err)
{
    struct maker m = {.spec = spec, .params = params, .out = out, .err = err};
    struct words command = {0};
    size_t i = 0;
    int rc = sort_params(params, &m.sorted, err);

    if (rc == 0)
        rc = read_command(spec->command, &command, err);
    if (rc == 0 && spec->prefix != NULL)
        rc = add_prefix(&m, &command, &i);
    for (; rc == 0 && i < command.n; i++)
        rc = add_macro(&m, command.word[i]);
    words_free(&command);
    free(m.sorted.param);
    if (rc == 0 && out->n == 0)
        rc = relay_fail(err, EX_DATAERR, "the command has no word left");
    return rc;
}

void command_quote(const struct words *w, struct text *out)
{
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz0123456789"
                               "%+,-./:=@_";
    size_t i;

    for (i = 0; i < w->n; i++) {
        const char *p = w->word[i];

        if (i > 0)
            text_add_char(out, ' ');
        if (*p != '\0' && p[strspn(p, safe)] == '\0') {
            text_add(out, p);
            continue;
        }
        text_add_char(out, '\'');
        for (; *p != '\0'; p++)
            if (*p == '\'')
                text_add(out, "'\\''");
            else
                text_add_char(out, *p);
        text_add_char(out, '\'');
    }
}
