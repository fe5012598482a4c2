#include "fuzz.h"

#include "sweep/expand.h"

static void check_lines(const struct relay_lines *lines)
{
    size_t i;

    for (i = 0; i < lines->nzips; i++)
        HOLDS(lines->zips[i].n >= 2 && lines->zips[i].line > 0);
    for (i = 0; i < lines->nwhens; i++)
        HOLDS(lines->whens[i].param[0] != '\0' &&
              lines->whens[i].other[0] != '\0');
    for (i = 0; i < lines->ndone; i++)
        HOLDS(lines->done[i][0] != '\0');
    HOLDS(lines->retries >= -1);
}

static void check_cell(const struct expand *e, const struct relay_lines *l,
                       uint64_t index)
{
    struct text whole = {0}, fast = {0};
    struct relay_error err;
    struct value params, room;
    const struct value *one;
    double hours;
    size_t i;

    HOLDS(expand_cell(e, index, &params, &err) == 0);
    HOLDS(params.kind == VALUE_DICT);
    HOLDS(expand_canonical(e, index, NULL, NULL, &fast, &err) == 0);
    value_canonical(&params, true, &whole);
    HOLDS(strcmp(text_str(&whole), text_str(&fast)) == 0);
    for (i = 0; i < params.n; i++) {
        HOLDS(i == 0 || strcmp(params.keys[i - 1], params.keys[i]) < 0);
        one = expand_value(e, index, params.keys[i], &room);
        HOLDS(one != NULL);
        text_clear(&fast);
        text_clear(&whole);
        value_canonical(one, true, &fast);
        value_canonical(&params.items[i], true, &whole);
        HOLDS(strcmp(text_str(&whole), text_str(&fast)) == 0);
        value_free(&room);
    }
    hours = l->cost != NULL ? relaylines_cost(l->cost, &params) : 0;
    HOLDS(hours >= -1);
    value_free(&params);
    text_free(&whole);
    text_free(&fast);
}

/* What is refused says where; each cell is the same by either way, and no two
 * are equal in a small sweep. */
static void check_cells(const struct wandb_sweep *sweep,
                        const struct relay_lines *lines)
{
    struct text texts[16] = {{0}};
    struct relay_error err;
    struct expand *e;
    uint64_t i, k, n;

    if (expand_open(sweep, lines, "fuzz", &e, &err) != 0) {
        HOLDS(e == NULL && strncmp(err.text, "fuzz:", 5) == 0);
        return;
    }
    n = expand_size(e);
    HOLDS(n > 0);
    HOLDS(sweep->run_cap == 0 || n <= (uint64_t)sweep->run_cap);
    for (i = 0; i < n && i < 16; i++) {
        check_cell(e, lines, i);
        HOLDS(expand_canonical(e, i, NULL, NULL, &texts[i], &err) == 0);
        for (k = 0; k < i && sweep->method == WANDB_GRID; k++)
            HOLDS(strcmp(texts[k].s, texts[i].s) != 0);
    }
    check_cell(e, lines, n - 1);
    for (i = 0; i < 16; i++)
        text_free(&texts[i]);
    expand_close(e);
}

/* A sweep that is too large to be looked through takes no time here. */
static bool is_small(const struct wandb_sweep *sweep,
                     const struct relay_lines *lines)
{
    size_t i;

    if (sweep->run_cap > 1000)
        return false;
    for (i = 0; i < sweep->nleaves && lines->nwhens > 0; i++)
        if (sweep->leaves[i].values.n > 20 ||
            sweep->leaves[i].values.kind != VALUE_LIST || i > 4)
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct wandb_sweep sweep;
    struct relay_lines lines;
    struct relay_error err;
    struct lint lint = {0};
    bool good;

    relaylines_init(&lines);
    good = relaylines_parse(text, size, "fuzz", &lines, &err) == 0;
    if (good)
        check_lines(&lines);
    else
        HOLDS(strncmp(err.text, "fuzz:", 5) == 0);
    if (wandb_parse(text, size, "fuzz", size % 2 == 1, &sweep, &lint,
                    &err) == 0) {
        HOLDS(sweep.nleaves > 0);
        if (good && is_small(&sweep, &lines))
            check_cells(&sweep, &lines);
        wandb_free(&sweep);
    } else {
        HOLDS(strncmp(err.text, "fuzz:", 5) == 0);
    }
    relaylines_free(&lines);
    lint_free(&lint);
    return 0;
}
