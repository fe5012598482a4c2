/* From what a person types to a cell. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "sweep_private.h"

/* Digits of a key that are the beginning of an id that is a hash. */
enum { SHORTEST = 8, KEY_DIGITS = 12 };
enum { NEAREST_AMONG = 20000, LONGEST_WORD = 64 };

/* Are the ids hashes of this project's, so that their keys sort as they do? */
static bool hashed(const struct sweep *sweep)
{
    const struct roster_info *info = roster_info(sweep->roster);

    return info->kind == ROSTER_WANDB ||
           (info->kind == ROSTER_CSV && !info->has_run_id);
}

static int by_number(const struct sweep *sweep, const char *digits,
                     uint64_t *index, struct relay_error *err)
{
    uint64_t size = roster_size(sweep->roster);
    char *end;

    errno = 0;
    *index = strtoull(digits, &end, 10);
    if (!isdigit((unsigned char)digits[0]) || *end != '\0')
        return relay_fail(err, EX_USAGE, "#%.60s: behind # an index belongs",
                          digits);
    if (errno != 0 || *index >= size)
        return relay_fail(err, EX_USAGE,
                          "there is no cell #%.30s: %s has #0 to #%" PRId64,
                          digits, sweep->path, (int64_t)size - 1);
    return 0;
}

/* 1 found, 0 not, -1. */
static int by_id(const struct sweep *sweep, const char *id, uint64_t *index,
                 struct relay_error *err)
{
    uint64_t key = roster_id_key(id);
    char other[CELL_ID_MAX + 1];
    size_t at;

    for (at = id_index_seek(&sweep->ids, key);
         at < sweep->ids.n && id_index_key(&sweep->ids, at) == key; at++) {
        *index = id_index_at(&sweep->ids, at);
        if (roster_id(sweep->roster, *index, other, err) != 0)
            return -1;
        if (strcmp(other, id) == 0)
            return 1;
    }
    return 0;
}

/* ---- the beginning of an id ---------------------------------------------- */

/* What begins with a prefix. */
struct hits {
    const char *prefix;
    size_t len;
    uint64_t index;
    int n; /* 2: more than one */
    char first[CELL_ID_MAX + 1];
    char second[CELL_ID_MAX + 1];
};

static int try_cell(const struct sweep *sweep, uint64_t index,
                    struct hits *hits, struct relay_error *err)
{
    char id[CELL_ID_MAX + 1];

    if (roster_id(sweep->roster, index, id, err) != 0)
        return -1;
    if (strncmp(id, hits->prefix, hits->len) != 0)
        return 0;
    if (hits->n == 0)
        hits->index = index;
    memcpy(hits->n == 0 ? hits->first : hits->second, id, sizeof(id));
    hits->n++;
    return 0;
}

/* The keys of ids that begin with so many of prefix's digits: low to high.
 * false when it is empty or has another character among them. */
static bool key_range(const char *prefix, size_t len, uint64_t *low,
                      uint64_t *high)
{
    size_t digits = len < KEY_DIGITS ? len : KEY_DIGITS;
    uint64_t value = 0;
    size_t i;

    for (i = 0; i < digits; i++) {
        char c = prefix[i];

        if (!isdigit((unsigned char)c) && !(c >= 'a' && c <= 'f'))
            return false;
        value = value << 4 |
                (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    if (digits == 0)
        return false;
    *low = value << (64 - 4 * digits);
    *high = *low | (UINT64_MAX >> (4 * digits));
    return true;
}

static int by_prefix(const struct sweep *sweep, struct hits *hits,
                     struct relay_error *err)
{
    uint64_t low, high;
    uint64_t i;
    size_t at;

    if (!hashed(sweep)) {
        for (i = 0; i < roster_size(sweep->roster) && hits->n < 2; i++) {
            if (try_cell(sweep, i, hits, err) != 0)
                return -1;
        }
        return 0;
    }
    if (!key_range(hits->prefix, hits->len, &low, &high))
        return 0;
    for (at = id_index_seek(&sweep->ids, low);
         at < sweep->ids.n && id_index_key(&sweep->ids, at) <= high &&
         hits->n < 2; at++) {
        if (try_cell(sweep, id_index_at(&sweep->ids, at), hits, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- the nearest --------------------------------------------------------- */

static size_t common(const char *a, const char *b)
{
    size_t n = 0;

    while (a[n] != '\0' && a[n] == b[n])
        n++;
    return n;
}

/* How many characters must be changed, put in or left out (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
    size_t row[LONGEST_WORD + 1];
    size_t blen = strnlen(b, LONGEST_WORD);
    size_t i, j;

    for (j = 0; j <= blen; j++)
        row[j] = j;
    for (i = 1; a[i - 1] != '\0' && i <= LONGEST_WORD; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (j = 1; j <= blen; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[blen];
}

/* The neighbours in the order of ids. */
static void nearest_hash(const struct sweep *sweep, const char *what,
                         char best[CELL_ID_MAX + 1])
{
    size_t most = 3; /* fewer equal digits are chance */
    uint64_t low, high;
    size_t at, end;

    if (!key_range(what, strlen(what), &low, &high))
        low = roster_id_key(what);
    at = id_index_seek(&sweep->ids, low);
    end = at < sweep->ids.n ? at + 1 : at;
    for (at = at > 0 ? at - 1 : at; at < end; at++) {
        char id[CELL_ID_MAX + 1];

        if (roster_id(sweep->roster, id_index_at(&sweep->ids, at), id,
                      NULL) != 0 || common(id, what) <= most)
            continue;
        most = common(id, what);
        memcpy(best, id, sizeof(id));
    }
}

static void nearest_name(const struct sweep *sweep, const char *what,
                         char best[CELL_ID_MAX + 1])
{
    size_t least = strlen(what) / 2 + 1;
    size_t at;

    for (at = 0; at < sweep->ids.n && at < NEAREST_AMONG; at++) {
        char id[CELL_ID_MAX + 1];
        size_t d;

        if (roster_id(sweep->roster, id_index_at(&sweep->ids, at), id,
                      NULL) != 0)
            continue;
        d = distance(what, id);
        if (d < least) {
            least = d;
            memcpy(best, id, sizeof(id));
        }
    }
}

static int not_found(const struct sweep *sweep, const char *what,
                     struct relay_error *err)
{
    char best[CELL_ID_MAX + 1] = "";

    if (hashed(sweep))
        nearest_hash(sweep, what, best);
    else
        nearest_name(sweep, what, best);
    if (best[0] != '\0')
        return relay_fail(err, EX_USAGE, "%s has no cell %.140s; the nearest "
                          "is %s", sweep->path, what, best);
    if (strlen(what) < SHORTEST)
        return relay_fail(err, EX_USAGE, "%s has no cell %.140s (the "
                          "beginning of an id is %d characters or more)",
                          sweep->path, what, SHORTEST);
    return relay_fail(err, EX_USAGE, "%s has no cell %.140s; `ssweep cells` "
                      "lists them", sweep->path, what);
}

int sweep_find(const struct sweep *sweep, const char *what, uint64_t *index,
               struct relay_error *err)
{
    struct hits hits = {.prefix = what, .len = strlen(what)};
    int rc;

    if (what[0] == '#')
        return by_number(sweep, what + 1, index, err);
    rc = by_id(sweep, what, index, err);
    if (rc != 0)
        return rc > 0 ? 0 : -1;
    if (hits.len > 0 && hits.len < SHORTEST &&
        strspn(what, "0123456789") == hits.len)
        return by_number(sweep, what, index, err);
    if (hits.len >= SHORTEST && hits.len <= CELL_ID_MAX &&
        by_prefix(sweep, &hits, err) != 0)
        return -1;
    if (hits.n == 0)
        return not_found(sweep, what, err);
    if (hits.n > 1)
        return relay_fail(err, EX_USAGE, "%.140s is the beginning of %s and "
                          "%s: type more of it", what, hits.first,
                          hits.second);
    *index = hits.index;
    return 0;
}
