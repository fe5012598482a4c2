#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* By way of a copy: the arguments may be err's own text. */
static void set_text(struct relay_error *err, const char *fmt, va_list ap)
{
    char text[sizeof(err->text)];

    vsnprintf(text, sizeof(text), fmt, ap);
    memcpy(err->text, text, sizeof(text));
}

int relay_fail(struct relay_error *err, int code, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL)
        return -1;
    err->code = code;
    va_start(ap, fmt);
    set_text(err, fmt, ap);
    va_end(ap);
    return -1;
}

int relay_fail_errno(struct relay_error *err, int code, const char *fmt, ...)
{
    int saved = errno;
    va_list ap;
    size_t used;

    if (err == NULL)
        return -1;
    err->code = code;
    va_start(ap, fmt);
    set_text(err, fmt, ap);
    va_end(ap);
    used = strlen(err->text);
    snprintf(err->text + used, sizeof(err->text) - used, ": %s",
             strerror(saved));
    return -1;
}

int relay_fail_in(struct relay_error *err, const char *fmt, ...)
{
    char inner[sizeof(err->text)];
    va_list ap;
    size_t used;

    if (err == NULL)
        return -1;
    memcpy(inner, err->text, sizeof(inner));
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    used = strlen(err->text);
    snprintf(err->text + used, sizeof(err->text) - used, ": %s", inner);
    return -1;
}
