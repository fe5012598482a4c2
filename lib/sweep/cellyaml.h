/* A cell's parameters as the file that W&B's agent would have left. */
#ifndef RELAY_SWEEP_CELLYAML_H
#define RELAY_SWEEP_CELLYAML_H

#include "text.h"
#include "value.h"

/* Appends what WANDB_SWEEP_PARAM_PATH points to: wandb_version, then each
 * parameter with its value, such that PyYAML (1.1: 1e-05 is a string to it)
 * reads the very values back. */
void cellyaml_params(const struct value *params, struct text *out);

#endif
