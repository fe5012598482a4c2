#include "cellref.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "key.h"

#define OPTION "--sweep-cell"

/* The ':' before the cell, or NULL. */
static const char *find_colon(const char *value)
{
    const char *colon = strrchr(value, ':');

    return colon != NULL && strchr(colon, '/') == NULL ? colon : NULL;
}

static int check_cell(const char *cell, const char *value,
                      struct relay_error *err)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz"
                                  "0123456789._%-";
    const char *name = cell[0] == '#' ? cell + 1 : cell;

    if (name[0] == '\0')
        return relay_fail(err, EX_USAGE,
                          OPTION "=%.100s: which cell? write SWEEP:ID, "
                          "SWEEP:#INDEX or SWEEP:%%a, or no ':' for the next "
                          "one that waits", value);
    if (strspn(name, allowed) != strlen(name) || name[0] == '-' ||
        name[0] == '.')
        return relay_fail(err, EX_USAGE,
                          OPTION "=%.100s: \"%.60s\" is neither the id of a "
                          "cell nor #INDEX nor %%a", value, cell);
    return 0;
}

int cellref_check(const char *value, struct relay_error *err)
{
    const char *colon;

    if (value[0] == '\0')
        return relay_fail(err, EX_USAGE,
                          OPTION " is empty; write SWEEP[:CELL]");
    if (strlen(value) > CELLREF_MAX)
        return relay_fail(err, EX_USAGE, OPTION " has more than %d bytes",
                          CELLREF_MAX);
    if (key_check_patterns(OPTION, value, err) != 0)
        return -1;
    if (value[0] == '-')
        return relay_fail(err, EX_USAGE, OPTION "=%.100s begins with '-' (a "
                                         "directory of that name: ./%.100s)",
                          value, value);
    if (value[0] == ':')
        return relay_fail(err, EX_USAGE,
                          OPTION "=%.100s: a cell of which sweep? write "
                          "SWEEP:CELL", value);
    colon = find_colon(value);
    return colon != NULL ? check_cell(colon + 1, value, err) : 0;
}

bool cellref_names_cell(const char *value)
{
    return find_colon(value) != NULL;
}

bool cellref_is_of_array(const char *value)
{
    const char *p;

    for (p = strchr(value, '%'); p != NULL && p[1] != '\0';
         p = strchr(p + 2, '%'))
        if (p[1] == 'a' || p[1] == 'A')
            return true;
    return false;
}

int cellref_parse(const char *value, const char *array_job,
                  const char *array_task, struct cellref *ref,
                  struct relay_error *err)
{
    const char *colon;
    char path[CELLREF_MAX + 1];

    ref->sweep[0] = ref->cell[0] = '\0';
    if (cellref_check(value, err) != 0)
        return -1;
    colon = find_colon(value);
    snprintf(path, sizeof(path), "%.*s",
             colon != NULL ? (int)(colon - value) : CELLREF_MAX, value);
    if (key_expand_patterns(OPTION, path, array_job, array_task, ref->sweep,
                            sizeof(ref->sweep), err) != 0)
        return -1;
    if (colon == NULL)
        return 0;
    /* The index, and not an id that happens to be a number. */
    return key_expand_patterns(OPTION,
                               strcmp(colon + 1, "%a") == 0 ? "#%a"
                                                            : colon + 1,
                               array_job, array_task, ref->cell,
                               sizeof(ref->cell), err);
}
