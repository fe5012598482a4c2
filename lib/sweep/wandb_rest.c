/* The keys of a W&B sweep file that have no effect here, by W&B's schema:
 * what it calls a violation is a warning. */
#include <string.h>

#include "wandb_int.h"

static const char *const top_keys[] = {
    "apiVersion", "command", "controller", "description", "early_terminate",
    "entity", "image_uri", "job", "kind", "method", "metric", "metrics",
    "name", "parameters", "program", "project", "run_cap", "scheduler",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_among(const char *word, const char *const *words, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

static void warn_unknown(struct wandb_reader *r, const struct value *dict,
                         const char *const *known, size_t n,
                         const char *within)
{
    int line, column;
    size_t i;

    for (i = 0; i < dict->n; i++) {
        if (is_among(dict->keys[i], known, n))
            continue;
        wandb_key_place(r, dict->keys[i], &dict->items[i], &line, &column);
        lint_add(r->lint, r->name, line, column, "unknown key %s%s: it has "
                 "no effect, and W&B calls the file malformed",
                 dict->keys[i], within);
    }
}

static void warn_string(struct wandb_reader *r, const struct value *dict,
                        const char *key)
{
    const struct value *v = value_get(dict, key);

    if (v != NULL && v->kind != VALUE_STR)
        lint_add(r->lint, r->name, v->line, v->column, "%s is no string: "
                 "W&B calls the file malformed", key);
}

/* One of some words; another is what W&B takes for the default. */
static void warn_choice(struct wandb_reader *r, const struct value *dict,
                        const char *key, const char *const *words, size_t n,
                        const char *otherwise)
{
    const struct value *v = value_get(dict, key);

    if (v != NULL &&
        (v->kind != VALUE_STR || !is_among(v->text, words, n)))
        lint_add(r->lint, r->name, v->line, v->column, "%s must be %s",
                 key, otherwise);
}

static void check_metric(struct wandb_reader *r, const struct value *v)
{
    static const char *const known[] = {"name", "goal", "target", "impute",
                                        "impute_while_running"};
    static const char *const goals[] = {"minimize", "maximize"};
    static const char *const imputes[] = {"latest", "best", "worst",
                                          "false"};
    const struct value *target;

    if (v->kind != VALUE_DICT) {
        lint_add(r->lint, r->name, v->line, v->column, "metric must be keys "
                 "with values, such as name: and goal:");
        return;
    }
    warn_unknown(r, v, known, COUNT(known), " in metric");
    if (value_get(v, "name") == NULL)
        lint_add(r->lint, r->name, v->line, v->column, "metric has no name");
    warn_string(r, v, "name");
    warn_choice(r, v, "goal", goals, COUNT(goals),
                "minimize or maximize: W&B takes minimize");
    warn_choice(r, v, "impute", imputes, 3,
                "latest, best or worst: W&B takes worst");
    warn_choice(r, v, "impute_while_running", imputes, COUNT(imputes),
                "latest, best, worst or \"false\"");
    target = value_get(v, "target");
    if (target != NULL && !wandb_number(target, NULL))
        lint_add(r->lint, r->name, target->line, target->column,
                 "target is no number");
    else if (target != NULL)
        lint_add(r->lint, r->name, target->line, target->column,
                 "target is ignored: every cell is run");
}

static void warn_number(struct wandb_reader *r, const struct value *dict,
                        const char *key, bool whole, double least,
                        const char *what)
{
    const struct value *v = value_get(dict, key);
    double number = 0;

    if (v != NULL && (!wandb_number(v, &number) || number < least ||
                      (whole && v->kind != VALUE_INT)))
        lint_add(r->lint, r->name, v->line, v->column,
                 "early_terminate: %s must be %s", key, what);
}

static void check_early_terminate(struct wandb_reader *r,
                                  const struct value *v)
{
    static const char *const known[] = {"type", "max_iter", "min_iter", "s",
                                        "eta", "strict"};
    static const char *const types[] = {"hyperband"};
    const struct value *eta, *strict;
    double number = 0;

    lint_add(r->lint, r->name, v->line, v->column, "early_terminate is "
             "ignored: every cell runs to its end");
    if (v->kind != VALUE_DICT) {
        lint_add(r->lint, r->name, v->line, v->column, "early_terminate "
                 "must be keys with values, such as type: hyperband");
        return;
    }
    warn_unknown(r, v, known, COUNT(known), " in early_terminate");
    if (value_get(v, "type") == NULL)
        lint_add(r->lint, r->name, v->line, v->column, "early_terminate has "
                 "no type: hyperband is the only one");
    warn_choice(r, v, "type", types, 1, "hyperband");
    if (value_get(v, "min_iter") == NULL &&
        (value_get(v, "max_iter") == NULL || value_get(v, "s") == NULL))
        lint_add(r->lint, r->name, v->line, v->column, "early_terminate "
                 "needs min_iter, or max_iter and s");
    warn_number(r, v, "min_iter", true, 1, "a whole number from 1");
    warn_number(r, v, "max_iter", true, -1e300, "a whole number");
    warn_number(r, v, "s", false, -1e300, "a number");
    eta = value_get(v, "eta");
    if (eta != NULL && (!wandb_number(eta, &number) || !(number > 1)))
        lint_add(r->lint, r->name, eta->line, eta->column,
                 "early_terminate: eta must be a number greater than 1");
    strict = value_get(v, "strict");
    if (strict != NULL && strict->kind != VALUE_BOOL)
        lint_add(r->lint, r->name, strict->line, strict->column,
                 "early_terminate: strict must be true or false");
}

static void check_controller(struct wandb_reader *r, const struct value *v)
{
    static const char *const types[] = {"local", "cloud"};
    const struct value *type = value_get(v, "type");

    if (v->kind != VALUE_DICT || type == NULL)
        lint_add(r->lint, r->name, v->line, v->column, "controller must be "
                 "{type: local} or {type: cloud}");
    else
        warn_choice(r, v, "type", types, COUNT(types), "local or cloud");
}

static void check_scheduler(struct wandb_reader *r, const struct value *top,
                            const struct value *v)
{
    static const char *const known[] = {"engine", "source", "optimizer",
                                        "search_space"};
    static const char *const engines[] = {"wandb"};
    const struct value *controller = value_get(top, "controller");
    const struct value *type;

    lint_add(r->lint, r->name, v->line, v->column, "scheduler is ignored: "
             "the cells are those of parameters");
    if (v->kind != VALUE_DICT) {
        lint_add(r->lint, r->name, v->line, v->column, "scheduler must be "
                 "keys with values, such as engine: wandb");
        return;
    }
    warn_unknown(r, v, known, COUNT(known), " in scheduler");
    if (value_get(v, "engine") == NULL)
        lint_add(r->lint, r->name, v->line, v->column, "scheduler has no "
                 "engine");
    warn_choice(r, v, "engine", engines, COUNT(engines),
                "wandb with this method");
    if (value_get(top, "early_terminate") != NULL)
        lint_add(r->lint, r->name, v->line, v->column, "early_terminate "
                 "does not go together with scheduler");
    type = controller != NULL ? value_get(controller, "type") : NULL;
    if (type != NULL && type->kind == VALUE_STR &&
        strcmp(type->text, "local") == 0)
        lint_add(r->lint, r->name, v->line, v->column, "controller of type "
                 "local does not go together with scheduler");
}

void wandb_check_rest(struct wandb_reader *r, const struct value *top)
{
    static const char *const strings[] = {"description", "job", "image_uri",
                                          "apiVersion"};
    static const char *const kinds[] = {"sweep"};
    const struct value *v;
    size_t i;

    warn_unknown(r, top, top_keys, COUNT(top_keys), "");
    for (i = 0; i < COUNT(strings); i++)
        warn_string(r, top, strings[i]);
    warn_choice(r, top, "kind", kinds, COUNT(kinds), "sweep");
    if ((v = value_get(top, "metric")) != NULL)
        check_metric(r, v);
    if ((v = value_get(top, "metrics")) != NULL)
        lint_add(r->lint, r->name, v->line, v->column, "metrics goes "
                 "together with method: custom alone");
    if ((v = value_get(top, "early_terminate")) != NULL)
        check_early_terminate(r, v);
    if ((v = value_get(top, "controller")) != NULL)
        check_controller(r, v);
    if ((v = value_get(top, "scheduler")) != NULL)
        check_scheduler(r, top, v);
}
