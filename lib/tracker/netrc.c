/*
 * netrc as Python reads it, for that is what W&B's client does: the last of
 * several entries of one machine counts, and a quoted token may hold blanks.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "settings.h"

struct lexer {
    const char *at;
    struct text token;
    bool end;
};

static void skip_line(struct lexer *lex)
{
    while (*lex->at != '\0' && *lex->at != '\n')
        lex->at++;
}

static void read_quoted(struct lexer *lex)
{
    char quote = *lex->at++;

    while (*lex->at != '\0' && *lex->at != quote) {
        if (quote == '"' && *lex->at == '\\' && lex->at[1] != '\0')
            lex->at++;
        text_add_char(&lex->token, *lex->at++);
    }
    if (*lex->at != '\0')
        lex->at++;
}

/* The next token; "" at the end. */
static const char *next(struct lexer *lex)
{
    text_clear(&lex->token);
    while (isspace((unsigned char)*lex->at))
        lex->at++;
    lex->end = *lex->at == '\0';
    if (*lex->at == '"' || *lex->at == '\'') {
        read_quoted(lex);
        return text_str(&lex->token);
    }
    while (*lex->at != '\0' && !isspace((unsigned char)*lex->at)) {
        if (*lex->at == '\\' && lex->at[1] != '\0')
            lex->at++;
        text_add_char(&lex->token, *lex->at++);
    }
    return text_str(&lex->token);
}

/* A macro goes to the first empty line. */
static void skip_macro(struct lexer *lex)
{
    const char *end = strstr(lex->at, "\n\n");

    lex->at = end != NULL ? end + 2 : lex->at + strlen(lex->at);
}

static void keep(char **slot, const char *value)
{
    if (*slot != NULL) {
        explicit_bzero(*slot, strlen(*slot));
        free(*slot);
    }
    *slot = value != NULL ? strdup(value) : NULL;
}

char *netrc_password(const char *text, const char *host, bool *by_default)
{
    struct lexer lex = {.at = text};
    char *ours = NULL, *fallback = NULL;
    char **slot = NULL;
    const char *word;

    for (word = next(&lex); !lex.end; word = next(&lex)) {
        if (strcmp(word, "machine") == 0) {
            slot = strcasecmp(next(&lex), host) == 0 ? &ours : NULL;
        } else if (strcmp(word, "default") == 0) {
            slot = &fallback;
        } else if (strcmp(word, "macdef") == 0) {
            skip_macro(&lex);
            slot = NULL;
        } else if (word[0] == '#') {
            skip_line(&lex);
        } else if (strcmp(word, "password") == 0) {
            word = next(&lex);
            if (slot != NULL)
                keep(slot, word);
        } else if (strcmp(word, "login") == 0 || strcmp(word, "user") == 0 ||
                   strcmp(word, "account") == 0) {
            next(&lex);
        }
    }
    if (lex.token.s != NULL)
        explicit_bzero(lex.token.s, lex.token.room);
    text_free(&lex.token);
    *by_default = ours == NULL;
    if (ours == NULL)
        return fallback;
    keep(&fallback, NULL);
    return ours;
}
