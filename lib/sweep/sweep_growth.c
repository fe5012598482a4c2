/* Did a source that may grow only grow? What stood there keeps its indices
 * and ids, so it must stand there still. */
#include <string.h>
#include <sysexits.h>

#include "csv.h"
#include "queuefile.h"
#include "sweep_private.h"

#define NEW_SWEEP                                                             \
    "; for other cells make another sweep (`ssweep create -o NEW.sweep`)"

static bool relay_line(const char *text, size_t len)
{
    for (; len > 0 && (*text == ' ' || *text == '\t'); len--)
        text++;
    return len >= 6 && memcmp(text, "#RELAY", 6) == 0;
}

static int line_number(const char *text, size_t at)
{
    int line = 1;
    size_t i;

    for (i = 0; i < at; i++)
        line += text[i] == '\n';
    return line;
}

/* What is new may not change what #RELAY lines say of the cells there are. */
static int no_relay_lines(const struct growth *g, size_t from, size_t to,
                          struct relay_error *err)
{
    size_t at = from;

    while (at < to) {
        size_t end;
        size_t next = queue_line_end(g->now, to, at, &end);

        if (relay_line(g->now + at, end - at))
            return relay_fail(err, EX_DATAERR,
                              "%s:%d: a #RELAY line that was not there when "
                              "the sweep was made: they are settled then"
                              NEW_SWEEP, g->path, line_number(g->now, at));
        at = next;
    }
    return 0;
}

/* ---- CSV: all that was there, byte by byte ------------------------------- */

static int edited_at(const struct growth *g, size_t at,
                     struct relay_error *err)
{
    return relay_fail(err, EX_DATAERR,
                      "%s:%d: this line is not what it was when the sweep "
                      "took it: rows can be appended, no more. Put it back"
                      NEW_SWEEP, g->path,
                      line_number(g->now, at < g->now_len ? at : g->now_len));
}

static int csv_growth(const struct growth *g, size_t *whole,
                      struct relay_error *err)
{
    size_t i = 0;

    while (i < g->old_len && i < g->now_len && g->old[i] == g->now[i])
        i++;
    if (i < g->old_len)
        return edited_at(g, i, err);
    /* The last row was taken without its line break: it must end there. */
    if (g->old_len > 0 && g->old[g->old_len - 1] != '\n' &&
        g->now[i] != '\n' && g->now[i] != '\r')
        return edited_at(g, i, err);
    *whole = csv_whole(g->now, g->now_len);
    while (i < *whole && (g->now[i] == '\r' || g->now[i] == '\n'))
        i++;
    if (*whole <= i)
        return 0;
    return no_relay_lines(g, g->old_len, *whole, err) != 0 ? -1 : 1;
}

/* ---- queue files: line by line ------------------------------------------- */

static size_t begin_of(const char *text, size_t len)
{
    return len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static bool same_words(const struct queue_line *a, const struct queue_line *b)
{
    size_t i;

    if (a->n != b->n)
        return false;
    for (i = 0; i < a->n; i++) {
        if (a->len[i] != b->len[i] ||
            memcmp(a->word[i], b->word[i], a->len[i]) != 0)
            return false;
    }
    return true;
}

/* Compares line index, which was old_len bytes. 0 fine, 1 it is to be kept as
 * it was, for its cell is claimed; -1. */
static int compare_line(const struct growth *g, uint64_t index,
                        const char *old, size_t old_len, const char *now,
                        size_t now_len, struct relay_error *err)
{
    struct queue_line before, after;
    int line = (int)index + 1;

    if (relay_line(old, old_len) || relay_line(now, now_len)) {
        if (old_len == now_len && memcmp(old, now, old_len) == 0)
            return 0;
        return relay_fail(err, EX_DATAERR,
                          "%s:%d: #RELAY lines are settled when a sweep is "
                          "made. Put it back" NEW_SWEEP, g->path, line);
    }
    if (queue_line_parse(old, old_len, g->path, line, &before, err) != 0 ||
        queue_line_parse(now, now_len, g->path, line, &after, err) != 0)
        return -1;
    if (before.n == 0 || same_words(&before, &after))
        return 0; /* a comment may become anything */
    if (after.n != 0)
        return relay_fail(err, EX_DATAERR,
                          "%s:%d: this line is not what it was when the sweep "
                          "took it: lines can be appended, or commented out "
                          "while nobody has claimed them. Put it back"
                          NEW_SWEEP, g->path, line);
    return g->claimed != NULL && g->claimed(g->arg, index) ? 1 : 0;
}

/* Puts a line as it was in the place of what is there now. */
static void keep_line(struct growth *g, int line, const char *old, size_t len)
{
    if (g->nkept++ == 0)
        g->kept_line = line;
    text_add_len(&g->kept, old, len);
}

static int queue_growth(struct growth *g, size_t *whole,
                        struct relay_error *err)
{
    size_t old_at = begin_of(g->old, g->old_len);
    size_t now_at = begin_of(g->now, g->now_len);
    size_t len = g->now_len;
    size_t copied = 0; /* of now, into kept */
    uint64_t index = 0;
    int rc;

    /* A last line without its line break is still being written, unless it
     * was so when the sweep was made. */
    while (len > 0 && g->now[len - 1] != '\n')
        len--;
    for (; old_at < g->old_len; index++) {
        size_t old_end, now_end;
        size_t old_next = queue_line_end(g->old, g->old_len, old_at, &old_end);
        size_t now_next;

        if (now_at >= len) {
            bool unfinished = g->old_len - old_at == g->now_len - now_at &&
                              memcmp(g->old + old_at, g->now + now_at,
                                     g->old_len - old_at) == 0;

            if (!unfinished)
                return relay_fail(err, EX_DATAERR,
                                  "%s:%d: there was a line here when the "
                                  "sweep took it; to withdraw a cell, comment "
                                  "its line out" NEW_SWEEP, g->path,
                                  (int)index + 1);
            len = g->now_len;
        }
        now_next = queue_line_end(g->now, len, now_at, &now_end);
        rc = compare_line(g, index, g->old + old_at, old_end - old_at,
                          g->now + now_at, now_end - now_at, err);
        if (rc < 0)
            return -1;
        if (rc == 1) {
            text_add_len(&g->kept, g->now + copied, now_at - copied);
            keep_line(g, (int)index + 1, g->old + old_at, old_end - old_at);
            copied = now_end;
        }
        old_at = old_next;
        now_at = now_next;
    }
    if (no_relay_lines(g, now_at, len, err) != 0)
        return -1;
    if (g->nkept > 0)
        text_add_len(&g->kept, g->now + copied, len - copied);
    if (g->kept.failed)
        return relay_fail(err, EX_OSERR, "out of memory");
    *whole = g->nkept > 0 ? g->kept.len : len;
    return *whole != g->old_len ||
           memcmp(g->nkept > 0 ? g->kept.s : g->now, g->old, *whole) != 0;
}

void growth_free(struct growth *growth)
{
    text_free(&growth->kept);
    growth->nkept = 0;
}

int growth_check(struct growth *growth, size_t *whole,
                 struct relay_error *err)
{
    growth_free(growth);
    *whole = growth->now_len;
    if (growth->now_len == growth->old_len &&
        memcmp(growth->now, growth->old, growth->old_len) == 0)
        return 0;
    if (growth->now_len == 0)
        return 0; /* an editor is about to write it */
    return growth->kind == ROSTER_CSV ? csv_growth(growth, whole, err)
                                      : queue_growth(growth, whole, err);
}
