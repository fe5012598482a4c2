#include "hostlist.h"

#include <ctype.h>
#include <string.h>

#define NAME_MAX_LEN 255

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '.' || c == '_' || c == '-';
}

bool hostlist_is_name(const char *name)
{
    size_t len;

    for (len = 0; name[len] != '\0'; len++)
        if (!is_name_char(name[len]) || len >= NAME_MAX_LEN)
            return false;
    return len > 0 && name[0] != '-' && name[0] != '.';
}

/* "001-004,7]..." : the length of the first number is returned and *rest is
 * set behind the bracket; 0 when the group is malformed. */
static size_t first_in_brackets(const char *group, const char **rest)
{
    size_t number = 0;
    const char *p;

    while (isalnum((unsigned char)group[number]))
        number++;
    for (p = group + number; *p != ']'; p++) {
        bool separator = *p == '-' || *p == ',';

        if (!separator && !isalnum((unsigned char)*p))
            return 0;
        if (separator && !isalnum((unsigned char)p[1]))
            return 0;
    }
    *rest = p + 1;
    return number;
}

int hostlist_first(const char *list, char *host, size_t size)
{
    const char *p = list;
    size_t used = 0;

    while (*p != '\0' && *p != ',') {
        const char *from = p, *rest = p + 1;
        size_t len = 1;

        if (*p == '[') {
            from = p + 1;
            len = first_in_brackets(from, &rest);
            if (len == 0)
                return -1;
        }
        if (used + len >= size)
            return -1;
        memcpy(host + used, from, len);
        used += len;
        p = rest;
    }
    if (size == 0)
        return -1;
    host[used] = '\0';
    return hostlist_is_name(host) ? 0 : -1;
}
