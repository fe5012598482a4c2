#include "fuzz.h"

#include "digest.h"
#include "key.h"

/* A key that passes the check expands, and what it expands to passes again;
 * no part of it can lead out of a directory. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *key = fuzz_text(data, size);
    char out[2 * KEY_MAX];
    char cluster[64], job[32], hash[41];
    struct relay_error err;

    if (key_check(key, &err) == 0) {
        HOLDS(strstr(key, "/../") == NULL && key[0] != '/' && key[0] != '-');
        HOLDS(key_is_hash(key) || key_run_name(key) != NULL);
        HOLDS(digest_key(key, hash, &err) == 0 && key_is_hash(hash));
        if (key_expand(key, "4711", "7", out, sizeof(out), &err) == 0)
            HOLDS(strchr(key, '%') != NULL || strcmp(key, out) == 0);
        (void)key_expand(key, NULL, NULL, out, 8, &err);
    }
    if (key_check_handoff(key, cluster, sizeof(cluster), job, sizeof(job),
                          &err) == 0)
        HOLDS(cluster[0] != '-' && cluster[0] != '\0' &&
              strspn(job, "0123456789_") == strlen(job));
    free(key);
    return 0;
}
