/*
 * Ledgers: what each writer did, a line each, in a file of its own that only
 * it appends to. From them the others learn, without a look at every claim.
 * A ledger is a hint: its line is written after the link that it tells of.
 *
 *     {"format":1,"writer":"...","owner":{...},...}
 *     r 12 1 1732287600 -1 0 0 - -
 *     LETTER INDEX GEN TIME STEP SECONDS FAILURES CAUSE WHY...
 *
 * The letter is the first of the state's name, a capital for what was read
 * from another's link; "z" ends the ledger of a writer that is through. A
 * writer with a nonce says "i INDEX GEN" before it links a claim: killed after
 * the link, it so finds it again. A second header is of the nonce's next owner.
 */
#ifndef RELAY_SWEEP_LEDGER_H
#define RELAY_SWEEP_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "board.h"
#include "claim.h"
#include "error.h"
#include "owner.h"
#include "text.h"

#define LEDGER_DIR "ledgers"
#define LEDGER_FOLDED "folded" /* in it: those a snapshot has all of */

/* A writer, as its ledger's readers know it. */
struct ledger_writer {
    char name[CLAIM_WRITER];
    int64_t offset; /* read so far */
    bool sealed;    /* it said that it is through */
    bool folded;    /* its ledger is in folded/, read to the end */
    bool known;     /* owner and job_owned are filled in */
    bool job_owned;
    struct owner owner;
    int64_t looked; /* clock_ms of the last look whether it lives; 0: never */
    bool dead;      /* that look said so */
    int64_t meant_gen; /* the claim it last said it would link; 0: none */
    uint64_t meant;    /* of this cell */
};

/* All writers that are known, by number. */
struct ledger_writers {
    struct ledger_writer *all;
    uint32_t n;
    uint32_t room;
    uint32_t *slots; /* hash of the names: number + 1; 0: free */
    uint32_t nslots; /* a power of two, or 0 */
};

/* The number of a writer, added when it is new. -1 out of memory. */
int64_t ledger_number(struct ledger_writers *writers, const char *name,
                      struct relay_error *err);
void ledger_writers_free(struct ledger_writers *writers);

/* Opens our own ledger to append (made with its header when it is new). *len
 * (may be NULL) is what is in it. One that begins with another owner gets our
 * header as well. fd or -1. */
int ledger_open(int dirfd, const struct claim_store *store, int64_t *len,
                struct relay_error *err);

/* Appends a line in one write. Its length, or -1 (EX_IOERR). */
int64_t ledger_append(int fd, const struct board_line *line,
                  struct relay_error *err);

/* Adds words to a line: "-" for none, blank for each blank and control
 * character, so that a cause is one word and a sentence one line. */
void ledger_add_words(struct text *out, const char *words, char blank);

/* Appends "i INDEX GEN". 0 or -1. */
int ledger_intend(int fd, uint64_t index, int64_t gen,
                  struct relay_error *err);

/* Appends "z". 0 or -1. */
int ledger_seal(int fd, struct relay_error *err);

/* Reads every ledger that is not sealed on from where it was read to, into
 * board, but that of writer own ("" for none: read all). *news counts the lines
 * that were. 0 or -1. */
int ledger_read_all(int dirfd, struct ledger_writers *writers,
                    struct board *board, const char *own, uint64_t *news,
                    struct relay_error *err);

/* One of them. 0, also when it is not there any more. */
int ledger_read(int dirfd, struct ledger_writers *writers, uint32_t number,
                struct board *board, uint64_t *news, struct relay_error *err);

/* Fills in owner and job_owned from the header. False: it has none. */
bool ledger_know(int dirfd, struct ledger_writer *writer);

/* Moves a ledger that was read to its end to folded/. Failure is harmless: it
 * is read once more. */
void ledger_fold(int dirfd, struct ledger_writer *writer);

/* Calls each() for every line about cell index in a writer's ledger. 0 or
 * -1. */
int ledger_each(int dirfd, const struct ledger_writer *writer, uint64_t index,
                void (*each)(void *arg, const struct board_line *line),
                void *arg, struct relay_error *err);

#endif
