/* What the command line of the sbatch that runs `relay-job check` says. */
#include "stage_job.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_LINE = 65536 };

/* Its arguments, NUL-separated, two NULs behind them; NULL: not to be had. */
static char *command_line(size_t *len)
{
    char path[64];
    ssize_t got = -1;
    char *text;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)getppid());
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    text = calloc(1, MAX_LINE + 2);
    if (text != NULL)
        got = read(fd, text, MAX_LINE);
    close(fd);
    if (got < 0) {
        free(text);
        return NULL;
    }
    *len = (size_t)got;
    return text;
}

/* Then the twin that is alive now will have ended when this one starts. A
 * dependency in the script itself is not seen; the gate in the job decides
 * anyway. */
bool stage_is_chained(void)
{
    bool found = false;
    size_t len;
    char *text = command_line(&len);
    const char *arg;

    for (arg = text; arg != NULL && arg < text + len; arg += strlen(arg) + 1)
        if (strncmp(arg, "--dep", 5) == 0 || strncmp(arg, "-d", 2) == 0 ||
            strncmp(arg, "--begin", 7) == 0 || strcmp(arg, "-b") == 0)
            found = true;
    free(text);
    return found;
}

/* The value of --chdir in arg, or in the argument behind it; NULL. */
static const char *chdir_of(const char *arg)
{
    size_t name = strcspn(arg, "=");

    if (strncmp(arg, "-D", 2) == 0)
        return arg[2] != '\0' ? arg + 2 : arg + 3;
    if (name < 4 || strncmp(arg, "--chdir", name) != 0)
        return NULL; /* --ch is --chdir */
    return arg + name + 1;
}

bool stage_chdir(char *dir, size_t size)
{
    size_t len;
    char *text = command_line(&len);
    const char *arg, *value;

    dir[0] = '\0';
    for (arg = text; arg != NULL && arg < text + len; arg += strlen(arg) + 1) {
        value = chdir_of(arg);
        if (value != NULL && value[0] != '\0')
            snprintf(dir, size, "%s", value);
    }
    free(text);
    return dir[0] != '\0';
}
