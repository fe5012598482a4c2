/* Ids of cells. They name claims, directories and runs, so what is here
 * never changes. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "roster_kind.h"

enum { ID_BYTES = 8, KEY_DIGITS = 12 };

struct id_maker *id_maker_open(const struct relay_lines *lines,
                               struct relay_error *err)
{
    struct id_maker *maker = calloc(1, sizeof(*maker));
    size_t i;

    if (maker == NULL) {
        relay_fail(err, EX_OSERR, "out of memory");
        return NULL;
    }
    for (i = 0; i < lines->nconfigs; i++) {
        text_add_char(&maker->suffix, '\n');
        text_add(&maker->suffix, lines->configs[i].digest);
    }
    maker->ctx = EVP_MD_CTX_new();
    if (maker->ctx != NULL && !maker->suffix.failed &&
        EVP_DigestInit_ex(maker->ctx, EVP_sha256(), NULL) == 1)
        return maker;
    relay_fail(err, EX_SOFTWARE, "libcrypto cannot make a SHA-256");
    id_maker_close(maker);
    return NULL;
}

void id_maker_close(struct id_maker *maker)
{
    if (maker == NULL)
        return;
    EVP_MD_CTX_free(maker->ctx);
    text_free(&maker->text);
    text_free(&maker->suffix);
    free(maker);
}

int id_maker_hash(struct id_maker *maker, const int64_t *seed,
                  char id[CELL_ID_MAX + 1], struct relay_error *err)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char raw[EVP_MAX_MD_SIZE];
    size_t i;

    text_add_len(&maker->text, text_str(&maker->suffix), maker->suffix.len);
    if (maker->text.failed)
        return relay_fail(err, EX_OSERR, "out of memory");
    /* Without a type the context keeps its own, and nothing is looked up. */
    if (EVP_DigestInit_ex(maker->ctx, NULL, NULL) != 1 ||
        EVP_DigestUpdate(maker->ctx, text_str(&maker->text),
                         maker->text.len) != 1 ||
        EVP_DigestFinal_ex(maker->ctx, raw, NULL) != 1)
        return relay_fail(err, EX_SOFTWARE,
                          "libcrypto cannot make a SHA-256");
    for (i = 0; i < ID_BYTES; i++) {
        id[2 * i] = hex[raw[i] >> 4];
        id[2 * i + 1] = hex[raw[i] & 15];
    }
    id[2 * ID_BYTES] = '\0';
    if (seed != NULL)
        snprintf(id + 2 * ID_BYTES, CELL_ID_MAX + 1 - 2 * ID_BYTES,
                 "_s%" PRId64, *seed);
    return 0;
}

bool id_seed(const struct value *v, int64_t *seed)
{
    if (v == NULL)
        return false;
    if (v->kind == VALUE_INT && v->text == NULL) {
        *seed = v->i;
        return true;
    }
    if (v->kind == VALUE_FLOAT && fabs(v->f) < 9007199254740992.0 &&
        v->f == (double)(int64_t)v->f) {
        *seed = (int64_t)v->f;
        return true;
    }
    return false;
}

const char *id_seed_name(const struct relay_lines *lines)
{
    return lines->seed_name != NULL ? lines->seed_name : "seed";
}

bool id_excluded(const struct relay_lines *lines, const char *key)
{
    size_t i;

    for (i = 0; i < lines->nexclude; i++) {
        if (strcmp(lines->exclude[i], key) == 0)
            return true;
    }
    return false;
}

static bool alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

bool id_valid(const char *id, size_t len)
{
    size_t i;

    if (len == 0 || len > CELL_ID_MAX || !alnum(id[0]))
        return false;
    for (i = 1; i < len; i++) {
        if (!alnum(id[i]) && id[i] != '.' && id[i] != '_' && id[i] != '-')
            return false;
    }
    return true;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* FNV-1a, and its bits mixed (splitmix64). */
static uint64_t mix(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    return h ^ (h >> 31);
}

/* An id that is a hash sorts by its first digits, so that the beginning of
 * one is found without computing all the others; the last bits tell the seeds
 * of one configuration apart. */
uint64_t roster_id_key(const char *id)
{
    uint64_t key = 0;
    int i;

    for (i = 0; i < KEY_DIGITS; i++) {
        int n = nibble(id[i]);

        if (n < 0)
            return mix(id);
        key = key << 4 | (unsigned)n;
    }
    return key << 16 | (mix(id + KEY_DIGITS) & 0xffff);
}
