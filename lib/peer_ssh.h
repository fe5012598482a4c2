/* How ssh is run for a peer; the part of peer.h that knows ssh. */
#ifndef RELAY_PEER_SSH_H
#define RELAY_PEER_SSH_H

#include "peer.h"

/* Checks a host of the configuration and asks `ssh -G` about it and its
 * master. Returns 0, or -1 with EX_CONFIG for a name that ssh or a shell
 * could take for something else. */
int peer_ssh_probe(const char *program, const char *name,
                   struct peer_host *host, struct relay_error *err);

/* Does the user's ControlMaster for that host answer now? */
bool peer_ssh_master(const char *program, const char *host);

#endif
