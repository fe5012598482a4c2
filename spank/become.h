/* Becoming the user of a job, for good. libc only. */
#ifndef RELAY_SPANK_BECOME_H
#define RELAY_SPANK_BECOME_H

#include <stdbool.h>
#include <sys/types.h>

#include "error.h"

#define USER_GROUPS_MAX 1024

struct relay_user {
    uid_t uid;
    gid_t gid;
    char name[256];
    char home[1024];
    char shell[256];
    gid_t groups[USER_GROUPS_MAX];
    int group_count;
};

/* Looks uid up: name, home, shell and all groups with gid (the job's, not
 * always that of the user's entry). This asks NSS and can take as long as
 * that wishes: in a prolog call it in a child with a deadline. Returns 0, or
 * -1 with EX_NOUSER. */
int user_lookup(uid_t uid, gid_t gid, struct relay_user *user,
                struct relay_error *err);

/* Takes on the user's groups, gid and uid, all of real, effective and saved,
 * and checks that there is no way back to root. To be called by root in a
 * child; after -1 that child must end. */
int user_become(const struct relay_user *user, struct relay_error *err);

/* True when gid or one of groups is among names ("a,b"). An unknown name is
 * nobody's. Asks NSS. */
bool user_in_groups(const char *names, gid_t gid, const gid_t *groups,
                    int count);

#endif
