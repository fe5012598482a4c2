/*
 * LD_PRELOAD: a file system that loses replies, and a clock that is wrong.
 *
 *     LIES_LINK=N   every Nth link(2) succeeds and reports failure
 *     LIES_CLOCK=S  the wall clock is S seconds ahead
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long number_of(const char *name)
{
    const char *text = getenv(name);

    return text != NULL ? strtol(text, NULL, 10) : 0;
}

int linkat(int from_fd, const char *from, int to_fd, const char *to,
           int flags)
{
    static long calls;
    long every = number_of("LIES_LINK");

    if (syscall(SYS_linkat, from_fd, from, to_fd, to, flags) != 0)
        return -1;
    if (every == 0 || ++calls % every != 0)
        return 0;
    errno = calls / every % 2 != 0 ? EEXIST : EIO;
    return -1;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, now);

    if (rc == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += number_of("LIES_CLOCK");
    return rc;
}

time_t time(time_t *t)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (t != NULL)
        *t = now.tv_sec;
    return now.tv_sec;
}
