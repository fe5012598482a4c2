#include "fuzz.h"

#include "sweep/value.h"

/* repr of a literal is a literal, of the same value and with the same repr. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text one = {0}, other = {0}, json = {0};
    struct relay_error err;
    struct value v, again;

    if (value_parse_literal((const char *)data, size, &v, &err) != 0) {
        HOLDS(v.kind == VALUE_NONE && v.items == NULL && v.text == NULL);
        return 0;
    }
    value_repr(&v, &one);
    value_json(&v, &json);
    HOLDS(!one.failed && !json.failed);
    /* inf is the repr of 1e999 and no literal. */
    if (strstr(one.s, "inf") == NULL) {
        HOLDS(value_parse_literal(one.s, one.len, &again, &err) == 0);
        value_repr(&again, &other);
        HOLDS(strcmp(one.s, text_str(&other)) == 0);
        text_clear(&one);
        text_clear(&other);
        value_canonical(&v, false, &one);
        value_canonical(&again, false, &other);
        HOLDS(strcmp(text_str(&one), text_str(&other)) == 0);
        value_free(&again);
    }
    value_free(&v);
    text_free(&one);
    text_free(&other);
    text_free(&json);
    return 0;
}
