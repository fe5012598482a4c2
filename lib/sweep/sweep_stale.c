/* What is left of a creation that was killed. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "sweep_private.h"

enum { STALE_SECONDS = 3600 };

void stale_remove(int dirfd, const char *prefix, const char *own)
{
    DIR *dir = file_list(dirfd);
    const struct dirent *entry;
    struct stat ours, st;

    if (dir == NULL)
        return; /* they cost space only */
    if (fstatat(dirfd, own, &ours, AT_SYMLINK_NOFOLLOW) == 0) {
        while ((entry = readdir(dir)) != NULL) {
            if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 ||
                fstatat(dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) !=
                    0 ||
                !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
                st.st_mtime >= ours.st_mtime - STALE_SECONDS)
                continue;
            (void)file_remove_tree(dirfd, entry->d_name, NULL); /* as above */
        }
    }
    closedir(dir);
}
