#include "onpath.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "slurmenv.h"

bool onpath_find(const char *program, char *path, size_t size)
{
    const char *at = slurmenv("PATH");
    struct stat st;

    while (at != NULL && *at != '\0') {
        size_t len = strcspn(at, ":");
        int n = snprintf(path, size, "%.*s/%s", (int)len, at, program);

        if (at[0] == '/' && n > 0 && (size_t)n < size &&
            stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
            access(path, X_OK) == 0)
            return true;
        at += len + (at[len] == ':' ? 1 : 0);
    }
    return false;
}
