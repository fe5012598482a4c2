/* What tests of values share. */
#ifndef SWEEPVALUE_H
#define SWEEPVALUE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <cmocka.h>

#include "sweep/yaml11.h"

/* The YAML, which must load. */
static inline struct value load_yaml(const char *yaml)
{
    struct relay_error err = {0};
    struct value v;

    if (yaml11_load(yaml, strlen(yaml), "t.yaml", NULL, &v, NULL, &err) != 0)
        fail_msg("%s: %s", yaml, err.text);
    return v;
}

static inline void is_text(struct text *got, const char *want)
{
    assert_false(got->failed);
    assert_string_equal(text_str(got), want);
    text_free(got);
}

#endif
