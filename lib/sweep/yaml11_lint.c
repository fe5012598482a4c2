#include "yaml11_lint.h"

#include <string.h>

#include "pynum.h"

static void lint_float(struct lint *lint, const char *name, const char *text,
                       const struct value *v)
{
    struct text better = {0};

    scalar_spell_float(text, &better);
    if (!better.failed)
        lint_add(lint, name, v->line, v->column,
                 "%s is a string in YAML 1.1, which W&B reads; write %s for "
                 "the number (or read all such as numbers with "
                 "--yaml-floats), or \"%s\"", text, text_str(&better), text);
    text_free(&better);
}

/* Digits behind a sign, and whether they begin with zeros to drop. */
static const char *leading_zero(const char *text)
{
    const char *p = text + (*text == '-' || *text == '+');

    if (*p != '0' || strspn(p, "0123456789_") != strlen(p))
        return NULL;
    p += strspn(p, "0_");
    return *p != '\0' ? p : NULL;
}

static void lint_string(struct lint *lint, const char *name, const char *text,
                        const struct value *v)
{
    const char *digits = leading_zero(text);
    struct value meant = {0};

    if (scalar_is_lost_float(text)) {
        lint_float(lint, name, text, v);
    } else if (digits != NULL) {
        lint_add(lint, name, v->line, v->column,
                 "%s is a string in YAML 1.1 (a leading zero is for octal "
                 "numbers); write %s, or \"%s\"", text, digits, text);
    } else if (strncmp(text, "0o", 2) == 0 &&
               pynum_int(text + 2, strlen(text + 2), 8, false, &meant,
                         NULL) == 0) {
        if (meant.text == NULL)
            lint_add(lint, name, v->line, v->column,
                     "%s is a string in YAML 1.1; write %lld for the number, "
                     "or \"%s\"", text, (long long)meant.i, text);
        value_free(&meant);
    }
}

static void lint_bool(struct lint *lint, const char *name, const char *text,
                      const struct value *v)
{
    const char *meant = v->flag ? "true" : "false";

    if (strcasecmp(text, meant) != 0)
        lint_add(lint, name, v->line, v->column,
                 "%s is %s in YAML 1.1; write %s, or \"%s\" for the word",
                 text, meant, meant, text);
}

static void lint_number(struct lint *lint, const char *name, const char *text,
                        const struct value *v)
{
    const char *digits = leading_zero(text);
    struct text is = {0};

    value_str(v, &is);
    if (is.failed)
        digits = NULL;
    else if (strchr(text, ':') != NULL)
        lint_add(lint, name, v->line, v->column,
                 "%s is the number %s in YAML 1.1 (base 60); write \"%s\"",
                 text, text_str(&is), text);
    if (digits != NULL && v->kind == VALUE_INT)
        lint_add(lint, name, v->line, v->column,
                 "%s is octal in YAML 1.1: %s; write %s, or %s%s, or \"%s\"",
                 text, text_str(&is), text_str(&is), *text == '-' ? "-" : "",
                 digits, text);
    text_free(&is);
}

void yaml11_lint_scalar(struct lint *lint, const char *name, const char *text,
                        enum scalar_type type, const struct value *v)
{
    if (lint == NULL)
        return;
    switch (type) {
    case SCALAR_STR:
        lint_string(lint, name, text, v);
        break;
    case SCALAR_BOOL:
        lint_bool(lint, name, text, v);
        break;
    case SCALAR_INT:
    case SCALAR_FLOAT:
        lint_number(lint, name, text, v);
        break;
    case SCALAR_DATE:
        lint_add(lint, name, v->line, v->column,
                 "%s is a date in YAML 1.1; write \"%s\" for the text", text,
                 text);
        break;
    case SCALAR_NULL:
    case SCALAR_MERGE:
    case SCALAR_VALUE:
        break;
    }
}

void yaml11_lint_key(struct lint *lint, const char *name, const char *text,
                     const struct value *v)
{
    struct text is = {0};

    if (lint == NULL || v->kind == VALUE_STR)
        return;
    value_str(v, &is);
    if (!is.failed)
        lint_add(lint, name, v->line, v->column,
                 "the key %s is %s in YAML 1.1, not a string, and is taken "
                 "as \"%s\"; write \"%s\"", text[0] != '\0' ? text : "(empty)",
                 text_str(&is), text_str(&is), text);
    text_free(&is);
}
