#include "fuzz.h"

#include "config.h"
#include "config_read.h"

static void expand(const struct config *cfg, const char *text)
{
    const struct config_names names = {"ada", "lab", "robots", "/work"};
    struct relay_error err;
    char *path;

    if (text == NULL)
        return;
    path = config_path(cfg, text, &names, &err);
    HOLDS(path == NULL || path[0] == '/');
    free(path);
    free(config_path_for_peer(text, &names, &err));
}

/* Twice the same text over itself says what it says once. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct relay_error err;
    struct config cfg;
    size_t i, origins;

    config_defaults(&cfg);
    if (config_read((const char *)data, size, "fuzz", &cfg, &err) == 0) {
        origins = cfg.norigins;
        HOLDS(config_read((const char *)data, size, "fuzz", &cfg, &err) == 0);
        HOLDS(cfg.norigins == origins);
        for (i = 0; i < cfg.nclusters; i++) {
            HOLDS(config_find(&cfg, cfg.clusters[i].name, &err) ==
                  &cfg.clusters[i]);
            HOLDS(cfg.clusters[i].ssh == NULL || cfg.clusters[i].ssh[0] != '-');
            expand(&cfg, cfg.clusters[i].resume_root);
            expand(&cfg, cfg.clusters[i].run_root);
        }
    }
    config_free(&cfg);
    return 0;
}
