#include "gpuspeed.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Steps of one and the same training (a policy of 128 x 1024, one GPU) an
 * hour, of an RTX 2080 Ti 19k: H100 75k, L40S 60k, A100 28k, A40 16k, Titan
 * Xp and P100 1.8k. Measured on three clusters; other trainings differ.
 */
static const struct {
    const char *name; /* of letters and digits alone */
    double factor;
} table[] = {
    {"2080ti", 1},   {"h100", 3.9},      {"l40s", 3.2},
    {"a100", 1.5},   {"a40", 0.85},      {"p100", 0.09},
    {"titanxp", 0.09},
};

/* Is name what text begins with, separators left out, and no digit behind it
 * (an A4000 is no A40, an h100_80gb is an H100)? */
static bool begins(const char *text, const char *name)
{
    while (*name != '\0') {
        if (*text == '_' || *text == '-' || *text == ' ')
            text++;
        else if (tolower((unsigned char)*text++) != *name++)
            return false;
    }
    return !isdigit((unsigned char)*text);
}

double gpuspeed(const char *type)
{
    size_t i;

    for (; *type != '\0'; type++) {
        for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
            if (begins(type, table[i].name))
                return table[i].factor;
        }
    }
    return 0;
}
