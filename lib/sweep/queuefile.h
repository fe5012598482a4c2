/*
 * Queue files: a line `cfg task [epochs]` is a cell, its words are separated
 * by blanks; a line that begins with # and an empty one are none, but count.
 */
#ifndef RELAY_SWEEP_QUEUEFILE_H
#define RELAY_SWEEP_QUEUEFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

enum { QUEUE_WORDS = 3, QUEUE_EPOCHS = 20 /* of a line without */ };

/* A line taken apart; what it points to is the text's. */
struct queue_line {
    const char *word[QUEUE_WORDS];
    size_t len[QUEUE_WORDS];
    size_t n; /* 0: no cell */
};

/* Takes the line of len bytes (without its line break) apart. Returns 0; -1
 * with the number of the column that is wrong in *column, and err. */
int queue_line_parse(const char *text, size_t len, const char *name, int line,
                     struct queue_line *out, struct relay_error *err);

/* The end of the line that begins at at: of its text (*end, without \r) and
 * where the next one begins, which is returned. */
size_t queue_line_end(const char *text, size_t len, size_t at, size_t *end);

/* The name of a cell: basename of its cfg without .yaml .yml .toml .json .py;
 * *len of it. */
const char *queue_line_name(const struct queue_line *line, size_t *len);

#endif
