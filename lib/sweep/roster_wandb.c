/* A W&B sweep file as a roster: cells are computed when asked for. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "expand.h"
#include "roster_kind.h"
#include "wandb.h"

struct wandb_roster {
    struct wandb_sweep sweep;
    struct expand *expand;
    bool seeded; /* there is a top-level parameter that is the seed */
};

/* The keys that are left out of a canonical text. */
struct dropped {
    const struct relay_lines *lines;
    const char *seed; /* NULL: it is a parameter like the others */
};

static bool drop(void *arg, const char *key)
{
    const struct dropped *dropped = arg;

    return (dropped->seed != NULL && strcmp(dropped->seed, key) == 0) ||
           id_excluded(dropped->lines, key);
}

static const struct wandb_roster *data_of(const struct roster *r)
{
    return r->data;
}

static bool top_level(const struct wandb_sweep *sweep, const char *key)
{
    size_t i;

    for (i = 0; i < sweep->nleaves; i++) {
        if (strcmp(sweep->leaves[i].path[0], key) == 0)
            return true;
    }
    return false;
}

/* A misspelt name would make ids of what should not be in them. */
static void check_excluded(const struct roster *r, struct lint *lint)
{
    const struct wandb_roster *w = data_of(r);
    size_t i;

    for (i = 0; i < r->lines.nexclude; i++) {
        if (!top_level(&w->sweep, r->lines.exclude[i]))
            lint_add(lint, r->path, 0, 0,
                     "#RELAY exclude %s: there is no top-level parameter of "
                     "that name", r->lines.exclude[i]);
    }
}

static void fill_info(struct roster *r)
{
    const struct wandb_sweep *sweep = &data_of(r)->sweep;

    if (sweep->name != NULL && sweep->name[0] != '\0')
        r->info.name = sweep->name;
    r->info.entity = sweep->entity;
    r->info.project = sweep->project;
    r->info.program = sweep->program;
    if (sweep->command.kind == VALUE_LIST && sweep->command.n > 0)
        r->info.command = &sweep->command;
}

static int wandb_open(struct roster *r, struct lint *lint,
                      struct relay_error *err)
{
    struct wandb_roster *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    r->data = w;
    if (wandb_parse(r->text, r->len, r->path, r->opt.yaml_floats, &w->sweep,
                    lint, err) != 0 ||
        expand_open(&w->sweep, &r->lines, r->path, &w->expand, err) != 0)
        return -1;
    w->seeded = top_level(&w->sweep, id_seed_name(&r->lines)) &&
                !id_excluded(&r->lines, id_seed_name(&r->lines));
    check_excluded(r, lint);
    fill_info(r);
    return 0;
}

static void wandb_close(struct roster *r)
{
    struct wandb_roster *w = r->data;

    if (w == NULL)
        return;
    expand_close(w->expand);
    wandb_free(&w->sweep);
    free(w);
}

static uint64_t wandb_size(const struct roster *r)
{
    return expand_size(data_of(r)->expand);
}

static int wandb_id(const struct roster *r, uint64_t index,
                    char id[CELL_ID_MAX + 1], struct relay_error *err)
{
    const struct wandb_roster *w = data_of(r);
    struct id_maker *maker = r->maker;
    struct dropped dropped = {.lines = &r->lines};
    int64_t seed = 0;

    if (w->seeded) {
        const char *name = id_seed_name(&r->lines);
        struct value room = {0};

        if (id_seed(expand_value(w->expand, index, name, &room), &seed))
            dropped.seed = name;
        value_free(&room);
    }
    text_clear(&maker->text);
    if (expand_canonical(w->expand, index, drop, &dropped, &maker->text,
                         err) != 0)
        return -1;
    return id_maker_hash(maker, dropped.seed != NULL ? &seed : NULL, id, err);
}

static int wandb_params(const struct roster *r, uint64_t index,
                        struct value *params, struct relay_error *err)
{
    return expand_cell(data_of(r)->expand, index, params, err);
}

const struct roster_kind_ops roster_wandb = {
    .open = wandb_open,
    .close = wandb_close,
    .size = wandb_size,
    .id = wandb_id,
    .params = wandb_params,
};
