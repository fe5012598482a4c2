/* Programs that the user chose, and short questions to them. */
#ifndef RELAY_SWEEP_ONPATH_H
#define RELAY_SWEEP_ONPATH_H

#include <stdbool.h>
#include <stddef.h>

#include "command.h"

/* Finds a program on the user's $PATH (an environment of conda, a module), its
 * absolute path into path. false when there is none. */
bool onpath_find(const char *program, char *path, size_t size);

#endif
