/* Slurm's host lists, "iris[1-3,07],iris-hgx-1", without expanding them. */
#ifndef RELAY_MOVE_HOSTS_H
#define RELAY_MOVE_HOSTS_H

#include <stdbool.h>
#include <stdint.h>

/* Is host in the list? Numbers in brackets keep their leading zeros:
 * "n[08-10]" is n08, n09, n10. A list that is damaged has no hosts behind
 * the damage. */
bool hosts_have(const char *list, const char *host);

/* How many hosts the list names, a name given twice counted twice; 0 for "",
 * -1 for what is no list. */
int64_t hosts_count(const char *list);

#endif
