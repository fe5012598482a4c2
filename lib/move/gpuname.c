#include "gpuname.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

/* A name without separators; the first model characters are that of a name
 * without memory and form factor. */
struct plain {
    char text[64];
    size_t len;
    size_t model;
};

/* "80gb", "sxm4", "pcie", "hbm3": text of len, lower case. A slice of MIG
 * begins with one digit and g, as "1g". */
static bool is_form(const char *text, size_t len)
{
    size_t n = 0;

    if ((len == 4 && memcmp(text, "pcie", 4) == 0) ||
        (len >= 3 && (memcmp(text, "sxm", 3) == 0 ||
                      memcmp(text, "hbm", 3) == 0 ||
                      memcmp(text, "nvl", 3) == 0)))
        return true;
    while (n < len && isdigit((unsigned char)text[n]))
        n++;
    return n > 0 && ((len == n + 2 && text[n] == 'g' && text[n + 1] == 'b') ||
                     (n > 1 && len == n + 1 && text[n] == 'g'));
}

static void strip_maker(struct plain *p)
{
    static const char *const words[] = {"nvidia", "amd", "instinct", "geforce",
                                        "quadro", "tesla", "rtx", "gtx"};
    size_t i = 0;

    while (i < sizeof(words) / sizeof(words[0])) {
        size_t len = strlen(words[i]);

        if (p->model > len && memcmp(p->text, words[i], len) == 0) {
            memmove(p->text, p->text + len, p->len - len);
            p->len -= len;
            p->model -= len;
            i = 0;
        } else {
            i++;
        }
    }
}

static void make_plain(const char *name, struct plain *p)
{
    *p = (struct plain){.len = 0};
    while (*name != '\0') {
        size_t begin = p->len;

        while (*name != '\0' && !isalnum((unsigned char)*name))
            name++;
        while (isalnum((unsigned char)*name) && p->len < sizeof(p->text))
            p->text[p->len++] = (char)tolower((unsigned char)*name++);
        if (p->len == sizeof(p->text))
            break;
        if (begin == 0 || !is_form(p->text + begin, p->len - begin))
            p->model = p->len;
    }
    if (p->model == 0)
        p->model = p->len;
    strip_maker(p);
}

enum gpuname gpuname_compare(const char *a, const char *b)
{
    struct plain x, y;

    make_plain(a, &x);
    make_plain(b, &y);
    if (x.len == 0 || y.len == 0 || x.model != y.model ||
        memcmp(x.text, y.text, x.model) != 0)
        return GPUNAME_OTHER;
    return x.len == y.len && memcmp(x.text, y.text, x.len) == 0
               ? GPUNAME_SAME
               : GPUNAME_MODEL;
}
