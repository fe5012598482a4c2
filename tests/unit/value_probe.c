/*
 * Says what the sweep code makes of texts, for comparisons with Python. One
 * line in, one line out: a letter, a blank and bytes in hexadecimal.
 *   f  the eight bytes of a double: its repr
 *   l  a Python literal     y  a YAML document     Y  the same, with floats
 *      answered by ok, repr, JSON and canonical text with tabs between
 *   c  YAML of command, program, params, json_path, prefix and strict: ok and
 *      the argv as JSON
 * or by "error" and a tab and the text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sweep/command.h"
#include "sweep/yaml11.h"

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

static void say(struct text *out)
{
    printf("%s\n", text_str(out));
    text_free(out);
}

static void say_value(struct value *v)
{
    struct text out = {0};

    text_add(&out, "ok\t");
    value_repr(v, &out);
    text_add_char(&out, '\t');
    value_json(v, &out);
    text_add_char(&out, '\t');
    value_canonical(v, v->kind != VALUE_DICT, &out);
    say(&out);
    value_free(v);
}

static void say_float(const char *bytes)
{
    struct text out = {0};
    uint64_t bits = 0;
    double f;
    int i;

    for (i = 0; i < 8; i++)
        bits = bits << 8 | (unsigned char)bytes[i];
    memcpy(&f, &bits, sizeof(f));
    value_float_repr(f, &out);
    say(&out);
}

static int make(const struct value *spec, struct words *w,
                struct relay_error *err)
{
    static const struct value none = {.kind = VALUE_DICT};
    const struct value *program = value_get(spec, "program");
    const struct value *path = value_get(spec, "json_path");
    const struct value *prefix = value_get(spec, "prefix");
    const struct value *params = value_get(spec, "params");
    char *words[16] = {NULL};
    size_t i;
    const struct command_spec command = {
        .command = value_get(spec, "command"),
        .program = program != NULL ? program->text : NULL,
        .json_path = path != NULL ? path->text : NULL,
        .prefix = prefix != NULL ? words : NULL,
        .strict = value_get(spec, "strict") != NULL,
    };

    for (i = 0; prefix != NULL && i < prefix->n && i < 15; i++)
        words[i] = prefix->items[i].text;
    return command_make(&command, params != NULL ? params : &none, w, err);
}

static void say_command(const char *text, size_t len)
{
    struct value spec, argv = {.kind = VALUE_LIST};
    struct relay_error err = {0};
    struct words w = {0};
    struct text out = {0};
    size_t i;
    int rc = yaml11_load(text, len, "probe", NULL, &spec, NULL, &err);

    if (rc == 0)
        rc = make(&spec, &w, &err);
    for (i = 0; rc == 0 && i < w.n; i++) {
        struct value word;

        rc = value_set_str(&word, w.word[i], strlen(w.word[i]), &err);
        if (rc == 0)
            rc = value_append(&argv, &word, &err);
    }
    text_add(&out, rc == 0 ? "ok\t" : "error\t");
    if (rc == 0)
        value_json(&argv, &out);
    else
        text_add(&out, err.text);
    say(&out);
    value_free(&argv);
    value_free(&spec);
    words_free(&w);
}

static void answer(char mode, char *bytes, size_t len)
{
    const struct yaml11_options opt = {.floats = mode == 'Y'};
    struct relay_error err = {0};
    struct value v;
    int rc;

    if (mode == 'f') {
        say_float(bytes);
        return;
    }
    if (mode == 'c') {
        say_command(bytes, len);
        return;
    }
    if (mode == 'l')
        rc = value_parse_literal(bytes, len, &v, &err);
    else
        rc = yaml11_load(bytes, len, "probe", &opt, &v, NULL, &err);
    if (rc == 0)
        say_value(&v);
    else
        printf("error\t%s\n", err.text);
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
        answer(line[0], bytes, unhex(line + 2, bytes));
    }
    free(bytes);
    free(line);
    return 0;
}
