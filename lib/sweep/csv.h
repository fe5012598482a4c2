/*
 * CSV as RFC 4180 has it, record by record: quoted fields with "" and line
 * breaks in them; CRLF and LF; a BOM. Beyond it: blank lines and lines that
 * begin with # are nothing, and blanks around an unquoted field are dropped.
 */
#ifndef RELAY_SWEEP_CSV_H
#define RELAY_SWEEP_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "text.h"

struct csv_field {
    size_t at; /* in row->text, NUL-terminated */
    size_t len;
    int line; /* where it begins */
    int column;
};

/* All zero is an empty row; reused for the next one. */
struct csv_row {
    struct text text;
    struct csv_field *fields;
    size_t n;
    size_t room;
    size_t begin; /* offset of the record */
    int line;     /* of its first field */
};

/* Where a reader is: all zero but line, which is 1, at the beginning. */
struct csv_place {
    size_t at;
    int line;
};

/* Reads the next record. 1; 0 at the end; -1 with EX_DATAERR and
 * NAME:LINE:COLUMN: a quote that is not closed, text behind a closed one. */
int csv_next(const char *text, size_t len, const char *name,
             struct csv_place *place, struct csv_row *row,
             struct relay_error *err);

const char *csv_text(const struct csv_row *row, size_t field);

void csv_row_free(struct csv_row *row);

/* The length of text without a last record that is still being written: one
 * without its line break, or with a quote that is open. */
size_t csv_whole(const char *text, size_t len);

#endif
