/* Slurm's host list expressions: "n[001-004,7],m3". libc only. */
#ifndef RELAY_SPANK_HOSTLIST_H
#define RELAY_SPANK_HOSTLIST_H

#include <stdbool.h>
#include <stddef.h>

/* True for a plain host name: [A-Za-z0-9._-]+, not beginning with '-' or
 * '.', shorter than 256 bytes. Such a name is safe as part of a file name. */
bool hostlist_is_name(const char *name);

/* Copies the first host of the expression into host. Several bracket groups
 * in one name are allowed ("rack[0-3]n[1,2]"). Returns 0, or -1 when the
 * expression is not one or host is too small. */
int hostlist_first(const char *list, char *host, size_t size);

#endif
