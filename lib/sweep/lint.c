#include "lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* What a file quotes must not write on a terminal. */
static void hide_controls(char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < ' ' || *s == 127)
            *s = '?';
}

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
    else
        hide_controls(t.s);
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

void lint_move(struct lint *from, struct lint *to)
{
    struct lint_warning *more;

    if (to != NULL && from->n > 0) {
        more = reallocarray(to->warnings, to->n + from->n, sizeof(*more));
        if (more != NULL) {
            memcpy(more + to->n, from->warnings, from->n * sizeof(*more));
            to->warnings = more;
            to->n += from->n;
            from->n = 0; /* their texts are to's now */
        }
    }
    lint_free(from);
}

void lint_free(struct lint *lint)
{
    size_t i;

    for (i = 0; i < lint->n; i++)
        free(lint->warnings[i].text);
    free(lint->warnings);
    memset(lint, 0, sizeof(*lint));
}
