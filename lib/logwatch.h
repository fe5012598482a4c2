/*
 * What a training says of itself in its output: that it resumed, and from
 * where. The meta says it too, but only with the next checkpoint, which may
 * be an hour away.
 */
#ifndef RELAY_LOGWATCH_H
#define RELAY_LOGWATCH_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct logwatch {
    int fd;       /* -1: there is no output that can be read */
    int64_t at;   /* read up to here */
    int64_t step; /* the one that the run was found at */
    bool configured;
    regex_t said;    /* log_step: */
    regex_t guess;   /* "step 12", "step: 12/300" */
    regex_t resumed; /* "Resuming from step 12" */
    bool proved;
    bool doubted;
    char line[1024]; /* the beginning of a line that is not whole yet */
    size_t used;
};

enum log_says {
    LOG_NOTHING, /* new */
    LOG_RESUMED, /* it went on from the step, or a later one */
    LOG_BACK,    /* log_step: says an earlier step: the state was not loaded */
    LOG_DOUBT    /* an earlier step is named; nobody told us how to read it */
};

/* Watches the file path from the byte from on ("" for no file), for a run
 * that was found at step (below 0: nothing is ever said). log_step is the
 * configured expression or NULL. What cannot be opened is not watched. */
void logwatch_begin(struct logwatch *w, const char *path, int64_t from,
                    int64_t step, const char *log_step);
void logwatch_end(struct logwatch *w);

/* Reads what is new and returns the first thing worth saying, with the step
 * that was named. LOG_RESUMED and LOG_DOUBT come once. Call again until
 * LOG_NOTHING. */
enum log_says logwatch_read(struct logwatch *w, int64_t *step);

#endif
