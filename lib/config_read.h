/* One relay.yaml into a struct config; the inner half of config_load. */
#ifndef RELAY_CONFIG_READ_H
#define RELAY_CONFIG_READ_H

#include <stddef.h>

#include "config.h"
#include "error.h"

/* Reads the YAML text over what cfg has already: single values and lists are
 * replaced, mappings merged per key. file is for messages and origins. 0, or
 * -1 with EX_CONFIG and FILE:LINE:COLUMN (cfg is good for config_free). */
int config_read(const char *text, size_t len, const char *file,
                struct config *cfg, struct relay_error *err);

/* cfg with the default of every key; what it had is forgotten. */
void config_defaults(struct config *cfg);

#endif
