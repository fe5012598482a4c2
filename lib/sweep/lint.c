#include "lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static char *warning_text(const char *name, int line, int column,
                          const char *fmt, va_list ap)
{
    struct text t = {0};
    char *what = NULL;

    if (vasprintf(&what, fmt, ap) < 0)
        return NULL;
    text_add(&t, name);
    if (line > 0)
        text_printf(&t, ":%d", line);
    if (line > 0 && column > 0)
        text_printf(&t, ":%d", column);
    text_add(&t, ": ");
    text_add(&t, what);
    free(what);
    if (t.failed)
        text_free(&t);
    return t.s;
}

void lint_add(struct lint *lint, const char *name, int line, int column,
              const char *fmt, ...)
{
    struct lint_warning *more;
    char *text;
    va_list ap;

    if (lint == NULL)
        return;
    va_start(ap, fmt);
    text = warning_text(name, line, column, fmt, ap);
    va_end(ap);
    if (text == NULL)
        return;
    more = reallocarray(lint->warnings, lint->n + 1, sizeof(*more));
    if (more == NULL) {
        free(text);
        return;
    }
    lint->warnings = more;
    more[lint->n++].text = text;
}

void lint_free(struct lint *lint)
{
    size_t i;

    for (i = 0; i < lint->n; i++)
        free(lint->warnings[i].text);
    free(lint->warnings);
    memset(lint, 0, sizeof(*lint));
}
