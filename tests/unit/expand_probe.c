/*
 * Says what cells a W&B sweep file has, for comparisons with Python. One line
 * in, one line out: the bytes of a file in hexadecimal; "ok", the cells as a
 * JSON list and the warnings as one, with tabs between; or "error", a tab and
 * the text. Each cell's canonical text is compared with that of its values.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sweep/expand.h"

static int nibble(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static size_t unhex(const char *hex, char *out)
{
    size_t n = 0;

    for (; hex[0] > ' ' && hex[1] > ' '; hex += 2)
        out[n++] = (char)(nibble(hex[0]) << 4 | nibble(hex[1]));
    out[n] = '\0';
    return n;
}

static int compare_texts(const struct expand *e, uint64_t index,
                         const struct value *params, struct relay_error *err)
{
    struct text whole = {0}, fast = {0};
    int rc = expand_canonical(e, index, NULL, NULL, &fast, err);

    value_canonical(params, true, &whole);
    if (rc == 0 && strcmp(text_str(&whole), text_str(&fast)) != 0) {
        fprintf(stderr, "two texts of a cell:\n%s\n%s\n", text_str(&whole),
                text_str(&fast));
        abort();
    }
    text_free(&whole);
    text_free(&fast);
    return rc;
}

static int say_cells(const struct expand *e, struct text *out,
                     struct relay_error *err)
{
    struct value params;
    uint64_t i;
    int rc = 0;

    text_add(out, "ok\t[");
    for (i = 0; i < expand_size(e) && rc == 0; i++) {
        rc = expand_cell(e, i, &params, err);
        if (rc != 0)
            break;
        text_add(out, i > 0 ? ", " : "");
        value_json(&params, out);
        rc = compare_texts(e, i, &params, err);
        value_free(&params);
    }
    text_add(out, "]\t[");
    return rc;
}

static void say_lint(const struct lint *lint, struct text *out)
{
    size_t i;

    for (i = 0; i < lint->n; i++) {
        struct value v = {.kind = VALUE_STR, .text = lint->warnings[i].text};

        text_add(out, i > 0 ? ", " : "");
        value_json(&v, out);
    }
    text_add_char(out, ']');
}

static void answer(const char *text, size_t len)
{
    struct wandb_sweep sweep = {0};
    struct relay_lines lines;
    struct relay_error err = {0};
    struct expand *e = NULL;
    struct lint lint = {0};
    struct text out = {0};
    int rc;

    relaylines_init(&lines);
    rc = relaylines_parse(text, len, "s", &lines, &err);
    if (rc == 0)
        rc = wandb_parse(text, len, "s", false, &sweep, &lint, &err);
    if (rc == 0)
        rc = expand_open(&sweep, &lines, "s", &e, &err);
    if (rc == 0)
        rc = say_cells(e, &out, &err);
    if (rc == 0)
        say_lint(&lint, &out);
    if (rc == 0)
        printf("%s\n", text_str(&out));
    else
        printf("error\t%s\n", err.text);
    text_free(&out);
    expand_close(e);
    wandb_free(&sweep);
    relaylines_free(&lines);
    lint_free(&lint);
}

int main(void)
{
    char *line = NULL, *bytes = NULL;
    size_t room = 0;

    while (getline(&line, &room, stdin) > 1) {
        free(bytes);
        bytes = malloc(room);
        if (bytes == NULL)
            return 1;
        answer(bytes, unhex(line, bytes));
    }
    free(bytes);
    free(line);
    return 0;
}
