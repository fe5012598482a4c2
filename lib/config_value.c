#include "config_value.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define TEN_YEARS ((int64_t)10 * 366 * 86400)
#define NAME_CHARS                                                            \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

static int64_t unit_seconds(char unit)
{
    switch (unit) {
    case 's':
    case '\0':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    default:
        return 0;
    }
}

int value_duration(const char *text, int64_t *seconds, const char **why)
{
    int64_t total = 0;
    const char *p = text;

    *why = "not a length of time; write seconds, or 120s, 30m, 2h, 1d";
    if (*p == '\0')
        return -1;
    while (*p != '\0') {
        int64_t number = 0;
        int64_t unit;

        if (!isdigit((unsigned char)*p))
            return -1;
        for (; isdigit((unsigned char)*p); p++) {
            number = number * 10 + (*p - '0');
            if (number > TEN_YEARS)
                break;
        }
        if (number > TEN_YEARS) {
            *why = "more than ten years";
            return -1;
        }
        unit = unit_seconds(*p);
        if (unit == 0)
            return -1;
        total += number * unit;
        if (total > TEN_YEARS) {
            *why = "more than ten years";
            return -1;
        }
        if (*p != '\0')
            p++;
    }
    *seconds = total;
    return 0;
}

int value_count(const char *text, int *count, const char **why)
{
    char *end;
    long value;

    *why = "not a number from 0 to 1000000";
    if (!isdigit((unsigned char)text[0]))
        return -1;
    errno = 0;
    value = strtol(text, &end, 10);
    if (*end != '\0' || errno != 0 || value > 1000000)
        return -1;
    *count = (int)value;
    return 0;
}

int value_factor(const char *text, double *factor, const char **why)
{
    char *end;
    double value;

    *why = "not a positive number";
    if (text[0] == '\0' || strspn(text, "0123456789.eE+-") != strlen(text))
        return -1;
    value = strtod(text, &end);
    if (*end != '\0' || !isfinite(value) || value <= 0)
        return -1;
    *factor = value;
    return 0;
}

int value_signal(const char *text, const char **name, const char **why)
{
    static const char *const known[] = {"USR1", "USR2", "HUP",  "INT",
                                        "QUIT", "TERM", "CONT", "ALRM",
                                        "URG",  "WINCH"};
    const char *bare = strncmp(text, "SIG", 3) == 0 ? text + 3 : text;
    size_t i;

    *name = NULL;
    if (strcmp(text, "none") == 0)
        return 0;
    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(bare, known[i]) == 0) {
            *name = known[i];
            return 0;
        }
    }
    *why = "not a signal: none, USR1, USR2, HUP, INT, QUIT, TERM, CONT, ALRM, "
           "URG or WINCH";
    return -1;
}

int value_host(const char *text, const char **why)
{
    size_t len = strlen(text);

    *why = "not the name of a host as ssh takes it";
    if (len == 0 || len > 250 || text[0] == '-' || text[0] == '@' ||
        strspn(text, NAME_CHARS "@:[]%") != len)
        return -1;
    if (strstr(text, "@-") != NULL)
        return -1;
    return 0;
}

int value_name(const char *text, const char **why)
{
    size_t len = strlen(text);

    *why = "not the name of a cluster or profile: letters, digits, '.', '_' "
           "and '-', the first a letter or digit, at most 63";
    if (len == 0 || len > 63 || !isalnum((unsigned char)text[0]) ||
        strspn(text, NAME_CHARS) != len)
        return -1;
    return 0;
}

int value_regex(const char *text, const char **why)
{
    regex_t re;
    size_t groups;

    *why = "not an extended regular expression";
    if (strlen(text) > 500 || regcomp(&re, text, REG_EXTENDED) != 0)
        return -1;
    groups = re.re_nsub;
    regfree(&re);
    *why = "needs exactly one group, (...), which is the step";
    return groups == 1 ? 0 : -1;
}
