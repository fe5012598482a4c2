/* The mailbox of a courier, for both sides (doc/protocol.md, section 12). */
#ifndef RELAY_COURIER_MAIL_H
#define RELAY_COURIER_MAIL_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "run.h"

#define COURIER_DIR "courier"
#define COURIER_HERE "here-" /* the sign of life of a courier */
#define COURIER_JOB "job-"   /* and of who asks */
#define COURIER_ASK "ask-"
#define COURIER_TAKE "take-"
#define COURIER_REPLY "reply-"
#define COURIER_OUT "out-"

enum {
    COURIER_BEAT_MS = 2000, /* so often a sign of life is renewed */
    COURIER_QUIET_S = 20,   /* none for so long: nobody is there */
    COURIER_ID = 64         /* room for <nonce>-<n> */
};

struct courier_box {
    int fd;          /* the directory; -1: not open */
    char nonce[33];
    char sign[48];   /* our own sign of life, and what is in it */
    char says[480];
    int64_t beat_at; /* clock_ms() of its next renewal */
    int64_t now;     /* the file server's clock at the last one */
};

/* Opens (makes) the mailbox of run and puts a sign of life there: kind is
 * COURIER_HERE or COURIER_JOB, cluster what is served or asked for. A mailbox
 * that others may use is EX_NOPERM. 0 or -1; courier_box_close in both
 * cases. */
int courier_box_open(const struct run *run, const char *kind,
                     const char *cluster, struct courier_box *box,
                     struct relay_error *err);
void courier_box_close(struct courier_box *box);

/* Renews our sign of life when it is time for that. 0 or -1. */
int courier_box_beat(struct courier_box *box, struct relay_error *err);

/* Did the owner of that sign renew it lately, by the file server's clock? */
bool courier_box_alive(const struct courier_box *box, const char *kind,
                       const char *nonce);

/* The sign of life of kind that is renewed and of cluster, any one of them:
 * copies what it says of its owner, for people. False: there is none. */
bool courier_box_find(const struct courier_box *box, const char *kind,
                      const char *cluster, char *who, size_t size);

/* Does NAME exist, as the file server has it now? */
bool courier_box_has(const struct courier_box *box, const char *kind,
                     const char *id);

/* Removes the files of a request. */
void courier_box_drop(const struct courier_box *box, const char *id);

/* KIND and ID together. */
void courier_box_name(const char *kind, const char *id, char *name,
                      size_t size);

#endif
