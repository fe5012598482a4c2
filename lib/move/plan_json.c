/* A plan as JSON. */
#include <stdio.h>

#include "jsonfile.h"
#include "plan.h"

static void add_known(struct json_object *obj, const char *name, int64_t value)
{
    if (value < 0)
        json_add_str(obj, name, NULL);
    else
        json_add_int(obj, name, value);
}

static void add_number(struct json_object *obj, const char *name, double value)
{
    char text[32];

    snprintf(text, sizeof(text), "%.6g", value);
    json_object_object_add(
        obj, name, value > 0 ? json_object_new_double_s(value, text) : NULL);
}

static void add_text(struct json_object *obj, const char *name,
                     const char *value)
{
    json_add_str(obj, name, value[0] != '\0' ? value : NULL);
}

static struct json_object *gates_json(const struct plan *p)
{
    static const char *const words[] = {"pass", "warn", "unknown", "fail"};
    struct json_object *array = json_object_new_array();
    size_t i;

    for (i = 0; i < GATES; i++) {
        struct json_object *obj = json_object_new_object();

        json_add_str(obj, "gate", gate_name(p->results[i].gate));
        json_add_str(obj, "verdict", words[p->results[i].verdict]);
        json_add_bool(obj, "overridden", p->results[i].overridden);
        json_add_str(obj, "text", p->results[i].text);
        json_object_array_add(array, obj);
    }
    return array;
}

static void add_estimate(struct json_object *obj, const struct plan *p)
{
    const struct gate_estimate *e = &p->estimate;

    add_number(obj, "rate_there", p->facts.rate_there);
    add_number(obj, "rate_here", p->facts.rate_here > 0
                                     ? p->facts.rate_here
                                     : p->facts.rate_there * e->speedup);
    add_number(obj, "speedup", e->speedup);
    add_known(obj, "left_there", e->left_there);
    add_known(obj, "left_here", e->left_here);
    add_known(obj, "break_even", e->break_even);
    if (e->known)
        json_add_int(obj, "gain", e->gain);
    else
        json_add_str(obj, "gain", NULL);
}

struct json_object *plan_json(const struct plan *p)
{
    const struct source *src = &p->h.src;
    struct json_object *obj = json_object_new_object();
    struct json_object *holds = json_object_new_array();
    struct json_object *submit = json_object_new_array();
    size_t i;
    int n;

    json_add_str(obj, "key", p->run->key);
    json_add_str(obj, "hash", p->run->hash);
    json_add_str(obj, "from", p->h.peer.cluster->name);
    json_add_str(obj, "to", p->run->cfg.cluster);
    add_text(obj, "job", src->job_id);
    add_known(obj, "step", src->meta.step);
    add_known(obj, "total_steps", p->facts.total);
    json_add_int(obj, "bytes", src->files.bytes);
    json_add_int(obj, "files", (int64_t)src->files.n);
    json_add_bool(obj, "shared", src->shared);
    add_estimate(obj, p);
    add_known(obj, "run_dir_files", p->stays_files);
    add_known(obj, "run_dir_bytes", p->stays_bytes);
    for (i = 0; i < src->nfollowers; i++)
        json_object_array_add(
            holds, json_object_new_string(src->followers[i].job_id));
    json_object_object_add(obj, "holds", holds);
    add_text(obj, "git_there", src->git);
    add_text(obj, "git_here", p->git_here);
    add_known(obj, "gpus_there", p->facts.gpus_there);
    add_known(obj, "gpus_here", p->facts.gpus_here);
    for (n = 0; n < p->nargs; n++)
        json_object_array_add(submit, json_object_new_string(p->args[n]));
    json_object_object_add(obj, "submit", submit);
    json_object_object_add(obj, "gates", gates_json(p));
    return obj;
}
