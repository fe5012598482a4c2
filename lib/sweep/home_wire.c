#include "home_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "jsonfile.h"

static const char *const nexts[] = {
    [QUEUE_CLAIMED] = "claimed",
    [QUEUE_NOTHING_NOW] = "nothing",
    [QUEUE_FINISHED] = "finished",
};

/* --- what is wanted ------------------------------------------------------- */

struct json_object *wire_from_want(const struct queue_want *want)
{
    struct json_object *obj = json_object_new_object();
    struct json_object *avoid = json_object_new_array();
    size_t i;

    json_add_int(obj, "shard_index", (int64_t)want->shard_index);
    json_add_int(obj, "shard_count", (int64_t)want->shard_count);
    json_add_bool(obj, "resumed_only", want->resumed_only);
    json_add_bool(obj, "held_only", want->held_only);
    for (i = 0; i < want->navoid; i++)
        json_object_array_add(avoid,
                              json_object_new_int64((int64_t)want->avoid[i]));
    json_object_object_add(obj, "avoid", avoid);
    return obj;
}

int wire_to_want(struct json_object *obj, struct queue_want *want,
                 uint64_t **avoid, struct relay_error *err)
{
    struct json_object *list = json_get(obj, "avoid");
    size_t n = json_object_is_type(list, json_type_array)
                   ? json_object_array_length(list) : 0;
    int64_t index = json_int(obj, "shard_index", 0);
    int64_t count = json_int(obj, "shard_count", 0);
    size_t i;

    memset(want, 0, sizeof(*want));
    *avoid = NULL;
    if (index < 0 || count < 0 || (count == 0 ? index != 0 : index >= count))
        return relay_fail(err, EX_DATAERR, "there is no such shard");
    want->shard_index = (uint64_t)index;
    want->shard_count = (uint64_t)count;
    want->resumed_only = json_flag(obj, "resumed_only", false);
    want->held_only = json_flag(obj, "held_only", false);
    if (n == 0)
        return 0;
    *avoid = calloc(n, sizeof(**avoid));
    if (*avoid == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    for (i = 0; i < n; i++)
        (*avoid)[i] = (uint64_t)json_object_get_int64(
            json_object_array_get_idx(list, i));
    want->avoid = *avoid;
    want->navoid = n;
    return 0;
}

/* --- claims and their ends ------------------------------------------------ */

struct json_object *wire_from_claim(const struct queue_claim *claim)
{
    struct json_object *obj = json_object_new_object();

    json_add_int(obj, "index", (int64_t)claim->index);
    json_add_str(obj, "id", claim->id);
    json_add_int(obj, "gen", claim->gen);
    json_add_bool(obj, "partial", claim->partial);
    json_add_int(obj, "failures", claim->failures);
    json_add_int(obj, "step", claim->step);
    return obj;
}

int wire_to_claim(struct json_object *obj, struct queue_claim *claim,
                  struct relay_error *err)
{
    int64_t index = json_int(obj, "index", -1);
    const char *id = json_str(obj, "id", "");

    memset(claim, 0, sizeof(*claim));
    claim->gen = json_int(obj, "gen", 0);
    if (index < 0 || claim->gen < 1 || id[0] == '\0' ||
        strlen(id) > CELL_ID_MAX)
        return relay_fail(err, EX_DATAERR, "that is no claim");
    claim->index = (uint64_t)index;
    snprintf(claim->id, sizeof(claim->id), "%s", id);
    claim->partial = json_flag(obj, "partial", claim->gen > 1);
    claim->failures = (int)json_int(obj, "failures", 0);
    claim->step = json_int(obj, "step", -1);
    return 0;
}

struct json_object *wire_from_end(const struct queue_end *end)
{
    struct json_object *obj = json_object_new_object();

    json_add_str(obj, "state", cell_state_name(end->state));
    json_add_str(obj, "cause", end->cause);
    json_add_str(obj, "why", end->why);
    json_add_int(obj, "step", end->step);
    json_add_int(obj, "seconds", end->seconds);
    json_add_bool(obj, "counts", end->counts);
    return obj;
}

int wire_to_end(struct json_object *obj, struct queue_end *end,
                struct relay_error *err)
{
    memset(end, 0, sizeof(*end));
    if (wire_to_state(json_str(obj, "state", ""), &end->state, err) != 0)
        return -1;
    if (end->state == CELL_RUNNING || end->state == CELL_WAITING)
        return relay_fail(err, EX_DATAERR, "no claim ends as %s",
                          cell_state_name(end->state));
    end->cause = json_str(obj, "cause", "");
    end->why = json_str(obj, "why", NULL);
    end->step = json_int(obj, "step", -1);
    end->seconds = json_int(obj, "seconds", 0);
    end->counts = json_flag(obj, "counts", false);
    return 0;
}

/* --- how far it is -------------------------------------------------------- */

struct json_object *wire_from_counts(const struct board_counts *counts)
{
    struct json_object *obj = json_object_new_object();
    int i;

    for (i = 0; i < CELL_STATES; i++)
        json_add_int(obj, cell_state_name((enum cell_state)i),
                     (int64_t)counts->of[i]);
    json_add_int(obj, "cells", (int64_t)counts->cells);
    json_add_int(obj, "withdrawn", (int64_t)counts->withdrawn);
    json_object_object_add(obj, "seconds",
                           json_object_new_double(counts->seconds));
    return obj;
}

void wire_to_counts(struct json_object *obj, struct board_counts *counts)
{
    int i;

    memset(counts, 0, sizeof(*counts));
    for (i = 0; i < CELL_STATES; i++)
        counts->of[i] = (uint64_t)json_int(
            obj, cell_state_name((enum cell_state)i), 0);
    counts->cells = (uint64_t)json_int(obj, "cells", 0);
    counts->withdrawn = (uint64_t)json_int(obj, "withdrawn", 0);
    counts->seconds = json_object_get_double(json_get(obj, "seconds"));
}

/* --- where a cell was ----------------------------------------------------- */

struct json_object *wire_from_places(const struct queue_place *all, size_t n)
{
    struct json_object *list = json_object_new_array();
    size_t i;

    for (i = 0; i < n; i++) {
        struct json_object *obj = json_object_new_object();

        json_add_int(obj, "gen", all[i].gen);
        json_add_str(obj, "cluster", all[i].cluster);
        json_add_str(obj, "out_root", all[i].out_root);
        json_add_str(obj, "resume_root", all[i].resume_root);
        json_object_array_add(list, obj);
    }
    return list;
}

size_t wire_to_places(struct json_object *list, struct queue_place *all,
                      size_t max)
{
    size_t n = json_object_is_type(list, json_type_array)
                   ? json_object_array_length(list) : 0;
    size_t i;

    for (i = 0; i < n && i < max; i++) {
        struct json_object *obj = json_object_array_get_idx(list, i);

        memset(&all[i], 0, sizeof(all[i]));
        all[i].gen = json_int(obj, "gen", 0);
        snprintf(all[i].cluster, sizeof(all[i].cluster), "%s",
                 json_str(obj, "cluster", ""));
        snprintf(all[i].out_root, sizeof(all[i].out_root), "%s",
                 json_str(obj, "out_root", ""));
        snprintf(all[i].resume_root, sizeof(all[i].resume_root), "%s",
                 json_str(obj, "resume_root", ""));
    }
    return i;
}

/* --- words ---------------------------------------------------------------- */

const char *wire_next(enum queue_next what)
{
    return nexts[what];
}

int wire_to_next(const char *text, enum queue_next *what,
                 struct relay_error *err)
{
    size_t i;

    for (i = 0; i < sizeof(nexts) / sizeof(nexts[0]); i++) {
        if (strcmp(nexts[i], text) == 0) {
            *what = (enum queue_next)i;
            return 0;
        }
    }
    return relay_fail(err, EX_DATAERR, "\"%s\" is no answer to a claim",
                      text);
}

int wire_to_state(const char *name, enum cell_state *state,
                  struct relay_error *err)
{
    int i;

    for (i = 0; i < CELL_STATES; i++) {
        if (strcmp(name, cell_state_name((enum cell_state)i)) == 0) {
            *state = (enum cell_state)i;
            return 0;
        }
    }
    return relay_fail(err, EX_DATAERR, "\"%s\" is no state of a cell", name);
}
