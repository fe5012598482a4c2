#include "gres.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Products of three such numbers still fit. */
#define MOST INT64_C(1000000)

int64_t gres_number(const char *text)
{
    char *end;
    int64_t n;

    if (!isdigit((unsigned char)text[0]))
        return -1;
    n = strtoll(text, &end, 10);
    if (n > MOST)
        n = MOST;
    if (*end != '\0' && strchr("kKmMgG", *end) != NULL) {
        char unit = (char)tolower((unsigned char)*end++);

        n *= unit == 'k' ? 1024 : unit == 'm' ? 1048576 : 1073741824;
    }
    if (*end != '\0')
        return -1;
    return n < MOST ? n : MOST;
}

/* The length of the first element of a list; commas within brackets, as in
 * "(IDX:0,2-3)", part nothing. */
static size_t element(const char *text)
{
    int depth = 0;
    size_t i;

    for (i = 0; text[i] != '\0'; i++) {
        if (text[i] == '(' || text[i] == '[')
            depth++;
        else if ((text[i] == ')' || text[i] == ']') && depth > 0)
            depth--;
        else if (text[i] == ',' && depth == 0)
            break;
    }
    return i;
}

/* "h100:2", "h100", "2", "h100=2", "=2" in text, which is changed. false when
 * it is no such thing. */
static bool read_gpu(char *text, struct gres_gpu *gpu)
{
    char *sep = strpbrk(text, ":=");
    int64_t n = gres_number(text);

    *gpu = (struct gres_gpu){.count = 1};
    if (n >= 0) {
        gpu->count = n;
        return true;
    }
    if (sep != NULL) {
        gpu->tres = *sep == '=';
        *sep++ = '\0';
        gpu->count = gres_number(sep);
    }
    snprintf(gpu->type, sizeof(gpu->type), "%s", text);
    return gpu->count >= 0 && strlen(text) < sizeof(gpu->type);
}

/* Behind "gpu" of "gpu:2", "gres/gpu=2"; NULL for another resource. */
static char *after_gpu(char *text)
{
    if (strncasecmp(text, "gres:", 5) == 0 ||
        strncasecmp(text, "gres/", 5) == 0)
        text += 5;
    if (strncasecmp(text, "gpu", 3) != 0)
        return NULL;
    text += 3;
    if (*text == ':')
        return text + 1;
    return *text == '\0' || *text == '=' ? text : NULL;
}

bool gres_next(const char **at, bool bare, struct gres_gpu *gpu)
{
    char one[200];

    while (**at != '\0') {
        size_t len = element(*at);
        size_t keep = len < sizeof(one) ? len : sizeof(one) - 1;
        char *text = one;

        memcpy(one, *at, keep);
        one[keep] = '\0';
        one[strcspn(one, "(")] = '\0';
        *at += len + ((*at)[len] == ',');
        text += strspn(text, " \t");
        if (!bare)
            text = after_gpu(text);
        if (text == NULL || (bare && *text == '\0'))
            continue;
        if (read_gpu(text, gpu))
            return true;
    }
    return false;
}

int64_t gres_gpus(const char *text, bool bare)
{
    int64_t sum = 0, total = 0, typed = 0;
    struct gres_gpu gpu;

    while (gres_next(&text, bare, &gpu)) {
        if (!gpu.tres)
            sum += gpu.count;
        else if (gpu.type[0] == '\0')
            total += gpu.count;
        else
            typed += gpu.count;
    }
    sum += total > typed ? total : typed;
    return sum < MOST ? sum : MOST;
}

/* Is type an element of the list? */
static bool has_type(const char *types, const char *type)
{
    size_t len = strlen(type);

    while (*types != '\0') {
        size_t n = strcspn(types, ",");

        if (n == len && strncasecmp(types, type, len) == 0)
            return true;
        types += n + (types[n] == ',');
    }
    return false;
}

int gres_types(const char *text, bool bare, char *types, size_t size)
{
    struct gres_gpu gpu;
    size_t used = 0;

    types[0] = '\0';
    while (gres_next(&text, bare, &gpu)) {
        if (gpu.type[0] == '\0' || has_type(types, gpu.type))
            continue;
        if (used + strlen(gpu.type) + 2 > size)
            return -1;
        used += (size_t)snprintf(types + used, size - used, "%s%s",
                                 used > 0 ? "," : "", gpu.type);
    }
    return 0;
}
