/*
 * The one error type. A function that can fail returns -1 (or NULL) and
 * fills a struct relay_error; nobody exits, nobody prints on the way up.
 */
#ifndef RELAY_ERROR_H
#define RELAY_ERROR_H

/* code is an exit code of sysexits.h (64, 65, 69, 73, 74, 75, 77, 78): the
 * one a tool ends with. text says what was wrong, where, and what to do. */
struct relay_error {
    int code;
    char text[1024];
};

/* Fills err (which may be NULL) and returns -1, so that a call site is one
 * line: return relay_fail(err, EX_DATAERR, "...", ...). */
int relay_fail(struct relay_error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As relay_fail, with ": " and the text of the present errno appended. */
int relay_fail_errno(struct relay_error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "WHAT: " before the text that err already has; returns -1. */
int relay_fail_in(struct relay_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
