/* The line of a program's output that says what went wrong. */
#ifndef RELAY_SWEEP_ERRORLINE_H
#define RELAY_SWEEP_ERRORLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Finds it in what stands in the file log behind byte from (in its last
 * 256 KiB): the last line of the last traceback or the last line that looks
 * like an exception or a crash, else the last one with the word error in it;
 * with any, else the last line that is not blank. Cut to size, printable.
 * Returns false, and text is "", when there is none. */
bool errorline_find(const char *log, int64_t from, bool any, char *text,
                    size_t size);

#endif
