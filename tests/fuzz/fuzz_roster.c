#include "fuzz.h"

#include "sweep/roster_kind.h"
#include "sweep/sweep_private.h"

/*
 * A CSV or a queue file (by the first byte), and what it is later, behind a
 * byte 0xff: each cell of what can be read can be computed, has an id that
 * names a directory, and keeps index and id when the file only grew.
 */

static struct roster *parse(const char *name, const uint8_t *data, size_t len)
{
    static const struct roster_options none;
    struct relay_error err = {0};
    struct roster *roster;
    char *text = malloc(len + 1);

    HOLDS(text != NULL);
    memcpy(text, data, len);
    text[len] = '\0';
    if (roster_parse(name, text, len, &none, NULL, 0, &roster, NULL, &err) !=
        0) {
        HOLDS(roster == NULL && err.code != 0 && err.text[0] != '\0');
        return NULL;
    }
    return roster;
}

static void compute(const struct roster *roster)
{
    struct relay_error err;
    uint64_t i;

    for (i = 0; i < roster_size(roster); i++) {
        struct words args = {0};
        struct cell cell;

        HOLDS(roster_cell(roster, i, &cell, &err) == 0);
        HOLDS(cell.params.kind == VALUE_DICT);
        HOLDS(cell.withdrawn || id_valid(cell.id, strlen(cell.id)));
        HOLDS(roster_args(roster, &cell, &args, &err) == 0);
        HOLDS(cell.params.n == args.n);
        words_free(&args);
        cell_free(&cell);
    }
}

static void compare(const struct roster *old, const struct roster *now)
{
    char a[CELL_ID_MAX + 1], b[CELL_ID_MAX + 1];
    uint64_t i;

    HOLDS(roster_size(now) >= roster_size(old));
    for (i = 0; i < roster_size(old); i++) {
        HOLDS(roster_id(old, i, a, NULL) == 0 &&
              roster_id(now, i, b, NULL) == 0);
        HOLDS(roster_withdrawn(old, i) || roster_withdrawn(now, i) ||
              strcmp(a, b) == 0);
    }
}

/* Every second line is claimed. */
static bool is_claimed(void *arg, uint64_t index)
{
    (void)arg;
    return index % 2 == 1;
}

static void grow(const char *name, const struct roster *old,
                 const uint8_t *data, size_t len)
{
    struct growth growth = {.path = name,
                            .kind = roster_info(old)->kind,
                            .old = old->text,
                            .old_len = old->len,
                            .now = (const char *)data,
                            .now_len = len,
                            .claimed = is_claimed};
    struct relay_error err = {0};
    struct roster *now;
    size_t whole = 0;
    uint64_t i;

    if (growth_check(&growth, &whole, &err) == 1) {
        HOLDS(growth.nkept > 0 ? whole == growth.kept.len : whole <= len);
        now = parse(name, growth.nkept > 0 ? (const uint8_t *)growth.kept.s
                                           : data, whole);
        if (now != NULL)
            compare(old, now);
        for (i = 1; now != NULL && i < roster_size(old); i += 2)
            HOLDS(roster_withdrawn(old, i) || !roster_withdrawn(now, i));
        roster_free(now);
    }
    growth_free(&growth);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *name = size > 0 && data[0] == 'q' ? "fuzz.txt" : "fuzz.csv";
    const uint8_t *now;
    struct roster *old;
    size_t len;

    if (size == 0)
        return 0;
    data++;
    size--;
    now = memchr(data, 0xff, size);
    len = now != NULL ? (size_t)(now - data) : size;
    old = parse(name, data, len);
    if (old == NULL)
        return 0;
    compute(old);
    if (now != NULL)
        grow(name, old, now + 1, size - len - 1);
    roster_free(old);
    return 0;
}
