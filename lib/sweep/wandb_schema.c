/* W&B's schema of parameters as a table (wandb/sweeps, config/schema.json). */
#include <string.h>

#include "wandb_int.h"

#define BIT(key) (1u << (key))
#define MIN_MAX (BIT(KEY_MIN) | BIT(KEY_MAX))
#define Q BIT(KEY_Q)
#define MU_SIGMA (BIT(KEY_MU) | BIT(KEY_SIGMA))
#define A_B (BIT(KEY_A) | BIT(KEY_B))
#define VALUES BIT(KEY_VALUES)
#define VALUE BIT(KEY_VALUE)
#define PROBABILITIES BIT(KEY_PROBABILITIES)

/* In the order in which W&B tries them: the first that fits is it. */
const struct wandb_schema wandb_schemas[] = {
    {WANDB_Q_BETA, "q_beta", true, A_B | Q, 0, false, NULL},
    {WANDB_BETA, "beta", true, A_B, 0, false, NULL},
    {WANDB_CATEGORICAL, "categorical", false, VALUES, VALUES, false, NULL},
    {WANDB_CATEGORICAL_P, "categorical_w_probabilities", false,
     VALUES | PROBABILITIES, VALUES | PROBABILITIES, false, NULL},
    {WANDB_INT_UNIFORM, "int_uniform", false, MIN_MAX, MIN_MAX, false, NULL},
    {WANDB_UNIFORM, "uniform", false, MIN_MAX, MIN_MAX, false, NULL},
    {WANDB_LOG_NORMAL, "log_normal", true, MU_SIGMA, 0, false, NULL},
    {WANDB_LOG_UNIFORM, "log_uniform", true, MIN_MAX, MIN_MAX, false,
     "log_uniform_values"},
    {WANDB_INV_LOG_UNIFORM, "inv_log_uniform", true, MIN_MAX, MIN_MAX, false,
     "inv_log_uniform_values"},
    {WANDB_NORMAL, "normal", true, MU_SIGMA, 0, false, NULL},
    {WANDB_Q_LOG_NORMAL, "q_log_normal", true, MU_SIGMA | Q, 0, false, NULL},
    {WANDB_Q_LOG_UNIFORM, "q_log_uniform", true, MIN_MAX | Q, MIN_MAX, false,
     "q_log_uniform_values"},
    {WANDB_Q_NORMAL, "q_normal", true, MU_SIGMA | Q, 0, false, NULL},
    {WANDB_Q_UNIFORM, "q_uniform", true, MIN_MAX | Q, MIN_MAX, false, NULL},
    {WANDB_CONSTANT, "constant", false, VALUE, VALUE, false, NULL},
    {WANDB_INV_LOG_UNIFORM_VALUES, "inv_log_uniform_values", true, MIN_MAX,
     MIN_MAX, true, NULL},
    {WANDB_LOG_UNIFORM_VALUES, "log_uniform_values", true, MIN_MAX, MIN_MAX,
     true, NULL},
    {WANDB_Q_LOG_UNIFORM_VALUES, "q_log_uniform_values", true, MIN_MAX | Q,
     MIN_MAX, true, NULL},
};
const size_t wandb_nschemas =
    sizeof(wandb_schemas) / sizeof(wandb_schemas[0]);

const char *const wandb_key_names[WANDB_KEYS] = {
    "distribution", "values", "value", "probabilities", "min", "max",
    "q",            "mu",     "sigma", "a",             "b",
};

enum wandb_key wandb_key_of(const char *name)
{
    int i;

    for (i = 0; i < WANDB_KEYS; i++)
        if (strcmp(name, wandb_key_names[i]) == 0)
            break;
    return (enum wandb_key)i;
}

static const char *wrong_number(const struct wandb_schema *schema,
                                enum wandb_key key, const struct value *v)
{
    double number;

    if (!wandb_number(v, &number))
        return "is no number";
    if (schema->kind == WANDB_INT_UNIFORM && v->kind != VALUE_INT)
        return "is no int";
    if (key == KEY_Q && !(number > 0))
        return "is not greater than 0";
    if ((key == KEY_SIGMA || key == KEY_A || key == KEY_B) && number < 0)
        return "is less than 0";
    if (key == KEY_MIN && schema->above_zero && !(number > 0))
        return "is not greater than 0";
    return NULL;
}

static const char *wrong_probabilities(const struct value *v)
{
    double number;
    size_t i;

    if (v->kind != VALUE_LIST)
        return "is no list";
    for (i = 0; i < v->n; i++)
        if (!wandb_number(&v->items[i], &number) || !(number >= 0))
            return "has something that is no number from 0";
    return v->n > 0 ? NULL : "is an empty list";
}

const char *wandb_key_wrong(const struct wandb_schema *schema,
                            enum wandb_key key, const struct value *v)
{
    switch (key) {
    case KEY_DISTRIBUTION:
        return v->kind == VALUE_STR &&
                       strcmp(v->text, schema->distribution) == 0
                   ? NULL : "is another one";
    case KEY_VALUES:
        if (v->kind != VALUE_LIST)
            return "is no list";
        return v->n > 0 ? NULL : "is an empty list";
    case KEY_PROBABILITIES:
        return wrong_probabilities(v);
    case KEY_MIN:
    case KEY_MAX:
    case KEY_Q:
    case KEY_MU:
    case KEY_SIGMA:
    case KEY_A:
    case KEY_B:
        return wrong_number(schema, key, v);
    case KEY_VALUE:
    case WANDB_KEYS:
        break;
    }
    return NULL;
}
