#define _GNU_SOURCE 1
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "ptcheck.h"

/* The answer comes, and the cheap look never finds fault with what the whole
 * check has found good. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    struct relay_error err;
    char note[100];
    char path[40];
    enum ptcheck full, look;

    HOLDS(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    full = ptcheck_fd(fd, path, 0, note, sizeof(note), &err);
    look = ptcheck_fd(fd, path, 1, note, sizeof(note), &err);
    HOLDS(full != PT_GOOD || look == PT_GOOD);
    HOLDS(look != PT_BAD || full == PT_BAD);
    close(fd);
    return 0;
}
