#include "become.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#define ENTRY_MAX (1 << 20)

static int copy_entry(const struct passwd *pw, struct relay_user *user)
{
    int n;

    n = snprintf(user->name, sizeof(user->name), "%s", pw->pw_name);
    if (n <= 0 || (size_t)n >= sizeof(user->name))
        return -1;
    n = snprintf(user->home, sizeof(user->home), "%s", pw->pw_dir);
    if (n < 0 || (size_t)n >= sizeof(user->home))
        return -1;
    snprintf(user->shell, sizeof(user->shell), "%s",
             pw->pw_shell[0] != '\0' ? pw->pw_shell : "/bin/sh");
    return 0;
}

static int lookup_entry(uid_t uid, struct relay_user *user,
                        struct relay_error *err)
{
    struct passwd pw, *found = NULL;
    size_t size = 4096;
    int rc = ERANGE;

    for (; rc == ERANGE && size <= ENTRY_MAX; size *= 2) {
        char *buf = malloc(size);

        if (buf == NULL)
            return relay_fail(err, EX_OSERR, "out of memory");
        rc = getpwuid_r(uid, &pw, buf, size, &found);
        if (rc == 0 && found != NULL && copy_entry(found, user) != 0)
            found = NULL;
        free(buf);
    }
    if (rc == 0 && found != NULL)
        return 0;
    return relay_fail(err, EX_NOUSER, "uid %u is not known on this node%s%s",
                      (unsigned)uid, rc != 0 ? ": " : "",
                      rc != 0 ? strerror(rc) : "");
}

int user_lookup(uid_t uid, gid_t gid, struct relay_user *user,
                struct relay_error *err)
{
    memset(user, 0, sizeof(*user));
    user->uid = uid;
    user->gid = gid;
    if (lookup_entry(uid, user, err) != 0)
        return -1;
    user->group_count = USER_GROUPS_MAX;
    if (getgrouplist(user->name, gid, user->groups, &user->group_count) < 0)
        return relay_fail(err, EX_NOUSER, "%s is in more than %d groups",
                          user->name, USER_GROUPS_MAX);
    return 0;
}

static int check_become(const struct relay_user *user,
                        struct relay_error *err)
{
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;

    if (getresuid(&ruid, &euid, &suid) != 0 ||
        getresgid(&rgid, &egid, &sgid) != 0)
        return relay_fail_errno(err, EX_OSERR, "getresuid");
    if (ruid != user->uid || euid != user->uid || suid != user->uid ||
        rgid != user->gid || egid != user->gid || sgid != user->gid)
        return relay_fail(err, EX_OSERR, "could not become uid %u",
                          (unsigned)user->uid);
    if (user->uid == 0)
        return 0; /* root's own job */
    if (setresuid((uid_t)-1, 0, (uid_t)-1) == 0 || setuid(0) == 0)
        return relay_fail(err, EX_OSERR, "root could be regained");
    if (user->gid != 0 && setresgid((gid_t)-1, 0, (gid_t)-1) == 0)
        return relay_fail(err, EX_OSERR, "root's group could be regained");
    return 0;
}

int user_become(const struct relay_user *user, struct relay_error *err)
{
    /* Else the change of uid would leave the capabilities. Both may be
     * unknown to the kernel, then there is nothing to clear. */
    (void)prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (setgroups((size_t)user->group_count, user->groups) != 0)
        return relay_fail_errno(err, EX_OSERR, "setgroups");
    if (setresgid(user->gid, user->gid, user->gid) != 0)
        return relay_fail_errno(err, EX_OSERR, "setresgid");
    if (setresuid(user->uid, user->uid, user->uid) != 0)
        return relay_fail_errno(err, EX_OSERR, "setresuid");
    return check_become(user, err);
}

static bool has_gid(gid_t wanted, gid_t gid, const gid_t *groups, int count)
{
    int i;

    if (wanted == gid)
        return true;
    for (i = 0; i < count; i++)
        if (groups[i] == wanted)
            return true;
    return false;
}

static bool group_id(const char *name, gid_t *gid)
{
    struct group gr, *found = NULL;
    size_t size = 4096;
    int rc = ERANGE;

    for (; rc == ERANGE && size <= ENTRY_MAX; size *= 2) {
        char *buf = malloc(size);

        if (buf == NULL)
            return false;
        rc = getgrnam_r(name, &gr, buf, size, &found);
        if (rc == 0 && found != NULL)
            *gid = found->gr_gid;
        free(buf);
    }
    return rc == 0 && found != NULL;
}

bool user_in_groups(const char *names, gid_t gid, const gid_t *groups,
                    int count)
{
    const char *p = names;

    while (*p != '\0') {
        size_t len = strcspn(p, ",");
        char name[256];
        gid_t wanted;

        if (len > 0 && len < sizeof(name)) {
            memcpy(name, p, len);
            name[len] = '\0';
            if (group_id(name, &wanted) &&
                has_gid(wanted, gid, groups, count))
                return true;
        }
        p += len;
        p += *p == ',';
    }
    return false;
}
