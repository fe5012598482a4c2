#include "fuzz.h"

#include "sweep/yaml11.h"

static void add_yaml(const struct value *v, struct text *out);

/* In a form that YAML reads as the same: JSON, but floats with the signs and
 * dates without quotes. */
static void add_items(const struct value *v, struct text *out)
{
    bool dict = v->kind == VALUE_DICT;
    size_t i;

    text_add_char(out, dict ? '{' : '[');
    for (i = 0; i < v->n; i++) {
        struct value key = {.kind = VALUE_STR};

        if (dict) {
            key.text = v->keys[i];
            text_add(out, "? ");
            value_json(&key, out);
            text_add(out, " : ");
        }
        add_yaml(&v->items[i], out);
        text_add(out, ", ");
    }
    text_add_char(out, dict ? '}' : ']');
}

static void add_yaml(const struct value *v, struct text *out)
{
    if (v->kind == VALUE_LIST || v->kind == VALUE_DICT) {
        add_items(v, out);
    } else if (v->kind == VALUE_FLOAT) {
        text_add(out, "!!float ");
        value_str(v, out);
    } else if (v->kind == VALUE_DATE) {
        value_str(v, out);
    } else {
        value_json(v, out);
    }
}

/* Every value has a place; what is written reads as the same; a copy is equal;
 * warnings begin with the file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct yaml11_options opt = {.floats = size % 2 == 1};
    struct text yaml = {0}, one = {0}, other = {0};
    struct relay_error err;
    struct lint lint = {0};
    struct value v, again, copy;
    size_t i;

    if (yaml11_load((const char *)data, size, "fuzz", &opt, &v, &lint,
                    &err) == 0) {
        value_canonical(&v, true, &one);
        add_yaml(&v, &yaml);
        HOLDS(value_copy(&v, &copy, &err) == 0);
        value_canonical(&copy, true, &other);
        HOLDS(strcmp(text_str(&one), text_str(&other)) == 0);
        HOLDS(copy.line == v.line && copy.column == v.column);
        value_free(&copy);
        /* A key of more than 128 characters and deep ones may not pass. */
        if (yaml11_load(text_str(&yaml), yaml.len, "again", NULL, &again,
                        NULL, &err) == 0) {
            text_clear(&other);
            value_canonical(&again, true, &other);
            HOLDS(strcmp(text_str(&one), text_str(&other)) == 0);
            value_free(&again);
        }
        text_clear(&one);
        value_repr(&v, &one);
        HOLDS(!one.failed && !other.failed && !yaml.failed);
    } else {
        HOLDS(strncmp(err.text, "fuzz:", 5) == 0);
        HOLDS(v.kind == VALUE_NONE && v.items == NULL && v.text == NULL);
    }
    for (i = 0; i < lint.n; i++)
        HOLDS(strncmp(lint.warnings[i].text, "fuzz:", 5) == 0);
    lint_free(&lint);
    value_free(&v);
    text_free(&yaml);
    text_free(&one);
    text_free(&other);
    return 0;
}
