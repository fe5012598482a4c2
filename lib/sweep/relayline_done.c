/* The checks of `#RELAY done`. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "done.h"
#include "relayline_int.h"
#include "text.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void trim(const char **from, const char **end)
{
    while (*from < *end && is_blank(**from))
        ++*from;
    while (*end > *from && is_blank((*end)[-1]))
        --*end;
}

/* "FILE [json] PATH==VALUE", blanks or not: written out. */
static bool write_out_json(const char *check, struct text *out)
{
    const char *file_end = check + strcspn(check, " \t");
    const char *path = file_end + strspn(file_end, " \t");
    const char *equal = strstr(path, "==");
    const char *path_end = equal;
    const char *value;

    if (equal == NULL || file_end == check)
        return false;
    if (strncmp(path, "json", 4) == 0 && is_blank(path[4]))
        path += 4;
    trim(&path, &path_end);
    value = equal + 2 + strspn(equal + 2, " \t");
    if (path_end <= path || memchr(path, ' ', (size_t)(path_end - path)) ||
        memchr(path, '\t', (size_t)(path_end - path)))
        return false;
    text_add_len(out, check, (size_t)(file_end - check));
    text_add(out, " json ");
    text_add_len(out, path, (size_t)(path_end - path));
    text_add(out, " == ");
    text_add(out, value);
    return true;
}

/* "step>=N" likewise. */
static bool write_out_step(const char *check, struct text *out)
{
    const char *at = check + 4;

    if (strncmp(check, "step", 4) != 0)
        return false;
    at += strspn(at, " \t");
    if (strncmp(at, ">=", 2) != 0)
        return false;
    at += 2;
    text_add(out, "step >= ");
    text_add(out, at + strspn(at, " \t"));
    return true;
}

static int add_check(struct relay_lines *lines, const char *check,
                     struct relay_error *err)
{
    char **more = reallocarray(lines->done, lines->ndone + 1, sizeof(*more));

    if (more == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    lines->done = more;
    more[lines->ndone] = strdup(check);
    if (more[lines->ndone] == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    lines->ndone++;
    return 0;
}

static int parse_check(struct relay_cursor *c, const char *from,
                       const char *end)
{
    struct text given = {0}, full = {0};
    const char *wrong;
    int rc = -1;

    text_add_len(&given, from, (size_t)(end - from));
    wrong = done_check_form(text_str(&given));
    if (given.failed)
        relay_fail(c->err, EX_OSERR, "out of memory");
    else if (wrong == NULL)
        rc = add_check(c->lines, text_str(&given), c->err);
    else if ((write_out_step(text_str(&given), &full) ||
              write_out_json(text_str(&given), &full)) && !full.failed &&
             done_check_form(text_str(&full)) == NULL)
        rc = add_check(c->lines, text_str(&full), c->err);
    else
        relayline_fail(c, from, "done %s: %s", text_str(&given), wrong);
    text_free(&given);
    text_free(&full);
    return rc;
}

int relayline_done(struct relay_cursor *c)
{
    size_t before = c->lines->ndone;
    const char *from = c->at;
    const char *end, *next;

    for (; from < c->end; from = next) {
        end = memchr(from, ';', (size_t)(c->end - from));
        if (end == NULL)
            end = c->end;
        next = end < c->end ? end + 1 : end;
        trim(&from, &end);
        if (from < end && parse_check(c, from, end) != 0)
            return -1;
    }
    if (c->lines->ndone == before)
        return relayline_fail(c, c->at, "done needs a check, as in: done "
                              "summary.json json ok == true");
    c->at = c->end;
    return 0;
}
