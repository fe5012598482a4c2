/*
 * The one clock. No decision compares the clocks of two hosts; wall-clock
 * times are for people and for records.
 */
#ifndef RELAY_CLOCK_H
#define RELAY_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Seconds since the epoch. */
int64_t clock_wall(void);

/* Milliseconds that never go back, for deadlines. */
int64_t clock_ms(void);

/* Sleeps ms milliseconds, or less when a signal handler ran. */
void clock_sleep_ms(int64_t ms);

/* "2026-11-22T11:25:08Z" into text (at least 21 bytes). */
void clock_iso(int64_t wall, char *text, size_t size);

/* "4 min", "2 h 05 min", "38 s": a length of time for people. */
void clock_span(int64_t seconds, char *text, size_t size);

#endif
