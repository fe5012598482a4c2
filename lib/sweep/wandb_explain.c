/* Why a parameter fits none of W&B's kinds: one sentence, at the place. */
#include <string.h>

#include "wandb_int.h"

/* 1e-4 and its like are texts in YAML 1.1. */
static const char *trap(const struct value *v)
{
    struct value read = {0};
    bool number;

    if (v->kind != VALUE_STR ||
        value_parse_literal(v->text, strlen(v->text), &read, NULL) != 0)
        return "";
    number = wandb_number(&read, NULL);
    value_free(&read);
    return number ? ": YAML 1.1 reads it as a text; write a point and a "
                    "signed exponent, as in 1.0e-4, or use --yaml-floats"
                  : "";
}

/* A plain value, shown short. */
static const char *shown(const struct value *v, struct text *room)
{
    text_clear(room);
    value_str(v, room);
    return room->failed || room->len > 60 ? "..." : text_str(room);
}

static int explain_plain(struct wandb_reader *r, const struct wandb_param *p)
{
    const struct value *v = p->dict;
    struct text room = {0};

    if (v->kind == VALUE_NONE)
        wandb_fail(r, p->line, p->column, "parameter %s is empty: write "
                   "%s: {value: ...} or %s: {values: [...]}", p->name,
                   p->path[p->depth - 1], p->path[p->depth - 1]);
    else if (v->kind == VALUE_LIST)
        wandb_fail(r, v->line, v->column, "parameter %s is a plain list: "
                   "write %s: {values: [...]}", p->name,
                   p->path[p->depth - 1]);
    else
        wandb_fail(r, v->line, v->column, "parameter %s is a plain value: "
                   "write %s: {value: %s}", p->name, p->path[p->depth - 1],
                   shown(v, &room));
    text_free(&room);
    return -1;
}

static int explain_unknown(struct wandb_reader *r,
                           const struct wandb_param *p, size_t i)
{
    const struct value *item = &p->dict->items[i];
    const char *key = p->dict->keys[i];
    int line, column;
    size_t k;

    wandb_key_place(r, key, item, &line, &column);
    for (k = 0; k < p->dict->n; k++)
        if (wandb_key_of(p->dict->keys[k]) != WANDB_KEYS ||
            p->dict->items[k].kind != VALUE_DICT)
            return wandb_fail(r, line, column, "unknown key %s in parameter "
                              "%s: distribution, values, value, "
                              "probabilities, min, max, q, mu, sigma, a, b "
                              "and parameters are known", key, p->name);
    return wandb_fail(r, line, column, "unknown key %s in parameter %s: "
                      "parameters within a parameter stand below parameters:"
                      ", as in %s: {parameters: {%s: ...}}", key, p->name,
                      p->path[p->depth - 1], key);
}

static const struct wandb_schema *schema_named(const char *distribution)
{
    size_t i;

    for (i = 0; i < wandb_nschemas; i++)
        if (strcmp(wandb_schemas[i].distribution, distribution) == 0)
            return &wandb_schemas[i];
    return NULL;
}

/* The kind that was probably meant; NULL: a distribution is missing. */
static const struct wandb_schema *schema_meant(const struct value *dict)
{
    const struct value *given = value_get(dict, "distribution");

    if (given != NULL)
        return given->kind == VALUE_STR ? schema_named(given->text) : NULL;
    if (value_get(dict, "probabilities") != NULL)
        return schema_named("categorical_w_probabilities");
    if (value_get(dict, "values") != NULL)
        return schema_named("categorical");
    if (value_get(dict, "value") != NULL)
        return schema_named("constant");
    if (value_get(dict, "q") == NULL &&
        (value_get(dict, "min") != NULL || value_get(dict, "max") != NULL))
        return schema_named("uniform");
    return NULL;
}

static int explain_distribution(struct wandb_reader *r,
                                const struct wandb_param *p)
{
    const struct value *given = value_get(p->dict, "distribution");
    struct text room = {0};

    if (given == NULL)
        return wandb_fail(r, p->line, p->column, p->dict->n == 0
                          ? "parameter %s is empty: it needs values, value, "
                            "min and max, or a distribution"
                          : "parameter %s needs a distribution, as in "
                            "distribution: q_uniform", p->name);
    wandb_fail(r, given->line, given->column, "parameter %s: there is no "
               "distribution %s: W&B has categorical, constant, int_uniform, "
               "uniform, q_uniform, log_uniform_values, "
               "q_log_uniform_values, inv_log_uniform_values, normal, "
               "q_normal, log_normal, q_log_normal, beta and q_beta",
               p->name, shown(given, &room));
    text_free(&room);
    return -1;
}

/* A key that the kind does not take, or whose value is wrong. */
static int explain_key(struct wandb_reader *r, const struct wandb_param *p,
                       const struct wandb_schema *schema, size_t i)
{
    const struct value *item = &p->dict->items[i];
    const char *name = p->dict->keys[i];
    enum wandb_key key = wandb_key_of(name);
    const char *wrong = wandb_key_wrong(schema, key, item);
    int line, column;

    if (key == KEY_DISTRIBUTION)
        return 0;
    if ((schema->allowed & 1u << key) == 0) {
        wandb_key_place(r, name, item, &line, &column);
        if (key == KEY_VALUE || key == KEY_VALUES)
            return wandb_fail(r, line, column, "parameter %s: %s does not go "
                              "together with the other keys", p->name, name);
        return wandb_fail(r, line, column, "parameter %s: %s does not belong "
                          "to distribution %s", p->name, name,
                          schema->distribution);
    }
    if (wrong == NULL)
        return 0;
    return wandb_fail(r, item->line, item->column, "parameter %s: %s %s%s",
                      p->name, name, wrong, trap(item));
}

int wandb_param_explain(struct wandb_reader *r, const struct wandb_param *p)
{
    const struct wandb_schema *schema;
    size_t i;

    if (p->dict->kind != VALUE_DICT)
        return explain_plain(r, p);
    for (i = 0; i < p->dict->n; i++)
        if (wandb_key_of(p->dict->keys[i]) == WANDB_KEYS)
            return explain_unknown(r, p, i);
    schema = schema_meant(p->dict);
    if (schema == NULL)
        return explain_distribution(r, p);
    for (i = 0; i < p->dict->n; i++)
        if (explain_key(r, p, schema, i) != 0)
            return -1;
    for (i = 0; i < WANDB_KEYS; i++)
        if ((schema->required & 1u << i) != 0 &&
            value_get(p->dict, wandb_key_names[i]) == NULL)
            return wandb_fail(r, p->line, p->column, "parameter %s: %s is "
                              "missing", p->name, wandb_key_names[i]);
    return wandb_fail(r, p->line, p->column, "parameter %s fits none of "
                      "W&B's kinds of parameters", p->name);
}
