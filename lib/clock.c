#include "clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

int64_t clock_wall(void)
{
    return (int64_t)time(NULL);
}

int64_t clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void clock_sleep_ms(int64_t ms)
{
    struct timespec ts = {.tv_sec = (time_t)(ms / 1000),
                          .tv_nsec = (long)(ms % 1000) * 1000000};

    if (ms > 0)
        nanosleep(&ts, NULL); /* an early return is what is promised */
}

void clock_iso(int64_t wall, char *text, size_t size)
{
    time_t when = (time_t)wall;
    struct tm tm;

    gmtime_r(&when, &tm);
    strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void clock_span(int64_t seconds, char *text, size_t size)
{
    if (seconds < 0)
        seconds = 0;
    if (seconds < 120)
        snprintf(text, size, "%" PRId64 " s", seconds);
    else if (seconds < 7200)
        snprintf(text, size, "%" PRId64 " min", seconds / 60);
    else if (seconds < 172800)
        snprintf(text, size, "%" PRId64 " h %02" PRId64 " min",
                 seconds / 3600, seconds % 3600 / 60);
    else
        snprintf(text, size, "%" PRId64 " d", seconds / 86400);
}
