#include "wandb.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "wandb_int.h"
#include "yaml11.h"

int wandb_fail(const struct wandb_reader *r, int line, int column,
               const char *fmt, ...)
{
    char what[sizeof(r->err->text)];
    va_list ap;
    size_t i;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    for (i = 0; what[i] != '\0'; i++) /* an error is one line */
        if (iscntrl((unsigned char)what[i]))
            what[i] = '?';
    if (line <= 0)
        return relay_fail(r->err, EX_DATAERR, "%s: %s", r->name, what);
    return relay_fail(r->err, EX_DATAERR, "%s:%d:%d: %s", r->name, line,
                      column, what);
}

bool wandb_number(const struct value *v, double *number)
{
    double is = v->kind == VALUE_FLOAT ? v->f : (double)v->i;

    if (v->kind != VALUE_FLOAT && v->kind != VALUE_INT)
        return false;
    if (v->kind == VALUE_INT && v->text != NULL)
        is = strtod(v->text, NULL);
    if (number != NULL)
        *number = is;
    return true;
}

/* --- places -------------------------------------------------------------- */

/* Where a line begins; NULL when there are not so many. */
static const char *line_start(const struct wandb_reader *r, int line)
{
    const char *at = r->text;
    const char *end = r->text + r->len;

    while (at != NULL && --line > 0) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (at != NULL)
            at++;
    }
    return at;
}

/* Values carry places, keys do not: the key is the last text like it before
 * its value, in the value's line or a few above. */
void wandb_key_place(const struct wandb_reader *r, const char *key,
                     const struct value *item, int *line, int *column)
{
    const char *stop = line_start(r, item->line);
    const char *end = r->text + r->len;
    size_t len = strlen(key);
    const char *at;
    int above;

    *line = item->line;
    *column = item->column;
    if (stop == NULL || item->column < 1 || item->column > end - stop + 1)
        return;
    stop += item->column - 1;
    for (above = 0; above < 4 && item->line - above > 0; above++) {
        const char *start = line_start(r, item->line - above);

        if (start == NULL || (size_t)(stop - r->text) < len)
            return;
        for (at = stop - len; at >= start; at--) {
            if (memcmp(at, key, len) == 0 &&
                (at == start || strchr(" \t{,'\"?", at[-1]) != NULL) &&
                (at + len == end || strchr(" \t:'\"", at[len]) != NULL)) {
                *line = item->line - above;
                *column = (int)(at - start) + 1;
                return;
            }
            if (at == start)
                break; /* no pointer before the text */
        }
        stop = start > r->text ? start - 1 : start;
    }
}

/* --- parameters ---------------------------------------------------------- */

static int by_code_points(const void *a, const void *b)
{
    char *const *left = a;
    char *const *right = b;

    return strcmp(*left, *right); /* of UTF-8: the same as code points */
}

/* ^[A-Za-z_][A-Za-z0-9_.-]*$; another name is only complained about, but for
 * control characters, which no argument should have in its name. */
static int check_name(struct wandb_reader *r, const struct wandb_param *p)
{
    const char *key = p->path[p->depth - 1];
    const char *at;

    for (at = key; *at != '\0'; at++)
        if (iscntrl((unsigned char)*at))
            return wandb_fail(r, p->line, p->column, "parameter name '%s' "
                              "has a control character", key);
    for (at = key; *at != '\0'; at++)
        if (!(isascii((unsigned char)*at) && (isalpha((unsigned char)*at) ||
              *at == '_' || (at > key && (isdigit((unsigned char)*at) ||
                                          *at == '.' || *at == '-')))))
            break;
    if (at == key || *at != '\0')
        lint_add(r->lint, r->name, p->line, p->column,
                 "parameter name '%s' does not match "
                 "^[A-Za-z_][A-Za-z0-9_.-]*$: W&B calls the file malformed",
                 key);
    return 0;
}

static int read_params(struct wandb_reader *r, const struct value *dict,
                       struct wandb_param *outer);

/* One that is called p->name and has others within it. */
static int read_nested(struct wandb_reader *r, struct wandb_param *p,
                       const struct value *inner)
{
    int line, column;
    size_t i;

    for (i = 0; i < p->dict->n; i++) {
        if (strcmp(p->dict->keys[i], "parameters") == 0)
            continue;
        wandb_key_place(r, p->dict->keys[i], &p->dict->items[i], &line,
                        &column);
        return wandb_fail(r, line, column, "unknown key %s beside "
                          "parameters in parameter %s",
                          p->dict->keys[i], p->name);
    }
    if (inner->kind != VALUE_DICT || inner->n == 0)
        return wandb_fail(r, inner->line, inner->column, "parameters of "
                          "parameter %s must hold a parameter or more",
                          p->name);
    return read_params(r, inner, p);
}

static int read_param(struct wandb_reader *r, const struct value *dict,
                      char *key, struct wandb_param *outer)
{
    struct wandb_param p = *outer;
    const struct value *inner;
    struct text name = {0};
    int rc;

    p.dict = value_get(dict, key);
    p.path[p.depth++] = key;
    if (outer->depth > 0)
        text_printf(&name, "%s.", outer->name);
    text_add(&name, key);
    if (name.failed) {
        text_free(&name);
        return relay_fail(r->err, EX_OSERR, "out of memory");
    }
    p.name = name.s;
    wandb_key_place(r, key, p.dict, &p.line, &p.column);
    inner = value_get(p.dict, "parameters");
    rc = check_name(r, &p);
    if (rc == 0)
        rc = inner != NULL ? read_nested(r, &p, inner)
                           : wandb_param_read(r, &p);
    text_free(&name);
    return rc;
}

static int read_params(struct wandb_reader *r, const struct value *dict,
                       struct wandb_param *outer)
{
    char **keys;
    int rc = 0;
    size_t i;

    if (outer->depth == WANDB_MAX_DEPTH)
        return wandb_fail(r, dict->line, dict->column, "parameters are "
                          "nested too deeply");
    keys = calloc(dict->n, sizeof(*keys));
    if (keys == NULL)
        return relay_fail(r->err, EX_OSERR, "out of memory");
    memcpy(keys, dict->keys, dict->n * sizeof(*keys));
    qsort(keys, dict->n, sizeof(*keys), by_code_points);
    for (i = 0; i < dict->n && rc == 0; i++)
        rc = read_param(r, dict, keys[i], outer);
    free(keys);
    return rc;
}

/* --- the top ------------------------------------------------------------- */

static int read_method(struct wandb_reader *r, const struct value *top)
{
    const struct value *method = value_get(top, "method");
    const char *is = method != NULL && method->kind == VALUE_STR
                         ? method->text : "";

    if (method == NULL)
        return wandb_fail(r, top->line, top->column, "method is missing: "
                          "write method: grid or method: random");
    r->sweep->method = strcmp(is, "random") == 0 ? WANDB_RANDOM : WANDB_GRID;
    if (strcmp(is, "grid") == 0 || strcmp(is, "random") == 0)
        return 0;
    if (strcmp(is, "bayes") == 0 || strcmp(is, "custom") == 0)
        return wandb_fail(r, method->line, method->column, "method: %s "
                          "chooses each run by the results of those before "
                          "it, which needs W&B's server: write method: "
                          "grid, or method: random with run_cap and a line "
                          "#RELAY seed 1", is);
    return wandb_fail(r, method->line, method->column, "method must be grid "
                      "or random (bayes and custom are W&B's server's)");
}

/* A string; another plain value is complained about and taken as text. */
static int read_string(struct wandb_reader *r, const struct value *top,
                       const char *key, char **to)
{
    const struct value *v = value_get(top, key);
    struct text text = {0};

    if (v == NULL || v->kind == VALUE_NONE)
        return 0;
    if (v->kind == VALUE_LIST || v->kind == VALUE_DICT)
        return wandb_fail(r, v->line, v->column, "%s must be a string", key);
    if (v->kind != VALUE_STR)
        lint_add(r->lint, r->name, v->line, v->column, "%s is no string: "
                 "W&B calls the file malformed; write it in quotes", key);
    value_str(v, &text);
    if (text.failed || (*to = strdup(text_str(&text))) == NULL) {
        text_free(&text);
        return relay_fail(r->err, EX_OSERR, "out of memory");
    }
    text_free(&text);
    return 0;
}

static int read_run_cap(struct wandb_reader *r, const struct value *top)
{
    const struct value *cap = value_get(top, "run_cap");

    if (cap == NULL)
        return 0;
    if (cap->kind != VALUE_INT || cap->text != NULL || cap->i <= 0)
        return wandb_fail(r, cap->line, cap->column, "run_cap must be a "
                          "whole number greater than 0");
    r->sweep->run_cap = cap->i;
    return 0;
}

static int read_command(struct wandb_reader *r, const struct value *top)
{
    const struct value *command = value_get(top, "command");

    r->sweep->command.kind = VALUE_LIST;
    if (command == NULL)
        return 0;
    if (command->kind != VALUE_LIST)
        return wandb_fail(r, command->line, command->column, "command must "
                          "be a list, as in [\"${env}\", python, "
                          "\"${program}\", \"${args}\"]");
    return value_copy(command, &r->sweep->command, r->err);
}

static int read_top(struct wandb_reader *r, const struct value *top)
{
    struct wandb_param none = {0};
    const struct value *params;

    if (top->kind != VALUE_DICT)
        return wandb_fail(r, 1, 1, "a sweep file is keys with values, such "
                          "as method: and parameters:");
    if (read_method(r, top) != 0 ||
        read_string(r, top, "name", &r->sweep->name) != 0 ||
        read_string(r, top, "project", &r->sweep->project) != 0 ||
        read_string(r, top, "entity", &r->sweep->entity) != 0 ||
        read_string(r, top, "program", &r->sweep->program) != 0 ||
        read_run_cap(r, top) != 0 || read_command(r, top) != 0)
        return -1;
    params = value_get(top, "parameters");
    if (params == NULL)
        return wandb_fail(r, top->line, top->column, "parameters is "
                          "missing: there is nothing to sweep over");
    if (params->kind != VALUE_DICT || params->n == 0)
        return wandb_fail(r, params->line, params->column, "parameters must "
                          "hold a parameter or more, as in lr: {values: "
                          "[0.1, 0.2]}");
    if (read_params(r, params, &none) != 0)
        return -1;
    wandb_check_rest(r, top);
    return 0;
}

int wandb_parse(const char *text, size_t len, const char *name, bool floats,
                struct wandb_sweep *sweep, struct lint *lint,
                struct relay_error *err)
{
    const struct yaml11_options opt = {.floats = floats};
    struct wandb_reader r = {text, len, name, sweep, lint, err};
    struct value top = {0};
    int rc;

    memset(sweep, 0, sizeof(*sweep));
    rc = yaml11_load(text, len, name, &opt, &top, lint, err);
    if (rc == 0)
        rc = read_top(&r, &top);
    value_free(&top);
    if (rc != 0)
        wandb_free(sweep);
    return rc;
}

static void free_leaf(struct wandb_leaf *leaf)
{
    size_t i;

    for (i = 0; i < leaf->depth; i++)
        free(leaf->path[i]);
    free(leaf->path);
    free(leaf->name);
    free(leaf->probabilities);
    value_free(&leaf->values);
    value_free(&leaf->min);
    value_free(&leaf->max);
    value_free(&leaf->q);
}

void wandb_free(struct wandb_sweep *sweep)
{
    size_t i;

    for (i = 0; i < sweep->nleaves; i++)
        free_leaf(&sweep->leaves[i]);
    free(sweep->leaves);
    free(sweep->name);
    free(sweep->project);
    free(sweep->entity);
    free(sweep->program);
    value_free(&sweep->command);
    memset(sweep, 0, sizeof(*sweep));
}
